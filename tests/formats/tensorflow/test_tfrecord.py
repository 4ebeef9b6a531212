import logging
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.errors import DataError, FormatError, SettingsError
from ostinato.formats.tensorflow.tfrecord import (
    count_records,
    expand_paths,
    masked_crc32c,
    read_records,
    record_writer,
    shard_paths,
    shards_name,
    write_records,
)


def test_the_check_value_of_crc32c_masked() -> None:
    # CRC32C of "123456789" is e3069283; rotated right by 15 bits it is 2507c60d, plus a282ead8.
    assert masked_crc32c(b"123456789") == (0x2507C60D + 0xA282EAD8) & 0xFFFFFFFF


def test_exact_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.tfrecord"
    assert write_records(path, [b"123456789"]) == 1
    written = path.read_bytes()
    assert written[:8] == bytes.fromhex("0900000000000000")
    assert written[12:21] == b"123456789"
    # CRC32C's check value, of "123456789", is 0xE3069283. Turned right by 15 bits it is 0x2507C60D, and with
    # 0xA282EAD8 added, in 32 bits, 0xC78AB0E5.
    assert written[21:] == bytes.fromhex("e5b08ac7")
    assert len(written) == 25


def test_same_bytes_as_tensorflow(golden: Path, tmp_path: Path) -> None:
    source = golden / "notesequences.tfrecord"
    records = list(read_records(source))
    assert write_records(tmp_path / "copy", records) == len(records) > 0
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, records: list[bytes]) -> None:
    path = tmp_path_factory.mktemp("round") / "trip"
    write_records(path, records)
    assert list(read_records(path)) == records


RECORDS = [b"one", b"", b"three" * 20]
ENDS = [16 + 3, 16 + 3 + 16, 16 + 3 + 16 + 16 + 100]  # each record takes 16 bytes more than its data


def test_cut_anywhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "cut"
    write_records(path, RECORDS)
    whole = path.read_bytes()
    assert len(whole) == ENDS[-1]
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        complete = sum(end <= size for end in ENDS)
        if size == 0 or size in ENDS:
            assert list(read_records(path)) == RECORDS[:complete]
            continue
        begin = max([0, *(end for end in ENDS if end <= size)])
        found: list[bytes] = []
        with pytest.raises(FormatError, match=rf"cut: .* at byte {begin}, .*skip_corrupt"):
            found.extend(read_records(path))
        assert found == RECORDS[:complete]
        with caplog.at_level(logging.WARNING):
            caplog.clear()
            assert list(read_records(path, skip_corrupt=True)) == RECORDS[:complete]
        assert f"{size - begin} of {size} bytes" in caplog.text


def test_records_are_counted_by_their_lengths(tmp_path: Path) -> None:
    path = tmp_path / "some.tfrecord"
    write_records(path, [b"one", b"", b"three"])
    assert count_records(path) == 3
    path.write_bytes(path.read_bytes()[:-1])
    assert count_records(path) == 2
    path.write_bytes(b"\xff" * 40)
    assert count_records(path) == 0
    path.write_bytes(b"")
    assert count_records(path) == 0


def test_any_flipped_bit_is_found(tmp_path: Path) -> None:
    path = tmp_path / "flipped"
    write_records(path, RECORDS)
    whole = path.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        complete = sum(end <= place for end in ENDS)
        with pytest.raises(FormatError):
            list(read_records(path))
        assert list(read_records(path, skip_corrupt=True)) == RECORDS[:complete]


def test_a_length_beyond_the_file_takes_no_memory(tmp_path: Path) -> None:
    import google_crc32c

    length = struct.pack("<Q", 1 << 60)
    crc = int(google_crc32c.value(length))
    masked = ((crc >> 15) | (crc << 17 & 0xFFFFFFFF)) + 0xA282EAD8 & 0xFFFFFFFF
    path = tmp_path / "huge"
    path.write_bytes(length + struct.pack("<I", masked) + b"x" * 100)
    with pytest.raises(FormatError, match="cut off in a record at byte 0"):
        list(read_records(path))


def test_a_failed_writer_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    write_records(path, [b"old"])

    def fail() -> None:
        with record_writer(path) as writer:
            writer.write(b"new")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail()
    assert list(read_records(path)) == [b"old"]
    assert [file.name for file in tmp_path.iterdir()] == ["kept"]


def test_several_writers_at_once(tmp_path: Path) -> None:
    with record_writer(tmp_path / "train") as train, record_writer(tmp_path / "eval") as held_out:
        train.write(b"a")
        held_out.write(b"b")
        train.write(b"c")
    assert (train.count, held_out.count) == (2, 1)
    assert list(read_records(tmp_path / "train")) == [b"a", b"c"]


def test_a_file_has_one_writer_at_a_time(tmp_path: Path) -> None:
    with (
        record_writer(tmp_path / "n.tfrecord", num_shards=2),
        pytest.raises(DataError, match=r"n-00000-of-00002\.tfrecord: another process is writing it"),
        record_writer(tmp_path / "n.tfrecord", num_shards=2),
    ):
        pass
    with record_writer(tmp_path / "n.tfrecord"), record_writer(tmp_path / "m.tfrecord"):
        pass


