"""Scores to NoteSequences: what MusicXML and ABC share once they are read.

A score counts in quarter notes, exactly (fractions), and a NoteSequence in
seconds. These are laid out as Magenta's own converters do, with these rules:

- Each part is an instrument, and its notes are in order of their starts, the lowest first.
- Tied notes are one note. Grace and cue notes are left out. Repeats are not played again: each bar sounds once.
- If the first bar is short (a pickup), it is padded with a rest before it, so that bar lines fall on whole bars
  counted from time 0, where melodies are looked for.
- The first tempo holds from the beginning; without one, it is 120 quarter notes a minute.
- Impossible tempos and meters (a tempo of 0, 4/0) are skipped.
"""

import bisect
import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeVar

from ostinato.errors import FormatError
from ostinato.formats import Identity, Remark
from ostinato.formats.note_sequence_pb2 import NoteSequence

T = TypeVar("T")

# Of one file: its pieces or why they cannot be read, and remarks; or why there are no pieces.
Records = list[bytes | FormatError | Remark] | FormatError

# By the name of the mode: how many semitones the tonic lies above that of the major key with the same signature.
MODES: Mapping[str, tuple[int, NoteSequence.KeySignature.Mode]] = {
    "major": (0, NoteSequence.KeySignature.MAJOR),
    "ionian": (0, NoteSequence.KeySignature.MAJOR),
    "dorian": (2, NoteSequence.KeySignature.DORIAN),
    "phrygian": (4, NoteSequence.KeySignature.PHRYGIAN),
    "lydian": (5, NoteSequence.KeySignature.LYDIAN),
    "mixolydian": (7, NoteSequence.KeySignature.MIXOLYDIAN),
    "minor": (9, NoteSequence.KeySignature.MINOR),
    "aeolian": (9, NoteSequence.KeySignature.MINOR),
    "locrian": (11, NoteSequence.KeySignature.LOCRIAN),
}

_DEFAULT_QPM = 120.0
_QPM = (1.0, 10_000.0)  # outside of these a tempo is a mistake
_MAX_METER = 1024  # beats, or parts of a whole note
_MAX_SECONDS = 1_000_000  # eleven days
_MAX_PITCH = 127
_FINEST = 1 << 512  # parts of a second: far below what a float can distinguish
_TICKS_PER_QUARTER = 220  # Magenta's
_FIFTH = 7  # semitones
_CHORD_SYMBOL = NoteSequence.TextAnnotation.CHORD_SYMBOL


@dataclass(frozen=True, slots=True)
class ScoreNote:
    """A note: MIDI pitch, and when it starts and ends, in quarter notes from the beginning of the score."""

    pitch: int
    start: Fraction
    end: Fraction
    is_drum: bool = False


@dataclass(slots=True)
class Part:
    """What one player plays: name, MIDI program and notes."""

    name: str = ""
    program: int = 0
    notes: list[ScoreNote] = field(default_factory=list)


@dataclass(slots=True)
class Score:
    """A piece of music as it is written. All times are in quarter notes from its beginning.

    Attributes:
        parts: in order.
        first_bar: length of the first bar as it is written, short if it is a pickup; None if there are no bars.
        meters: numerator and denominator by time.
        keys: number of sharps (negative for flats) and name of the mode by time.
        tempos: quarter notes a minute by time.
        chords: chord symbols by time.
        remarks: what was left out.
    """

    parts: list[Part] = field(default_factory=list)
    first_bar: Fraction | None = None
    meters: dict[Fraction, tuple[int, int]] = field(default_factory=dict)
    keys: dict[Fraction, tuple[int, str]] = field(default_factory=dict)
    tempos: dict[Fraction, float] = field(default_factory=dict)
    chords: dict[Fraction, str] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)


def join_ties(notes: Iterable[tuple[ScoreNote, bool]]) -> list[ScoreNote]:
    """Join each run of tied notes into one note.

    Args:
        notes: in order of their starts, each with whether it is tied to the next one of its pitch.

    Returns:
        The notes, in order of their starts. A tie to a note that does not follow at once ties nothing.
    """
    joined: list[ScoreNote] = []
    open_ties: dict[int, int] = {}  # by pitch: place in `joined`
    for note, is_tied in notes:
        place = open_ties.pop(note.pitch, None)
        if place is not None and joined[place].end == note.start:
            first = joined[place]
            joined[place] = ScoreNote(first.pitch, first.start, note.end, first.is_drum)
        else:
            place = len(joined)
            joined.append(note)
        if is_tied:
            open_ties[note.pitch] = place
    return joined


