"""The past of a melody, as lookback and key encoding see it: what stood some steps ago, and what repeats.

Shapes: n events, B melodies side by side, L lookback distances.
"""

import functools
import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ostinato.errors import SettingsError
from ostinato.music.melody import NO_EVENT

_MAX_COUNTER_BITS = 62  # an int64 counts the steps
_MAX_DISTANCE = 2**16  # steps; a melody at work keeps as many


@dataclass(frozen=True, slots=True)
class Lookbacks:
    """The lookback distances of one melody, shortest first, in steps."""

    distances: tuple[int, ...]

    def events_ahead(self, events: NDArray[np.int64]) -> NDArray[np.int64]:
        """[n, L]: what stands at p + 1 if each distance repeats; no event where the melody is too young."""
        ahead = np.full((len(events), len(self.distances)), NO_EVENT, np.int64)
        for column, distance in enumerate(self.distances):
            ahead[distance - 1 :, column] = events[: max(0, len(events) - distance + 1)]
        return ahead

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
        """[n]: the classes of the events, with repeats said as repeats.

        The furthest repeat wins. Before the furthest distance a no event counts
        as a repeat of it: the past is silent there.

        Args:
            events: [n].
            repeats: [n, L], as `repeats` tells them.
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


def check_lookbacks(distances: tuple[int, ...], counter_bits: int) -> None:
    """Check the settings that lookback and key encoding share.

    Raises:
        SettingsError: if the distances do not rise from at least 1, or the bits are none a counter can have.
    """
    are_steps = isinstance(distances, tuple) and all(type(distance) is int for distance in distances)
    limits = (0, *distances, _MAX_DISTANCE + 1) if are_steps else ()
    if not are_steps or any(near >= far for near, far in itertools.pairwise(limits)):
        raise SettingsError(
            f"lookback_distances must be whole steps that rise within 1..{_MAX_DISTANCE}, not {distances!r}"
        )
    if type(counter_bits) is not int or not 0 <= counter_bits <= _MAX_COUNTER_BITS:
        raise SettingsError(f"counter_bits must be an integer of 0..{_MAX_COUNTER_BITS}, not {counter_bits!r}")


def counter_values(positions: NDArray[np.int64], bits: int) -> NDArray[np.float32]:
    """[n, bits]: bit i of p + 1, the place of the next event, as +1 or -1."""
    ones = (positions[:, None] + 1) >> np.arange(bits) & 1
    return (2 * ones - 1).astype(np.float32)


def counters_along(num_events: int, bits: int) -> NDArray[np.float32]:
    """[n, bits]: the counter values of all positions of a melody, to read only."""
    return _first_counters(1 << num_events.bit_length(), bits)[:num_events]


@functools.lru_cache(maxsize=16)
def _first_counters(length: int, bits: int) -> NDArray[np.float32]:
    values = counter_values(np.arange(length), bits)
    values.setflags(write=False)
    return values


class Past:
    """The last events of B melodies that grow together, in a ring as long as the furthest lookback."""

    __slots__ = ("_ring", "lookbacks", "num_events")

    def __init__(self, batch_size: int, lookbacks: Lookbacks) -> None:
        self.lookbacks = lookbacks
        self.num_events = 0
        self._ring = np.full((batch_size, max(lookbacks.distances, default=1)), NO_EVENT, np.int64)

    def ahead(self) -> NDArray[np.int64]:
        """[B, L]: what comes next if each distance repeats; no event where the melodies are too young."""
        return self._ring[:, [(self.num_events - distance) % self._ring.shape[1] for distance in self._distances]]

    def push(self, events: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Append the events [B]; returns [B, L], whether each repeats the one at each distance."""
        old_enough = [self.num_events >= distance for distance in self._distances]
        repeats: NDArray[np.bool_] = (self.ahead() == events[:, None]) & np.array(old_enough, np.bool_)
        self._ring[:, self.num_events % self._ring.shape[1]] = events
        self.num_events += 1
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
