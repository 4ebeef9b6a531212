"""What became of the music that was read: one report for every command.

Files, tunes, tracks and melodies are counted each under its own name, and whatever was left out has a line of
its own, with the flag that would change it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # `ostinato convert` does without protobuf, which takes as long to load as a hundred files to read
    from ostinato.music.extract import ExtractionSettings, ExtractionStatistics
    from ostinato.music.quantize import OffGrid

_WORTH_SAYING = 0.01  # share of notes off the grid
NO_NOTES = "no notes"
"""The name of the remark on a file that holds no note."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """What was not read.

    Attributes:
        filename: relative to the input folder.
        reason: why.
        is_tune: whether it is one tune of the file, and not all of it.
    """

    filename: str
    reason: str
    is_tune: bool = False


@dataclass(frozen=True, slots=True)
class Remarked:
    """What there is to say of a file that was read: its name, what that is counted under, and the sentence."""

    filename: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One reason for which something was left out or cut.

    Attributes:
        count: how often.
        one: what it is called where there is one.
        many: and where there are several.
        flag: the flag that changes it, and perhaps how; "" if there is none.
    """

    count: int
    one: str
    many: str
    flag: str = ""

    def text(self, *, flag: bool = True) -> str:
        """In words, such as "3 melodies shorter than 7 bars (--min_bars)"."""
        return counted(self.count, self.one, self.many) + (f" ({self.flag})" if flag and self.flag else "")


def counted(count: int, one: str, many: str = "") -> str:
    """A number of things in words: "1 file", "2 files".

    Args:
        count: how many.
        one: what one is called.
        many: what several are called; `one` with an s if absent.
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def endings(not_read: Mapping[str, int]) -> str:
    """How many files there are of each ending, the most first: "3 .txt, 1 .mscz, 1 without an ending"."""
    ordered = sorted(not_read.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {ending or 'without an ending'}" for ending, count in ordered)


def off_grid_words(rhythm: "OffGrid") -> str:
    """How many notes of melodies are between the 16ths, and of what kind; "" if it is less than one in a hundred."""
    if rhythm.share < _WORTH_SAYING:
        return ""
    return (
        f"{rhythm.share:.0%} of the notes are off the grid of 16ths: {rhythm.triplets:,} in triplets, "
        f"{rhythm.swing:,} swung, {rhythm.other:,} others (--max_offgrid leaves such melodies out)"
    )


def unread(skipped: Iterable[Skipped], not_read: Mapping[str, int]) -> list[LeftOut]:
    """What was left out before any melody was looked for: files that are no music, damaged files, damaged tunes."""
    kinds = Counter(one.is_tune for one in skipped)
    others = endings(not_read)
    reasons = [
        LeftOut(
            sum(not_read.values()),
            f"file that is not MIDI, MusicXML or ABC: {others}",
            f"files that are not MIDI, MusicXML or ABC: {others}",
        ),
        LeftOut(kinds[False], "file that cannot be read", "files that cannot be read"),
        LeftOut(kinds[True], "tune of a file that cannot be read", "tunes of files that cannot be read"),
    ]
    return [reason for reason in reasons if reason.count]


def not_extracted(extraction: "ExtractionStatistics", settings: "ExtractionSettings") -> list[LeftOut]:
    """What the search for melodies left out or cut.

    Args:
        extraction: what it found and left out.
        settings: what counted as a melody.
    """
    from ostinato.music.extract import LIKELIEST

    short, few = settings.min_bars, settings.min_unique_pitches
    short_bars = counted(short, "bar")
    few_pitches = counted(few, "different pitch class", "different pitch classes")
    reasons = [
        LeftOut(
            extraction.other_tracks,
            "track other than those asked for",
            "tracks other than those asked for",
            "--tracks=all takes every track" if settings.tracks == LIKELIEST else "--tracks",
        ),
        LeftOut(
            extraction.polyphonic_tracks,
            "track left where several notes start at once",
            "tracks left where several notes start at once",
            "--polyphony=line keeps the top line",
        ),
        LeftOut(
            extraction.top_lines,
            "track of which the top line alone was taken",
            "tracks of which the top line alone was taken",
            "--polyphony=leave takes none of them",
        ),
        LeftOut(
            extraction.too_short,
            f"melody shorter than {short_bars}",
            f"melodies shorter than {short_bars}",
            "--min_bars",
        ),
        LeftOut(
            extraction.too_few_pitches,
            f"melody of fewer than {few_pitches}",
            f"melodies of fewer than {few_pitches}",
            "--min_unique_pitches",
        ),
        LeftOut(
            extraction.off_grid,
            f"melody with more than {settings.max_offgrid or 0:.0%} of its notes between the 16ths",
            f"melodies with more than {settings.max_offgrid or 0:.0%} of their notes between the 16ths",
            "--max_offgrid",
        ),
        LeftOut(extraction.drum_tracks, "track of drums", "tracks of drums"),
        LeftOut(
            extraction.pieces_without_grid,
            "stretch in a meter whose bar is not a whole number of 16th notes",
            "stretches in a meter whose bar is not a whole number of 16th notes",
            "--meter",
        ),
        LeftOut(
            extraction.truncated,
            f"melody cut to {settings.max_steps} steps",
            f"melodies cut to {settings.max_steps} steps",
            "--max_steps",
        ),
        LeftOut(
            extraction.mended_meters,
            "tune read in another meter than its file says",
            "tunes read in another meter than their files say",
            "--meter=file leaves it as it is",
        ),
    ]
    return [reason for reason in reasons if reason.count]


def report_json(
    *,
    skipped: Sequence[Skipped] = (),
    remarked: Sequence[Remarked] = (),
    left_out: Sequence[LeftOut] = (),
    not_read: Mapping[str, int] | None = None,
    **counts: Any,
) -> dict[str, Any]:
    """The report as JSON values, with the same names from every command.

    Args:
        skipped: files and tunes that could not be read.
        remarked: what there is to say of files that were read.
        left_out: all that was left out, for each reason.
        not_read: how many files of each ending are no music.
        counts: further members, which come first: source, files, read, tunes, tracks, melodies.
    """
    return {
        **counts,
        "not_read": dict(sorted((not_read or {}).items())),
        "left_out": [
            {"count": reason.count, "what": reason.text(flag=False).split(" ", 1)[1], "flag": reason.flag or None}
            for reason in left_out
        ],
        "skipped": [
            {"file": one.filename, "kind": "tune" if one.is_tune else "file", "reason": one.reason} for one in skipped
        ],
        "remarks": [{"file": one.filename, "name": one.name, "text": one.text} for one in remarked],
    }
