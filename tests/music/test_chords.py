import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.errors import SettingsError
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.music.chords import (
    Progression,
    accompany,
    chord_spans,
    chord_track,
    chords_between,
    chords_in,
    chords_text,
    parse_chord,
    parse_chords,
    transpose_chords,
)
from ostinato.music.keys import squash, transpose
from ostinato.music.melody import Melody
from ostinato.music.meter import Meter

FOUR, THREE, SIX = Meter(4, 4), Meter(3, 4), Meter(6, 8)


def test_a_chord_has_a_root_a_bass_and_notes() -> None:
    chord = parse_chord("Bbmaj7/D")
    assert (chord.name, chord.root, chord.bass, chord.pitch_classes) == ("Bbmaj7/D", 10, 2, (10, 2, 5, 9))
    assert parse_chord("Am/G").pitch_classes == (9, 0, 4, 7)
    nothing = parse_chord("N.C.")
    assert (nothing.root, nothing.bass, nothing.pitch_classes) == (None, None, ())


@pytest.mark.parametrize("text", ["", "X", "Hello", "C" * 5000, "\x1b[31m", 7, None])
def test_what_is_no_chord_is_refused_in_one_line(text: Any) -> None:
    with pytest.raises(SettingsError, match="there is no chord") as caught:
        parse_chord(text)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 200


@given(st.text(max_size=50))
def test_hostile_texts_are_refused_in_one_line(text: str) -> None:
    with contextlib.suppress(SettingsError):
        parse_chords(text, FOUR)
    with pytest.raises(SettingsError) as caught:
        parse_chords(f"{text} | what", FOUR)
    assert str(caught.value).isprintable()


def test_bars_share_their_beats() -> None:
    assert parse_chords("C | Am | F G | C", FOUR) == (((0, "C"), (16, "Am"), (32, "F"), (40, "G"), (48, "C")), 64)
    # The first ones have one beat more.
    assert parse_chords("C F G", FOUR) == (((0, "C"), (8, "F"), (12, "G")), 16)
    assert parse_chords("C G", THREE) == (((0, "C"), (8, "G")), 12)
    assert parse_chords("C G", SIX) == (((0, "C"), (6, "G")), 12)
    # More chords than beats.
    assert parse_chords("C F G C", SIX) == (((0, "C"), (3, "F"), (6, "G"), (9, "C")), 12)


def test_bars_again_and_chords_that_go_on() -> None:
    assert parse_chords("| C G | % ||", FOUR) == (((0, "C"), (8, "G"), (16, "C"), (24, "G")), 32)
    assert parse_chords("C / / G | / F", FOUR) == (((0, "C"), (12, "G"), (24, "F")), 32)
    # What only says again what sounds is left out.
    assert parse_chords("C | C | Cmaj", FOUR) == (((0, "C"),), 48)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has no bars"),
        (" | ", "has no bars"),
        ("%", "bar 1 has no chord to repeat"),
        ("/ C", "bar 1 has no chord to repeat"),
        ("C | Xm", "bar 2: there is no chord 'Xm'"),
        ("C " * 17, "bar 1 has 17 chords, but a bar of 4/4 has 16 steps"),
        ("C | " * 10_001, "more than 10000 chords"),
    ],
)
def test_progressions_that_cannot_be(text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says) as caught:
        parse_chords(text, FOUR)
    assert "\n" not in str(caught.value)


def test_a_track_is_checked() -> None:
    assert chord_track([(0, "CM7"), (4, "Cmaj7"), (8, "H")]) == ((0, "Cmaj7"), (8, "B"))
    for wrong in (
        [(4, "C"), (4, "G")],
        [(-1, "C")],
        [(0.5, "C")],
        ["C"],
        [(0, "what")],
        [(0, "C", 1)],
        [3],
        [(0, ["C"])],
    ):
        with pytest.raises(SettingsError):
            chord_track(wrong)  # type: ignore[arg-type]


def test_chords_repeat() -> None:
    chords, period = parse_chords("C | G", FOUR)
    assert Progression(chords, period, 16).track(70) == ((16, "C"), (32, "G"), (48, "C"), (64, "G"))


def test_what_sounds_and_what_comes_next() -> None:
    progression = Progression(((0, "C"), (24, "G"), (32, "C")), 48, 16)
    told = [str(progression.at(step)[0]) for step in (15, 16, 39, 40, 48, 63, 64, 88)]
    assert told == ["None", "C", "C", "G", "C", "C", "C", "G"]
    # From the last C into the first one it is the same chord: what comes next is G.
    following = {step: progression.next_after(step) for step in (10, 16, 39, 40, 48, 63, 64)}
    assert {step: (str(each[0]), each[1]) for step, each in following.items() if each} == {
        10: ("C", 6),
        16: ("G", 24),
        39: ("G", 1),
        40: ("C", 8),
        48: ("G", 40),
        63: ("G", 25),
        64: ("G", 24),
    }
    assert Progression(((0, "C"),), 16).next_after(3) is None
    assert Progression(((0, "C"), (16, "G"))).next_after(16) is None
    assert Progression(()).at(0) == (None, False)
    assert Progression(()).next_after(0) is None
    assert Progression(((4, "Am"),), None, 2).track(20) == ((6, "Am"),)
    assert progression.transposed(2).track(48) == ((16, "D"), (40, "A"))


