"""Repeats: what was played some bars ago and comes back, as lookback and key encoding express it.

Shapes: n events, B melodies side by side, L lookback distances, K counter bits.

Lookback distances are set in steps, the same in every meter, as Magenta's are:
`(16, 32)`. Or they are set in bars of the melody's own meter: `"bars"`, which is
one and two, or a list such as `"1,2,4,8 bars"`. In 4/4 `"bars"` and `(16, 32)`
give the same numbers.

The counter is the place of the next event, p + 1. With distances in steps it
is p + 1 itself. With distances in bars its four lowest bits are the place in the
bar (more if a bar is longer than 16 steps) and those above are the bar's
number, so that in every meter the same bits say the same.
"""

import functools
import itertools
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ostinato.encodings.encoding import check_pitch_range, checked_events
from ostinato.encodings.one_hot import num_event_classes
from ostinato.errors import SettingsError
from ostinato.music.keys import squash
from ostinato.music.melody import NO_EVENT, Melody
from ostinato.music.meter import Meter

_MAX_COUNTER_BITS = 62  # an int64 counts the steps
_MAX_DISTANCE = 2**16  # steps; a growing melody keeps this many
_MAX_BARS = 64  # more than most tunes have
_PLACE_BITS = 4  # of the counter, for the place in a bar of up to 16 steps

LookbackDistances = tuple[int, ...] | str
"""A setting of encodings: steps, or text that says how many bars."""


@dataclass(frozen=True, slots=True)
class Lookbacks:
    """What lookback means in one melody.

    Attributes:
        distances: shortest first, in steps.
        steps_per_bar: of the bars that the counter counts; None if it counts steps alone.
    """

    distances: tuple[int, ...]
    steps_per_bar: int | None = None

    def counters(self, num_events: int, bits: int) -> NDArray[np.float32]:
        """[n, K]: the counter at all positions of a melody, to read only."""
        return _first_counters(1 << num_events.bit_length(), bits, self.steps_per_bar)[:num_events]

    def counter(self, position: int, bits: int) -> NDArray[np.float32]:
        """[1, K]: the counter at one position."""
        return _counter_values(np.array([position]), bits, self.steps_per_bar)

    def events_ahead(self, events: NDArray[np.int64]) -> NDArray[np.int64]:
        """[n, L]: the event at p + 1 if each distance repeats; no event if the melody is too short so far."""
        ahead = np.full((len(events), len(self.distances)), NO_EVENT, np.int64)
        for column, distance in enumerate(self.distances):
            ahead[distance - 1 :, column] = events[: max(0, len(events) - distance + 1)]
        return ahead

    def ahead_along(self, events: NDArray[np.int64]) -> NDArray[np.int64]:
        """[n, L]: the event at p if each distance repeats; no event if the melody is too short so far."""
        first = np.full((min(len(events), 1), len(self.distances)), NO_EVENT, np.int64)
        return np.concatenate([first, self.events_ahead(events)[:-1]])

    def repeats(self, events: NDArray[np.int64]) -> NDArray[np.bool_]:
        """[n, L]: does the event at p equal the one that each distance before it?"""
        repeats = np.zeros((len(events), len(self.distances)), np.bool_)
        for column, distance in enumerate(self.distances):
            repeats[distance:, column] = events[distance:] == events[: max(0, len(events) - distance)]
        return repeats

    def labels(
        self,
        events: NDArray[np.int64],
        repeats: NDArray[np.bool_],
        event_classes: NDArray[np.int64],
        first_repeat_class: int,
    ) -> NDArray[np.int64]:
        """[n]: the classes of the events, with repeats named as repeats.

        The furthest repeat wins. Before the furthest distance a no event counts
        as a repeat of it: the past is silent there.

        Args:
            events: [n].
            repeats: [n, L], as `repeats` gives them.
            event_classes: [n], the class of each event taken by itself.
            first_repeat_class: class of a repeat at the first distance; those of the others follow it.
        """
        labels = event_classes.copy()
        for column in range(len(self.distances)):
            labels[repeats[:, column]] = first_repeat_class + column
        if self.distances:
            early = labels[: self.distances[-1]]
            early[events[: len(early)] == NO_EVENT] = first_repeat_class + len(self.distances) - 1
        return labels


