"""The melody of a MIDI file that a model shall go on from."""

from dataclasses import dataclass

from ostinato.errors import DataError
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.music.extract import ExtractionSettings, ExtractionStatistics, find_melodies
from ostinato.music.melody import Melody

_MAX_STEPS = 2**16  # over two hours at 120 quarters a minute

# A whole instrument is one melody, whatever its rests; of notes that start together the top one counts.
_WHOLE_TRACKS = ExtractionSettings(
    min_bars=0, max_steps=_MAX_STEPS, min_unique_pitches=0, gap_bars=float("inf"), ignore_polyphonic_notes=True
)


@dataclass(frozen=True, slots=True)
class Primer:
    """The melody that generation goes on from, at the step where its last note ends.

    Attributes:
        melody: from the bar of its first note to the end of its last.
        track: number of its instrument in the NoteSequence.
        track_name: the instrument's name, or "" where it has none.
        qpm: its tempo, in quarters a minute.
        numerator: of its time signature.
        denominator: of its time signature.
    """

    melody: Melody
    track: int
    track_name: str
    qpm: float
    numerator: int
    denominator: int


def longest_melody(note_sequence: NoteSequence, track: int | None = None) -> Primer:
    """The longest melody of a NoteSequence, in steps; of equal ones the first.

    A tempo or meter change ends a melody, drums hold none, and of a chord the
    top note is kept.

    Args:
        note_sequence: notes and times in seconds.
        track: number of the instrument to take it from; None takes the longest of all.

    Raises:
        DataError: if there is no melody, or none in that track; it names the tracks there are.
    """
    name = note_sequence.filename or "the primer"
    statistics = ExtractionStatistics()
    found = list(find_melodies(note_sequence, _WHOLE_TRACKS, statistics))
    if not found:
        meters = f"; {statistics.pieces_without_grid} parts of it have bars that are no whole number of 16th notes"
        raise DataError(
            f"{name}: there is no melody in it, only drums or nothing at all"
            f"{meters if statistics.pieces_without_grid else ''}; choose another file"
        )
    chosen = [melody for melody in found if track in (None, melody.instrument)]
    if not chosen:
        tracks = ", ".join(_described(note_sequence, number) for number in sorted({each.instrument for each in found}))
        raise DataError(f"{name}: there is no melody in track {track}; there are melodies in {tracks}")
    longest = max(chosen, key=lambda each: len(each.melody))
    if statistics.truncated and len(longest.melody) == _MAX_STEPS:
        raise DataError(f"{name}: the melody is longer than {_MAX_STEPS} steps; take a shorter file")
    piece = longest.piece
    return Primer(
        longest.melody,
        longest.instrument,
        _track_name(note_sequence, longest.instrument),
        piece.qpm,
        piece.numerator,
        piece.denominator,
    )


def _track_name(note_sequence: NoteSequence, track: int) -> str:
    return next((info.name for info in note_sequence.instrument_infos if info.instrument == track), "")


def _described(note_sequence: NoteSequence, track: int) -> str:
    name = _track_name(note_sequence, track)
    return f"{track} ({name})" if name else str(track)
