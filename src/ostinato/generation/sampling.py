"""How an event is chosen among what the network holds likely.

Shapes: B melodies, C classes.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ostinato.errors import SettingsError
from ostinato.music.melody import MAX_PITCH, MIN_PITCH, NOTES_PER_OCTAVE

if TYPE_CHECKING:
    from ostinato.music.keys import Key

# Random numbers are made for so many steps at a time: asking each of 1,000 generators at each step takes longer.
_STEPS_AHEAD = 64


@dataclass(frozen=True, slots=True)
class Sampling:
    """All choices of how to sample.

    With `beam_size` and `branch_factor` at 1, melodies are drawn event by event.
    Otherwise each output is the likeliest of a beam: every `steps_per_iteration`
    events, each melody of the beam has been continued `branch_factor` times and
    the `beam_size` likeliest of all are kept.

    The rest says what may be drawn at all, in terms of what is heard; see
    `constraints`. A beam is chosen by what the model holds likely, not by what is
    likely among the allowed: otherwise it would cost nothing to lead the model to
    where only unlikely events are allowed.

    Attributes:
        temperature: the logits are divided by it: below 1 makes likely events likelier, above 1 evens them out.
        beam_size: melodies kept after an iteration.
        branch_factor: continuations drawn of each melody in an iteration.
        steps_per_iteration: events drawn in an iteration; the first one takes what does not divide evenly.
        top_k: draw from so many of the most probable events; 0 draws from all.
        top_p: draw from the fewest most probable events that make up this share, above 0 to 1; 1 draws from all.
        key: draw only its notes.
        min_note: lowest note to draw, as a MIDI pitch.
        max_note: highest note to draw, included.

    Raises:
        SettingsError: if one of them is out of its range, or no note could be drawn.
    """

    temperature: float = 1.0
    beam_size: int = 1
    branch_factor: int = 1
    steps_per_iteration: int = 1
    top_k: int = 0
    top_p: float = 1.0
    key: "Key | None" = None
    min_note: int = MIN_PITCH
    max_note: int = MAX_PITCH

    def __post_init__(self) -> None:
        if not (isinstance(self.temperature, (int, float)) and 0 < self.temperature < math.inf):
            raise SettingsError(
                f"temperature must be a number above 0, not {self.temperature!r}; 1 samples as the model learned"
            )
        for name in ("beam_size", "branch_factor", "steps_per_iteration"):
            require_at_least_1(name, getattr(self, name))
        if not _is_whole(self.top_k) or self.top_k < 0:
            raise SettingsError(
                f"top_k must be a whole number of 0 or more, not {self.top_k!r}; 0 draws from all events"
            )
        if not (isinstance(self.top_p, (int, float)) and 0 < self.top_p <= 1):
            raise SettingsError(
                f"top_p must be a share above 0 and up to 1, not {self.top_p!r}; 1 draws from all events"
            )
        if self.top_k == 1 and self.branch_factor > 1:
            raise SettingsError(
                f"top_k=1 draws the same events in all of branch_factor={self.branch_factor} branches; "
                "raise top_k, or leave out the branches"
            )
        for name in ("min_note", "max_note"):
            note = getattr(self, name)
            if not _is_whole(note) or not MIN_PITCH <= note <= MAX_PITCH:
                raise SettingsError(f"{name} must be a MIDI pitch {MIN_PITCH}..{MAX_PITCH}, not {note!r}")
        if self.min_note > self.max_note:
            raise SettingsError(f"min_note={self.min_note} lies above max_note={self.max_note}; exchange them")
        if not any(map(self.allows, range(self.min_note, self.max_note + 1))):
            raise SettingsError(f"there is no note {self.allowed_notes}; widen the range")

    @property
    def is_constrained(self) -> bool:
        """Whether some events may not be drawn."""
        limits_notes = self.key is not None or self.min_note > MIN_PITCH or self.max_note < MAX_PITCH
        return limits_notes or self.top_k > 0 or self.top_p < 1

    def allows(self, pitch: int) -> bool:
        """Whether a note, as it is heard, lies within key and range."""
        in_key = self.key is None or pitch % NOTES_PER_OCTAVE in self.key.pitch_classes
        return in_key and self.min_note <= pitch <= self.max_note

    @property
    def allowed_notes(self) -> str:
        """Which notes are allowed, in words: "of A minor within 60..72"."""
        return (f"of {self.key} " if self.key else "") + f"within {self.min_note}..{self.max_note}"


def _is_whole(value: object) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def require_at_least_1(name: str, value: object) -> None:
    """Check a setting that counts something.

    Raises:
        SettingsError: if it is no integer of 1 or more.
    """
    if not _is_whole(value) or value < 1:  # type: ignore[operator]
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


def log_probabilities_of(logits: NDArray[np.floating[Any]], are_it: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How likely an event is, at temperature 1.

    Args:
        logits: [n, C].
        are_it: [n, C], which classes stand for the event; at least one in each row.

    Returns:
        [n], natural logarithms.
    """
    kept = np.where(are_it, log_softmax(logits), -np.inf)
    # From the most probable class on, so that no sum underflows.
    most: NDArray[np.float64] = kept.max(axis=1)
    most += np.log(np.exp(kept - most[:, np.newaxis]).sum(axis=1))
    return most


