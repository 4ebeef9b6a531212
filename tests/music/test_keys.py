"""Keys and notes by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.errors import SettingsError
from ostinato.music.keys import MODES, parse_key, parse_note
from ostinato.music.melody import Melody, pitch_name
from ostinato.music.transpose import MAJOR_KEYS


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


@pytest.mark.parametrize("text", ["", "H", "C majr", "H minor", "C#b", "Cmm", "minor", "60", "C4", "C\nmajor x", "💥"])
def test_what_is_no_key_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(SettingsError, match="write a tonic and a mode, as C, Am") as caught:
        parse_key(text)
    assert "\n" not in str(caught.value)


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
    with pytest.raises(SettingsError, match=r"is no note; write a MIDI number 0\.\.127"):
        parse_note(text)
