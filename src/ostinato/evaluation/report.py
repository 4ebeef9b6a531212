"""The results of an evaluation: the figures of each model with their intervals, as a table and as JSON.

The intervals say how far a figure would move with other melodies. As many
melodies are drawn as there are, each draw from all of them; the figure of each
such resample is a ratio of sums. What is between the percentiles of many
resamples is the percentile interval (Efron and Tibshirani, "An Introduction to
the Bootstrap", 1993, chapter 13). Steps of one melody depend on each other, so
melodies are drawn and not steps.

Shapes: K models, M melodies, N predicted steps, R resamples.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ostinato.dataset.melodies import Melodies
from ostinato.dataset.report import counted, off_grid_words
from ostinato.errors import SettingsError
from ostinato.evaluation.likelihood import EventScores, PredictedSteps

LEVEL = 0.95
NUM_BARS = 16
"""This many bars are reported one by one; fewer and fewer melodies have later ones."""

_DIGITS = 6  # of the figures in JSON: more would differ from machine to machine


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a figure of other such melodies is likely to lie.

    Attributes:
        low: lower end.
        high: upper end.
    """

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Contender:
    """A model and what it predicted for the melodies.

    Attributes:
        name: what tables call it.
        kind: "model", "ensemble" or "n-gram".
        scores: for the predicted steps.
        order: of an n-gram model.
        about: what else the JSON says about it: JSON values.
    """

    name: str
    kind: str
    scores: EventScores
    order: int | None = None
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Figures:
    """How well a model predicts. Shares are NaN if there is no step of their kind.

    Attributes:
        bits: negative log-likelihood, bits per step.
        interval: for the bits, over melodies.
        above_best: how many more bits than the best model's.
        above_best_interval: for that, with both models on the same melodies.
        accuracy: share of steps whose event was the most probable.
        event_accuracy: the same over steps with something other than no event.
        no_event_accuracy: the same over the others.
        class_nats: cross entropy over the model's own classes, nats per step, if it has classes.
        num_folded: melodies that it saw with notes moved by octaves.
        end_bits: what the end costs, bits a melody that ends, where it is foretold.
    """

    bits: float
    interval: Interval
    above_best: float
    above_best_interval: Interval
    accuracy: float
    event_accuracy: float
    no_event_accuracy: float
    class_nats: float | None
    num_folded: int
    end_bits: float | None

    @property
    def perplexity(self) -> float:
        """2 ** bits: the number of equally probable events among which it might as well guess."""
        return math.exp2(self.bits)


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """An evaluation of some models on the same melodies.

    Attributes:
        sources: the melodies.
        steps: their predicted steps.
        contenders: the models.
        figures: of each.
        num_resamples: for the intervals.
        seed: for the resamples.
        ngram_training: what the n-gram models counted, if there are any.
    """

    sources: Melodies
    steps: PredictedSteps
    contenders: Sequence[Contender]
    figures: Sequence[Figures]
    num_resamples: int
    seed: int
    ngram_training: Melodies | None

    @property
    def best(self) -> int:
        """Place of the model of the fewest bits."""
        return _best(self.contenders)

    def melody_bits(self, place: int) -> NDArray[np.float64]:
        """[M]: bits per step of each melody by the model at `place`; NaN where nothing is predicted."""
        with np.errstate(invalid="ignore"):
            ratios: NDArray[np.float64] = _sums(self.contenders[place].scores.bits, self.steps) / self.steps.of_melody
        return ratios

    def bar_bits(self, place: int) -> list[float]:
        """Bits per step in each of the first bars by the model at `place`, over melodies that have it; else NaN."""
        counts = np.bincount(self.steps.bar, minlength=NUM_BARS)[:NUM_BARS]
        totals = np.bincount(self.steps.bar, self.contenders[place].scores.bits, minlength=NUM_BARS)[:NUM_BARS]
        return [_share(total, count) for total, count in zip(totals.tolist(), counts.tolist(), strict=True)]


