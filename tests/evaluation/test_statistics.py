import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ostinato.evaluation.statistics import (
    FEATURES,
    Share,
    between_halves,
    between_sets,
    copied_ngrams,
    copied_runs,
    densities,
    distances,
    interval_duration_pairs,
    longest_run,
    notes_in_key,
    notes_of,
    pooled,
    repeated_bars,
    repeated_notes,
    similarity,
)
from ostinato.music.melody import Melody
from ostinato.music.notes import note_spans

# C for 2 steps, D for 4, C for 1, a rest of 1.
TUNE = notes_of(Melody([60, -2, 62, -2, -2, -2, 60, -1]))
# C, then the C above it for 20 steps, to the melody's end.
LEAP = notes_of(Melody([60, -2, -2, 72, *[-2] * 19]))

SCALE = Melody([60, -2, 62, -2, 64, -2, 65, -2])

EVENTS = st.lists(st.sampled_from([-2, -1, 60, 60, 62, 64]), max_size=30)
MELODIES = st.lists(EVENTS.map(Melody), max_size=6)


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


def bars(*events: list[int]) -> Melody:
    """Bars of four steps."""
    return Melody([event for bar in events for event in bar], steps_per_bar=4)


def test_shares() -> None:
    assert Share(1, 4).value == 0.25
    assert math.isnan(Share(0, 0).value)
    assert pooled([Share(1, 4), Share(2, 2)]) == Share(3, 6)
    assert pooled([]) == Share(0, 0)


def test_repeated_bars() -> None:
    held, empty = [60, -2, -2, -2], [-2, -2, -2, -2]
    melody = bars(held, held, empty, held, [62, -2, -2, -1], [62, -2])
    # Bars 1, 3 and 4 hold a note and have a bar before them; bar 1 equals it. The last one is no whole bar.
    assert repeated_bars(melody, 1) == Share(1, 3)
    # Bars 3 and 4 hold a note and have a bar two before; bar 3 equals it.
    assert repeated_bars(melody, 2) == Share(1, 2)
    assert repeated_bars(melody, 4) == Share(0, 1)
    assert repeated_bars(melody, 5) == Share(0, 0)


def test_a_bar_with_another_rest_is_another_bar() -> None:
    assert repeated_bars(bars([60, -2, -2, -2], [60, -2, -1, -2]), 1) == Share(0, 1)
    assert repeated_bars(bars([60, -2, -1, -2], [60, -2, -1, -2]), 1) == Share(1, 1)


def test_what_sounds_on_from_before_is_no_event_of_a_bar() -> None:
    # The 60 sounds on into the second bar; the third begins in silence.
    assert repeated_bars(bars([-2, -2, -2, 60], [-2, 62, -1, -2], [-2, 62, -1, -2]), 1) == Share(1, 2)


def test_bars_are_those_of_the_melodys_own_meter() -> None:
    events = [60, -2, 62, 60, -2, 62]
    assert repeated_bars(Melody(events, steps_per_bar=3), 1) == Share(1, 1)
    assert repeated_bars(Melody(events, steps_per_bar=2), 1) == Share(0, 2)


@pytest.mark.parametrize(
    ("events", "share"),
    [
        ([60, 60, 60, 60, 62], Share(0, 5)),
        ([60, 60, 60, 60, 60, 62, 62, 62, 62], Share(5, 9)),
        ([60, -1, 60, -2, 60, -1, 60, 60, 60], Share(6, 6)),
        ([60, 60, 60, 72, 60, 60], Share(0, 6)),
        ([-2], Share(0, 0)),
    ],
)
def test_repeated_notes(events: list[int], share: Share) -> None:
    assert repeated_notes(Melody(events)) == share


@pytest.mark.parametrize(
    ("pitches", "share"),
    [
        ([60, 62, 64, 65, 67, 69, 71], Share(7, 7)),  # C major
        ([57, 59, 60, 62, 64, 65, 67], Share(7, 7)),  # A minor
        ([62, 64, 66, 67, 69, 71, 73, 60], Share(7, 8)),  # D major and a C
        ([60, 61, 62, 63, 64], Share(3, 5)),  # no five neighbors have more than three notes of a major scale
        ([61, 61, 61], Share(3, 3)),
    ],
)
def test_notes_in_key(pitches: list[int], share: Share) -> None:
    assert notes_in_key(Melody(pitches)) == share


