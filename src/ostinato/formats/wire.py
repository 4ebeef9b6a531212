"""Protobuf's wire format, written from arrays: no Python object for a field or a message.

Fields must be given in the order of their numbers. A field of value zero is left
out, as proto3 does, so the bytes are those that protobuf itself writes.
"""

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_VARINT, _FIXED64, _BYTES = 0, 1, 2  # wire types
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


def field(number: int, value: bytes | str | int | float) -> bytes:
    """One field: an int as a varint, a float as a double, a str as UTF-8, or bytes, a message's too.

    Nothing at all for 0 or an empty string; bytes stand even if empty, for an empty message is one.
    """
    if isinstance(value, float):
        # -0.0 is no zero here.
        return varint(number << 3 | _FIXED64) + _DOUBLE.pack(value) if value or str(value) == "-0.0" else b""
    if isinstance(value, str):
        return field(number, value.encode()) if value else b""
    if isinstance(value, bytes):
        return varint(number << 3 | _BYTES) + varint(len(value)) + value
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
    rows[:, 0] = number << 3 | _BYTES
    rows[:, 1] = length
    starts = np.zeros(count + 1, np.int64)
    np.cumsum(length + 2, out=starts[1:])
    return rows[kept], starts


def _put_doubles(
    number: int, values: NDArray[np.generic], rows: NDArray[np.uint8], kept: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Fill the columns of one field, mark what is not kept, and tell how many bytes are."""
    rows[:, 0] = number << 3 | _FIXED64
    rows[:, 1:] = np.ascontiguousarray(values, "<f8").view(np.uint8).reshape(-1, 8)
    absent = np.ascontiguousarray(values).view(np.uint64) == 0  # -0.0 is no zero here
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
