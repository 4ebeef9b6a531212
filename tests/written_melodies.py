"""Melodies to write down, in many meters and keys, and how music21 reads scores."""

from typing import Any

import hypothesis.strategies as st

from ostinato.music.keys import Key, parse_key
from ostinato.music.melody import NOTE_OFF, Melody
from ostinato.music.meter import Meter, parse_meter
from ostinato.music.notes import note_spans

METERS = [
    "4/4",
    "3/4",
    "6/8",
    "2/4",
    "9/8",
    "12/8",
    "5/8",
    "7/8",
    "5/4",
    "2/2",
    "3/2",
    "3/8",
    "6/4",
    "5/16",
    "9/16",
    "1/16",
]
# Without Locrian, which music21 does not read in ABC.
KEYS = [
    *("C", "Am", "F# major", "Gb major", "C# minor", "Ab minor", "Bb dorian", "E phrygian", "A blues"),
    *("D harmonic minor", "Cb major", "C# major", "G# major", "D lydian", "A mixolydian", "D minor pentatonic"),
]


@st.composite
def melodies(draw: st.DrawFn) -> Melody:
    """A melody of up to four bars with a note in it."""
    meter: Meter = parse_meter(draw(st.sampled_from(METERS)))
    length = draw(st.integers(1, 4 * meter.steps_per_bar))
    changes = draw(
        st.dictionaries(
            st.integers(0, length - 1), st.one_of(st.integers(36, 90), st.just(NOTE_OFF)), max_size=4 * length // 3
        )
    )
    events = [changes.get(step, -2) for step in range(length)]
    if max(events) < 0:
        events[draw(st.integers(0, length - 1))] = 60
    return Melody(events, meter=meter)


keys: st.SearchStrategy[Key | None] = st.one_of(st.none(), st.sampled_from([parse_key(name) for name in KEYS]))


def sounding(melody: Melody) -> list[tuple[int, float, float]]:
    """The notes of a melody as (pitch, start, end), in 16ths."""
    return [(pitch, float(start), float(end)) for pitch, start, end in note_spans(melody)]


def from_first_bar(melody: Melody, *, has_upbeat: bool) -> list[tuple[int, float, float]]:
    """The same as readers count that do not know where in its bar an upbeat begins."""
    notes = sounding(melody)
    begin = notes[0][1] if has_upbeat else 0
    return [(pitch, start - begin, end - begin) for pitch, start, end in notes]


def read_by_music21(data: bytes, kind: str) -> tuple[list[tuple[int, float, float]], Any]:
    """The notes that music21 finds in a score of one tune, as `sounding` has them, and its score.

    Tied notes are joined here: music21's own joining holds a natural that is shown for another pitch than one that is
    not.
    """
    import music21

    score: Any = music21.converter.parse(data.decode(), format=kind)
    notes: list[tuple[int, float, float]] = []
    for note in score.flatten().notes:
        start, end = float(note.offset * 4), float((note.offset + note.quarterLength) * 4)
        if note.tie is not None and note.tie.type != "start":
            pitch, began, ended = notes.pop()
            assert (pitch, ended) == (note.pitch.midi, start)
            start = began
        notes.append((note.pitch.midi, start, end))
    return notes, score
