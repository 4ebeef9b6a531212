"""Generated melodies compared with human ones: what each set is like, how alike they are, and what was copied."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ostinato.errors import DataError
from ostinato.evaluation.form import (
    ENDINGS,
    RETURNS,
    WANDERING,
    FormFigure,
    Onsets,
    bars_of,
    by_melody,
    compare_forms,
    compare_onsets,
    form_of,
)
from ostinato.evaluation.statistics import (
    FEATURES,
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
from ostinato.music.melody import Melody
from ostinato.music.meter import Meter

NGRAM_SIZES = (4, 8, 12)
MOST_POINTS_APART = 5.0
"""By how many percentage points the generated share of repeated bars may differ from the human one. At most this many
points fewer melodies may end as human ones do, and this many more may wander."""
MOST_RETURNS_APART = 6.0
"""The same for the bars that come back after 4 or 8. Two sets of 200 human tunes differ less; no returns at all are 16
points or more too few (benchmarks/targets.py)."""
MOST_ONSETS_APART = 6.0
"""How many percentage points of the onsets of a meter may be on other steps than human ones. If there are few tunes,
even human ones differ more from each other, so as many as the human interval allows are fine too."""

NamedMelody = tuple[str, Melody]

_RETURNS_ASKED = (4, 8)
_MIN_NOTES = 2  # for an interval
_MIN_GENERATED, _MIN_HUMAN = 2, 4  # for distances between them, and within each half of the human ones
_REPEATS = {1: "bars equal to the bar before", 2: "bars equal to the bar two before"}
_LONGEST_95, _LONGEST = "longest copied run, 95th percentile", "longest copied run, maximum"
_UNITS = {"pitch range": "semitones", "mean interval": "semitones", "mean inter-onset interval": "steps"}


@dataclass(frozen=True, slots=True)
class MelodySet:
    """A summary of a set of melodies.

    Attributes:
        melodies: how many.
        too_few_notes: how many more were left out, since they have fewer than two notes.
        notes: in total.
        median_steps: median length in 16th notes.
        bar_lengths: how many melodies have bars of each length in 16th notes, the most frequent first.
    """

    melodies: int
    too_few_notes: int
    notes: int
    median_steps: float
    bar_lengths: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure, for the generated and for the human melodies.

    Attributes:
        name: what it is.
        unit: `%`, `semitones`, `steps`, `pairs`, or nothing for a count.
        generated: for the generated melodies.
        human: for the human ones, cut to the length of the generated ones if that was asked for.
        human_whole: for the human ones as they are.
    """

    name: str
    unit: str
    generated: float
    human: float
    human_whole: float

    @property
    def difference(self) -> float:
        """How much more the generated melodies have."""
        return self.generated - self.human


