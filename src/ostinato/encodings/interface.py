"""What an encoding can do.

Shapes: n events, B melodies side by side, D input size, C classes.

For every encoding, `label(p)` is what is predicted for position p given the
events before it, and `input(p)` is fed at p to predict p + 1. A melody of n
events gives n inputs, and n - 1 training pairs (input p, label p + 1).
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ostinato.music.melody import Melody


class Stepper(Protocol):
    """An encoding at work on B melodies that grow together, in constant time a step.

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
        """The event that each class stands for at the next position: [B, C].

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
        """D, values a step."""
        ...

    @property
    def num_classes(self) -> int:
        """C, number of labels."""
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

        Raises:
            DataError: if a pitch lies outside the encoding's range.
        """
        ...

    def class_events(self, melody: Melody) -> NDArray[np.int64]:
        """The event that each class stands for at each position, given those before it: [n, C].

        As `Stepper.class_events` tells them before each event is pushed.
        """
        ...

    def stepper(self, batch_size: int, steps_per_bar: int) -> Stepper:
        """Begin `batch_size` empty melodies whose bars are `steps_per_bar` long."""
        ...