def make_report(
    sources: Melodies,
    steps: PredictedSteps,
    contenders: Sequence[Contender],
    *,
    num_resamples: int = 1000,
    seed: int = 0,
    ngram_training: Melodies | None = None,
) -> Report:
    """Sum up what models predicted for the same melodies.

    Args:
        sources: the melodies.
        steps: their predicted steps.
        contenders: at least one.
        num_resamples: of the melodies, for the intervals.
        seed: for these.
        ngram_training: what the n-gram models among the contenders counted.

    Raises:
        SettingsError: if the number of resamples is below 1 or above 1,000,000, or the seed below 0.
    """
    totals = [_sums(contender.scores.bits, steps) for contender in contenders]
    resampled = resampled_ratios(totals, steps.of_melody, num_resamples, seed)
    best = _best(contenders)
    figures = []
    for place, contender in enumerate(contenders):
        scores = contender.scores
        figures.append(
            Figures(
                bits=_mean(scores.bits),
                interval=percentile_interval(resampled[:, place]),
                above_best=_mean(scores.bits) - _mean(contenders[best].scores.bits),
                above_best_interval=percentile_interval(resampled[:, place] - resampled[:, best]),
                accuracy=_mean(scores.hits),
                event_accuracy=_mean(scores.hits[steps.is_event]),
                no_event_accuracy=_mean(scores.hits[~steps.is_event]),
                class_nats=scores.class_nats,
                num_folded=scores.num_folded,
                end_bits=scores.end_bits,
            )
        )
    return Report(sources, steps, contenders, figures, num_resamples, seed, ngram_training)


MAX_RESAMPLES = 1_000_000
"""More take minutes and make the ends of an interval no surer than the melodies do."""


def resampled_ratios(totals: ArrayLike, sizes: ArrayLike, num_resamples: int, seed: int) -> NDArray[np.float64]:
    """Sum of totals over sum of sizes, of resampled melodies: the same melodies for each model.

    Args:
        totals: [K, M], what is summed up, such as bits.
        sizes: [M] or [K, M], such as steps; not negative.
        num_resamples: R.
        seed: decides which melodies are drawn.

    Returns:
        [R, K]; NaN where only melodies of no size were drawn.

    Raises:
        SettingsError: if the number of resamples is below 1 or above 1,000,000, or the seed below 0.
    """
    if not 1 <= num_resamples <= MAX_RESAMPLES:
        raise SettingsError(f"num_resamples must be 1 to {MAX_RESAMPLES:,}, not {num_resamples:,}")
    if seed < 0:
        raise SettingsError(f"seed must be at least 0, not {seed}")
    columns = np.vstack([np.asarray(totals, np.float64), np.asarray(sizes, np.float64)]).T
    num_totals = len(np.atleast_2d(totals))
    generator = np.random.default_rng(seed)
    num_melodies = len(columns)
    sums = np.empty((num_resamples, columns.shape[1]))
    for resample in range(num_resamples):
        drawn = generator.integers(num_melodies, size=num_melodies)
        sums[resample] = np.bincount(drawn, minlength=num_melodies) @ columns
    with np.errstate(invalid="ignore"):
        ratios: NDArray[np.float64] = sums[:, :num_totals] / sums[:, num_totals:]
    return ratios


def percentile_interval(values: NDArray[np.float64]) -> Interval:
    """The middle `LEVEL` of resampled values [R], NaN left out."""
    low, high = np.nanquantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))


def summary(report: Report) -> list[str]:
    """What the models were measured on, one sentence per line."""
    sources = report.sources
    lines = [
        f"{sources.source}: {counted(len(sources.melodies), 'melody', 'melodies')} in "
        f"{counted(sources.files, sources.unit)}, "
        f"{len(report.steps.melody):,} steps predicted"
    ]
    if off_grid := off_grid_words(sources.rhythm):
        lines.append(off_grid)
    if left_out := sources.left_out():
        lines.append(f"Left out: {'; '.join(left_out)}")
    if report.ngram_training is not None:
        training = report.ngram_training
        lines.append(
            f"n-gram models learned from {training.source}: "
            f"{counted(len(training.melodies), 'melody', 'melodies')}, "
            f"{sum(len(found.melody) for found in training.melodies):,} steps"
        )
    lines += [
        f"{contender.name} saw {contender.scores.num_folded:,} melodies with notes moved by octaves into its range"
        for contender in report.contenders
        if contender.scores.num_folded
    ]
    lines += [
        f"{contender.name} predicts where a melody ends, which takes {contender.scores.end_bits:.1f} bits a melody more"
        for contender in report.contenders
        if contender.scores.end_bits is not None
    ]
    return lines


