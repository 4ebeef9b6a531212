"""What music can be read from: a path, bytes, a file object, or an object of another Python library.

The other libraries are known by their names, never imported: who hands over
such an object has them.
"""

import io
import os
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

from ostinato.errors import DataError, FormatError, SettingsError, nearest_file

if TYPE_CHECKING:
    from ostinato.formats.note_sequence_pb2 import NoteSequence

    # The objects of pretty_midi, mido and note_seq have no types.
    Source: TypeAlias = str | os.PathLike[str] | bytes | IO[bytes] | IO[str] | NoteSequence

_READ = "a path, bytes, a file object, a NoteSequence, a pretty_midi.PrettyMIDI or a mido.MidiFile"


def as_note_sequence(source: object) -> "NoteSequence | None":
    """A NoteSequence, ours or that of note_seq, as ours; None of anything else."""
    descriptor = getattr(type(source), "DESCRIPTOR", None)
    if getattr(descriptor, "name", None) != "NoteSequence":
        return None
    from ostinato.formats.note_sequence_pb2 import NoteSequence

    if isinstance(source, NoteSequence):
        return source
    message: Any = source
    return NoteSequence.FromString(message.SerializeToString())  # Magenta's, which has the same fields


def contents_of(source: object, max_bytes: int) -> tuple[bytes, str]:
    """The bytes of a file, and what errors call it.

    Args:
        source: a path, bytes, a file object, or a pretty_midi.PrettyMIDI or mido.MidiFile, which is written as MIDI.
        max_bytes: the largest file that is read.

    Raises:
        FormatError: if it is larger.
        DataError: if it cannot be read.
        SettingsError: if it is nothing that can be read.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source), "the bytes"
    if isinstance(source, (str, os.PathLike)):
        name = os.fspath(source)
        try:
            size = os.stat(name).st_size  # noqa: PTH116
            if size > max_bytes:
                raise FormatError(f"{name}: {size} bytes is too large for a music file; the limit is {max_bytes}")
            return Path(name).read_bytes(), name
        except OSError as error:
            raise DataError(f"{name}: cannot be read: {error.strerror}{nearest_file(name)}") from None
    libraries = {each.__module__.partition(".")[0] for each in type(source).__mro__}
    written = io.BytesIO()
    some: Any = source
    if "pretty_midi" in libraries and hasattr(source, "write"):
        some.write(written)
        return written.getvalue(), "the PrettyMIDI object"
    if "mido" in libraries and hasattr(source, "save"):
        some.save(file=written)
        return written.getvalue(), getattr(source, "filename", None) or "the MidiFile object"
    if hasattr(source, "read"):
        data = some.read()
        name = getattr(source, "name", None)
        name = name if isinstance(name, str) else "the file object"
        if isinstance(data, str):
            data = data.encode()
        if not isinstance(data, bytes):
            raise SettingsError(f"{name}: its read() gives {type(data).__name__}, neither bytes nor text")
        return data, name
    raise SettingsError(f"music is read from {_READ}, not from {type(source).__name__}")
