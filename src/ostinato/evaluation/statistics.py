"""What melodies are like: their MGEval features, how alike two sets are, how much they repeat and copy.

The features and the likeness of sets are those of Li-Chia Yang and Alexander
Lerch, "On the evaluation of generative models in music", Neural Computing and
Applications 32 (2020), 4773-4784. A melody becomes a vector for each feature;
two sets are compared by the Euclidean distances between their vectors. The
distances within one set and those between the sets are each smoothed to a
density, and the two densities compared by the area under both and by the
Kullback-Leibler divergence. docs/explanation/comparison.md says where we depart
from the authors' program.

Copies are found at any pitch level: a note is known by the interval that leads
to it, in semitones, and its duration in steps: the time to the next note's
start, and for the last note as long as it sounds. The first
note has no interval, so N notes are N - 1 such pairs.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato.music.melody import MAX_PITCH, MIN_PITCH, NOTES_PER_OCTAVE, Melody
from ostinato.music.meter import STEPS_PER_BAR
from ostinato.music.notes import note_spans

LENGTH_CLASSES = STEPS_PER_BAR
"""Note lengths of 1, 2, ... 15 steps have a class each; all from 16 on share one."""

_BANDWIDTHS_BEYOND = 5  # what the grid shows on either side of the data; beyond lies a mass of some 1e-7
_POINTS_PER_BANDWIDTH = 8
_LEAST_BANDWIDTH = 1 / 400  # of the largest distance: samples without spread are drawn this wide
_LEAST_PROBABILITY = 1e-300  # keeps logarithms finite
MOST_REPEATS = 4
"""A note played more often than this in a row counts as repeated too often."""

_MAJOR_SCALE = (0, 2, 4, 5, 7, 9, 11)
# [12, 12]: row k says which pitch classes the major key on pitch class k has.
_MAJOR_KEYS = np.array(
    [[(note - tonic) % NOTES_PER_OCTAVE in _MAJOR_SCALE for note in range(12)] for tonic in range(12)]
)
_INTERVALS = 2 * MAX_PITCH + 1

Notes = NDArray[np.int64]
"""[N, 3]: pitch, start step and end step (not included) of each note, in order."""
Features = NDArray[np.float64]
"""[B, D]: a vector for each of B melodies."""


def notes_of(melody: Melody) -> Notes:
    """The notes of a melody; one that never ends sounds to the end of the melody."""
    return np.array(note_spans(melody), np.int64).reshape(-1, 3)


def pitch_class_histogram(notes: Notes) -> NDArray[np.float64]:
    """[12], sums to 1: share of the sounding time that each pitch class has, C first."""
    return _shares(np.bincount(notes[:, 0] % NOTES_PER_OCTAVE, _lengths(notes), NOTES_PER_OCTAVE))


def pitch_class_transitions(notes: Notes) -> NDArray[np.float64]:
    """[144], sums to 1: share of the steps from note to note that go from one pitch class to another, row by row."""
    return _transitions(notes[:, 0] % NOTES_PER_OCTAVE, NOTES_PER_OCTAVE)


def note_length_histogram(notes: Notes) -> NDArray[np.float64]:
    """[16], sums to 1: share of the notes that sound for 1, 2, ... 15, and 16 or more steps."""
    return _shares(np.bincount(_length_classes(notes), minlength=LENGTH_CLASSES))


def note_length_transitions(notes: Notes) -> NDArray[np.float64]:
    """[256], sums to 1: share of the steps from note to note that go from one length to another, row by row."""
    return _transitions(_length_classes(notes), LENGTH_CLASSES)


def pitch_range(notes: Notes) -> NDArray[np.float64]:
    """[1]: semitones from the lowest to the highest note."""
    return np.array([np.ptp(notes[:, 0])], np.float64)


def mean_interval(notes: Notes) -> NDArray[np.float64]:
    """[1]: mean size of the intervals from note to note, in semitones."""
    return np.array([np.abs(np.diff(notes[:, 0])).mean()])


def mean_inter_onset_interval(notes: Notes) -> NDArray[np.float64]:
    """[1]: mean time from a note's start to the next one's, in steps."""
    return np.array([np.diff(notes[:, 1]).mean()])


def note_count(notes: Notes) -> NDArray[np.float64]:
    """[1]: number of notes."""
    return np.array([len(notes)], np.float64)


def pitch_count(notes: Notes) -> NDArray[np.float64]:
    """[1]: number of different pitches."""
    return np.array([len(np.unique(notes[:, 0]))], np.float64)


def pitch_class_count(notes: Notes) -> NDArray[np.float64]:
    """[1]: number of different pitch classes."""
    return np.array([len(np.unique(notes[:, 0] % NOTES_PER_OCTAVE))], np.float64)


FEATURES: Mapping[str, Callable[[Notes], NDArray[np.float64]]] = MappingProxyType(
    {
        "pitch-class histogram": pitch_class_histogram,
        "pitch-class transitions": pitch_class_transitions,
        "note-length histogram": note_length_histogram,
        "note-length transitions": note_length_transitions,
        "pitch range": pitch_range,
        "mean interval": mean_interval,
        "mean inter-onset interval": mean_inter_onset_interval,
        "notes": note_count,
        "pitches": pitch_count,
        "pitch classes": pitch_class_count,
    }
)
"""The features by name. Each takes the notes, at least 2, of one melody."""


@dataclass(frozen=True, slots=True)
class Similarity:
    """How alike two sets of distances are.

    Attributes:
        overlap: area under both densities, from 0 to 1 for equal ones.
        divergence: Kullback-Leibler divergence of the second from the first, in nats, from 0 for equal ones.
    """

    overlap: float
    divergence: float


def distances(first: Features, second: Features) -> NDArray[np.float64]:
    """Euclidean distances between the vectors of two sets, [B1, B2]."""
    return np.array([np.linalg.norm(second - vector, axis=1) for vector in first])


def between_sets(within_first: NDArray[np.float64], second_to_first: NDArray[np.float64]) -> Similarity:
    """MGEval's comparison of two sets: the distances within the first and those between both.

    Args:
        within_first: [B1, B1], distances within the first set; those of a melody to itself are ignored.
        second_to_first: [B2, B1], distances between the sets.
    """
    others = ~np.eye(len(within_first), dtype=bool)
    return similarity(within_first[others], second_to_first.ravel())


def between_halves(within: NDArray[np.float64], rng: np.random.Generator, splits: int = 10) -> Similarity:
    """What a set scores against itself: `between_sets` of two random halves, averaged over some splits.

    Args:
        within: [B, B], distances within the set, of at least 4 melodies.
        rng: how to split.
        splits: how many times.
    """
    found = []
    for _ in range(splits):
        order = rng.permutation(len(within))
        first, second = np.array_split(order, 2)
        found.append(between_sets(within[np.ix_(first, first)], within[np.ix_(second, first)]))
    return Similarity(
        math.fsum(each.overlap for each in found) / splits, math.fsum(each.divergence for each in found) / splits
    )


def similarity(first: NDArray[np.float64], second: NDArray[np.float64]) -> Similarity:
    """Compare the densities of two samples.

    The divergence of `second` from `first` is the mean, over `first`, of the
    logarithm of the densities' ratio.

    Args:
        first: at least 2 numbers of 0 or more.
        second: at least 2 too.
    """
    _, first_density, second_density, spacing = densities(first, second)
    first_mass, second_mass = first_density * spacing, second_density * spacing
    ratio = np.maximum(first_mass, _LEAST_PROBABILITY) / np.maximum(second_mass, _LEAST_PROBABILITY)
    return Similarity(
        min(float(np.minimum(first_mass, second_mass).sum()), 1.0), max(float(first_mass @ np.log(ratio)), 0.0)
    )


def densities(
    first: NDArray[np.float64], second: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float]:
    """Gaussian kernel density estimates of two samples on one grid that holds both with their tails.

    The bandwidth of each is Scott's: its standard deviation divided by the
    fifth root of its size, and at least a 400th of the largest number.

    Args:
        first: at least 2 numbers of 0 or more.
        second: at least 2 too.

    Returns:
        The grid [G], both densities [G], and the grid's spacing; each density times the spacing sums to 1.
    """
    largest = max(first.max(), second.max())
    least = _LEAST_BANDWIDTH * largest if largest > 0 else 1.0
    bandwidths = [max(float(sample.std(ddof=1)) * len(sample) ** -0.2, least) for sample in (first, second)]
    margin = _BANDWIDTHS_BEYOND * max(bandwidths)
    low, high = min(first.min(), second.min()) - margin, largest + margin
    grid = np.linspace(low, high, math.ceil((high - low) / min(bandwidths) * _POINTS_PER_BANDWIDTH) + 1)
    spacing = float(grid[1] - grid[0])
    estimates = [
        _density((sample - low) / spacing, len(grid), bandwidth / spacing) / spacing
        for sample, bandwidth in zip((first, second), bandwidths, strict=True)
    ]
    return grid, estimates[0], estimates[1], spacing


class Share(NamedTuple):
    """A part of a whole, both as counts."""

    part: int
    whole: int

    @property
    def value(self) -> float:
        """From 0 to 1; NaN if the whole is 0."""
        return self.part / self.whole if self.whole else math.nan


def pooled(shares: Iterable[Share]) -> Share:
    """All parts of all wholes: everything counted weighs the same, in any melody."""
    counted = list(shares)
    return Share(sum(share.part for share in counted), sum(share.whole for share in counted))


def repeated_bars(melody: Melody, bars_ago: int) -> Share:
    """Of the bars in which a note starts, those equal to the bar `bars_ago` bars before.

    A bar is `steps_per_bar` steps of the melody, counted from its beginning;
    leftover steps at its end are ignored, and so are bars without a bar that far
    before them. Two bars are equal if their events are, step by step: the same
    pitches start and the same note-offs happen at the same places. A note that
    sounds on into a bar is not an event of that bar.

    Args:
        melody: in its own meter.
        bars_ago: 1 for the bar just before.
    """
    size = melody.steps_per_bar
    bars = [melody.events[start : start + size] for start in range(0, len(melody) - size + 1, size)]
    pairs = [(bar, earlier) for bar, earlier in zip(bars[bars_ago:], bars, strict=False) if max(bar) >= MIN_PITCH]
    return Share(sum(bar == earlier for bar, earlier in pairs), len(pairs))


def repeated_notes(melody: Melody) -> Share:
    """Of the notes, those in a row of more than four of one pitch; rests between them do not matter."""
    rows = [len(list(row)) for _, row in groupby(melody.pitches)]
    return Share(sum(row for row in rows if row > MOST_REPEATS), sum(rows))


def notes_in_key(melody: Melody) -> Share:
    """Of the notes, those in the major key that contains the most; a natural minor key is its relative major."""
    classes = np.bincount([pitch % NOTES_PER_OCTAVE for pitch in melody.pitches], minlength=NOTES_PER_OCTAVE)
    return Share(int((_MAJOR_KEYS @ classes).max()), int(classes.sum()))


def interval_duration_pairs(melody: Melody) -> NDArray[np.int64]:
    """The (interval, duration) pairs of a melody of N notes, [max(N - 1, 0)], each as one number of 0 or more."""
    notes = notes_of(melody)
    intervals = np.diff(notes[:, 0])
    ends = np.append(notes[2:, 1], notes[-1:, 2])
    return (ends - notes[1:, 1]) * _INTERVALS + intervals + MAX_PITCH


def copied_runs(melodies: Sequence[Melody], training: Sequence[Melody]) -> list[NDArray[np.int64]]:
    """For each pair of each melody, how many pairs from it on occur in this order in one training melody.

    Args:
        melodies: what to look for.
        training: where.

    Returns:
        For each melody an array with one number for each of its pairs.
    """
    known = [interval_duration_pairs(melody) for melody in training]
    asked = [interval_duration_pairs(melody) for melody in melodies]
    # A mark that occurs nowhere else ends each melody, so that nothing equal reaches beyond one.
    marked = [np.append(pairs, -1 - number) for number, pairs in enumerate([*known, *asked])]
    lengths = [len(pairs) for pairs in marked]
    lengths_known, lengths_asked = lengths[: len(known)], lengths[len(known) :]
    matches = _longest_matches(np.concatenate(marked), sum(lengths_known)) if marked else np.array([], np.int64)
    return [part[:-1] for part in np.split(matches, np.cumsum(lengths_asked))[:-1]]


def longest_run(runs: NDArray[np.int64]) -> int:
    """The longest copied run of a melody, in pairs.

    Args:
        runs: of the melody, as `copied_runs` gives them.
    """
    return int(runs.max(initial=0))


def copied_ngrams(runs: NDArray[np.int64], n: int) -> Share:
    """Of the n-grams of pairs in a melody, those that occur in the training set.

    Args:
        runs: of the melody, as `copied_runs` gives them.
        n: pairs of an n-gram, at least 1.
    """
    starts = runs[: max(len(runs) - n + 1, 0)]
    return Share(int((starts >= n).sum()), len(starts))


def _density(places: NDArray[np.float64], points: int, bandwidth: float) -> NDArray[np.float64]:
    """Mass at each of some points, summing to 1, of numbers that lie among them; the unit is the points' distance."""
    # Each number is shared between the two nearest points, in the way that keeps its place; the sum of Gaussians
    # is then one convolution, whose cost does not grow with the numbers.
    below = np.minimum(places.astype(np.int64), points - 2)
    above_share = places - below
    mass = np.bincount(below, 1 - above_share, points) + np.bincount(below + 1, above_share, points)
    first, last = np.flatnonzero(mass)[[0, -1]].tolist()
    kernel = np.exp(-0.5 * (np.arange(-last, points - first) / bandwidth) ** 2)
    return _shares(np.convolve(kernel, mass[first : last + 1], "valid"))


