import numpy as np

from ostinato.sound.room import MAX_SECONDS, add_room

RATE = 44_100


def _click(length: int, place: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    channels = np.zeros((2, length), np.float32)
    channels[:, place] = 1
    return channels


def test_a_click_is_followed_by_its_reverberation_and_then_silence() -> None:
    channels = _click(200_000, 60_000)  # the reverberation runs over the end of a block
    add_room(channels, RATE, 0.2)
    end = 60_000 + int(MAX_SECONDS * RATE)
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
