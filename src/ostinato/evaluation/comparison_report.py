"""The results of a comparison: tables, for a terminal or a page, and JSON."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ostinato.evaluation.comparison import Comparison, MelodySet, Target
from ostinato.evaluation.form import MIN_OF_METER, Onsets
from ostinato.evaluation.report import LEVEL, Interval
from ostinato.evaluation.statistics import LENGTH_CLASSES, Similarity
from ostinato.music.melody import NOTES_PER_OCTAVE

_LEVEL = f"{LEVEL:.0%} interval"
_NO_NUMBER = "-"
_MOST_BAR_LENGTHS = 3
_AS_LONG = 0.9  # of the generated median is about as long
_MATRIX_WIDTHS = {"pitch-class transitions": NOTES_PER_OCTAVE, "note-length transitions": LENGTH_CLASSES}


@dataclass(frozen=True, slots=True)
class Table:
    """A table to print or to put on a page.

    Attributes:
        title: what it is about.
        note: a sentence on how to read it, or nothing.
        header: of the columns; the first column has the names of the rows and needs none.
        rows: each as long as the header.
    """

    title: str
    note: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(comparison: Comparison) -> tuple[Table, ...]:
    """Everything that a comparison found, in tables."""
    human = "human" if comparison.cut_steps is None else f"human, cut to {comparison.cut_steps} steps"
    columns = ["human, whole"] if comparison.cut_steps is not None else []
    return (
        Table(
            "Sets",
            _sets_note(comparison),
            ("", "melodies", "left out", "notes", "median steps", "steps of a bar"),
            tuple(
                _set_row(human if name == "human" else name, each)
                for name, each in comparison.sets.items()
                if comparison.cut_steps is not None or name != "human, whole"
            ),
        ),
        Table(
            "Figures",
            "Means over melodies, shares of all bars, notes or n-grams of a set, and runs of (interval, duration) "
            "pairs that also occur in the training set.",
            ("", "generated", human, "difference", *columns),
            tuple(
                (
                    f"{figure.name} [{figure.unit}]" if figure.unit else figure.name,
                    number(figure.generated),
                    number(figure.human),
                    number(figure.difference, signed=True),
                    *[number(figure.human_whole) for _ in columns],
                )
                for figure in comparison.figures
            ),
        ),
        Table(
            "Endings, cadences and returns",
            _form_note(comparison),
            ("", "generated", "human", _LEVEL, "difference", "melodies"),
            tuple(
                (
                    f"{figure.name} [%]",
                    number(figure.generated),
                    number(figure.human),
                    _range(figure.interval),
                    number(figure.difference, signed=True),
                    f"{figure.generated_melodies:,}, {figure.human_melodies:,}",
                )
                for figure in comparison.form
            ),
        ),
        Table(
            "Where in the bar notes start",
            _onsets_note(comparison),
            ("", "apart [%]", "human, " + _LEVEL, "most at 16th", "generated [%]", "human [%]", _LEVEL, "melodies"),
            tuple(map(_onsets_row, comparison.onsets)),
        ),
        Table(
            "Likeness of the sets, feature by feature",
            "Overlap is 1 for sets that are alike, divergence (in nats) 0. Next to each is what two random halves of "
            "the human melodies score against each other.",
            ("", "overlap", "of human halves", "divergence", "of human halves"),
            tuple(
                (
                    feature.name,
                    *(
                        _NO_NUMBER if math.isnan(value) else f"{value:.3f}"
                        for value in (
                            feature.generated.overlap,
                            feature.human_halves.overlap,
                            feature.generated.divergence,
                            feature.human_halves.divergence,
                        )
                    ),
                )
                for feature in comparison.features
            ),
        ),
        Table(
            "Targets",
            "",
            ("", "generated", "human", "verdict"),
            tuple(
                (_target_name(target), number(target.generated), number(target.human), verdict(target))
                for target in comparison.targets
            ),
        ),
    )


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Everything that a comparison found, for `json.dump`; values that are not numbers are null."""
    return {
        "cut_steps": comparison.cut_steps,
        "cut_bars": comparison.cut_bars,
        "sets": {
            name: {
                "melodies": each.melodies,
                "too_few_notes": each.too_few_notes,
                "notes": each.notes,
                "median_steps": each.median_steps,
                "bar_lengths": {str(steps): count for steps, count in each.bar_lengths.items()},
            }
            for name, each in comparison.sets.items()
        },
        "figures": {
            figure.name: {
                "unit": figure.unit,
                "generated": _or_null(figure.generated),
                "human": _or_null(figure.human),
                "difference": _or_null(figure.difference),
                "human_whole": _or_null(figure.human_whole),
            }
            for figure in comparison.figures
        },
        "form": {
            figure.name: {
                "unit": "%",
                "generated": _or_null(figure.generated),
                "human": _or_null(figure.human),
                "human_interval": [_or_null(figure.interval.low), _or_null(figure.interval.high)],
                "difference": _or_null(figure.difference),
                "generated_melodies": figure.generated_melodies,
                "human_melodies": figure.human_melodies,
            }
            for figure in comparison.form
        },
        "onsets": {
            str(onsets.meter): {
                "generated_melodies": onsets.generated_melodies,
                "human_melodies": onsets.human_melodies,
                "generated": onsets.generated.tolist(),
                "human": onsets.human.tolist(),
                "human_intervals": np.stack([onsets.low, onsets.high], axis=1).tolist(),
                "apart": onsets.apart,
                "human_apart_interval": [onsets.human_apart.low, onsets.human_apart.high],
            }
            for onsets in comparison.onsets
        },
        "other_meters": {
            str(meter): {"generated_melodies": made, "human_melodies": people}
            for meter, (made, people) in comparison.other_meters.items()
        },
        "features": {
            feature.name: {
                "generated": _similarity(feature.generated),
                "human_halves": _similarity(feature.human_halves),
                "generated_mean": _rows(feature.name, feature.generated_mean.tolist()),
                "human_mean": _rows(feature.name, feature.human_mean.tolist()),
            }
            for feature in comparison.features
        },
        "longest_copied_runs": {
            "generated": [{"melody": name, "pairs": run} for name, run in comparison.generated_runs],
            "human": list(comparison.human_runs),
        },
        "targets": [
            {
                "name": target.name,
                "unit": target.unit,
                "generated": _or_null(target.generated),
                "human": _or_null(target.human),
                "met": target.met,
            }
            for target in comparison.targets
        ],
    }


