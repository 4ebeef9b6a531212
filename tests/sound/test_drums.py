import numpy as np

from ostinato.sound.drums import MAX_SECONDS, drum_samples

RATE = 44_100


def test_every_drum_is_heard_and_ends() -> None:
    for pitch in range(128):
        sound = drum_samples(pitch, RATE)
        assert len(sound) == int(MAX_SECONDS * RATE)
        assert 0.05 < np.abs(sound).max() < 3
        assert sound[0] == 0
        assert abs(sound[-1]) < 1e-4


def test_a_drum_is_the_same_each_time() -> None:
    np.testing.assert_array_equal(drum_samples(38, RATE), drum_samples(38, RATE))


def test_a_kick_is_low_and_a_cymbal_high() -> None:
    def centre(pitch: int) -> float:
        power = np.abs(np.fft.rfft(drum_samples(pitch, RATE))) ** 2
        return float((power * np.arange(len(power))).sum() / power.sum())  # hertz, as the sound lasts a second

    assert centre(36) < 200 < 2_000 < centre(38) < centre(49)
