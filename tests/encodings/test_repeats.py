import numpy as np

from ostinato.encodings.repeats import Lookbacks, Past, lookbacks_of, num_lookbacks

EVENTS = np.array([60, -2, 60, 60])


def test_what_stood_some_steps_before_the_next_one() -> None:
    assert Lookbacks((1, 3)).events_ahead(EVENTS).tolist() == [[60, -2], [-2, -2], [60, 60], [60, -2]]
    assert Lookbacks((9,)).events_ahead(EVENTS).tolist() == [[-2]] * 4


def test_what_repeats() -> None:
    assert Lookbacks((1, 2)).repeats(EVENTS).tolist() == [[False, False], [False, False], [False, True], [True, False]]
    assert not Lookbacks((9,)).repeats(EVENTS).any()


def test_labels_say_repeats_first() -> None:
    # 62 stands for 60; 0 for no event. Before step 2 a no event is the furthest repeat, 101.
    classes = np.array([62, 0, 62, 62])
    repeats = np.array([[False, False], [False, False], [False, True], [True, False]])
    assert Lookbacks((1, 2)).labels(EVENTS, repeats, classes, 100).tolist() == [62, 101, 101, 100]
    assert Lookbacks(()).labels(EVENTS, repeats[:, :0], classes, 100).tolist() == [62, 0, 62, 62]


def test_distances_in_bars_follow_the_meter() -> None:
    assert lookbacks_of((16, 32), 12) == Lookbacks((16, 32))
    assert lookbacks_of("bars", 12) == Lookbacks((12, 24), 12)
    assert lookbacks_of("1, 2,4,8 bars", 18).distances == (18, 36, 72, 144)
    assert [num_lookbacks(distances) for distances in ((16, 32, 64), "bars", "1,2,4,8 bars", ())] == [3, 2, 4, 0]


def test_the_counter_counts_the_next_place_in_bits() -> None:
    counts_steps = Lookbacks((16, 32))
    assert counts_steps.counters(3, 2).tolist() == [[1, -1], [-1, 1], [1, 1]]
    assert counts_steps.counters(0, 2).shape == (0, 2)
    assert counts_steps.counter(6, 3).tolist() == [[1, 1, 1]]
    assert counts_steps.counter(0, 0).shape == (1, 0)


def test_the_counter_of_bars_keeps_the_place_apart_from_the_bar() -> None:
    # After position 28 of 12-step bars comes place 5 of bar 2: 0101 and 01, low bits first.
    assert lookbacks_of("bars", 12).counter(28, 6).tolist() == [[1, -1, 1, -1, -1, 1]]
    # A bar of 18 steps needs five bits: place 17 of bar 1 is 10001 and 1.
    assert lookbacks_of("bars", 18).counter(34, 6).tolist() == [[1, -1, -1, -1, 1, 1]]


def test_a_past_keeps_what_the_furthest_lookback_needs() -> None:
    past = Past(2, Lookbacks((1, 3)))
    assert past.ahead().tolist() == [[-2, -2], [-2, -2]]
    repeats = [past.push(np.array([event, 62])).tolist() for event in EVENTS]
    # The first melody repeats 1 ago at its end and 3 ago there too; the second is one note over and over.
    assert [row[0] for row in repeats] == [[False, False], [False, False], [False, False], [True, True]]
    assert [row[1] for row in repeats] == [[False, False], [True, False], [True, False], [True, True]]
    assert past.ahead().tolist() == [[60, -2], [62, 62]]
    assert past.select(np.array([1, 1, 0])).ahead().tolist() == [[62, 62], [62, 62], [60, -2]]
