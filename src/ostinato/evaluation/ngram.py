"""Witten-Bell n-gram models: what counting alone can predict.

An event w after the n events h before it has the probability

    P(w | h) = (c(h w) + T(h) P(w | h')) / (c(h) + T(h))

where c counts how often something was heard, T(h) is how many different events
were heard after h, and h' is h without its oldest event. Below the empty
context all events are equally probable. After a context never heard, P(w | h)
is P(w | h'). At a melody's beginning, the events that there are make the
context.

The estimate is Witten and Bell's (method C in "The zero-frequency problem",
IEEE Transactions on Information Theory 37(4), 1991), interpolated as in Chen
and Goodman, "An empirical study of smoothing techniques for language modeling",
Computer Speech and Language 13(4), 1999.

Shapes: n events of a sequence, A events of the alphabet.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ostinato.encodings import OneHotEncoding
from ostinato.errors import SettingsError
from ostinato.evaluation.likelihood import EventScores, squash_all
from ostinato.music.melody import Melody

MAX_ORDER = 8
"""The longest context that is tried, in events."""

_ENCODING = OneHotEncoding()  # its range and key are those of the models, its classes the alphabet
_BLOCK_STEPS = 1 << 15  # whose distributions are held at a time: 38 events of 8 bytes each make 10 MB


class NGrams:
    """Counts of the contexts of all orders up to a longest, and the models made of them.

    Args:
        sequences: events to count, each an array [n] of numbers below `alphabet_size`.
        alphabet_size: A.
        max_order: the longest context, in events.

    Raises:
        SettingsError: if there are more contexts than a 64-bit number tells apart, or none to learn from.
    """

    def __init__(self, sequences: Sequence[NDArray[np.int64]], alphabet_size: int, max_order: int = MAX_ORDER) -> None:
        if max_order < 0 or alphabet_size < 1 or alphabet_size ** (max_order + 1) > np.iinfo(np.int64).max:
            raise SettingsError(f"there is no n-gram model of order {max_order} over {alphabet_size} events")
        if not any(map(len, sequences)):
            raise SettingsError("an n-gram model needs events to learn from")
        self.alphabet_size = alphabet_size
        self.max_order = max_order
        events, age = _joined(sequences)
        self._orders = [
            _Order.count(grams[age >= order], alphabet_size)
            for order, grams in enumerate(_grams(events, alphabet_size, max_order))
        ]

    def distributions(self, sequences: Sequence[NDArray[np.int64]]) -> Iterator[NDArray[np.float64]]:
        """What each order's model holds likely at each step of some sequences.

        Args:
            sequences: as those counted.

        Yields:
            For order 0, 1, ... `max_order`: [n, A], the sequences' steps one after the other. To read only, and until
            the next is asked for: it is made in place.
        """
        events, age = _joined(sequences)
        distributions = np.full((len(events), self.alphabet_size), 1 / self.alphabet_size)
        for order, grams in enumerate(_grams(events, self.alphabet_size, self.max_order)):
            self._orders[order].interpolate(distributions, grams // self.alphabet_size, age >= order)
            yield distributions


def fit_ngrams(melodies: Sequence[Melody], max_order: int = MAX_ORDER) -> NGrams:
    """Count the events of melodies, moved to C and into the range of most models: 38 different ones.

    Raises:
        SettingsError: if the melodies hold no events.
    """
    return NGrams(_sequences(melodies)[0], _ENCODING.num_classes, max_order)


def ngram_scores(ngrams: NGrams, melodies: Sequence[Melody]) -> list[EventScores]:
    """What the model of each order, from 0 up, held of the melodies' steps from the second on.

    Args:
        ngrams: as `fit_ngrams` gives them.
        melodies: as they come.
    """
    sequences, num_folded = _sequences(melodies)
    bits: list[list[NDArray[np.float64]]] = [[] for _ in range(ngrams.max_order + 1)]
    hits: list[list[NDArray[np.bool_]]] = [[] for _ in bits]
    for block in _blocks(sequences):
        events, age = _joined(block)
        predicted = np.flatnonzero(age > 0)
        came = events[predicted]
        for order, distributions in enumerate(ngrams.distributions(block)):
            bits[order].append(-np.log2(distributions[predicted, came]))
            hits[order].append(distributions.argmax(axis=1)[predicted] == came)
    return [
        EventScores(np.concatenate(order_bits), np.concatenate(order_hits), num_folded=num_folded)
        for order_bits, order_hits in zip(bits, hits, strict=True)
    ]


@dataclass(frozen=True, slots=True, eq=False)
class _Order:
    """What was heard after the contexts of one length.

    Attributes:
        contexts: [K], rising, each its events as digits in base A, the newest the lowest.
        starts: [K + 1], where the events that followed each context begin in the next two.
        followers: the events, context by context.
        counts: how often each was heard there.
    """

    contexts: NDArray[np.int64]
    starts: NDArray[np.int64]
    followers: NDArray[np.int64]
    counts: NDArray[np.int64]

    @staticmethod
    def count(grams: NDArray[np.int64], alphabet_size: int) -> "_Order":
        """Count contexts with their followers as the lowest digit."""
        distinct, counts = np.unique(grams, return_counts=True)
        contexts, starts = np.unique(distinct // alphabet_size, return_index=True)
        return _Order(contexts, np.append(starts, len(distinct)), distinct % alphabet_size, counts)

    def interpolate(
        self, distributions: NDArray[np.float64], contexts: NDArray[np.int64], old_enough: NDArray[np.bool_]
    ) -> None:
        """Turn the distributions [n, A] of the order below into this one's, in place.

        Args:
            distributions: at each step.
            contexts: [n], of this order.
            old_enough: [n], where there is such a context.
        """
        if not len(self.contexts):
            return
        place = np.minimum(np.searchsorted(self.contexts, contexts), len(self.contexts) - 1)
        steps = np.flatnonzero(old_enough & (self.contexts[place] == contexts))
        first = self.starts[place[steps]]
        num_types = self.starts[place[steps] + 1] - first
        total = np.add.reduceat(self.counts, self.starts[:-1])[place[steps]]
        distributions[steps] *= (num_types / (total + num_types))[:, np.newaxis]
        # Each step's run of followers, all runs one after the other.
        runs = np.cumsum(num_types) - num_types
        entries = np.arange(num_types.sum()) + np.repeat(first - runs, num_types)
        shares = self.counts[entries] / np.repeat(total + num_types, num_types)
        distributions[np.repeat(steps, num_types), self.followers[entries]] += shares


def _sequences(melodies: Sequence[Melody]) -> tuple[list[NDArray[np.int64]], int]:
    squashed, num_folded = squash_all(_ENCODING, melodies)
    return [_ENCODING.labels(melody) for melody in squashed], num_folded


def _joined(sequences: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All events [n] of some sequences, and how many of its own sequence stand before each."""
    return np.concatenate(sequences), np.concatenate([np.arange(len(sequence)) for sequence in sequences])


def _grams(events: NDArray[np.int64], alphabet_size: int, max_order: int) -> Iterator[NDArray[np.int64]]:
    """For order 0, 1, ...: [n], each event as the lowest digit, in base A, and those before it as the next."""
    grams = events.copy()
    yield grams
    for order in range(1, max_order + 1):
        grams = grams.copy()
        grams[order:] += events[:-order] * alphabet_size**order
        yield grams


def _blocks(sequences: Sequence[NDArray[np.int64]]) -> Iterator[list[NDArray[np.int64]]]:
    """Sequences in groups of about `_BLOCK_STEPS` steps."""
    block: list[NDArray[np.int64]] = []
    size = 0
    for sequence in sequences:
        block.append(sequence)
        size += len(sequence)
        if size >= _BLOCK_STEPS:
            yield block
            block, size = [], 0
    if block:
        yield block
