"""`ostinato dataset`: NoteSequences to the records that a model trains on."""

import argparse
import logging
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ostinato.cli.flags import (
    USUAL,
    add_boolean,
    add_extraction,
    add_magentas,
    add_report,
    add_runner,
    extraction_of,
    processes_of,
    settle_config,
    write_report,
)
from ostinato.cli.terminal import progress, say, shows_bars
from ostinato.config import PRESETS, preset
from ostinato.dataset.records import DatasetSettings, DatasetStatistics, build_dataset
from ostinato.dataset.report import chords_words, counted, off_grid_words
from ostinato.errors import SettingsError
from ostinato.formats.tensorflow.tfrecord import count_records, expand_paths, read_records, shard_paths, shards_name
from ostinato.parallel import Processes

_TRAINING_FILE = "training_melodies.tfrecord"
_EVAL_FILE = "eval_melodies.tfrecord"
_DEFAULT_EVAL_RATIO = 0.1

_logger = logging.getLogger(__name__)


EXAMPLE = "ostinato dataset --config=lookback_rnn --input=notes.tfrecord --output_dir=examples"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    usual = parser.add_argument_group(USUAL)
    usual.add_argument("--config", metavar="NAME", help=f"the model to make records for: {', '.join(PRESETS)}")
    usual.add_argument(
        "--input",
        required=True,
        metavar="FILES",
        help="TFRecord files of NoteSequences: a path, a glob, shards as NAME@10.tfrecord, or several with commas "
        "between",
    )
    usual.add_argument("--output_dir", metavar="FOLDER", help=f"where to write {_TRAINING_FILE} and {_EVAL_FILE}")
    usual.add_argument(
        "--eval_ratio",
        type=float,
        default=_DEFAULT_EVAL_RATIO,
        metavar="SHARE",
        help="share of the NoteSequences to hold out for evaluation, 0 to below 1",
    )
    usual.add_argument(
        "--transpose",
        metavar="LOW..HIGH",
        help="write each training melody in each of these transpositions, in semitones, such as -5..6",
    )

    what = parser.add_argument_group("what to write, and where")
    what.add_argument("--train_output", metavar="FILE", help="file for the training records, instead of --output_dir")
    what.add_argument("--eval_output", metavar="FILE", help="file for the eval records, instead of --output_dir")
    what.add_argument("--seed", type=int, default=0, metavar="N", help="decides which NoteSequences are held out")
    add_boolean(
        what,
        "--dedupe",
        default=False,
        help="leave out melodies that equal an earlier one up to transposition, in training or in eval",
    )
    what.add_argument(
        "--lookback_distances",
        metavar="LIST",
        help='what the encoding looks back to: bars as "bars" (one and two) or "1,2,4,8 bars", or steps as 16,32; give '
        "ostinato train the same",
    )
    add_boolean(
        what,
        "--wide",
        default=False,
        help="write the inputs and labels of each step, as Magenta does, not melodies that training encodes itself: "
        "hundreds of times as large; on by default under Magenta's command names",
    )
    add_boolean(
        what, "--skip_corrupt", default=False, help="use a damaged file up to the damage instead of stopping there"
    )
    add_report(what)
    add_runner(parser)
    add_extraction(parser)
    add_magentas(parser)


def run(args: argparse.Namespace) -> int:
    """Make the data set and tell what is in it and what is not."""
    settle_config(args)
    if args.config is None:
        raise SettingsError(f"--config is missing; known are {', '.join(PRESETS)}")
    extraction = extraction_of(args)
    config = preset(args.config)
    if args.lookback_distances is not None:
        config = config.with_lookback_distances(args.lookback_distances)
    settings = DatasetSettings(
        config.encoding,
        extraction,
        eval_ratio=args.eval_ratio,
        seed=args.seed,
        transpositions=transpositions_of(args.transpose),
        dedupe=args.dedupe,
        wide=args.wide,
    )
    training_file, eval_file = _outputs(args)
    began = time.monotonic()
    with processes_of(args) as processes:
        statistics = _build(args, settings, training_file, eval_file, processes)
    training_name = shards_name(training_file, args.num_shards)
    eval_name = None if eval_file is None else shards_name(eval_file, args.num_shards)
    _report(statistics, settings, training_name, eval_name, time.monotonic() - began)
    write_report(args.json, statistics.to_json(args.input, extraction))
    return 0


