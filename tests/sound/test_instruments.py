import numpy as np
import pytest

from ostinato.sound.instruments import DRUM_SECONDS, MAX_RELEASE, drum_samples, timbre_of, tone_samples

RATE = 44_100
EVERY_FAMILY = range(0, 128, 8)


def _strongest(sound: np.ndarray[tuple[int], np.dtype[np.float32]], near: float) -> float:
    """The frequency of the strongest partial within a third of `near`, to a hundredth of a cent."""
    size = 1 << 20
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), size))
    hertz = np.arange(len(spectrum)) * RATE / size
    spectrum[np.abs(np.log2(hertz.clip(1) / near)) > 0.3] = 0
    peak = int(spectrum.argmax())
    left, middle, right = np.log(spectrum[peak - 1 : peak + 2])
    return float((peak + 0.5 * (left - right) / (left - 2 * middle + right)) * RATE / size)


@pytest.mark.parametrize("program", EVERY_FAMILY)
@pytest.mark.parametrize("pitch", [45, 69, 93])
def test_the_pitch_is_right(program: int, pitch: int) -> None:
    expected = {45: 110.0, 69: 440.0, 93: 1760.0}[pitch]
    found = _strongest(tone_samples(timbre_of(program), pitch, RATE, 0, RATE // 2), expected)
    assert abs(1200 * np.log2(found / expected)) < 3  # cents, the chorus's beating included


def test_a_single_voice_is_exact() -> None:
    found = _strongest(tone_samples(timbre_of(16), 69, RATE, 0, RATE), 440.0)
    assert abs(1200 * np.log2(found / 440.0)) < 0.1


@pytest.mark.parametrize("program", EVERY_FAMILY)
def test_nothing_folds_back(program: int) -> None:
    # The sixth G of the piano, at 8,000 samples a second: of 1,568 Hz there are two partials. All else is silence.
    rate = 8_000
    sound = tone_samples(timbre_of(program), 91, rate, 0, rate)
    spectrum = np.abs(np.fft.rfft(sound * np.blackman(len(sound))))
    assert np.abs(sound).max() > 0.1
    assert spectrum[:1400].max() < 0.01 * spectrum.max()
    assert not tone_samples(timbre_of(program), 127, rate, 0, rate).any()  # 12,544 Hz can't be said at all


def test_a_note_may_be_made_in_pieces() -> None:
    timbre = timbre_of(0)
    whole = tone_samples(timbre, 60, RATE, 0, 3_000)
    pieces = [tone_samples(timbre, 60, RATE, start, count) for start, count in ((0, 700), (700, 1), (701, 2299))]
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-5)


def test_strings_that_are_struck_die_away_and_pipes_do_not() -> None:
    def strength(program: int, second: float) -> float:
        return float(np.abs(tone_samples(timbre_of(program), 60, RATE, int(second * RATE), 4_410)).max())

    assert strength(0, 3.0) < 0.1 * strength(0, 0.0)
    assert strength(16, 30.0) == pytest.approx(strength(16, 0.0), rel=0.02)


def test_every_program_has_a_timbre() -> None:
    assert all(0 < timbre_of(program).release <= MAX_RELEASE for program in range(128))
    assert timbre_of(45) == timbre_of(24)  # a pizzicato is plucked


RATE = 44_100


def test_every_drum_is_heard_and_ends() -> None:
    for pitch in range(128):
        sound = drum_samples(pitch, RATE)
        assert len(sound) == int(DRUM_SECONDS * RATE)
        assert 0.05 < np.abs(sound).max() < 3
        assert sound[0] == 0
        assert abs(sound[-1]) < 1e-4


def test_a_drum_is_the_same_each_time() -> None:
    np.testing.assert_array_equal(drum_samples(38, RATE), drum_samples(38, RATE))


def test_a_kick_is_low_and_a_cymbal_high() -> None:
    def center(pitch: int) -> float:
        power = np.abs(np.fft.rfft(drum_samples(pitch, RATE))) ** 2
        return float((power * np.arange(len(power))).sum() / power.sum())  # hertz, as the sound lasts a second

    assert center(36) < 200 < 2_000 < center(38) < center(49)