def plain_pairs(melody: Melody) -> list[tuple[int, int]]:
    """Interval and duration of each note from the second on."""
    spans = note_spans(melody)
    starts = [start for _, start, _ in spans[1:]] + [end for _, _, end in spans[-1:]]
    return [(spans[note][0] - spans[note - 1][0], starts[note] - spans[note][1]) for note in range(1, len(spans))]


def plain_runs(melody: Melody, training: Sequence[Melody]) -> list[int]:
    """What `copied_runs` finds, by trying everything."""
    known = set()
    for each in training:
        pairs = plain_pairs(each)
        known |= {tuple(pairs[i:j]) for i in range(len(pairs)) for j in range(i + 1, len(pairs) + 1)}
    pairs = plain_pairs(melody)
    return [
        max(
            [length for length in range(1, len(pairs) - start + 1) if tuple(pairs[start : start + length]) in known]
            or [0]
        )
        for start in range(len(pairs))
    ]


def test_pairs() -> None:
    pairs = interval_duration_pairs(Melody([60, -2, 62, -1, -2, 62, 55, -2, -2, -1, -2]))
    # Up 2 for 3 steps, though it sounds for 1; the same again for 1; down 7, sounding for 3.
    assert len(pairs) == 3
    same = interval_duration_pairs(Melody([40, 42, -2, -2, 42, 35, -2, -2]))
    assert pairs.tolist() == same.tolist()
    assert interval_duration_pairs(Melody([60, -2])).tolist() == []
    assert interval_duration_pairs(Melody([])).tolist() == []


def test_different_pairs_are_different_numbers() -> None:
    numbers = {
        int(interval_duration_pairs(Melody([low, high, *[-2] * duration]))[0])
        for low in (0, 1, 127)
        for high in (0, 126, 127)
        for duration in (0, 1, 400)
    }
    # Intervals of 0 three times over (0 to 0 and 127 to 127 are two of them), 126 twice.
    intervals = {high - low for low in (0, 1, 127) for high in (0, 126, 127)}
    assert len(numbers) == 3 * len(intervals)
    assert min(numbers) >= 0


def test_a_copy_at_another_pitch() -> None:
    copy = Melody([72, -2, -2, -2, 74, -2, 76, -2, 77, -2, 79])  # its first note is longer, and it goes on
    (runs,) = copied_runs([copy], [Melody([60, 61]), SCALE])
    assert runs.tolist() == [3, 2, 1, 0]
    assert longest_run(runs) == 3
    # 2-grams: (2, 2)(2, 2) and (2, 2)(1, 2) are known, (1, 2)(2, 1) is not.
    assert copied_ngrams(runs, 2) == Share(2, 3)
    assert copied_ngrams(runs, 4) == Share(0, 1)
    assert copied_ngrams(runs, 5) == Share(0, 0)


def test_a_run_stays_within_one_training_melody() -> None:
    first, second = Melody([60, 62, 64]), Melody([60, 61, 60])
    (runs,) = copied_runs([Melody([60, 62, 64, 65, 64])], [first, second])
    assert runs.tolist() == [2, 1, 2, 1]


def test_another_rhythm_is_no_copy() -> None:
    (runs,) = copied_runs([Melody([60, 62, 64, 65])], [SCALE])
    assert runs.tolist() == [0, 0, 0]


def test_nothing_to_copy_from() -> None:
    assert copied_runs([], []) == []
    assert [runs.tolist() for runs in copied_runs([SCALE, Melody([])], [])] == [[0, 0, 0], []]
    assert copied_runs([], [SCALE]) == []
    assert longest_run(np.array([], np.int64)) == 0


def test_long_repetitions() -> None:
    training, melody = Melody([60] * 300), Melody([64] * 200)
    (runs,) = copied_runs([melody], [training])
    assert runs.tolist() == list(range(199, 0, -1))


@given(MELODIES, MELODIES)
def test_against_trying_everything(melodies: list[Melody], training: list[Melody]) -> None:
    found = copied_runs(melodies, training)
    assert [runs.tolist() for runs in found] == [plain_runs(melody, training) for melody in melodies]
    known = [plain_pairs(melody) for melody in training]
    for runs, melody in zip(found, melodies, strict=True):
        for n in (1, 2, 4):
            ngrams = {tuple(pairs[start : start + n]) for pairs in known for start in range(len(pairs) - n + 1)}
            pairs = plain_pairs(melody)
            asked = [tuple(pairs[start : start + n]) for start in range(len(pairs) - n + 1)]
            assert copied_ngrams(runs, n) == Share(sum(each in ngrams for each in asked), len(asked))
