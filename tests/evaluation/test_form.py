import math

import numpy as np
import pytest

from ostinato.evaluation.form import (
    Bar,
    bars_of,
    by_melody,
    compare_forms,
    compare_onsets,
    ends_bar_long,
    ends_long,
    ends_long_on_final,
    ends_on_final,
    form_of,
    likeness,
    onsets,
    returning_bars,
    wanders,
)
from ostinato.evaluation.statistics import Share
from ostinato.music.melody import Melody
from ostinato.music.meter import Meter

# All of C major, so that the key is plain.
SCALE = [60, 62, 64, 65, 67, 69, 71]
QUARTER = Meter(1, 4)


@pytest.mark.parametrize(
    ("events", "long", "final"),
    [
        ([*SCALE, 60, -2, -2, -2], 1, 1),
        ([*SCALE, 60, -2, -2], 0, 1),
        ([*SCALE, 60, -2, -2, -1, -2, -2], 0, 1),  # what comes after the note is silence
        ([*SCALE, 67, -2, -2, -2], 1, 0),
        ([*SCALE, 62, -2, -2, -2], 1, 1),  # dorian
        ([*SCALE, 69, -2, -2, -2], 1, 1),  # minor
        ([*[pitch + 2 for pitch in SCALE], 62, -2, -2, -2], 1, 1),  # D major
        ([*[pitch + 2 for pitch in SCALE], 60, -2, -2, -2], 1, 0),  # its minor seventh
        ([*SCALE, 60], 0, 1),
    ],
)
def test_endings(events: list[int], long: int, final: int) -> None:
    melody = Melody(events)
    assert ends_long(melody) == Share(long, 1)
    assert ends_on_final(melody) == Share(final, 1)
    assert ends_long_on_final(melody) == Share(long * final, 1)


def test_silence_has_no_ending() -> None:
    assert ends_long(Melody([-2] * 8)) == ends_on_final(Melody([])) == Share(0, 0)


def test_cadences() -> None:
    melody = Melody([60, -2, 62, -2, 64, -2, -2, -2, -2, -2, -2, -2, 65, -2, 67, -2, -2, -2, 60, 62], meter=QUARTER)
    # The third bar is held, the fourth ends with a note that lasts into the fifth, with which the melody ends.
    found = [ends_bar_long(melody, bar) for bar in range(1, 7)]
    assert found == [Share(0, 1), Share(1, 1), Share(0, 0), Share(1, 1), Share(0, 0), Share(0, 0)]


@pytest.mark.parametrize(("rest", "first"), [(0, 60), (1, 60), (2, 64), (3, 64), (4, 60)])
def test_a_pickup_is_no_bar(rest: int, first: int) -> None:
    melody = Melody([*[-2] * rest, *[60] * (4 - rest % 4), 64, 64, 64, 64], meter=QUARTER)
    pitches = {pitch for bar in bars_of(melody) for _, pitch in bar}
    assert min(pitches) == first


def test_cadence_after_a_pickup() -> None:
    melody = Melody([-2, -2, 60, -2, 62, -2, -2, -2, 64, -2, -2, 60], meter=QUARTER)
    assert ends_bar_long(melody, 1) == Share(1, 1)


def test_onsets() -> None:
    melody = Melody([60, -2, 62, -2, 64, -1, -2, 65, 60], meter=QUARTER)
    assert onsets(melody).tolist() == [3, 0, 1, 1]


def test_bars() -> None:
    melody = Melody([60, -2, 62, -2, -2, -1, -2, -2, 64, -2], meter=QUARTER)
    assert bars_of(melody) == [{(0, 60), (2, 62)}, frozenset(), {(0, 64)}]


def bar(*pitches: int) -> Bar:
    return frozenset(enumerate(pitches))


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [
        (bar(60, 62, 64, 65), bar(60, 62, 64, 67), 0.75),
        (bar(60, 62, 64, 65), bar(60, 62), 0.5),
        (bar(60, 62), bar(62, 60), 0),
        (bar(60), bar(), 0),
        (bar(), bar(), 1),
    ],
)
def test_likeness(one: Bar, other: Bar, share: float) -> None:
    assert likeness(one, other) == likeness(other, one) == share


def test_returning_bars() -> None:
    a, like_a, b, silence = bar(60, 62, 64, 65), bar(60, 62, 64, 67), bar(60, 60, 62, 62), bar()
    # After two bars the third comes back, nearly, and the fourth does not; in the last none starts.
    assert returning_bars([a, b, like_a, a, silence], 2) == Share(1, 2)
    assert returning_bars([a, b], 2) == Share(0, 0)


