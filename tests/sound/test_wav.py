import io
import math
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ostinato.errors import DataError, SettingsError
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.sound.wav import set_peak, sounding_seconds, wav_bytes, write_wav


def _sequence(count: int = 1, **fields: Any) -> NoteSequence:
    sequence = NoteSequence()
    for _ in range(count):
        sequence.notes.add(**{"pitch": 60, "velocity": 100, "start_time": 0.0, "end_time": 1.0, **fields})
    return sequence


def test_a_sequence_lasts_to_its_end_and_that_of_its_notes() -> None:
    sequence = _sequence()
    assert sounding_seconds(sequence, 44_100) == 1.0
    sequence.total_time = 2.5
    assert sounding_seconds(sequence, 44_100) == 2.5
    for nonsense in (math.nan, math.inf, -1.0):
        sequence.total_time = nonsense
        assert sounding_seconds(sequence, 44_100) == 1.0
    assert sounding_seconds(NoteSequence(), 44_100) == 0.0


@pytest.mark.parametrize(
    ("note", "message"),
    [
        ({"pitch": 128}, "note 0 has pitch 128, velocity 100 and program 0; each must be"),
        ({"pitch": -1}, "pitch -1"),
        ({"velocity": 200}, "velocity 200"),
        ({"program": 128}, "program 128"),
        ({"start_time": 2.0}, "note 0 cannot last from second 2 to 1"),
        ({"start_time": -1.0}, "from second -1"),
        ({"end_time": math.inf}, "to inf"),
        ({"start_time": math.nan}, "from second nan"),
        ({"end_time": 1801.0}, "it lasts 1,801 seconds; at 44,100 samples a second at most 1,800 can be rendered"),
    ],
)
def test_notes_that_cannot_be_rendered(note: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        sounding_seconds(_sequence(**note), 44_100)


def test_too_many_long_notes() -> None:
    with pytest.raises(DataError, match="its notes last 102,000 seconds in all; at most 100,000"):
        sounding_seconds(_sequence(60, end_time=1700.0), 44_100)


@pytest.mark.parametrize("rate", [0, 7_999, 192_001])
def test_the_sample_rate(rate: int) -> None:
    with pytest.raises(SettingsError, match=r"must be 8,000 to 192,000 samples a second"):
        sounding_seconds(_sequence(), rate)


@pytest.mark.parametrize(("decibels", "peak"), [(0.0, 1.0), (-20.0, 0.1)])
def test_the_loudest_sample_lies_at_the_level(decibels: float, peak: float) -> None:
    samples = np.array([0.0, 2.0, -4.0], np.float32)
    set_peak(samples, decibels)
    np.testing.assert_allclose(samples, [0, peak / 2, -peak], rtol=1e-6)


def test_silence_stays_silent() -> None:
    samples = np.zeros(3, np.float32)
    set_peak(samples)
    assert not samples.any()
    set_peak(np.zeros((0, 2), np.float32))


def test_exact_bytes() -> None:
    data = wav_bytes(np.array([0.0, 1.0, -1.0, 0.5, 3.0], np.float32), 8_000)
    # fmt: off
    assert data == bytes.fromhex(
        "52494646 2e000000 57415645"                     # RIFF, 46 more bytes, WAVE
        "666d7420 10000000 0100 0100 401f0000 803e0000 0200 1000"  # PCM, mono, 8,000 Hz, 16,000 bytes/s, 2, 16 bits
        "64617461 0a000000 0000 ff7f 0180 0040 ff7f"     # data, 10 bytes; 0.5 is 16,383.5, to the even 16,384
    )
    # fmt: on


def test_stereo_is_interleaved() -> None:
    samples = np.array([[0.1, 0.2, 0.3], [-0.1, -0.2, -0.3]], np.float32).T
    with wave.open(io.BytesIO(wav_bytes(samples, 44_100))) as wav:
        assert wav.getparams()[:4] == (2, 2, 44_100, 3)
        values = np.frombuffer(wav.readframes(3), "<i2").tolist()
    assert values == [3277, -3277, 6553, -6553, 9830, -9830]


def test_long_sound_is_written_whole(tmp_path: Path) -> None:
    samples = np.linspace(-1, 1, 600_001, dtype=np.float32)
    write_wav(tmp_path / "new" / "a.wav", samples, 44_100)
    data = (tmp_path / "new" / "a.wav").read_bytes()
    assert data == wav_bytes(samples, 44_100)
    assert len(data) == 44 + 2 * 600_001
    assert wav_bytes(np.zeros(0, np.float32), 44_100)[40:] == bytes(4)
