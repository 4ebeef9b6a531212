"""Sound as WAV files of 16-bit PCM."""

import io
import os
import wave
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ostinato.files import atomic_writer

_FULL_SCALE = 32_767
_FRAMES_AT_ONCE = 1 << 18


def wav_bytes(samples: NDArray[np.float32], sample_rate: int) -> bytes:
    """A WAV file of 16-bit PCM.

    Args:
        samples: [n] for mono or [n, channels], -1..1; what lies beyond is clipped.
        sample_rate: samples a second.
    """
    file = io.BytesIO()
    _write(file, samples, sample_rate)
    return file.getvalue()


def write_wav(path: str | os.PathLike[str], samples: NDArray[np.float32], sample_rate: int) -> None:
    """Write a WAV file, whole or not at all; see `wav_bytes`."""
    with atomic_writer(path, sync=False) as file:
        _write(file, samples, sample_rate)


def _write(file: BinaryIO, samples: NDArray[np.float32], sample_rate: int) -> None:
    frames = samples[:, np.newaxis] if samples.ndim == 1 else samples
    with wave.open(file, "wb") as wav:
        wav.setnchannels(frames.shape[1])
        wav.setsampwidth(2)
        wav.setframerate(sample_rate)
        for start in range(0, len(frames), _FRAMES_AT_ONCE):
            piece = np.clip(frames[start : start + _FRAMES_AT_ONCE], -1, 1) * _FULL_SCALE
            wav.writeframesraw(np.rint(piece).astype("<i2").tobytes())
