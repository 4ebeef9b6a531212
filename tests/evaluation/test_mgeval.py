import math
from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray

from ostinato.evaluation.mgeval import (
    FEATURES,
    between_halves,
    between_sets,
    densities,
    distances,
    notes_of,
    similarity,
)
from ostinato.music.melody import Melody

# C for 2 steps, D for 4, C for 1, a rest of 1.
TUNE = notes_of(Melody([60, -2, 62, -2, -2, -2, 60, -1]))
# C, then the C above it for 20 steps, to the melody's end.
LEAP = notes_of(Melody([60, -2, -2, 72, *[-2] * 19]))


def normal(mean: float, deviation: float, count: int = 4000) -> NDArray[np.float64]:
    """As normal as numbers can be."""
    distribution = NormalDist(mean, deviation)
    return np.array([distribution.inv_cdf((index + 0.5) / count) for index in range(count)])


def test_notes() -> None:
    assert TUNE.tolist() == [[60, 0, 2], [62, 2, 6], [60, 6, 7]]
    assert notes_of(Melody([-2, -2])).shape == (0, 3)


def test_pitch_class_histogram() -> None:
    assert FEATURES["pitch-class histogram"](TUNE).tolist() == pytest.approx([3 / 7, 0, 4 / 7, *[0] * 9])
    assert FEATURES["pitch-class histogram"](LEAP).tolist() == pytest.approx([1, *[0] * 11])


def test_pitch_class_transitions() -> None:
    matrix = FEATURES["pitch-class transitions"](TUNE).reshape(12, 12)
    assert matrix[0, 2] == matrix[2, 0] == 0.5
    assert matrix.sum() == 1


def test_note_length_histogram() -> None:
    histogram = FEATURES["note-length histogram"](TUNE)
    assert histogram[[0, 1, 3]].tolist() == pytest.approx([1 / 3] * 3)
    assert histogram.sum() == pytest.approx(1)
    assert FEATURES["note-length histogram"](LEAP).tolist() == [0, 0, 0.5, *[0] * 12, 0.5]


def test_note_length_transitions() -> None:
    matrix = FEATURES["note-length transitions"](TUNE).reshape(16, 16)
    assert matrix[2 - 1, 4 - 1] == matrix[4 - 1, 1 - 1] == 0.5
    assert matrix.sum() == 1


@pytest.mark.parametrize(
    ("name", "of_tune", "of_leap"),
    [
        ("pitch range", 2, 12),
        ("mean interval", 2, 12),
        ("mean inter-onset interval", 3, 3),
        ("notes", 3, 2),
        ("pitches", 2, 2),
        ("pitch classes", 2, 1),
    ],
)
def test_numbers(name: str, of_tune: float, of_leap: float) -> None:
    assert FEATURES[name](TUNE).tolist() == [of_tune]
    assert FEATURES[name](LEAP).tolist() == [of_leap]


def test_distances_are_euclidean() -> None:
    found = distances(np.array([[0.0, 0.0], [3.0, 4.0]]), np.array([[3.0, 4.0], [0.0, 0.0], [0.0, 1.0]]))
    assert found.tolist() == pytest.approx(np.array([[5, 0, 1], [0, 5, math.sqrt(18)]]))


def test_densities_are_sums_of_gaussians() -> None:
    first, second = np.array([0.0, 2.0]), np.array([1.0, 1.5, 5.0])
    grid, first_density, second_density, spacing = densities(first, second)
    for sample, density in ((first, first_density), (second, second_density)):
        bandwidth = math.sqrt(((sample - sample.mean()) ** 2).sum() / (len(sample) - 1)) / len(sample) ** (1 / 5)
        expected = np.array([sum(NormalDist(x, bandwidth).pdf(y) for x in sample) for y in grid]) / len(sample)
        assert density == pytest.approx(expected, abs=0.01 * expected.max())
        assert density.sum() * spacing == pytest.approx(1)


def test_similarity_as_scipy_has_it() -> None:
    found = similarity(np.array([0.5, 1, 1.5, 4, 2]), np.array([1, 2, 2.5, 3, 6, 7]))
    # gaussian_kde of SciPy 1.17.1 with its own bandwidths, integrated by its quad from -12 to 20.
    assert found.overlap == pytest.approx(0.66812, abs=3e-4)
    assert found.divergence == pytest.approx(0.37333, abs=3e-4)


@pytest.mark.parametrize(("mean", "deviation"), [(11, 1), (10, 2), (12, 1.5)])
def test_similarity_of_gaussians(mean: float, deviation: float) -> None:
    found = similarity(normal(10, 1), normal(mean, deviation))
    # Smoothing a Gaussian adds the kernel's variance, a fifth root of the count squared below its own.
    widening = math.sqrt(1 + 4000 ** (-2 / 5))
    first, second = NormalDist(10, widening), NormalDist(mean, deviation * widening)
    divergence = (
        math.log(second.stdev / first.stdev)
        + (first.variance + (first.mean - second.mean) ** 2) / (2 * second.variance)
        - 1 / 2
    )
    assert found.overlap == pytest.approx(first.overlap(second), abs=0.005)
    assert found.divergence == pytest.approx(divergence, rel=0.03)


def test_the_same_sample_is_alike() -> None:
    sample = np.random.default_rng(1).gamma(2, size=300)
    found = similarity(sample, sample)
    assert found.overlap == pytest.approx(1)
    assert found.divergence == pytest.approx(0, abs=1e-12)


def test_samples_apart() -> None:
    found = similarity(normal(10, 1), normal(500, 1))
    assert found.overlap == pytest.approx(0, abs=1e-9)
    assert 100 < found.divergence < 1000


@pytest.mark.parametrize(("first", "second", "overlap"), [(0, 0, 1), (3, 3, 1), (1, 2, 0), (0, 5, 0)])
def test_samples_without_spread(first: float, second: float, overlap: float) -> None:
    found = similarity(np.full(4, first, float), np.full(5, second, float))
    assert found.overlap == pytest.approx(overlap, abs=1e-9)
    assert math.isfinite(found.divergence)
    assert (found.divergence < 1e-9) is bool(overlap)


def test_a_melody_is_not_compared_with_itself() -> None:
    within = np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    assert between_sets(within, np.ones((2, 3))).overlap == pytest.approx(1)
    assert between_sets(within, np.zeros((2, 3))).overlap == pytest.approx(0, abs=1e-9)


def test_halves_of_one_set() -> None:
    vectors = np.random.default_rng(1).normal(size=(120, 3))
    within = distances(vectors, vectors)
    found = between_halves(within, np.random.default_rng(7))
    assert found == between_halves(within, np.random.default_rng(7))
    assert found != between_halves(within, np.random.default_rng(8))
    assert 0.9 < found.overlap < 1
    assert 0 < found.divergence < 0.05


def test_halves_by_hand() -> None:
    # Two melodies at 0 and two at 1, split in two: as {0, 0} and {1, 1} the distances within are 0 and between 1,
    # otherwise all are 1 within, and half are 0 and half 1 between.
    vectors = np.array([[0.0], [0.0], [1.0], [1.0]])
    within = distances(vectors, vectors)
    apart = similarity(np.zeros(2), np.ones(4))
    mixed = similarity(np.ones(2), np.array([0.0, 1.0, 0.0, 1.0]))
    for seed in range(10):
        found = between_halves(within, np.random.default_rng(seed), splits=1)
        assert found in (apart, mixed)
