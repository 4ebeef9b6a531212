"""One-hot encoding, of the Basic and Mono RNN: an event is its class, and nothing else."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ostinato.encodings.encoding import EventGate, check_pitch_range, checked_events
from ostinato.music.keys import squash
from ostinato.music.melody import MAX_PITCH, MIN_PITCH, NO_EVENT, Melody
from ostinato.music.meter import Meter

if TYPE_CHECKING:
    from ostinato.music.chords import Progression

_NUM_SPECIAL_EVENTS = 2  # no event, note-off


@dataclass(frozen=True, slots=True)
class OneHotEncoding:
    """Input and label are the event itself.

    With R = max_pitch - min_pitch pitches:

    | input, class | event                     | R = 36  |
    |--------------|---------------------------|---------|
    | 0            | -2, no event              | 0       |
    | 1            | -1, note-off              | 1       |
    | [2, R + 2)   | pitch - min_pitch + 2     | [2, 38) |

    Attributes:
        min_pitch: lowest pitch.
        max_pitch: highest pitch, not included; at least an octave above the lowest.
        transpose_to_key: major key that melodies are moved to (0 = C), or None to leave them.

    Raises:
        SettingsError: if a setting is out of range.
    """

    min_pitch: int = 48
    max_pitch: int = 84
    transpose_to_key: int | None = 0

    def __post_init__(self) -> None:
        check_pitch_range(self.min_pitch, self.max_pitch, self.transpose_to_key)

    @property
    def input_size(self) -> int:
        """D, values per step."""
        return self.num_classes

    @property
    def num_classes(self) -> int:
        """C, number of labels."""
        return num_event_classes(self.min_pitch, self.max_pitch)

    @property
    def num_chord_inputs(self) -> int:
        """None: chords are not encoded."""
        return 0

    @property
    def foretells_end(self) -> bool:
        """Not here: every class is an event."""
        return False

    def squash(self, melody: Melody) -> tuple[Melody, int]:
        """Move a melody into the encoding's range and key; returns it and the semitones it went up."""
        return squash(melody, self.min_pitch, self.max_pitch, self.transpose_to_key)

    def inputs(self, melody: Melody) -> NDArray[np.float32]:
        """[n, D]: row p is fed after event p."""
        return self._rows(self.labels(melody))

    def labels(self, melody: Melody) -> NDArray[np.int64]:
        """[n]: the class of each event."""
        return event_classes(checked_events(melody, self.min_pitch, self.max_pitch), self.min_pitch)

    def encode(self, melody: Melody) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Training pairs of a squashed melody: inputs [n - 1, D] and labels [n - 1].

        Raises:
            DataError: if a pitch is outside the encoding's range.
        """
        classes = self.labels(melody)
        return self._rows(classes[:-1]), classes[1:]

    def class_events(self, melody: Melody) -> NDArray[np.int64]:
        """The event that each class stands for at each position: [n, C]."""
        return np.broadcast_to(events_of_classes(self.min_pitch, self.max_pitch), (len(melody), self.num_classes))

    def stepper(
        self,
        batch_size: int,
        meter: Meter,  # noqa: ARG002 - meters and chords are not encoded
        chords: "Sequence[Progression]" = (),  # noqa: ARG002
    ) -> "OneHotStepper":
        """Begin `batch_size` empty melodies."""
        return OneHotStepper(self, EventGate(batch_size, self.min_pitch, self.max_pitch), batch_size)

    def _rows(self, classes: NDArray[np.int64]) -> NDArray[np.float32]:
        rows = np.zeros((len(classes), self.input_size), np.float32)
        rows[np.arange(len(classes)), classes] = 1
        return rows


class OneHotStepper:
    """One-hot encoding of B melodies that grow together."""

    def __init__(self, encoding: OneHotEncoding, gate: EventGate, batch_size: int) -> None:
        self._encoding = encoding
        self._gate = gate
        self._batch_size = batch_size

    def push(self, events: NDArray[np.integer]) -> NDArray[np.float32]:
        """Append one event to each melody; returns [B, D], the inputs at the new position."""
        return self._encoding._rows(event_classes(self._gate.admit(events), self._encoding.min_pitch))

    def class_events(self) -> NDArray[np.int64]:
        """The event that each class stands for: [B, C]."""
        events = events_of_classes(self._encoding.min_pitch, self._encoding.max_pitch)
        return np.broadcast_to(events, (self._batch_size, len(events)))

    def select(self, rows: NDArray[np.integer]) -> "OneHotStepper":
        """A new stepper of the melodies at `rows`, in that order; rows may repeat."""
        return OneHotStepper(self._encoding, self._gate.select(rows), len(rows))


def num_event_classes(min_pitch: int, max_pitch: int) -> int:
    """How many classes the events of a range have: its pitches, no event and note-off."""
    return max_pitch - min_pitch + _NUM_SPECIAL_EVENTS


def event_classes(events: NDArray[np.int64], min_pitch: int) -> NDArray[np.int64]:
    """The class of each event: no event, note-off, then the pitches from the lowest up."""
    return _table(min_pitch)[events]


@functools.cache
def _table(min_pitch: int) -> NDArray[np.int64]:
    """The class of each pitch from 0 on, then those of no event and note-off, which -2 and -1 find at the end."""
    of_pitches = np.arange(MAX_PITCH + 1) - min_pitch + _NUM_SPECIAL_EVENTS
    return np.concatenate([of_pitches, np.arange(_NUM_SPECIAL_EVENTS)])


def events_of_classes(min_pitch: int, max_pitch: int) -> NDArray[np.int64]:
    """The event of each class, the inverse of `event_classes`."""
    return np.concatenate([np.arange(NO_EVENT, MIN_PITCH), np.arange(min_pitch, max_pitch)])
