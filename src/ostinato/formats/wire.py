"""Protobuf's wire format by arrays: NoteSequences written and read without a Python object for a note.

To write, give fields in the order of their numbers. Fields with the value zero are
left out, as in proto3, so the bytes are those that protobuf itself writes.

To read: most of a NoteSequence's bytes are notes, and nearly all of its notes
are laid out alike: the same fields in the same order, each value as long as the
last note's. Such a run is read as one array with a row for each note. A
NoteSequence with few such runs is left to protobuf.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ostinato.formats.note_sequence_pb2 import NoteSequence

_VARINT, _FIXED64, _LENGTH_DELIMITED = 0, 1, 2  # wire types
_MORE = 0x80  # set in each byte of a varint but the last
MAX_VARINT_BYTES = 10
_DOUBLE = struct.Struct("<d")
_OCTETS = [bytes((value,)) for value in range(128)]


def varint(value: int) -> bytes:
    """A whole number, seven bits a byte, the lowest first; a negative one as if of 64 bits."""
    if 0 <= value < 0x80:
        return _OCTETS[value]
    value &= 0xFFFFFFFFFFFFFFFF
    octets = bytearray()
    while value > 0x7F:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    octets.append(value)
    return bytes(octets)


def read_varint(data: bytes, start: int, end: int) -> tuple[int, int]:
    """A varint at `start` and where it ends; -1 if it is cut off or longer than 64 bits take."""
    value = 0
    for place, byte in enumerate(data[start : min(end, start + MAX_VARINT_BYTES)]):
        value |= byte % _MORE << 7 * place
        if byte < _MORE:
            return value, start + place + 1
    return -1, end


def field(number: int, value: bytes | str | int | float) -> bytes:
    """One field: an int as a varint, a float as a double, a str as UTF-8, or bytes, a message's too.

    Nothing for 0 or an empty string; bytes are written even if empty, since an empty message is a message.
    """
    if isinstance(value, float):
        # -0.0 is not zero here.
        return varint(number << 3 | _FIXED64) + _DOUBLE.pack(value) if value or str(value) == "-0.0" else b""
    if isinstance(value, str):
        return field(number, value.encode()) if value else b""
    if isinstance(value, bytes):
        return varint(number << 3 | _LENGTH_DELIMITED) + varint(len(value)) + value
    return varint(number << 3 | _VARINT) + varint(value) if value else b""


def message(number: int, *fields: tuple[int, str | int | float]) -> bytes:
    """A field that is a message, of fields given by number and value."""
    return field(number, b"".join(field(inner, value) for inner, value in fields))


def messages(
    number: int, columns: Sequence[tuple[int, NDArray[np.generic]]]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """A repeated field of n small messages.

    Args:
        number: the field, below 16.
        columns: the number, below 16, and the values, [n], of each field of a message: float64 are doubles, any
            integers or booleans varints. All together take less than 128 bytes.

    Returns:
        The bytes of all messages; and [n + 1] where each begins, and the last one ends.
    """
    count = len(columns[0][1])
    columns = [(inner, values) for inner, values in columns if values.dtype == np.float64 or values.any()]
    # Each message is first laid out in a row with room for its widest form; then what is absent is cut out.
    widths = [9 if values.dtype == np.float64 else 1 + _varint_bytes(values) for _, values in columns]
    rows = np.empty((count, 2 + sum(widths)), np.uint8)
    kept = np.ones(rows.shape, np.bool_)
    length = np.zeros(count, np.int64)
    place = 2
    for (inner, values), width in zip(columns, widths, strict=True):
        span = slice(place, place + width)
        if values.dtype == np.float64:
            length += _put_doubles(inner, values, rows[:, span], kept[:, span])
        else:
            length += _put_varints(inner, values, rows[:, span], kept[:, span])
        place += width
    assert length.max(initial=0) < 0x80
    rows[:, 0] = number << 3 | _LENGTH_DELIMITED
    rows[:, 1] = length
    starts = np.zeros(count + 1, np.int64)
    np.cumsum(length + 2, out=starts[1:])
    return rows[kept], starts


def _put_doubles(
    number: int, values: NDArray[np.generic], rows: NDArray[np.uint8], kept: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Fill the columns of one field, mark what is not kept, and return how many bytes are."""
    rows[:, 0] = number << 3 | _FIXED64
    rows[:, 1:] = np.ascontiguousarray(values, "<f8").view(np.uint8).reshape(-1, 8)
    absent = np.ascontiguousarray(values).view(np.uint64) == 0  # -0.0 is not zero here
    kept[absent] = False
    return np.where(absent, 0, 9)


