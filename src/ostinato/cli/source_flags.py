"""What all commands that look for melodies share: the flags, the progress, what they say of files."""

import argparse
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ostinato.cli.flags import add_boolean
from ostinato.cli.progress import progress
from ostinato.music.extract import ExtractionSettings

if TYPE_CHECKING:
    from ostinato.dataset.convert import Skipped
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
    _tell("skipped", melodies.skipped)
    _tell("remark on", melodies.remarks)
    return melodies


def _tell(what: str, files: "Sequence[Skipped]") -> None:
    from ostinato.bundle import printable

    for one in files[:_NAMED]:
        _logger.warning("  %s %s: %s", what, printable(one.filename), one.reason)
    if len(files) > _NAMED:
        _logger.warning("  and %d more; ostinato convert names them all", len(files) - _NAMED)
