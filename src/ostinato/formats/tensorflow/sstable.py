"""SSTables, read only: the sorted tables of LevelDB, in which TensorFlow keeps its checkpoints.

A table, little endian:

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
"""

import struct
from collections.abc import Iterator

from ostinato.errors import FormatError
from ostinato.formats.tensorflow.tfrecord import masked_crc32c

MAGIC = bytes.fromhex("57fb808b247547db")

_FOOTER_BYTES = 48
_HANDLES_BYTES = 40
_TRAILER = struct.Struct("<BI")  # compression, checksum
_UINT32 = struct.Struct("<I")
_VARINT_BYTES = 10  # the most that 64 bits take

# Far above any model's, and low enough that a hostile table costs little time.
_MAX_ENTRIES = 1 << 16
_MAX_KEY_BYTES = 1 << 12


def is_table(data: bytes) -> bool:
    """Whether these bytes end as a table does."""
    return data.endswith(MAGIC)


def read_table(table: bytes, source: str) -> Iterator[tuple[bytes, bytes]]:
    """Go through a table's entries in the order of their keys, checking each block's checksum.

    Args:
        table: the whole table.
        source: what to call it in errors.

    Yields:
        The key and the value of each entry.

    Raises:
        FormatError: if this is no whole table, a block is damaged or compressed, or the keys do not ascend.
    """
    try:
        yield from _entries(table)
    except _TableError as error:
        raise FormatError(f"{source}: {error}") from None


class _TableError(Exception):
    """What is wrong with a table."""


def _entries(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    if len(table) < _FOOTER_BYTES or not is_table(table):
        raise _TableError(f"no TensorFlow checkpoint, or cut off: an SSTable's last 8 bytes are {MAGIC.hex()}")
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
            raise _TableError(f"the block at byte {offset} lies inside the one before, which ends at {previous_end}")
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
        raise _TableError(f"a block of {size} bytes at byte {offset} does not fit into a table of {len(table)} bytes")
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
    """Keys and values of a block that stands at `offset`."""
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
    """An unsigned integer in 7-bit groups, the lowest first, and where it ends."""
    value = 0
    for position in range(at, min(at + _VARINT_BYTES, end)):
        byte = data[position]
        value |= (byte & 0x7F) << 7 * (position - at)
        if byte < 0x80:
            return value, position + 1
    raise _TableError(f"a number is cut off or longer than {_VARINT_BYTES} bytes")
