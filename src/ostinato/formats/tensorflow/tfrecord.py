"""TFRecord files: TensorFlow's container of byte strings, one after the other.

A record, little-endian:

| bytes | what                                      |
|-------|-------------------------------------------|
| 8     | length n of the data, unsigned            |
| 4     | masked CRC32C of these 8 bytes            |
| n     | the data                                  |
| 4     | masked CRC32C of the data                 |

A large collection can be split into several files, its shards. They are called
`name-00000-of-00010.tfrecord`, `name-00001-of-00010.tfrecord` and so on, and
together `name@10.tfrecord`. A record goes to a shard by its checksum.
"""

import contextlib
import glob
import logging
import os
import re
import struct
import time
from collections.abc import Iterable, Iterator, Sequence, Set
from pathlib import Path
from typing import BinaryIO

import google_crc32c

from ostinato.errors import DataError, FormatError, SettingsError, nearest_file
from ostinato.formats import atomic_writer, half_written, lock
from ostinato.memory import require_open_files

_LENGTH = struct.Struct("<Q")
_HEADER = struct.Struct("<QI")  # length, checksum of the length
_CHECKSUM = struct.Struct("<I")
_FRAME_BYTES = _HEADER.size + _CHECKSUM.size

_MOST_SHARDS = 99_999  # five digits
_SURELY_ABANDONED_SECONDS = 60
_SHARDS = re.compile(r"@(\d{1,5})(?=\.|$)")  # of notes@10.tfrecord

_logger = logging.getLogger(__name__)


