import io
import wave
from pathlib import Path

import numpy as np

from ostinato.sound.wav import wav_bytes, write_wav


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
