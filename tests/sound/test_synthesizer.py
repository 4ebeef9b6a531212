import numpy as np
import pytest
from numpy.typing import NDArray

from ostinato.errors import DataError
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.music.melody import Melody
from ostinato.sound.synthesizer import (
    DRUM_SECONDS,
    MAX_RELEASE,
    ROOM_SECONDS,
    TAIL_SECONDS,
    add_room,
    drum_samples,
    synthesize,
    timbre_of,
    tone_samples,
)

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


STEP = RATE // 8  # samples of a 16th at 120 quarters a minute, and half a sample


def _dry(melody: Melody, program: int = 0) -> NDArray[np.float32]:
    return synthesize(melody.to_note_sequence(program=program), reverberation=0)


def _hertz(sound: NDArray[np.float32]) -> float:
    size = 1 << 20
    return float(np.abs(np.fft.rfft(sound * np.hanning(len(sound)), size)).argmax() * RATE / size)


def test_a_melody_sounds_at_its_pitches_and_times() -> None:
    # A4 for half a second, a rest as long, A5.
    sound = _dry(Melody([69, -2, -2, -2, -1, -2, -2, -2, 81, -2, -2, -2]), program=16)
    assert sound.shape == (round((1.5 + TAIL_SECONDS) * RATE), 2)
    assert sound.dtype == np.float32
    for start, expected in ((0, 440.0), (8 * STEP, 880.0)):
        found = _hertz(sound[start + 1000 : start + 4 * STEP - 1000, 0])
        assert abs(1200 * np.log2(found / expected)) < 1
    rest = sound[round((0.5 + 0.1) * RATE) : 8 * STEP - 1]  # after an organ's release of 60 ms
    assert not rest.any()
    assert not sound[round((1.5 + 0.1) * RATE) :].any()


@pytest.mark.parametrize("program", range(0, 128, 8))
def test_no_clicks(program: int) -> None:
    # Eighths with rests and repeated notes around A3. What jumps from one sample to the next is more than a sound of
    # these frequencies can move.
    sound = _dry(Melody([57, -1, 57, 57, 59, -2, -2, -1, -2, 57, -2, -2] * 2), program)
    largest = np.abs(np.diff(sound[:, 0])).max()
    steady = np.abs(np.diff(_dry(Melody([57, *[-2] * 15]), program)[:, 0])).max()
    assert largest < 2.5 * steady + 0.01
    assert abs(sound[0, 0]) == 0
    assert abs(sound[-1, 0]) < 1e-4


def test_nothing_is_clipped_and_the_peak_has_headroom() -> None:
    chord = NoteSequence()
    for pitch in range(40, 90):
        chord.notes.add(pitch=pitch, velocity=127, end_time=0.5, program=16)
    assert np.abs(synthesize(chord)).max() == pytest.approx(10 ** (-1 / 20), abs=1e-4)


def test_the_same_notes_are_the_same_samples() -> None:
    sequence = Melody([60, -2, 64, -1]).to_note_sequence()
    sequence.notes.add(pitch=38, velocity=90, end_time=0.1, is_drum=True, instrument=9)
    np.testing.assert_array_equal(synthesize(sequence), synthesize(sequence))


def test_a_louder_note_is_louder() -> None:
    sequence = NoteSequence()
    sequence.notes.add(pitch=69, velocity=127, start_time=0, end_time=0.5, program=16)
    sequence.notes.add(pitch=69, velocity=64, start_time=1, end_time=1.5, program=16)
    sound = synthesize(sequence, reverberation=0)
    loud, soft = np.abs(sound[:RATE]).max(), np.abs(sound[RATE : 2 * RATE]).max()
    assert soft / loud == pytest.approx((64 / 127) ** 1.5, rel=0.01)


def test_instruments_stand_apart_and_one_stands_in_the_middle() -> None:
    alone = _dry(Melody([60, -2]))
    np.testing.assert_array_equal(alone[:, 0], alone[:, 1])
    duet = NoteSequence()
    duet.notes.add(pitch=60, velocity=100, start_time=0, end_time=0.4, instrument=0)
    duet.notes.add(pitch=60, velocity=100, start_time=2, end_time=2.4, instrument=5)
    sound = synthesize(duet, reverberation=0)
    assert np.abs(sound[2 * RATE :, 0]).max() > 1.5 * np.abs(sound[2 * RATE :, 1]).max()


def test_a_long_note_has_no_seam() -> None:
    # 12 seconds of an organ are made in three pieces.
    sequence = NoteSequence()
    sequence.notes.add(pitch=45, velocity=100, end_time=12.0, program=16)
    sound = synthesize(sequence, reverberation=0)[:, 0]
    assert np.abs(np.diff(sound)).max() < 0.1
    assert _hertz(sound[5 * RATE : 7 * RATE]) == pytest.approx(110.0, abs=0.05)
    assert np.abs(sound[11 * RATE : 12 * RATE]).max() > 0.5
    assert not sound[round(12.1 * RATE) :].any()


def test_silence() -> None:
    sound = synthesize(NoteSequence(total_time=1.0))
    assert sound.shape == (round((1 + TAIL_SECONDS) * RATE), 2)
    assert not sound.any()
    assert not synthesize(Melody([127, -2]).to_note_sequence(), sample_rate=8_000, reverberation=0).any()


def test_notes_of_no_length_leave_no_click() -> None:
    sequence = NoteSequence()
    sequence.notes.add(pitch=60, velocity=100, start_time=0.5, end_time=0.5)
    sound = synthesize(sequence, reverberation=0)
    assert np.isfinite(sound).all()


def test_the_limits_hold() -> None:
    with pytest.raises(DataError, match="at most 1,800 can be rendered"):
        synthesize(NoteSequence(total_time=1e9))


def _click(length: int, place: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    channels = np.zeros((2, length), np.float32)
    channels[:, place] = 1
    return channels


def test_a_click_is_followed_by_its_reverberation_and_then_silence() -> None:
    channels = _click(200_000, 60_000)  # the reverberation runs over the end of a block
    add_room(channels, RATE, 0.2)
    end = 60_000 + int(ROOM_SECONDS * RATE)
    assert np.abs(channels[:, :60_000]).max() < 1e-6
    assert np.abs(channels[:, end:]).max() < 1e-6
    tail = channels[:, 60_001:end]
    np.testing.assert_allclose(np.sqrt((tail**2).sum(axis=1)), 0.2, rtol=0.05)
    assert np.abs(tail[:, 20_000:]).max() < 0.1 * np.abs(tail[:, :2_000]).max()
    assert not np.array_equal(channels[0], channels[1])


def test_where_blocks_meet_makes_no_difference() -> None:
    early, late = _click(150_000, 10_000), _click(150_000, 60_000)
    add_room(early, RATE, 0.2)
    add_room(late, RATE, 0.2)
    np.testing.assert_allclose(early[:, 10_000:50_000], late[:, 60_000:100_000], atol=1e-6)
