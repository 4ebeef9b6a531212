import contextlib
import logging
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import golden_files
from ostinato.errors import DataError, FormatError
from ostinato.formats.generator_bundle_pb2 import GeneratorBundle
from ostinato.formats.tensorflow import tensorflow_pb2 as pb
from ostinato.formats.tensorflow.checkpoint import (
    encode_checkpoint_v1,
    encode_table,
    is_table,
    latest_checkpoint,
    read_checkpoint_v1,
    read_checkpoint_v2,
    read_table,
)
from tensorflow_files import (
    TABLE_MAGIC,
    block,
    checkpoint_v1,
    checksum,
    shape_of,
    table,
    varint,
    with_index,
    with_trailer,
)

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


# The same entries with a block each; the checksums worked out in the same way.
WRITTEN_BY_HAND = bytes.fromhex(
    "00 00 02  68 69  00 00 00 00  01 00 00 00  00  31 b7 90 c9"
    "00 02 01  61 62  01  00 00 00 00  01 00 00 00  00  f8 63 40 0f"
    "00 02 00  61 63  00 00 00 00  01 00 00 00  00  55 02 ab 09"
    "00 00 00 00  01 00 00 00  00  c0 f2 a1 b0"  # the metaindex block, at 37
    "00 00 02  00 0d"  # the index block, at 44: the block of "" is at 0 and has 0d bytes
    "00 02 02  61 62  12 0e"
    "00 02 02  61 63  25 0d"
    "00 00 00 00  01 00 00 00  00  3b ef cc eb"
    "37 08  44 1b" + "00" * 36 + "57 fb 80 8b 24 75 47 db"
)


def test_a_table_is_written_with_a_block_for_each_entry() -> None:
    assert encode_table([(b"", b"hi"), (b"ab", b"\1"), (b"ac", b"")]) == WRITTEN_BY_HAND


@given(st.dictionaries(st.binary(max_size=40), st.binary(max_size=300), max_size=20))
def test_what_we_write_is_read_back(contents: dict[bytes, bytes]) -> None:
    entries = sorted(contents.items())
    assert read(encode_table(entries)) == entries


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
        (one_block(block([]), handle=varint(1 << 62) + varint(1 << 62)), "does not fit in a table"),
        (one_block(block([]), handle=b"\xff"), "a number is cut off"),
    ],
)
def test_hostile_tables_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read(data)


def test_a_block_read_again_and_again_is_refused() -> None:
    contents = block([(b"a", b"x" * 100)])
    handle = varint(0) + varint(len(contents))
    with pytest.raises(FormatError, match="overlaps the one before"):
        read(with_index(with_trailer(contents), [(b"%04d" % number, handle) for number in range(1000)]))


def test_a_table_of_very_many_entries_is_refused() -> None:
    entries = [(b"%05d" % number, b"") for number in range(70_000)]
    with pytest.raises(FormatError, match="more than 65536 entries"):
        read(table(entries, entries_per_block=70_000))


GOLDEN = golden_files.SMALL.parent


def stored_variables(path: Path) -> dict[str, NDArray[np.float32]]:
    with np.load(path) as file:
        return {name.replace("|", "/"): file[name] for name in file.files}


def assert_equal(found: dict[str, NDArray[np.float32]], wanted: dict[str, NDArray[np.float32]]) -> None:
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("name", ["gold_lookback", "gold_attention"])
def test_the_variables_of_magentas_bundles(name: str) -> None:
    bundle = GeneratorBundle.FromString((GOLDEN / f"{name}.mag").read_bytes())
    found = read_checkpoint_v1(bundle.checkpoint_file[0], name)
    assert_equal(found, stored_variables(GOLDEN / f"vars_{name}.npz"))


def test_the_variables_of_a_bundle_of_2017(golden_public: Path) -> None:
    bundle = GeneratorBundle.FromString((golden_public / "funkyb_attention.mag").read_bytes())
    found = read_checkpoint_v1(bundle.checkpoint_file[0], "funkyb")
    assert_equal(found, stored_variables(golden_public / "vars_funkyb_attention.npz"))


@pytest.mark.parametrize("name", ["gold_lookback", "gold_attention"])
def test_we_write_the_entries_that_tensorflow_wrote(name: str) -> None:
    bundle = GeneratorBundle.FromString((GOLDEN / f"{name}.mag").read_bytes())
    (theirs,) = bundle.checkpoint_file
    assert read(encode_checkpoint_v1(stored_variables(GOLDEN / f"vars_{name}.npz"))) == read(theirs)


