"""Variables from TensorFlow's checkpoints, read without TensorFlow; those of version 1 written too.

Version 1 is one SSTable, a sorted table of LevelDB. The value of its first key,
"", is a SavedTensorSlices that lists every variable: name, type, shape, slices.
Each further value is a SavedTensorSlices with the numbers of one slice. Its key,
by which TensorFlow finds it, is a byte 00, the name, 00 01, how many dimensions
in as many bytes as a byte 01 or none says, and for each dimension of a whole
variable 80 7f: it starts at 0 and has no length.

Version 2 is a prefix with files beside it. `PREFIX.index` is an SSTable whose
key "" holds a BundleHeaderProto; every other key is a variable's name, its value
a BundleEntryProto: type, shape, and where its bytes are in the shards
`PREFIX.data-00000-of-00001`, with their masked CRC32C.

An SSTable, little-endian:

| what            | bytes                                                                        |
|-----------------|------------------------------------------------------------------------------|
| blocks          | data blocks, a metaindex block, an index block; each with a trailer of 1 byte |
|                 | compression (0 none, 1 Snappy) and 4 bytes masked CRC32C of block and byte   |
| footer, 48      | handles of the metaindex and the index block, padding up to 40 bytes, magic  |

A handle is two varints: a block's offset, and its size without the trailer. A
block is entries by ascending key, then 4-byte offsets of restarts (of use to
binary search only), then their number in 4 bytes. An entry is three varints,
how many bytes its key shares with the key before, how many it adds, how long
the value is; then the added bytes and the value. The index block has an entry
for each data block, whose value is the handle.

We believe no size in a file before we have seen the bytes for it.
"""

import logging
import math
import os
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from google.protobuf.message import DecodeError, Message
from numpy.typing import DTypeLike, NDArray

from ostinato.errors import DataError, FormatError
from ostinato.formats.tensorflow import tensorflow_pb2 as pb
from ostinato.formats.tensorflow.tfrecord import masked_crc32c
from ostinato.formats.wire import MAX_VARINT_BYTES, read_varint, varint

MAGIC = bytes.fromhex("57fb808b247547db")

_FOOTER_BYTES = 48
_HANDLES_BYTES = 40
_TRAILER = struct.Struct("<BI")  # compression, checksum
_UINT32 = struct.Struct("<I")

# Far above any model's, and low enough that a hostile table costs little time.
_MAX_ENTRIES = 1 << 16
_MAX_KEY_BYTES = 1 << 12


def is_table(data: bytes) -> bool:
    """Whether these bytes end as a table does."""
    return data.endswith(MAGIC)


def read_table(table: bytes, source: str) -> Iterator[tuple[bytes, bytes]]:
    """Yield a table's entries in the order of their keys, checking each block's checksum.

    Args:
        table: the whole table.
        source: what to call it in errors.

    Yields:
        The key and the value of each entry.

    Raises:
        FormatError: if this is not a whole table, a block is damaged or compressed, or the keys do not ascend.
    """
    try:
        yield from _entries(table)
    except _TableError as error:
        raise FormatError(f"{source}: {error}") from None


class _TableError(Exception):
    """What is wrong with a table."""


