import argparse
import wave
from pathlib import Path

import numpy as np
import pytest

from ostinato.cli import render
from ostinato.errors import DataError, OstinatoError, SettingsError
from ostinato.formats.midi.writer import write_midi
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.music.melody import Melody
from soundfonts import sine_soundfont


def _run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    render.add_arguments(parser)
    return render.run(parser.parse_args(arguments))


def _peak(path: Path) -> float:
    with wave.open(str(path)) as wav:
        return float(np.abs(np.frombuffer(wav.readframes(wav.getnframes()), "<i2").astype(float)).max() / 32_767)


@pytest.fixture
def tune(tmp_path: Path) -> Path:
    path = tmp_path / "tune.mid"
    write_midi(Melody([60, -2, 64, -2, 67, -2, -2, -2]).to_note_sequence(), path)
    return path


def test_render(tune: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "tune.wav"
    assert _run(str(tune), str(target), "--sample_rate=22050", "--gain=-20") == 0
    assert capsys.readouterr().out == f"Wrote 3 notes, 2.7 seconds, to {target}\n"
    with wave.open(str(target)) as wav:
        assert (wav.getnchannels(), wav.getsampwidth(), wav.getframerate()) == (2, 2, 22_050)
    assert _peak(target) == pytest.approx(0.1, abs=1e-3)
    assert _run(str(tune), str(target)) == 0  # an earlier sound file is replaced
    assert _peak(target) == pytest.approx(10 ** (-1 / 20), abs=1e-3)


def test_render_with_a_soundfont(tune: Path, tmp_path: Path) -> None:
    pytest.importorskip("tinysoundfont")
    soundfont = tmp_path / "sine.sf2"
    soundfont.write_bytes(sine_soundfont())
    target = tmp_path / "tune.WAV"
    assert _run(str(tune), str(target), f"--soundfont={soundfont}") == 0
    assert _peak(target) == pytest.approx(10 ** (-1 / 20), abs=1e-3)


def test_bad_usage(tune: Path, tmp_path: Path) -> None:
    for arguments, error, message in (
        ([tune, tmp_path / "tune.mp3"], SettingsError, r"tune\.mp3: only WAV files are written"),
        ([tune, tmp_path / "tune"], SettingsError, r"name that ends in \.wav"),
        ([tune, tmp_path / "a.wav", "--gain=1"], SettingsError, "--gain=1"),
        ([tune, tmp_path / "a.wav", "--gain=nan"], SettingsError, "--gain=nan"),
        ([tune, tmp_path / "a.wav", "--sample_rate=1"], SettingsError, "not 1"),
        ([tmp_path / "none.mid", tmp_path / "a.wav"], DataError, r"none\.mid: cannot be read"),
    ):
        with pytest.raises(error, match=message):
            _run(*map(str, arguments))
    assert not list(tmp_path.glob("*.wav"))


def test_an_input_is_not_overwritten(tune: Path, tmp_path: Path) -> None:
    music = tmp_path / "music.wav"  # whatever it is called
    music.write_bytes(tune.read_bytes())
    link = tmp_path / "link.wav"
    link.symlink_to(music)
    for target in (music, link):
        with pytest.raises(SettingsError, match="is an input too"):
            _run(str(music), str(target))
    assert music.read_bytes() == tune.read_bytes()


def test_hostile_files(tmp_path: Path) -> None:
    text = tmp_path / "text.mid"
    text.write_text("no music")
    long = tmp_path / "long.mid"
    sequence = NoteSequence()
    sequence.notes.add(pitch=60, velocity=100, start_time=9_000, end_time=9_001)
    write_midi(sequence, long)
    for source, message in ((text, r"text\.mid: "), (long, r"long\.mid: it lasts 9,001 seconds")):
        with pytest.raises(OstinatoError, match=message):
            _run(str(source), str(tmp_path / "a.wav"))
    assert not (tmp_path / "a.wav").exists()