@pytest.mark.parametrize("model", ["lookback", "attention"])
def test_the_variables_of_magentas_training_checkpoints(model: str) -> None:
    prefix = GOLDEN / f"v2_checkpoint_{model}" / "model.ckpt-30"
    wanted = stored_variables(GOLDEN / f"vars_gold_{model}.npz")
    found = read_checkpoint_v2(prefix)
    assert_equal({name: found[name] for name in wanted}, wanted)
    slots = {f"{name}/{slot}" for name in wanted for slot in ("Adam", "Adam_1")}
    assert found.keys() - wanted.keys() == slots | {"beta1_power", "beta2_power", "global_step"}
    assert found["global_step"] == 30
    assert found["global_step"].dtype == np.int64
    assert found["beta1_power"] == pytest.approx(0.9**31)
    assert list(read_checkpoint_v2(prefix, lambda name: name == "global_step")) == ["global_step"]


def test_types_of_version_1() -> None:
    variables = {
        "double": np.array([[1.5, -2.0], [3.25, 1e300]]),
        "half": np.array([1.5, -0.25], np.float16),
        "int": np.array([-1, 2**31 - 1], np.int32),
        "long": np.array(-(2**62), np.int64),
        "single": np.array([[[0.1]]], np.float32),
    }
    found = read_checkpoint_v1(checkpoint_v1(variables), "x")
    for name, array in variables.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def sliced(
    pieces: list[tuple[list[tuple[int, int | None]], list[float]]], sizes: tuple[int, ...] = (2, 3), name: str = "v"
) -> bytes:
    """A checkpoint of one float variable in these slices, each of (start, length) a dimension."""
    meta = pb.SavedTensorSlices()
    meta.meta.tensor.add(name=name, shape=shape_of(sizes), type=pb.DT_FLOAT)
    entries = [(b"", meta.SerializeToString())]
    for number, (extents, values) in enumerate(pieces):
        piece = pb.SavedTensorSlices()
        piece.data.name = "v"
        for start, length in extents:
            extent = piece.data.slice.extent.add(start=start)
            if length is not None:
                extent.length = length
        piece.data.data.float_val.extend(values)
        entries.append((b"v%d" % number, piece.SerializeToString()))
    return table(entries)


def test_slices_are_put_together() -> None:
    data = sliced([([(0, None), (2, 1)], [3, 6]), ([(1, 1), (0, 2)], [4, 5]), ([(0, 1), (0, 2)], [1, 2])])
    np.testing.assert_array_equal(read_checkpoint_v1(data, "x")["v"], [[1, 2, 3], [4, 5, 6]])


WHOLE: list[tuple[int, int | None]] = [(0, None), (0, None)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (sliced([(WHOLE, [0] * 6), ([(1, 1), (2, 1)], [0])]), "v: two slices overlap"),
        (sliced([([(0, 1), (0, 3)], [0] * 3)]), "v: 3 of its 6 numbers are missing"),
        (sliced([(WHOLE, [0] * 5)]), r"v: 5 numbers for a slice of shape \[2, 3\]"),
        (sliced([([(1, 2), (0, 3)], [0] * 6)]), "v: a slice of 2 from 1 leaves a dimension of 2"),
        (sliced([([(-1, 2), (0, 3)], [0] * 6)]), "v: a slice of 2 from -1 leaves"),
        (sliced([([(1, -1), (0, 3)], [0] * 6)]), "v: a slice of -1 from 1 leaves"),
        (sliced([([(2**63 - 1, 2**63 - 1), (0, 3)], [])]), "leaves a dimension"),
        (sliced([([(0, 2)], [0] * 2)]), "v: a slice of 1 dimensions in one of 2"),
        (sliced([], (1 << 19, 1 << 20)), r"claims the shape \[524288, 1048576\], too large for a file of"),
        (sliced([], (-1,)), r"the shape \[-1\], which no variable has"),
        (sliced([], (0, 1 << 30)), "which no variable has"),
        (sliced([], (1 << 32, 1 << 32)), "which no variable has"),
        (sliced([], (1,) * 100), "which no variable has"),
        (sliced([(WHOLE, [0] * 6)], name="w"), "numbers of variable v, which is not listed"),
        (table([(b"a", b"")]), "its first key must be empty"),
        (table([]), "its first key must be empty"),
        (table([(b"", b"\xff")]), "list of variables is not a SavedTensorSlices"),
        (table([(b"", b""), (b"a", b"\xff")]), "a slice of a variable is not a SavedTensorSlices"),
        (table([(b"", bytes(5 << 20))]), "list of variables has 5242880 bytes"),
    ],
)
def test_hostile_checkpoints_of_version_1_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=f"^x: .*{message}"):
        read_checkpoint_v1(data, "x")


