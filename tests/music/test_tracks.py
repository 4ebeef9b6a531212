"""Which track is the melody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from note_sequences import STEP, add
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.music.tracks import PROGRAM_NAMES, instrument_name, rank_tracks

# Eight bars of each: a tune that moves by step, chords beneath it, a bass and a pad.
TUNE = [(64 + (0, 1, 3, 1, 0, 0, -2, -4)[place % 8], 2 * place, 2 * place + 2) for place in range(64)]
CHORDS = [(pitch, 4 * place, 4 * place + 4) for place in range(32) for pitch in (48, 52, 55)]
BASS = [(36 + 7 * (place % 2), 4 * place, 4 * place + 4) for place in range(32)]
PAD = [(pitch, 32 * place, 32 * place + 32) for place in range(4) for pitch in (60, 64, 67)]


def song(*parts: tuple[str, int, list[tuple[int, int, int]]]) -> NoteSequence:
    """A song of (name, program, notes), instruments numbered from 0."""
    made = NoteSequence()
    for instrument, (name, program, notes) in enumerate(parts):
        before = len(made.notes)
        add(made, *notes, instrument=instrument)
        for note in made.notes[before:]:
            note.program = program
        if name:
            made.instrument_infos.add(instrument=instrument, name=name)
    return made


def test_the_tune_is_found_by_what_it_plays() -> None:
    ranked = rank_tracks(song(("", 0, CHORDS), ("", 0, BASS), ("", 0, TUNE), ("", 0, PAD)))
    assert ranked[0].track == 2
    assert ranked[0].reason == "one note at a time, moves mostly by step, C4 to G4"
    assert {evidence.track: evidence.reason for evidence in ranked[1:]} == {
        0: "chords, low, repeats its notes, C3 to G3",
        1: "one note at a time, low, C2 to G2",
        3: "chords, repeats its notes, few notes, C4 to G4",
    }


def test_the_evidence_of_a_track() -> None:
    """Two notes, of which the second begins before the first ends, then a chord of two notes; six steps of 0.125 s."""
    made = song(("Flute\0", 73, [(60, 0, 2), (62, 1, 4), (62, 4, 6), (69, 4, 6)]))
    (found,) = rank_tracks(made)
    assert (found.track, found.name, found.program, found.is_drum) == (0, "Flute", 73, False)
    assert (found.num_notes, found.lowest, found.highest) == (4, 60, 69)
    assert found.median == 62  # of 60, 62 and 69, the top of the chord
    assert found.one_at_a_time == pytest.approx(3 / 6)  # one note in steps 0, 2 and 3, two in 1, 4 and 5
    assert (found.by_step, found.repeated) == (0.5, 0)  # of two moves, 60 to 62 and 62 to 69
    assert found.octaves == pytest.approx((68.3 - 60.2) / 12)  # a tenth of the way from 60 to 62, and from 69 to 62
    assert found.attacks_per_second == found.pace == pytest.approx(3 / (6 * STEP))


def test_the_score_is_the_sum_of_its_parts() -> None:
    """The tune: one note at a time 4, 6 of 8 moves by step.

    Of 63 moves 63 // 8 = 7 whole rounds of (1, 2, 2, 1, 0, 2, 2, 4) and (1, 2, 2, 1, 0, 2, 2) of the last: 8 are
    repeated, 7 leap, 48 go by step. A ninth is not exceeded, the median is 64, and 64 attacks in 16 seconds are 4 a
    second, enough and not hurried.
    """
    (found,) = rank_tracks(song(("", 0, TUNE)))
    assert found.score == pytest.approx(4.0 + 3.0 * 48 / 63 + 4.0 * 8 / 63 + 4.0)


@pytest.mark.parametrize(
    "name",
    ["MELODY", "Lead Vocal", "Vocals   ", "Voix", "Gesang", "Canto", "Chant", "Solo", "Flute 1", "主旋律", "мелодия",
     "メロディ", "melodía", "Mélodie", "Voz", "Tune", "Sing along"],
)  # fmt: skip
def test_names_of_melodies(name: str) -> None:
    plain, named = rank_tracks(song(("", 0, TUNE)))[0], rank_tracks(song((name, 0, TUNE)))[0]
    assert named.score == pytest.approx(plain.score + 3)
    assert named.reason == f'called "{name.strip()}", {plain.reason}'


@pytest.mark.parametrize(
    "name",
    ["Bass", "Basse", "Strings", "Warmpad Pad", "Chords", "Akkorde", "Drums", "Backing Vocals", "Bg Vocals", "B Vocal",
     "Harmony", "Rhythm Guitar", "LH", "Left hand", "Choir Aahs", "SupportMelody", "伴奏", "Bass Lead"],
)  # fmt: skip
def test_names_of_accompaniments(name: str) -> None:
    plain, named = rank_tracks(song(("", 0, TUNE)))[0], rank_tracks(song((name, 0, TUNE)))[0]
    assert named.score == pytest.approx(plain.score - 2)


@pytest.mark.parametrize("name", ["", "Track 1", "Piano", "Square Lead", "Lead 2 (sawtooth)", "Staff-1", "Guitar"])
def test_names_that_say_nothing(name: str) -> None:
    plain, named = rank_tracks(song(("", 0, TUNE)))[0], rank_tracks(song((name, 0, TUNE)))[0]
    assert (named.score, named.reason) == (plain.score, plain.reason)


def test_a_name_decides_between_tracks_that_play_alike() -> None:
    second = [(pitch - 5, start, end) for pitch, start, end in TUNE]
    assert rank_tracks(song(("Trumpet", 56, TUNE), ("Vocal", 56, second)))[0].track == 1


@pytest.mark.parametrize(("program", "worth"), [(0, 0.0), (73, 0.5), (33, -1.0), (49, -0.5), (122, -0.5), (53, 0.5)])
def test_an_instrument_weighs_little(program: int, worth: float) -> None:
    plain, played = rank_tracks(song(("", 0, TUNE)))[0], rank_tracks(song(("", program, TUNE)))[0]
    assert played.score == pytest.approx(plain.score + worth)


def test_drums_come_last_whatever_they_are_called() -> None:
    made = song(("Pad", 90, PAD))
    add(made, *TUNE, instrument=9, is_drum=True)
    made.instrument_infos.add(instrument=9, name="Melody")
    pad, drums = rank_tracks(made)
    assert (pad.track, drums.track, drums.is_drum, drums.reason) == (0, 9, True, "drums")


def test_of_equal_tracks_the_first_wins_and_no_notes_are_no_track() -> None:
    assert [evidence.track for evidence in rank_tracks(song(("", 0, TUNE), ("", 0, TUNE)))] == [0, 1]
    assert rank_tracks(NoteSequence()) == []


@given(
    st.lists(
        st.tuples(st.integers(0, 127), st.integers(0, 50), st.integers(0, 9), st.integers(0, 3), st.integers(0, 127)),
        max_size=30,
    )
)
def test_whatever_the_notes_each_track_is_ranked_once(notes: list[tuple[int, int, int, int, int]]) -> None:
    made = NoteSequence()
    for pitch, start, length, instrument, program in notes:
        made.notes.add(
            pitch=pitch,
            velocity=1,
            start_time=start * STEP,
            end_time=(start + length) * STEP,
            instrument=instrument,
            program=program,
            is_drum=instrument == 3,
        )
    ranked = rank_tracks(made)
    assert sorted(evidence.track for evidence in ranked) == sorted({note[3] for note in notes})
    assert [evidence.score for evidence in ranked] == sorted((evidence.score for evidence in ranked), reverse=True)
    for evidence in ranked:
        assert 0 <= evidence.one_at_a_time <= 1
        assert evidence.lowest <= evidence.median <= evidence.highest
        assert sum(note[3] == evidence.track for note in notes) == evidence.num_notes


def test_each_program_has_a_name_of_its_own() -> None:
    assert len(PROGRAM_NAMES) == len(set(PROGRAM_NAMES)) == 128


# The first of each family of eight.
@pytest.mark.parametrize(
    ("program", "name"),
    [
        (0, "Acoustic Grand Piano"),
        (8, "Celesta"),
        (16, "Drawbar Organ"),
        (24, "Nylon Guitar"),
        (32, "Acoustic Bass"),
        (40, "Violin"),
        (48, "String Ensemble 1"),
        (56, "Trumpet"),
        (64, "Soprano Sax"),
        (72, "Piccolo"),
        (80, "Square Lead"),
        (88, "New Age Pad"),
        (96, "Rain"),
        (104, "Sitar"),
        (112, "Tinkle Bell"),
        (120, "Guitar Fret Noise"),
        (127, "Gunshot"),
        (200, "Program 200"),
    ],
)
def test_a_program_is_called_as_general_midi_calls_it(program: int, name: str) -> None:
    assert instrument_name(program) == name


def test_on_the_drum_channel_every_program_is_drums() -> None:
    assert instrument_name(40, is_drum=True) == "Drums"