def check_lookbacks(distances: LookbackDistances, counter_bits: int) -> None:
    """Check the settings that lookback and key encoding share.

    Raises:
        SettingsError: if the distances do not increase from at least 1, or there are too many or too few bits.
    """
    if isinstance(distances, str):
        bars_of(distances)
    else:
        are_steps = isinstance(distances, tuple) and all(type(distance) is int for distance in distances)
        if not are_steps or not _rise(distances, _MAX_DISTANCE):
            raise SettingsError(
                f"lookback_distances must be increasing whole numbers of steps in 1..{_MAX_DISTANCE}, or bars "
                f'such as "bars" or "1,2,4,8 bars", not {distances!r}'
            )
    if type(counter_bits) is not int or not 0 <= counter_bits <= _MAX_COUNTER_BITS:
        raise SettingsError(f"counter_bits must be an integer in 0..{_MAX_COUNTER_BITS}, not {counter_bits!r}")


def num_lookbacks(distances: LookbackDistances) -> int:
    """L, how many distances a setting names."""
    return len(bars_of(distances) if isinstance(distances, str) else distances)


def lookbacks_of(distances: LookbackDistances, steps_per_bar: int) -> Lookbacks:
    """What a setting means in a melody whose bars are `steps_per_bar` long."""
    if isinstance(distances, str):
        return Lookbacks(tuple(steps_per_bar * bars for bars in bars_of(distances)), steps_per_bar)
    return Lookbacks(distances)


@functools.lru_cache
def bars_of(text: str) -> tuple[int, ...]:
    """The bars that "1,2,4,8 bars" names; "bars" alone names one and two."""
    listed = re.fullmatch(r"(?:(\d{1,3}(?: ?, ?\d{1,3})*) )?bars", text.strip(), re.ASCII)
    bars = tuple(map(int, (listed[1] or "1,2").split(","))) if listed else ()
    if not bars or not _rise(bars, _MAX_BARS):
        raise SettingsError(
            f"lookback_distances={text!r} must be increasing numbers of bars in 1..{_MAX_BARS}, "
            'such as "bars" for one and two, or "1,2,4,8 bars"'
        )
    return bars


def _rise(distances: tuple[int, ...], limit: int) -> bool:
    return all(near < far for near, far in itertools.pairwise((0, *distances, limit + 1)))


