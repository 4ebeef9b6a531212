"""What is in a SoundFont: a look at all its tables before a library that trusts them plays it.

A .sf2 file (SoundFont 2.04, Creative Technology 2006) is a RIFF file of three
lists: INFO, sdta with the samples, and pdta with nine tables that point into
each other. The last record of each table only says where the one before ends.
"""

import struct

import numpy as np
from numpy.typing import NDArray

from ostinato.errors import FormatError

_GENERATOR = np.dtype([("kind", "<u2"), ("amount", "<u2")])
_BAG = np.dtype([("generator", "<u2"), ("modulator", "<u2")])
_MODULATOR = np.dtype("V10")
_TABLES = {
    "phdr": np.dtype([("name", "S20"), ("preset", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("unused", "V12")]),
    "pbag": _BAG,
    "pmod": _MODULATOR,
    "pgen": _GENERATOR,
    "inst": np.dtype([("name", "S20"), ("bag", "<u2")]),
    "ibag": _BAG,
    "imod": _MODULATOR,
    "igen": _GENERATOR,
    "shdr": np.dtype(
        [
            ("name", "S20"),
            ("start", "<u4"),
            ("end", "<u4"),
            ("loop_start", "<u4"),
            ("loop_end", "<u4"),
            ("sample_rate", "<u4"),
            ("key", "u1"),
            ("cents", "i1"),
            ("link", "<u2"),
            ("type", "<u2"),
        ]
    ),
}
_INSTRUMENT, _SAMPLE = 41, 53  # generators
_COMPRESSED = 0x10  # of a sample's type: Ogg Vorbis, as in .sf3 files

_Table = NDArray[np.void]


def checked_presets(data: bytes) -> frozenset[tuple[int, int]]:
    """Look at a SoundFont's tables.

    Args:
        data: the bytes of the file.

    Returns:
        Bank and number of each of its presets; the drums are in bank 128.

    Raises:
        FormatError: if it is no SoundFont 2, or something in it points outside of it; the message says what.
    """
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"sfbk":
        raise FormatError("no SoundFont: its header, RIFF with sfbk, is missing")
    lists = {bytes(body[:4]): body[4:] for tag, body in _chunks(memoryview(data)[12:]) if tag == b"LIST"}
    if not {b"sdta", b"pdta"} <= lists.keys():
        raise FormatError("a SoundFont without samples or without its tables")
    samples = dict(_chunks(lists[b"sdta"])).get(b"smpl", memoryview(b""))
    bodies = dict(_chunks(lists[b"pdta"]))
    tables = {name: _table(name, bodies.get(name.encode())) for name in _TABLES}
    _check_pointers(tables)
    _check_samples(tables["shdr"], len(samples) // 2)
    presets = tables["phdr"][:-1]
    return frozenset(zip(presets["bank"].tolist(), presets["preset"].tolist(), strict=True))


def _chunks(data: memoryview) -> list[tuple[bytes, memoryview]]:
    found = []
    position = 0
    while position + 8 <= len(data):
        tag, size = struct.unpack_from("<4sI", data, position)
        if position + 8 + size > len(data):
            raise FormatError(f"the chunk {tag.decode('latin-1')!r} is longer than what is there of it")
        found.append((tag, data[position + 8 : position + 8 + size]))
        position += 8 + size + size % 2
    return found


def _table(name: str, body: memoryview | None) -> _Table:
    record = _TABLES[name]
    least = 2 if name in ("phdr", "inst", "shdr") else 1
    if body is None or len(body) % record.itemsize or len(body) < least * record.itemsize:
        raise FormatError(f"the table {name} is missing, cut or empty")
    return np.frombuffer(body, record)


def _check_pointers(tables: dict[str, _Table]) -> None:
    for name, field, target in (
        ("phdr", "bag", "pbag"),
        ("pbag", "generator", "pgen"),
        ("pbag", "modulator", "pmod"),
        ("inst", "bag", "ibag"),
        ("ibag", "generator", "igen"),
        ("ibag", "modulator", "imod"),
    ):
        pointers = tables[name][field].astype(np.int64)
        if (np.diff(pointers) < 0).any() or pointers[-1] >= len(tables[target]):
            raise FormatError(f"the table {name} points outside of {target}")
    for name, kind, target in (("pgen", _INSTRUMENT, "inst"), ("igen", _SAMPLE, "shdr")):
        table = tables[name]
        if (table["amount"][table["kind"] == kind] >= len(tables[target]) - 1).any():
            raise FormatError(f"the table {name} points outside of {target}")


def _check_samples(headers: _Table, num_samples: int) -> None:
    headers = headers[:-1]
    if (headers["type"] & _COMPRESSED).any():
        raise FormatError("its samples are compressed (.sf3), which is not supported; take an .sf2 file")
    start, end = (headers[name].astype(np.int64) for name in ("start", "end"))
    loops = [headers[name].astype(np.int64) for name in ("loop_start", "loop_end")]
    if (start > end).any() or any((place > num_samples).any() for place in (end, *loops)):
        raise FormatError("a sample lies outside of the recorded sound")
    if ((headers["sample_rate"] < 400) | (headers["sample_rate"] > 192_000)).any():
        raise FormatError("a sample has no sample rate that can be")
