"""Which of many melodies to keep: the likeliest, or those that differ most."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from ostinato.music.melody import MIN_PITCH, Melody

_LONGEST_GRAM = 3  # moves, which is four notes

_Grams = Counter[tuple[tuple[int, int], ...]]


def most_likely(mean_log_likelihoods: Sequence[float], count: int) -> list[int]:
    """The places of the melodies that a model holds likeliest, the likeliest first; of equals the earlier."""
    places = range(len(mean_log_likelihoods))
    return sorted(places, key=lambda place: -mean_log_likelihoods[place])[:count]


def most_varied(melodies: Sequence[Melody], count: int) -> list[int]:
    """The places of melodies that differ much from each other.

    It begins with the first one. Then comes, again and again, the one whose
    nearest neighbour among those kept is furthest; of equals the earlier.
    """
    grams = [_grams(melody) for melody in melodies]
    kept = [0]
    nearest = [_distance(grams[0], other) for other in grams]
    while len(kept) < min(count, len(melodies)):
        chosen = max((place for place in range(len(melodies)) if place not in kept), key=nearest.__getitem__)
        kept.append(chosen)
        nearest = [min(near, _distance(grams[chosen], other)) for near, other in zip(nearest, grams, strict=True)]
    return kept


def difference(one: Melody, other: Melody) -> float:
    """How much two melodies differ, from 0 to 1, wherever they lie.

    A melody is taken as its moves from note to note: the interval in semitones
    and the steps from start to start. Runs of one, two and three moves are
    counted in both melodies, and compared by the weighted Jaccard distance: 1 -
    (what both have) / (what either has).
    """
    return _distance(_grams(one), _grams(other))


def _grams(melody: Melody) -> _Grams:
    notes = [(step, event) for step, event in enumerate(melody) if event >= MIN_PITCH]
    moves = [(to - pitch, end - start) for (start, pitch), (end, to) in pairwise(notes)]
    return Counter(
        tuple(moves[at : at + length])
        for length in range(1, _LONGEST_GRAM + 1)
        for at in range(len(moves) - length + 1)
    )


def _distance(one: _Grams, other: _Grams) -> float:
    either = (one | other).total()
    return 1 - (one & other).total() / either if either else 0.0
