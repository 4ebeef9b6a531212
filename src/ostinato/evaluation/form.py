"""How a melody is built: how it ends and where it comes to rest, on which steps its notes start, which bars come back.

Bars are counted as musicians count them: if the first note starts in the
second half of the melody's first bar, that bar is an upbeat, and bar 1 comes
after it.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ostinato.evaluation.report import Interval, percentile_interval, resampled_ratios
from ostinato.evaluation.statistics import Features, Share, pooled
from ostinato.music.keys import major_key
from ostinato.music.melody import MIN_PITCH, NOTES_PER_OCTAVE, Melody
from ostinato.music.meter import STEPS_PER_QUARTER, Meter
from ostinato.music.notes import note_spans

LONG = STEPS_PER_QUARTER
"""A note of this many steps or more is long."""
LIKE = 0.75
"""A bar comes back if at least this share of the notes of the fuller bar is the same in both."""
MIN_OF_METER = 10
"""Onsets are compared in meters with this many melodies in each set; with fewer, they differ by chance."""
NUM_RESAMPLES = 1000
"""Of the human melodies, for the intervals."""

_FINALS = (0, 2, 9)  # of C major, of D dorian and of A minor, which have the same notes
_CADENCES = (4, 8, 12)  # the last bars of phrases
_WANDER_RETURNS = (4, 8)

Bar = frozenset[tuple[int, int]]
"""Step in the bar and pitch of each note that starts in it."""


def ends_long(melody: Melody) -> Share:
    """Whether the last note is long, as 1 or 0 of 1; 0 of 0 without a note. The next two count in the same way."""
    return _ending(melody, final=False)


def ends_on_final(melody: Melody) -> Share:
    """Whether the last note is a final of the mode.

    The melody is moved to C major from the major key that most of its notes
    fit, as it is for a model; finals are then C, D and A, on which tunes in
    major, dorian and minor end.
    """
    return _ending(melody, long=False)


def ends_long_on_final(melody: Melody) -> Share:
    """Whether the last note is both."""
    return _ending(melody)


def ends_bar_long(melody: Melody, bar: int) -> Share:
    """Whether the last note that starts in a bar is long.

    Args:
        melody: it counts if it goes on after the bar, and a note starts in it.
        bar: counted from 1.

    Returns:
        1 or 0 of 1; 0 of 0 if the melody does not count.
    """
    start = (bar - 1 + melody.has_upbeat) * melody.steps_per_bar
    end = start + melody.steps_per_bar
    lengths = [note_end - note for _, note, note_end in note_spans(melody) if start <= note < end]
    if not lengths or len(melody) <= end:
        return Share(0, 0)
    return Share(int(lengths[-1] >= LONG), 1)


def onsets(melody: Melody) -> NDArray[np.int64]:
    """[S]: how many notes start on each of the S steps of a bar."""
    steps = [step % melody.steps_per_bar for step, event in enumerate(melody) if event >= MIN_PITCH]
    return np.bincount(steps, minlength=melody.steps_per_bar)


def bars_of(melody: Melody) -> list[Bar]:
    """The bars from bar 1 on, including the last one if the melody ends before the bar line."""
    size = melody.steps_per_bar
    return [
        frozenset((step, event) for step, event in enumerate(melody[start : start + size]) if event >= MIN_PITCH)
        for start in range(size * melody.has_upbeat, len(melody), size)
    ]


def likeness(bar: Bar, other: Bar) -> float:
    """The share of the notes of the fuller bar that also start in the other: at the same step, with the same pitch.

    From 0 to 1, and 1 for two bars in which none starts.
    """
    return len(bar & other) / max(len(bar), len(other)) if bar or other else 1.0


def returning_bars(bars: Sequence[Bar], bars_ago: int) -> Share:
    """Of the bars in which a note starts, those that are like the bar `bars_ago` bars before.

    Args:
        bars: as `bars_of` gives them.
        bars_ago: at least 1; bars without a bar that far before them do not count.
    """
    pairs = [(bar, earlier) for bar, earlier in zip(bars[bars_ago:], bars, strict=False) if bar]
    return Share(sum(likeness(*pair) >= LIKE for pair in pairs), len(pairs))


def wanders(bars: Sequence[Bar]) -> Share:
    """Whether no bar is like the bar four or eight bars before: 1 or 0 of 1; 0 of 0 for eight bars or fewer.

    Args:
        bars: as `bars_of` gives them.
    """
    if len(bars) <= max(_WANDER_RETURNS):
        return Share(0, 0)
    return Share(int(not any(returning_bars(bars, ago).part for ago in _WANDER_RETURNS)), 1)


ENDINGS: Mapping[str, Callable[[Melody], Share]] = MappingProxyType(
    {
        "melodies that end on a long note": ends_long,
        "melodies that end on a final": ends_on_final,
        "melodies that end on a long final": ends_long_on_final,
    }
)
"""How melodies end, by name."""
RETURNS: Mapping[int, str] = MappingProxyType({ago: f"bars that come back after {ago}" for ago in (4, 8, 16)})
"""Names of the shares of bars that come back, by how many bars later: as phrases, sections and whole tunes do."""
WANDERING = "melodies that wander"
"""The name of their share."""


@dataclass(frozen=True, slots=True)
class FormFigure:
    """A share of the generated melodies or their bars, and of the human ones, in percent.

    Attributes:
        name: what it is.
        generated: for the generated melodies; NaN if none has what is counted.
        human: for the human ones.
        interval: where the share of other such human melodies would lie; NaN if there is none.
        generated_melodies: how many of them were counted.
        human_melodies: how many of the human ones.
    """

    name: str
    generated: float
    human: float
    interval: Interval
    generated_melodies: int
    human_melodies: int

    @property
    def difference(self) -> float:
        """How much more the generated melodies have, in percentage points."""
        return self.generated - self.human


@dataclass(frozen=True, slots=True, eq=False)
class Onsets:
    """On which steps of the bar notes start, in one meter of S steps. All shares are from 0 to 1.

    Attributes:
        meter: which.
        generated_melodies: how many of the generated melodies are in it.
        human_melodies: how many of the human ones.
        generated: [S], the share of the onsets on each step.
        human: [S], the same for the human ones.
        low: [S], lower ends of the intervals of these.
        high: [S], upper ends.
        apart: half the sum of the absolute differences, which is the share of the generated onsets that would have to
            move to another step.
        human_apart: how far from the human ones other such human melodies would be.
    """

    meter: Meter
    generated_melodies: int
    human_melodies: int
    generated: NDArray[np.float64]
    human: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    apart: float
    human_apart: Interval


def form_of(melodies: Sequence[Melody], cut_bars: int | None, *, all_end: bool = False) -> dict[str, list[Share]]:
    """What is counted of each melody, by name.

    Args:
        melodies: whole ones.
        cut_bars: look for returns in this many bars of each, so that long melodies compare with short ones; None looks
            at all.
        all_end: also look at the ends of melodies that are not known to end there.
    """
    bars = [bars_of(melody)[:cut_bars] for melody in melodies]
    return {
        **{
            name: [measure(melody) if melody.ends or all_end else Share(0, 0) for melody in melodies]
            for name, measure in ENDINGS.items()
        },
        **{
            f"bar {bar} ends with a long note": [ends_bar_long(melody, bar) for melody in melodies] for bar in _CADENCES
        },
        **{name: [returning_bars(each, ago) for each in bars] for ago, name in RETURNS.items()},
        WANDERING: list(map(wanders, bars)),
    }


def compare_forms(
    made: Mapping[str, Sequence[Share]], people: Mapping[str, Sequence[Share]], seed: int
) -> tuple[FormFigure, ...]:
    """The shares of both sets, with intervals of the human ones.

    Args:
        made: for the generated melodies, as `form_of` gives them.
        people: for the human ones.
        seed: for the resamples.
    """
    parts, wholes = np.moveaxis(np.array(list(people.values())), -1, 0)
    resampled = 100 * resampled_ratios(parts, wholes, NUM_RESAMPLES, seed)
    return tuple(
        FormFigure(
            name,
            100 * pooled(made[name]).value,
            100 * pooled(people[name]).value,
            percentile_interval(values) if np.isfinite(values).any() else Interval(math.nan, math.nan),
            sum(share.whole > 0 for share in made[name]),
            sum(share.whole > 0 for share in people[name]),
        )
        for name, values in zip(people, resampled.T, strict=True)
    )


def by_melody(shares: Sequence[Share]) -> Features:
    """[B, 1]: the shares of the melodies that have one."""
    return np.array([[share.value] for share in shares if share.whole]).reshape(-1, 1)


def compare_onsets(
    made: Sequence[Melody], people: Sequence[Melody], seed: int
) -> tuple[tuple[Onsets, ...], dict[Meter, tuple[int, int]]]:
    """The onsets in meters that enough melodies have, and how many melodies of each set are in the other meters.

    Args:
        made: generated melodies, each with a note.
        people: human ones.
        seed: of the resamples.
    """
    found: list[Onsets] = []
    others: dict[Meter, tuple[int, int]] = {}
    in_made, in_people = (Counter(melody.meter for melody in melodies) for melodies in (made, people))
    for meter, _ in (in_made + in_people).most_common():
        if min(in_made[meter], in_people[meter]) < MIN_OF_METER:
            others[meter] = in_made[meter], in_people[meter]
            continue
        made_counts, counts = (
            np.array([onsets(melody) for melody in melodies if melody.meter == meter]) for melodies in (made, people)
        )
        shares, human = (each.sum(axis=0) / each.sum() for each in (made_counts, counts))
        resampled = resampled_ratios(counts.T, counts.sum(axis=1), NUM_RESAMPLES, seed)
        intervals = [percentile_interval(step) for step in resampled.T]
        found.append(
            Onsets(
                meter,
                len(made_counts),
                len(counts),
                shares,
                human,
                np.array([interval.low for interval in intervals]),
                np.array([interval.high for interval in intervals]),
                float(np.abs(shares - human).sum()) / 2,
                percentile_interval(np.abs(resampled - human).sum(axis=1) / 2),
            )
        )
    return tuple(found), others


def _ending(melody: Melody, *, long: bool = True, final: bool = True) -> Share:
    """Whether the last note is long and a final, or one of both."""
    spans = note_spans(melody)
    if not spans:
        return Share(0, 0)
    pitch, start, end = spans[-1]
    is_final = (pitch - major_key(melody.pitches)) % NOTES_PER_OCTAVE in _FINALS
    return Share(int((end - start >= LONG or not long) and (is_final or not final)), 1)
