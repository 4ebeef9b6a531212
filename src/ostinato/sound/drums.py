"""Drums: short sounds of noise and falling sines, one for each pitch of General MIDI's drum map."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drum:
    """A skin that falls from one frequency to another, and noise; each dies away by itself.

    Attributes:
        hertz: frequency the skin begins with and the one it falls to.
        skin: how strong it is, and seconds until it has fallen to a third.
        noise: the same of the noise.
        sharpness: how often the noise is differentiated; 0 is dull, 2 a cymbal.
    """

    hertz: tuple[float, float] = (200.0, 200.0)
    skin: tuple[float, float] = (0.0, 0.1)
    noise: tuple[float, float] = (0.0, 0.1)
    sharpness: int = 0


_KICK = _Drum(hertz=(150.0, 48.0), skin=(1.2, 0.11), noise=(0.06, 0.008))
_SNARE = _Drum(hertz=(220.0, 180.0), skin=(0.45, 0.06), noise=(0.55, 0.075), sharpness=1)
_CLOSED_HAT = _Drum(noise=(0.4, 0.025), sharpness=2)
_OPEN_HAT = _Drum(noise=(0.35, 0.16), sharpness=2)
_CYMBAL = _Drum(noise=(0.4, 0.3), sharpness=2)
_CLICK = _Drum(hertz=(900.0, 800.0), skin=(0.4, 0.02), noise=(0.2, 0.015), sharpness=1)

_DRUMS = {
    35: _KICK, 36: _KICK, 37: _CLICK, 38: _SNARE, 39: _SNARE, 40: _SNARE, 42: _CLOSED_HAT, 44: _CLOSED_HAT,
    46: _OPEN_HAT, 49: _CYMBAL, 51: _CYMBAL, 52: _CYMBAL, 53: _CYMBAL, 55: _CYMBAL, 57: _CYMBAL, 59: _CYMBAL,
}  # fmt: skip
_TOMS = {41: 80.0, 43: 95.0, 45: 115.0, 47: 135.0, 48: 160.0, 50: 185.0}  # hertz


def drum_samples(pitch: int, sample_rate: int) -> NDArray[np.float32]:
    """The whole sound of a drum, the same each time.

    Args:
        pitch: of General MIDI's drum map, 0..127; those that have no sound of their own here get a click.
        sample_rate: samples a second.

    Returns:
        [MAX_SECONDS · sample_rate], from and to 0.
    """
    drum = _DRUMS.get(pitch, _CLICK)
    if pitch in _TOMS:
        drum = _Drum(hertz=(1.6 * _TOMS[pitch], _TOMS[pitch]), skin=(0.9, 0.14), noise=(0.05, 0.01))
    count = int(MAX_SECONDS * sample_rate)
    seconds = np.arange(count) / sample_rate
    high, low = drum.hertz
    phase = 2 * np.pi * np.cumsum(low + (high - low) * np.exp(-seconds / 0.03)) / sample_rate
    noise = np.random.default_rng(pitch).standard_normal(count + drum.sharpness)
    noise = np.diff(noise, drum.sharpness)
    noise /= noise.std() * 3
    sound = drum.skin[0] * np.exp(-seconds / drum.skin[1]) * np.sin(phase)
    sound += drum.noise[0] * np.exp(-seconds / drum.noise[1]) * noise
    attack = max(int(0.001 * sample_rate), 1)
    sound[:attack] *= np.linspace(0, 1, attack)
    sound *= 0.5 + 0.5 * np.cos(np.pi * seconds / MAX_SECONDS)
    return sound.astype(np.float32)
