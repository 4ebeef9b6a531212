"""What every encoding can do, and which events it accepts.

Shapes: n events, B melodies side by side, D input size, C classes.

For every encoding, `label(p)` is what is predicted for position p given the
events before it, and `input(p)` is fed at p to predict p + 1. A melody of n
events gives n inputs, and n - 1 training pairs (input p, label p + 1).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ostinato.errors import DataError, SettingsError
from ostinato.music.melody import MAX_PITCH, MIN_PITCH, NO_EVENT, NOTE_OFF, NOTES_PER_OCTAVE, Melody
from ostinato.music.meter import Meter

if TYPE_CHECKING:
    from ostinato.music.chords import Progression


class Stepper(Protocol):
    """An encoding of B melodies that grow together, in constant time per step.

    It gives the same numbers as `Encoding.inputs` and `Encoding.labels`.
    """

    def push(self, events: NDArray[np.integer]) -> NDArray[np.float32]:
        """Append one event to each melody.

        Args:
            events: [B], each -2, -1 or a pitch of the encoding's range.

        Returns:
            [B, D], the inputs at the new position.
        """
        ...

    def class_events(self) -> NDArray[np.int64]:
        """The event that each class stands for at the next position: [B, C], one less if the end is predicted.

        Two classes may stand for the same event ("as one bar ago" and the event
        itself). A repeat further back than the melody is long is no event.
        """
        ...

    def select(self, rows: NDArray[np.integer]) -> "Stepper":
        """A new stepper of the melodies at `rows`, in that order; rows may repeat."""
        ...


class Encoding(Protocol):
    """How the melodies of a model become numbers. Implementations are frozen dataclasses."""

    @property
    def min_pitch(self) -> int:
        """Lowest pitch of the encoding."""
        ...

    @property
    def max_pitch(self) -> int:
        """Highest pitch of the encoding, not included."""
        ...

    @property
    def transpose_to_key(self) -> int | None:
        """The major key (0 = C) that melodies are moved to, or None to leave them where they are."""
        ...

    @property
    def input_size(self) -> int:
        """D, values per step."""
        ...

    @property
    def num_chord_inputs(self) -> int:
        """How many of the inputs, the last ones, tell of chords; all are 0 where none are known."""
        ...

    @property
    def num_classes(self) -> int:
        """C, number of labels."""
        ...

    @property
    def foretells_end(self) -> bool:
        """Whether the last class is the end of the tune, which is not an event."""
        ...

    def squash(self, melody: Melody) -> tuple[Melody, int]:
        """Move a melody into the encoding's range and key; returns it and the semitones it went up."""
        ...

    def inputs(self, melody: Melody) -> NDArray[np.float32]:
        """[n, D]: row p is fed after event p."""
        ...

    def labels(self, melody: Melody) -> NDArray[np.int64]:
        """[n]: the class of each event given those before it."""
        ...

    def encode(self, melody: Melody) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Training pairs of a squashed melody: inputs [n - 1, D] and labels [n - 1].

        There is one more if the melody ends and the encoding predicts that.

        Raises:
            DataError: if a pitch is outside the encoding's range.
        """
        ...

    def class_events(self, melody: Melody) -> NDArray[np.int64]:
        """The event that each class stands for at each position, given those before it: [n, C].

        As `Stepper.class_events` gives them before each event is pushed. The end of the tune is not an event: if it is
        predicted, there is one column less.
        """
        ...

    def stepper(self, batch_size: int, meter: Meter, chords: "Sequence[Progression]" = ()) -> Stepper:
        """Begin `batch_size` empty melodies of this meter.

        Args:
            batch_size: B.
            meter: of them all.
            chords: beside each, as the model hears them; one for all of them, or nothing if none are known.
        """
        ...


def check_pitch_range(min_pitch: int, max_pitch: int, transpose_to_key: int | None) -> None:
    """Check the settings that all encodings share.

    Raises:
        SettingsError: if the range is not at least an octave of MIDI pitches, or the key is not in 0..11.
    """
    if type(min_pitch) is not int or type(max_pitch) is not int:
        raise SettingsError(f"min_pitch and max_pitch must be integers, not {min_pitch!r} and {max_pitch!r}")
    if not MIN_PITCH <= min_pitch <= max_pitch - NOTES_PER_OCTAVE <= MAX_PITCH + 1 - NOTES_PER_OCTAVE:
        raise SettingsError(
            f"min_pitch={min_pitch} and max_pitch={max_pitch} must be within {MIN_PITCH}..{MAX_PITCH + 1}, "
            f"at least {NOTES_PER_OCTAVE} apart"
        )
    if transpose_to_key is not None and (
        type(transpose_to_key) is not int or not 0 <= transpose_to_key < NOTES_PER_OCTAVE
    ):
        raise SettingsError(f"transpose_to_key must be a key from 0 (C) to 11 (B), or None, not {transpose_to_key!r}")


def checked_events(melody: Melody, min_pitch: int, max_pitch: int) -> NDArray[np.int64]:
    """The events of a melody: [n].

    Raises:
        DataError: if a pitch lies outside min_pitch..max_pitch - 1.
    """
    events = np.array(melody.events, np.int64)
    _check(events, min_pitch, max_pitch)
    return events


def _check(events: NDArray[np.int64], min_pitch: int, max_pitch: int) -> None:
    outside = (events >= max_pitch) | (events < NO_EVENT) | ((events < min_pitch) & (events > NOTE_OFF))
    if outside.any():
        raise DataError(
            f"event {events[outside][0]} is outside the encoding's pitches {min_pitch}..{max_pitch - 1}; "
            "squash the melody into the encoding's range first"
        )


class EventGate:
    """Lets events into B melodies as `Melody` does: a note-off before the first note changes nothing."""

    __slots__ = ("_heard_a_note", "_max_pitch", "_min_pitch")

    def __init__(self, batch_size: int, min_pitch: int, max_pitch: int) -> None:
        self._heard_a_note = np.zeros(batch_size, np.bool_)
        self._min_pitch = min_pitch
        self._max_pitch = max_pitch

    def admit(self, events: NDArray[np.integer]) -> NDArray[np.int64]:
        """The events [B] as they count.

        Raises:
            DataError: if an event is outside the encoding's range.
        """
        admitted = np.array(events, np.int64)
        _check(admitted, self._min_pitch, self._max_pitch)
        self._heard_a_note |= admitted >= MIN_PITCH
        admitted[~self._heard_a_note] = NO_EVENT
        return admitted

    def select(self, rows: NDArray[np.integer]) -> "EventGate":
        """The gate of the melodies at `rows`."""
        chosen = EventGate(0, self._min_pitch, self._max_pitch)
        chosen._heard_a_note = self._heard_a_note[rows]
        return chosen
