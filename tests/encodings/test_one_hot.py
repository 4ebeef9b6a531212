import numpy as np

from ostinato.encodings import OneHotEncoding
from ostinato.music.melody import Melody
from ostinato.music.meter import Meter


def test_one_hot() -> None:
    encoding = OneHotEncoding(60, 72)
    melody = Melody([60, -2, 71, -1])
    assert encoding.labels(melody).tolist() == [2, 0, 13, 1]
    inputs = encoding.inputs(melody)
    assert inputs.shape == (4, 14)
    assert np.argwhere(inputs == 1).tolist() == [[0, 2], [1, 0], [2, 13], [3, 1]]
    assert encoding.stepper(2, Meter(4, 4)).class_events().tolist() == [[-2, -1, *range(60, 72)]] * 2
