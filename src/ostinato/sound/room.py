"""A small room around the sound."""

import numpy as np
from numpy.typing import NDArray

MAX_SECONDS = 0.7
_FALL = 7.0  # nepers by the end of the reverberation
_DARKNESS = 6  # samples over which the walls smooth what they throw back
_BLOCK = 1 << 16
_SEED = 5  # of the walls, which are the same each time


def add_room(channels: NDArray[np.float32], sample_rate: int, share: float) -> None:
    """Add reverberation in place, a block of a second or two at a time.

    Args:
        channels: [2, n]; the reverberation of what sounds in the last MAX_SECONDS is cut at the end.
        sample_rate: samples a second.
        share: strength of the reverberation beside the sound itself, 0 for none.
    """
    length = min(int(MAX_SECONDS * sample_rate), _BLOCK)
    size = 2 * _BLOCK
    for channel, walls in zip(channels, np.random.default_rng(_SEED).standard_normal((2, length)), strict=True):
        smooth = np.convolve(walls, np.ones(_DARKNESS) / _DARKNESS)[:length]
        response = smooth * np.exp(np.linspace(0, -_FALL, length)) * np.linspace(1, 0, length)
        response *= share / np.sqrt((response**2).sum())
        spectrum = np.fft.rfft(response, size)
        carried = np.zeros(_BLOCK)
        for start in range(0, channels.shape[1], _BLOCK):
            block = channel[start : start + _BLOCK]
            reverberation = np.fft.irfft(np.fft.rfft(block, size) * spectrum, size)
            reverberation[:_BLOCK] += carried
            carried = reverberation[_BLOCK:]
            block += reverberation[: len(block)].astype(np.float32)
