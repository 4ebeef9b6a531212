"""How likely models think melodies are, event by event, and what counting alone can predict.

A class that says "as one bar ago" and the class that names the event of one bar
ago are one event: their probabilities are added, so that models with different
classes can be compared. Each model sees a melody in its own range and key.

Counting alone is a Witten-Bell n-gram model. An event w after the n events h
before it has the probability

    P(w | h) = (c(h w) + T(h) P(w | h')) / (c(h) + T(h))

where c counts how often something was heard, T(h) is how many different events
were heard after h, and h' is h without its oldest event. Below the empty
context all events are equally probable. After a context never heard, P(w | h)
is P(w | h'). At the beginning of a melody, the context is the events so far.

The estimate is Witten and Bell's (method C in "The zero-frequency problem",
IEEE Transactions on Information Theory 37(4), 1991), interpolated as in Chen
and Goodman, "An empirical study of smoothing techniques for language modeling",
Computer Speech and Language 13(4), 1999.

Shapes: B melodies side by side, T steps, C classes, E events; N steps that are
predicted, all melodies' one after the other, each from its second event on. In
an n-gram model n events of a sequence, A events of the alphabet.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ostinato.bundle import Bundle
from ostinato.encodings import Encoding, OneHotEncoding
from ostinato.errors import DataError, SettingsError
from ostinato.generation.network import Network
from ostinato.generation.sampling import log_softmax
from ostinato.music.chords import Progression
from ostinato.music.melody import MAX_PITCH, NO_EVENT, Melody

NUM_EVENTS = MAX_PITCH + 1 - NO_EVENT
"""E: no event, note-off and all pitches, in this order."""

_BATCH_SIZE = 64  # melodies side by side: enough for large products, few enough to be of like length
# What a float64 can hold; a probability that was rounded to nothing costs as much.
_LEAST_PROBABILITY = np.finfo(np.float64).tiny


@dataclass(frozen=True, slots=True, eq=False)
class PredictedSteps:
    """The N steps of some melodies that have a step before them.

    Attributes:
        num_melodies: of the melodies, including those without such a step.
        melody: [N], the melody of each, counted from 0 and never falling.
        bar: [N], its bar, counted from 0 at the melody's beginning.
        is_event: [N], whether it is something other than no event.
    """

    num_melodies: int
    melody: NDArray[np.int64]
    bar: NDArray[np.int64]
    is_event: NDArray[np.bool_]

    @staticmethod
    def of(melodies: Sequence[Melody]) -> "PredictedSteps":
        """The predicted steps of these melodies.

        Raises:
            DataError: if there is none.
        """
        lengths = [max(0, len(melody) - 1) for melody in melodies]
        if not sum(lengths):
            raise DataError("there is nothing to predict: no melody has two steps")
        return PredictedSteps(
            len(melodies),
            np.repeat(np.arange(len(melodies)), lengths),
            np.concatenate([np.arange(1, len(melody)) // melody.steps_per_bar for melody in melodies]),
            np.concatenate([np.array(melody.events[1:], np.int64) != NO_EVENT for melody in melodies]),
        )

    @property
    def of_melody(self) -> NDArray[np.int64]:
        """[M]: how many steps are predicted in each melody."""
        return np.bincount(self.melody, minlength=self.num_melodies)


@dataclass(frozen=True, slots=True, eq=False)
class EventScores:
    """What a model predicted at N steps.

    Attributes:
        bits: [N], minus the binary logarithm of the probability of the event that came.
        hits: [N], whether it was the most probable event; of several, the first by number counts.
        class_nats: the cross entropy over the encoding's own classes, in nats per step: what training calls its
            loss. None for several models, or for a model without classes.
        num_folded: melodies with notes outside the model's range, which it saw moved by octaves.
        end_bits: what the end costs, bits a melody that ends: that it is over, and at each step before that it is not.
            None where no one model that foretells the end is behind, or no melody ends.
    """

    bits: NDArray[np.float64]
    hits: NDArray[np.bool_]
    class_nats: float | None = None
    num_folded: int = 0
    end_bits: float | None = None


def event_scores(
    bundles: Sequence[Bundle],
    melodies: Sequence[Melody],
    *,
    dtype: DTypeLike = np.float32,
    progress: Callable[[int], None] | None = None,
) -> EventScores:
    """Ask a model, or several as one, how likely each event of some melodies is.

    Args:
        bundles: one model; or an ensemble, whose probabilities of an event are the mean of its members'.
        melodies: as they are; they are moved into the model's range and key here.
        dtype: what the network computes with, float32 or float64.
        progress: called with how many more steps are done, as the work goes on.

    Raises:
        SettingsError: if the models of an ensemble do not have the same range and key.
    """
    first = bundles[0].config.encoding
    for bundle in bundles[1:]:
        if _range_and_key(bundle.config.encoding) != _range_and_key(first):
            raise SettingsError(
                f"the models of an ensemble must have the same range and key: {bundles[0].config.name} has "
                f"{_range_and_key(first)}, {bundle.config.name} has {_range_and_key(bundle.config.encoding)}"
            )
    members = [_Member(bundle, dtype) for bundle in bundles]
    squashed, num_folded = squash_all(first, melodies)
    bits, hits = [np.empty(0)] * len(melodies), [np.empty(0, np.bool_)] * len(melodies)
    class_nats = 0.0
    end_bits = np.zeros(len(melodies))
    for batch in _batches(squashed):
        chosen = [squashed[melody] for melody in batch]
        probability, hit, nats, end_bits[batch] = _score_batch(members, chosen)
        batch_bits = -np.log2(np.maximum(probability, _LEAST_PROBABILITY))
        for row, (place, melody) in enumerate(zip(batch, chosen, strict=True)):
            num_steps = max(0, len(melody) - 1)
            bits[place], hits[place] = batch_bits[row, :num_steps], hit[row, :num_steps]
            class_nats += float(nats[row, :num_steps].sum())
            if progress is not None:
                progress(num_steps)
    all_bits = np.concatenate(bits)
    scores = EventScores(all_bits, np.concatenate(hits), num_folded=num_folded)
    if len(bundles) > 1:
        return scores
    end = [each for each, melody in zip(end_bits.tolist(), melodies, strict=True) if melody.ends]
    return replace(
        scores,
        class_nats=class_nats / len(all_bits),
        end_bits=sum(end) / len(end) if end and first.foretells_end else None,
    )


def squash_all(encoding: Encoding, melodies: Sequence[Melody]) -> tuple[list[Melody], int]:
    """The melodies in an encoding's range and key, and how many of them have notes that were folded into the range."""
    squashed, num_folded = [], 0
    for melody in melodies:
        moved, semitones = encoding.squash(melody)
        pairs = zip(melody.pitches, moved.pitches, strict=True)
        num_folded += any(after != before + semitones for before, after in pairs)
        squashed.append(moved)
    return squashed, num_folded


