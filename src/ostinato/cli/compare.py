"""`ostinato compare`: generated melodies beside melodies by people, in figures."""

import argparse
import json
import logging
import os
import shlex
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ostinato.cli.flags import USUAL, add_boolean, add_reading, melodies_in, reading_of
from ostinato.cli.terminal import figures_table, room, say
from ostinato.dataset.report import off_grid_words
from ostinato.errors import SettingsError
from ostinato.music.extract import ExtractionSettings

if TYPE_CHECKING:
    from ostinato.dataset.melodies import Melodies
    from ostinato.evaluation.comparison import Comparison

# What a model made is a melody whatever it is like; of people's tunes, what a data set would take for one.
_ANYTHING = ExtractionSettings(min_bars=0, min_unique_pitches=0, max_steps=None, gap_bars=float("inf"))
_TUNES = ExtractionSettings(max_steps=None)
_NOTE_WIDTH = 100  # characters: more are hard to read in one line

_log = logging.getLogger(__name__)


EXAMPLE = "ostinato compare --generated=generated --human=data/aird/midi --training=notes.tfrecord"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    usual = parser.add_argument_group(USUAL)
    usual.add_argument(
        "--generated", required=True, metavar="PATH", help="what to judge: a folder of MIDI files, or a TFRecord file"
    )
    usual.add_argument(
        "--human", required=True, metavar="PATH", help="what to judge it by: tunes that the model was not trained on"
    )
    usual.add_argument(
        "--training", required=True, metavar="PATH", help="what the model was trained on, to find what was copied"
    )
    usual.add_argument("--json", metavar="FILE", help="write all figures to this file")
    usual.add_argument("--html", metavar="FILE", help="write a page with tables and pictures to this file")
    how = parser.add_argument_group("how they are compared")
    add_boolean(
        how,
        "--cut",
        default=True,
        help="cut the human melodies to the median length of the generated ones: like with like",
    )
    how.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="decides how the human melodies are split into halves, and the intervals",
    )
    add_reading(parser)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    # Products of this size gain nothing from a second thread, which would wait for them by spinning.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _check(args)

    from ostinato.evaluation.comparison import compare

    generated = _read(args.generated, _ANYTHING)
    tunes = replace(_TUNES, **reading_of(args))
    human = _read(args.human, tunes)
    training = _read(args.training, tunes)
    comparison = compare(generated.named, human.named, training.named, cut=args.cut, seed=args.seed)
    print(as_text(comparison))
    _write(args, comparison, {"generated": generated, "human": human, "training": training})
    return 0


def as_text(comparison: "Comparison") -> str:
    """The tables of a comparison, for a terminal."""
    from ostinato.evaluation.comparison_report import tables

    width = room()
    inner = None if width is None else width - 2
    return "\n\n".join(
        "\n".join(
            [
                table.title,
                *textwrap.wrap(table.note, min(_NOTE_WIDTH, width or _NOTE_WIDTH)),
                textwrap.indent(figures_table([table.header, *table.rows], inner), "  "),
            ]
        )
        for table in tables(comparison)
    )


def _check(args: argparse.Namespace) -> None:
    """Refuse flags that cannot be before any work is done."""
    if args.seed < 0:
        raise SettingsError(f"--seed must be at least 0, not {args.seed}")
    if Path(args.human).resolve() == Path(args.training).resolve():
        raise SettingsError("--human is --training: give tunes that the model was not trained on")
    inputs = {Path(path).resolve() for path in (args.generated, args.human, args.training)}
    outputs = [(flag, Path(path)) for flag, path in (("--json", args.json), ("--html", args.html)) if path is not None]
    for flag, path in outputs:
        if path.resolve() in inputs or path.is_dir():
            what = "a folder" if path.is_dir() else "read, and would be overwritten"
            raise SettingsError(f"{flag}: {path} is {what}; choose another file")
    if len({path.resolve() for _, path in outputs}) < len(outputs):
        raise SettingsError(f"--json and --html are both {args.json}; give two files")


def _read(path: str, settings: ExtractionSettings) -> "Melodies":
    melodies = melodies_in(path, settings)
    for reason in melodies.left_out(flags=False):
        _log.info("%s: %s", path, reason)
    if off_grid := off_grid_words(melodies.rhythm):
        _log.info("%s: %s", path, off_grid)
    return melodies


def _write(args: argparse.Namespace, comparison: "Comparison", sources: Mapping[str, "Melodies"]) -> None:
    from ostinato.evaluation.comparison_report import as_json
    from ostinato.formats import atomic_writer

    if args.json is not None:
        found = {"sources": {name: each.to_json() for name, each in sources.items()}, **as_json(comparison)}
        with atomic_writer(args.json) as file:
            file.write(json.dumps(found, indent=1, allow_nan=False).encode() + b"\n")
        say(f"{args.json}: all figures")
    if args.html is not None:
        from ostinato.pages.reports import comparison_page

        command = shlex.join(["ostinato", *sys.argv[1:]])
        with atomic_writer(args.html) as file:
            file.write(comparison_page(comparison, command).encode(errors="replace"))
        say(f"{args.html}: a page with tables and pictures")
