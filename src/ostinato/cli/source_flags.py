"""What all commands that look for melodies share: the flags, the progress, what they say of files."""

import argparse
import json
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ostinato.cli.flags import add_boolean
from ostinato.cli.progress import progress
from ostinato.music.extract import ExtractionSettings

if TYPE_CHECKING:
    from ostinato.dataset.melodies import Melodies

_NAMED = 10  # files that are skipped or remarked on, the first that are named; all are counted

_logger = logging.getLogger(__name__)


def add_extraction(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    defaults = ExtractionSettings()
    add_boolean(
        parser,
        "--ignore_polyphonic_notes",
        default=defaults.ignore_polyphonic_notes,
        help="where several notes start at once keep the highest, instead of leaving the track there",
    )
    for flag, kind, what in (
        ("min_bars", int, "leave out melodies of fewer bars"),
        ("max_steps", int, "cut longer melodies to this many 16th notes"),
        ("min_unique_pitches", int, "leave out melodies with fewer different pitch classes"),
        ("gap_bars", float, "a silence of so many bars ends a melody"),
    ):
        parser.add_argument(f"--{flag}", type=kind, default=getattr(defaults, flag), metavar="N", help=what)


def extraction_of(args: argparse.Namespace) -> ExtractionSettings:
    """What the flags say.

    Raises:
        SettingsError: if one of them is out of its range.
    """
    return ExtractionSettings(
        min_bars=args.min_bars,
        max_steps=args.max_steps,
        min_unique_pitches=args.min_unique_pitches,
        gap_bars=args.gap_bars,
        ignore_polyphonic_notes=args.ignore_polyphonic_notes,
    )


def melodies_in(source: str, settings: ExtractionSettings) -> "Melodies":
    """All melodies of a folder, a music file or TFRecord files, with progress, naming what could not be read.

    Raises:
        DataError: if there is none; it says why.
        FormatError: if a TFRecord file is damaged.
    """
    from ostinato.dataset.melodies import read_melodies

    with progress(unit="files", desc=source) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        melodies = read_melodies(source, settings, progress=show)
    _tell("skipped", [(one.filename, one.reason) for one in melodies.skipped])
    _tell("remark on", [(one.filename, one.text) for one in melodies.remarks])
    return melodies


def _tell(what: str, files: Sequence[tuple[str, str]]) -> None:
    from ostinato.bundle import printable

    for name, text in files[:_NAMED]:
        _logger.warning("  %s %s: %s", what, printable(name), printable(text))
    if len(files) > _NAMED:
        _logger.warning("  and %d more; ostinato inspect names them all", len(files) - _NAMED)


def add_report(parser: argparse.ArgumentParser) -> None:
    """Add the flag for the report as JSON."""
    parser.add_argument("--json", metavar="FILE", help="write what was read and what was left out to this file")


def write_report(path: str | None, report: Mapping[str, Any]) -> None:
    """Write a report where --json says, if it is given."""
    if path is None:
        return
    from ostinato.files import atomic_writer

    with atomic_writer(path) as file:
        # A file's name may be no text.
        file.write(json.dumps(report, indent=1, allow_nan=False).encode(errors="replace") + b"\n")
    print(f"{path}: the report")
