"""How an event is chosen among what the network holds likely.

Shapes: B melodies, C classes.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ostinato.encodings import Encoding
from ostinato.errors import SettingsError
from ostinato.generation.options import GenerationOptions
from ostinato.generation.transposition import heard_table
from ostinato.music.melody import MAX_PITCH, MIN_PITCH, NO_EVENT, pitch_name

# Random numbers are made for this many steps at a time: asking each of 1,000 generators at each step takes longer.
_STEPS_AHEAD = 64
# What cannot be told from impossible still is not: where nothing else may be drawn, it is drawn.
_LEAST_LOG_PROBABILITY = -1e300


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
    classes: NDArray[np.intp] = (cumulative <= sought).sum(axis=1)
    if not slack:
        return classes, np.zeros(len(classes), np.bool_)
    # Odds off by a share s move the probability p of a set by s p (1 - p), to first order.
    reach = slack * sought * (1 - sought / total)
    nearest: NDArray[np.float64] = np.abs(cumulative - sought).min(axis=1, keepdims=True)
    return classes, (nearest < reach)[:, 0]


Exactly = Callable[[NDArray[np.integer]], NDArray[np.float64]]
"""From rows [R] to their probabilities [R, C], computed in double precision."""


class Draws(Protocol):
    """Where the choices come from: random numbers, or in a test a recording."""

    def pick(self, probabilities: NDArray[np.float64], slack: float, exactly: Exactly | None) -> NDArray[np.integer]:
        """Choose a class for each row.

        Args:
            probabilities: [B, C], each row summing to 1.
            slack: how far the odds of any set of classes may be off, as a share of them.
            exactly: asked where that leaves in doubt which class is drawn.

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
        if slack and exactly is not None and in_doubt.any():
            doubtful = np.flatnonzero(in_doubt)
            classes[doubtful], _ = inverse_cdf(exactly(doubtful), uniforms[doubtful])
        return classes


class Constraints:
    """What may be drawn: the notes of a key and a range, the likeliest few events.

    Events are counted as they are heard, and classes that stand for the same event
    ("as one bar ago" and the event itself) count together. The filters act one after
    the other: key and range first, then chords, then top_k of what is left, then top_p of
    that. But for chords each leaves the odds among what it keeps as they were. No event and note-off are
    always allowed.

    Args:
        options: say what may be heard.
        encoding: of the model.
        semitones: how far above what is heard the model works.

    Attributes:
        notes: the pitches of the model that may be drawn, lowest first.

    Raises:
        SettingsError: if the model has no note that may be heard.
    """

    def __init__(self, options: GenerationOptions, encoding: Encoding, semitones: int) -> None:
        self._top_k, self._top_p = options.top_k, options.top_p
        self._heard = heard_table(semitones)
        notes = self._heard >= MIN_PITCH
        self._allowed = ~notes
        self._allowed[notes] = [options.allows(pitch) for pitch in self._heard[notes].tolist()]
        pitches = np.arange(encoding.min_pitch, encoding.max_pitch)
        self.notes = pitches[self._allowed[pitches - NO_EVENT]]
        if not len(self.notes):
            reach = self._heard[pitches - NO_EVENT]
            low, high = int(reach.min()), int(reach.max())
            raise SettingsError(
                f"here the model makes notes of {low}..{high} ({pitch_name(low)}..{pitch_name(high)}), and none of "
                f"them is {options.allowed_notes}; widen the range, or move the primer"
            )

    def filter(
        self,
        log_probabilities: NDArray[np.float64],
        class_events: NDArray[np.integer],
        slack: float = 0.0,
        lean: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The distribution to draw from.

        Args:
            log_probabilities: [B, C], of each class.
            class_events: [B, C], the model's event that each class stands for.
            slack: how far the odds of any set of classes may be off, as a share of them.
            lean: [B, C], what chords add to the log-probabilities; None for nothing.

        Returns:
            [B, C], log-probabilities again: -inf for what may not be drawn; and [B], whether top_k or top_p could have
            kept other events within the slack.
        """
        in_doubt = np.zeros(len(class_events), np.bool_)
        kept = self._allowed[class_events - NO_EVENT]
        possible = log_probabilities if lean is None else log_probabilities + lean
        possible = np.maximum(possible, _LEAST_LOG_PROBABILITY)
        filtered = log_softmax(np.where(kept, possible, -np.inf))
        if self._top_k or self._top_p < 1:
            heard = self._heard[class_events - NO_EVENT]
            likeliest, in_doubt = self._likeliest(event_probabilities(np.exp(filtered), heard), slack)
            kept &= np.take_along_axis(likeliest, heard - NO_EVENT, axis=1)
            filtered = log_softmax(np.where(kept, possible, -np.inf))
        return filtered, in_doubt

    def _likeliest(
        self, probabilities: NDArray[np.float64], slack: float
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """[B, 130]: whether top_k and top_p keep an event; of equally probable ones the lower counts as more so.

        And [B]: whether others could be kept, were the odds off by the slack.
        """
        in_doubt = np.zeros(len(probabilities), np.bool_)
        order = np.argsort(-probabilities, axis=1, kind="stable")
        ranked = np.take_along_axis(probabilities, order, axis=1)
        if self._top_k:
            ranked[:, self._top_k :] = 0
        if self._top_p < 1:
            cumulative = np.cumsum(ranked, axis=1)
            # An event is kept while those before it do not make up the share.
            share = self._top_p * cumulative[:, -1:]
            ranked[:, 1:][cumulative[:, :-1] >= share] = 0
            in_doubt |= (np.abs(cumulative - share) < slack * share * (1 - self._top_p)).any(axis=1)
        if slack:
            # Or the last event that is kept and the first that is not could change places.
            sizes = (ranked > 0).sum(axis=1)
            rows = np.arange(len(sizes))
            left_out = probabilities[rows, order[rows, np.minimum(sizes, ranked.shape[1] - 1)]]
            in_doubt |= ranked[rows, sizes - 1] < left_out * (1 + slack)
        likeliest = np.zeros(ranked.shape, np.bool_)
        np.put_along_axis(likeliest, order, ranked > 0, axis=1)
        return likeliest, in_doubt


def event_probabilities(probabilities: NDArray[np.float64], events: NDArray[np.integer]) -> NDArray[np.float64]:
    """Add up the classes of each event.

    Args:
        probabilities: [B, C], of the classes.
        events: [B, C], what each stands for.

    Returns:
        [B, 130], of the events -2 to 127.
    """
    size = MAX_PITCH - NO_EVENT + 1
    cells = events - NO_EVENT + size * np.arange(len(events))[:, np.newaxis]
    sums = np.bincount(cells.ravel(), weights=probabilities.ravel(), minlength=size * len(events))
    return sums.astype(np.float64, copy=False).reshape(-1, size)
