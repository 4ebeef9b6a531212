"""Chords for a melody."""

import numpy as np
import pytest

from ostinato.errors import SettingsError
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.music.chords import parse_chord
from ostinato.music.harmony import (
    MOST_ALTERNATIVES,
    NUM_CHORDS,
    QUALITIES,
    HarmonyCounts,
    HarmonyModel,
    chords_of,
    harmonize,
    is_minor,
    signature_of,
    slot_weights,
    slots_of,
    with_chords,
)
from ostinato.music.keys import parse_key, transpose
from ostinato.music.melody import Melody
from ostinato.music.meter import Meter

C, F, G7, AM = (
    degree * len(QUALITIES) + QUALITIES.index(quality) for degree, quality in ((0, ""), (5, ""), (7, "7"), (9, "m"))
)
# C E G E | F A c A | G B d B | c
TUNE = Melody.from_notes("C4 E4 G4 E4 | F4 A4 C5 A4 | G4 B4 D5 B4 | C5:16")


def test_slots_are_bars_or_halves_of_them() -> None:
    assert slots_of(TUNE, 1) == [(0, 16), (16, 32), (32, 48), (48, 64)]
    assert slots_of(TUNE, 2)[:3] == [(0, 8), (8, 16), (16, 24)]
    # 3/4 has no halves, 6/8 has; the last slot ends with the melody, and an upbeat is none.
    waltz = Melody([60] * 26, meter=Meter(3, 4))
    assert slots_of(waltz, 2) == [(0, 12), (12, 24), (24, 26)]
    assert slots_of(Melody([60] * 12, meter=Meter(6, 8)), 2) == [(0, 6), (6, 12)]
    assert slots_of(Melody([-2] * 12 + [60] * 20), 1) == [(16, 32)]


def test_notes_on_the_beat_weigh_twice() -> None:
    # A bar of 4/4: D for two beats, F# off the beat for two steps, then silence. 20 are a slot full of notes.
    melody = Melody([62, *[-2] * 7, -1, 66, -2, -1, -2, -2, -2, -2])
    (weights,) = slot_weights(melody, [(0, 16)], 2)
    assert weights.round(9).tolist() == [10 / 20, 0, 0, 0, 2 / 20, *[0] * 7]


def test_the_chord_of_a_slot_is_the_one_that_sounds_longest() -> None:
    melody = Melody([60] * 64, chords=[(4, "Fmaj7"), (12, "G9"), (32, "N.C."), (40, "Am7"), (44, "Bm7b5")])
    # Above C: F, G7, and of the last two bars first no chord as long as any; Bm7b5 sounds to the end.
    assert chords_of(melody, [(0, 16), (16, 32), (32, 48), (48, 64)], 0) == [F, G7, None, 11 * 4 + 3]
    assert chords_of(melody, [(0, 16)], 5) == [C]
    assert chords_of(Melody([60] * 16), [(0, 16)], 0) == [None]


def test_what_is_counted() -> None:
    counts = HarmonyCounts.none()
    counts.add(Melody(TUNE.events, chords=[(0, "C"), (16, "F"), (32, "G7"), (48, "C")]), parse_key("C"), 1)
    assert counts.first[0].nonzero()[0].tolist() == counts.last[0].nonzero()[0].tolist() == [C]
    assert [tuple(place) for place in np.argwhere(counts.moves)] == [(0, 0, C, F), (0, 0, F, G7), (0, 0, G7, C)]
    # Over F there are F, A, C and A again, all as long.
    assert counts.notes[0, F].round(3).tolist() == [0.25, 0, 0, 0, 0, 0.25, 0, 0, 0, 0.5, 0, 0]
    assert not counts.notes[1].any()
    again = HarmonyCounts.from_json(counts.to_json())
    assert (again.moves == counts.moves).all()
    assert np.abs(again.notes - counts.notes).max() <= 0.05


