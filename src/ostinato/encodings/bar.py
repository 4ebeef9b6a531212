"""Bar encoding, of the Ostinato model: lookbacks in bars of the melody's own meter, the place in the bar, the key."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ostinato.encodings.encoding import checked_events
from ostinato.encodings.lookback import LookbackEncoding, LookbackStepper
from ostinato.encodings.notes_so_far import NO_PITCH, NotesSoFar
from ostinato.music.melody import NOTES_PER_OCTAVE, Melody

_PLACES = 32  # of a bar that are told apart, enough for two whole notes; all further ones are the last


@dataclass(frozen=True, slots=True)
class BarEncoding:
    """What lookback encoding tells with distances in bars, and what else makes a tune easier to foretell.

    With D' inputs of the `LookbackEncoding` of the same settings and R pitches,
    row p of the inputs is:

    | input            | value                                                      | by default  |
    |------------------|------------------------------------------------------------|-------------|
    | [0, D')          | lookback encoding                                          | [0, 359)    |
    | 32 values        | the place of p + 1 in its bar, one-hot; the last for more  | [359, 391)  |
    | 32 values        | the bar's length in steps less 1, one-hot; the last for more | [391, 423) |
    | R + 1 values     | the sounding pitch, one-hot, or at the end that none does  | [423, 460)  |
    | 12 values        | 1 for each major key that most notes so far fit: all that tie | [460, 472) |

    Labels are lookback encoding's. They name the furthest repeat; where training
    counts events and not classes (hparam loss), any repeat or the event itself is
    as right.

    Attributes:
        min_pitch: lowest pitch.
        max_pitch: highest pitch, not included; at least an octave above the lowest.
        transpose_to_key: major key that melodies are moved to (0 = C), or None to leave them.
        lookback_distances: rising, in bars of the melody's own meter; see `repeats`.
        counter_bits: K, of the place of the next event; 9 bits count 32 bars of up to 16 steps.

    Raises:
        SettingsError: if a setting cannot be.
    """

    min_pitch: int = 48
    max_pitch: int = 84
    transpose_to_key: int | None = 0
    # Phrases, strains and their halves; more distances needed fewer bits (docs/experiments.md).
    lookback_distances: str = "1,2,3,4,6,8,12,16 bars"
    counter_bits: int = 9

    def __post_init__(self) -> None:
        self._lookback  # noqa: B018 - checks the settings

    @property
    def input_size(self) -> int:
        """D, values a step."""
        return self._lookback.input_size + 2 * _PLACES + self._num_pitches + 1 + NOTES_PER_OCTAVE

    @property
    def num_classes(self) -> int:
        """C, number of labels."""
        return self._lookback.num_classes

    def squash(self, melody: Melody) -> tuple[Melody, int]:
        """Move a melody into the encoding's range and key; returns it and the semitones it went up."""
        return self._lookback.squash(melody)

    def inputs(self, melody: Melody) -> NDArray[np.float32]:
        """[n, D]: row p is fed after event p."""
        return self._with_more(self._lookback.inputs(melody), melody)

    def labels(self, melody: Melody) -> NDArray[np.int64]:
        """[n]: the class of each event given those before it."""
        return self._lookback.labels(melody)

    def encode(self, melody: Melody) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Training pairs of a squashed melody: inputs [n - 1, D] and labels [n - 1].

        Raises:
            DataError: if a pitch lies outside the encoding's range.
        """
        inputs, labels = self._lookback.encode(melody)
        return self._with_more(inputs, melody), labels

    def class_events(self, melody: Melody) -> NDArray[np.int64]:
        """The event that each class stands for at each position, given those before it: [n, C]."""
        return self._lookback.class_events(melody)

    def stepper(self, batch_size: int, steps_per_bar: int) -> "BarStepper":
        """Begin `batch_size` empty melodies whose bars are `steps_per_bar` long."""
        lookback = self._lookback.stepper(batch_size, steps_per_bar)
        return BarStepper(self, lookback, NotesSoFar.nothing(batch_size), 0, steps_per_bar)

    @property
    def _lookback(self) -> LookbackEncoding:
        return LookbackEncoding(
            self.min_pitch, self.max_pitch, self.transpose_to_key, self.lookback_distances, self.counter_bits
        )

    @property
    def _num_pitches(self) -> int:
        return self.max_pitch - self.min_pitch

    def _with_more(self, rows: NDArray[np.float32], melody: Melody) -> NDArray[np.float32]:
        """The inputs [n, D] whose first D' columns are the first n rows of a melody's lookback encoding."""
        events = checked_events(melody, self.min_pitch, self.max_pitch)[: len(rows)]
        return self._rows(rows, NotesSoFar.along(events), np.arange(1, len(rows) + 1), melody.steps_per_bar)

    def _rows(
        self, lookback: NDArray[np.float32], notes: NotesSoFar, next_steps: NDArray[np.int64], steps_per_bar: int
    ) -> NDArray[np.float32]:
        """The table above, of n steps of one melody or of one step of n melodies.

        Args:
            lookback: [n, D'].
            notes: what listening so far tells, n of it.
            next_steps: [n] or [1], p + 1.
            steps_per_bar: of the melody or melodies.
        """
        rows = np.zeros((len(lookback), self.input_size), np.float32)
        every = np.arange(len(rows))
        at = lookback.shape[1]
        rows[:, :at] = lookback
        rows[every, at + np.minimum(next_steps % steps_per_bar, _PLACES - 1)] = 1
        rows[:, at + _PLACES + min(steps_per_bar, _PLACES) - 1] = 1
        at += 2 * _PLACES
        rows[every, at + np.where(notes.pitch == NO_PITCH, self._num_pitches, notes.pitch - self.min_pitch)] = 1
        rows[:, at + self._num_pitches + 1 :] = notes.keys
        return rows


class BarStepper:
    """Bar encoding of B melodies that grow together."""

    def __init__(
        self, encoding: BarEncoding, lookback: LookbackStepper, notes: NotesSoFar, num_events: int, steps_per_bar: int
    ) -> None:
        self._encoding = encoding
        self._lookback = lookback
        self._notes = notes
        self._num_events = num_events
        self._steps_per_bar = steps_per_bar

    def push(self, events: NDArray[np.integer]) -> NDArray[np.float32]:
        """Append one event to each melody; returns [B, D], the inputs at the new position."""
        lookback = self._lookback.push(events)
        self._notes = self._notes.after(np.array(events, np.int64))
        self._num_events += 1
        return self._encoding._rows(lookback, self._notes, np.array([self._num_events]), self._steps_per_bar)

    def class_events(self) -> NDArray[np.int64]:
        """The event that each class stands for at the next position: [B, C]."""
        return self._lookback.class_events()

    def select(self, rows: NDArray[np.integer]) -> "BarStepper":
        """A new stepper of the melodies at `rows`, in that order; rows may repeat."""
        lookback, notes = self._lookback.select(rows), self._notes.select(rows)
        return BarStepper(self._encoding, lookback, notes, self._num_events, self._steps_per_bar)
