import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.errors import FormatError
from ostinato.formats.tensorflow.compact import CompactRecord, parse_compact, serialize_compact
from ostinato.formats.tensorflow.sequence_example import Example, parse_sequence_example, serialize_sequence_example
from ostinato.formats.tensorflow.tensorflow_pb2 import SequenceExample

RECORD = CompactRecord(bytes([0, 62, 1]), (6, 8), True, "{}")
# A message in a message: tag, length, content. A map's entry has its key as field 1 and its value as field 2; a
# feature's field 1 is a bytes_list and its field 3 an int64_list, packed. Keys come in the order of the alphabet.
BYTES = (
    b"\x0a\x59"
    + (b"\x0a\x12" + b"\x0a\x08encoding" + b"\x12\x06" + b"\x0a\x04\x0a\x02{}")
    + (b"\x0a\x0d" + b"\x0a\x04ends" + b"\x12\x05" + b"\x1a\x03\x0a\x01\x01")
    + (b"\x0a\x11" + b"\x0a\x06events" + b"\x12\x07" + b"\x0a\x05\x0a\x03\x00\x3e\x01")
    + (b"\x0a\x0f" + b"\x0a\x05meter" + b"\x12\x06" + b"\x1a\x04\x0a\x02\x06\x08")
    + (b"\x0a\x10" + b"\x0a\x07version" + b"\x12\x05" + b"\x1a\x03\x0a\x01\x01")
)


def test_the_bytes_of_a_record() -> None:
    assert serialize_compact(RECORD) == BYTES
    assert parse_compact(BYTES) == RECORD


@given(
    st.builds(
        CompactRecord,
        st.lists(st.integers(0, 129), max_size=400).map(bytes),
        st.tuples(st.integers(1, 255), st.integers(1, 64)),
        st.booleans(),
        st.text(max_size=300),
        st.lists(st.tuples(st.integers(0, 400), st.text(max_size=9)), max_size=9).map(tuple),
    )
)
def test_what_is_written_is_read_back(record: CompactRecord) -> None:
    assert parse_compact(serialize_compact(record)) == record


def test_a_wide_record_is_of_another_kind() -> None:
    inputs, labels = np.eye(3, dtype=np.float32), np.arange(3)
    for example in (Example(inputs, labels), Example(inputs, labels, np.array([60, 62, 64, 65]), 16)):
        assert parse_compact(serialize_sequence_example(example)) is None
    for other in (b"", b"\x0a", b"\x0a\x00", b"\x0a\x02ab", b"\xff\xff"):
        assert parse_compact(other) is None


def test_a_compact_record_is_no_wide_one() -> None:
    with pytest.raises(FormatError, match="no feature list 'inputs'"):
        parse_sequence_example(BYTES)


def changed(name: str, *values: int | bytes) -> bytes:
    message = SequenceExample.FromString(BYTES)
    feature = message.context.feature[name]
    feature.Clear()
    for value in values:
        if isinstance(value, bytes):
            feature.bytes_list.value.append(value)
        else:
            feature.int64_list.value.append(value)
    return message.SerializeToString()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (changed("version", 2), "a compact record has version 2, but this Ostinato reads 1; get a newer one"),
        (changed("version"), "a compact record has version , but"),
        (changed("events"), "lacks one of events, meter, ends, encoding"),
        (changed("events", 1, 2), "lacks one of events"),
        (changed("meter", 3), "lacks one of"),
        (changed("ends", 0, 1), "lacks one of"),
        (changed("encoding", b"\xff"), "lacks one of"),
        (changed("chords", b"C", b"G"), "lacks one of .*, the steps of chords"),
        (changed("chord_steps", 0), "lacks one of"),
        (changed("chords", b"\xff"), "lacks one of"),
        (changed("events", bytes([130])), "an event of 130, above 129"),
    ],
    ids=range(11),  # of the bytes there would be other names in each process: protobuf orders no maps
)
def test_what_a_record_may_not_be(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        parse_compact(data)


@given(st.integers(0, len(BYTES) - 1), st.integers(0, 255))
def test_a_damaged_record_is_an_error_or_another_record(place: int, value: int) -> None:
    damaged = bytearray(BYTES)
    damaged[place] = value
    try:
        read = parse_compact(bytes(damaged))
    except FormatError:
        return
    assert read is None or dataclasses.is_dataclass(read)
