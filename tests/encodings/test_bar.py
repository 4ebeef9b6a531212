import numpy as np

from ostinato.encodings import BarEncoding, LookbackEncoding
from ostinato.music.melody import Melody


def test_bar() -> None:
    encoding = BarEncoding(60, 72, lookback_distances="1,2 bars", counter_bits=5)
    lookback = LookbackEncoding(60, 72, lookback_distances="1,2 bars", counter_bits=5)
    melody = Melody([60, -2, 64, -1, -2], steps_per_bar=3)
    inputs = encoding.inputs(melody)
    # 14 events of lookback encoding three times, 5 bits, 2 repeats; 32 places, 32 lengths, 12 pitches or none, 12 keys.
    assert encoding.input_size == 49 + 64 + 13 + 12
    np.testing.assert_array_equal(inputs[:, :49], lookback.inputs(melody))
    expected = np.zeros((5, 89), np.float32)
    # The next places are 1, 2, 0, 1, 2 of a bar of 3; C sounds, then E, then nothing.
    for row, (place, sounding) in enumerate([(1, 0), (2, 0), (0, 4), (1, 12), (2, 12)]):
        expected[row, [place, 32 + 2, 64 + sounding]] = 1
    with_c = [0, 1, 3, 5, 7, 8, 10]  # C, D flat, E flat, F, G, A flat, B flat major hold a C
    expected[:2, [77 + key for key in with_c]] = 1
    expected[2:, [77 + key for key in (0, 5, 7)]] = 1  # of these C, F and G major hold an E too
    np.testing.assert_array_equal(inputs[:, 49:], expected)
    np.testing.assert_array_equal(encoding.labels(melody), lookback.labels(melody))


def test_a_place_or_bar_beyond_32_steps_is_the_last() -> None:
    inputs = BarEncoding(60, 72, lookback_distances="1 bars", counter_bits=0).inputs(
        Melody([60] * 40, steps_per_bar=40)
    )
    more = inputs[:, 2 * 14 + 1 :]
    assert [int(row[:32].argmax()) for row in more] == [*range(1, 32), *[31] * 8, 0]
    assert more[:, 32:64].argmax(axis=1).tolist() == [31] * 40
