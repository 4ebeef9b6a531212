"""The notes of a NoteSequence as arrays, read without a Python object for each.

Most of a NoteSequence's bytes are notes, and nearly all of its notes are laid
out alike: the same fields in the same order, each value as long as the last
note's. Such a run is read as one array with a row for each note. A NoteSequence
with few such runs is left to protobuf.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ostinato.formats.note_sequence_pb2 import NoteSequence

_NOTES = 8  # field numbers: of the notes, and within a note
_PITCH, _VELOCITY, _START_TIME, _END_TIME, _INSTRUMENT, _IS_DRUM = 1, 2, 3, 4, 7, 9
_INTEGERS = (_PITCH, _VELOCITY, _INSTRUMENT, _IS_DRUM)
_DOUBLES = (_START_TIME, _END_TIME)

_VARINT, _FIXED64, _LENGTH_DELIMITED = 0, 1, 2  # wire types
_MORE = 0x80  # set in each byte of a varint but the last
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
        is_drum: whether it is a drum's.
    """

    start_time: NDArray[np.float64]
    end_time: NDArray[np.float64]
    pitch: NDArray[np.int64]
    velocity: NDArray[np.int64]
    instrument: NDArray[np.int64]
    is_drum: NDArray[np.bool_]


def note_columns(note_sequence: NoteSequence) -> NoteColumns:
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


def parse_note_sequence(data: bytes) -> tuple[NoteSequence, NoteColumns]:
    """Read a NoteSequence.

    Args:
        data: the bytes of one record.

    Returns:
        The message, and its notes. The message itself may hold none of them.

    Raises:
        google.protobuf.message.DecodeError: if the bytes are no NoteSequence.
    """
    start = _first_note(data)
    if start is not None and (runs := _read_runs(data, start)) is not None:
        columns, end = runs
        # What stands around the notes is a whole message again.
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
        value = shift = 0
        if tag & 7 == _FIXED64:
            position += 8
            continue
        if tag >= _MORE or tag & 7 not in (_VARINT, _LENGTH_DELIMITED):
            return None
        while position < len(data):
            octet = data[position]
            position += 1
            value |= (octet & ~_MORE) << shift
            shift += 7
            if octet < _MORE:
                break
        if tag & 7 == _LENGTH_DELIMITED:
            position += value
    return None


def _read_runs(data: bytes, start: int) -> tuple[NoteColumns, int] | None:
    """The notes that stand one after the other from `start` on, and where they end; None where runs are short."""
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
