import numpy as np
import pytest
from numpy.typing import NDArray

from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.music.melody import Melody
from ostinato.sound.recorded import FOLDER, RecordedInstrument, decoded, instrument_names, recorded_instrument
from ostinato.sound.synthesizer import synthesize, timbre_of

RATE = 44_100
NAMES = ("piano", "guitar", "violin", "flute", "clarinet")


def test_their_names() -> None:
    assert instrument_names() == NAMES


def test_blocks_of_differences() -> None:
    # 1, 3 and 2, then as loud as it was; then doubled twice, 4 · 100 up, and 4 · 1 down again and again.
    first = bytes([0, 1, 2, 255, *[0] * 61])
    second = bytes([2, 100, *[255] * 63])
    samples = decoded(first + second, 70)
    assert samples.shape == (70,)
    assert (samples * 32_768).tolist() == [1, 3, *[2] * 62, 402, 398, 394, 390, 386, 382]


def test_they_are_small_and_say_their_license() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 300_000
    text = (FOLDER / "LICENSE").read_text(encoding="utf-8")
    assert "Frank Wen" in text
    assert "Permission is hereby granted, free of charge" in text


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("pitch", [55, 60, 64, 69, 72, 76, 81])
def test_the_pitch_is_right(name: str, pitch: int) -> None:
    """The first three partials agree on it, within a player's vibrato."""
    sound = recorded_instrument(name).samples(pitch, RATE, RATE // 10, RATE)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 1 << 19))
    hertz = np.arange(len(spectrum)) * RATE / (1 << 19)

    def strength(cents: int) -> float:
        wanted = 440.0 * 2.0 ** ((pitch - 69) / 12 + cents / 1200)
        near = [np.abs(hertz - partial * wanted) < 3.0 for partial in (1, 2, 3)]
        return float(sum(np.sqrt((spectrum[place] ** 2).sum()) for place in near))

    found = max(range(-60, 61, 2), key=strength)
    assert abs(found) <= 20, name


@pytest.mark.parametrize("name", NAMES)
def test_no_note_clicks_where_it_is_looped(name: str) -> None:
    for pitch in range(50, 85, 3):
        sound = recorded_instrument(name).samples(pitch, RATE, 0, 2 * RATE)
        jumps = np.abs(np.diff(sound))
        later = jumps[RATE // 2 :]  # where it goes round
        assert later.max() <= 1.5 * jumps[: RATE // 2].max(), (name, pitch)
        assert np.isfinite(sound).all()
        assert np.abs(sound).max() < 4.4


def test_strings_die_away_and_winds_are_kept_up() -> None:
    def loudness(name: str, second: float) -> float:
        sound = recorded_instrument(name).samples(67, RATE, int(second * RATE), RATE // 5)
        return float(np.sqrt((sound**2).mean()))

    for name in ("piano", "guitar"):
        assert loudness(name, 0.1) > 2 * loudness(name, 1.5) > 4 * loudness(name, 4.0) > 0
        assert recorded_instrument(name).audible_samples(67, RATE, 9.2) < 20 * RATE
    for name in ("violin", "flute", "clarinet"):
        assert loudness(name, 4.0) == pytest.approx(loudness(name, 2.0), rel=0.2)
        assert recorded_instrument(name).audible_samples(67, RATE, 9.2) > 1000 * RATE


def test_a_note_may_be_made_in_pieces() -> None:
    violin = recorded_instrument("violin")
    whole = violin.samples(66, RATE, 0, 60_000)
    pieces = [violin.samples(66, RATE, start, count) for start, count in ((0, 20_001), (20_001, 39_999))]
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-5)


def _low_of(sound: NDArray[np.float32]) -> float:
    """The share of a sound's energy below 300 Hz."""
    power = np.abs(np.fft.rfft(sound.mean(axis=1))) ** 2
    return float(power[: int(300 * len(sound) / RATE)].sum() / power.sum())


def test_a_tune_is_played_on_them() -> None:
    tune: NoteSequence = Melody([69, -2, 71, -2, 72, -2, -2, -2]).to_note_sequence(qpm=120)
    made = {name: synthesize(tune, instrument=recorded_instrument(name), reverberation=0) for name in NAMES}
    for name, samples in made.items():
        assert 0.85 < np.abs(samples).max() < 0.9, name  # 1 dB below full scale
        assert np.abs(samples[-1]).max() < 1e-3
        assert _low_of(samples) < 0.2
    assert not np.allclose(made["violin"], made["flute"])
    assert not np.allclose(made["flute"], synthesize(tune, reverberation=0))


def test_they_are_as_loud_as_the_synthesizers() -> None:
    """Or the clicks that go with them would be too loud or too soft."""
    for name in NAMES:
        instrument: RecordedInstrument = recorded_instrument(name)
        loudness = np.sqrt((instrument.samples(69, RATE, 0, RATE // 2) ** 2).mean())
        other = np.sqrt((timbre_of(73).samples(69, RATE, 0, RATE // 2) ** 2).mean())
        assert 0.5 * other < loudness < 2.2 * other, name
