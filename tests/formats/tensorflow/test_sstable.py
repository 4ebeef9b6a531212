import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.errors import FormatError
from ostinato.formats.tensorflow.sstable import is_table, read_table
from tensorflow_files import TABLE_MAGIC, block, table, varint, with_index, with_trailer

# A table of three entries in one block. The checksums were worked out bit by bit
# with the polynomial 82f63b78, rotated by 15 bits, plus a282ead8.
BY_HAND = bytes.fromhex(
    "00 00 02  68 69"  # shares 0 bytes, adds 0, value of 2: "" is "hi"
    "00 02 01  61 62  01"  # "ab" is 01
    "01 01 00  63"  # shares the "a": "ac" is empty
    "00 00 00 00  01 00 00 00"  # a restart at 0; there is one
    "00  72 c6 79 24"  # not compressed; checksum of the 24 bytes before
    "00 00 00 00  01 00 00 00"  # the metaindex block, at 28 = 1c: no entries
    "00  c0 f2 a1 b0"
    "00 02 02  61 63  00 17"  # the index block, at 41 = 29: up to "ac" the block at 0 of 23 bytes
    "00 00 00 00  01 00 00 00"
    "00  cc 93 b4 f1"
    "1c 08  29 0f"
    + "00" * 36  # the footer: metaindex at 28 of 8 bytes, index at 41 of 15, padding to 40
    + "57 fb 80 8b 24 75 47 db"
)


def read(data: bytes) -> list[tuple[bytes, bytes]]:
    return list(read_table(data, "x.ckpt"))


def test_a_table_written_by_hand() -> None:
    assert is_table(BY_HAND)
    assert read(BY_HAND) == [(b"", b"hi"), (b"ab", b"\1"), (b"ac", b"")]


def test_the_writer_of_these_tests_writes_the_same_table() -> None:
    assert table([(b"", b"hi"), (b"ab", b"\1"), (b"ac", b"")]) == BY_HAND


@given(st.dictionaries(st.binary(max_size=40), st.binary(max_size=300), max_size=20), st.integers(1, 7))
def test_reads_back_what_was_written(contents: dict[bytes, bytes], entries_per_block: int) -> None:
    entries = sorted(contents.items())
    assert read(table(entries, entries_per_block)) == entries


@given(st.binary(max_size=200), st.integers(0, 200))
def test_garbage_is_refused_cleanly(data: bytes, at: int) -> None:
    for hostile in (data, data + TABLE_MAGIC, data.ljust(40, b"\0")[:40] + TABLE_MAGIC, BY_HAND[:at] + data):
        if hostile != BY_HAND:
            with pytest.raises(FormatError, match=r"^x\.ckpt: "):
                read(hostile)


def test_every_cut_is_refused() -> None:
    for length in range(len(BY_HAND)):
        with pytest.raises(FormatError, match="cut off"):
            read(BY_HAND[:length])


def test_every_flipped_bit_of_the_blocks_is_refused() -> None:
    for bit in range(8 * 28):
        damaged = bytearray(BY_HAND)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(FormatError, match="checksum of the block of 23 bytes at byte 0; the file is damaged"):
            read(bytes(damaged))


def one_block(contents: bytes, compression: int = 0, handle: bytes | None = None) -> bytes:
    return with_index(with_trailer(contents, compression), [(b"z", handle or varint(0) + varint(len(contents)))])


RESTARTS = struct.pack("<II", 0, 1)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (one_block(block([(b"a", b"")]), compression=1), "compressed by Snappy"),
        (one_block(block([(b"a", b"")]), compression=9), "compressed by a method of number 9"),
        (one_block(b"\5\1\0a" + RESTARTS), "does not fit into it"),  # shares 5 bytes with no key
        (one_block(b"\0\1\x7fa" + RESTARTS), "does not fit into it"),  # a value of 127 bytes
        (one_block(b"\0" + varint(1 << 63) + b"\0" + RESTARTS), "does not fit into it"),
        (one_block(b"\0" + b"\xff" * 11 + RESTARTS), "longer than 10 bytes"),
        (one_block(b"\0\1" + RESTARTS), "a number is cut off"),
        (one_block(struct.pack("<I", 1 << 31)), "too short for its 2147483648 restarts"),
        (one_block(b"ab"), "too few for its number of restarts"),
        (one_block(block([(b"b", b""), (b"a", b"")])), "do not ascend"),
        (one_block(block([(b"a", b""), (b"a", b"")])), "do not ascend"),
        (one_block(b"\0\1\0a" + b"\1\0\0" * 1000 + RESTARTS), "do not ascend"),  # the same key for ever
        (one_block(block([(b"k" * 5000, b"")])), "a key of 5000 bytes"),
        (one_block(block([]), handle=varint(1 << 62) + varint(1 << 62)), "does not fit into a table"),
        (one_block(block([]), handle=b"\xff"), "a number is cut off"),
    ],
)
def test_hostile_tables_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read(data)


def test_a_block_read_again_and_again_is_refused() -> None:
    contents = block([(b"a", b"x" * 100)])
    handle = varint(0) + varint(len(contents))
    with pytest.raises(FormatError, match="lies inside the one before"):
        read(with_index(with_trailer(contents), [(b"%04d" % number, handle) for number in range(1000)]))


def test_a_table_of_very_many_entries_is_refused() -> None:
    entries = [(b"%05d" % number, b"") for number in range(70_000)]
    with pytest.raises(FormatError, match="more than 65536 entries"):
        read(table(entries, entries_per_block=70_000))
