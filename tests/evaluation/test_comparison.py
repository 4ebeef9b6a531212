import math

import numpy as np
import pytest

from ostinato.errors import DataError
from ostinato.evaluation.comparison import Comparison, NamedMelody, compare
from ostinato.evaluation.form import RETURNS
from ostinato.evaluation.statistics import FEATURES
from ostinato.music.melody import Melody
from ostinato.music.meter import Meter


def melody(*pitches: int, start: int = 0) -> Melody:
    """Notes of two steps each, in bars of four steps."""
    return Melody([event for pitch in pitches for event in (pitch, -2)], start, 4)


GENERATED = [("a.mid", melody(60, 64, 60, 67)), ("b.mid", melody(60, 62, 60, 62)), ("c.mid", melody(60))]
HUMAN = [(f"{number}.mid", melody(60, 62, 64, 65, 67, 69)) for number in range(4)]
TRAINING = [("t.mid", melody(50, 52, 50, 52, 50, 52, 50))]


def figures(comparison: Comparison) -> dict[str, tuple[float, float, float]]:
    return {figure.name: (figure.generated, figure.human, figure.human_whole) for figure in comparison.figures}


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return compare(GENERATED, HUMAN, TRAINING)


def test_sets(comparison: Comparison) -> None:
    assert comparison.cut_steps == 8
    assert [
        (name, each.melodies, each.too_few_notes, each.notes, each.median_steps, dict(each.bar_lengths))
        for name, each in comparison.sets.items()
    ] == [
        ("generated", 2, 1, 8, 8, {4: 2}),
        ("human", 4, 0, 16, 8, {4: 4}),
        ("human, whole", 4, 0, 24, 12, {4: 4}),
        ("training", 1, 0, 7, 14, {4: 1}),
    ]


@pytest.mark.parametrize(
    ("name", "generated", "human", "whole"),
    [
        ("pitch range", (7 + 2) / 2, 5, 9),
        ("mean interval", (5 + 2) / 2, 5 / 3, 9 / 5),
        ("mean inter-onset interval", 2, 2, 2),
        ("notes", 4, 4, 6),
        ("pitches", 2.5, 4, 6),
        ("pitch classes", 2.5, 4, 6),
        ("bars equal to the bar before", 50, 0, 0),
        ("notes in a row of more than 4 of one pitch", 0, 0, 0),
        ("notes in the best-fitting major key", 100, 100, 100),
        # b goes up and down as the training melody does, and of the scale the first two steps up are in it, one by one.
        ("longest copied run, median", 1.5, 1, 1),
        ("longest copied run, 95th percentile", 2.85, 1, 1),
        ("longest copied run, maximum", 3, 1, 1),
    ],
)
def test_figures(comparison: Comparison, name: str, generated: float, human: float, whole: float) -> None:
    assert figures(comparison)[name] == pytest.approx((generated, human, whole))


def test_what_is_not_there_is_no_number(comparison: Comparison) -> None:
    found = figures(comparison)
    # Two bars have none two before; three pairs are no 4-gram. Whole, a tune has five pairs and a third bar.
    assert math.isnan(found["bars equal to the bar two before"][0])
    assert math.isnan(found["4-grams found in the training set"][0])
    assert found["bars equal to the bar two before"][2] == 0
    assert found["4-grams found in the training set"][2] == 0


def test_differences(comparison: Comparison) -> None:
    (notes,) = [figure for figure in comparison.figures if figure.name == "bars equal to the bar before"]
    assert (notes.difference, notes.unit) == (50, "%")


def test_copied_runs(comparison: Comparison) -> None:
    assert comparison.generated_runs == (("b.mid", 3), ("a.mid", 0))
    assert comparison.human_runs == (1, 1, 1, 1)


def test_features(comparison: Comparison) -> None:
    assert [feature.name for feature in comparison.features] == [*FEATURES, *RETURNS.values()]
    histogram = comparison.features[0]
    assert histogram.generated_mean[[0, 2, 4, 7]].tolist() == pytest.approx([0.5, 0.25, 0.125, 0.125])
    assert histogram.human_mean[[0, 2, 4, 5]].tolist() == pytest.approx([0.25] * 4)
    # Four equal tunes are as their halves are; no generated melody has a scale's pitches.
    assert histogram.human_halves.overlap == pytest.approx(1)
    assert histogram.generated.overlap < 0.01


def test_targets(comparison: Comparison) -> None:
    assert [(target.generated, target.human, target.met) for target in comparison.targets[:4]] == [
        (50, 0, False),
        (pytest.approx(math.nan, nan_ok=True), pytest.approx(math.nan, nan_ok=True), False),
        (pytest.approx(2.85), 1, False),
        (3, 1, False),
    ]


def test_targets_reached() -> None:
    made = [("a.mid", melody(*[60, 61, 63, 66] * 3)), ("b.mid", melody(*[60, 63, 61, 66] * 3))]
    # Up 1 and up 2 of the training melody is in a, and none of its steps in b; the 95th percentile of 0 and 2 is 1.9.
    comparison = compare(made, made * 2, [("t.mid", melody(70, 71, 73))])
    assert [target.met for target in comparison.targets[:4]] == [True] * 4
    assert [target.generated for target in comparison.targets[:4]] == [0, 100, pytest.approx(1.9), 2]


def test_uncut() -> None:
    comparison = compare(GENERATED, HUMAN, TRAINING, cut=False)
    assert comparison.cut_steps is None
    assert comparison.sets["human"] == comparison.sets["human, whole"]
    for figure in comparison.figures:
        assert figure.human == pytest.approx(figure.human_whole, nan_ok=True)