def inverse_cdf(
    probabilities: NDArray[np.float64], uniforms: NDArray[np.float64], slack: float = 0.0
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """The class at which each row's cumulative probability passes its uniform number.

    Args:
        probabilities: [B, C], not negative.
        uniforms: [B], of [0, 1).
        slack: how far the odds p / (1 - p) of any set of classes may be off, as a share of them.

    Returns:
        The classes [B], and whether another class could be right within the slack, [B].
    """
    cumulative = np.cumsum(probabilities, axis=1)
    # Taken of the row's own total, and below it, so that rounding can lead neither past the last class nor to one of
    # no probability.
    total = cumulative[:, -1:]
    sought = np.minimum(uniforms[:, np.newaxis] * total, np.nextafter(total, 0))
    classes: NDArray[np.intp] = np.count_nonzero(cumulative <= sought, axis=1)
    if not slack:
        return classes, np.zeros(len(classes), np.bool_)
    # Odds off by a share s move the probability p of a set by s p (1 - p), to first order.
    reach = slack / total * sought * (total - sought)
    return classes, (np.abs(cumulative - sought) < reach).any(axis=1)


Exactly = Callable[[NDArray[np.integer]], NDArray[np.float64]]
"""From rows [R] to their probabilities [R, C], computed in double precision."""


class Draws(Protocol):
    """Where the choices come from: random numbers, or in a test a recording."""

    def pick(self, probabilities: NDArray[np.float64], slack: float, exactly: Exactly | None) -> NDArray[np.integer]:
        """Choose a class for each row.

        Args:
            probabilities: [B, C], each row summing to 1.
            slack: how far the odds of any set of classes may be off, as a share of them.
            exactly: asked where that leaves in doubt which class is drawn; None where nothing is off.

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

    def pick(
        self, probabilities: NDArray[np.float64], slack: float = 0.0, exactly: Exactly | None = None
    ) -> NDArray[np.integer]:
        """Choose a class for each row by its probabilities; where the slack leaves doubt, by the exact ones."""
        uniforms = next(self._uniforms, None)
        if uniforms is None:
            rows = len(probabilities) // len(self._generators)
            ahead = [generator.random((_STEPS_AHEAD, rows)) for generator in self._generators]
            self._uniforms = iter(np.concatenate(ahead, axis=1))
            uniforms = next(self._uniforms)
        classes, in_doubt = inverse_cdf(probabilities, uniforms, slack)
        if exactly is not None and in_doubt.any():
            rows = np.flatnonzero(in_doubt)
            classes[rows], _ = inverse_cdf(exactly(rows), uniforms[rows])
        return classes
