"""How loud a sound is."""

import numpy as np
from numpy.typing import NDArray

PEAK_DECIBELS = -1.0
"""Of the loudest sample below full scale, where nothing else is asked for: room for what players make of it."""


def set_peak(samples: NDArray[np.float32], decibels: float = PEAK_DECIBELS) -> None:
    """Make a sound as loud in place that its loudest sample lies at this level; silence stays silent.

    Args:
        samples: [n] or [n, channels].
        decibels: relative to full scale, at most 0.
    """
    peak = max(float(samples.max(initial=0)), -float(samples.min(initial=0)))
    if peak > 0:
        samples *= np.float32(10 ** (decibels / 20) / peak)
