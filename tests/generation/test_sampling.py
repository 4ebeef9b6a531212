"""The choice of events."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from ostinato.encodings import OneHotEncoding
from ostinato.errors import SettingsError
from ostinato.generation.options import GenerationOptions
from ostinato.generation.sampling import (
    Constraints,
    RandomDraws,
    event_probabilities,
    inverse_cdf,
    log_probabilities_of,
    softmax,
)
from ostinato.music.keys import parse_key

ENCODING = OneHotEncoding(60, 72, None)
# C, D, E, held, off; then two repeats, of D and of no event.
EVENTS = np.array([[60, 62, 64, -2, -1, 62, -2]])
SHARES = np.array([[0.10, 0.15, 0.25, 0.05, 0.20, 0.05, 0.20]])
# So that the events have: C 0.10, D 0.20, E 0.25, held 0.25, off 0.20.


def test_softmax_worked_by_hand() -> None:
    logits = np.log(np.array([[1, 2, 5], [4, 4, 8]], np.float64)).astype(np.float32)
    np.testing.assert_allclose(softmax(logits), [[1 / 8, 2 / 8, 5 / 8], [1 / 4, 1 / 4, 1 / 2]], atol=1e-7)
    # At temperature 1/2 the odds are squared, at 2 they are rooted.
    np.testing.assert_allclose(softmax(logits, 0.5)[0], [1 / 30, 4 / 30, 25 / 30], atol=1e-7)
    np.testing.assert_allclose(softmax(logits, 2)[1], np.array([2, 2, math.sqrt(8)]) / (4 + math.sqrt(8)), atol=1e-7)


def test_softmax_holds_huge_logits() -> None:
    np.testing.assert_array_equal(softmax(np.array([[1e30, -1e30, 0]], np.float32), 1e-6), [[1, 0, 0]])


def test_log_probabilities_worked_by_hand() -> None:
    logits = np.log([[1, 2, 5], [4, 4, 8]])
    are_it = np.array([[True, False, True], [False, True, False]])
    np.testing.assert_allclose(np.exp(log_probabilities_of(logits, are_it)), [6 / 8, 1 / 4])
    # Far too improbable for a probability, but not for its logarithm.
    far = log_probabilities_of(np.array([[0.0, -2000.0]]), np.array([[False, True]]))
    assert far.tolist() == [-2000]


def test_inverse_cdf_worked_by_hand() -> None:
    probabilities = np.array([0.0, 0.25, 0.0, 0.5, 0.25, 0.0])
    uniforms = np.array([0, 0.2499, 0.25, 0.7499, 0.75, np.nextafter(1, 0)])
    rows = np.tile(probabilities, (6, 1))
    assert inverse_cdf(rows, uniforms)[0].tolist() == [1, 1, 3, 3, 4, 4]


def test_draws_near_an_edge_are_in_doubt() -> None:
    # At the edge of 0.25, a set of probability 1/4, odds off by 0.01 move it by 0.01 * 1/4 * 3/4 = 0.001875.
    probabilities = np.tile([0.25, 0.75], (5, 1))
    uniforms = np.array([0.1, 0.2478, 0.2484, 0.2518, 0.2523])
    classes, in_doubt = inverse_cdf(probabilities, uniforms, slack=0.01)
    assert classes.tolist() == [0, 0, 0, 1, 1]
    assert in_doubt.tolist() == [False, False, True, True, False]
    # The ends are no edges, for nothing lies beyond them.
    _, in_doubt = inverse_cdf(probabilities[:2], np.array([0, np.nextafter(1, 0)]), slack=0.01)
    assert not in_doubt.any()


def test_what_is_in_doubt_is_drawn_again_by_the_exact_probabilities() -> None:
    asked: list[int] = []

    def exactly(rows: NDArray[np.integer]) -> NDArray[np.float64]:
        asked.extend(rows.tolist())
        return np.tile([0.0, 1.0], (len(rows), 1))

    uniforms = np.random.default_rng(5).random((64, 300))[0]  # as RandomDraws takes them
    probabilities = np.stack([uniforms, 1 - uniforms], axis=1)
    probabilities[::2] = [0.999, 0.001]
    draws = RandomDraws([np.random.default_rng(5)])
    picked = draws.pick(probabilities, 1e-6, exactly)
    assert asked == list(range(1, 300, 2))
    assert (picked[1::2] == 1).all()


@given(
    arrays(np.float64, (3, 5), elements=st.floats(0, 1)).filter(lambda weights: bool((weights.sum(axis=1) > 0).all())),
    arrays(np.float64, 3, elements=st.floats(0, 1, exclude_max=True)),
)
def test_what_has_no_probability_is_never_picked(weights: np.ndarray, uniforms: np.ndarray) -> None:
    picked, _ = inverse_cdf(weights, uniforms)
    assert (weights[np.arange(3), picked] > 0).all()


def test_draws_follow_the_probabilities() -> None:
    probabilities = np.tile([0.1, 0.6, 0.3], (20_000, 1))
    picked = RandomDraws([np.random.default_rng(0)]).pick(probabilities)
    # Five standard deviations of 20,000 draws are below 0.02.
    np.testing.assert_allclose(np.bincount(picked) / 20_000, [0.1, 0.6, 0.3], atol=0.02)


def test_each_output_has_numbers_of_its_own() -> None:
    probabilities = np.full((6, 50), 1 / 50)
    both = RandomDraws([np.random.default_rng(1), np.random.default_rng(2)])
    alone = RandomDraws([np.random.default_rng(2)])
    ours, others = [], []
    for _ in range(150):
        picked = both.pick(probabilities).tolist()
        assert picked[3:] == alone.pick(probabilities[:3]).tolist()
        others += picked[:3]
        ours += picked[3:]
    assert ours != others
    # The numbers are not handed out twice.
    assert ours[:150] != ours[150:300]


def filtered(semitones: int = 0, shares: NDArray[np.float64] = SHARES, **settings: Any) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        logs = np.log(shares)
    kept, _ = Constraints(GenerationOptions(**settings), ENCODING, semitones).filter(logs, EVENTS)
    shares = np.exp(kept)
    np.testing.assert_allclose(shares.sum(), 1)
    row: NDArray[np.float64] = shares[0]
    return row


def test_classes_of_one_event_add_up() -> None:
    found = event_probabilities(np.concatenate([SHARES, SHARES]), np.concatenate([EVENTS, EVENTS[:, ::-1]]))
    assert found.shape == (2, 130)
    np.testing.assert_allclose(found[0, [62, 64, 66, 0, 1]], [0.10, 0.20, 0.25, 0.25, 0.20])
    assert found[0].sum() == pytest.approx(1)
    np.testing.assert_allclose(found[1, [62, 64, 66, 0, 1]], [0.20, 0.20, 0.20, 0.15, 0.25])


def test_top_k_counts_events_not_classes() -> None:
    # Held and E are equally probable; held counts as the first, being lower.
    np.testing.assert_allclose(filtered(top_k=1), [0, 0, 0, 0.2, 0, 0, 0.8], atol=1e-12)
    np.testing.assert_allclose(filtered(top_k=2), [0, 0, 0.5, 0.1, 0, 0, 0.4], atol=1e-12)
    np.testing.assert_allclose(filtered(top_k=4), np.array([0, 0.15, 0.25, 0.05, 0.2, 0.05, 0.2]) / 0.9, atol=1e-12)
    np.testing.assert_allclose(filtered(top_k=5), SHARES[0], atol=1e-12)
    np.testing.assert_allclose(filtered(top_k=1000), SHARES[0], atol=1e-12)


def test_top_p_keeps_the_fewest_events_that_make_up_the_share() -> None:
    np.testing.assert_allclose(filtered(top_p=1e-9), [0, 0, 0, 0.2, 0, 0, 0.8], atol=1e-12)
    np.testing.assert_allclose(filtered(top_p=0.26), [0, 0, 0.5, 0.1, 0, 0, 0.4], atol=1e-12)
    np.testing.assert_allclose(filtered(top_p=0.89), np.array([0, 0.15, 0.25, 0.05, 0.2, 0.05, 0.2]) / 0.9, atol=1e-12)
    np.testing.assert_allclose(filtered(top_p=0.91), SHARES[0], atol=1e-12)


def test_the_filters_act_one_after_the_other() -> None:
    # D major knows D and E: with held and off 0.9 of the whole. Of the three best, 0.7, top_p takes 0.5 / 0.7.
    np.testing.assert_allclose(
        filtered(key=parse_key("D")), np.array([0, 0.15, 0.25, 0.05, 0.2, 0.05, 0.2]) / 0.9, atol=1e-12
    )
    np.testing.assert_allclose(
        filtered(key=parse_key("D"), top_k=3, top_p=0.7), [0, 0, 0.5, 0.1, 0, 0, 0.4], atol=1e-12
    )


def test_key_and_range_are_of_what_is_heard() -> None:
    # Heard two semitones lower: Bb, C, D.
    np.testing.assert_allclose(filtered(2, key=parse_key("C")), np.array([0, *SHARES[0, 1:]]) / 0.9, atol=1e-12)
    np.testing.assert_allclose(
        filtered(2, min_note=60, max_note=61), np.array([0, 0.15, 0, 0.05, 0.2, 0.05, 0.2]) / 0.65, atol=1e-12
    )


def test_what_is_left_is_drawn_however_improbable() -> None:
    shares = np.array([[1, 0, 0, 0, 0, 0, 0.0]])
    np.testing.assert_allclose(filtered(shares=shares, min_note=61), np.array([0, 1, 1, 1, 1, 1, 1]) / 6)
    shares = np.array([[1, 0, 1e-300, 0, 0, 0, 0.0]])
    np.testing.assert_allclose(filtered(shares=shares, min_note=61, top_k=3), [0, 0, 1, 0, 0, 0, 0], atol=1e-12)


def test_the_notes_that_may_be_drawn_are_the_models() -> None:
    in_c = GenerationOptions(key="C")
    assert Constraints(in_c, ENCODING, 0).notes.tolist() == [
        60,
        62,
        64,
        65,
        67,
        69,
        71,
    ]
    # A semitone below what the model thinks: B to Bb.
    assert Constraints(in_c, ENCODING, 1).notes.tolist() == [
        60,
        61,
        63,
        65,
        66,
        68,
        70,
    ]
    assert Constraints(GenerationOptions(top_k=3, min_note=70), ENCODING, 0).notes.tolist() == [70, 71]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"min_note": 72}, r"makes notes of 60\.\.71 \(C4\.\.B4\), and none of them is within 72\.\.127"),
        ({"max_note": 60, "key": parse_key("B")}, r"none of them is of B major within 0\.\.60"),
    ],
)
def test_a_model_without_an_allowed_note_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Constraints(GenerationOptions(**settings), ENCODING, 0)


@given(
    arrays(np.float64, (3, 7), elements=st.floats(-1e6, 0)),
    arrays(np.int64, (3, 7), elements=st.sampled_from([-2, -1, 60, 62, 66, 71])),
    st.integers(0, 4),
    st.floats(0, 1, exclude_min=True),
    st.sampled_from(["C", "F# minor", "Eb blues"]),
)
def test_any_distribution_stays_one(
    logs: NDArray[np.float64], events: NDArray[np.int64], top_k: int, top_p: float, key: str
) -> None:
    events[:, 0] = -2  # there is always a class of no event
    options = GenerationOptions(top_k=top_k, top_p=top_p, key=parse_key(key))
    kept, _ = Constraints(options, ENCODING, 0).filter(logs, events)
    np.testing.assert_allclose(np.exp(kept).sum(axis=1), 1)
    for row, row_events in zip(kept, events, strict=True):
        drawn = set(row_events[np.exp(row) > 0].tolist())
        assert not top_k or len(drawn) <= top_k
        assert all(event < 0 or options.allows(event) for event in drawn)
