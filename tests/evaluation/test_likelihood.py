"""Bits of events: by hand, against the model asked one melody at a time, and by what probabilities are."""
# Witten-Bell models: by hand, and against the formula written out.

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ostinato.bundle import Bundle, array_shapes
from ostinato.config import PRESETS, Config, Hparams
from ostinato.encodings import BarEncoding, Encoding, KeyEncoding, LookbackEncoding, OneHotEncoding
from ostinato.errors import DataError, SettingsError
from ostinato.evaluation import likelihood
from ostinato.evaluation.likelihood import (
    NUM_EVENTS,
    NGrams,
    PredictedSteps,
    event_scores,
    fit_ngrams,
    merged_probabilities,
    ngram_scores,
    squash_all,
)
from ostinato.generation.model import Model
from ostinato.music.melody import NO_EVENT, NOTE_OFF, Melody

SMALL = Hparams(rnn_layer_sizes=(8, 8))
ENCODINGS: list[Encoding] = [
    OneHotEncoding(),
    OneHotEncoding(min_pitch=0, max_pitch=128, transpose_to_key=None),
    LookbackEncoding(),
    LookbackEncoding(lookback_distances=(1, 3, 7)),
    LookbackEncoding(lookback_distances="bars", counter_bits=7),
    LookbackEncoding(lookback_distances=()),
    KeyEncoding(),
    KeyEncoding(lookback_distances="1,2,4 bars"),
]


def bundle(encoding: Encoding, seed: int = 0, hparams: Hparams = SMALL) -> Bundle:
    """A model with random arrays."""
    config = Config("test", encoding, hparams)
    chance = np.random.default_rng(seed)
    shapes = array_shapes(config).items()
    return Bundle(config, {name: chance.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes})


def indifferent(encoding: Encoding) -> Bundle:
    """A model that holds all its classes equally likely, whatever it hears."""
    config = Config("indifferent", encoding, SMALL)
    return Bundle(config, {name: np.zeros(shape, np.float32) for name, shape in array_shapes(config).items()})


def tunes(seed: int, count: int = 9) -> list[Melody]:
    """Melodies of many lengths in three meters, with repeats."""
    chance = np.random.default_rng(seed)
    made = []
    for number in range(count):
        steps_per_bar = (16, 12, 18)[number % 3]
        bars = [chance.choice([NO_EVENT, NOTE_OFF, 55, 60, 64, 67, 70], steps_per_bar) for _ in range(3)]
        events = np.concatenate([bars[0], bars[1], bars[0], bars[0], bars[2]])
        length = int(chance.integers(2, len(events)))
        made.append(Melody([60, *events[:length].tolist()], steps_per_bar=steps_per_bar))
    return made


def test_probabilities_of_classes_that_stand_for_one_event_are_added() -> None:
    probabilities = np.array([[0.5, 0.2, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]])
    class_events = np.array([[60, NO_EVENT, 60, NOTE_OFF], [127, 0, 0, 0]])
    merged = merged_probabilities(probabilities, class_events)
    assert merged.shape == (2, NUM_EVENTS)
    np.testing.assert_allclose(merged[0, [62, 0, 1]], [0.7, 0.2, 0.1])
    np.testing.assert_allclose(merged[1, [129, 2]], [0.1, 0.9])
    np.testing.assert_array_equal(np.count_nonzero(merged, axis=1), [3, 2])


def test_a_lookback_model_worked_by_hand() -> None:
    # 12 pitches, no event and note-off make 14 classes; with two repeats each of 16 has the probability 1/16.
    encoding = LookbackEncoding(48, 60, None, lookback_distances=(1, 2))
    scores = event_scores([indifferent(encoding)], [Melody([48, 50, 48, -2, -2, -2]), Melody([48, -2])])
    in_sixteenths = [
        1,  # 50: only its own class; one back is 48, two back is before the beginning and so no event
        2,  # 48: and as two back
        1,  # -2: only its own class; one back is 48, two back is 50
        2,  # -2: and as one back
        3,  # -2: and as one and as two back
        2,  # the other melody's -2: and as two back, before the beginning
    ]
    np.testing.assert_allclose(scores.bits, 4 - np.log2(in_sixteenths))
    # No event had 2/16 at the first; 50 and 48 have 2/16 each at the second, and the lower number counts.
    assert scores.hits.tolist() == [False, True, False, True, True, True]
    assert scores.class_nats == pytest.approx(math.log(16))
    assert scores.num_folded == 0


def test_a_model_that_foretells_the_end_is_asked_how_the_tune_goes_on() -> None:
    # 14 classes of events and 8 repeats are as likely as the end, which counts for none of them.
    encoding = BarEncoding(48, 60, None, foretells_end=True)
    scores = event_scores([indifferent(encoding)], [Melody([48, 50, -2], ends=True)])
    # 50: its own class of 22. No event: its own, and all eight repeats, before the tune's beginning.
    np.testing.assert_allclose(scores.bits, np.log2(22) - np.log2([1, 9]))


