"""`ostinato convert`: a folder of music files to one file of NoteSequences."""

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ostinato.cli.flags import USUAL, add_boolean, add_report, add_runner, processes_of, write_report
from ostinato.cli.terminal import progress_of_files, say
from ostinato.dataset.report import counted, endings

if TYPE_CHECKING:
    from ostinato.dataset.convert import ConvertReport


EXAMPLE = "ostinato convert --input_dir=data/aird/midi --output_file=notes.tfrecord"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    usual = parser.add_argument_group(USUAL)
    usual.add_argument(
        "--input_dir", "--midi_dir", required=True, metavar="FOLDER", help="the folder with the music files"
    )
    usual.add_argument("--output_file", required=True, metavar="FILE", help="the TFRecord file to write")
    add_boolean(usual, "--recursive", default=False, help="look into the folders in it too")
    add_report(usual)
    add_runner(parser)


def run(args: argparse.Namespace) -> int:
    """Convert, and say what became of each file."""
    from ostinato.dataset.convert import NothingConvertedError, convert_folder
    from ostinato.formats.tensorflow.tfrecord import shards_name

    try:
        with processes_of(args) as processes, progress_of_files() as show:
            report = convert_folder(
                args.input_dir,
                args.output_file,
                recursive=args.recursive,
                num_shards=args.num_shards,
                processes=processes,
                progress=show,
            )
    except NothingConvertedError as error:
        _tell(error.report)
        write_report(args.json, error.report.to_json(args.input_dir))
        raise
    _tell(report)
    sequences = "" if report.records == report.files else f" of {counted(report.files, 'file')}"
    say(
        f"Wrote {counted(report.records, 'NoteSequence')}{sequences} to "
        f"{shards_name(args.output_file, args.num_shards)}"
    )
    write_report(args.json, report.to_json(args.input_dir))
    return 0


def _tell(report: "ConvertReport") -> None:
    """Name what was left out and what there is to say, in groups of one reason; files and tunes apart."""
    files = [one for one in report.skipped if not one.is_tune]
    tunes = [one for one in report.skipped if one.is_tune]
    if files:
        # The same trouble at different places is one group.
        split = [(*one.reason.partition(", at byte "), one.filename) for one in files]
        groups = [(reason, f"{name}{comma}{place}") for reason, comma, place, name in split]
        _tell_groups(f"Skipped {len(files):,} of {counted(report.files, 'file')}:", groups)
    if tunes:
        where = counted(len({one.filename for one in tunes}), "file")
        groups = [(one.filename, one.reason) for one in tunes]
        _tell_groups(f"Skipped {counted(len(tunes), 'tune')} in {where}:", groups)
    if report.remarked:
        where = f"{len({one.filename for one in report.remarked}):,} of {counted(report.files, 'file')}"
        groups = [(one.name, f"{one.filename}: {one.text}") for one in report.remarked]
        _tell_groups(f"Remarks on {where}:", groups)
    if report.not_read:
        say(f"Not read, as they are not MIDI, MusicXML or ABC: {endings(report.not_read)}")


def _tell_groups(heading: str, lines: Iterable[tuple[str, str]]) -> None:
    """Print lines in groups, the largest first."""
    groups: dict[str, list[str]] = {}
    for name, line in lines:
        groups.setdefault(name, []).append(f"    {line}")
    say(heading)
    for name, group in sorted(groups.items(), key=lambda item: -len(item[1])):
        say(f"  {name} ({len(group)}):", *group)
