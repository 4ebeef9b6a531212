"""Lookback encoding, of the Lookback RNN: what was played one and two bars ago, and whether it came back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ostinato.encodings.encoding import EventGate
from ostinato.encodings.one_hot import event_classes, events_of_classes
from ostinato.encodings.repeats import Lookbacks, Past, RepeatEncoding, num_lookbacks, with_repeats
from ostinato.music.meter import Meter

if TYPE_CHECKING:
    from ostinato.music.chords import Progression


@dataclass(frozen=True, slots=True)
class LookbackEncoding(RepeatEncoding):
    """The event, the events that lie the lookback distances before the next one, the meter, and repeats.

    With E = max_pitch - min_pitch + 2 event classes (as in `OneHotEncoding`), L
    lookback distances and K counter bits, row p of the inputs is:

    | input                      | value                                            | by default |
    |----------------------------|--------------------------------------------------|------------|
    | [0, E)                     | event p, one-hot                                 | [0, 38)    |
    | [E, 2E)                    | event p + 1 - first distance, one-hot            | [38, 76)   |
    | [2E, 3E), ... to (L + 1)E  | the same at the other distances                  | [76, 114)  |
    | K values from (L + 1)E     | bit 0 .. K - 1 of the counter, as +1 or -1       | [114, 119) |
    | L values after them        | 1 where event p equals the one the distance ago  | [119, 121) |

    Before the melody begins there is no event (-2). A label is the furthest
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
        lookback_distances: rising, in steps or in bars of the melody's own meter; see `repeats`. Magenta's are one and
            two bars of 4/4, in every meter.
        counter_bits: K, of the place of the next event; 5 bits count two bars of 4/4.

    Raises:
        SettingsError: if a setting is out of range.
    """

    @property
    def input_size(self) -> int:
        """D, values per step."""
        lookbacks = num_lookbacks(self.lookback_distances)
        return self._num_event_classes * (1 + lookbacks) + self.counter_bits + lookbacks

    def stepper(
        self,
        batch_size: int,
        meter: Meter,
        chords: "Sequence[Progression]" = (),  # noqa: ARG002 - chords are not encoded
    ) -> "LookbackStepper":
        """Begin `batch_size` empty melodies of this meter."""
        gate = EventGate(batch_size, self.min_pitch, self.max_pitch)
        return LookbackStepper(self, gate, Past(batch_size, self._lookbacks(meter)))

    def _inputs(
        self, events: NDArray[np.int64], lookbacks: Lookbacks, repeats: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        counters = lookbacks.counters(len(events), self.counter_bits)
        return self._rows(events, lookbacks.events_ahead(events), counters, repeats)

    def _event_classes(self, events: NDArray[np.int64]) -> NDArray[np.int64]:
        return event_classes(events, self.min_pitch)

    def _events_of_classes(self) -> NDArray[np.int64]:
        return events_of_classes(self.min_pitch, self.max_pitch)

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
        return with_repeats(self._encoding._events_of_classes(), self._past.ahead())

    def select(self, rows: NDArray[np.integer]) -> "LookbackStepper":
        """A new stepper of the melodies at `rows`, in that order; rows may repeat."""
        return LookbackStepper(self._encoding, self._gate.select(rows), self._past.select(rows))
