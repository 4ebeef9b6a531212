"""Which melodies are kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.generation.ranking import difference, most_likely, most_varied
from ostinato.music.melody import Melody

SCALE = Melody([60, -2, 62, -2, 64, -2])
MELODIES = st.lists(st.lists(st.integers(-2, 127), max_size=12).map(Melody), min_size=1, max_size=6)


def test_the_likeliest_come_first_and_ties_in_order() -> None:
    assert most_likely([-2.0, -1.0, -3.0, -1.0], 3) == [1, 3, 0]
    assert most_likely([-2.0], 1) == [0]


def test_differences_worked_by_hand() -> None:
    # Moves (2, 2) twice and their one pair, whatever the key, the rests and the end.
    assert difference(SCALE, Melody([65, -1, 67, -2, 69, -1, -2, -2])) == 0
    # Half as many steps: nothing in common.
    assert difference(SCALE, Melody([60, 62, 64])) == 1
    # SCALE: (2,2) (2,2) and their pair: 3 grams. The other: (2,2) (-2,2) and their pair. One of five is in both.
    assert difference(SCALE, Melody([60, -2, 62, -2, 60])) == pytest.approx(4 / 5)
    # One note more: moves 2 of 3, pairs 1 of 2, triples 0 of 1: three of six.
    assert difference(SCALE, Melody([60, -2, 62, -2, 64, -2, 66])) == pytest.approx(1 / 2)


def test_without_moves_nothing_differs() -> None:
    assert difference(Melody([60, -2]), Melody([-2, -2])) == 0
    assert difference(Melody([60, -2]), SCALE) == 1


def test_the_most_varied_worked_by_hand() -> None:
    up, same, down, half = SCALE, Melody([50, -2, 52, -2, 54]), Melody([60, -2, 62, -2, 60]), Melody([60, 62, 64])
    assert most_varied([up, same, down, half], 1) == [0]
    # `half` differs wholly from `up`, `down` by 4/5, `same` not at all.
    assert most_varied([up, same, down, half], 4) == [0, 3, 2, 1]


@given(MELODIES, st.integers(1, 8))
def test_as_many_are_kept_as_asked_none_twice(melodies: list[Melody], count: int) -> None:
    kept = most_varied(melodies, count)
    assert len(kept) == len(set(kept)) == min(count, len(melodies))
    assert set(kept) <= set(range(len(melodies)))


@given(MELODIES)
def test_differences_are_symmetric_shares(melodies: list[Melody]) -> None:
    for melody in melodies:
        assert difference(melodies[0], melody) == difference(melody, melodies[0])
        assert 0 <= difference(melodies[0], melody) <= 1
        assert difference(melody, melody) == 0