def _counter_values(positions: NDArray[np.int64], bits: int, steps_per_bar: int | None) -> NDArray[np.float32]:
    """[n, K]: bit i of the place of the event after each position, as +1 or -1."""
    places = positions + 1
    if steps_per_bar is not None:
        place_bits = max(_PLACE_BITS, (steps_per_bar - 1).bit_length())
        places = (places // steps_per_bar << place_bits) + places % steps_per_bar
    ones = places[:, None] >> np.arange(bits) & 1
    return (2 * ones - 1).astype(np.float32)


@functools.lru_cache(maxsize=32)
def _first_counters(length: int, bits: int, steps_per_bar: int | None) -> NDArray[np.float32]:
    values = _counter_values(np.arange(length), bits, steps_per_bar)
    values.setflags(write=False)
    return values


def with_repeats(events: NDArray[np.int64], ahead: NDArray[np.int64]) -> NDArray[np.int64]:
    """The events [n, C] that classes stand for: those of the classes that are not repeats, then what repeats [n, L]."""
    both = np.empty((len(ahead), len(events) + ahead.shape[1]), np.int64)
    both[:, : len(events)] = events
    both[:, len(events) :] = ahead
    return both


class Past:
    """The last events of B melodies that grow together, in a ring as long as the furthest lookback."""

    __slots__ = ("_ahead", "_ring", "lookbacks", "num_events")

    def __init__(self, batch_size: int, lookbacks: Lookbacks) -> None:
        self.lookbacks = lookbacks
        self.num_events = 0
        self._ring = np.full((batch_size, max(lookbacks.distances, default=1)), NO_EVENT, np.int64)
        self._ahead: NDArray[np.int64] | None = None  # asked for three times a step

    def ahead(self) -> NDArray[np.int64]:
        """[B, L]: what comes next if each distance repeats; no event if the melodies are too short so far."""
        if self._ahead is None:
            places = [(self.num_events - distance) % self._ring.shape[1] for distance in self._distances]
            self._ahead = self._ring[:, places]
        return self._ahead

    def push(self, events: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Append the events [B]; returns [B, L], whether each repeats the one at each distance."""
        old_enough = [self.num_events >= distance for distance in self._distances]
        repeats: NDArray[np.bool_] = (self.ahead() == events[:, None]) & np.array(old_enough, np.bool_)
        self._ring[:, self.num_events % self._ring.shape[1]] = events
        self.num_events += 1
        self._ahead = None
        return repeats

    def select(self, rows: NDArray[np.integer]) -> "Past":
        """The past of the melodies at `rows`."""
        chosen = Past(0, self.lookbacks)
        chosen.num_events = self.num_events
        chosen._ring = self._ring[rows]
        return chosen

    @property
    def _distances(self) -> tuple[int, ...]:
        return self.lookbacks.distances


@dataclass(frozen=True, slots=True)
class RepeatEncoding(ABC):
    """An encoding with classes for repeats: what lookback and key encoding have in common.

    Its first classes are events, in an order that the subclass chooses, and its last L
    are the repeats at the L distances. The subclasses document the attributes.
    """

    min_pitch: int = 48
    max_pitch: int = 84
    transpose_to_key: int | None = 0
    lookback_distances: LookbackDistances = (16, 32)
    counter_bits: int = 5

    def __post_init__(self) -> None:
        check_pitch_range(self.min_pitch, self.max_pitch, self.transpose_to_key)
        check_lookbacks(self.lookback_distances, self.counter_bits)

    @property
    @abstractmethod
    def input_size(self) -> int:
        """D, values per step."""

    @property
    def num_classes(self) -> int:
        """C, number of labels."""
        return self._num_event_classes + num_lookbacks(self.lookback_distances)

    @property
    def num_chord_inputs(self) -> int:
        """None: chords are not encoded."""
        return 0

    @property
    def foretells_end(self) -> bool:
        """Not here: every class is an event."""
        return False

    def squash(self, melody: Melody) -> tuple[Melody, int]:
        """Move a melody into the encoding's range and key; returns it and the semitones it went up."""
        return squash(melody, self.min_pitch, self.max_pitch, self.transpose_to_key)

    def inputs(self, melody: Melody) -> NDArray[np.float32]:
        """[n, D]: row p is fed after event p."""
        events, lookbacks = self._events(melody), self._lookbacks(melody.meter)
        return self._inputs(events, lookbacks, lookbacks.repeats(events))

    def labels(self, melody: Melody) -> NDArray[np.int64]:
        """[n]: the class of each event given those before it."""
        events, lookbacks = self._events(melody), self._lookbacks(melody.meter)
        return self._labels(events, lookbacks, lookbacks.repeats(events))

    def encode(self, melody: Melody) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Training pairs of a squashed melody: inputs [n - 1, D] and labels [n - 1].

        Raises:
            DataError: if a pitch is outside the encoding's range.
        """
        events, lookbacks = self._events(melody), self._lookbacks(melody.meter)
        repeats = lookbacks.repeats(events)
        return self._inputs(events[:-1], lookbacks, repeats[:-1]), self._labels(events, lookbacks, repeats)[1:]

    def class_events(self, melody: Melody) -> NDArray[np.int64]:
        """The event that each class stands for at each position, given those before it: [n, C]."""
        ahead = self._lookbacks(melody.meter).ahead_along(self._events(melody))
        return with_repeats(self._events_of_classes(), ahead)

    @property
    def _num_event_classes(self) -> int:
        return num_event_classes(self.min_pitch, self.max_pitch)

    def _lookbacks(self, meter: Meter) -> Lookbacks:
        """What lookback means in this meter."""
        return lookbacks_of(self.lookback_distances, meter.steps_per_bar)

    def _events(self, melody: Melody) -> NDArray[np.int64]:
        return checked_events(melody, self.min_pitch, self.max_pitch)

    def _labels(self, events: NDArray[np.int64], lookbacks: Lookbacks, repeats: NDArray[np.bool_]) -> NDArray[np.int64]:
        return lookbacks.labels(events, repeats, self._event_classes(events), self._num_event_classes)

    @abstractmethod
    def _inputs(
        self, events: NDArray[np.int64], lookbacks: Lookbacks, repeats: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """[n, D], for events [n]; `repeats` [n, L] says what each one repeats."""

    @abstractmethod
    def _event_classes(self, events: NDArray[np.int64]) -> NDArray[np.int64]:
        """[n]: the class of each event taken by itself."""

    @abstractmethod
    def _events_of_classes(self) -> NDArray[np.int64]:
        """The event of each class that is not a repeat, the inverse of `_event_classes`."""
