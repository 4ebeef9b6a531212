"""The choice of events."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ostinato.errors import SettingsError
from ostinato.generation.sampling import RandomDraws, Sampling, inverse_cdf, log_probabilities_of, softmax
from ostinato.music.keys import parse_key


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


@pytest.mark.parametrize("temperature", [0, -1.0, math.nan, math.inf, "hot", None])
def test_an_impossible_temperature_is_refused(temperature: float) -> None:
    with pytest.raises(SettingsError, match="temperature must be a number above 0, not"):
        Sampling(temperature)


@pytest.mark.parametrize("name", ["beam_size", "branch_factor", "steps_per_iteration"])
@pytest.mark.parametrize("value", [0, -3, 1.5, True, "2"])
def test_an_impossible_beam_is_refused(name: str, value: int) -> None:
    with pytest.raises(SettingsError, match=f"{name} must be a whole number of 1 or more, not {value!r}"):
        Sampling(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"top_k": -1}, "top_k must be a whole number of 0 or more, not -1"),
        ({"top_k": 2.0}, "top_k must be a whole number of 0 or more, not 2.0"),
        ({"top_k": True}, "top_k must be a whole number of 0 or more, not True"),
        ({"top_p": 0}, "top_p must be a share above 0 and up to 1, not 0"),
        ({"top_p": 1.01}, "top_p must be a share above 0 and up to 1, not 1.01"),
        ({"top_p": math.nan}, "top_p must be a share above 0 and up to 1, not nan"),
        ({"top_p": "0.9"}, "top_p must be a share above 0 and up to 1, not '0.9'"),
        ({"top_k": 1, "branch_factor": 2}, "top_k=1 draws the same events in all of branch_factor=2 branches"),
        ({"min_note": -1}, r"min_note must be a MIDI pitch 0\.\.127, not -1"),
        ({"max_note": 128}, r"max_note must be a MIDI pitch 0\.\.127, not 128"),
        ({"max_note": 60.0}, r"max_note must be a MIDI pitch 0\.\.127, not 60.0"),
        ({"min_note": 61, "max_note": 60}, "min_note=61 lies above max_note=60"),
        (
            {"min_note": 61, "max_note": 61, "key": parse_key("C")},
            r"there is no note of C major within 61\.\.61; widen",
        ),
    ],
)
def test_impossible_constraints_are_refused_in_one_line(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        Sampling(**settings)
    assert "\n" not in str(caught.value)


def test_what_may_be_drawn() -> None:
    assert not Sampling(0.5, 2, 3, 4).is_constrained
    assert all(map(Sampling().allows, range(128)))
    constrained = [Sampling(top_k=1), Sampling(top_p=0.9), Sampling(min_note=1), Sampling(max_note=126)]
    assert all(sampling.is_constrained for sampling in constrained)
    in_a_minor = Sampling(key=parse_key("Am"), min_note=60, max_note=72)
    assert [pitch for pitch in range(128) if in_a_minor.allows(pitch)] == [60, 62, 64, 65, 67, 69, 71, 72]
    assert in_a_minor.allowed_notes == "of A minor within 60..72"