def test_a_model_finds_what_it_counted() -> None:
    counts = HarmonyCounts.none()
    known = Melody(TUNE.events, chords=[(0, "C"), (16, "F"), (32, "G7"), (48, "C")])
    for _ in range(20):
        counts.add(known, parse_key("C"), 1)
    model = HarmonyModel(counts)
    weights = slot_weights(TUNE, slots_of(TUNE, 1), 0)
    first, second = model.likeliest(weights, [False] * 4, minor=False, alternatives=2)
    assert first == [C, F, G7, C]
    assert first != second
    assert all(0 <= chord < NUM_CHORDS for chord in second)


def test_a_plain_tune() -> None:
    (made,) = harmonize(TUNE)
    assert made == TUNE
    roots = {step: parse_chord(name).root for step, name in made.chords}
    # F A C A is F, or D minor with its seventh.
    assert roots.pop(16) in (5, 2)
    assert roots == {0: 0, 32: 7, 48: 0}
    # A fourth higher it has the same chords a fourth higher.
    (higher,) = harmonize(transpose(TUNE, 5))
    assert [parse_chord(name).root for _, name in higher.chords] == [
        (parse_chord(name).root or 0) + 5 - 12 * (name[0] in "GAB") for _, name in made.chords
    ]
    assert "A#" not in str(higher.chords)


def test_an_upbeat_has_no_chord_and_alternatives_differ() -> None:
    melody = Melody([*([-2] * 12), 67, -2, -2, -2, *TUNE.events])
    ways = harmonize(melody, "C", chords_per_bar=2, alternatives=MOST_ALTERNATIVES)
    assert {way.chords[0][0] for way in ways} == {16}
    assert len({way.chords for way in ways}) == MOST_ALTERNATIVES
    # The likeliest does not depend on how many there are.
    assert ways[0].chords == harmonize(melody, "C", chords_per_bar=2)[0].chords


def test_minor_is_another_key() -> None:
    tune = Melody.from_notes("A4 C5 E5 C5 | E4 G#4 B4 G#4 | A4:16")
    (made,) = harmonize(tune, "A minor")
    assert made.chords[0] == (0, "Am")
    assert made.chords[-1] == (32, "Am")
    assert parse_chord(made.chords[1][1]).root == 4
    assert is_minor(parse_key("D dorian"))
    assert is_minor(parse_key("A blues"))
    assert not is_minor(parse_key("G mixolydian"))


def test_names_fit_the_key() -> None:
    melody = Melody([60] * 32)
    slots = [(0, 16), (16, 32)]
    # The tonic, and the chord two semitones below it.
    chords = [0, 10 * len(QUALITIES)]
    assert with_chords(melody, slots, chords, parse_key("C")).chords == ((0, "C"), (16, "Bb"))
    assert with_chords(melody, slots, chords, parse_key("Eb")).chords == ((0, "Eb"), (16, "Db"))
    assert with_chords(melody, slots, chords, parse_key("E")).chords == ((0, "E"), (16, "D"))


def test_what_a_file_says_of_its_key() -> None:
    signature = NoteSequence.KeySignature
    sequence = NoteSequence()
    assert signature_of(sequence) is None
    sequence.key_signatures.add(key=signature.D, mode=signature.DORIAN)
    sequence.key_signatures.add(key=signature.E, mode=signature.MAJOR)
    assert signature_of(sequence) == 0
    sequence.key_signatures[0].mode = signature.MINOR
    assert signature_of(sequence) == 5
    # MIDI files say C major whatever they are in.
    sequence.source_info.encoding_type = NoteSequence.SourceInfo.MIDI
    assert signature_of(sequence) == 5
    sequence.key_signatures[0].key = signature.A
    assert signature_of(sequence) is None


def test_what_cannot_be() -> None:
    with pytest.raises(SettingsError, match="chords_per_bar must be 1 or 2, not 3"):
        harmonize(TUNE, chords_per_bar=3)
    with pytest.raises(SettingsError, match="alternatives must be 1 to 10, not 0"):
        harmonize(TUNE, alternatives=0)
    with pytest.raises(SettingsError, match="without notes"):
        harmonize(Melody([-2] * 16))
    with pytest.raises(SettingsError, match="there is no key"):
        harmonize(TUNE, "H")
