"""A comparison in words: tables to read, and JSON for programs."""

import math
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from ostinato.evaluation.comparison import Comparison, MelodySet, Target
from ostinato.evaluation.mgeval import LENGTH_CLASSES, Similarity
from ostinato.music.melody import NOTES_PER_OCTAVE

_NO_NUMBER = "-"
_MOST_BAR_LENGTHS = 3
_AS_LONG = 0.9  # of the generated median is about as long
_NOTE_WIDTH = 100
_MATRIX_WIDTHS = {"pitch-class transitions": NOTES_PER_OCTAVE, "note-length transitions": LENGTH_CLASSES}


@dataclass(frozen=True, slots=True)
class Table:
    """A table to print or to put on a page.

    Attributes:
        title: what it is about.
        note: a sentence on how to read it, or nothing.
        header: of the columns; the first is the rows' names and needs none.
        rows: each as long as the header.
    """

    title: str
    note: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(comparison: Comparison) -> tuple[Table, ...]:
    """All that a comparison found, in tables."""
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
            "pairs that stand in the training set too.",
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
            "Likeness of the sets, feature by feature",
            "Overlap is 1 for sets that are alike, divergence (in nats) 0. What two random halves of the human "
            "melodies score against each other stands beside it.",
            ("", "overlap", "of human halves", "divergence", "of human halves"),
            tuple(
                (
                    feature.name,
                    f"{feature.generated.overlap:.3f}",
                    f"{feature.human_halves.overlap:.3f}",
                    f"{feature.generated.divergence:.3f}",
                    f"{feature.human_halves.divergence:.3f}",
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


def as_text(comparison: Comparison) -> str:
    """The tables, for a terminal."""
    return "\n\n".join(_table_as_text(table) for table in tables(comparison))


def as_json(comparison: Comparison) -> dict[str, Any]:
    """All that a comparison found, for `json.dump`; what is not a number is null."""
    return {
        "cut_steps": comparison.cut_steps,
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
    """A figure for people: two digits after the point where it is small."""
    if math.isnan(value):
        return _NO_NUMBER
    digits = 2 if abs(value) < 100 else 1
    return f"{value:{'+' if signed else ''},.{digits}f}"


def verdict(target: Target) -> str:
    """Whether a target is reached, in words."""
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
            f"which have longer copied runs by chance alone: --num_steps={human:.0f} would generate melodies as long."
        )
    return note


def _table_as_text(table: Table) -> str:
    lines = [table.header, *table.rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.header))]
    printed = [
        "  ".join(
            [line[0].ljust(widths[0]), *[cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]]
        )
        for line in lines
    ]
    return "\n".join([table.title, *wrap(table.note, _NOTE_WIDTH), *[f"  {line.rstrip()}" for line in printed]])


def _similarity(similarity: Similarity) -> dict[str, float]:
    return {"overlap": similarity.overlap, "divergence": similarity.divergence}


def _rows(name: str, values: list[float]) -> list[float] | list[list[float]] | float:
    """The mean of a feature as what it is: a number, a histogram or a matrix."""
    width = _MATRIX_WIDTHS.get(name)
    if width is not None:
        return [values[start : start + width] for start in range(0, len(values), width)]
    return values if len(values) > 1 else values[0]


def _or_null(value: float) -> float | None:
    return None if math.isnan(value) else value
