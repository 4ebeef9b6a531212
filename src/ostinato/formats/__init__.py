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
import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ostinato.errors import FormatError


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
def atomic_writer(path: str | os.PathLike[str], *, sync: bool = True) -> Iterator[BinaryIO]:
    """Write a file under a temporary name, sync it to disk, and rename it if all went well.

    If anything goes wrong before the rename, an earlier file of this name stays as
    it was and the temporary one is removed. Missing parent folders are made.

    Args:
        path: of the finished file.
        sync: wait until the disk has it, so that it survives a power cut. Not worth it for what is quick to remake.

    Yields:
        The temporary file, open for writing bytes.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            yield file
            if sync:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if sync:
        _sync_folder(target.parent)


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
