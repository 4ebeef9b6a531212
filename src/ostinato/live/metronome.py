"""The click."""

from ostinato.live.clock import Grid
from ostinato.live.voices import Voice, Voices
from ostinato.music.meter import Meter

_CLICK_SECONDS = 0.03
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
