"""The model as a partner: what it goes on with after a call."""

from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np

from ostinato.generation.model import Model
from ostinato.music.melody import Melody

Respond = Callable[[Melody, float], Iterator[int]]
"""From a call and a temperature to events without end. The call is fed at once, each event is drawn when asked for."""

_WARM_UP = Melody([60, -2, 62, -2])


def model_responder(model: Model, seed: int) -> Respond:
    """Let a model respond.

    Args:
        model: what responds.
        seed: 0 or more; the same calls get the same responses again.
    """
    random = np.random.default_rng(seed)

    def respond(call: Melody, temperature: float) -> Iterator[int]:
        return model.stream(call, temperature=temperature, seed=random)

    # The first products a process computes take longer than all that follow.
    for _ in islice(model.stream(_WARM_UP, seed=0), 16):
        pass
    return respond


class Response:
    """A response on the grid, whose events are drawn one ahead of being played.

    Args:
        events: what is played, without end.
        start_step: where it begins.
        num_steps: how much of it is played.
    """

    def __init__(self, events: Iterator[int], start_step: int, num_steps: int) -> None:
        self.is_repeated = False
        self._coming = events
        self._drawn: list[int] = []
        self._position = 0
        self._num_steps = num_steps
        self._start_step = start_step
        self.draw_ahead()

    @property
    def next_step(self) -> int:
        """Where its next event is due, or where it ends."""
        return self._start_step + self._position

    @property
    def end_step(self) -> int:
        """The step after the last one, of this time through."""
        return self._start_step + self._num_steps

    @property
    def is_over(self) -> bool:
        """Whether it was played through."""
        return self._position == self._num_steps

    def take(self) -> int:
        """The event that is due."""
        self.draw_ahead()
        self._position += 1
        return self._drawn[self._position - 1]

    def draw_ahead(self) -> None:
        """Draw the next event, in the time until it is due."""
        if len(self._drawn) == self._position < self._num_steps:
            self._drawn.append(next(self._coming))

    def begin_again(self) -> None:
        """Play it once more, right after its end."""
        self._start_step += self._num_steps
        self._position = 0
        self.is_repeated = True

    def melody(self, steps_per_bar: int) -> Melody:
        """All of it that was drawn."""
        return Melody(self._drawn, steps_per_bar=steps_per_bar)
