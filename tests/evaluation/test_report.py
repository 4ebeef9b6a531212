"""The figures of an evaluation, worked by hand from a few steps."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from ostinato.dataset.melodies import Melodies, SourceMelody
from ostinato.dataset.report import Skipped
from ostinato.errors import SettingsError
from ostinato.evaluation.likelihood import EventScores, PredictedSteps
from ostinato.evaluation.report import (
    Contender,
    Interval,
    Report,
    make_report,
    percentile_interval,
    resampled_ratios,
    summary,
    table_rows,
    to_json,
)
from ostinato.music.extract import ExtractionSettings
from ostinato.music.melody import Melody


def found(name: str, melody: Melody) -> SourceMelody:
    return SourceMelody(melody, name, name, 0, "", 120.0)


MELODIES = [
    found("a.mid", Melody([60, -2, 62], steps_per_bar=2)),
    found("b.mid", Melody([60, 62])),
    found("c.mid", Melody([60])),
]


def made(num_resamples: int = 200, seed: int = 0) -> Report:
    """Two melodies with three predicted steps and one with none; one model that knows all, one that guesses."""
    sources = Melodies(
        "tunes", ExtractionSettings(min_bars=0), files=5, melodies=MELODIES, skipped=[Skipped("d.mid", "is no MIDI")]
    )
    sure = EventScores(np.array([1.0, 2.0, 3.0]), np.array([True, True, False]), class_nats=1.25, num_folded=2)
    guess = EventScores(np.array([2.0, 4.0, 3.0]), np.array([False, False, True]))
    contenders = [
        Contender("n-gram, order 3", "n-gram", guess, order=3),
        Contender("my model", "model", sure, about={"parameters": 7}),
    ]
    steps = PredictedSteps.of([one.melody for one in MELODIES])
    training = Melodies("learned", ExtractionSettings(), files=1, melodies=MELODIES[:1])
    return make_report(sources, steps, contenders, num_resamples=num_resamples, seed=seed, ngram_training=training)


def test_figures_by_hand() -> None:
    report = made()
    guess, sure = report.figures
    assert report.best == 1
    assert (guess.bits, sure.bits) == (3, 2)
    assert (guess.perplexity, sure.perplexity) == (8, 4)
    assert (guess.above_best, sure.above_best) == (1, 0)
    assert sure.above_best_interval == Interval(0, 0)
    assert (sure.accuracy, guess.accuracy) == pytest.approx((2 / 3, 1 / 3))
    # The first step is no event, the other two are notes.
    assert (sure.no_event_accuracy, guess.no_event_accuracy) == (1, 0)
    assert (sure.event_accuracy, guess.event_accuracy) == (0.5, 0.5)
    assert (sure.class_nats, guess.class_nats) == (1.25, None)
    assert (sure.num_folded, guess.num_folded) == (2, 0)
    # Drawn are the first melody alone (1.5 bits a step), the second alone (3), or both.
    assert (sure.interval.low, sure.interval.high) == (1.5, 3)
    assert (guess.above_best_interval.low, guess.above_best_interval.high) == (0, 1.5)


def test_bits_of_melodies_and_of_bars() -> None:
    report = made()
    np.testing.assert_array_equal(report.melody_bits(1), [1.5, 3, np.nan])
    # In bars of two steps, the first melody's last note begins the second bar.
    first, second, *others = report.bar_bits(1)
    assert (first, second) == (2, 2)
    assert len(others) == 14
    assert all(math.isnan(bits) for bits in others)


def test_a_seed_gives_the_same_intervals() -> None:
    assert made(20, seed=5).figures == made(20, seed=5).figures


def test_the_table() -> None:
    heading, guess, sure = table_rows(made())
    assert heading[:3] == ["model", "bits/step", "95% interval"]
    assert guess == [
        "n-gram, order 3",
        "3.000",
        "3.000 to 3.000",
        "+1.000",
        "0.000 to 1.500",
        "8.000",
        "33.3%",
        "50.0%",
        "0.0%",
        "",
    ]
    assert sure[:5] == ["my model", "2.000", "1.500 to 3.000", "best", ""]
    assert sure[-1] == "1.2500"


def test_the_summary_says_what_was_left_out() -> None:
    assert summary(made()) == [
        "tunes: 3 melodies in 5 files, 3 steps predicted",
        "Left out: 1 file that cannot be read",
        "n-gram models learned from learned: 1 melody, 3 steps",
        "my model saw 2 melodies with notes moved by octaves into its range",
    ]


def test_json_holds_all_and_nothing_that_is_no_number() -> None:
    report = made()
    written = json.loads(json.dumps(to_json(report), allow_nan=False))
    assert written["best"] == "my model"
    assert written["interval"] == {"level": 0.95, "num_resamples": 200, "seed": 0}
    assert written["num_predicted_steps"] == 3
    assert written["input"]["source"] == "tunes"
    assert written["input"]["skipped"] == [{"file": "d.mid", "kind": "file", "reason": "is no MIDI"}]
    assert written["input"]["extraction"]["min_bars"] == 0
    assert written["ngram_training"]["melodies"] == 1
    guess, sure = written["models"]
    assert (guess["name"], guess["kind"], guess["order"]) == ("n-gram, order 3", "n-gram", 3)
    assert (sure["parameters"], sure["bits"], sure["perplexity"]) == (7, 2, 4)
    assert sure["interval"] == {"low": 1.5, "high": 3}
    assert sure["accuracy"] == 0.666667
    assert sure["bar_bits"] == [2, 2, *[None] * 14]
    assert written["melodies"][0] == {
        "file": "a.mid",
        "start_step": 0,
        "steps_per_bar": 2,
        "num_predicted_steps": 2,
        "bits": {"n-gram, order 3": 3, "my model": 1.5},
    }
    assert written["melodies"][2]["bits"] == {"n-gram, order 3": None, "my model": None}


def test_steps_of_one_kind_only(tmp_path: Path) -> None:
    melodies = [found("a", Melody([60, 62, 64]))]
    scores = EventScores(np.array([1.0, 1.0]), np.array([True, True]))
    steps = PredictedSteps.of([one.melody for one in melodies])
    report = make_report(
        Melodies("a", ExtractionSettings(), 1, melodies=melodies),
        steps,
        [Contender("a", "model", scores)],
        num_resamples=3,
    )
    assert math.isnan(report.figures[0].no_event_accuracy)
    assert table_rows(report)[1][8] == ""
    assert to_json(report)["models"][0]["no_event_accuracy"] is None


def test_a_seed_gives_the_same_resamples() -> None:
    totals = np.random.default_rng(0).random((2, 30))
    first = resampled_ratios(totals, np.ones(30), 50, seed=1)
    np.testing.assert_array_equal(first, resampled_ratios(totals, np.ones(30), 50, seed=1))
    assert (first != resampled_ratios(totals, np.ones(30), 50, seed=2)).any()


def test_two_melodies_by_hand() -> None:
    # Both drawn, or one of them twice: (1 + 9) / (1 + 3), 1 / 1 or 9 / 3.
    ratios = resampled_ratios([[1, 9]], [1, 3], 2000, seed=0)[:, 0]
    values, counts = np.unique(ratios, return_counts=True)
    assert values.tolist() == [1, 2.5, 3]
    np.testing.assert_allclose(counts / 2000, [0.25, 0.5, 0.25], atol=0.05)
    assert percentile_interval(ratios) == Interval(1, 3)


def test_each_total_may_have_sizes_of_its_own() -> None:
    totals, sizes = [[1, 9], [1, 0]], [[1, 3], [2, 0]]
    ratios = resampled_ratios(totals, sizes, 200, seed=0)
    np.testing.assert_array_equal(ratios[:, 0], resampled_ratios([totals[0]], sizes[0], 200, seed=0)[:, 0])
    # Where the second melody is drawn twice there is nothing to divide by.
    assert np.unique(ratios[:, 1], equal_nan=True).tolist() == pytest.approx([0.5, math.nan], nan_ok=True)


def test_models_are_compared_on_the_same_melodies() -> None:
    totals = np.random.default_rng(0).random(20)
    ratios = resampled_ratios([totals, totals + 0.5], np.ones(20), 100, seed=0)
    np.testing.assert_allclose(ratios[:, 1] - ratios[:, 0], 0.5)
    assert np.ptp(ratios[:, 0]) > 0.05


def test_the_interval_of_a_mean_is_as_wide_as_theory_says() -> None:
    # The standard error of the mean of 400 uniform numbers is sqrt(1/12 / 400); 1.96 of them to either side.
    totals = np.random.default_rng(3).random(400)
    interval = percentile_interval(resampled_ratios([totals], np.ones(400), 2000, seed=0)[:, 0])
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * (1 / 12 / 400) ** 0.5, rel=0.1)
    assert interval.low < totals.mean() < interval.high


def test_percentiles_leave_out_resamples_of_nothing() -> None:
    ratios = resampled_ratios([[0, 2]], [0, 1], 100, seed=0)[:, 0]
    assert np.isnan(ratios).any()
    assert percentile_interval(ratios) == Interval(2, 2)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(SettingsError, match="num_resamples must be 1 to 1,000,000, not 0"):
        resampled_ratios([[1]], [1], 0, seed=0)
    with pytest.raises(SettingsError, match="seed must be at least 0, not -1"):
        resampled_ratios([[1]], [1], 1, seed=-1)