def test_the_end_by_hand() -> None:
    # 23 classes, all as likely, of which the last one is the end.
    encoding = BarEncoding(48, 60, None, foretells_end=True)
    melodies = [Melody([48, 50, -2], ends=True), Melody([48], ends=True), Melody([48, -2, -2, -2, -2])]
    going_on, over = math.log2(23 / 22), math.log2(23)
    scores = event_scores([indifferent(encoding)], melodies)
    assert scores.end_bits == pytest.approx((2 * going_on + over + over) / 2)
    assert event_scores([indifferent(encoding)], melodies[2:]).end_bits is None
    assert event_scores([indifferent(LookbackEncoding(48, 60))], melodies).end_bits is None
    assert event_scores([indifferent(encoding)] * 2, melodies).end_bits is None


@given(st.integers(0, 2**32 - 1), st.sampled_from(ENCODINGS))
def test_the_probabilities_of_all_events_sum_to_1(seed: int, encoding: Encoding) -> None:
    (melody,), _ = squash_all(encoding, tunes(seed, 1))
    stepper = encoding.stepper(1, melody.meter)
    for event in melody:
        stepper.push(np.array([event]))
    chance = np.random.default_rng(seed)
    probabilities = chance.dirichlet(np.ones(encoding.num_classes))[np.newaxis]
    merged = merged_probabilities(probabilities, stepper.class_events())
    assert merged.sum() == pytest.approx(1)
    for event in range(-2, 128):
        of_event = probabilities[stepper.class_events() == event].sum()
        assert merged[0, event + 2] == pytest.approx(of_event)


@pytest.mark.parametrize("encoding", ENCODINGS, ids=repr)
def test_batches_of_many_lengths_and_meters_say_what_the_model_says_of_each_melody(encoding: Encoding) -> None:
    made = bundle(encoding)
    melodies = tunes(1)
    scores = event_scores([made], melodies, dtype=np.float64)
    bits, hits, nats = _one_by_one(made, melodies)
    np.testing.assert_allclose(scores.bits, bits, atol=1e-5)  # the model gives its probabilities in single precision
    np.testing.assert_array_equal(scores.hits, hits)
    assert scores.class_nats == pytest.approx(nats, abs=1e-5)
    np.testing.assert_allclose(event_scores([made], melodies).bits, bits, atol=1e-3)


def test_a_model_that_is_told_of_chords_hears_those_of_each_melody() -> None:
    made = bundle(BarEncoding(lookback_distances="1,2 bars", tells_chords=True))
    names = [("C", "G7"), ("Am", "F"), ()]
    melodies = [
        Melody(one.events, meter=one.meter, chords=[(7 * place, name) for place, name in enumerate(names[number % 3])])
        for number, one in enumerate(tunes(1))
    ]
    model = Model(made)
    expected = np.concatenate([-model.event_log_probabilities(melody) / math.log(2) for melody in melodies])
    scores = event_scores([made], melodies, dtype=np.float64)
    np.testing.assert_allclose(scores.bits, expected, atol=1e-6)
    without = event_scores([made], [Melody(one.events, meter=one.meter) for one in melodies], dtype=np.float64)
    of_third = np.repeat(np.arange(9) % 3 == 2, [len(one) - 1 for one in melodies])
    np.testing.assert_allclose(without.bits[of_third], scores.bits[of_third], atol=1e-9)
    assert np.abs(without.bits[~of_third] - scores.bits[~of_third]).max() > 0.01


def _one_by_one(made: Bundle, melodies: Sequence[Melody]) -> tuple[NDArray[np.float64], list[bool], float]:
    """Bits and hits of each step, and the mean cross entropy of the classes, the plain way."""
    encoding = made.config.encoding
    bits, hits, nats = [], [], []
    for melody in melodies:
        squashed, _ = encoding.squash(melody)
        stepper = encoding.stepper(1, melody.meter)
        labels = encoding.labels(squashed)
        for step, probabilities in enumerate(Model(made).probabilities(melody)[:-1].astype(np.float64)):
            stepper.push(np.array([squashed[step]]))
            of_event: dict[int, float] = {}
            for event, probability in zip(stepper.class_events()[0].tolist(), probabilities.tolist(), strict=True):
                of_event[event] = of_event.get(event, 0) + probability
            bits.append(-math.log2(of_event[squashed[step + 1]]))
            hits.append(max(of_event, key=of_event.__getitem__) == squashed[step + 1])
            nats.append(-math.log(probabilities[labels[step + 1]]))
    return np.array(bits), hits, float(np.mean(nats))


