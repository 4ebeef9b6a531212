"""For how long a melody has been repeating itself, and at which distance it does so longest.

Shapes: n events of one melody, or one event of each of n melodies; M whole bars.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ostinato.music.melody import NO_EVENT

MAX_BARS = 32
"""How far back to look for repeats, in bars: as long as a tune of two sections with their repeats."""
_NOTHING = NO_EVENT - 1


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """What the melody has repeated, after each event.

    Attributes:
        runs: [n, M], for how many steps, up to the last event, the melody has equaled itself 1, 2, 3, ... bars ago.
        alike: [n, M], how many of the last bar's steps equal those 1, 2, 3, ... bars before.
        longest: [n], the longest of the runs.
        ahead: [n], the event that comes next if that run (of equal ones, the nearest) goes on. No event without one.
    """

    runs: NDArray[np.int64]
    alike: NDArray[np.int64]
    longest: NDArray[np.int64]
    ahead: NDArray[np.int64]

    @staticmethod
    def along(events: NDArray[np.int64], steps_per_bar: int) -> "Matches":
        """Go through all n events of a melody at once."""
        num_events = len(events)
        num_bars = min(MAX_BARS, max(num_events - 1, 0) // steps_per_bar)
        steps = np.arange(num_events)
        runs, alike = np.zeros((2, MAX_BARS, num_events), np.int64)
        if num_bars:
            # [bars, n], the events 1, 2, 3, ... bars before; what was before the melody equals no event.
            padded = np.concatenate([np.full(num_bars * steps_per_bar, _NOTHING), events])
            before = sliding_window_view(padded, num_events)[(num_bars - 1) * steps_per_bar :: -steps_per_bar]
            equals = before == events
            runs[:num_bars] = steps - np.maximum.accumulate(np.where(equals, -1, steps), axis=1)
            np.cumsum(equals, axis=1, out=alike[:num_bars])
            alike[:num_bars, steps_per_bar:] -= alike[:num_bars, :-steps_per_bar].copy()
        nearest = runs.argmax(axis=0)
        longest = runs[nearest, steps]
        came_from = np.maximum(steps + 1 - (nearest + 1) * steps_per_bar, 0)
        return Matches(runs.T, alike.T, longest, np.where(longest > 0, events[came_from], NO_EVENT))


class Matching:
    """`Matches` of B melodies that grow together.

    Args:
        batch_size: B.
        steps_per_bar: of their meter.
    """

    __slots__ = ("_alike", "_equals", "_num_events", "_past", "_runs", "_steps_per_bar")

    def __init__(self, batch_size: int, steps_per_bar: int) -> None:
        self._steps_per_bar = steps_per_bar
        self._num_events = 0
        # By place in the bar, then by bar: both rings.
        self._past = np.full((batch_size, steps_per_bar, MAX_BARS), NO_EVENT, np.int64)
        self._runs = np.zeros((batch_size, MAX_BARS), np.int64)
        # Which of the last bar's steps were equal, by place in the bar, and how many.
        self._equals = np.zeros((batch_size, steps_per_bar, MAX_BARS), np.bool_)
        self._alike = np.zeros((batch_size, MAX_BARS), np.int64)

    def push(self, events: NDArray[np.int64]) -> Matches:
        """Append the events [B]."""
        bar, place = divmod(self._num_events, self._steps_per_bar)
        before = self._past[:, place, self._bars_before(bar)]
        equals = (before == events[:, np.newaxis]) & (np.arange(MAX_BARS) < bar)
        self._runs = np.where(equals, self._runs + 1, 0)
        self._alike = self._alike + equals - self._equals[:, place]
        self._equals[:, place] = equals
        self._past[:, place, bar % MAX_BARS] = events
        self._num_events += 1
        rows = np.arange(len(events))
        nearest = self._runs.argmax(axis=1)
        longest = self._runs[rows, nearest]
        bar, place = divmod(self._num_events, self._steps_per_bar)
        ahead = self._past[rows, place, self._bars_before(bar)[nearest]]
        return Matches(self._runs, self._alike, longest, np.where(longest > 0, ahead, NO_EVENT))

    def select(self, rows: NDArray[np.integer]) -> "Matching":
        """Those of the melodies at `rows`."""
        chosen = Matching(0, self._steps_per_bar)
        chosen._num_events = self._num_events
        chosen._past, chosen._runs = self._past[rows], self._runs[rows]
        chosen._equals, chosen._alike = self._equals[rows], self._alike[rows]
        return chosen

    @staticmethod
    def _bars_before(bar: int) -> NDArray[np.int64]:
        """Where the bar before is in the ring, the one before that, and so on."""
        return (bar - 1 - np.arange(MAX_BARS)) % MAX_BARS