@dataclass(frozen=True, slots=True, eq=False)
class FeatureComparison:
    """A feature of MGEval in both sets.

    Attributes:
        name: as in `FEATURES`.
        generated_mean: its mean over the generated melodies, [D].
        human_mean: its mean over the human ones, [D].
        generated: how alike the sets are: the distances within the human set, and from the generated one to it.
        human_halves: how alike two random halves of the human melodies are.
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
        human: what it is compared with.
        unit: of both.
        met: whether the target is met.
    """

    name: str
    generated: float
    human: float
    unit: str
    met: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that `compare` finds.

    Attributes:
        cut_steps: what the human melodies were cut to, or None.
        cut_bars: in how many of their bars returns were looked for, or None for all.
        sets: the generated melodies, the human ones, the human ones as they are, and the training set, by name.
        figures: in the order to show them.
        form: how melodies end, where they come to rest and what comes back, in the order to show them.
        onsets: for the meters that enough melodies of both sets have, the most frequent first.
        other_meters: how many generated and how many human melodies there are in each other meter.
        features: in the order of `FEATURES`, then how many bars come back.
        generated_runs: name and longest copied run, in pairs, of each generated melody, the longest first.
        human_runs: the longest copied run of each human melody, the longest first.
        targets: and whether they are met.
    """

    cut_steps: int | None
    cut_bars: int | None
    sets: Mapping[str, MelodySet]
    figures: tuple[Figure, ...]
    form: tuple[FormFigure, ...]
    onsets: tuple[Onsets, ...]
    other_meters: Mapping[Meter, tuple[int, int]]
    features: tuple[FeatureComparison, ...]
    generated_runs: tuple[tuple[str, int], ...]
    human_runs: tuple[int, ...]
    targets: tuple[Target, ...]


def compare(
    generated: Sequence[NamedMelody],
    human: Sequence[NamedMelody],
    training: Sequence[NamedMelody],
    *,
    cut: bool = True,
    seed: int = 0,
) -> Comparison:
    """Compare generated melodies with human ones that the model was not trained on.

    Melodies with fewer than two notes are counted and left out.

    Args:
        generated: what to judge, at least 2, by name.
        human: what to compare them with, at least 4.
        training: what the model was trained on, to find out what was copied.
        cut: cut the human melodies to the median length of the generated ones, since a longer melody has more notes,
            and longer copied runs by chance alone.
        seed: for the halves that the human melodies are split into, and for the intervals.

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
            f"{len(people)} of {len(human)} human melodies have {_MIN_NOTES} notes or more{where}; "
            f"at least {_MIN_HUMAN} are needed"
        )
    known = [melody for _, melody in training]
    runs = copied_runs([*made, *people, *whole], known)
    made_runs, people_runs = runs[: len(made)], runs[len(made) : len(made) + len(people)]
    whole_runs = runs[len(made) + len(people) :]

    made_features, people_features = _features(made), _features(people)
    cut_bars = int(np.median([len(bars_of(melody)) for melody in made])) if cut else None
    # How melodies end and what comes back is asked of whole tunes, by their own bars.
    made_form, people_form = form_of(made, cut_bars, all_end=True), form_of(whole, cut_bars)
    form = compare_forms(made_form, people_form, seed)
    onsets, other_meters = compare_onsets(made, whole, seed)
    compared = [(name, made_features[name], people_features[name]) for name in FEATURES]
    compared += [(name, by_melody(made_form[name]), by_melody(people_form[name])) for name in RETURNS.values()]
    features = tuple(_compared(*feature, np.random.default_rng(seed)) for feature in compared)
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
        cut_bars,
        {
            "generated": _summary(made, len(generated)),
            "human": _summary(people, len(human)),
            "human, whole": _summary(whole, len(human)),
            "training": _summary(known, len(known)),
        },
        figures,
        form,
        onsets,
        other_meters,
        features,
        tuple(sorted(longest, key=lambda run: -run[1])),
        tuple(sorted(map(longest_run, people_runs), reverse=True)),
        (*_targets({figure.name: figure for figure in figures}), *form_targets(form, onsets)),
    )


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
    if len(made) < _MIN_GENERATED or len(people) < _MIN_HUMAN:
        unknown, unlike = np.full(made.shape[1], math.nan), Similarity(math.nan, math.nan)
        return FeatureComparison(name, unknown, unknown, unlike, unlike)
    within_people = distances(people, people)
    return FeatureComparison(
        name,
        made.mean(axis=0),
        people.mean(axis=0),
        between_sets(within_people, distances(made, people)),
        between_halves(within_people, rng),
    )


def _scalars(features: Mapping[str, Features]) -> dict[str, tuple[str, float]]:
    """Unit and mean of the features that are a single number."""
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


def form_targets(figures: Sequence[FormFigure], onsets: Sequence[Onsets]) -> Iterable[Target]:
    """What generated melodies should reach in form.

    Args:
        figures: as `compare_forms` gives them.
        onsets: as `compare_onsets` gives them.
    """
    asked: dict[str, tuple[str, Callable[[float], bool]]] = {
        **{
            name: (
                f"no more than {MOST_POINTS_APART:g} points below the human share",
                lambda more: more >= -MOST_POINTS_APART,
            )
            for name in ENDINGS
        },
        **{
            RETURNS[ago]: (
                f"within {MOST_RETURNS_APART:g} points of the human share",
                lambda more: abs(more) <= MOST_RETURNS_APART,
            )
            for ago in _RETURNS_ASKED
        },
        WANDERING: (
            f"no more than {MOST_POINTS_APART:g} points above the human share",
            lambda more: more <= MOST_POINTS_APART,
        ),
    }
    for figure in figures:
        if figure.name in asked:
            bound, is_met = asked[figure.name]
            name = f"{figure.name}: {bound}"
            yield Target(name, figure.generated, figure.human, "%", is_met(figure.difference))
    for meter in onsets:
        apart, human_apart = 100 * meter.apart, 100 * meter.human_apart.high
        name = f"onsets in {meter.meter}: at most {MOST_ONSETS_APART:g} points apart, or as far as human ones"
        yield Target(name, apart, human_apart, "%", apart <= max(MOST_ONSETS_APART, human_apart))
