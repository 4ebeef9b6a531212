"""Chords as inputs: which one sounds at the next step, and which one comes after it."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ostinato.music.melody import NOTES_PER_OCTAVE

if TYPE_CHECKING:
    from ostinato.music.chords import Chord, Progression

_STEPS_AHEAD = np.array([2, 4, 8, 16, 32])
LOOKAHEAD_STEPS = int(_STEPS_AHEAD[-1])
"""How long before it begins a chord is told: two bars of 4/4."""
_NUM_OF_CHORD = 2 * NOTES_PER_OCTAVE
NUM_CHORD_INPUTS = 2 * _NUM_OF_CHORD + 1 + len(_STEPS_AHEAD)


def chord_inputs(progression: "Progression", step: int) -> NDArray[np.float32]:
    """[54]: the chord that sounds at a step, and the one after it.

    | values   | of the step                                                              |
    |----------|--------------------------------------------------------------------------|
    | [0, 12)  | the root of its chord as a pitch class, one-hot                          |
    | [12, 24) | 1 for each pitch class of the chord                                      |
    | [24]     | 1 if the chord begins there                                              |
    | [25, 37) | the root of the next chord, one-hot                                      |
    | [37, 49) | 1 for each pitch class of the next chord                                 |
    | [49, 54) | 1 for each of 2, 4, 8, 16, 32 steps within which the next chord begins   |

    All values of a chord are 0 where none sounds, none is known, or the next one is more than 32 steps ahead.
    """
    values = np.zeros(NUM_CHORD_INPUTS, np.float32)
    chord, begins = progression.at(step)
    if chord is not None and chord.pitch_classes:
        _fill(values, chord)
        values[_NUM_OF_CHORD] = begins
    following = progression.next_after(step)
    if following is not None and following[0].pitch_classes and following[1] <= LOOKAHEAD_STEPS:
        following_chord, steps_until = following
        _fill(values[_NUM_OF_CHORD + 1 :], following_chord)
        values[2 * _NUM_OF_CHORD + 1 :] = steps_until <= _STEPS_AHEAD
    return values


def _fill(values: NDArray[np.float32], chord: "Chord") -> None:
    values[chord.root] = 1
    values[[NOTES_PER_OCTAVE + pitch_class for pitch_class in chord.pitch_classes]] = 1
