"""Meters as musicians write them: "6/8", which is a bar of twelve 16ths, two beats of six."""

import functools
import re
from dataclasses import dataclass

from ostinato.errors import SettingsError, did_you_mean

STEPS_PER_QUARTER = 4
STEPS_PER_BAR = 4 * STEPS_PER_QUARTER  # of 4/4
# MIDI files write the numerator in a byte. No music has shorter beats.
_MAX_NUMERATOR, _MAX_DENOMINATOR = 255, 64
# What is suggested for text that is not a meter.
_COMMON = ("4/4", "3/4", "2/4", "2/2", "3/8", "6/8", "9/8", "12/8", "5/4", "7/8")
# In these numbers of eighths or 16ths, three make a beat.
_COMPOUND_NUMERATORS = (6, 9, 12)
MAX_STEPS_PER_BAR = _MAX_NUMERATOR * STEPS_PER_BAR
"""No time signature of a MIDI file has longer bars."""


@dataclass(frozen=True, slots=True)
class Meter:
    """A time signature whose bar is a whole number of 16th notes.

    Attributes:
        numerator: beats per bar.
        denominator: what note a beat is: 1, 2, 4, 8, 16 and so on.

    Raises:
        SettingsError: if there is no such bar, or it is not a whole number of 16ths.
    """

    numerator: int
    denominator: int

    def __post_init__(self) -> None:
        is_power_of_two = self.denominator > 0 and self.denominator & (self.denominator - 1) == 0
        if self.numerator < 1 or not is_power_of_two:
            raise SettingsError(f"there is no meter {self}; write at least 1 beat, over 1, 2, 4, 8, 16, 32 or 64")
        if self.numerator * STEPS_PER_BAR % self.denominator:
            raise SettingsError(f"a bar of {self} is not a whole number of 16th notes; choose another meter")

    @property
    def steps_per_bar(self) -> int:
        """Length of a bar in steps of a 16th note: 16 in 4/4, 12 in 3/4 and 6/8."""
        return self.numerator * STEPS_PER_BAR // self.denominator

    @property
    def steps_per_beat(self) -> int:
        """Length of a beat in steps: of the denominator's note, or of three if the meter counts in threes, as 6/8 does.

        Notes shorter than a step make beats of one step.
        """
        beat = max(1, STEPS_PER_BAR // self.denominator)
        return 3 * beat if self.denominator in (8, 16) and self.numerator in _COMPOUND_NUMERATORS else beat

    @property
    def time_signature(self) -> tuple[int, int]:
        """Numerator and denominator."""
        return self.numerator, self.denominator

    def __str__(self) -> str:
        return f"{self.numerator}/{self.denominator}"


def parse_meter(text: str) -> Meter:
    """Read a meter such as "4/4", "3/4" or "6/8".

    Raises:
        SettingsError: if it is not a meter, or its bar is not a whole number of 16th notes.
    """
    found = re.fullmatch(r"\s*(\d{1,4})\s*/\s*(\d{1,4})\s*", text, re.ASCII)
    if not found:
        near = did_you_mean(text, _COMMON) or "; write it like 4/4, 3/4 or 6/8"
        raise SettingsError(f"{text!r} is not a meter{near}")
    meter = Meter(int(found[1]), int(found[2]))
    if meter.numerator > _MAX_NUMERATOR or meter.denominator > _MAX_DENOMINATOR:
        raise SettingsError(
            f"the meter {meter} is out of range; it can have up to {_MAX_NUMERATOR} beats, of a note no shorter than a "
            f"{_MAX_DENOMINATOR}th"
        )
    return meter


@functools.cache
def plainest_meter(steps_per_bar: int) -> Meter:
    """The plainest meter whose bar has this many 16th notes: 16 is 4/4, 12 is 3/4, 18 is 9/8.

    Raises:
        SettingsError: if there is none.
    """
    if steps_per_bar < 1:
        raise SettingsError(f"a bar must be at least 1 step long, not {steps_per_bar}")
    quarters, rest = divmod(steps_per_bar, STEPS_PER_QUARTER)
    if rest == 0:
        return Meter(quarters, 4)
    return Meter(steps_per_bar // 2, 8) if rest == 2 else Meter(steps_per_bar, 16)
