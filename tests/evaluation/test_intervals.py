"""Bootstrap intervals: the same for a seed, and right where they can be worked out."""

import numpy as np
import pytest

from ostinato.errors import SettingsError
from ostinato.evaluation.intervals import Interval, percentile_interval, resampled_ratios


def test_a_seed_gives_the_same_resamples() -> None:
    totals = np.random.default_rng(0).random((2, 30))
    first = resampled_ratios(totals, np.ones(30), 50, seed=1)
    np.testing.assert_array_equal(first, resampled_ratios(totals, np.ones(30), 50, seed=1))
    assert (first != resampled_ratios(totals, np.ones(30), 50, seed=2)).any()


def test_two_melodies_by_hand() -> None:
    # Both drawn, or one of them twice: (1 + 9) / (1 + 3), 1 / 1 or 9 / 3.
    ratios = resampled_ratios([[1, 9]], [1, 3], 2000, seed=0)[:, 0]
    values, counts = np.unique(ratios, return_counts=True)
    assert values.tolist() == [1, 2.5, 3]
    np.testing.assert_allclose(counts / 2000, [0.25, 0.5, 0.25], atol=0.05)
    assert percentile_interval(ratios) == Interval(1, 3)


def test_models_are_compared_on_the_same_melodies() -> None:
    totals = np.random.default_rng(0).random(20)
    ratios = resampled_ratios([totals, totals + 0.5], np.ones(20), 100, seed=0)
    np.testing.assert_allclose(ratios[:, 1] - ratios[:, 0], 0.5)
    assert np.ptp(ratios[:, 0]) > 0.05


def test_the_interval_of_a_mean_is_as_wide_as_theory_says() -> None:
    # The standard error of the mean of 400 uniform numbers is sqrt(1/12 / 400); 1.96 of them to either side.
    totals = np.random.default_rng(3).random(400)
    interval = percentile_interval(resampled_ratios([totals], np.ones(400), 2000, seed=0)[:, 0])
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * (1 / 12 / 400) ** 0.5, rel=0.1)
    assert interval.low < totals.mean() < interval.high


def test_percentiles_leave_out_resamples_of_nothing() -> None:
    ratios = resampled_ratios([[0, 2]], [0, 1], 100, seed=0)[:, 0]
    assert np.isnan(ratios).any()
    assert percentile_interval(ratios) == Interval(2, 2)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(SettingsError, match="num_resamples must be at least 1, not 0"):
        resampled_ratios([[1]], [1], 0, seed=0)
    with pytest.raises(SettingsError, match="seed must be at least 0, not -1"):
        resampled_ratios([[1]], [1], 1, seed=-1)
