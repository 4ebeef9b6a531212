"""MIDI files to NoteSequences and back.

How files are read, and where that differs from Magenta, stands in `records`.
"""

import os
from pathlib import Path

from ostinato.errors import DataError, FormatError
from ostinato.files import atomic_writer
from ostinato.formats.midi.records import Identity, note_sequence_records
from ostinato.formats.midi.writer import note_sequence_to_midi
from ostinato.formats.note_sequence_pb2 import NoteSequence

__all__ = ["midi_to_note_sequence", "note_sequence_to_midi", "read_midi", "write_midi"]


def midi_to_note_sequence(data: bytes, identity: Identity | None = None) -> NoteSequence:
    """The notes of a MIDI file, times in seconds.

    Args:
        data: the bytes of the file.
        identity: what the sequence is called; by default nothing.

    Raises:
        FormatError: if they are no MIDI file, or a damaged one; it says where.
    """
    (record,) = note_sequence_records([data], None if identity is None else [identity])
    if isinstance(record, FormatError):
        raise record
    return NoteSequence.FromString(record)


def read_midi(path: str | os.PathLike[str]) -> NoteSequence:
    """The notes of a MIDI file, times in seconds.

    Raises:
        FormatError: if it is no MIDI file, or a damaged one; it says where.
        DataError: if there is no such file.
    """
    try:
        return midi_to_note_sequence(Path(path).read_bytes())
    except FormatError as error:
        raise FormatError(f"{os.fspath(path)}: {error}") from None
    except OSError as error:
        raise DataError(f"{os.fspath(path)}: cannot be read: {error.strerror}") from None


def write_midi(sequence: NoteSequence, path: str | os.PathLike[str]) -> None:
    """Write a MIDI file of type 1, whole or not at all. See `note_sequence_to_midi`.

    Raises:
        DataError: if something in the sequence cannot be said in MIDI; it says what.
    """
    data = note_sequence_to_midi(sequence)
    with atomic_writer(path) as file:
        file.write(data)
