import numpy as np
import pytest

from ostinato.sound.level import set_peak


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