def test_a_set_beside_itself() -> None:
    rng = np.random.default_rng(3)
    tunes: list[NamedMelody] = [
        (f"{number}.mid", melody(*(60 + rng.integers(0, 12, size=rng.integers(20, 40))).tolist()))
        for number in range(60)
    ]
    comparison = compare(tunes, tunes, tunes, cut=False)
    for figure in comparison.figures:
        assert figure.difference == 0
    for feature in comparison.features:
        assert feature.generated.overlap > 0.9
        assert feature.generated.divergence < 0.1
    assert figures(comparison)["12-grams found in the training set"][0] == 100
    assert comparison.generated_runs[0][1] == max(len(tune.pitches) for _, tune in tunes) - 1


def test_the_seed_splits_the_human_melodies() -> None:
    rng = np.random.default_rng(3)
    tunes = [(f"{number}.mid", melody(*(60 + rng.integers(0, 12, size=20)).tolist())) for number in range(12)]

    def halves(seed: int) -> list[float]:
        found = compare(tunes, tunes, TRAINING, seed=seed).features
        return [feature.human_halves.overlap for feature in found]

    assert halves(1) == halves(1) != halves(2)


def tune(*bars: int, last: int = 0, ends: bool = True) -> Melody:
    """Bars of 2/4: a quarter and two eighths of each pitch; the last bar is a half, or some steps shorter."""
    events = [event for pitch in bars for event in (pitch, -2, -2, -2, pitch, -2, pitch, -2)]
    return Melody([*events[:-8], bars[-1], *[-2] * (7 - last)], meter=Meter(2, 4), ends=ends)


# C major twice, but for the last bar; and once through sixteen notes of it.
FORMED = tune(60, 62, 64, 65, 67, 69, 71, 72, 60, 62, 64, 65, 67, 69, 71, 60)
WILD = tune(48, 50, 52, 53, 55, 57, 59, 60, 62, 64, 65, 67, 69, 71, 72, 60, last=5)


def form_targets(generated: list[Melody], human: list[Melody]) -> dict[str, tuple[float, float, bool]]:
    made, people = ([(str(number), melody) for number, melody in enumerate(each)] for each in (generated, human))
    targets = compare(made, people, TRAINING).targets[4:]
    return {target.name.split(":")[0]: (target.generated, target.human, target.met) for target in targets}


def test_targets_of_form_met() -> None:
    # Of the bars from the ninth on seven of eight come back, after four none; a half is long.
    assert form_targets([FORMED] * 10, [FORMED] * 10) == {
        "melodies that end on a long note": (100, 100, True),
        "melodies that end on a final": (100, 100, True),
        "melodies that end on a long final": (100, 100, True),
        "bars that come back after 4": (0, 0, True),
        "bars that come back after 8": (87.5, 87.5, True),
        "melodies that wander": (0, 0, True),
        "onsets in 2/4": (0, 0, True),
    }


def test_targets_of_form_missed() -> None:
    # One of ten ends short and comes back nowhere: the others are 9/10 of all melodies, and 63 of 80 bars come back.
    found = form_targets([FORMED] * 9 + [WILD], [FORMED] * 10)
    names = "melodies that end on a long note", "bars that come back after 8", "melodies that wander"
    assert [found[name] for name in names] == [(90, 100, False), (78.75, 87.5, False), (10, 0, False)]


def test_no_repeats_are_as_wrong_as_too_many() -> None:
    found = [form_targets([made] * 4, [human] * 4) for made, human in ((WILD, FORMED), (FORMED, WILD))]
    assert [each["bars that come back after 8"] for each in found] == [(0, 87.5, False), (87.5, 0, False)]


def test_only_human_melodies_that_end_are_asked_how() -> None:
    cut_off = tune(*range(60, 76), last=7, ends=False)
    found = compare(
        [(str(number), tune(*range(60, 76), ends=False)) for number in range(4)],
        [(str(number), each) for number, each in enumerate([FORMED] * 4 + [cut_off] * 6)],
        TRAINING,
    )
    long, *_ = found.form
    assert (long.generated, long.human, long.generated_melodies, long.human_melodies) == (100, 100, 4, 4)


def test_what_comes_back_is_looked_for_in_as_many_bars() -> None:
    # The human tune goes through 16 bars twice; the generated ones have 16.
    human = [("h.mid", tune(*range(60, 76), *range(60, 76)))] * 4
    made = [("g.mid", WILD)] * 2
    cut, uncut = (compare(made, human, TRAINING, cut=cut) for cut in (True, False))
    assert (cut.cut_bars, uncut.cut_bars) == (16, None)
    after_16 = [{figure.name: figure for figure in each.form}["bars that come back after 16"] for each in (cut, uncut)]
    # But for the last bar, which is one half.
    assert [figure.human for figure in after_16] == [pytest.approx(math.nan, nan_ok=True), 100 * 15 / 16]
    assert math.isnan(cut.features[-1].generated.overlap)


@pytest.mark.parametrize(
    ("generated", "human", "message"),
    [
        (GENERATED[1:], HUMAN, "1 of 2 generated melodies have 2 notes or more; at least 2 are needed"),
        (GENERATED, HUMAN[1:], "3 of 3 human melodies have 2 notes or more in their first 8 steps; at least 4"),
    ],
)
def test_too_few(generated: list[NamedMelody], human: list[NamedMelody], message: str) -> None:
    with pytest.raises(DataError, match=message):
        compare(generated, human, TRAINING)