def test_many_large_variables_are_refused_before_memory_is_taken() -> None:
    meta = pb.SavedTensorSlices()
    for number in range(1000):
        meta.meta.tensor.add(name=f"v{number}", shape=shape_of([5000]), type=pb.DT_FLOAT)
    with pytest.raises(FormatError, match=r"v\d+ claims the shape \[5000\], too large"):
        read_checkpoint_v1(table([(b"", meta.SerializeToString())]), "x")


def test_a_variable_listed_twice_is_refused() -> None:
    meta = pb.SavedTensorSlices()
    for _ in range(2):
        meta.meta.tensor.add(name="v", shape=shape_of([]), type=pb.DT_FLOAT)
    with pytest.raises(FormatError, match="variable v is listed twice"):
        read_checkpoint_v1(table([(b"", meta.SerializeToString())]), "x")


def test_what_is_no_number_is_passed_over_by_name(caplog: pytest.LogCaptureFixture) -> None:
    meta = pb.SavedTensorSlices()
    meta.meta.tensor.add(name="words", shape=shape_of([2]), type=pb.DT_STRING)
    with caplog.at_level(logging.WARNING):
        assert read_checkpoint_v1(table([(b"", meta.SerializeToString())]), "x") == {}
    assert "x: skipping variable words" in caplog.text


@pytest.mark.parametrize("value", [-1, 65536])
def test_halves_of_more_than_16_bits_are_refused(value: int) -> None:
    meta = pb.SavedTensorSlices()
    meta.meta.tensor.add(name="v", shape=shape_of([1]), type=pb.DT_HALF)
    piece = pb.SavedTensorSlices()
    piece.data.name = "v"
    piece.data.slice.extent.add()
    piece.data.data.half_val.append(value)
    with pytest.raises(FormatError, match="a 16-bit number"):
        read_checkpoint_v1(table([(b"", meta.SerializeToString()), (b"v", piece.SerializeToString())]), "x")


# The index of a checkpoint of version 2: a header, and variable "w" of two floats.
# The checksums were worked out bit by bit, as for the table above.
INDEX_VALUES = [
    (b"", bytes.fromhex("08 01  1a 02 08 01")),  # one shard; version { producer 1 }
    (
        b"w",
        bytes.fromhex(
            "08 01"  # float
            "12 04  12 02 08 02"  # shape [2]
            "28 08"  # 8 bytes, from byte 0 of shard 0
            "35  52 96 1a c6"  # masked CRC32C of the bytes
        ),
    ),
]
DATA = bytes.fromhex("00 00 80 3f  00 00 20 c0")  # 1.0, -2.5


def write_v2(folder: Path, values: list[tuple[bytes, bytes]], data: bytes = DATA) -> Path:
    prefix = folder / "model.ckpt-7"
    Path(f"{prefix}.index").write_bytes(table(values))
    Path(f"{prefix}.data-00000-of-00001").write_bytes(data)
    return prefix


def entry(**fields: object) -> bytes:
    stored = pb.BundleEntryProto.FromString(INDEX_VALUES[1][1])
    for name, value in fields.items():
        setattr(stored, name, value)
    return stored.SerializeToString()


def test_a_checkpoint_of_version_2_by_hand(tmp_path: Path) -> None:
    found = read_checkpoint_v2(write_v2(tmp_path, INDEX_VALUES))
    assert found.keys() == {"w"}
    np.testing.assert_array_equal(found["w"], np.array([1.0, -2.5], np.float32))


