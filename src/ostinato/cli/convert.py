"""`ostinato convert`: a folder of music files to one file of NoteSequences."""

import argparse
import sys
from typing import Any

from ostinato.cli.flags import add_boolean, add_runner, runner_of
from ostinato.cli.progress import progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    parser.add_argument(
        "--input_dir", "--midi_dir", required=True, metavar="FOLDER", help="the folder with the music files"
    )
    parser.add_argument("--output_file", required=True, metavar="FILE", help="the TFRecord file to write")
    add_boolean(parser, "--recursive", default=False, help="look into the folders in it too")
    parser.add_argument(
        "--num_processes", type=_positive, metavar="N", help="how many processes to work with; all cores if absent"
    )
    add_runner(parser)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    return number


def run(args: argparse.Namespace) -> int:
    """Convert, and say what became of each file."""
    from ostinato.dataset.convert import ConvertReport, NothingConvertedError, convert_folder
    from ostinato.formats.tensorflow.tfrecord import shards_name

    bar: Any = None

    def show(done: int, total: int) -> None:
        # Made when the workers are running already: a progress bar starts a thread, and a process with threads
        # cannot be forked safely.
        nonlocal bar
        if bar is None:
            bar = progress(total=total, unit="files")
        bar.update(done - bar.n)

    def name_skipped(report: ConvertReport) -> None:
        if not report.skipped:
            return
        print(f"Skipped {len(report.skipped)} of {report.files} files:")
        by_reason: dict[str, list[str]] = {}
        for skipped in report.skipped:
            # The same trouble at different places is one group.
            by_reason.setdefault(skipped.reason.split(", at byte ")[0], []).append(
                f"    {skipped.filename}" + skipped.reason[len(skipped.reason.split(", at byte ")[0]) :]
            )
        for reason, lines in sorted(by_reason.items(), key=lambda group: -len(group[1])):
            print(f"  {reason} ({len(lines)}):", *lines, sep="\n")

    def name_remarked(report: ConvertReport) -> None:
        if not report.remarked:
            return
        print(f"Remarks on {len({one.filename for one in report.remarked})} of {report.files} files:")
        by_name: dict[str, list[str]] = {}
        for one in report.remarked:
            by_name.setdefault(one.name, []).append(f"    {one.filename}: {one.text}")
        for name, lines in sorted(by_name.items(), key=lambda group: -len(group[1])):
            print(f"  {name} ({len(lines)}):", *lines, sep="\n")

    runner = runner_of(args)
    try:
        if runner is None:
            report = convert_folder(
                args.input_dir,
                args.output_file,
                recursive=args.recursive,
                num_shards=args.num_shards,
                processes=args.num_processes,
                progress=show if sys.stderr.isatty() else None,  # the bar is costly to load
            )
        else:
            from ostinato.dataset.beam.convert import convert_folder as convert_with_beam

            report = convert_with_beam(
                args.input_dir, args.output_file, *runner, recursive=args.recursive, num_shards=args.num_shards
            )
    except NothingConvertedError as error:
        name_skipped(error.report)
        raise
    finally:
        if bar is not None:
            bar.close()
    name_skipped(report)
    name_remarked(report)
    sequences = "" if report.records == report.files else f" of {report.files} files"
    print(f"Wrote {report.records} NoteSequences{sequences} to {shards_name(args.output_file, args.num_shards)}")
    return 0
