"""Lookback encoding, of the Lookback RNN: what stood one and two bars ago, and whether it came back."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ostinato.encodings.one_hot import event_classes, events_of_classes, num_event_classes
from ostinato.encodings.past import (
    LookbackDistances,
    Lookbacks,
    Past,
    check_lookbacks,
    lookbacks_of,
    num_lookbacks,
    with_repeats,
)
from ostinato.encodings.pitches import EventGate, check_pitch_range, checked_events
from ostinato.music.melody import Melody
from ostinato.music.transpose import squash


@dataclass(frozen=True, slots=True)
class LookbackEncoding:
    """The event, the events that lie the lookback distances before the next one, the metre, and repeats.

    With E = max_pitch - min_pitch + 2 event classes (as in `OneHotEncoding`), L
    lookback distances and K counter bits, row p of the inputs is:

    | input                      | value                                            | by default |
    |----------------------------|--------------------------------------------------|------------|
    | [0, E)                     | event p, one-hot                                 | [0, 38)    |
    | [E, 2E)                    | event p + 1 - first distance, one-hot            | [38, 76)   |
    | [2E, 3E), ... to (L + 1)E  | the same at the other distances                  | [76, 114)  |
    | K values from (L + 1)E     | bit 0 .. K - 1 of the counter, as +1 or -1       | [114, 119) |
    | L values after them        | 1 where event p equals the one the distance ago  | [119, 121) |

    Before the melody's beginning stands no event. A label is the furthest
    repeat that holds, or else the event:

    | class          | meaning                                                   | by default |
    |----------------|-----------------------------------------------------------|------------|
    | [0, E)         | the event                                                 | [0, 38)    |
    | [E, E + L)     | the event of that distance ago again                      | 38, 39     |
    | E + L - 1      | also a no event at a position before the furthest distance | 39        |

    Attributes:
        min_pitch: lowest pitch.
        max_pitch: highest pitch, not included; at least an octave above the lowest.
        transpose_to_key: major key that melodies are moved to (0 = C), or None to leave them.
        lookback_distances: rising, in steps or in bars of the melody's own metre; see `past`. Magenta's are one and two
            bars of 4/4, whatever the metre.
        counter_bits: K, of the place of the next event; 5 bits count two bars of 4/4.

    Raises:
        SettingsError: if a setting cannot be.
    """

    min_pitch: int = 48
    max_pitch: int = 84
    transpose_to_key: int | None = 0
    lookback_distances: LookbackDistances = (16, 32)
    counter_bits: int = 5

    def __post_init__(self) -> None:
        check_pitch_range(self.min_pitch, self.max_pitch, self.transpose_to_key)
        check_lookbacks(self.lookback_distances, self.counter_bits)

    @property
    def input_size(self) -> int:
        """D, values a step."""
        lookbacks = num_lookbacks(self.lookback_distances)
        return self._num_event_classes * (1 + lookbacks) + self.counter_bits + lookbacks

    @property
    def num_classes(self) -> int:
        """C, number of labels."""
        return self._num_event_classes + num_lookbacks(self.lookback_distances)

    def squash(self, melody: Melody) -> tuple[Melody, int]:
        """Move a melody into the encoding's range and key; returns it and the semitones it went up."""
        return squash(melody, self.min_pitch, self.max_pitch, self.transpose_to_key)

    def inputs(self, melody: Melody) -> NDArray[np.float32]:
        """[n, D]: row p is fed after event p."""
        events, lookbacks = self._events(melody), self._lookbacks(melody.steps_per_bar)
        return self._inputs(events, lookbacks, lookbacks.repeats(events))

    def labels(self, melody: Melody) -> NDArray[np.int64]:
        """[n]: the class of each event given those before it."""
        events, lookbacks = self._events(melody), self._lookbacks(melody.steps_per_bar)
        return self._labels(events, lookbacks, lookbacks.repeats(events))

    def encode(self, melody: Melody) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Training pairs of a squashed melody: inputs [n - 1, D] and labels [n - 1].

        Raises:
            DataError: if a pitch lies outside the encoding's range.
        """
        events, lookbacks = self._events(melody), self._lookbacks(melody.steps_per_bar)
        repeats = lookbacks.repeats(events)
        return self._inputs(events[:-1], lookbacks, repeats[:-1]), self._labels(events, lookbacks, repeats)[1:]

    def class_events(self, melody: Melody) -> NDArray[np.int64]:
        """The event that each class stands for at each position, given those before it: [n, C]."""
        ahead = self._lookbacks(melody.steps_per_bar).ahead_along(self._events(melody))
        return with_repeats(events_of_classes(self.min_pitch, self.max_pitch), ahead)

    def stepper(self, batch_size: int, steps_per_bar: int) -> "LookbackStepper":
        """Begin `batch_size` empty melodies whose bars are `steps_per_bar` long."""
        gate = EventGate(batch_size, self.min_pitch, self.max_pitch)
        return LookbackStepper(self, gate, Past(batch_size, self._lookbacks(steps_per_bar)))

    @property
    def _num_event_classes(self) -> int:
        return num_event_classes(self.min_pitch, self.max_pitch)

    def _lookbacks(self, steps_per_bar: int) -> Lookbacks:
        """What lookback means in this metre."""
        return lookbacks_of(self.lookback_distances, steps_per_bar)

    def _events(self, melody: Melody) -> NDArray[np.int64]:
        return checked_events(melody, self.min_pitch, self.max_pitch)

    def _inputs(
        self, events: NDArray[np.int64], lookbacks: Lookbacks, repeats: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        counters = lookbacks.counters(len(events), self.counter_bits)
        return self._rows(events, lookbacks.events_ahead(events), counters, repeats)

    def _labels(self, events: NDArray[np.int64], lookbacks: Lookbacks, repeats: NDArray[np.bool_]) -> NDArray[np.int64]:
        classes = event_classes(events, self.min_pitch)
        return lookbacks.labels(events, repeats, classes, self._num_event_classes)

    def _rows(
        self,
        events: NDArray[np.int64],
        ahead: NDArray[np.int64],
        counters: NDArray[np.float32],
        repeats: NDArray[np.bool_],
    ) -> NDArray[np.float32]:
        """The table above, of n steps of one melody or of one step of n melodies.

        Args:
            events: [n].
            ahead: [n, L], the event at p + 1 if each distance repeats.
            counters: [n, K] or [1, K].
            repeats: [n, L], whether the event repeats the one at each distance.
        """
        shown = np.concatenate([events[:, None], ahead], axis=1)
        blocks = self._num_event_classes * np.arange(shown.shape[1])
        rows = np.zeros((len(events), self.input_size), np.float32)
        rows[np.arange(len(events))[:, None], blocks + event_classes(shown, self.min_pitch)] = 1
        counter_at = self._num_event_classes * shown.shape[1]
        rows[:, counter_at : counter_at + self.counter_bits] = counters
        rows[:, counter_at + self.counter_bits :] = repeats
        return rows


class LookbackStepper:
    """Lookback encoding of B melodies that grow together."""

    def __init__(self, encoding: LookbackEncoding, gate: EventGate, past: Past) -> None:
        self._encoding = encoding
        self._gate = gate
        self._past = past

    def push(self, events: NDArray[np.integer]) -> NDArray[np.float32]:
        """Append one event to each melody; returns [B, D], the inputs at the new position."""
        admitted = self._gate.admit(events)
        counters = self._past.lookbacks.counter(self._past.num_events, self._encoding.counter_bits)
        repeats = self._past.push(admitted)
        return self._encoding._rows(admitted, self._past.ahead(), counters, repeats)

    def class_events(self) -> NDArray[np.int64]:
        """The event that each class stands for at the next position: [B, C]."""
        events = events_of_classes(self._encoding.min_pitch, self._encoding.max_pitch)
        return with_repeats(events, self._past.ahead())

    def select(self, rows: NDArray[np.integer]) -> "LookbackStepper":
        """A new stepper of the melodies at `rows`, in that order; rows may repeat."""
        return LookbackStepper(self._encoding, self._gate.select(rows), self._past.select(rows))