def note_sequence(
    score: Score,
    identity: Identity,
    source_info: NoteSequence.SourceInfo,
    velocity: int,
    reference_number: int = 0,
) -> NoteSequence:
    """A score as a NoteSequence.

    Args:
        score: what is written.
        identity: what the sequence is called.
        source_info: where it comes from.
        velocity: of all notes, since scores have none.
        reference_number: of the tune in its book.

    Raises:
        FormatError: if it has no notes, has a note outside the MIDI range, or is longer than any music.
    """
    pitches = [note.pitch for part in score.parts for note in part.notes]
    if not pitches:
        raise FormatError("there are no notes in it")
    if min(pitches) < 0 or max(pitches) > _MAX_PITCH:
        worst = min(pitches) if min(pitches) < 0 else max(pitches)
        raise FormatError(f"MIDI has only pitches 0 to {_MAX_PITCH}, not {worst}")

    pad = _pickup_rest(score)
    tempos = _from_the_beginning({time: qpm for time, qpm in score.tempos.items() if _QPM[0] <= qpm <= _QPM[1]}, pad)
    seconds = _clock(tempos := tempos or {Fraction(0): _DEFAULT_QPM})
    sequence = NoteSequence(
        id=identity.id,
        filename=identity.filename,
        collection_name=identity.collection_name,
        ticks_per_quarter=_TICKS_PER_QUARTER,
        reference_number=reference_number,
        source_info=source_info,
    )
    for time, (numerator, denominator) in _from_the_beginning(score.meters, pad).items():
        if 0 < numerator <= _MAX_METER and 0 < denominator <= _MAX_METER:
            sequence.time_signatures.add(time=seconds(time), numerator=numerator, denominator=denominator)
    for time, (sharps, mode_name) in _from_the_beginning(score.keys, pad).items():
        above, mode = MODES.get(mode_name, (0, NoteSequence.KeySignature.NOT_SPECIFIED))
        key = NoteSequence.KeySignature.Key.Name((sharps * _FIFTH + above) % 12)
        sequence.key_signatures.add(time=seconds(time), key=key, mode=mode)
    for time, qpm in tempos.items():
        sequence.tempos.add(time=seconds(time), qpm=qpm)

    @functools.cache  # a note mostly begins where another one ends
    def when(time: Fraction) -> float:
        return seconds(time + pad)

    for number, part in enumerate(score.parts):
        sequence.part_infos.add(part=number, name=part.name)
        notes = [(when(note.start), note.pitch, when(note.end), note.is_drum) for note in part.notes]
        for start_time, pitch, end_time, is_drum in sorted(notes):
            sequence.notes.add(
                pitch=pitch,
                velocity=velocity,
                start_time=start_time,
                end_time=end_time,
                instrument=number,
                part=number,
                program=part.program,
                is_drum=is_drum,
            )
    for time, chord in sorted(score.chords.items()):
        sequence.text_annotations.add(time=when(time), text=chord, annotation_type=_CHORD_SYMBOL)
    sequence.total_time = max(note.end_time for note in sequence.notes)
    if sequence.total_time > _MAX_SECONDS:
        raise FormatError(f"it lasts longer than {_MAX_SECONDS} seconds")
    return sequence


def _pickup_rest(score: Score) -> Fraction:
    """How much of a bar is missing before the first note, in quarters."""
    if score.first_bar is None or not score.meters:
        return Fraction(0)
    numerator, denominator = score.meters[min(score.meters)]
    if numerator <= 0 or denominator <= 0:
        return Fraction(0)
    return max(Fraction(4 * numerator, denominator) - score.first_bar, Fraction(0))


def _from_the_beginning(changes: Mapping[Fraction, T], pad: Fraction) -> dict[Fraction, T]:
    """Changes in order, moved by the rest before the pickup; the first one holds from time 0."""
    return {
        time + pad if place else Fraction(0): value
        for place, (time, value) in enumerate(sorted(changes.items(), key=lambda change: change[0]))
    }


def _clock(tempos: Mapping[Fraction, float]) -> Callable[[Fraction], float]:
    """A function from quarters to seconds, exact but for the last rounding."""
    starts = list(tempos)
    rates = [60 / Fraction(qpm) for qpm in tempos.values()]  # seconds per quarter
    offsets = [Fraction(0)]  # in seconds: to add to quarters times rate
    for place, start in enumerate(starts[1:]):
        offset = offsets[-1] + start * (rates[place] - rates[place + 1])
        if offset.denominator > _FINEST:  # thousands of tempos would make ever longer fractions
            offset = Fraction(round(offset * _FINEST), _FINEST)
        offsets.append(offset)

    def to_seconds(quarters: Fraction) -> float:
        place = bisect.bisect_right(starts, quarters) - 1
        return float(offsets[place] + quarters * rates[place])

    return to_seconds
