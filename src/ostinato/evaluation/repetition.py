"""How much a melody repeats itself, and how much of it stays in one key."""

import math
from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple

import numpy as np

from ostinato.music.melody import MIN_PITCH, NOTES_PER_OCTAVE, Melody

MOST_REPEATS = 4
"""A note struck more often than this in a row counts as repeated too often."""

_MAJOR_SCALE = (0, 2, 4, 5, 7, 9, 11)
# [12, 12]: row k tells which pitch classes the major key on pitch class k has.
_MAJOR_KEYS = np.array(
    [[(note - tonic) % NOTES_PER_OCTAVE in _MAJOR_SCALE for note in range(12)] for tonic in range(12)]
)


class Share(NamedTuple):
    """A part of a whole, both counted."""

    part: int
    whole: int

    @property
    def value(self) -> float:
        """From 0 to 1; not a number where there is no whole."""
        return self.part / self.whole if self.whole else math.nan


def pooled(shares: Iterable[Share]) -> Share:
    """All parts of all wholes: each thing counted weighs the same, whichever melody it is in."""
    counted = list(shares)
    return Share(sum(share.part for share in counted), sum(share.whole for share in counted))


def repeated_bars(melody: Melody, bars_ago: int) -> Share:
    """Of the bars in which a note starts, those equal to the bar so many bars before.

    A bar is `steps_per_bar` steps of the melody from its beginning on; steps
    that fill no bar at its end are left out, and so are bars with no bar so far
    before them. Two bars are equal if their events are, step by step: the same
    pitches start and the same note-offs stand at the same places. What sounds
    on into a bar from before is no event of it.

    Args:
        melody: in its own meter.
        bars_ago: 1 for the bar just before.
    """
    size = melody.steps_per_bar
    bars = [melody.events[start : start + size] for start in range(0, len(melody) - size + 1, size)]
    pairs = [(bar, earlier) for bar, earlier in zip(bars[bars_ago:], bars, strict=False) if max(bar) >= MIN_PITCH]
    return Share(sum(bar == earlier for bar, earlier in pairs), len(pairs))


def repeated_notes(melody: Melody) -> Share:
    """Of the notes, those that stand in a row of more than four of one pitch; rests between them do not matter."""
    rows = [len(list(row)) for _, row in groupby(melody.pitches)]
    return Share(sum(row for row in rows if row > MOST_REPEATS), sum(rows))


def notes_in_key(melody: Melody) -> Share:
    """Of the notes, those of the major key that holds the most; a natural minor key is its relative major."""
    classes = np.bincount([pitch % NOTES_PER_OCTAVE for pitch in melody.pitches], minlength=NOTES_PER_OCTAVE)
    return Share(int((_MAJOR_KEYS @ classes).max()), int(classes.sum()))
