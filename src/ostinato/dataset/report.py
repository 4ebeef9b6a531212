"""What became of the music that was read: one report for every command.

Files, tunes, tracks and melodies are counted separately. Everything that was left out has its own line, with the
flag that would change it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # `ostinato convert` does without protobuf, which takes as long to load as a hundred files to read
    from ostinato.encodings import Encoding
    from ostinato.music.extract import ExtractionSettings, ExtractionStatistics
    from ostinato.music.quantize import OffGrid

_WORTH_SAYING = 0.01  # share of notes off the grid
NO_NOTES = "no notes"
"""The name of the remark on a file without notes."""


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
    """A remark about a file that was read: its name, what the remark is counted under, and a sentence."""

    filename: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One reason for which something was left out or cut.

    Attributes:
        count: how often.
        one: what a single one is called.
        many: what several are called.
        flag: the flag that changes it, and perhaps how; "" if no flag does.
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
    """How many files have each extension, the most frequent first: "3 .txt, 1 .mscz, 1 without an extension"."""
    ordered = sorted(not_read.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {ending or 'without an extension'}" for ending, count in ordered)


def off_grid_words(rhythm: "OffGrid") -> str:
    """How many notes of melodies are off the grid of 16ths, and of what kind; "" if less than one in a hundred."""
    if rhythm.share < _WORTH_SAYING:
        return ""
    return (
        f"{rhythm.share:.0%} of the notes are off the grid of 16ths: {rhythm.triplets:,} in triplets, "
        f"{rhythm.swing:,} swung, {rhythm.other:,} others (--max_offgrid leaves such melodies out)"
    )


def chords_words(with_chords: int, num_melodies: int, encoding: "Encoding", flag: str) -> str:
    """What a model will learn of the chords beside melodies; "" if there are none, and it would not hear them.

    Args:
        with_chords: how many melodies have some.
        num_melodies: of how many.
        encoding: of the model.
        flag: that chooses a model which hears them.
    """
    if encoding.num_chord_inputs and not with_chords:
        return "None of the melodies has chords, so the model learns nothing about chords"
    if not with_chords:
        return ""
    of_all = f"{with_chords:,} of {counted(num_melodies, 'melody', 'melodies')} have chords"
    return of_all if encoding.num_chord_inputs else f"{of_all} ({flag} learns to fit melodies to them)"


def unread(skipped: Iterable[Skipped], not_read: Mapping[str, int]) -> list[LeftOut]:
    """What was left out before the search for melodies: files that are not music, damaged files, damaged tunes."""
    kinds = Counter(one.is_tune for one in skipped)
    others = endings(not_read)
    reasons = [
        LeftOut(
            sum(not_read.values()),
            f"file that is not MIDI, MusicXML or ABC: {others}",
            f"files that are not MIDI, MusicXML or ABC: {others}",
        ),
        LeftOut(kinds[False], "file that cannot be read", "files that cannot be read"),
        LeftOut(kinds[True], "tune that cannot be read", "tunes that cannot be read"),
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
            "track that was not chosen",
            "tracks that were not chosen",
            "--tracks=all takes every track" if settings.tracks == LIKELIEST else "--tracks",
        ),
        LeftOut(
            extraction.polyphonic_tracks,
            "track read only up to where several notes start at once",
            "tracks read only up to where several notes start at once",
            "--polyphony=line keeps the top line",
        ),
        LeftOut(
            extraction.top_lines,
            "track in which only the top line was taken",
            "tracks in which only the top line was taken",
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
            f"melody with fewer than {few_pitches}",
            f"melodies with fewer than {few_pitches}",
            "--min_unique_pitches",
        ),
        LeftOut(
            extraction.off_grid,
            f"melody with more than {settings.max_offgrid or 0:.0%} of its notes off the grid of 16ths",
            f"melodies with more than {settings.max_offgrid or 0:.0%} of their notes off the grid of 16ths",
            "--max_offgrid",
        ),
        LeftOut(extraction.drum_tracks, "drum track", "drum tracks"),
        LeftOut(
            extraction.pieces_without_grid,
            "passage in a meter whose bars are not a whole number of 16th notes",
            "passages in a meter whose bars are not a whole number of 16th notes",
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
            "tune read in a different meter than its file says",
            "tunes read in a different meter than their files say",
            "--meter=file keeps the file's meter",
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
        remarked: remarks about files that were read.
        left_out: everything that was left out, by reason.
        not_read: how many files of each extension are not music.
        counts: more members, which come first: source, files, read, tunes, tracks, melodies.
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
