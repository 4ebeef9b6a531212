"""Time: the grid of 16th notes that a session lives on, and the clock that it reads."""

import math
import time
from dataclasses import dataclass
from typing import Protocol

from ostinato.errors import SettingsError
from ostinato.music.melody import STEPS_PER_QUARTER

_STEPS_PER_WHOLE = 4 * STEPS_PER_QUARTER
_DENOMINATORS = (1, 2, 4, 8, 16)
_MAX_NUMERATOR = 32
# Of these many eighths or 16ths three make a beat.
_COMPOUND_NUMERATORS = (6, 9, 12)
MIN_QPM = 20.0
MAX_QPM = 400.0


@dataclass(frozen=True, slots=True)
class Metre:
    """A time signature, as 4/4.

    Attributes:
        numerator: 1..32.
        denominator: 1, 2, 4, 8 or 16, so that a bar is a whole number of 16ths.

    Raises:
        SettingsError: if it is none of these.
    """

    numerator: int = 4
    denominator: int = 4

    def __post_init__(self) -> None:
        if not 1 <= self.numerator <= _MAX_NUMERATOR or self.denominator not in _DENOMINATORS:
            raise SettingsError(
                f"the metre must be 1 to {_MAX_NUMERATOR} notes of 1/1, 1/2, 1/4, 1/8 or 1/16, "
                f"not {self.numerator}/{self.denominator}"
            )

    @staticmethod
    def parse(text: str) -> "Metre":
        """Read "6/8".

        Raises:
            SettingsError: if the text is no metre.
        """
        numerator, _, denominator = text.partition("/")
        if not (numerator.strip().isdecimal() and denominator.strip().isdecimal()):
            raise SettingsError(f"the metre must be written as 4/4 or 6/8, not {text!r}")
        return Metre(int(numerator), int(denominator))

    @property
    def steps_per_bar(self) -> int:
        """The length of a bar in 16ths."""
        return self.numerator * _STEPS_PER_WHOLE // self.denominator

    @property
    def steps_per_beat(self) -> int:
        """The length of a beat in 16ths: of the denominator's note, or of three where they count in threes, as 6/8."""
        beat = _STEPS_PER_WHOLE // self.denominator
        return 3 * beat if self.denominator >= 8 and self.numerator in _COMPOUND_NUMERATORS else beat


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
