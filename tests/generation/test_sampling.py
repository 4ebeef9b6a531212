"""The choice of events."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ostinato.errors import SettingsError
from ostinato.generation.sampling import RandomDraws, Sampling, inverse_cdf, softmax


def test_softmax_worked_by_hand() -> None:
    logits = np.log(np.array([[1, 2, 5], [4, 4, 8]], np.float64)).astype(np.float32)
    np.testing.assert_allclose(softmax(logits), [[1 / 8, 2 / 8, 5 / 8], [1 / 4, 1 / 4, 1 / 2]], atol=1e-7)
    # At temperature 1/2 the odds are squared, at 2 they are rooted.
    np.testing.assert_allclose(softmax(logits, 0.5)[0], [1 / 30, 4 / 30, 25 / 30], atol=1e-7)
    np.testing.assert_allclose(softmax(logits, 2)[1], np.array([2, 2, math.sqrt(8)]) / (4 + math.sqrt(8)), atol=1e-7)


def test_softmax_holds_huge_logits() -> None:
    np.testing.assert_array_equal(softmax(np.array([[1e30, -1e30, 0]], np.float32), 1e-6), [[1, 0, 0]])


def test_inverse_cdf_worked_by_hand() -> None:
    probabilities = np.array([0.0, 0.25, 0.0, 0.5, 0.25, 0.0])
    uniforms = np.array([0, 0.2499, 0.25, 0.7499, 0.75, np.nextafter(1, 0)])
    rows = np.tile(probabilities, (6, 1))
    assert inverse_cdf(rows, uniforms).tolist() == [1, 1, 3, 3, 4, 4]


@given(
    arrays(np.float64, (3, 5), elements=st.floats(0, 1)).filter(lambda weights: bool((weights.sum(axis=1) > 0).all())),
    arrays(np.float64, 3, elements=st.floats(0, 1, exclude_max=True)),
)
def test_what_has_no_probability_is_never_picked(weights: np.ndarray, uniforms: np.ndarray) -> None:
    picked = inverse_cdf(weights, uniforms)
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
        Sampling(**{name: value})