def test_wandering() -> None:
    new = [bar(pitch) for pitch in range(60, 72)]
    assert wanders(new) == Share(1, 1)
    assert wanders([*new[:8], new[0]]) == Share(0, 1)
    assert wanders([*new[:8], new[4]]) == Share(0, 1)
    assert wanders([*new[:8], new[5]]) == Share(1, 1)  # three bars later is neither
    assert wanders(new[:8]) == Share(0, 0)


def test_form_of() -> None:
    bars = [60, 62, 64, 65] * 4
    melody = Melody([event for pitch in bars for event in (pitch, -2, -2, -2)], meter=QUARTER)
    found = form_of([melody], None)
    assert {name: tuple(share) for name, (share,) in found.items()} == {
        "melodies that end on a long note": (0, 0),  # it is not known to end
        "melodies that end on a final": (0, 0),
        "melodies that end on a long final": (0, 0),
        "bar 4 ends with a long note": (1, 1),
        "bar 8 ends with a long note": (1, 1),
        "bar 12 ends with a long note": (1, 1),
        "bars that come back after 4": (12, 12),
        "bars that come back after 8": (8, 8),
        "bars that come back after 16": (0, 0),
        "melodies that wander": (0, 1),
    }
    cut = form_of([melody], 10, all_end=True)
    assert cut["melodies that end on a long note"] == [Share(1, 1)]
    assert cut["bars that come back after 8"] == [Share(2, 2)]


def test_compare_forms() -> None:
    one, none, unknown = Share(1, 1), Share(0, 1), Share(0, 0)
    made = {"a": [one, unknown, none], "b": [Share(3, 4), Share(0, 2)], "c": [one, one]}
    people = {"a": [one, none], "b": [Share(1, 2), Share(2, 4)], "c": [unknown, unknown]}
    a, b, c = compare_forms(made, people, 0)
    # Of two melodies drawn with replacement both, either and none are the one, each often enough to be in the interval.
    assert (a.generated, a.human, a.interval.low, a.interval.high) == (50, 50, 0, 100)
    assert (a.generated_melodies, a.human_melodies) == (2, 2)
    assert (b.generated, b.human, b.interval.low, b.interval.high, b.difference) == (50, 50, 50, 50, 0)
    assert math.isnan(c.human)
    assert math.isnan(c.interval.low)
    assert (c.generated, c.human_melodies) == (100, 0)


def test_by_melody() -> None:
    assert by_melody([Share(1, 2), Share(0, 0), Share(3, 3)]).tolist() == [[0.5], [1]]
    assert by_melody([Share(0, 0)]).shape == (0, 1)


def test_compare_onsets() -> None:
    waltz, jig = Meter(3, 4), Meter(6, 8)
    quarters = [60, -2, -2, -2] * 3
    dotted = [60, -2, -2, -2, -2, -2] * 2
    made = [Melody(quarters, meter=waltz)] * 10 + [Melody(quarters, meter=jig)] * 12
    people = [Melody(quarters, meter=waltz)] * 10 + [Melody(dotted, meter=jig)] * 11 + [Melody([60] * 8, meter=QUARTER)]
    found, others = compare_onsets(made, people, 0)
    assert [str(each.meter) for each in found] == ["6/8", "3/4"]
    assert others == {QUARTER: (0, 1)}
    jigs, waltzes = found
    assert np.flatnonzero(jigs.human).tolist() == [0, 6]
    # Thirds on 0, 4 and 8 beside halves on 0 and 6: a sixth more on 0, a half more on 6, and two thirds elsewhere.
    assert jigs.apart == pytest.approx((1 / 6 + 1 / 3 + 1 / 3 + 1 / 2) / 2)
    assert (jigs.generated_melodies, jigs.human_melodies) == (12, 11)
    assert (waltzes.apart, waltzes.human_apart.high) == (0, 0)
    assert waltzes.low.tolist() == waltzes.high.tolist() == pytest.approx([1 / 3, 0, 0, 0] * 3)


def test_the_seed_draws_the_intervals() -> None:
    rng = np.random.default_rng(5)
    people = {"a": [Share(int(part), 7) for part in rng.integers(0, 8, size=30)]}

    def interval(seed: int) -> tuple[float, float]:
        (figure,) = compare_forms(people, people, seed)
        return figure.interval.low, figure.interval.high

    assert interval(1) == interval(1) != interval(2)