def masked_crc32c(data: bytes) -> int:
    """CRC32C, masked: a plain checksum of data that contains checksums would be weak."""
    crc = int(google_crc32c.value(data))
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def read_records(path: str | os.PathLike[str], *, skip_corrupt: bool = False) -> Iterator[bytes]:
    """Yield the records of a file, reading as it goes and checking both checksums of each.

    Args:
        path: the TFRecord file.
        skip_corrupt: at the first record that is cut off or has a wrong checksum, log a warning and stop there, after
            all the whole records before it, instead of raising. Everything after it is lost too: without a length
            to trust, nothing says where the next record begins.

    Yields:
        The data of each record.

    Raises:
        FormatError: at a record that is cut off or has a wrong checksum; the message names the file and the byte.
        DataError: if there is no such file, or it cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            yield from _records_in(file, os.fspath(path))
    except FormatError as error:
        if not skip_corrupt:
            raise
        _logger.warning("%s", error)
    except FileNotFoundError:
        raise DataError(f"{os.fspath(path)}: there is no such file{nearest_file(path)}") from None
    except IsADirectoryError:
        raise DataError(f"{os.fspath(path)}: this is a folder, not a TFRecord file") from None
    except OSError as error:
        raise DataError(f"{os.fspath(path)}: cannot be read: {error.strerror}") from None


def _records_in(file: BinaryIO, name: str) -> Iterator[bytes]:
    size = os.fstat(file.fileno()).st_size
    offset = 0
    count = 0

    def damaged(what: str) -> FormatError:
        return FormatError(
            f"{name}: {what} at byte {offset}, after {count} whole records; "
            f"{size - offset} of {size} bytes cannot be used; make the file again, "
            "or pass --skip_corrupt to use the records before it"
        )

    while header := file.read(_HEADER.size):
        if len(header) < _HEADER.size:
            raise damaged("the file is cut off in a record's length")
        length, length_checksum = _HEADER.unpack(header)
        if masked_crc32c(header[: _LENGTH.size]) != length_checksum:
            raise damaged("not a TFRecord, or a wrong checksum of a record's length,")
        if length > size - offset - _FRAME_BYTES:  # before reading: a hostile length must not fill the memory
            raise damaged("the file is cut off in a record")
        data = file.read(length)
        checksum = file.read(_CHECKSUM.size)
        if len(data) < length or len(checksum) < _CHECKSUM.size:
            raise damaged("the file is cut off in a record")
        if _CHECKSUM.unpack(checksum) != (masked_crc32c(data),):
            raise damaged("wrong checksum of a record's data")
        yield data
        offset += length + _FRAME_BYTES
        count += 1


def count_records(path: str | os.PathLike[str]) -> int:
    """How many records a file holds, by their lengths alone; of a damaged one, those up to the damage."""
    count = 0
    with Path(path).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        while len(head := file.read(_LENGTH.size)) == _LENGTH.size:
            rest = _LENGTH.unpack(head)[0] + 2 * _CHECKSUM.size
            if file.tell() + rest > size:
                break
            file.seek(rest, os.SEEK_CUR)
            count += 1
    return count


class RecordWriter:
    """Appends records to an open file, or to several that are the shards of one. `record_writer` opens them.

    Attributes:
        count: records written so far.
    """

    def __init__(self, *files: BinaryIO) -> None:
        self._files = files
        self.count = 0

    def write(self, record: bytes) -> None:
        """Append one record."""
        length = _LENGTH.pack(len(record))
        checksum = masked_crc32c(record)
        file = self._files[checksum % len(self._files)]
        file.write(length + _CHECKSUM.pack(masked_crc32c(length)))
        file.write(record)
        file.write(_CHECKSUM.pack(checksum))
        self.count += 1


@contextlib.contextmanager
def record_writer(path: str | os.PathLike[str], num_shards: int | None = None) -> Iterator[RecordWriter]:
    """Write a TFRecord file that appears, complete, if the block ends without an error, and otherwise not at all.

    Args:
        path: of the file to write; an existing file is replaced at the end.
        num_shards: write this many shards instead. They appear one after the other when the block ends.

    Yields:
        What to `write` the records to.

    Raises:
        SettingsError: if num_shards is below 1 or above 99,999, or the system allows fewer open files.
        DataError: if another process is writing one of these files.
    """
    paths = shard_paths(path, num_shards)
    require_open_files(len(paths), f"{len(paths):,} shards", "num_shards", len(paths))
    with contextlib.ExitStack() as stack:
        # Gigabytes take long to sync, and can be made again; after a power cut, checksums show the damage.
        files = [stack.enter_context(atomic_writer(each, sync=False)) for each in paths]
        # Only now: of two that begin at once, one at least finds the other.
        _clear_abandoned(paths, {os.path.basename(file.name) for file in files})  # noqa: PTH119
        yield RecordWriter(*files)


def _clear_abandoned(paths: Sequence[str], ours: Set[str]) -> None:
    """Remove what killed writers of these files have left, but not the temporary files that are `ours`.

    Raises:
        DataError: if another writer of one of them is at work.
    """
    folder, wanted = os.path.dirname(paths[0]) or ".", {os.path.basename(path) for path in paths}  # noqa: PTH119, PTH120
    for name, temporary in half_written(folder):
        if name not in wanted or temporary.name in ours:
            continue
        with contextlib.suppress(FileNotFoundError):
            with temporary.open("r+b") as file:
                if not lock(file):
                    raise DataError(
                        f"{Path(folder, name)}: another process is writing it; wait until it is done, "
                        "or name another file"
                    )
            # One that has just been made may not be locked yet.
            if time.time() - temporary.stat().st_mtime > _SURELY_ABANDONED_SECONDS:
                temporary.unlink()


def shard_paths(path: str | os.PathLike[str], num_shards: int | None) -> list[str]:
    """The files of a collection: the path itself, or this many shards.

    Raises:
        SettingsError: if num_shards is below 1 or above 99,999.
    """
    if num_shards is None:
        return [os.fspath(path)]
    if not 1 <= num_shards <= _MOST_SHARDS:
        raise SettingsError(f"num_shards must be 1 to {_MOST_SHARDS}, not {num_shards}")
    stem, ending = os.path.splitext(path)  # noqa: PTH122
    return [f"{stem}-{shard:05d}-of-{num_shards:05d}{ending}" for shard in range(num_shards)]


def shards_name(path: str | os.PathLike[str], num_shards: int | None) -> str:
    """How a user names a collection: the path itself, or `notes@10.tfrecord` for 10 shards of it."""
    stem, ending = os.path.splitext(path)  # noqa: PTH122
    return os.fspath(path) if num_shards is None else f"{stem}@{num_shards}{ending}"


def write_records(path: str | os.PathLike[str], records: Iterable[bytes]) -> int:
    """Write a TFRecord file, complete or not at all, taking the records one by one.

    Args:
        path: of the file to write.
        records: the data of each record.

    Returns:
        How many records were written.
    """
    with record_writer(path) as writer:
        for record in records:
            writer.write(record)
    return writer.count


def expand_paths(pattern: str) -> list[Path]:
    """The files that a flag names.

    Args:
        pattern: a path; a glob ("notes-*.tfrecord"), whose files come sorted; all shards of a set, by their number
            ("notes@10.tfrecord" for notes-00000-of-00010.tfrecord and so on) or, if there is only one set and no
            such file, without it ("notes.tfrecord"); or several of these, separated by commas.

    Returns:
        The files in the order they are named, each once.

    Raises:
        DataError: if a part names no file, or shards of a set are missing; the message says which.
    """
    if Path(pattern).is_file():  # a name may hold a comma or a bracket itself
        return _expand_part(pattern)
    parts = [part.strip() for part in pattern.split(",")]
    found = [path for part in parts if part for path in _expand_part(part)]
    if not found:
        raise DataError("no TFRecord file is named; give a path, a glob or a comma list")
    return list(dict.fromkeys(found))


def _expand_part(part: str) -> list[Path]:
    sets = _shard_sets(Path(part))
    if Path(part).is_file():
        if sets:
            _logger.warning("reading %s, not its shards: %s", part, " or ".join(sets))
        return [Path(part)]
    if Path(part).is_dir():
        raise DataError(f"{part}: this is a folder, not a TFRecord file; name the files in it: {Path(part) / '*'}")
    if shards := _SHARDS.search(part):
        number = int(shards[1])
        paths = [
            Path(part[: shards.start()] + f"-{shard:05d}-of-{number:05d}" + part[shards.end() :])
            for shard in range(number)
        ]
        if missing := [path for path in paths if not path.is_file()]:
            raise DataError(f"{part}: {len(missing)} of {number} shards are missing, the first is {missing[0]}")
        return paths
    matches = [Path(path) for path in sorted(glob.glob(part, recursive=True))]  # noqa: PTH207 (absolute patterns too)
    files = [path for path in matches if path.is_file()]
    if not files and sets:
        if len(sets) > 1:
            raise DataError(f"{part}: there are several sets of shards; name one: {' or '.join(sets)}")
        return _expand_part(sets[0])
    if not files:
        if glob.has_magic(part):
            raise DataError(f"{part}: no file matches")
        raise DataError(f"{part}: there is no such file{nearest_file(part)}")
    return files


def _shard_sets(path: Path) -> list[str]:
    """The sets of shards for a path, as a user names them, the smallest first."""
    pattern = f"{glob.escape(path.stem)}-[0-9]*-of-[0-9]*{glob.escape(path.suffix)}"
    name = re.compile(rf"{re.escape(path.stem)}-\d{{5}}-of-(\d{{5}}){re.escape(path.suffix)}")
    matches = [name.fullmatch(shard.name) for shard in path.parent.glob(pattern)]
    return [shards_name(path, number) for number in sorted({int(match[1]) for match in matches if match})]
