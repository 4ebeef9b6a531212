"""Keys and notes by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.errors import SettingsError
from ostinato.music.keys import MAJOR_KEYS, MODES, major_key, parse_key, parse_note, squash, transpose
from ostinato.music.melody import Melody, pitch_name


@pytest.mark.parametrize(
    ("text", "name", "pitch_classes", "parent_major"),
    [
        ("C", "C major", {0, 2, 4, 5, 7, 9, 11}, 0),
        ("c", "C major", {0, 2, 4, 5, 7, 9, 11}, 0),
        ("CM", "C major", {0, 2, 4, 5, 7, 9, 11}, 0),
        ("Am", "A minor", {9, 11, 0, 2, 4, 5, 7}, 0),
        ("am", "A minor", {9, 11, 0, 2, 4, 5, 7}, 0),
        ("A minor", "A minor", {9, 11, 0, 2, 4, 5, 7}, 0),
        ("D dorian", "D dorian", {2, 4, 5, 7, 9, 11, 0}, 0),
        ("F# minor", "F# minor", {6, 8, 9, 11, 1, 2, 4}, 9),
        ("f#m", "F# minor", {6, 8, 9, 11, 1, 2, 4}, 9),
        ("Bb mixolydian", "Bb mixolydian", {10, 0, 2, 3, 5, 7, 8}, 3),
        ("e phrygian", "E phrygian", {4, 5, 7, 9, 11, 0, 2}, 0),
        ("E-Phrygian", "E phrygian", {4, 5, 7, 9, 11, 0, 2}, 0),
        ("F lydian", "F lydian", {5, 7, 9, 11, 0, 2, 4}, 0),
        ("B locrian", "B locrian", {11, 0, 2, 4, 5, 7, 9}, 0),
        ("bb", "Bb major", {10, 0, 2, 3, 5, 7, 9}, 10),
        ("b", "B major", {11, 1, 3, 4, 6, 8, 10}, 11),
        ("B♭ ionian", "Bb major", {10, 0, 2, 3, 5, 7, 9}, 10),
        ("Cb", "Cb major", {11, 1, 3, 4, 6, 8, 10}, 11),
        ("F## aeolian", "F## minor", {7, 9, 10, 0, 2, 3, 5}, 10),
        ("A harmonic minor", "A harmonic minor", {9, 11, 0, 2, 4, 5, 8}, 0),
        ("D melodic_minor", "D melodic minor", {2, 4, 5, 7, 9, 11, 1}, 5),
        ("G pentatonic", "G major pentatonic", {7, 9, 11, 2, 4}, 7),
        ("E minor pentatonic", "E minor pentatonic", {4, 7, 9, 11, 2}, 7),
        ("E pentatonic minor", "E minor pentatonic", {4, 7, 9, 11, 2}, 7),
        ("A blues", "A blues", {9, 0, 2, 3, 4, 7}, 0),
        ("C major blues", "C major blues", {0, 2, 3, 4, 7, 9}, 0),
        ("  D   MAJOR  ", "D major", {2, 4, 6, 7, 9, 11, 1}, 2),
    ],
)
def test_keys_by_hand(text: str, name: str, pitch_classes: set[int], parent_major: int) -> None:
    key = parse_key(text)
    assert str(key) == key.name == name
    assert key.pitch_classes == pitch_classes
    assert key.parent_major == parent_major
    assert parse_key(key.name) == key


@pytest.mark.parametrize("mode", ["major", "dorian", "phrygian", "lydian", "mixolydian", "minor", "locrian"])
@pytest.mark.parametrize("tonic", ["C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"])
def test_a_mode_has_the_notes_of_its_parent_major(tonic: str, mode: str) -> None:
    key = parse_key(f"{tonic} {mode}")
    assert key.tonic in key.pitch_classes
    assert key.pitch_classes == set(MAJOR_KEYS[:, key.parent_major].nonzero()[0].tolist())


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_is_read_by_its_name(mode: str) -> None:
    assert parse_key(f"Eb {mode}").name == f"Eb {mode}"
    assert parse_key(f"eb{mode}").name == f"Eb {mode}"


@pytest.mark.parametrize("text", ["", "H", "H minor", "C#b", "Cmm", "minor", "60", "C4", "💥"])
def test_what_is_no_key_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(SettingsError, match="write a tonic and a mode, such as C, Am") as caught:
        parse_key(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "meant"), [("C majr", "C major"), ("eb dorain", "Eb dorian"), ("C\nmajor x", "C major")]
)
def test_a_mode_that_is_nearly_one_is_named(text: str, meant: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_key(text)
    assert str(caught.value) == f"there is no key {text!r}; did you mean {meant}?"


@given(st.text(max_size=20))
def test_any_text_is_a_key_or_refused(text: str) -> None:
    try:
        key = parse_key(text)
    except SettingsError:
        return
    assert key.pitch_classes <= set(range(12))
    assert len(key.pitch_classes) >= 5


@given(st.integers(0, 127))
def test_a_note_is_read_back_from_its_name_and_its_number(pitch: int) -> None:
    assert parse_note(pitch_name(pitch)) == parse_note(str(pitch)) == parse_note(pitch_name(pitch).lower()) == pitch
    assert Melody([parse_note(f" {pitch} ")]).pitches == (pitch,)


def test_notes_by_hand() -> None:
    names = {
        "C4": 60,
        "B#3": 60,
        "Cb4": 59,
        "Eb3": 51,
        "e♭3": 51,
        "A0": 21,
        "C-1": 0,
        "G9": 127,
        "F##4": 67,
        "Abb4": 67,
    }
    assert {name: parse_note(name) for name in names} == names


@pytest.mark.parametrize("text", ["", "H4", "C", "C44", "-1", "128", "G#9", "Cb-1", "60.5", "C 4", "٦٠", "4C"])
def test_what_is_no_note_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=r"is not a note; write a MIDI number in 0\.\.127"):
        parse_note(text)


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
