"""A melody as it is written on paper: what the writers of ABC and MusicXML have in common.

All lengths are in 16th notes. `ostinato.music.notation` makes a sheet of a
melody; here it is only what a file can say.
"""

from dataclasses import dataclass
from typing import Literal

LETTERS_BY_FIFTHS = "FCGDAEB"
"""The letters in the order in which sharps come into a key signature; flats come in the other order."""

Beam = Literal["begin", "continue", "end", "forward hook", "backward hook"]

NOTE_VALUES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
"""Lengths that one note can have, dotted or not: from a 16th to a breve."""


@dataclass(frozen=True, slots=True)
class Pitch:
    """A pitch with its name.

    Attributes:
        letter: C, D, E, F, G, A or B.
        alter: semitones that it is raised, from -2 (double flat) to 2 (double sharp).
        octave: that of middle C is 4; B#3 sounds as C4.
    """

    letter: str
    alter: int
    octave: int


@dataclass(frozen=True, slots=True)
class Sign:
    """A note or a rest.

    Attributes:
        length: one of `NOTE_VALUES`; a rest that fills its bar is as long as the bar.
        pitch: None is a rest.
        is_tied: whether it goes on in the next sign.
        goes_on: whether it began in the sign before.
        shows_accidental: whether a sharp, flat or natural stands before it.
        beams: to its neighbors: the one of eighths, then that of 16ths.
        chord: the name of the chord that begins with it, or nothing.
    """

    length: int
    pitch: Pitch | None = None
    is_tied: bool = False
    goes_on: bool = False
    shows_accidental: bool = False
    beams: tuple[Beam, ...] = ()
    chord: str = ""


Bar = tuple[Sign, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A melody as it is written.

    Attributes:
        bars: in order. The first is short if it is an upbeat, and then the last may be.
        meter: numerator and denominator.
        sharps: of the key signature, -7 to 7; below 0 they are flats.
        tonic: of the key, such as F# or Bb.
        mode: of the key: major, minor, dorian, phrygian, lydian, mixolydian or locrian.
        qpm: quarters a minute.
        title: above it.
        has_upbeat: whether the first bar is an upbeat.
        is_low: whether it is written in the bass clef.
    """

    bars: tuple[Bar, ...]
    meter: tuple[int, int]
    sharps: int
    tonic: str
    mode: str
    qpm: float
    title: str = ""
    has_upbeat: bool = False
    is_low: bool = False


def key_alterations(sharps: int) -> dict[str, int]:
    """What a key signature makes of each letter: 1 if it has a sharp, -1 if it has a flat, else 0."""
    sharp, flat = LETTERS_BY_FIFTHS[: max(sharps, 0)], LETTERS_BY_FIFTHS[len(LETTERS_BY_FIFTHS) + min(sharps, 0) :]
    return {letter: (letter in sharp) - (letter in flat) for letter in LETTERS_BY_FIFTHS}


def is_bar_rest(bar: Bar) -> bool:
    """Whether nothing sounds in a bar."""
    return len(bar) == 1 and bar[0].pitch is None


def tempo_text(qpm: float) -> str:
    """A tempo as a decimal number: 120, 92.5."""
    return f"{qpm:.3f}".rstrip("0").rstrip(".")