def _shares(counts: NDArray[np.number]) -> NDArray[np.float64]:
    return np.asarray(counts / counts.sum(), np.float64)


def _lengths(notes: Notes) -> NDArray[np.int64]:
    return notes[:, 2] - notes[:, 1]


def _length_classes(notes: Notes) -> NDArray[np.int64]:
    return np.minimum(_lengths(notes), LENGTH_CLASSES) - 1


def _transitions(classes: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    return _shares(np.bincount(classes[:-1] * count + classes[1:], minlength=count * count))


def _longest_matches(text: NDArray[np.int64], num_known: int) -> NDArray[np.int64]:
    """For each place from `num_known` on, the length of the longest piece from there that begins before `num_known`.

    All suffixes of the text are sorted by prefix doubling (Manber and Myers,
    1993). The longest match of a suffix is with its nearest known neighbor
    above or below, and its length is read off the ranks: all exact, no hashing.

    Args:
        text: [T]; equal pieces must not reach its end.
        num_known: of them.
    """
    ranks = _ranks_by_width(text)
    size = len(text)
    order = np.empty(size, np.int64)
    order[ranks[-1]] = np.arange(size)
    is_known = order < num_known
    rows = np.arange(size)
    above = np.maximum.accumulate(np.where(is_known, rows, -1))
    below = np.minimum.accumulate(np.where(is_known, rows, size)[::-1])[::-1]
    asked = np.arange(num_known, size)
    asked_rows = ranks[-1][asked]
    matches = np.zeros(len(asked), np.int64)
    for neighbor in (above[asked_rows], below[asked_rows]):
        exists = (neighbor >= 0) & (neighbor < size)
        common = _common_prefixes(ranks, asked[exists], order[neighbor[exists]])
        matches[exists] = np.maximum(matches[exists], common)
    return matches


def _ranks_by_width(text: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The rank of each piece of 1, 2, 4, ... symbols among all of that width, until no two are equal.

    Pieces that are cut off by the end of the text come before longer ones.
    """
    ranks = [np.unique(text, return_inverse=True)[1].astype(np.int64)]
    while ranks[-1].max(initial=-1) + 1 < len(text):
        width = 1 << (len(ranks) - 1)
        seconds = np.zeros_like(ranks[-1])
        seconds[:-width] = ranks[-1][width:] + 1
        pairs = ranks[-1] * (len(text) + 1) + seconds
        ranks.append(np.unique(pairs, return_inverse=True)[1].astype(np.int64))
    return ranks


def _common_prefixes(
    ranks: list[NDArray[np.int64]], first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.int64]:
    """How many symbols the pieces at `first` [Q] and `second` [Q] have in common from their beginnings on, [Q]."""
    common = np.zeros(len(first), np.int64)
    for power in reversed(range(len(ranks))):
        equal = ranks[power][first + common] == ranks[power][second + common]
        common += equal.astype(np.int64) << power
    return common
