"""Witten-Bell models: by hand, and against the formula written out."""

import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ostinato.errors import SettingsError
from ostinato.evaluation import ngram
from ostinato.evaluation.ngram import NGrams, fit_ngrams, ngram_scores
from ostinato.music.melody import Melody

A, B, C = range(3)
Sequences = list[list[int]]


def arrays(sequences: Sequences) -> list[NDArray[np.int64]]:
    return [np.array(sequence, np.int64) for sequence in sequences]


def test_worked_by_hand() -> None:
    """Heard: a a b. Asked: a a b b, where each order looks back as far as it can."""
    ngrams = NGrams(arrays([[A, A, B]]), 3, 2)
    zero, one, two = (orders.copy() for orders in ngrams.distributions(arrays([[A, A, B, B]])))
    # Heard 3 events, of 2 kinds: (c(w) + 2/3) / (3 + 2).
    nothing_before = [8 / 15, 1 / 3, 2 / 15]
    np.testing.assert_allclose(zero, [nothing_before] * 4)
    # After a: a and b once each, so (c(aw) + 2 P(w)) / (2 + 2). After b nothing was heard.
    after_a = [31 / 60, 5 / 12, 1 / 15]
    np.testing.assert_allclose(one, [nothing_before, after_a, after_a, nothing_before])
    # After a a: b once, so (c(aaw) + P(w | a)) / (1 + 1). After a b nothing was heard.
    after_a_a = [31 / 120, 17 / 24, 1 / 30]
    np.testing.assert_allclose(two, [nothing_before, after_a, after_a_a, nothing_before])


def test_contexts_end_at_the_ends_of_sequences() -> None:
    ngrams = NGrams(arrays([[A], [B], [C, A]]), 3, 1)
    zero, one = (orders.copy() for orders in ngrams.distributions(arrays([[A, B], [C, B]])))
    np.testing.assert_allclose(one[[0, 1, 2]], zero[[0, 1, 2]])
    np.testing.assert_allclose(one[3], [(1 + zero[0, A]) / 2, zero[0, B] / 2, zero[0, C] / 2])


def plainly(heard: Sequences, alphabet_size: int, context: tuple[int, ...], event: int) -> float:
    """P(event | context), by the formula."""
    followers: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
    for sequence in heard:
        for place, follower in enumerate(sequence):
            for length in range(place + 1):
                followers[tuple(sequence[place - length : place])][follower] += 1
    probability = 1 / alphabet_size
    for length in range(len(context) + 1):
        found = followers[context[len(context) - length :]]
        if found:
            probability = (found[event] + len(found) * probability) / (found.total() + len(found))
    return probability


sequences_of_events = st.lists(st.lists(st.integers(0, 3), max_size=12), min_size=1, max_size=5)


@given(sequences_of_events.filter(any), sequences_of_events.filter(any), st.integers(0, 4))
def test_equals_the_formula_and_sums_to_1(heard: Sequences, asked: Sequences, max_order: int) -> None:
    ngrams = NGrams(arrays(heard), 4, max_order)
    places = [(sequence, place) for sequence in asked for place in range(len(sequence))]
    orders = [distributions.copy() for distributions in ngrams.distributions(arrays(asked))]
    assert len(orders) == max_order + 1
    for order, distributions in enumerate(orders):
        np.testing.assert_allclose(distributions.sum(axis=1), 1)
        for (sequence, place), probability in zip(places, distributions, strict=True):
            context = tuple(sequence[max(0, place - order) : place])
            assert probability[sequence[place]] == pytest.approx(plainly(heard, 4, context, sequence[place]))


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(SettingsError, match="order 12 over 38 events"):
        NGrams(arrays([[A]]), 38, 12)
    with pytest.raises(SettingsError, match="order -1"):
        NGrams(arrays([[A]]), 38, -1)
    with pytest.raises(SettingsError, match="needs events"):
        NGrams(arrays([[]]), 38, 2)


def test_melodies_are_moved_to_c_and_scored_from_their_second_event_on() -> None:
    # In D, which moves to C; with c and no event once each of 38, and nothing after c but no event.
    ngrams = fit_ngrams([Melody([62, -2, 66, 69, 71, 73])], max_order=1)
    melody = Melody([60, -2, 64, 67, 69, 71])
    zero, one = ngram_scores(ngrams, [melody, Melody([60, -2])])
    each = (1 + 6 / 38) / 12
    np.testing.assert_allclose(zero.bits, [-math.log2(each)] * 6)
    np.testing.assert_allclose(one.bits, [-math.log2((1 + each) / 2)] * 6)
    assert one.hits.all()
    # All are equally likely: the lowest, no event, is the guess.
    assert zero.hits.tolist() == [True, False, False, False, False, True]
    assert zero.class_nats is None


def test_folded_melodies_are_counted() -> None:
    melody = Melody([0, 127, 64])
    assert [scores.num_folded for scores in ngram_scores(fit_ngrams([melody], 1), [melody, Melody([60, 62])])] == [1, 1]


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(0)
    melodies = [Melody(chance.integers(60, 64, length).tolist()) for length in (5, 40, 1, 17, 30)]
    ngrams = fit_ngrams(melodies[:3], 4)
    whole = ngram_scores(ngrams, melodies)
    monkeypatch.setattr(ngram, "_BLOCK_STEPS", 20)
    for one, other in zip(whole, ngram_scores(ngrams, melodies), strict=True):
        np.testing.assert_array_equal(one.bits, other.bits)
        np.testing.assert_array_equal(one.hits, other.hits)
