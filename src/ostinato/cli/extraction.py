"""The flags that say what counts as a melody, of all commands that look for some."""

import argparse

from ostinato.cli.flags import add_boolean
from ostinato.music.extract import ExtractionSettings


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
