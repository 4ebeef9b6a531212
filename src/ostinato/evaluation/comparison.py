"""Generated melodies beside melodies by people: what each set is like, how alike they are, and what was copied."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.errors import DataError
from ostinato.evaluation.statistics import (
    FEATURES,
    LENGTH_CLASSES,
    Features,
    Similarity,
    between_halves,
    between_sets,
    copied_ngrams,
    copied_runs,
    distances,
    longest_run,
    notes_in_key,
    notes_of,
    pooled,
    repeated_bars,
    repeated_notes,
)
from ostinato.music.melody import NOTES_PER_OCTAVE, Melody

NGRAM_SIZES = (4, 8, 12)
MOST_POINTS_APART = 5.0
"""How many percentage points the generated share of repeated bars may differ from people's."""

NamedMelody = tuple[str, Melody]

_MIN_NOTES = 2  # for an interval
_MIN_GENERATED, _MIN_HUMAN = 2, 4  # for distances between them, and within each half of the human ones
_REPEATS = {1: "bars equal to the bar before", 2: "bars equal to the bar two before"}
_LONGEST_95, _LONGEST = "longest copied run, 95th percentile", "longest copied run, maximum"
_UNITS = {"pitch range": "semitones", "mean interval": "semitones", "mean inter-onset interval": "steps"}

_NO_NUMBER = "-"
_MOST_BAR_LENGTHS = 3
_AS_LONG = 0.9  # of the generated median is about as long
_MATRIX_WIDTHS = {"pitch-class transitions": NOTES_PER_OCTAVE, "note-length transitions": LENGTH_CLASSES}


@dataclass(frozen=True, slots=True)
class MelodySet:
    """A set of melodies in short.

    Attributes:
        melodies: how many.
        too_few_notes: how many more were left out, for they have no two notes.
        notes: in all.
        median_steps: of the lengths in 16th notes.
        bar_lengths: how many melodies have bars of each length in 16th notes, the most frequent first.
    """

    melodies: int
    too_few_notes: int
    notes: int
    median_steps: float
    bar_lengths: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the generated melodies and of people's.

    Attributes:
        name: what it is.
        unit: `%`, `semitones`, `steps`, `pairs`, or nothing for a count.
        generated: of the generated melodies.
        human: of people's, cut as long as the generated ones where that was asked for.
        human_whole: of people's as they are.
    """

    name: str
    unit: str
    generated: float
    human: float
    human_whole: float

    @property
    def difference(self) -> float:
        """What the generated melodies have more."""
        return self.generated - self.human


@dataclass(frozen=True, slots=True, eq=False)
class FeatureComparison:
    """A feature of MGEval in both sets.

    Attributes:
        name: as in `FEATURES`.
        generated_mean: its mean over the generated melodies, [D].
        human_mean: over people's, [D].
        generated: how alike the sets are: the distances within people's, and from the generated ones to them.
        human_halves: how alike two random halves of people's melodies are.
    """

    name: str
    generated_mean: NDArray[np.float64]
    human_mean: NDArray[np.float64]
    generated: Similarity
    human_halves: Similarity


@dataclass(frozen=True, slots=True)
class Target:
    """What a set of generated melodies should reach.

    Attributes:
        name: the figure it is about, and the bound.
        generated: the figure.
        human: what it is measured by.
        unit: of both.
        met: whether it is reached.
    """

    name: str
    generated: float
    human: float
    unit: str
    met: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that `compare` finds.

    Attributes:
        cut_steps: what people's melodies were cut to, or None.
        sets: the generated melodies, people's, people's as they are, and the training set, by name.
        figures: in the order to show them.
        features: in the order of `FEATURES`.
        generated_runs: name and longest copied run, in pairs, of each generated melody, the longest first.
        human_runs: the longest copied run of each of people's melodies, the longest first.
        targets: and whether they are reached.
    """

    cut_steps: int | None
    sets: Mapping[str, MelodySet]
    figures: tuple[Figure, ...]
    features: tuple[FeatureComparison, ...]
    generated_runs: tuple[tuple[str, int], ...]
    human_runs: tuple[int, ...]
    targets: tuple[Target, ...]


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


