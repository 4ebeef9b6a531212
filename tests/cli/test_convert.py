import json
import subprocess
import sys
from pathlib import Path

import pytest

from ostinato.formats.tensorflow.tfrecord import read_records

TUNE = bytes.fromhex("4d546864 00000006 0000 0001 01e0 4d54726b 0000000d 00 90 3c 64 83 60 80 3c 00 00 ff 2f 00")


def ostinato(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ostinato", *arguments], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def tunes(tmp_path: Path) -> Path:
    folder = tmp_path / "tunes"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.mid").write_bytes(TUNE)
    (folder / "deep" / "b.MID").write_bytes(TUNE)
    return folder


@pytest.mark.parametrize("flag", ["--input_dir", "--midi_dir"])
def test_convert(tunes: Path, tmp_path: Path, flag: str) -> None:
    output = tmp_path / "new" / "notes.tfrecord"
    done = ostinato("convert", f"{flag}={tunes}", f"--output_file={output}", "--recursive")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"Wrote 2 NoteSequences to {output}\n"
    assert len(list(read_records(output))) == 2


def test_bad_files_are_named_and_counted(tunes: Path, tmp_path: Path) -> None:
    (tunes / "bad1.mid").write_bytes(TUNE.replace(b"\x3c\x64", b"\xbc\x64"))
    (tunes / "bad2.mid").write_bytes(TUNE.replace(b"\x3c\x64", b"\xbc\x64"))
    (tunes / "loud.mid").write_bytes(TUNE.replace(b"\x3c\x64", b"\x3c\xe4"))
    (tunes / "silent.mid").write_bytes(TUNE.replace(b"\x3c\x64", b"\x3c\x00"))
    (tunes / "text.mid").write_text("no music")
    done = ostinato("convert", f"--input_dir={tunes}", f"--output_file={tmp_path}/out", "--num_processes=2")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "Skipped 3 of 6 files:",
        "  there is a status byte where a data byte must be (2):",
        "    bad1.mid, at byte 23",
        "    bad2.mid, at byte 23",
        "  not a MIDI file: its header, MThd, is missing (1):",
        "    text.mid",
        "Remarks on 2 of 6 files:",
        "  malformed events (1):",
        "    loud.mid: a malformed event, at byte 22; the rest is used",
        "  no notes (1):",
        "    silent.mid: there are no notes in it",
        f"Wrote 3 NoteSequences of 6 files to {tmp_path}/out",
    ]


def test_tunes_are_counted_apart_from_files(tunes: Path, tmp_path: Path) -> None:
    (tunes / "book.abc").write_text("X:1\nK:C\nABc\n\nX:2\nK:C\nz4\n\nX:3\nK:C\nz4\n")
    (tunes / "notes.txt").write_text("words")
    written = tmp_path / "report.json"
    done = ostinato("convert", f"--input_dir={tunes}", f"--output_file={tmp_path}/out", f"--json={written}")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[:2] == ["Skipped 2 tunes in 1 file:", "  book.abc (2):"]
    assert [line.split(": ")[0] for line in lines[2:4]] == ["    tune X:2", "    tune X:3"]
    assert lines[4:] == [
        "Not read, as they are not MIDI, MusicXML or ABC: 1 .txt",
        f"Wrote 2 NoteSequences to {tmp_path}/out",
        f"{written}: the report",
    ]
    told = json.loads(written.read_bytes())
    assert (told["files"], told["read"], told["tunes"], told["not_read"]) == (2, 2, 2, {".txt": 1})
    assert [one["kind"] for one in told["skipped"]] == ["tune", "tune"]


def test_nothing_converted(tmp_path: Path) -> None:
    (tmp_path / "text.mid").write_text("no music")
    done = ostinato("convert", f"--input_dir={tmp_path}", f"--output_file={tmp_path}/out")
    assert done.returncode == 1
    assert "text.mid" in done.stdout
    assert len(done.stderr.splitlines()) == 1
    assert "its only file could not be converted" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--input_dir=none", "--output_file=out"], 1, "none: there is no such folder"),
        (["--output_file=out"], 2, "--input_dir"),
        (["--input_dir=."], 2, "--output_file"),
        (["--input_dir=.", "--output_file=out", "--num_processes=0"], 2, "must be at least 1, not 0"),
        (["--input_dir=.", "--output_file=out", "--num_processes=x"], 2, "num_processes"),
    ],
)
def test_bad_usage(arguments: list[str], code: int, message: str) -> None:
    done = ostinato("convert", *arguments)
    assert done.returncode == code
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
