import numpy as np

from ostinato.encodings import LookbackEncoding
from ostinato.music.melody import Melody
from ostinato.music.meter import Meter


def test_lookback() -> None:
    # 14 event classes: inputs are 3 x 14 one-hots from 0, 14 and 28 on, 3 counter bits, 2 repeats.
    encoding = LookbackEncoding(60, 72, lookback_distances=(2, 4), counter_bits=3)
    melody = Melody([60, -2, 60, -2, -1])
    # Class 14 repeats 2 ago and 15 repeats 4 ago; a no event in the first 4 steps is 15.
    assert encoding.labels(melody).tolist() == [2, 15, 14, 15, 1]
    inputs = encoding.inputs(melody)
    assert inputs.shape == (5, 47)
    one_hots = [np.flatnonzero(row[:42]).tolist() for row in inputs]
    # The event itself; what stood 2 and 4 before the next one.
    assert one_hots == [[2, 14, 28], [0, 16, 28], [2, 14, 28], [0, 16, 30], [1, 14, 28]]
    assert inputs[:, 42:45].tolist() == [[1, -1, -1], [-1, 1, -1], [1, 1, -1], [-1, -1, 1], [1, -1, 1]]
    assert inputs[:, 45:].tolist() == [[0, 0], [0, 0], [1, 0], [1, 0], [0, 0]]


def test_the_furthest_repeat_wins() -> None:
    encoding = LookbackEncoding(60, 72, lookback_distances=(1, 3), counter_bits=1)
    assert encoding.labels(Melody([60, 60, 60, 60, -2, -2])).tolist() == [2, 14, 14, 15, 0, 14]


def test_a_repeat_of_what_is_not_there_is_no_event() -> None:
    stepper = LookbackEncoding(60, 72, lookback_distances=(1, 3)).stepper(1, Meter(4, 4))
    assert stepper.class_events()[0, 14:].tolist() == [-2, -2]
    stepper.push(np.array([60]))
    assert stepper.class_events()[0, 14:].tolist() == [60, -2]
    stepper.push(np.array([62]))
    stepper.push(np.array([64]))
    assert stepper.class_events()[0, 14:].tolist() == [64, 60]
