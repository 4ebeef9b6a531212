"""The way into a model's key and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.encodings import OneHotEncoding
from ostinato.generation.transposition import (
    heard_events,
    heard_table,
    opening_notes,
    primer_into_model,
    semitones_without_primer,
)
from ostinato.music.keys import parse_key
from ostinato.music.melody import Melody

IN_C = OneHotEncoding(48, 84, 0)
IN_D = OneHotEncoding(48, 84, 2)
OF_ALL_KEYS = OneHotEncoding(0, 128, None)


@pytest.mark.parametrize(
    ("key", "primer", "semitones"),
    [
        # D alone would be taken for C major's, the lowest of the keys it fits.
        (None, [62], 0),
        ("D", [62], -2),
        ("Bm", [62], -2),
        ("E dorian", [62], -2),
        ("Eb", [62], 9),  # 71 is nearer to the middle, 65.5, than 59
        ("A", [62], 3),
        # Down an octave too, to where the model is at home.
        ("D", [86], -26),
        ("D", [86, 62], -14),
    ],
)
def test_a_primer_goes_from_the_named_key(key: str | None, primer: list[int], semitones: int) -> None:
    moved, up = primer_into_model(Melody(primer), IN_C, parse_key(key) if key else None)
    assert up == semitones
    assert list(moved) == [pitch + semitones for pitch in primer]


def test_a_model_of_another_key_and_one_of_all_keys() -> None:
    assert primer_into_model(Melody([60]), IN_D, parse_key("C"))[1] == 2
    assert primer_into_model(Melody([60, 90]), OF_ALL_KEYS, parse_key("D")) == (Melody([60, 90]), 0)
    assert primer_into_model(Melody([-2]), IN_C, parse_key("D")) == (Melody([-2]), 0)


@given(st.lists(st.integers(-2, 127), max_size=12).map(Melody), st.integers(0, 11))
def test_a_named_key_that_the_notes_tell_changes_nothing(primer: Melody, up: int) -> None:
    # All notes of C major first, moved up: what the notes tell is the key that is named.
    scale = [60 + up + step for step in (0, 2, 4, 5, 7, 9, 11)]
    told = Melody([*scale * 20, *primer])
    names = ["C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B"]
    assert primer_into_model(told, IN_C, parse_key(names[up])) == IN_C.squash(told)


@pytest.mark.parametrize(
    ("key", "min_note", "max_note", "semitones"),
    [
        # The middle of the model's range 48..83 is 65.5.
        (None, 0, 127, 0),
        ("C", 0, 127, 0),
        ("Am", 0, 127, 0),
        ("D", 0, 127, -2),
        ("B", 0, 127, 1),
        ("F#", 0, 127, 6),  # as near up as down: down it is
        ("D dorian", 0, 127, 0),
        (None, 60, 127, 0),
        (None, 66, 127, -12),
        (None, 36, 60, 12),
        (None, 60, 64, 0),
        ("D", 36, 60, 10),
        (None, 120, 127, -60),
        (None, 0, 0, 60),
    ],
)
def test_without_a_primer(key: str | None, min_note: int, max_note: int, semitones: int) -> None:
    asked = parse_key(key) if key else None
    assert semitones_without_primer(IN_C, asked, min_note, max_note) == semitones
    assert semitones_without_primer(OF_ALL_KEYS, asked, min_note, max_note) == 0


def test_heard_events_by_hand() -> None:
    events = np.array([-2, -1, 60, 71, 3])
    assert heard_events(events, 0).tolist() == [-2, -1, 60, 71, 3]
    assert heard_events(events, 5).tolist() == [-2, -1, 55, 66, 10]
    # 131 lies above the range, and 119 is the highest of its pitch class there.
    assert heard_events(events, -60).tolist() == [-2, -1, 120, 119, 63]


@given(st.integers(-140, 140))
def test_what_is_heard_is_in_the_midi_range_and_of_its_pitch_class(semitones: int) -> None:
    table = heard_table(semitones)
    assert table[:2].tolist() == [-2, -1]
    assert table[2:].min() >= 0
    assert table[2:].max() <= 127
    assert ((table[2:] - np.arange(128) + semitones) % 12 == 0).all()


def test_melodies_begin_on_the_tonic_chord_in_the_middle() -> None:
    # The middle of 48..83 is 65.5, so 54..77: C, E and G from G3 on.
    assert opening_notes(OneHotEncoding()).tolist() == [55, 60, 64, 67, 72, 76]
    assert opening_notes(OneHotEncoding(transpose_to_key=2)).tolist() == [54, 57, 62, 66, 69, 74]
    assert opening_notes(OneHotEncoding(0, 128, None)).tolist() == list(range(52, 76))


def test_melodies_begin_on_the_chord_of_the_asked_key() -> None:
    # E dorian is heard two semitones above the model's D dorian: E, G and B are its D, F and A.
    assert opening_notes(OneHotEncoding(), None, parse_key("E dorian"), -2).tolist() == [57, 62, 65, 69, 74, 77]
    # Of A blues, A, C and E.
    assert opening_notes(OneHotEncoding(), None, parse_key("A blues"), 0).tolist() == [57, 60, 64, 69, 72, 76]


def test_where_no_note_of_the_chord_may_come_any_that_may_does() -> None:
    assert opening_notes(OneHotEncoding(), np.array([60, 61, 62])).tolist() == [60]
    assert opening_notes(OneHotEncoding(), np.array([61, 62])).tolist() == [61, 62]
