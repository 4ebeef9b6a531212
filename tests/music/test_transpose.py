import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.errors import SettingsError
from ostinato.music.melody import Melody
from ostinato.music.transpose import major_key, squash, transpose

MELODIES = st.lists(st.integers(-2, 127), max_size=30).map(Melody)


def test_the_key_is_the_one_that_most_notes_fit() -> None:
    assert major_key([67, 69, 71, 72, 74, 76, 78]) == 7  # G major
    assert major_key([61, 63, 65, 66, 68, 70, 72]) == 1  # D flat major
    assert major_key([60]) == 0  # C is in seven keys, C major the lowest of them
    assert major_key([61]) == 1
    assert major_key([]) == 0


def test_transposing_moves_notes_only() -> None:
    melody = Melody([60, -2, -1, 62], start_step=16, steps_per_bar=12)
    assert transpose(melody, 3) == Melody([63, -2, -1, 65], start_step=16, steps_per_bar=12)
    assert transpose(melody, 0) is melody


@pytest.mark.parametrize(("semitones", "bounds"), [(-2, r"-1\.\.125"), (1, r"2\.\.128")])
def test_notes_do_not_leave_midi(semitones: int, bounds: str) -> None:
    with pytest.raises(SettingsError, match=bounds):
        transpose(Melody([1, 127]), semitones)


def test_squash_goes_to_the_key_and_to_the_middle() -> None:
    # G major, so 7 down; the middle 72.5 becomes 65.5, which is already nearest to 65.5.
    melody, semitones = squash(Melody([67, 69, 71, 72, -2, 74, 76, 78, -1], 32, 12), 48, 84, 0)
    assert semitones == -7
    assert melody == Melody([60, 62, 64, 65, -2, 67, 69, 71, -1], 32, 12)


def test_half_an_octave_goes_to_the_even_one() -> None:
    # All seven notes of C major, 48 to 71: the middle is 59.5, exactly half an octave below 65.5. Half of one
    # octave rounds to none; 12 lower it is one and a half octaves, which rounds to two.
    scale = [48, 50, 52, 53, 55, 57, 71]
    assert squash(Melody(scale), 48, 84, 0)[1] == 0
    assert squash(Melody([pitch - 12 for pitch in scale]), 48, 84, 0)[1] == 24


def test_stray_notes_are_folded_in_by_octaves() -> None:
    melody, semitones = squash(Melody([40, 60, 95, 83, 84, 47]), 48, 84, None)
    assert semitones == 0
    assert list(melody) == [52, 60, 83, 83, 72, 59]


def test_nothing_to_move() -> None:
    silence = Melody([-2, -2])
    assert squash(silence, 48, 84, 0) == (silence, 0)
    assert squash(Melody([]), 48, 84, 0) == (Melody([]), 0)


@given(MELODIES, st.one_of(st.none(), st.integers(0, 11)))
def test_squash_keeps_the_rhythm_and_stays_in_range(melody: Melody, key: int | None) -> None:
    squashed, semitones = squash(melody, 48, 84, key)
    assert all(48 <= pitch < 84 for pitch in squashed.pitches)
    for before, after in zip(melody, squashed, strict=True):
        assert after == before if before < 0 else (after - before - semitones) % 12 == 0
