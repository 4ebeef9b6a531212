import io
from pathlib import Path
from types import SimpleNamespace

import pytest

from note_sequences import sequence
from ostinato.errors import DataError, FormatError, SettingsError
from ostinato.formats.midi.reader import midi_to_note_sequence
from ostinato.formats.sources import as_note_sequence, contents_of

NOTES = sequence((60, 0, 4), (64, 4, 8))


@pytest.mark.parametrize("source", [b"abc", bytearray(b"abc"), io.BytesIO(b"abc"), io.StringIO("abc")])
def test_bytes_and_file_objects(source: object) -> None:
    data, name = contents_of(source, 10)
    assert data == b"abc"
    assert name == ("the file object" if hasattr(source, "read") else "the bytes")


def test_paths_and_open_files_have_names(tmp_path: Path) -> None:
    path = tmp_path / "tune.abc"
    path.write_bytes(b"abc")
    assert contents_of(path, 3) == contents_of(str(path), 3) == (b"abc", str(path))
    with path.open("rb") as file:
        assert contents_of(file, 3) == (b"abc", str(path))


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.mid: cannot be read: No such file"):
        contents_of(tmp_path / "none.mid", 10)
    (tmp_path / "large.mid").write_bytes(bytes(11))
    with pytest.raises(FormatError, match=r"large\.mid: 11 bytes is too large for a music file; the limit is 10"):
        contents_of(tmp_path / "large.mid", 10)
    with pytest.raises(SettingsError, match="not from int"):
        contents_of(3, 10)
    with pytest.raises(SettingsError, match=r"the file object: its read\(\) gives list"):
        contents_of(SimpleNamespace(read=list), 10)


def test_a_note_sequence_of_another_library_has_the_same_fields() -> None:
    class Descriptor:
        name = "NoteSequence"

    class Foreign:
        DESCRIPTOR = Descriptor()

        def SerializeToString(self) -> bytes:  # noqa: N802 (protobuf's name)
            return NOTES.SerializeToString()

    assert as_note_sequence(NOTES) is NOTES
    assert as_note_sequence(Foreign()) == NOTES
    assert as_note_sequence("tune.mid") is None


def test_objects_of_pretty_midi_and_mido(tmp_path: Path) -> None:
    pretty_midi = pytest.importorskip("pretty_midi", reason="make test installs it")
    mido = pytest.importorskip("mido", reason="make test installs it")
    written = pretty_midi.PrettyMIDI(initial_tempo=120)
    piano = pretty_midi.Instrument(0)
    piano.notes = [pretty_midi.Note(100, 60, 0, 0.5), pretty_midi.Note(100, 64, 0.5, 1)]
    written.instruments.append(piano)
    written.write(str(tmp_path / "tune.mid"))
    for source, name in [
        (written, "the PrettyMIDI object"),
        (mido.MidiFile(tmp_path / "tune.mid"), str(tmp_path / "tune.mid")),
        (mido.MidiFile(file=io.BytesIO((tmp_path / "tune.mid").read_bytes())), "the MidiFile object"),
    ]:
        data, called = contents_of(source, 10)
        assert str(called) == name
        heard = [(note.pitch, note.start_time, note.end_time) for note in midi_to_note_sequence(data).notes]
        assert heard == [(60, 0.0, 0.5), (64, 0.5, 1.0)]