def test_what_a_killed_writer_has_left_goes(tmp_path: Path) -> None:
    path = tmp_path / "n.tfrecord"
    killed = f"""
import os, sys
sys.path[:] = {sys.path!r}
from ostinato.formats.tensorflow.tfrecord import record_writer
with record_writer({str(path)!r}) as writer:
    writer.write(b"half")
    os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", killed], check=False).returncode == -9
    (left,) = tmp_path.iterdir()
    for age, remains in ((0, True), (100, False)):
        os.utime(left, (time.time() - age,) * 2)
        with record_writer(path):
            pass
        assert left.exists() == remains


@pytest.mark.parametrize("skip_corrupt", [False, True])
def test_missing_file_and_folder(tmp_path: Path, skip_corrupt: bool) -> None:
    with pytest.raises(DataError, match="there is no such file"):
        list(read_records(tmp_path / "none", skip_corrupt=skip_corrupt))
    with pytest.raises(DataError, match="folder"):
        list(read_records(tmp_path, skip_corrupt=skip_corrupt))


def test_shards_hold_each_record_once(tmp_path: Path) -> None:
    records = [str(number).encode() for number in range(100)]
    with record_writer(tmp_path / "n.tfrecord", num_shards=3) as writer:
        for record in records:
            writer.write(record)
    assert writer.count == 100
    names = [f"n-0000{shard}-of-00003.tfrecord" for shard in range(3)]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    shards = [list(read_records(tmp_path / name)) for name in names]
    assert sorted(record for shard in shards for record in shard) == sorted(records)
    assert [{masked_crc32c(record) % 3 for record in shard} for shard in shards] == [{0}, {1}, {2}]
    assert min(map(len, shards)) > 20


def test_names_of_shards() -> None:
    assert shard_paths("deep/n.tfrecord", 2) == [
        "deep/n-00000-of-00002.tfrecord",
        "deep/n-00001-of-00002.tfrecord",
    ]
    assert shard_paths("a.b/n", 1) == ["a.b/n-00000-of-00001"]
    assert shard_paths("n.tfrecord", None) == ["n.tfrecord"]
    assert (shards_name("a.b/n.x", 10), shards_name("a.b/n", 1), shards_name("n", None)) == (
        "a.b/n@10.x",
        "a.b/n@1",
        "n",
    )
    for number in (0, -1, 100_000):
        with pytest.raises(SettingsError, match=f"num_shards must be 1 to 99999, not {number}"):
            shard_paths("n", number)


def test_a_plain_name_stands_for_its_only_set_of_shards(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    plain = tmp_path / "[n].tfrecord"
    two, three = [[Path(path) for path in shard_paths(plain, number)] for number in (2, 3)]
    for path in (*two, tmp_path / "[n]-1-of-2.tfrecord", tmp_path / "n-00000-of-00009.tfrecord"):
        path.touch()
    assert expand_paths(str(plain)) == two
    two[1].unlink()
    with pytest.raises(DataError, match=r"1 of 2 shards are missing, the first is .*-00001-of-00002"):
        expand_paths(str(plain))
    three[1].touch()
    with pytest.raises(
        DataError, match=r"several sets of shards; name one: .*\[n\]@2\.tfrecord or .*\[n\]@3\.tfrecord"
    ):
        expand_paths(str(plain))
    assert not caplog.records
    plain.touch()
    assert expand_paths(str(plain)) == [plain]
    assert "not its shards" in caplog.text


def test_expand_paths(tmp_path: Path) -> None:
    def make(name: str) -> Path:
        (tmp_path / name).touch()
        return tmp_path / name

    b, a, odd = make("b.tfrecord"), make("a.tfrecord"), make("odd,[name]")
    shards = [make(f"n-0000{shard}-of-00003.tfrecord") for shard in range(3)]
    assert expand_paths(str(a)) == [a]
    assert expand_paths(str(odd)) == [odd]
    assert expand_paths(str(tmp_path / "?.tfrecord")) == [a, b]
    assert expand_paths(f"{b}, {a},{b}") == [b, a]
    assert expand_paths(str(tmp_path / "n@3.tfrecord")) == shards
    assert expand_paths(str(tmp_path / "n-*-of-00003.tfrecord")) == shards


def test_expand_paths_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "n-00000-of-00002").touch()
    with pytest.raises(DataError, match=r"x\.tfrecord: there is no such file"):
        expand_paths(str(tmp_path / "x.tfrecord"))
    with pytest.raises(DataError, match=r"\*\.tfrecord: no file matches"):
        expand_paths(str(tmp_path / "*.tfrecord"))
    with pytest.raises(DataError, match=r"1 of 2 shards are missing, the first is .*n-00001-of-00002"):
        expand_paths(str(tmp_path / "n@2"))
    with pytest.raises(DataError, match="folder"):
        expand_paths(str(tmp_path))
    with pytest.raises(DataError, match="no TFRecord file is named"):
        expand_paths("")