@pytest.mark.parametrize("name", ["basic_rnn", "mono_rnn"])
def test_without_repeats_bits_are_the_likelihood_that_the_model_tells(name: str) -> None:
    made = bundle(PRESETS[name].encoding)
    melodies = tunes(2)
    scores = event_scores([made], melodies, dtype=np.float64)
    steps = PredictedSteps.of(melodies)
    for number, melody in enumerate(melodies):
        bits = scores.bits[steps.melody == number].sum()
        assert -bits * math.log(2) == pytest.approx(Model(made).log_likelihood(melody), rel=1e-9)
    assert scores.class_nats == pytest.approx(scores.bits.mean() * math.log(2))


def test_attention_starts_anew_in_each_batch() -> None:
    made = bundle(KeyEncoding(), hparams=Hparams(rnn_layer_sizes=(8, 8), attn_length=5))
    melodies = [*tunes(3, 6), *tunes(4, 6)]
    # In double precision: a network that was never trained makes much of a rounding.
    together, *apart = [
        event_scores([made], some, dtype=np.float64).bits for some in (melodies, melodies[:6], melodies[6:])
    ]
    np.testing.assert_allclose(together, np.concatenate(apart), atol=1e-9)


def test_more_melodies_than_a_batch_holds() -> None:
    made = bundle(OneHotEncoding())
    melodies = tunes(5, 9) * 30
    bits = event_scores([made], melodies, dtype=np.float64).bits.reshape(30, -1)
    np.testing.assert_allclose(bits, np.broadcast_to(bits[0], bits.shape), atol=1e-9)


def test_an_ensemble_holds_the_mean_of_its_members() -> None:
    lookback, one_hot = LookbackEncoding(48, 60, None, lookback_distances=(1, 2)), OneHotEncoding(48, 60, None)
    scores = event_scores([indifferent(lookback), indifferent(one_hot)], [Melody([48, 50, 48])])
    np.testing.assert_allclose(scores.bits, -np.log2([(1 / 16 + 1 / 14) / 2, (2 / 16 + 1 / 14) / 2]))
    assert scores.class_nats is None


def test_an_ensemble_needs_one_range_and_key() -> None:
    with pytest.raises(SettingsError, match=r"48\.\.83 in key 0, test has 0\.\.127 in key None"):
        event_scores([bundle(ENCODINGS[0]), bundle(ENCODINGS[1])], tunes(0))


def test_melodies_with_notes_out_of_range_are_counted() -> None:
    melodies = [Melody([48, 71]), Melody([50, 59]), Melody([72, -2])]
    assert event_scores([indifferent(OneHotEncoding(48, 60, None))], melodies).num_folded == 2
    squashed, num_folded = squash_all(OneHotEncoding(48, 60, 0), [Melody([72, 71])])
    assert (squashed[0].events, num_folded) == ((60 - 12, 59), 1)


def test_a_probability_of_nothing_costs_much_but_not_all() -> None:
    sure = indifferent(OneHotEncoding())
    bias = np.zeros(38, np.float32)
    bias[0] = 10_000
    scores = event_scores([Bundle(sure.config, {**sure.arrays, "output.bias": bias})], [Melody([60, 62, -2])])
    np.testing.assert_allclose(scores.bits, [1022, 0])


def test_predicted_steps_by_hand() -> None:
    melodies = [Melody([60, -2, 62, -1], steps_per_bar=2), Melody([60]), Melody([]), Melody([60, -2], steps_per_bar=1)]
    steps = PredictedSteps.of(melodies)
    assert steps.num_melodies == 4
    assert steps.melody.tolist() == [0, 0, 0, 3]
    assert steps.bar.tolist() == [0, 1, 1, 1]
    assert steps.is_event.tolist() == [False, True, True, False]
    assert steps.of_melody.tolist() == [3, 0, 0, 1]


def test_melodies_with_nothing_to_predict_do_no_harm() -> None:
    done: list[int] = []
    progress: Callable[[int], None] = done.append
    melodies = [Melody([60]), Melody([60, 62]), Melody([])]
    scores = event_scores([indifferent(OneHotEncoding())], melodies, progress=progress)
    np.testing.assert_allclose(scores.bits, [math.log2(38)])
    assert sum(done) == 1
    with pytest.raises(DataError, match="nothing to predict"):
        PredictedSteps.of([Melody([60])])


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
    monkeypatch.setattr(likelihood, "_BLOCK_STEPS", 20)
    for one, other in zip(whole, ngram_scores(ngrams, melodies), strict=True):
        np.testing.assert_array_equal(one.bits, other.bits)
        np.testing.assert_array_equal(one.hits, other.hits)
