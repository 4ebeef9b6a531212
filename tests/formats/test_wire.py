import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ostinato.formats import wire
from ostinato.formats.note_sequence_pb2 import NoteSequence

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
