"""Bytes to objects and back: MIDI, NoteSequence, TFRecord, SequenceExample, checkpoints.

Here is what all of them share: what a reader of music files takes and returns, and
files that are either complete or not there. Nothing in this folder decides anything
musical.

The modules `*_pb2.py` and `*_pb2.pyi` are generated from the `.proto` beside them
and never edited by hand. After a change of a `.proto`, with grpcio-tools 1.73.1
(protobuf 6.31.0):

    cd src
    python -m grpc_tools.protoc -I . --python_out=. --pyi_out=. $(find ostinato -name '*.proto')
"""

import contextlib
import errno
import os
import re
import secrets
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ostinato.errors import FormatError

_TEMPORARY = re.compile(r"\.(.+)\.\d+\.[0-9a-f]{8}\.tmp")  # the finished file, the process, some luck


@dataclass(frozen=True, slots=True)
class Identity:
    """What a NoteSequence is called.

    Attributes:
        id: "/id/midi/<collection>/<SHA-1 of the file name>".
        filename: relative to the folder of the collection, with forward slashes.
        collection_name: the folder's name.
    """

    id: str = ""
    filename: str = ""
    collection_name: str = ""


class Remark(UserWarning):
    """A remark about a file that was read all the same.

    `str` gives the sentence. A reader that returns records returns it with them; one that returns a NoteSequence
    issues it as a warning.

    Attributes:
        name: what it is counted under, such as "cut off".
        text: one sentence with the place and what was done about it.
    """

    def __init__(self, name: str, text: str) -> None:
        super().__init__(name, text)  # both, for a remark travels between processes
        self.name = name
        self.text = text

    def __str__(self) -> str:
        return self.text


# Of one file, for each piece in it the record or why it cannot be read, and remarks; or why there is nothing.
Converted = Sequence[bytes | FormatError | Remark] | FormatError


@contextlib.contextmanager
def atomic_writer(path: str | os.PathLike[str], *, sync: bool = True, overwrite: bool = True) -> Iterator[BinaryIO]:
    """Write a file under a temporary name, and rename it if all went well.

    If anything goes wrong before the rename, an earlier file of this name stays as
    it was and the temporary one is removed. Missing parent folders are made.

    Args:
        path: of the finished file.
        sync: wait until the disk has it, so that it survives a power cut. Not worth it for what is quick to remake.
        overwrite: replace a file that is there.

    Yields:
        The temporary file, open for writing bytes, and locked for as long.

    Raises:
        FileExistsError: without `overwrite`, if there is such a file when this one is finished.
        OSError: if it cannot be written; it names `path`.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError:  # it is a file; that the target is there would be another error
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), os.fspath(target.parent)) from None
        with temporary.open("xb") as file:
            lock(file)
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
        if overwrite:
            temporary.replace(target)
        else:
            _rename_to_new(temporary, target)
    except OSError as error:
        # A full disk does not say which file was too much, and nobody knows the temporary one.
        if error.filename in (None, os.fspath(temporary)):
            error.filename = os.fspath(target)
        raise
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    if sync:
        _sync_folder(target.parent)


def lock(file: BinaryIO) -> bool:
    """Lock an open file until it is closed; False if another has."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # some network file systems have no locks
        return True
    return True


def half_written(folder: str | os.PathLike[str]) -> list[tuple[str, Path]]:
    """The temporary files of `atomic_writer` in a folder, each after the name that its file was to have."""
    try:
        paths = sorted(Path(folder).iterdir())
    except FileNotFoundError:
        return []
    matches = [(_TEMPORARY.fullmatch(path.name), path) for path in paths]
    return [(match[1], path) for match, path in matches if match]


def _rename_to_new(temporary: Path, target: Path) -> None:
    try:
        os.link(temporary, target)  # which, unlike a rename, fails if there is such a file
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(target)) from None
        temporary.replace(target)


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut, if the system can sync folders."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(descriptor)
    except OSError:  # some network file systems do not sync folders
        pass
    finally:
        os.close(descriptor)