def test_bfloat16_becomes_float32(tmp_path: Path) -> None:
    data = bytes.fromhex("80 3f  20 c0")  # the upper halves of 1.0 and -2.5
    crc = int.from_bytes(checksum(data), "little")
    stored = entry(dtype=pb.DT_BFLOAT16, size=4, crc32c=crc)
    found = read_checkpoint_v2(write_v2(tmp_path, [INDEX_VALUES[0], (b"w", stored)], data))
    np.testing.assert_array_equal(found["w"], np.array([1.0, -2.5], np.float32))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([INDEX_VALUES[0], (b"w", entry(offset=-8))], "takes 8 bytes, not 8 from byte -8"),
        ([INDEX_VALUES[0], (b"w", entry(offset=1))], "leaves the file of 8 bytes"),
        ([INDEX_VALUES[0], (b"w", entry(offset=2**63 - 1))], "leaves the file of 8 bytes"),
        ([INDEX_VALUES[0], (b"w", entry(size=2**62))], "takes 8 bytes, not 4611686018427387904"),
        ([INDEX_VALUES[0], (b"w", entry(dtype=pb.DT_DOUBLE))], "takes 16 bytes, not 8"),
        ([INDEX_VALUES[0], (b"w", entry(crc32c=1))], "wrong checksum of variable w"),
        ([INDEX_VALUES[0], (b"w", entry(shard_id=1))], "is in shard 1, but there are only 1"),
        ([INDEX_VALUES[0], (b"w", entry(shard_id=-1))], "is in shard -1"),
        ([*INDEX_VALUES, (b"x", INDEX_VALUES[1][1])], "variable x of 8 bytes at byte 0 overlaps"),
        ([INDEX_VALUES[0], (b"\xff", b"")], "is not the name"),
        ([INDEX_VALUES[0], (b"w", b"\xff")], "variable w is not a BundleEntryProto"),
        ([(b"", b"\xff")], "its header is not a BundleHeaderProto"),
        ([(b"", bytes.fromhex("08 01 10 01"))], "big-endian"),
        ([(b"w", b"")], "its first key must be empty"),
    ],
)
def test_hostile_checkpoints_of_version_2_are_refused(
    tmp_path: Path, values: list[tuple[bytes, bytes]], message: str
) -> None:
    with pytest.raises(FormatError, match=message):
        read_checkpoint_v2(write_v2(tmp_path, values))


def test_a_variable_in_slices_is_refused(tmp_path: Path) -> None:
    stored = pb.BundleEntryProto.FromString(INDEX_VALUES[1][1])
    stored.slices.add().extent.add(start=0, length=1)
    values = [INDEX_VALUES[0], (b"\0\1w", b""), (b"w", stored.SerializeToString())]
    with pytest.raises(FormatError, match="variable w is stored in slices"):
        read_checkpoint_v2(write_v2(tmp_path, values))


def test_missing_files_are_named(tmp_path: Path) -> None:
    prefix = write_v2(tmp_path, INDEX_VALUES)
    shard = Path(f"{prefix}.data-00000-of-00001")
    shard.unlink()
    with pytest.raises(DataError, match=shard.name):
        read_checkpoint_v2(prefix)
    with pytest.raises(DataError, match=r"model\.ckpt-8\.index"):
        read_checkpoint_v2(tmp_path / "model.ckpt-8")


@given(st.binary(max_size=60), st.integers(0, 200))
def test_damaged_files_are_read_or_refused_cleanly(junk: bytes, at: int) -> None:
    good = checkpoint_v1({"a": np.ones(3, np.float32)})
    at %= len(good)
    with contextlib.suppress(FormatError):
        read_checkpoint_v1(good[:at] + junk + good[at + len(junk) :], "x")
    meta, *slices = read_table(good, "x")
    for key, value in (meta, *slices):
        damaged = dict([meta, *slices]) | {key: value[: at % len(value)] + junk}
        with contextlib.suppress(FormatError):
            read_checkpoint_v1(table(sorted(damaged.items())), "x")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('model_checkpoint_path: "model.ckpt-30"\nall_model_checkpoint_paths: "model.ckpt-0"\n', "model.ckpt-30"),
        ('all_model_checkpoint_paths: "a"\nmodel_checkpoint_path: "/tmp/run1/train/model.ckpt-5"', "model.ckpt-5"),
        ('model_checkpoint_path: "C:\\\\runs\\\\model.ckpt-6"', "model.ckpt-6"),
        ('model_checkpoint_path: "caf\\303\\251.ckpt-7"', "café.ckpt-7"),
        ('model_checkpoint_path: "../../../etc/passwd"', "passwd"),
    ],
)
def test_the_latest_checkpoint_is_looked_for_in_its_folder(tmp_path: Path, text: str, name: str) -> None:
    (tmp_path / "checkpoint").write_text(text)
    assert latest_checkpoint(tmp_path) == tmp_path / name


@pytest.mark.parametrize("text", ["", "\0\xff", 'model_checkpoint_path: ""', 'model_checkpoint_path: "a\\000"'])
def test_a_checkpoint_file_that_names_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "checkpoint").write_text(text)
    with pytest.raises(FormatError, match="names no model_checkpoint_path"):
        latest_checkpoint(tmp_path)
