import numpy as np

from ostinato.encodings import KeyEncoding
from ostinato.music.melody import Melody


def test_key() -> None:
    # 12 pitches: 12 one-hot, sounds, silent, attack, direction, 2 repeats, 3 bits, bar, 12 keys, 12 keys.
    encoding = KeyEncoding(60, 72, lookback_distances=(2, 4), counter_bits=3, steps_per_bar=4)
    melody = Melody([60, -2, 64, -1, -2])
    # 12 is no event, 13 note-off, 14 and 15 the repeats.
    assert encoding.labels(melody).tolist() == [0, 15, 4, 13, 12]
    inputs = encoding.inputs(melody)
    assert inputs.shape == (5, 46)
    with_c = [0, 1, 3, 5, 7, 8, 10]  # C, D flat, E flat, F, G, A flat, B flat major hold a C
    with_both = [0, 5, 7]  # of these C, F and G major hold an E too
    keys = {0: with_c, 1: with_c, 2: with_both, 3: with_both, 4: with_both}
    expected = np.zeros((5, 46), np.float32)
    for row, indices in enumerate([[0, 12, 14], [0, 12], [4, 12, 14], [13, 14], [13]]):
        expected[row, indices] = 1
        expected[row, [22 + key for key in keys[row]]] = 1
        expected[row, [34 + key for key in keys[row]]] = 1
    expected[2:, 15] = 1  # up
    expected[3, 21] = 1  # position 4 starts a bar
    expected[:, 18:21] = [[1, -1, -1], [-1, 1, -1], [1, 1, -1], [-1, -1, 1], [1, -1, 1]]
    np.testing.assert_array_equal(inputs, expected)


def test_a_melody_that_has_not_begun_fits_every_key() -> None:
    row = KeyEncoding().inputs(Melody([-2]))[0]
    assert row[37] == 1
    assert row[50:].tolist() == [1.0] * 24