def compare(
    generated: Sequence[NamedMelody],
    human: Sequence[NamedMelody],
    training: Sequence[NamedMelody],
    *,
    cut: bool = True,
    seed: int = 0,
) -> Comparison:
    """Compare generated melodies with melodies by people that the model was not trained on.

    Melodies with fewer than two notes are counted and left out.

    Args:
        generated: what to judge, at least 2, by name.
        human: what to judge it by, at least 4.
        training: what the model was trained on, to tell what was copied.
        cut: cut people's melodies to the median length of the generated ones, for a longer melody has more notes, and
            longer copied runs by chance alone.
        seed: of the halves that people's melodies are split into.

    Raises:
        DataError: if there are too few melodies.
    """
    made = _with_notes([melody for _, melody in generated])
    if len(made) < _MIN_GENERATED:
        raise DataError(
            f"{len(made)} of {len(generated)} generated melodies have {_MIN_NOTES} notes or more; "
            f"at least {_MIN_GENERATED} are needed"
        )
    cut_steps = int(np.median([len(melody) for melody in made])) if cut else None
    whole = _with_notes([melody for _, melody in human])
    people = _with_notes([_cut(melody, cut_steps) for _, melody in human])
    if len(people) < _MIN_HUMAN:
        where = "" if cut_steps is None else f" in their first {cut_steps} steps"
        raise DataError(
            f"{len(people)} of {len(human)} melodies by people have {_MIN_NOTES} notes or more{where}; "
            f"at least {_MIN_HUMAN} are needed"
        )
    known = [melody for _, melody in training]
    runs = copied_runs([*made, *people, *whole], known)
    made_runs, people_runs = runs[: len(made)], runs[len(made) : len(made) + len(people)]
    whole_runs = runs[len(made) + len(people) :]

    made_features, people_features = _features(made), _features(people)
    features = tuple(
        _compared(name, made_features[name], people_features[name], np.random.default_rng(seed)) for name in FEATURES
    )
    measured = [
        {**_scalars(made_features), **_shares(made, made_runs)},
        {**_scalars(people_features), **_shares(people, people_runs)},
        {**_scalars(_features(whole)), **_shares(whole, whole_runs)},
    ]
    figures = tuple(
        Figure(name, unit, value, measured[1][name][1], measured[2][name][1])
        for name, (unit, value) in measured[0].items()
    )
    names = [name for name, melody in generated if _has_notes(melody)]
    longest = zip(names, map(longest_run, made_runs), strict=True)
    return Comparison(
        cut_steps,
        {
            "generated": _summary(made, len(generated)),
            "human": _summary(people, len(human)),
            "human, whole": _summary(whole, len(human)),
            "training": _summary(known, len(known)),
        },
        figures,
        features,
        tuple(sorted(longest, key=lambda run: -run[1])),
        tuple(sorted(map(longest_run, people_runs), reverse=True)),
        _targets({figure.name: figure for figure in figures}),
    )


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


def _has_notes(melody: Melody) -> bool:
    return len(melody.pitches) >= _MIN_NOTES


def _with_notes(melodies: list[Melody]) -> list[Melody]:
    return [melody for melody in melodies if _has_notes(melody)]


def _cut(melody: Melody, steps: int | None) -> Melody:
    if steps is None or len(melody) <= steps:
        return melody
    return replace(melody, events=melody.events[:steps], ends=False)


def _summary(melodies: Sequence[Melody], given: int) -> MelodySet:
    return MelodySet(
        len(melodies),
        given - len(melodies),
        sum(len(melody.pitches) for melody in melodies),
        float(np.median([len(melody) for melody in melodies])) if melodies else 0.0,
        dict(Counter(melody.steps_per_bar for melody in melodies).most_common()),
    )


def _features(melodies: Sequence[Melody]) -> dict[str, Features]:
    notes = [notes_of(melody) for melody in melodies]
    return {name: np.array([feature(each) for each in notes]) for name, feature in FEATURES.items()}


def _compared(name: str, made: Features, people: Features, rng: np.random.Generator) -> FeatureComparison:
    within_people = distances(people, people)
    return FeatureComparison(
        name,
        made.mean(axis=0),
        people.mean(axis=0),
        between_sets(within_people, distances(made, people)),
        between_halves(within_people, rng),
    )


def _scalars(features: Mapping[str, Features]) -> dict[str, tuple[str, float]]:
    """Unit and mean of the features that are one number."""
    return {
        name: (_UNITS.get(name, ""), float(vectors.mean()))
        for name, vectors in features.items()
        if vectors.shape[1] == 1
    }


def _shares(melodies: Sequence[Melody], runs: Sequence[NDArray[np.int64]]) -> dict[str, tuple[str, float]]:
    """Unit and value of what is counted over all melodies of a set."""
    shares = {name: pooled(repeated_bars(melody, ago) for melody in melodies) for ago, name in _REPEATS.items()}
    shares["notes in a row of more than 4 of one pitch"] = pooled(map(repeated_notes, melodies))
    shares["notes in the best-fitting major key"] = pooled(map(notes_in_key, melodies))
    for n in NGRAM_SIZES:
        shares[f"{n}-grams found in the training set"] = pooled(copied_ngrams(each, n) for each in runs)
    longest = [longest_run(each) for each in runs]
    median, percentile_95, maximum = np.percentile(longest, [50, 95, 100]).tolist()
    return {
        **{name: ("%", 100 * share.value) for name, share in shares.items()},
        "longest copied run, median": ("pairs", median),
        _LONGEST_95: ("pairs", percentile_95),
        _LONGEST: ("pairs", maximum),
    }


def _targets(figures: Mapping[str, Figure]) -> tuple[Target, ...]:
    repeats = [figures[name] for name in _REPEATS.values()]
    limit = figures[_LONGEST_95].human
    return (
        *(
            Target(
                f"{figure.name}: within {MOST_POINTS_APART:g} points of the human share",
                figure.generated,
                figure.human,
                figure.unit,
                abs(figure.difference) <= MOST_POINTS_APART,
            )
            for figure in repeats
        ),
        *(
            Target(
                f"{name}: no longer than the human 95th percentile",
                figures[name].generated,
                limit,
                figures[name].unit,
                figures[name].generated <= limit,
            )
            for name in (_LONGEST_95, _LONGEST)
        ),
    )


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
