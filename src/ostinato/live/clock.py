"""Time: the grid of 16th notes that a session lives on, and the clock that it reads."""

import math
import time
from dataclasses import dataclass
from typing import Protocol

from ostinato.errors import SettingsError
from ostinato.music.melody import STEPS_PER_QUARTER

MIN_QPM = 20.0
MAX_QPM = 400.0


@dataclass(frozen=True, slots=True)
class Grid:
    """Steps of a 16th note, the first of which is the first of a bar.

    Attributes:
        start_seconds: when step 0 is, on the clock.
        qpm: quarter notes a minute, 20..400.

    Raises:
        SettingsError: if the tempo is out of its range.
    """

    start_seconds: float
    qpm: float

    def __post_init__(self) -> None:
        if not MIN_QPM <= self.qpm <= MAX_QPM:
            raise SettingsError(f"the tempo must be {MIN_QPM:g} to {MAX_QPM:g} quarters a minute, not {self.qpm:g}")

    def seconds_of(self, step: float) -> float:
        """When a step, or a place between two, is."""
        return self.start_seconds + step * self._seconds_per_step

    def nearest_step(self, seconds: float) -> int:
        """The step that is nearest; from halfway between two, the later one."""
        return math.floor((seconds - self.start_seconds) / self._seconds_per_step + 0.5)

    @property
    def _seconds_per_step(self) -> float:
        return 60.0 / self.qpm / STEPS_PER_QUARTER


class Clock(Protocol):
    """Seconds that only go forward, from whenever."""

    def now(self) -> float:
        """The time."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class MonotonicClock:
    """The computer's clock that nobody sets."""

    def now(self) -> float:
        """Seconds since some moment in the past."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let others work for this long."""
        time.sleep(seconds)
