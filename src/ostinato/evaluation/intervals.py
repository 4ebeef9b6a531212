"""How far a figure would move with other melodies: bootstrap intervals.

The melodies are drawn anew, as many as there are, each draw among all of them;
the figure of each such resample is a ratio of sums. What lies between the
percentiles of many resamples is the percentile interval (Efron and Tibshirani,
"An Introduction to the Bootstrap", 1993, chapter 13). Steps of one melody
depend on each other, so melodies are drawn and not steps.

Shapes: K models, M melodies, R resamples.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ostinato.errors import SettingsError

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a figure of other such melodies is likely to lie.

    Attributes:
        low: lower end.
        high: upper end.
    """

    low: float
    high: float


def resampled_ratios(totals: ArrayLike, sizes: ArrayLike, num_resamples: int, seed: int) -> NDArray[np.float64]:
    """Sum of totals over sum of sizes, of resampled melodies: the same melodies for each model.

    Args:
        totals: [K, M], what is summed up, such as bits.
        sizes: [M], such as steps; not negative.
        num_resamples: R.
        seed: decides which melodies are drawn.

    Returns:
        [R, K]; NaN where only melodies of no size were drawn.

    Raises:
        SettingsError: if the number of resamples is below 1, or the seed below 0.
    """
    if num_resamples < 1:
        raise SettingsError(f"num_resamples must be at least 1, not {num_resamples}")
    if seed < 0:
        raise SettingsError(f"seed must be at least 0, not {seed}")
    columns = np.vstack([np.asarray(totals, np.float64), np.asarray(sizes, np.float64)]).T
    generator = np.random.default_rng(seed)
    num_melodies = len(columns)
    sums = np.empty((num_resamples, columns.shape[1]))
    for resample in range(num_resamples):
        drawn = generator.integers(num_melodies, size=num_melodies)
        sums[resample] = np.bincount(drawn, minlength=num_melodies) @ columns
    with np.errstate(invalid="ignore"):
        ratios: NDArray[np.float64] = sums[:, :-1] / sums[:, -1:]
    return ratios


def percentile_interval(values: NDArray[np.float64]) -> Interval:
    """The middle `LEVEL` of resampled values [R], NaN left out."""
    low, high = np.nanquantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))
