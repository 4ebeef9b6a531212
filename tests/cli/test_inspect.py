import json
from pathlib import Path

import pytest

from note_sequences import add
from ostinato.cli.main import main
from ostinato.formats.midi.writer import write_midi
from ostinato.formats.note_sequence_pb2 import NoteSequence

TUNE = [((60, 62, 64, 65, 67, 69, 71, 72)[(3 * place) % 8], 4 * place, 4 * place + 4) for place in range(32)]


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """A voice and chords with long names, one of which would command a terminal."""
    made = NoteSequence(ticks_per_quarter=220)
    add(made, *[(pitch, 16 * bar, 16 * bar + 16) for bar in range(8) for pitch in (48, 52, 55)])
    add(made, *TUNE, instrument=1)
    made.instrument_infos.add(instrument=0, name="Piano \x1b[31mof the accompaniment, left and right hand together")
    made.instrument_infos.add(instrument=1, name="Vocals")
    (tmp_path / "in").mkdir()
    write_midi(made, tmp_path / "in" / "song.mid")
    return tmp_path / "in" / "song.mid"


def test_a_file_is_shown_track_by_track(song: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(song)]) == 0
    told = capsys.readouterr().out
    lines = told.splitlines()
    assert lines[0].startswith(f"{song}: 2 tracks, 0:16, 4/4, 120 quarters a minute"[:60])
    (head,) = (line for line in lines if "one voice" in line)
    assert head.split()[3:] == ["notes", "range", "one", "voice", "off", "grid", "melody"]
    (voice,) = (line for line in lines if line.startswith("  1 ") and "Vocals" in line)
    assert voice.split()[:2] == ["1", "Vocals"]
    assert voice.split()[-4:-1] == ["C4..C5", "100%", "0%"]
    assert "  Taken: track 1 (Vocals), bars 1-8; " in told
    assert "Not looked in, as less likely the melody (--tracks=all looks in all): 0" in told
    assert "Read 1 of 1 music file: 1 tune, 2 tracks, 1 melody to learn from" in told


@pytest.mark.parametrize("columns", [30, 60, 80, 200])
def test_nothing_is_wider_than_the_terminal_or_commands_it(
    song: Path, columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(song.parent)
    monkeypatch.setenv("COLUMNS", str(columns))
    for source in ("song.mid", "."):
        assert main(["inspect", source, "--tracks=all", "--min_bars=9"]) == 0
        told = capsys.readouterr().out
        assert "\x1b" not in told
        assert max(map(len, told.splitlines())) <= columns


def test_a_folder_is_a_line_a_file_and_a_summary(song: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (song.parent / "broken.mid").write_bytes(b"MThd")
    (song.parent / "notes.txt").write_text("words")
    written = song.parent.parent / "report.json"
    assert main(["inspect", str(song.parent), f"--json={written}"]) == 0
    told = capsys.readouterr().out
    rows = told.split("\n\n")[0].splitlines()
    assert [row.split()[0] for row in rows] == ["file", "broken.mid", "song.mid"]
    assert rows[2].split()[1:] == ["Vocals", "2", "4/4", "120", "C", "0%", "1", "8"]
    assert "Read 1 of 2 music files: 1 tune, 2 tracks, 1 melody to learn from" in told
    assert "  1 file that is not MIDI, MusicXML or ABC: 1 .txt\n  1 file that cannot be read\n" in told
    assert "  broken.mid: cannot be read: the file is cut off in its header, at byte 4\n" in told
    report = json.loads(written.read_bytes())
    assert report["not_read"] == {".txt": 1}
    assert [file["file"] for file in report["inspected"]] == ["broken.mid", "song.mid"]


def test_several_sources_are_shown_one_after_the_other(song: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = song.parent.parent / "report.json"
    assert main(["inspect", str(song), str(song), f"--json={written}"]) == 0
    assert capsys.readouterr().out.count("Taken: track 1") == 2
    assert len(json.loads(written.read_bytes())) == 2


def test_the_flags_say_what_is_taken(song: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(song), "--tracks=piano", "--min_unique_pitches=1"]) == 0
    assert "Taken: track 0" in capsys.readouterr().out
    assert main(["inspect", str(song), "--tracks=piano", "--min_unique_pitches=1", "--polyphony=leave"]) == 0
    assert "Track 0 (Piano" in (told := capsys.readouterr().out)
    assert "Taken: nothing" in told
    assert main(["inspect", str(song), "--tracks=("]) == 2
    assert "is not a regular expression" in capsys.readouterr().err


def test_what_is_not_there_is_an_error_of_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(tmp_path / "none.mid")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
