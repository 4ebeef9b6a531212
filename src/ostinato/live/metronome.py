"""Time: the grid of 16th notes that a session lives on, the clock that it reads, and the click."""

import math
import time
from dataclasses import dataclass
from typing import Protocol

from ostinato.errors import SettingsError
from ostinato.live.voices import Voice, Voices
from ostinato.music.meter import STEPS_PER_QUARTER, Meter

# Wider than people play: a bar of 4/4 lasts 12 seconds at 20, and a 16th is 37 ms at 400, longer than a click.
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


_CLICK_SECONDS = 0.03  # until its note-off; the wood blocks have died away by then
# General MIDI's high and low wood block.
_DOWNBEAT = (76, 120)
_BEAT = (77, 90)


class Metronome:
    """A click on every beat, another one on the first of a bar.

    Args:
        grid: where the beats are.
        meter: which of them there are.
        voices: where they sound.
        channel: on which MIDI channel, 0..15.
    """

    def __init__(self, grid: Grid, meter: Meter, voices: Voices, channel: int) -> None:
        self._grid = grid
        self._meter = meter
        self._voices = voices
        self._channel = channel
        self._next_step = 0
        self._sounding: tuple[int, float] | None = None

    @property
    def next_due(self) -> float:
        """When there is something to do next, in seconds on the clock."""
        click = self._grid.seconds_of(self._next_step)
        return click if self._sounding is None else min(self._sounding[1], click)

    def advance(self, seconds: float) -> None:
        """Do what is due; of clicks that were missed, only the last one sounds."""
        if self._sounding is not None and self._sounding[1] <= seconds:
            self._voices.end(Voice.METRONOME, self._channel, self._sounding[0])
            self._sounding = None
        clicked = None
        while self._grid.seconds_of(self._next_step) <= seconds:
            clicked = self._next_step
            self._next_step += self._meter.steps_per_beat
        if clicked is not None:
            if self._sounding is not None:
                self._voices.end(Voice.METRONOME, self._channel, self._sounding[0])
            pitch, velocity = _BEAT if clicked % self._meter.steps_per_bar else _DOWNBEAT
            self._sounding = (pitch, seconds + _CLICK_SECONDS)
            self._voices.start(Voice.METRONOME, self._channel, pitch, velocity)
