"""MIDI files on disk."""

from pathlib import Path

import pytest

from ostinato.errors import DataError, FormatError
from ostinato.formats.midi.reader import read_midi, write_midi
from ostinato.formats.note_sequence_pb2 import NoteSequence


def one_note() -> NoteSequence:
    return NoteSequence(notes=[NoteSequence.Note(pitch=60, velocity=100, start_time=0.0, end_time=0.5, program=5)])


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "new" / "tune.mid"
    write_midi(one_note(), path)
    assert [note.pitch for note in read_midi(path).notes] == [60]
    (tmp_path / "bad.mid").write_bytes(b"bad")
    with pytest.raises(FormatError, match=r"bad\.mid: no MIDI file"):
        read_midi(tmp_path / "bad.mid")
    with pytest.raises(DataError, match=r"none\.mid: cannot be read: No such file"):
        read_midi(tmp_path / "none.mid")
    sequence = one_note()
    sequence.notes[0].velocity = 0
    with pytest.raises(DataError):
        write_midi(sequence, path)
    assert [note.pitch for note in read_midi(path).notes] == [60]
