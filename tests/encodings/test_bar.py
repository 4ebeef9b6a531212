import numpy as np

from ostinato.encodings import BarEncoding, LookbackEncoding
from ostinato.music.melody import Melody
from ostinato.music.meter import Meter


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


def test_beats_tell_three_quarters_from_six_eighths() -> None:
    encoding, plain = BarEncoding(60, 72, tells_beat=True), BarEncoding(60, 72)
    beats = {}
    for meter in (Meter(3, 4), Meter(6, 8), Meter(2, 2), Meter(1, 1)):
        inputs = encoding.inputs(Melody([60, -2], meter=meter))
        np.testing.assert_array_equal(inputs[:, :-8], plain.inputs(Melody([60, -2], meter=meter)))
        beats[str(meter)] = inputs[:, -8:].argmax(axis=1).tolist()
    # Of 4, 6, 8 and 16 steps, among 1, 2, 3, 4, 6, 8, 12 and others.
    assert beats == {"3/4": [3, 3], "6/8": [4, 4], "2/2": [5, 5], "1/1": [7, 7]}


def test_matches() -> None:
    # Two distances: 2 x 5 runs, 2 x 4 shares, 8 runs of any whole bars, 14 events.
    encoding = BarEncoding(60, 72, lookback_distances="1,2 bars", tells_matches=True)
    plain = BarEncoding(60, 72, lookback_distances="1,2 bars")
    # Bars of four steps: C D E -, the same again, C D F -.
    melody = Melody([60, 62, 64, -2, 60, 62, 64, -2, 60, 62, 65, -2], meter=Meter(1, 4))
    inputs = encoding.inputs(melody)
    size = plain.input_size
    assert encoding.input_size == size + 10 + 8 + 8 + 14
    np.testing.assert_array_equal(inputs[:, :size], plain.inputs(melody))
    last_of_second_bar, last = inputs[7, size:], inputs[11, size:]
    # The second bar repeats the first for four steps, all of the bar; the third repeats both but for one step, and the
    # run is one step long.
    assert last_of_second_bar.nonzero()[0].tolist() == [0, 10, 11, 12, 13, 18, 26 + 2]
    assert last.nonzero()[0].tolist() == [10, 11, 14, 15, 26 + 2]


def test_the_end_is_a_class_of_its_own() -> None:
    encoding = BarEncoding(60, 72, foretells_end=True)
    assert encoding.num_classes == BarEncoding(60, 72).num_classes + 1
    cut, ending = Melody([60, -2, 64]), Melody([60, -2, 64], ends=True)
    inputs, labels = encoding.encode(cut)
    assert (len(inputs), labels.tolist()) == (2, BarEncoding(60, 72).encode(cut)[1].tolist())
    inputs, labels = encoding.encode(ending)
    np.testing.assert_array_equal(inputs, encoding.inputs(cut))
    assert labels.tolist() == [*encoding.encode(cut)[1].tolist(), encoding.num_classes - 1]
    assert encoding.class_events(ending).shape == (3, encoding.num_classes - 1)
