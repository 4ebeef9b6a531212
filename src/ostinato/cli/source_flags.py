"""What all commands that look for melodies share: the flags, the progress, what they say of files."""

import argparse
import logging
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

from ostinato.cli.flags import add_boolean
from ostinato.cli.terminal import progress
from ostinato.errors import SettingsError, printable
from ostinato.music.extract import LIKELIEST, ExtractionSettings, Polyphony

if TYPE_CHECKING:
    from ostinato.dataset.melodies import Melodies

_ALL = "all"  # of --tracks
_NAMED = 10  # files that are skipped or remarked on, the first that are named; all are counted

_logger = logging.getLogger(__name__)


def add_extraction(parser: argparse.ArgumentParser, *, as_played: bool = False) -> None:
    """Add the flags that say what a melody is.

    Args:
        parser: where to add them.
        as_played: mend the meter, take the top line of polyphonic tracks, and look in the likeliest track alone,
            unless the flags say otherwise; if not, do as Magenta does.
    """
    defaults = ExtractionSettings()
    for flag, kind, what in (
        ("min_bars", int, "leave out melodies of fewer bars"),
        ("max_steps", int, "cut longer melodies to this many 16th notes"),
        ("min_unique_pitches", int, "leave out melodies with fewer different pitch classes"),
        ("gap_bars", float, "a silence of this many bars ends a melody"),
    ):
        parser.add_argument(f"--{flag}", type=kind, default=getattr(defaults, flag), metavar="N", help=what)
    add_reading(parser, as_played=as_played)


def add_reading(parser: argparse.ArgumentParser, *, as_played: bool = False) -> None:
    """Add those of the flags that say how tracks, chords and meters are read; see `add_extraction`."""
    parser.add_argument(
        "--tracks",
        default=LIKELIEST if as_played else _ALL,
        metavar="TRACKS",
        help=f"where to look for melodies: {_ALL}, {LIKELIEST} (the one track that is likeliest the melody), numbers "
        "as 0,2, or a regular expression found in the name, as vocal|lead",
    )
    parser.add_argument(
        "--meter",
        default="auto" if as_played else "file",
        metavar="METER",
        help="the meter as the file says (file), mended where the notes contradict it (auto), or one for all, as 3/4",
    )
    parser.add_argument(
        "--polyphony",
        choices=get_args(Polyphony),
        help="where several notes sound at once leave the track there, take the top note, or take the top line, in "
        f"which a held note is not broken by lower ones; {'line' if as_played else 'leave'} if absent",
    )
    add_boolean(parser, "--ignore_polyphonic_notes", default=False, help="Magenta's name for --polyphony=top")
    parser.add_argument(
        "--max_offgrid",
        type=float,
        metavar="SHARE",
        help="leave out melodies of which a larger share of notes, 0 to 1, is between the 16ths; all stay if absent",
    )
    parser.set_defaults(as_played=as_played)


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
        **reading_of(args),
    )


def reading_of(args: argparse.Namespace) -> dict[str, Any]:
    """What the flags of `add_reading` say, as fields of the settings.

    Raises:
        SettingsError: if two of them contradict each other.
    """
    if args.ignore_polyphonic_notes and args.polyphony not in (None, "top"):
        raise SettingsError(
            f"--ignore_polyphonic_notes is --polyphony=top; leave it or --polyphony={args.polyphony} out"
        )
    absent = "top" if args.ignore_polyphonic_notes else "line" if args.as_played else "leave"
    return {
        "ignore_polyphonic_notes": args.ignore_polyphonic_notes,
        "polyphony": args.polyphony or absent,
        "tracks": _tracks_of(args.tracks),
        "meter": args.meter,
        "max_offgrid": args.max_offgrid,
    }


def _tracks_of(text: str) -> tuple[int, ...] | str | None:
    """The tracks that --tracks names."""
    if text == _ALL:
        return None
    if re.fullmatch(r"\d{1,6}(,\d{1,6})*", text, re.ASCII):
        return tuple(map(int, text.split(",")))
    return text


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
    for name, text in files[:_NAMED]:
        _logger.warning("  %s %s: %s", what, printable(name), printable(text))
    if len(files) > _NAMED:
        _logger.warning("  and %d more; ostinato inspect names them all", len(files) - _NAMED)
