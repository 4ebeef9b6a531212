"""How an event is chosen among what the network holds likely.

Shapes: B melodies, C classes.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ostinato.errors import SettingsError

# Random numbers are made for so many steps at a time: asking each of 1,000 generators at each step takes longer.
_STEPS_AHEAD = 64


@dataclass(frozen=True, slots=True)
class Sampling:
    """All choices of how to sample.

    With `beam_size` and `branch_factor` at 1, melodies are drawn event by event.
    Otherwise each output is the likeliest of a beam: every `steps_per_iteration`
    events, each melody of the beam has been continued `branch_factor` times and
    the `beam_size` likeliest of all are kept.

    Attributes:
        temperature: the logits are divided by it: below 1 makes likely events likelier, above 1 evens them out.
        beam_size: melodies kept after an iteration.
        branch_factor: continuations drawn of each melody in an iteration.
        steps_per_iteration: events drawn in an iteration; the first one takes what does not divide evenly.

    Raises:
        SettingsError: if one of them is out of its range.
    """

    temperature: float = 1.0
    beam_size: int = 1
    branch_factor: int = 1
    steps_per_iteration: int = 1

    def __post_init__(self) -> None:
        if not (isinstance(self.temperature, (int, float)) and 0 < self.temperature < math.inf):
            raise SettingsError(
                f"temperature must be a number above 0, not {self.temperature!r}; 1 samples as the model learned"
            )
        for name in ("beam_size", "branch_factor", "steps_per_iteration"):
            require_at_least_1(name, getattr(self, name))


def require_at_least_1(name: str, value: object) -> None:
    """Check a setting that counts something.

    Raises:
        SettingsError: if it is no integer of 1 or more.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise SettingsError(f"{name} must be a whole number of 1 or more, not {value!r}")


def log_softmax(logits: NDArray[np.floating[Any]], temperature: float = 1.0) -> NDArray[np.float64]:
    """Natural logarithms of the probabilities [..., C] that logits [..., C] stand for."""
    scaled: NDArray[np.float64] = logits / np.float64(temperature)
    scaled -= scaled.max(axis=-1, keepdims=True)
    scaled -= np.log(np.exp(scaled).sum(axis=-1, keepdims=True))
    return scaled


def softmax(logits: NDArray[np.floating[Any]], temperature: float = 1.0) -> NDArray[np.float64]:
    """Probabilities [..., C] of logits [..., C]; each row sums to 1."""
    return np.exp(log_softmax(logits, temperature))


def inverse_cdf(probabilities: NDArray[np.float64], uniforms: NDArray[np.float64]) -> NDArray[np.intp]:
    """The class [B] at which each row's cumulative probability passes its uniform number.

    Args:
        probabilities: [B, C], not negative.
        uniforms: [B], of [0, 1).
    """
    cumulative = np.cumsum(probabilities, axis=1)
    # Taken of the row's own total, so that rounding can lead neither past the last class nor to one of no probability.
    passed: NDArray[np.intp] = np.count_nonzero(cumulative <= (uniforms * cumulative[:, -1])[:, np.newaxis], axis=1)
    return passed


class Draws(Protocol):
    """Where the choices come from: random numbers, or in a test a recording."""

    def pick(self, probabilities: NDArray[np.float64]) -> NDArray[np.integer]:
        """Choose a class for each row.

        Args:
            probabilities: [B, C], each row summing to 1.

        Returns:
            [B].
        """
        ...


class RandomDraws:
    """Random choices, each output's from random numbers of its own: none depends on how many others there are.

    Args:
        generators: one for each output. The rows of an output stand together, always as many.
    """

    def __init__(self, generators: Sequence[np.random.Generator]) -> None:
        self._generators = generators
        self._uniforms: Iterator[NDArray[np.float64]] = iter(())

    def pick(self, probabilities: NDArray[np.float64]) -> NDArray[np.integer]:
        """Choose a class for each row [B, C] by its probabilities."""
        uniforms = next(self._uniforms, None)
        if uniforms is None:
            rows = len(probabilities) // len(self._generators)
            ahead = [generator.random((_STEPS_AHEAD, rows)) for generator in self._generators]
            self._uniforms = iter(np.concatenate(ahead, axis=1))
            uniforms = next(self._uniforms)
        return inverse_cdf(probabilities, uniforms)