def _entries(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    if len(table) < _FOOTER_BYTES or not is_table(table):
        raise _TableError(f"not a TensorFlow checkpoint, or cut off: an SSTable's last 8 bytes are {MAGIC.hex()}")
    footer_start = len(table) - _FOOTER_BYTES
    handles_end = footer_start + _HANDLES_BYTES
    _, _, index_handle = _handle(table, footer_start, handles_end)  # the metaindex holds nothing we need
    index_offset, index_size, _ = _handle(table, index_handle, handles_end)
    previous_end = 0
    previous_key: bytes | None = None
    count = 0
    for blocks, (_, handle) in enumerate(_block_entries(_block(table, index_offset, index_size), index_offset)):
        offset, size, _ = _handle(handle, 0, len(handle))
        # Blocks that overlap would let a small file hold any number of entries.
        if offset < previous_end:
            raise _TableError(f"the block at byte {offset} overlaps the one before, which ends at {previous_end}")
        block = _block(table, offset, size)
        previous_end = offset + size
        for key, value in _block_entries(block, offset):
            if previous_key is not None and key <= previous_key:
                raise _TableError(f"the keys of the block at byte {offset} do not ascend")
            previous_key = key
            count += 1
            yield key, value
        if max(blocks, count) > _MAX_ENTRIES:
            raise _TableError(f"more than {_MAX_ENTRIES} entries, which no melody model has")


def _block(table: bytes, offset: int, size: int) -> bytes:
    """A block without its trailer, which is checked."""
    end = offset + size
    if end + _TRAILER.size > len(table) - _FOOTER_BYTES:
        raise _TableError(f"a block of {size} bytes at byte {offset} does not fit in a table of {len(table)} bytes")
    compression, checksum = _TRAILER.unpack_from(table, end)
    if masked_crc32c(table[offset : end + 1]) != checksum:
        raise _TableError(f"wrong checksum of the block of {size} bytes at byte {offset}; the file is damaged")
    if compression:
        kind = "Snappy" if compression == 1 else f"a method of number {compression}"
        raise _TableError(
            f"the block at byte {offset} is compressed by {kind}, which the checkpoints of Melody RNN never are"
        )
    return table[offset:end]


def _block_entries(block: bytes, offset: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of the block at `offset`."""
    if len(block) < _UINT32.size:
        raise _TableError(f"the block at byte {offset} has {len(block)} bytes, too few for its number of restarts")
    (restarts,) = _UINT32.unpack_from(block, len(block) - _UINT32.size)
    end = len(block) - _UINT32.size * (restarts + 1)
    if end < 0:
        raise _TableError(f"the block at byte {offset} is too short for its {restarts} restarts")
    at = 0
    key = b""
    while at < end:
        shared, at = _varint(block, at, end)
        added, at = _varint(block, at, end)
        value_size, at = _varint(block, at, end)
        if shared > len(key) or added + value_size > end - at:
            raise _TableError(f"an entry of the block at byte {offset} does not fit into it")
        if shared + added > _MAX_KEY_BYTES:
            raise _TableError(
                f"a key of {shared + added} bytes in the block at byte {offset}; at most {_MAX_KEY_BYTES}"
            )
        key = key[:shared] + block[at : at + added]
        at += added
        yield key, block[at : at + value_size]
        at += value_size


def _handle(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """Offset and size of the block that the handle at `at` points to, and where the handle ends."""
    offset, at = _varint(data, at, end)
    size, at = _varint(data, at, end)
    return offset, size, at


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """An unsigned integer, and where it ends."""
    value, position = read_varint(data, at, end)
    if value < 0:
        raise _TableError(f"a number is cut off or longer than {MAX_VARINT_BYTES} bytes")
    return value, position


def encode_table(entries: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The table of some entries, whose keys must ascend: a block for each, not compressed."""
    table = bytearray()
    index: list[tuple[bytes, bytes]] = []

    def append(block_entries: Iterable[tuple[bytes, bytes]]) -> bytes:
        """Append a block; its handle."""
        block = b"".join(b"\0" + varint(len(key)) + varint(len(value)) + key + value for key, value in block_entries)
        block += _UINT32.pack(0) + _UINT32.pack(1)  # one restart, at 0
        handle = varint(len(table)) + varint(len(block))
        table.extend(block + _TRAILER.pack(0, masked_crc32c(block + b"\0")))
        return handle

    for key, value in entries:
        index.append((key, append([(key, value)])))
    handles = append([]) + append(index)
    return bytes(table) + handles.ljust(_HANDLES_BYTES, b"\0") + MAGIC


_logger = logging.getLogger(__name__)

_MAX_RANK = 8
# Messages that list variables may take some 50 times their bytes in memory; Magenta's take a few kilobytes.
_MAX_LIST_BYTES = 1 << 22
_MAX_INDEX_BYTES = 1 << 24


class _Type(NamedTuple):
    """How one of TensorFlow's types is stored."""

    field: str  # of TensorProto, in version 1
    field_bytes: int  # the least that a value takes there
    stored: DTypeLike  # in version 2
    read: DTypeLike


_BFLOAT16 = pb.DT_BFLOAT16  # the upper half of a float32, which NumPy has no type for
_TYPES: dict[int, _Type] = {
    pb.DT_FLOAT: _Type("float_val", 4, "<f4", np.float32),
    pb.DT_DOUBLE: _Type("double_val", 8, "<f8", np.float64),
    pb.DT_INT32: _Type("int_val", 1, "<i4", np.int32),
    pb.DT_INT64: _Type("int64_val", 1, "<i8", np.int64),
    pb.DT_HALF: _Type("half_val", 1, "<f2", np.float16),
    _BFLOAT16: _Type("half_val", 1, "<u2", np.float32),
}

M = TypeVar("M", bound=Message)
Wanted = Callable[[str], bool]


def _every(_: str) -> bool:
    return True


def read_checkpoint_v1(data: bytes, source: str, wanted: Wanted = _every) -> dict[str, NDArray[Any]]:
    """Read the variables of a checkpoint of version 1.

    Args:
        data: the whole file.
        source: what to call it in errors.
        wanted: which variables to read, by their names.

    Returns:
        The variables by name; bfloat16 as float32. One that is not of a number type is left out, with a warning.

    Raises:
        FormatError: if the file is damaged, or a variable's slices do not make it up.
    """
    entries = read_table(data, source)
    key, value = next(entries, (None, b""))
    if key != b"":
        raise FormatError(f"{source}: not a checkpoint of version 1: its first key must be empty, not {key!r}")
    if len(value) > _MAX_LIST_BYTES:
        raise FormatError(f"{source}: its list of variables has {len(value)} bytes; at most {_MAX_LIST_BYTES}")
    listed = _parsed(pb.SavedTensorSlices, value, f"{source}: its list of variables").meta.tensor
    variables: dict[str, _Assembly | None] = {}
    room = len(data)
    for tensor in listed:
        name = tensor.name
        if name in variables:
            raise FormatError(f"{source}: variable {name} is listed twice")
        variables[name] = None
        if wanted(name) and (kind := _kind(tensor.type, name, source)):
            shape = _shape(tensor.shape, f"{source}: variable {name}")
            room -= math.prod(shape) * kind.field_bytes
            if room < 0:
                raise FormatError(
                    f"{source}: variable {name} claims the shape {list(shape)}, "
                    f"too large for a file of {len(data)} bytes"
                )
            variables[name] = _Assembly(name, shape, tensor.type, source)
    for _, value in entries:
        piece = _parsed(pb.SavedTensorSlices, value, f"{source}: a slice of a variable").data
        if piece.name not in variables:
            raise FormatError(f"{source}: there are numbers of variable {piece.name}, which is not listed")
        if assembly := variables[piece.name]:
            assembly.add(piece)
    return {name: assembly.whole() for name, assembly in variables.items() if assembly}


def encode_checkpoint_v1(variables: Mapping[str, NDArray[np.float32]]) -> bytes:
    """The bytes of a checkpoint of version 1 with these variables, each in one slice."""
    listed = pb.SavedTensorSlices()
    listed.meta.versions.producer = 1
    entries = []
    for name, array in sorted(variables.items()):
        whole = pb.TensorSliceProto(extent=[pb.TensorSliceProto.Extent()] * array.ndim)
        shape = pb.TensorShapeProto(dim=[pb.TensorShapeProto.Dim(size=size) for size in array.shape])
        listed.meta.tensor.add(name=name, shape=shape, type=pb.DT_FLOAT, slice=[whole])
        numbers = pb.TensorProto(float_val=array.ravel().tolist())
        piece = pb.SavedTensorSlices(data=pb.SavedSlice(name=name, slice=whole, data=numbers))
        rank = bytes([1, array.ndim]) if array.ndim else b"\0"
        key = b"\0" + name.encode() + b"\0\1" + rank + b"\x80\x7f" * array.ndim
        entries.append((key, piece.SerializeToString()))
    return encode_table([(b"", listed.SerializeToString()), *entries])


class _Assembly:
    """A variable that is put together from its slices."""

    def __init__(self, name: str, shape: tuple[int, ...], dtype: int, source: str) -> None:
        self._what = f"{source}: variable {name}"
        self._type = dtype
        self._array = np.zeros(shape, _TYPES[dtype].read)
        self._filled = np.zeros(shape, np.bool_)

    def add(self, piece: pb.SavedSlice) -> None:
        shape = self._array.shape
        extents = piece.slice.extent
        if len(extents) != len(shape):
            raise FormatError(f"{self._what}: a slice of {len(extents)} dimensions in one of {len(shape)}")
        ranges = []
        for extent, size in zip(extents, shape, strict=True):
            # An extent without a length is the whole dimension.
            length = extent.length if extent.HasField("length") else size - extent.start
            if extent.start < 0 or length < 0 or extent.start + length > size:
                raise FormatError(f"{self._what}: a slice of {length} from {extent.start} leaves a dimension of {size}")
            ranges.append(slice(extent.start, extent.start + length))
        place = tuple(ranges)
        if self._filled[place].any():
            raise FormatError(f"{self._what}: two slices overlap")
        values = self._values(piece.data)
        wanted = self._filled[place].shape
        if values.size != math.prod(wanted):
            raise FormatError(f"{self._what}: {values.size} numbers for a slice of shape {list(wanted)}")
        self._array[place] = values.reshape(wanted)
        self._filled[place] = True

    def _values(self, tensor: pb.TensorProto) -> NDArray[Any]:
        if tensor.dtype not in (self._type, pb.DT_INVALID):  # TensorFlow leaves it out
            raise FormatError(f"{self._what}: a slice of type {tensor.dtype} in one of type {self._type}")
        kind = _TYPES[self._type]
        if kind.field != "half_val":
            return np.asarray(getattr(tensor, kind.field), kind.read)
        halves = np.asarray(tensor.half_val, np.int32)
        if halves.size and not (halves.min() >= 0 and halves.max() <= np.iinfo(np.uint16).max):
            raise FormatError(f"{self._what}: a 16-bit number must be 0 to 65535")
        bits = halves.astype(np.uint16)
        return _from_bfloat16(bits) if self._type == _BFLOAT16 else bits.view(np.float16)

    def whole(self) -> NDArray[Any]:
        if not self._filled.all():
            missing = self._filled.size - np.count_nonzero(self._filled)
            raise FormatError(f"{self._what}: {missing} of its {self._filled.size} numbers are missing")
        return self._array


def read_checkpoint_v2(prefix: str | os.PathLike[str], wanted: Wanted = _every) -> dict[str, NDArray[Any]]:
    """Read the variables of a checkpoint of version 2.

    Args:
        prefix: the files' common path, such as run1/train/model.ckpt-30.
        wanted: which variables to read, by their names.

    Returns:
        The variables by name; bfloat16 as float32. One that is not of a number type is left out, with a warning.

    Raises:
        FormatError: if the index or a shard is damaged, or a variable is stored in slices.
        DataError: if the index or a shard is missing.
    """
    prefix = os.fspath(prefix)
    index = f"{prefix}.index"
    with _opened(index) as file:
        size = os.fstat(file.fileno()).st_size
        if size > _MAX_INDEX_BYTES:
            raise FormatError(f"{index}: {size} bytes, and the index of a checkpoint has at most {_MAX_INDEX_BYTES}")
        entries = read_table(file.read(), index)
    key, value = next(entries, (None, b""))
    if key != b"":
        raise FormatError(f"{index}: not an index of version 2: its first key must be empty, not {key!r}")
    header = _parsed(pb.BundleHeaderProto, value, f"{index}: its header")
    if header.endianness != pb.BundleHeaderProto.LITTLE:
        raise FormatError(f"{index}: written on a big-endian machine, which is not supported")
    shards: dict[int, list[_Stored]] = {}
    for stored in _stored(entries, index, wanted):
        if not 0 <= stored.shard < header.num_shards:
            raise FormatError(
                f"{index}: variable {stored.name} is in shard {stored.shard}, but there are only {header.num_shards}"
            )
        shards.setdefault(stored.shard, []).append(stored)
    variables: dict[str, NDArray[Any]] = {}
    for shard, contents in sorted(shards.items()):
        variables.update(_read_shard(f"{prefix}.data-{shard:05d}-of-{header.num_shards:05d}", contents))
    return variables


class _Stored(NamedTuple):
    """Where a variable's bytes are in its shard."""

    offset: int
    size: int
    name: str
    shard: int
    shape: tuple[int, ...]
    dtype: int
    checksum: int


def _stored(entries: Iterable[tuple[bytes, bytes]], index: str, wanted: Wanted) -> Iterator[_Stored]:
    for key, value in entries:
        if key.startswith(b"\0"):
            continue  # a slice of a variable whose own entry, which comes too, says that it has slices
        try:
            name = key.decode()
        except UnicodeDecodeError:
            raise FormatError(f"{index}: {key!r} is not the name of a variable") from None
        if not wanted(name):
            continue
        entry = _parsed(pb.BundleEntryProto, value, f"{index}: variable {name}")
        if not (kind := _kind(entry.dtype, name, index)):
            continue
        if entry.slices:
            raise FormatError(f"{index}: variable {name} is stored in slices, which is not supported")
        shape = _shape(entry.shape, f"{index}: variable {name}")
        size = math.prod(shape) * np.dtype(kind.stored).itemsize
        if entry.size != size or entry.offset < 0:
            raise FormatError(
                f"{index}: variable {name} of shape {list(shape)} takes {size} bytes, "
                f"not {entry.size} from byte {entry.offset}"
            )
        yield _Stored(entry.offset, size, name, entry.shard_id, shape, entry.dtype, entry.crc32c)


def _read_shard(path: str, contents: list[_Stored]) -> Iterator[tuple[str, NDArray[Any]]]:
    with _opened(path) as file:
        file_size = os.fstat(file.fileno()).st_size
        previous_end = 0
        for stored in sorted(contents):
            # Variables that overlap would let a small file fill any memory.
            if stored.offset < previous_end or stored.offset + stored.size > file_size:
                raise FormatError(
                    f"{path}: variable {stored.name} of {stored.size} bytes at byte {stored.offset} "
                    f"overlaps another or leaves the file of {file_size} bytes"
                )
            previous_end = stored.offset + stored.size
            file.seek(stored.offset)
            data = file.read(stored.size)
            if masked_crc32c(data) != stored.checksum:
                raise FormatError(f"{path}: wrong checksum of variable {stored.name}; the file is damaged")
            kind = _TYPES[stored.dtype]
            values = np.frombuffer(data, kind.stored)
            values = _from_bfloat16(values) if stored.dtype == _BFLOAT16 else values.astype(kind.read)
            yield stored.name, values.reshape(stored.shape)


def latest_checkpoint(folder: str | os.PathLike[str]) -> Path:
    """The checkpoint that TensorFlow's file `checkpoint` in a folder names as the latest.

    Args:
        folder: of the checkpoints.

    Returns:
        The checkpoint's prefix, in this folder even if it was written elsewhere.

    Raises:
        FormatError: if the file names no checkpoint.
        DataError: if there is no such file.
    """
    state = Path(folder) / "checkpoint"
    with _opened(state) as file:
        text = file.read(_MAX_LIST_BYTES)
    named = re.search(rb'^\s*model_checkpoint_path:\s*"((?:[^"\\\n]|\\.)*)"', text, re.MULTILINE)
    # The text format of protobuf writes other than plain letters as \ and three octal digits.
    path = re.sub(rb"\\([0-7]{3})", lambda octal: bytes([int(octal[1], 8) & 0xFF]), named[1]) if named else b""
    name = re.split(r"[/\\]", os.fsdecode(path))[-1]
    if not name or "\0" in name:
        raise FormatError(f"{state}: it names no model_checkpoint_path")
    return Path(folder) / name


def _opened(path: str | os.PathLike[str]) -> Any:
    try:
        return Path(path).open("rb")
    except FileNotFoundError:
        raise DataError(f"{os.fspath(path)}: there is no such file, and the checkpoint needs it") from None


def _parsed(kind: type[M], data: bytes, what: str) -> M:
    try:
        return kind.FromString(data)
    except DecodeError:
        raise FormatError(f"{what} is not a {kind.__name__}") from None


def _kind(dtype: int, name: str, source: str) -> _Type | None:
    kind = _TYPES.get(dtype)
    if kind is None:
        _logger.warning("%s: skipping variable %s: its type, %d, is not a type of number", source, name, dtype)
    return kind


def _shape(shape: pb.TensorShapeProto, what: str) -> tuple[int, ...]:
    """A shape that could be; whether there are as many numbers is for the caller to see."""
    sizes = tuple(dimension.size for dimension in shape.dim)
    if shape.unknown_rank or len(sizes) > _MAX_RANK or not all(1 <= size < 1 << 31 for size in sizes):
        raise FormatError(f"{what} has the shape {list(sizes)[: _MAX_RANK + 1]}, which no variable has")
    return sizes


def _from_bfloat16(values: NDArray[np.uint16]) -> NDArray[np.float32]:
    return (values.astype(np.uint32) << 16).view(np.float32)
