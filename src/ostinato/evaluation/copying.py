"""How much of a melody stands in a training set, whatever its pitch level.

A note is told by the interval that leads to it, in semitones, and its duration
in steps: the time to the next note's start, and for the last note as long as it
sounds. The first note has no interval, so N notes are N - 1 such pairs.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ostinato.evaluation.mgeval import notes_of
from ostinato.evaluation.repetition import Share
from ostinato.music.melody import MAX_PITCH, Melody

_INTERVALS = 2 * MAX_PITCH + 1


def interval_duration_pairs(melody: Melody) -> NDArray[np.int64]:
    """The (interval, duration) pairs of a melody of N notes, [max(N - 1, 0)], each as one number of 0 or more."""
    notes = notes_of(melody)
    intervals = np.diff(notes[:, 0])
    ends = np.append(notes[2:, 1], notes[-1:, 2])
    return (ends - notes[1:, 1]) * _INTERVALS + intervals + MAX_PITCH


def copied_runs(melodies: Sequence[Melody], training: Sequence[Melody]) -> list[NDArray[np.int64]]:
    """For each pair of each melody, how many pairs from it on stand in one training melody in this order.

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
        runs: of the melody, as `copied_runs` tells them.
    """
    return int(runs.max(initial=0))


def copied_ngrams(runs: NDArray[np.int64], n: int) -> Share:
    """Of the n-grams of pairs in a melody, those that stand in the training set.

    Args:
        runs: of the melody, as `copied_runs` tells them.
        n: pairs of an n-gram, at least 1.
    """
    starts = runs[: max(len(runs) - n + 1, 0)]
    return Share(int((starts >= n).sum()), len(starts))


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

    Pieces that are cut off by the end of the text stand before longer ones.
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
