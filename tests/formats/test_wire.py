import dataclasses
from pathlib import Path

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.formats import wire
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.formats.tensorflow.tfrecord import read_records
from ostinato.formats.wire import NoteColumns, note_columns, parse_note_sequence

INT32 = st.integers(-(2**31), 2**31 - 1)
DOUBLE = st.floats(allow_nan=False) | st.sampled_from([0.0, -0.0])


def test_exact_bytes() -> None:
    assert wire.varint(300) == bytes.fromhex("ac02")  # protobuf's own example
    assert wire.varint(-2) == bytes.fromhex("feffffffffffffffff01")
    assert wire.field(1, 150) == bytes.fromhex("089601")
    assert wire.field(2, "testing") == bytes.fromhex("120774657374696e67")
    assert wire.field(3, 1.0) == bytes.fromhex("19000000000000f03f")
    assert wire.field(3, 0.0) == wire.field(4, 0) == wire.field(5, "") == b""
    assert wire.message(13, (2, 3), (3, 2)) == bytes.fromhex("6a0410031802")
    packed, starts = wire.messages(8, [(1, np.array([60, 0])), (3, np.array([0.0, 1.0]))])
    assert packed.tobytes() == bytes.fromhex("4202083c" + "420919000000000000f03f")
    assert starts.tolist() == [0, 4, 15]


@given(st.lists(st.tuples(INT32, INT32, DOUBLE, DOUBLE, INT32, st.booleans()), max_size=20))
def test_protobuf_reads_and_would_write_the_same(rows: list[tuple[int, int, float, float, int, bool]]) -> None:
    notes = [
        NoteSequence.Note(pitch=pitch, velocity=velocity, start_time=start, end_time=end, program=program, is_drum=drum)
        for pitch, velocity, start, end, program, drum in rows
    ]
    columns = list(zip(*rows, strict=True)) or [()] * 6
    kinds: list[type] = [np.int64, np.int64, np.float64, np.float64, np.int64, np.bool_]
    packed, starts = wire.messages(
        8, [(n, np.array(c, k)) for n, c, k in zip((1, 2, 3, 4, 8, 9), columns, kinds, strict=True)]
    )
    expected = [NoteSequence(notes=[note]).SerializeToString() for note in notes]
    assert packed.tobytes() == b"".join(expected)
    assert np.diff(starts).tolist() == [len(one) for one in expected]


@given(st.text(), INT32, DOUBLE)
def test_single_fields_are_protobufs(text: str, number: int, second: float) -> None:
    expected = NoteSequence(id=text, ticks_per_quarter=number, total_time=second).SerializeToString()
    assert wire.field(1, text) + wire.field(4, number) + wire.field(9, second) == expected


SECONDS = st.sampled_from([0.0, 0.5, 2.0]) | st.floats(allow_nan=False)
NOTE = st.builds(
    NoteSequence.Note,
    pitch=st.integers(0, 127),
    velocity=st.sampled_from([0, 1, 80, 127, 128]),
    start_time=SECONDS,
    end_time=SECONDS,
    instrument=st.sampled_from([0, 0, 1, 127, 128, 70_000]),
    program=st.sampled_from([0, 0, 5, 200]),
    is_drum=st.booleans(),
    part=st.sampled_from([0, 0, 3]),
)
# Each note many times over, as runs of equal layout are what is read in one go.
NOTES = st.lists(st.tuples(NOTE, st.integers(1, 200)), max_size=6)


def assert_equal(columns: NoteColumns, expected: NoteColumns) -> None:
    for field in dataclasses.fields(NoteColumns):
        np.testing.assert_array_equal(getattr(columns, field.name), getattr(expected, field.name), strict=True)


def test_columns_of_a_message() -> None:
    made = NoteSequence()
    made.notes.add(pitch=60, velocity=80, start_time=0.0, end_time=0.5, instrument=3, is_drum=True)
    made.notes.add(pitch=0, velocity=1, start_time=0.5, end_time=0.75)
    for columns in (note_columns(made), parse_note_sequence(made.SerializeToString())[1]):
        assert columns.start_time.tolist() == [0.0, 0.5]
        assert columns.end_time.tolist() == [0.5, 0.75]
        assert columns.pitch.tolist() == [60, 0]
        assert columns.velocity.tolist() == [80, 1]
        assert columns.instrument.tolist() == [3, 0]
        assert columns.is_drum.tolist() == [True, False]


def test_every_record_of_magenta_reads_as_protobuf_reads_it(golden: Path) -> None:
    without_objects = 0
    for record in read_records(golden / "notesequences.tfrecord"):
        expected = NoteSequence.FromString(record)
        rest, columns = parse_note_sequence(record)
        assert_equal(columns, note_columns(expected))
        without_objects += not rest.notes
        del expected.notes[:], rest.notes[:]
        assert rest == expected
    assert without_objects >= 30


@settings(max_examples=60)
@given(notes=NOTES, qpm=st.floats(1, 300), name=st.text(max_size=200), signatures=st.integers(0, 3))
def test_any_notes_read_as_protobuf_reads_them(
    notes: list[tuple[NoteSequence.Note, int]], qpm: float, name: str, signatures: int
) -> None:
    made = NoteSequence(filename=name, ticks_per_quarter=220, total_time=7.5)
    made.tempos.add(time=1.0, qpm=qpm)
    for numerator in range(signatures):
        made.time_signatures.add(numerator=numerator, denominator=4)
    for note, times in notes:
        made.notes.extend([note] * times)
    made.control_changes.add(time=1.0, control_number=64)
    rest, columns = parse_note_sequence(made.SerializeToString())
    assert_equal(columns, note_columns(made))
    del made.notes[:], rest.notes[:]
    assert rest == made


def test_notes_in_two_places_are_all_read() -> None:
    first, second = NoteSequence(id="a", total_time=1), NoteSequence(id="b")
    first.notes.add(pitch=60)
    second.notes.add(pitch=62)
    data = first.SerializeToString() + second.SerializeToString()
    assert parse_note_sequence(data)[1].pitch.tolist() == [60, 62]


@settings(max_examples=300)
@given(data=st.data())
def test_damaged_bytes_are_read_as_protobuf_does_or_refused(data: st.DataObject) -> None:
    made = NoteSequence(id="tune", total_time=3)
    for number in range(3):
        made.notes.add(pitch=60 + number, velocity=80, start_time=number, end_time=number + 1, instrument=1)
    good = made.SerializeToString()
    damaged = bytearray(good)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    del damaged[data.draw(st.just(len(good)) | st.integers(0, len(good))) :]
    try:
        expected = NoteSequence.FromString(bytes(damaged))
    except DecodeError:
        with pytest.raises(DecodeError):
            parse_note_sequence(bytes(damaged))
    else:
        assert_equal(parse_note_sequence(bytes(damaged))[1], note_columns(expected))