def _varint_bytes(values: NDArray[np.generic]) -> int:
    """How many bytes the longest of some varints takes."""
    return max(1, -(-int(values.astype(np.int64).view(np.uint64).max(initial=0)).bit_length() // 7))


def _put_varints(
    number: int, values: NDArray[np.generic], rows: NDArray[np.uint8], kept: NDArray[np.bool_]
) -> NDArray[np.int64]:
    numbers: NDArray[np.uint64] = values.astype(np.int64).view(np.uint64)
    rows[:, 0] = number << 3 | _VARINT
    kept[numbers == 0] = False
    length: NDArray[np.int64] = (numbers != 0).astype(np.int64)
    for place in range(1, rows.shape[1]):
        rows[:, place] = numbers & np.uint64(0x7F)
        if place > 1:
            kept[:, place] = numbers != 0
        length += numbers != 0
        numbers = numbers >> np.uint64(7)
        rows[:, place] |= (numbers != 0).astype(np.uint8) << 7
    return length


_NOTES = 8  # field numbers: of the notes, and within a note
_PITCH, _VELOCITY, _START_TIME, _END_TIME, _INSTRUMENT, _IS_DRUM = 1, 2, 3, 4, 7, 9
_INTEGERS = (_PITCH, _VELOCITY, _INSTRUMENT, _IS_DRUM)
_DOUBLES = (_START_TIME, _END_TIME)

_NOTE_TAG = _NOTES << 3 | _LENGTH_DELIMITED
_NOTE_HEADER_BYTES = 2  # its tag, and its length in one byte

_FIRST_WINDOW = 256  # notes that are looked at for a run, four times as many each time that all belong to it
_SHORT_RUN = 16  # notes; where runs are shorter than this on average, protobuf is faster


@dataclass(frozen=True, slots=True, eq=False)
class NoteColumns:
    """N notes in their order, each column an array [N].

    Attributes:
        start_time: in seconds.
        end_time: in seconds.
        pitch: MIDI pitch.
        velocity: MIDI velocity.
        instrument: number of the instrument.
        is_drum: whether it is a drum.
    """

    start_time: NDArray[np.float64]
    end_time: NDArray[np.float64]
    pitch: NDArray[np.int64]
    velocity: NDArray[np.int64]
    instrument: NDArray[np.int64]
    is_drum: NDArray[np.bool_]


def note_columns(note_sequence: "NoteSequence") -> NoteColumns:
    """The notes of a message."""
    columns = np.array(
        [
            value
            for note in note_sequence.notes
            for value in (note.start_time, note.end_time, note.pitch, note.velocity, note.instrument, note.is_drum)
        ],
        np.float64,
    ).reshape(-1, 6)
    start_time, end_time = np.ascontiguousarray(columns[:, :2].T)
    pitch, velocity, instrument, is_drum = columns[:, 2:].T.astype(np.int64)
    return NoteColumns(start_time, end_time, pitch, velocity, instrument, is_drum != 0)


def parse_note_sequence(data: bytes) -> "tuple[NoteSequence, NoteColumns]":
    """Read a NoteSequence.

    Args:
        data: the bytes of one record.

    Returns:
        The message, and its notes. The message itself may hold none of them.

    Raises:
        google.protobuf.message.DecodeError: if the bytes are not a NoteSequence.
    """
    # What only writes, as `ostinato convert`, does without protobuf.
    from ostinato.formats.note_sequence_pb2 import NoteSequence

    start = _first_note(data)
    if start is not None and (runs := _read_runs(data, start)) is not None:
        columns, end = runs
        # What is around the notes is a whole message again.
        rest = NoteSequence.FromString(data[:start] + data[end:])
        if not rest.notes:
            return rest, columns
    note_sequence = NoteSequence.FromString(data)
    return note_sequence, note_columns(note_sequence)


def _first_note(data: bytes) -> int | None:
    """Where the first note's field begins; None where there is none, or anything unusual before it."""
    position = 0
    while position < len(data):
        tag = data[position]
        if tag == _NOTE_TAG:
            return position
        position += 1
        if tag & 7 == _FIXED64:
            position += 8
            continue
        if tag >= _MORE or tag & 7 not in (_VARINT, _LENGTH_DELIMITED):
            return None
        value, position = read_varint(data, position, len(data))
        if value < 0:
            return None
        if tag & 7 == _LENGTH_DELIMITED:
            position += value
    return None


def _read_runs(data: bytes, start: int) -> tuple[NoteColumns, int] | None:
    """The notes that follow each other from `start` on, and where they end; None if runs are short."""
    octets = np.frombuffer(data, np.uint8)
    integers: list[NDArray[np.uint8]] = []
    doubles: list[NDArray[np.float64]] = []
    num_notes = 0
    position = start
    while position < len(data) and data[position] == _NOTE_TAG:
        size = _NOTE_HEADER_BYTES + data[position + 1] if position + 1 < len(data) else 0
        if not _NOTE_HEADER_BYTES < size < _MORE or position + size > len(data):
            return None
        layout = _layout(data[position : position + size])
        if layout is None:
            return None
        rows = _run(octets[position:], size, _fixed_bits(size, layout))
        run_integers = np.zeros((len(_INTEGERS), len(rows)), np.uint8)
        run_doubles = np.zeros((len(_DOUBLES), len(rows)), np.float64)
        for row, field in enumerate(_INTEGERS):
            if field in layout:
                run_integers[row] = rows[:, layout[field][0]]
        for row, field in enumerate(_DOUBLES):
            if field in layout:
                place, width = layout[field]
                run_doubles[row] = rows[:, place : place + width].copy().view("<f8")[:, 0]
        integers.append(run_integers)
        doubles.append(run_doubles)
        num_notes += len(rows)
        position += rows.size
        if num_notes < _SHORT_RUN * (len(integers) - 2):  # the first runs may be short: notes at time 0 lack a field
            return None
    start_time, end_time = np.concatenate(doubles, axis=1)
    pitch, velocity, instrument, is_drum = np.concatenate(integers, axis=1).astype(np.int64)
    return NoteColumns(start_time, end_time, pitch, velocity, instrument, is_drum != 0), position


def _layout(note: bytes) -> dict[int, tuple[int, int]] | None:
    """Place and width of each value in the bytes of a note's field; None where that is not plain."""
    layout: dict[int, tuple[int, int]] = {}
    position = _NOTE_HEADER_BYTES
    while position < len(note):
        tag = note[position]
        width = {_VARINT: 1, _FIXED64: 8}.get(tag & 7)
        position += 1
        if width is None or not 8 <= tag < _MORE or tag >> 3 in layout or position + width > len(note):
            return None
        if width == 1 and note[position] >= _MORE:
            return None
        layout[tag >> 3] = position, width
        position += width
    if any(layout.get(field, (0, 1))[1] != 1 for field in _INTEGERS):
        return None
    if any(layout.get(field, (0, 8))[1] != 8 for field in _DOUBLES):
        return None
    return layout


def _fixed_bits(size: int, layout: dict[int, tuple[int, int]]) -> NDArray[np.uint8]:
    """[size]: the bits that are the same in all notes of a layout: tags, and that each varint is one byte."""
    bits = bytearray(b"\xff" * size)
    for place, width in layout.values():
        bits[place : place + width] = b"\x80" if width == 1 else bytes(width)
    return np.frombuffer(bits, np.uint8)


def _run(octets: NDArray[np.uint8], size: int, fixed_bits: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """[k, size]: the notes at the beginning of `octets` that are laid out as the first one, which is at least one."""
    window = _FIRST_WINDOW
    while True:
        count = min(window, len(octets) // size)
        rows = octets[: count * size].reshape(count, size)
        differs = ((rows ^ rows[0]) & fixed_bits).any(axis=1)
        first = int(differs.argmax())
        if differs[first]:
            return rows[:first]
        if count < window:
            return rows
        window *= 4