def test_a_part_of_a_track() -> None:
    chords = ((0, "C"), (16, "G"), (32, "C"))
    assert chords_between(chords, 8, 32) == ((0, "C"), (8, "G"))
    assert chords_between(chords, 16, 64) == ((0, "G"), (16, "C"))
    assert chords_between(((8, "C"),), 0, 16) == ((8, "C"),)
    assert [(chord.name, start, end) for chord, start, end in chord_spans(((4, "C"), (8, "N.C."), (12, "G")), 14)] == [
        ("C", 4, 8),
        ("G", 12, 14),
    ]


def test_chords_move_with_the_melody() -> None:
    melody = Melody([60, 62, 64, 65, 67], chords=[(0, "C"), (2, "Am/G")])
    assert transpose(melody, 2).chords == ((0, "D"), (2, "Bm/A"))
    assert transpose(melody, 5).chords == ((0, "F"), (2, "Dm/C"))
    # F major has flats.
    assert transpose(Melody(melody.events, chords=[(0, "F")]), 5).chords == ((0, "Bb"),)
    assert transpose(Melody(melody.events, chords=[(0, "B")]), 11).chords == ((0, "Bb"),)
    squashed, semitones = squash(melody, 48, 84, 2)
    assert (semitones % 12, squashed.chords) == (2, ((0, "D"), (2, "Bm/A")))
    assert transpose_chords(((0, "N.C."),), 3) == ((0, "N.C."),)


def test_melodies_are_equal_whatever_their_chords() -> None:
    assert Melody([60], chords=[(0, "C")]) == Melody([60])
    with pytest.raises(SettingsError, match="no chord"):
        Melody([60], chords=[(0, "what")])


def test_chords_in_a_note_sequence() -> None:
    sequence = NoteSequence()
    chord, unknown = sequence.TextAnnotation.CHORD_SYMBOL, sequence.TextAnnotation.UNKNOWN
    for time, text, kind in (
        (2.0, "G7", chord),
        (0.0, "C", chord),
        (1.0, "F", unknown),
        (1.0, "what", chord),
        (float("nan"), "C", chord),
        (float("inf"), "C", chord),
        (-1.0, "C", chord),
    ):
        sequence.text_annotations.add(time=time, text=text, annotation_type=kind)
    assert chords_in(sequence) == [(0.0, "C"), (2.0, "G7")]


def test_block_chords_are_struck_in_each_bar() -> None:
    # C: bass C3, then E3 G3 C4; G7 over B: bass B2, F3 G3 B3 D4.
    assert accompany(((0, "C"), (24, "G7/B")), 32, FOUR) == [
        *((48, 0, 16), (52, 0, 16), (55, 0, 16), (60, 0, 16)),
        *((48, 16, 24), (52, 16, 24), (55, 16, 24), (60, 16, 24)),
        *((47, 24, 32), (53, 24, 32), (55, 24, 32), (59, 24, 32), (62, 24, 32)),
    ]


def test_arpeggios_go_up_in_eighths() -> None:
    assert accompany(((0, "C"),), 12, SIX, "arpeggio") == [
        *((48, 0, 2), (52, 2, 4), (55, 4, 6), (60, 6, 8), (48, 8, 10), (52, 10, 12)),
    ]


@pytest.mark.parametrize(
    ("meter", "basses", "chords"),
    [
        (FOUR, [(0, 4), (8, 12)], [(4, 8), (12, 16)]),
        (THREE, [(0, 4)], [(4, 8), (8, 12)]),
        (Meter(2, 4), [(0, 4)], [(4, 8)]),
        (SIX, [(0, 4), (6, 10)], [(4, 6), (10, 12)]),
        (Meter(2, 2), [(0, 4), (8, 12)], [(4, 8), (12, 16)]),
    ],
)
def test_bass_and_chord_in_the_meter(
    meter: Meter, basses: list[tuple[int, int]], chords: list[tuple[int, int]]
) -> None:
    notes = accompany(((0, "C"),), meter.steps_per_bar, meter, "bass")
    assert [note[1:] for note in notes if note[0] == 48] == basses
    assert [note[1:] for note in notes if note[0] == 52] == chords


def test_a_chord_begins_with_its_bass() -> None:
    notes = accompany(((4, "C"), (8, "N.C.")), 16, FOUR, "bass")
    assert notes == [(48, 4, 8)]
    with pytest.raises(SettingsError, match="must be one of block, arpeggio, bass, not 'polka'"):
        accompany(((0, "C"),), 16, FOUR, "polka")  # type: ignore[arg-type]


def test_of_a_large_chord_four_notes_are_played() -> None:
    # C13 without its fifth and its root: E, Bb, D, A.
    notes = accompany(((0, "C13"),), 16, FOUR)
    assert [pitch for pitch, *_ in notes] == [48, 52, 57, 58, 62]


def test_chords_on_one_line() -> None:
    for text in ("C | Am | F G | %", "C / / G7 | % | G7 | N.C.", "C F G | C"):
        chords, steps = parse_chords(text, FOUR)
        assert parse_chords(chords_text(chords, steps, FOUR), FOUR) == (chords, steps)
    assert chords_text(((0, "C"), (16, "Am"), (32, "F"), (40, "G"), (48, "C")), 80, FOUR) == "C | Am | F G | C | %"
    # Before the first one there is none; between the beats it is shown on the beat before.
    assert chords_text(((6, "C"), (18, "G")), 24, SIX) == "N.C. C | C G"
