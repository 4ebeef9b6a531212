"""Writing MIDI, and the way back."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midi_files import record_of
from ostinato.errors import DataError, FormatError
from ostinato.formats.midi.reader import midi_to_note_sequence, note_sequence_records, read_midi
from ostinato.formats.midi.writer import note_sequence_to_midi, write_midi
from ostinato.formats.note_sequence_pb2 import NoteSequence


def one_note() -> NoteSequence:
    return NoteSequence(notes=[NoteSequence.Note(pitch=60, velocity=100, start_time=0.0, end_time=0.5, program=5)])


def test_exact_bytes() -> None:
    sequence = one_note()
    sequence.time_signatures.add(numerator=6, denominator=8)
    sequence.key_signatures.add(key=NoteSequence.KeySignature.D, mode=NoteSequence.KeySignature.MINOR)
    sequence.tempos.add(qpm=120)
    assert note_sequence_to_midi(sequence) == bytes.fromhex(
        "4d546864 00000006 0001 0002 00dc"  # MThd: type 1, 2 tracks, 220 ticks a quarter
        "4d54726b 00000019"
        "00 ff 51 03 07a120"  # 500,000 microseconds a quarter
        "00 ff 58 04 06 03 18 08"  # 6/8
        "00 ff 59 02 ff 01"  # one flat, minor
        "00 ff 2f 00"
        "4d54726b 00000010"
        "00 c0 05"  # program 5
        "00 90 3c 64"
        "81 5c 80 3c 00"  # 220 ticks later
        "00 ff 2f 00"
    )


def test_note_off_comes_before_note_on_of_the_same_tick() -> None:
    sequence = one_note()
    sequence.notes.add(pitch=60, velocity=90, start_time=0.5, end_time=1.0, program=5)
    again = midi_to_note_sequence(note_sequence_to_midi(sequence))
    assert [(note.velocity, note.start_time, note.end_time) for note in again.notes] == [
        (100, 0.0, 0.5),
        (90, 0.5, 1.0),
    ]


def test_drums_are_on_channel_10_and_a_short_note_keeps_a_tick() -> None:
    drum = NoteSequence.Note(pitch=36, velocity=1, start_time=1.0, end_time=1.0, is_drum=True)
    again = midi_to_note_sequence(note_sequence_to_midi(NoteSequence(notes=[drum])))
    (note,) = again.notes
    assert note.is_drum
    assert note.start_time == 1.0
    assert note.end_time == pytest.approx(1.0 + 0.5 / 220)


def test_what_was_read_and_written_reads_the_same(golden: Path) -> None:
    paths = sorted(path for path in (golden / "corpora").rglob("*") if path.suffix.lower() in (".mid", ".midi"))
    same = 0
    for converted in note_sequence_records([path.read_bytes() for path in paths]):
        if isinstance(converted, FormatError):
            continue
        sequence = NoteSequence.FromString(record_of(converted))
        again = midi_to_note_sequence(note_sequence_to_midi(sequence))
        assert again == sequence
        same += 1
    assert same


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 127), st.integers(1, 127), st.integers(0, 40), st.integers(1, 30)), max_size=30),
    st.lists(st.tuples(st.integers(1, 2000), st.integers(20, 400)), max_size=4),
    st.sampled_from([96, 220, 480]),
)
def test_round_trip(notes: list[tuple[int, int, int, int]], tempos: list[tuple[int, int]], ticks: int) -> None:
    """One voice, tempo changes anywhere: reading gives back the notes, to the nearest tick."""
    sequence = NoteSequence(ticks_per_quarter=ticks)
    second = 0.0
    for gap, qpm in tempos:
        second += gap / 100
        sequence.tempos.add(time=second, qpm=qpm)
    second = 0.0
    for pitch, velocity, gap, length in notes:
        second += gap / 10
        sequence.notes.add(pitch=pitch, velocity=velocity, start_time=second, end_time=second + length / 10)
        second += length / 10
    once = midi_to_note_sequence(note_sequence_to_midi(sequence))
    longest_tick = 60 / 20 / ticks
    assert [(note.pitch, note.velocity) for note in once.notes] == [(pitch, velocity) for pitch, velocity, *_ in notes]
    for note, expected in zip(once.notes, sequence.notes, strict=True):
        assert abs(note.start_time - expected.start_time) <= 3 * longest_tick
        assert abs(note.end_time - expected.end_time) <= 3 * longest_tick
    # From then on nothing moves.
    assert midi_to_note_sequence(note_sequence_to_midi(once)) == once


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.notes.add(pitch=128, velocity=1, end_time=1), "a pitch of 128"),
        (lambda s: s.notes.add(pitch=1, velocity=0, end_time=1), "velocity of 0"),
        (lambda s: s.notes.add(pitch=1, velocity=1, start_time=-1, end_time=1), "a time of -1.0"),
        (lambda s: s.notes.add(pitch=1, velocity=1, end_time=float("nan")), "a time of nan"),
        (lambda s: s.notes.add(pitch=1, velocity=1, end_time=1e9), "a silence"),
        (lambda s: s.notes.add(pitch=1, velocity=1, end_time=1, program=128), "a program of 128"),
        (lambda s: s.tempos.add(qpm=0), "a tempo of 0.0"),
        (lambda s: s.tempos.add(qpm=1), "a tempo of 1.0"),
        (lambda s: s.time_signatures.add(numerator=3, denominator=5), "denominator of 5"),
        (lambda s: s.time_signatures.add(numerator=256, denominator=4), "numerator of 256"),
        (lambda s: s.time_signatures.add(numerator=4), "denominator of 0"),
        (lambda s: s.control_changes.add(control_number=128), "a control change"),
        (lambda s: s.pitch_bends.add(bend=9000), "a pitch bend"),
        (lambda s: setattr(s, "ticks_per_quarter", 1 << 15), "ticks_per_quarter"),
    ],
)
def test_what_midi_cannot_say_is_told(change: object, message: str) -> None:
    sequence = one_note()
    assert callable(change)
    change(sequence)
    with pytest.raises(DataError, match=message):
        note_sequence_to_midi(sequence)


def test_modes_are_written_with_their_accidentals() -> None:
    kinds = NoteSequence.KeySignature
    for key, mode, expected in [
        (kinds.D, kinds.DORIAN, (0, 0)),
        (kinds.G, kinds.MIXOLYDIAN, (0, 0)),
        (kinds.E, kinds.PHRYGIAN, (0, 0)),
        (kinds.F, kinds.LYDIAN, (0, 0)),
        (kinds.B, kinds.LOCRIAN, (0, 0)),
        (kinds.A, kinds.MINOR, (9, 1)),
        (kinds.E_FLAT, kinds.MAJOR, (3, 0)),
        (kinds.G, kinds.NOT_SPECIFIED, (7, 0)),
    ]:
        sequence = one_note()
        sequence.key_signatures.add(key=key, mode=mode)
        (again,) = midi_to_note_sequence(note_sequence_to_midi(sequence)).key_signatures
        assert (again.key, again.mode) == expected


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "tune.mid"
    write_midi(one_note(), path)
    assert [note.pitch for note in read_midi(path).notes] == [60]
    sequence = one_note()
    sequence.notes[0].velocity = 0
    with pytest.raises(DataError):
        write_midi(sequence, path)
    assert [note.pitch for note in read_midi(path).notes] == [60]


@pytest.mark.parametrize("names", [["C", "Am/G", "N.C."], ["A"], ["A", "B", "A", "C"], ["C", "F"], ["Bb°7"]])
def test_chords_come_back(names: list[str]) -> None:
    sequence = one_note()
    for beat, name in enumerate(names):
        sequence.text_annotations.add(
            time=beat / 2, text=name, annotation_type=NoteSequence.TextAnnotation.CHORD_SYMBOL
        )
    sequence.text_annotations.add(time=0.0, text="a word")
    again = midi_to_note_sequence(note_sequence_to_midi(sequence))
    # Single letters that would be taken for rehearsal marks are written as A major, Amaj.
    assert [(text.time, text.text.removesuffix("maj")) for text in again.text_annotations] == [
        (beat / 2, name) for beat, name in enumerate(names)
    ]