def _build(
    args: argparse.Namespace,
    settings: DatasetSettings,
    training_file: str,
    eval_file: str | None,
    processes: Processes,
) -> DatasetStatistics:
    inputs = expand_paths(args.input)
    resolved = {path.resolve() for path in inputs}
    for file in (training_file, eval_file):
        for output in shard_paths(file, args.num_shards) if file is not None else ():
            if Path(output).resolve() in resolved:
                raise SettingsError(
                    f"{output} is an input and would be overwritten; choose another file for the records"
                )
    total = sum(map(count_records, inputs)) if shows_bars() else None
    with progress("NoteSequences", total) as done:
        return build_dataset(
            _read(inputs, args.skip_corrupt, done),
            Path(training_file),
            None if eval_file is None else Path(eval_file),
            settings,
            num_shards=args.num_shards,
            processes=processes,
        )


def transpositions_of(text: str | None) -> tuple[int, ...]:
    """The semitones that --transpose names.

    Raises:
        SettingsError: if they are not written as LOW..HIGH.
    """
    if text is None:
        return (0,)
    limits = re.fullmatch(r"([+-]?\d{1,3})(?:\.\.([+-]?\d{1,3}))?", text.strip())
    if limits is None or int(limits[1]) > int(limits[2] or limits[1]):
        raise SettingsError(f"--transpose={text} must be LOW..HIGH in semitones, such as --transpose=-5..6")
    return tuple(range(int(limits[1]), int(limits[2] or limits[1]) + 1))


def _outputs(args: argparse.Namespace) -> tuple[str, str | None]:
    """Where the training and the eval records go."""
    if args.output_dir is not None:
        if args.train_output is not None or args.eval_output is not None:
            raise SettingsError("--output_dir names both files; leave it out, or --train_output and --eval_output")
        training_file, eval_file = (os.path.join(args.output_dir, name) for name in (_TRAINING_FILE, _EVAL_FILE))  # noqa: PTH118
        return training_file, eval_file if args.eval_ratio > 0 else None
    if args.train_output is None:
        raise SettingsError("give --output_dir, or --train_output and --eval_output, for the records")
    if args.eval_ratio > 0 and args.eval_output is None:
        raise SettingsError(f"--eval_ratio={args.eval_ratio} needs --eval_output; give it, or --eval_ratio=0")
    if args.eval_ratio == 0 and args.eval_output is not None:
        raise SettingsError("--eval_ratio=0 leaves nothing for --eval_output; leave one of them out")
    if args.eval_output is not None and Path(args.train_output).resolve() == Path(args.eval_output).resolve():
        raise SettingsError(f"--train_output and --eval_output are both {args.eval_output}; give two files")
    return args.train_output, args.eval_output


def _read(paths: Iterable[Path], skip_corrupt: bool, done: Callable[[int], object]) -> Iterator[bytes]:
    for path in paths:
        for record in read_records(path, skip_corrupt=skip_corrupt):
            done(1)
            yield record


def _report(
    statistics: DatasetStatistics,
    settings: DatasetSettings,
    training_name: str,
    eval_name: str | None,
    seconds: float,
) -> None:
    extraction = statistics.extraction
    for reason in statistics.failure_reasons:
        _logger.warning("%s", reason)
    melodies = counted(extraction.melodies, "melody", "melodies")
    say(
        f"{melodies} in {counted(statistics.note_sequences, 'NoteSequence')}, {statistics.without_melody} of them "
        f"without one; "
        f"{seconds:.1f} s, {extraction.melodies / max(seconds, 1e-3):.0f} melodies/s"
    )
    say(f"{training_name}: {counted(statistics.training_records, 'training record')}")
    if eval_name is not None:
        say(f"{eval_name}: {counted(statistics.eval_records, 'eval record')}")
        if statistics.eval_records == 0:
            _logger.warning(
                "no NoteSequence with a melody went to eval; raise --eval_ratio, choose another --seed, "
                "or give more NoteSequences"
            )
    if off_grid := off_grid_words(extraction.rhythm):
        say(off_grid)
    chords = chords_words(extraction.with_chords, extraction.melodies, settings.encoding, "--config=chord_rnn")
    if chords:
        say(chords)
    if left_out := statistics.left_out(settings.extraction):
        say("Left out:", *(f"  {line}" for line in left_out))
    say(
        "Melodies by their length in bars:",
        *(f"  {line}" for line in statistics.histogram(settings.extraction.min_bars)),
    )