def table_rows(report: Report) -> list[list[str]]:
    """The figures as text, one row per model below a row of headings."""
    interval = f"{LEVEL:.0%} interval"
    figures_told = ["perplexity", "accuracy", "events", "no events", "class loss"]
    rows = [["model", "bits/step", interval, "above the best", interval, *figures_told]]
    for place, (contender, figures) in enumerate(zip(report.contenders, report.figures, strict=True)):
        is_best = place == report.best
        rows.append(
            [
                contender.name,
                f"{figures.bits:.3f}",
                _range(figures.interval),
                "best" if is_best else f"{figures.above_best:+.3f}",
                "" if is_best else _range(figures.above_best_interval),
                f"{figures.perplexity:.3f}",
                _percent(figures.accuracy),
                _percent(figures.event_accuracy),
                _percent(figures.no_event_accuracy),
                "" if figures.class_nats is None else f"{figures.class_nats:.4f}",
            ]
        )
    return rows


def to_json(report: Report) -> dict[str, Any]:
    """All figures as JSON values, with the settings that reproduce them and the bits of each melody."""
    sources, training = report.sources, report.ngram_training
    melody_bits = [_rounded(report.melody_bits(place).tolist()) for place in range(len(report.contenders))]
    of_melody = report.steps.of_melody.tolist()
    return {
        "unit": "bits per 16th step, of events from the second on",
        "interval": {"level": LEVEL, "num_resamples": report.num_resamples, "seed": report.seed},
        "input": _source_json(sources),
        "ngram_training": None if training is None else _source_json(training),
        "num_predicted_steps": len(report.steps.melody),
        "best": report.contenders[report.best].name,
        "models": [
            {
                "name": contender.name,
                "kind": contender.kind,
                **({} if contender.order is None else {"order": contender.order}),
                **contender.about,
                "perplexity": _rounded(figures.perplexity),
                **_rounded(asdict(figures)),
                "bar_bits": _rounded(report.bar_bits(place)),
            }
            for place, (contender, figures) in enumerate(zip(report.contenders, report.figures, strict=True))
        ],
        "melodies": [
            {
                "file": found.filename,
                "start_step": found.melody.start_step,
                "steps_per_bar": found.melody.steps_per_bar,
                "num_predicted_steps": num_steps,
                "bits": {
                    contender.name: bits[place] for contender, bits in zip(report.contenders, melody_bits, strict=True)
                },
            }
            for place, (found, num_steps) in enumerate(zip(sources.melodies, of_melody, strict=True))
        ],
    }


def _source_json(sources: Melodies) -> dict[str, Any]:
    return {**sources.to_json(), "extraction": asdict(sources.settings)}


def _best(contenders: Sequence[Contender]) -> int:
    return min(range(len(contenders)), key=lambda place: _mean(contenders[place].scores.bits))


def _sums(values: NDArray[np.float64], steps: PredictedSteps) -> NDArray[np.float64]:
    """[M]: the sum of values [N] over each melody's steps."""
    return np.bincount(steps.melody, values, minlength=steps.num_melodies).astype(np.float64, copy=False)


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean()) if len(values) else math.nan


def _share(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def _range(interval: Interval) -> str:
    return f"{interval.low:.3f} to {interval.high:.3f}"


def _percent(share: float) -> str:
    return "" if math.isnan(share) else f"{share:.1%}"


def _rounded(value: Any) -> Any:
    """JSON values with their numbers rounded to what is the same everywhere; NaN becomes null."""
    if isinstance(value, float):
        return round(value, _DIGITS) if math.isfinite(value) else None
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    return value
