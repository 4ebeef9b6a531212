import json
import math

import numpy as np
import pytest

from ostinato.errors import DataError
from ostinato.evaluation.comparison import Comparison, NamedMelody, as_json, compare, number, tables
from ostinato.evaluation.statistics import FEATURES
from ostinato.music.melody import Melody


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
    assert [feature.name for feature in comparison.features] == list(FEATURES)
    histogram = comparison.features[0]
    assert histogram.generated_mean[[0, 2, 4, 7]].tolist() == pytest.approx([0.5, 0.25, 0.125, 0.125])
    assert histogram.human_mean[[0, 2, 4, 5]].tolist() == pytest.approx([0.25] * 4)
    # Four equal tunes are as their halves are; no generated melody has a scale's pitches.
    assert histogram.human_halves.overlap == pytest.approx(1)
    assert histogram.generated.overlap < 0.01


def test_targets(comparison: Comparison) -> None:
    assert [(target.generated, target.human, target.met) for target in comparison.targets] == [
        (50, 0, False),
        (pytest.approx(math.nan, nan_ok=True), pytest.approx(math.nan, nan_ok=True), False),
        (pytest.approx(2.85), 1, False),
        (3, 1, False),
    ]


def test_targets_reached() -> None:
    made = [("a.mid", melody(*[60, 61, 63, 66] * 3)), ("b.mid", melody(*[60, 63, 61, 66] * 3))]
    # Up 1 and up 2 of the training melody is in a, and none of its steps in b; the 95th percentile of 0 and 2 is 1.9.
    comparison = compare(made, made * 2, [("t.mid", melody(70, 71, 73))])
    assert [target.met for target in comparison.targets] == [True] * 4
    assert [target.generated for target in comparison.targets] == [0, 100, pytest.approx(1.9), 2]


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


@pytest.mark.parametrize(
    ("generated", "human", "message"),
    [
        (GENERATED[1:], HUMAN, "1 of 2 generated melodies have 2 notes or more; at least 2 are needed"),
        (GENERATED, HUMAN[1:], "3 of 3 melodies by people have 2 notes or more in their first 8 steps; at least 4"),
    ],
)
def test_too_few(generated: list[NamedMelody], human: list[NamedMelody], message: str) -> None:
    with pytest.raises(DataError, match=message):
        compare(generated, human, TRAINING)


def small_comparison(*, cut: bool = True, human_notes: int = 12) -> Comparison:
    made = [("a.mid", Melody([60, 62, 64, 62] * 2, steps_per_bar=4)), ("b.mid", Melody([60, 60, 60, 60] * 2))]
    human = [(f"{start}.mid", Melody(range(start, start + human_notes), steps_per_bar=4)) for start in range(60, 64)]
    return compare(made, human, [("t.mid", Melody([60, 62, 64]))], cut=cut)


def test_tables() -> None:
    sets, figures, features, targets = tables(small_comparison())
    assert sets.rows[1] == ("human, cut to 8 steps", "4", "0", "32", "8", "4 in 100%")
    assert [row[0] for row in sets.rows] == ["generated", "human, cut to 8 steps", "human, whole", "training"]
    assert sets.rows[0][-1] == "4 in 50%, 16 in 50%"
    rows = {row[0]: row[1:] for row in figures.rows}
    assert figures.header == ("", "generated", "human, cut to 8 steps", "difference", "human, whole")
    assert rows["notes"] == ("8.00", "8.00", "+0.00", "12.00")
    # a goes up 4 and b nowhere, the cut scales 7.
    assert rows["pitch range [semitones]"] == ("2.00", "7.00", "-5.00", "11.00")
    assert rows["bars equal to the bar two before [%]"] == ("-", "-", "-", "0.00")
    assert len(features.rows) == 10
    assert targets.rows[0] == (
        "bars equal to the bar before: within 5 points of the human share [%]",
        "100.0",
        "0.00",
        "not met",
    )
    for table in (sets, figures, features, targets):
        assert {len(row) for row in table.rows} == {len(table.header)}


def test_uncut_human_melodies_are_shown_once() -> None:
    sets, figures, *_ = tables(small_comparison(cut=False))
    assert [row[0] for row in sets.rows] == ["generated", "human", "training"]
    assert figures.header == ("", "generated", "human", "difference")


def test_longer_generated_melodies_are_remarked_on() -> None:
    note = "(medians of 6 and 8 steps)"
    assert note in tables(small_comparison(human_notes=6))[0].note
    assert note not in tables(small_comparison())[0].note


def test_json() -> None:
    found = json.loads(json.dumps(as_json(small_comparison()), allow_nan=False))
    assert found["cut_steps"] == 8
    assert found["sets"]["generated"] == {
        "melodies": 2,
        "too_few_notes": 0,
        "notes": 16,
        "median_steps": 8,
        "bar_lengths": {"4": 1, "16": 1},
    }
    assert found["figures"]["bars equal to the bar before"] == {
        "unit": "%",
        "generated": 100,
        "human": 0,
        "difference": 100,
        "human_whole": 0,
    }
    assert found["figures"]["bars equal to the bar two before"]["generated"] is None
    features = found["features"]
    assert features["notes"]["human_mean"] == 8
    assert len(features["pitch-class histogram"]["generated_mean"]) == 12
    assert np.array(features["pitch-class transitions"]["generated_mean"]).shape == (12, 12)
    assert np.array(features["note-length transitions"]["human_mean"]).shape == (16, 16)
    assert set(features["notes"]["generated"]) == {"overlap", "divergence"}
    # Of a, 60 62 64 is in the training melody; its 64 sounds for one step, as in a.
    assert found["longest_copied_runs"]["generated"] == [
        {"melody": "a.mid", "pairs": 2},
        {"melody": "b.mid", "pairs": 0},
    ]
    assert len(found["longest_copied_runs"]["human"]) == 4
    assert [target["met"] for target in found["targets"]][:2] == [False, False]


@pytest.mark.parametrize(
    ("value", "text"), [(0.125, "0.12"), (12, "12.00"), (1234.56, "1,234.6"), (-3, "-3.00"), (math.nan, "-")]
)
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text