def number(value: float, *, signed: bool = False) -> str:
    """A figure for people to read: two decimals if it is small."""
    if math.isnan(value):
        return _NO_NUMBER
    digits = 2 if abs(value) < 100 else 1
    return f"{value:{'+' if signed else ''},.{digits}f}"


def verdict(target: Target) -> str:
    """Whether a target is met, in words."""
    return "met" if target.met else "not met"


def _target_name(target: Target) -> str:
    return f"{target.name} [{target.unit}]"


def _set_row(name: str, melodies: MelodySet) -> tuple[str, ...]:
    return (
        name,
        f"{melodies.melodies:,}",
        f"{melodies.too_few_notes:,}",
        f"{melodies.notes:,}",
        f"{melodies.median_steps:,g}",
        _bar_lengths(melodies),
    )


def _bar_lengths(melodies: MelodySet) -> str:
    shares = [f"{steps} in {count / melodies.melodies:.0%}" for steps, count in melodies.bar_lengths.items()]
    return ", ".join(shares[:_MOST_BAR_LENGTHS]) + (", ..." if len(shares) > _MOST_BAR_LENGTHS else "")


def _sets_note(comparison: Comparison) -> str:
    note = "Melodies with fewer than two notes are left out."
    generated, human = comparison.sets["generated"].median_steps, comparison.sets["human"].median_steps
    if human < _AS_LONG * generated:
        note += (
            f" The human melodies are shorter than the generated ones (medians of {human:g} and {generated:g} steps), "
            f"which have longer copied runs by chance alone: --num_steps={human:.0f} would generate melodies of "
            "the same length."
        )
    return note


def _form_note(comparison: Comparison) -> str:
    note = "A long note is a quarter note or longer; a final is C, D or A in a tune moved to C major. "
    if comparison.cut_bars is not None:
        note += f"Bars that come back are looked for in the first {comparison.cut_bars} bars. "
    return note + "The last column says how many generated and human melodies were looked at."


def _onsets_note(comparison: Comparison) -> str:
    note = (
        "The share of the onsets that would have to move to another step to make both sets alike, and the "
        "16th of the bar, counted from 1, that differs most."
    )
    if comparison.other_meters:
        others = ", ".join(
            f"{meter} ({made:,} and {people:,})" for meter, (made, people) in comparison.other_meters.items()
        )
        note += f" There are too few generated or human melodies (at least {MIN_OF_METER} are needed) in {others}."
    return note


def _onsets_row(onsets: Onsets) -> tuple[str, ...]:
    step = int(np.abs(onsets.generated - onsets.human).argmax())
    return (
        str(onsets.meter),
        number(100 * onsets.apart),
        _range(Interval(100 * onsets.human_apart.low, 100 * onsets.human_apart.high)),
        str(step + 1),
        number(100 * onsets.generated[step]),
        number(100 * onsets.human[step]),
        _range(Interval(100 * onsets.low[step], 100 * onsets.high[step])),
        f"{onsets.generated_melodies:,}, {onsets.human_melodies:,}",
    )


def _range(interval: Interval) -> str:
    return _NO_NUMBER if math.isnan(interval.low) else f"{number(interval.low)} to {number(interval.high)}"


def _similarity(similarity: Similarity) -> dict[str, float | None]:
    return {"overlap": _or_null(similarity.overlap), "divergence": _or_null(similarity.divergence)}


def _rows(name: str, values: list[float]) -> list[float] | list[list[float]] | float | None:
    """The mean of a feature as what it is: a number, a histogram or a matrix."""
    width = _MATRIX_WIDTHS.get(name)
    if width is not None:
        return [values[start : start + width] for start in range(0, len(values), width)]
    return values if len(values) > 1 else _or_null(values[0])


def _or_null(value: float) -> float | None:
    return None if math.isnan(value) else value