def merged_probabilities(probabilities: NDArray[np.float64], class_events: NDArray[np.int64]) -> NDArray[np.float64]:
    """The probability of each event: that of all classes that stand for it, added.

    Args:
        probabilities: [B, C], of the classes.
        class_events: [B, C], the event that each stands for.

    Returns:
        [B, E].
    """
    num_melodies = len(probabilities)
    places = NUM_EVENTS * np.arange(num_melodies)[:, np.newaxis] + (class_events - NO_EVENT)
    added = np.bincount(places.ravel(), probabilities.ravel(), minlength=NUM_EVENTS * num_melodies)
    return added.astype(np.float64, copy=False).reshape(num_melodies, NUM_EVENTS)


def _range_and_key(encoding: Encoding) -> str:
    return f"{encoding.min_pitch}..{encoding.max_pitch - 1} in key {encoding.transpose_to_key}"


def _batches(melodies: Sequence[Melody]) -> Iterator[list[int]]:
    """Places of melodies of one meter and like length: a stepper works in one meter, and no step should be idle."""
    order = sorted(
        range(len(melodies)),
        key=lambda place: (melodies[place].meter.time_signature, len(melodies[place])),
        reverse=True,
    )
    batch: list[int] = []
    for place in order:
        if batch and (len(batch) == _BATCH_SIZE or melodies[place].meter != melodies[batch[0]].meter):
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _score_batch(
    members: Sequence["_Member"], melodies: Sequence[Melody]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    """Go through melodies of one meter side by side, padded with no events at the end.

    Returns:
        All [B, T - 1]: the probability of the event that came, whether it was the most probable, and the first
        member's cross entropy of its class in nats. And [B]: what the end of each melody costs the first member, in
        bits, where it foretells ends.
    """
    num_steps = max(map(len, melodies))
    events = np.full((len(melodies), num_steps), NO_EVENT, np.int64)
    for row, melody in enumerate(melodies):
        events[row, : len(melody)] = melody.events
    rows = np.arange(len(melodies))
    shape = len(melodies), max(0, num_steps - 1)
    probability, hit, nats = np.empty(shape), np.empty(shape, np.bool_), np.empty(shape)
    log_over = np.empty((len(melodies), num_steps))
    for member in members:
        member.begin(melodies, num_steps)
    for step in range(shape[1]):
        mean = np.mean([member.after(events[:, step]) for member in members], axis=0)
        came = events[:, step + 1] - NO_EVENT
        probability[:, step] = mean[rows, came]
        hit[:, step] = mean.argmax(axis=1) == came
        nats[:, step] = members[0].class_nats(step + 1)
        log_over[:, step] = members[0].log_over
    if not num_steps:
        return probability, hit, nats, np.zeros(len(melodies))
    members[0].after(events[:, -1])
    log_over[:, -1] = members[0].log_over
    before_end = np.arange(1, num_steps + 1) < np.array([[len(melody)] for melody in melodies])
    last = np.array([len(melody) for melody in melodies]) - 1
    with np.errstate(divide="ignore"):
        going_on = np.log(-np.expm1(log_over))
    end_nats = -log_over[rows, last] - np.where(before_end, going_on, 0).sum(axis=1)
    return probability, hit, nats, end_nats / np.log(2)


class _Member:
    """A model that predicts a batch of melodies."""

    def __init__(self, bundle: Bundle, dtype: DTypeLike) -> None:
        self._encoding = bundle.config.encoding
        self._network = Network(bundle, dtype)
        self.log_over: NDArray[np.float64] | float = -np.inf  # [B], that the tune is over, where that is foretold

    def begin(self, melodies: Sequence[Melody], num_steps: int) -> None:
        """Begin with melodies of one meter; after the ends of those shorter than `num_steps` there can be any class."""
        self._labels = np.zeros((len(melodies), num_steps), np.int64)
        for row, melody in enumerate(melodies):
            self._labels[row, : len(melody)] = self._encoding.labels(melody)
        chords = [Progression(melody.chords) for melody in melodies]
        self._stepper = self._encoding.stepper(len(melodies), melodies[0].meter, chords)
        self._state = self._network.initial_state(len(melodies))

    def after(self, events: NDArray[np.int64]) -> NDArray[np.float64]:
        """Feed one event to each melody; returns the probabilities of the events that may come next: [B, E]."""
        logits, self._state = self._network.step(self._stepper.push(events), self._state)
        class_events = self._stepper.class_events()
        # Where the model foretells the end of the tune, it is asked how the tune goes on, for it does.
        num_going_on = class_events.shape[1]
        self._log_probabilities = log_softmax(logits[:, :num_going_on])
        if logits.shape[1] > num_going_on:
            self.log_over = log_softmax(logits)[:, -1]
        return merged_probabilities(np.exp(self._log_probabilities), class_events)

    def class_nats(self, step: int) -> NDArray[np.float64]:
        """[B]: minus the logarithm of the probability of the class at `step`, the next one."""
        return -self._log_probabilities[np.arange(len(self._labels)), self._labels[:, step]]


MAX_ORDER = 8
"""The longest context that is tried, in events."""

_ENCODING = OneHotEncoding()  # its range and key are those of the models, its classes the alphabet
_BLOCK_STEPS = 1 << 15  # whose distributions are held at a time: 38 events of 8 bytes each make 10 MB


class NGrams:
    """Counts of the contexts of all orders up to a maximum, and the models made from them.

    Args:
        sequences: events to count, each an array [n] of numbers below `alphabet_size`.
        alphabet_size: A.
        max_order: the longest context, in events.

    Raises:
        SettingsError: if there are more contexts than fit in a 64-bit number, or none to learn from.
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
        """What the model of each order predicts at each step of some sequences.

        Args:
            sequences: as those counted.

        Yields:
            For order 0, 1, ... `max_order`: [n, A], the sequences' steps one after the other. Read it only, and before
            you ask for the next: it is changed in place.
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
    """What the model of each order, from 0 up, predicted at the melodies' steps from the second on.

    Args:
        ngrams: as `fit_ngrams` gives them.
        melodies: as they are.
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
    """All events [n] of some sequences, and how many events of the same sequence come before each."""
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
