"""Whose turn it is: the time and its click, a state machine of call and response, and the loop that drives them.

A session runs on a `Grid` of 16th notes, and a `Metronome` clicks on it. A
`Session` reads no clock and opens no port: its caller says what was played and
what time it is, and it plays through a `Voices`. Seconds are those of the caller's clock.
`play` is the loop around it: everything a session does happens there, on one thread.
"""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol

from ostinato.errors import SettingsError
from ostinato.live.turns import MAX_CALL_BARS, Call, Respond, Response
from ostinato.live.voices import (
    CHANNELS,
    DRUM_CHANNEL,
    Kind,
    Voice,
    Voices,
    channel_of,
    ends_all_notes,
    is_channel_message,
    kind,
    program_change,
)
from ostinato.music.melody import MIN_PITCH, NOTE_OFF, Melody
from ostinato.music.meter import STEPS_PER_QUARTER, Meter

# Wider than people play: a bar of 4/4 lasts 12 seconds at 20, and a 16th is 37 ms at 400, longer than a click.
MIN_QPM = 20.0
MAX_QPM = 400.0


@dataclass(frozen=True, slots=True)
class Grid:
    """Steps of a 16th note; the first step is the first of a bar.

    Attributes:
        start_seconds: when step 0 is, on the clock.
        qpm: quarter notes a minute, 20..400.

    Raises:
        SettingsError: if the tempo is out of range.
    """

    start_seconds: float
    qpm: float

    def __post_init__(self) -> None:
        if not MIN_QPM <= self.qpm <= MAX_QPM:
            raise SettingsError(
                f"the tempo must be {MIN_QPM:g} to {MAX_QPM:g} quarter notes a minute, not {self.qpm:g}"
            )

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
    """Seconds that only go forward, from any starting point."""

    def now(self) -> float:
        """The time."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class MonotonicClock:
    """The computer's clock that nobody can set."""

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
    """A click on every beat, with another sound on the first of a bar.

    Args:
        grid: where the beats are.
        meter: of the bars.
        voices: where the clicks sound.
        channel: on which MIDI channel, 0..15.
    """

    def __init__(self, grid: Grid, meter: Meter, voices: Voices, channel: int) -> None:
        self._grid = grid
        self._meter = meter
        self._voices = voices
        self._channel = channel
        self._next_step = 0
        self._sounding: tuple[int, float] | None = None

    def follow(self, grid: Grid) -> None:
        """Click on another grid, whose steps are counted on."""
        self._grid = grid

    @property
    def next_due(self) -> float:
        """When there is something to do next, in seconds on the clock."""
        click = self._grid.seconds_of(self._next_step)
        return click if self._sounding is None else min(self._sounding[1], click)

    def advance(self, seconds: float) -> None:
        """Do what is due; of clicks that were missed, only the last one sounds."""
        if self._sounding is not None and self._sounding[1] <= seconds:
            self.end()
        clicked = None
        while self._grid.seconds_of(self._next_step) <= seconds:
            clicked = self._next_step
            self._next_step += self._meter.steps_per_beat
        if clicked is not None:
            self.end()
            pitch, velocity = _BEAT if clicked % self._meter.steps_per_bar else _DOWNBEAT
            self._sounding = (pitch, seconds + _CLICK_SECONDS)
            self._voices.start(Voice.METRONOME, self._channel, pitch, velocity)

    def end(self) -> None:
        """End the click that sounds."""
        if self._sounding is not None:
            self._voices.end(Voice.METRONOME, self._channel, self._sounding[0])
            self._sounding = None


MAX_RESPONSE_BARS = 32  # twice the longest call
_MAX_STEPS_PER_BAR = 32 * 16  # 128 quarters, which no bar has; it bounds what a call and a response keep
_COMMON_TIME = Meter(4, 4)
_MAX_TEMPERATURE_CONTROL = 119  # those above are changes of mode
_COLDEST, _HOTTEST = 0.1, 2.0  # at the knob's ends: nearly always the most likely event, and nearly at random
# A note is rounded to the nearest 16th: half of one before a line is when all notes before the line are known.
_HALF_STEP = 0.5

Tell = Callable[[Voice, Melody], None]


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """How call and response are played.

    Attributes:
        qpm: tempo, 20..400 quarter notes a minute.
        meter: time signature, of bars of up to 128 quarter notes.
        call_bars: length of every call, 1..16 bars from the bar line of its first note; with None, a bar of silence
            ends it.
        response_bars: length of every response, 1..32; None makes it as long as the call, in whole bars.
        metronome: whether beats click. If they don't, the first note of each call is the first beat of a bar.
        passthrough: whether the output also gets what the player plays.
        loop: whether a response is repeated until the next call begins.
        temperature: of the responses, above 0.
        temperature_control: number 0..119 of the control change that sets the temperature from 0.1 to 2; None for none.
        num_rounds: end after this many responses; 0 goes on for ever.
        channel: MIDI channel of the responses, 0..15.
        metronome_channel: MIDI channel of the clicks, 0..15.
        program: General MIDI instrument of the responses, 0..127; None keeps that of the channel.

    Raises:
        SettingsError: if one of these is out of range.
    """

    qpm: float = 120.0
    meter: Meter = _COMMON_TIME
    call_bars: int | None = None
    response_bars: int | None = None
    metronome: bool = True
    passthrough: bool = False
    loop: bool = False
    temperature: float = 1.0
    temperature_control: int | None = None
    num_rounds: int = 0
    channel: int = 0
    metronome_channel: int = DRUM_CHANNEL
    program: int | None = None

    def __post_init__(self) -> None:
        Grid(0.0, self.qpm)
        if self.meter.steps_per_bar > _MAX_STEPS_PER_BAR:
            raise SettingsError(
                f"the meter {self.meter} has bars of {self.meter.steps_per_bar} 16ths; "
                f"choose one with at most {_MAX_STEPS_PER_BAR}"
            )
        _require_within("call_bars", self.call_bars, 1, MAX_CALL_BARS)
        _require_within("response_bars", self.response_bars, 1, MAX_RESPONSE_BARS)
        _require_within("temperature_control", self.temperature_control, 0, _MAX_TEMPERATURE_CONTROL)
        _require_within("channel", self.channel, 0, CHANNELS - 1)
        _require_within("metronome_channel", self.metronome_channel, 0, CHANNELS - 1)
        _require_within("program", self.program, 0, 127)
        if not 0 < self.temperature < math.inf:
            raise SettingsError(f"temperature must be a number above 0, not {self.temperature}")
        if self.num_rounds < 0:
            raise SettingsError(f"num_rounds must be 0 (no end) or more, not {self.num_rounds}")


def _require_within(name: str, value: int | None, low: int, high: int) -> None:
    if value is not None and not low <= value <= high:
        raise SettingsError(f"{name} must be {low} to {high}, not {value}")


class State(Enum):
    """Whose turn it is."""

    LISTENING = "nobody's: the first note begins a call"
    CALL = "the player's"
    RESPONSE = "the model's"
    FINISHED = "the end"


class Session:
    """Call and response, round after round.

    Args:
        settings: how it is played.
        respond: what plays the responses.
        voices: where everything sounds.
        start_seconds: the first beat.
        tell: called with each call when it ends, and with each response after it was played.
    """

    def __init__(
        self,
        settings: SessionSettings,
        respond: Respond,
        voices: Voices,
        start_seconds: float,
        tell: Tell | None = None,
    ) -> None:
        self.state = State.LISTENING
        self.temperature = settings.temperature
        self._settings = settings
        self._respond = respond
        self._voices = voices
        self._tell = tell
        self._grid = Grid(start_seconds, settings.qpm)
        self._metronome = (
            Metronome(self._grid, settings.meter, voices, settings.metronome_channel) if settings.metronome else None
        )
        self._call = Call(0, settings.meter)
        self._call_ends = math.inf  # the place, in steps
        self._response: Response | None = None
        self._velocity = 0
        self._pitch: int | None = None
        self._rounds = 0
        self._is_led = False  # whether the time is another's
        self._is_standing = False  # whether that stands still
        if settings.program is not None:
            voices.send(program_change(settings.channel, settings.program))

    def follow(self, grid: Grid | None) -> None:
        """Take the time from another clock.

        Args:
            grid: where its steps are from here on, which count up; None while it stands. Then nothing clicks and
                nobody's turn comes: a call is dropped, a response ends.
        """
        self._is_led = True
        self._is_standing = grid is None
        if grid is not None:
            self._grid = grid
            if self._metronome is not None:
                self._metronome.follow(grid)
            return
        if self._metronome is not None:
            self._metronome.end()
        if self._response is not None:
            self._end_response(self._response)
        elif self.state is State.CALL:
            self.state = State.LISTENING

    @property
    def next_due(self) -> float:
        """When `advance` has something to do next, if nothing is played until then."""
        if self._is_standing:
            return math.inf
        due = math.inf if self._metronome is None else self._metronome.next_due
        if self.state is State.CALL:
            return min(due, self._grid.seconds_of(self._call_ends))
        if self._response is not None:
            return min(due, self._grid.seconds_of(self._response.next_step))
        return due

    def hear(self, message: bytes, seconds: float) -> None:
        """The player did something.

        Args:
            message: a MIDI message.
            seconds: when it came.
        """
        self.advance(seconds)
        if not is_channel_message(message):
            return
        channel, what = channel_of(message), kind(message)
        if what == Kind.CONTROL and message[1] == self._settings.temperature_control:
            self.temperature = _COLDEST + (_HOTTEST - _COLDEST) * message[2] / 127
            return
        if self._settings.passthrough:
            self._pass_through(message)
        if self._is_standing:
            return
        if what == Kind.NOTE_ON:
            self._press(channel, message[1], message[2], seconds)
        elif self.state is State.CALL:
            step = self._grid.nearest_step(seconds)
            if what == Kind.NOTE_OFF:
                self._call.release(channel, message[1], step)
            elif ends_all_notes(message):
                self._call.release_all(channel, step)
            self._set_call_end()

    def advance(self, seconds: float) -> None:
        """Do everything that is due by this time.

        What is late is played at once; of notes that should already be over, only the last one.
        """
        if self._is_standing:
            return
        if self._metronome is not None:
            self._metronome.advance(seconds)
        if self.state is State.CALL and self._grid.seconds_of(self._call_ends) <= seconds:
            self._begin_response()
        if self._response is not None:
            self._play(self._response, seconds)

    def _pass_through(self, message: bytes) -> None:
        channel = channel_of(message)
        if kind(message) == Kind.NOTE_ON:
            self._voices.start(Voice.PLAYER, channel, message[1], message[2])
        elif kind(message) == Kind.NOTE_OFF:
            self._voices.end(Voice.PLAYER, channel, message[1])
        else:
            self._voices.send(message)

    def _press(self, channel: int, pitch: int, velocity: int, seconds: float) -> None:
        response = self._response
        if response is not None and self._may_interrupt(response, seconds):
            self._end_response(response)
        if self.state is State.LISTENING:
            if self._metronome is None and not self._is_led:
                self._grid = replace(self._grid, start_seconds=seconds)
            step, meter = self._grid.nearest_step(seconds), self._settings.meter
            self._call = Call(step - step % meter.steps_per_bar, meter)
            self.state = State.CALL
        if self.state is State.CALL:
            self._call.press(channel, pitch, velocity, self._grid.nearest_step(seconds))
            self._set_call_end()

    def _may_interrupt(self, response: Response, seconds: float) -> bool:
        """Whether a note begins the next call: one that belongs after the response, or comes while it is repeated."""
        return response.is_repeated or self._grid.nearest_step(seconds) >= response.end_step

    def _set_call_end(self) -> None:
        bars, steps_per_bar = self._settings.call_bars, self._settings.meter.steps_per_bar
        end = self._call.silent_from + steps_per_bar if bars is None else self._call.first_step + bars * steps_per_bar
        self._call_ends = end - _HALF_STEP

    def _begin_response(self) -> None:
        """Ask the model, and have its first note ready for its beat."""
        meter, settings = self._settings.meter, self._settings
        if settings.call_bars is None:
            sung_until = self._call.silent_from
            beats = -(-(sung_until + meter.steps_per_bar) // meter.steps_per_beat)
            start_step = beats * meter.steps_per_beat
            # The bar of silence is left out, so that the response is where the melody would have gone on, and
            # the model's bars are those of the clock.
            call = self._call.melody(start_step - meter.steps_per_bar)
        else:
            sung_until = start_step = self._call.first_step + settings.call_bars * meter.steps_per_bar
            call = self._call.melody(start_step)
        call_bars = min(-(-(sung_until - self._call.first_step) // meter.steps_per_bar), MAX_CALL_BARS)
        num_steps = (settings.response_bars or call_bars) * meter.steps_per_bar
        self._response = Response(self._respond(call, self.temperature), start_step, num_steps)
        self._velocity = self._call.velocity
        self.state = State.RESPONSE
        if self._tell is not None:
            self._tell(Voice.PLAYER, call)

    def _play(self, response: Response, seconds: float) -> None:
        pitch, starts = self._pitch, False
        while self._grid.seconds_of(response.next_step) <= seconds:
            if not response.is_over:
                event = response.take()
                if event >= MIN_PITCH:
                    pitch, starts = event, True
                elif event == NOTE_OFF:
                    pitch = None
            elif self._settings.loop and not self._is_last_round:
                self._tell_of(response)
                response.begin_again()
                pitch = None
            else:
                self._end_response(response)
                return
        if starts or pitch is None:
            self._sound(pitch)
        response.draw_ahead()

    def _sound(self, pitch: int | None) -> None:
        """The model's voice goes on to this pitch, or falls silent."""
        channel = self._settings.channel
        if self._pitch is not None:
            self._voices.end(Voice.MODEL, channel, self._pitch)
        self._pitch = pitch
        if pitch is not None:
            self._voices.start(Voice.MODEL, channel, pitch, self._velocity)

    @property
    def _is_last_round(self) -> bool:
        return self._rounds + 1 == self._settings.num_rounds

    def _end_response(self, response: Response) -> None:
        self._sound(None)
        self._response = None
        self.state = State.FINISHED if self._is_last_round else State.LISTENING
        self._rounds += 1
        self._tell_of(response)

    def _tell_of(self, response: Response) -> None:
        if self._tell is not None and not response.is_repeated:
            self._tell(Voice.MODEL, response.melody(self._settings.meter))


POLL_SECONDS = 0.001
"""How long a message may wait to be heard: as long as sending it takes on a MIDI cable (3 bytes at 31,250 bit/s)."""


class InputPort(Protocol):
    """Where the player is heard."""

    def pending(self) -> Iterable[bytes]:
        """The MIDI messages that came since the last call."""
        ...


class Lead(Protocol):
    """Another's clock, which a session follows."""

    def hear(self, message: bytes, seconds: float) -> None:
        """A MIDI message came at this time."""
        ...

    def grid_at(self, seconds: float) -> Grid | None:
        """Where the steps are, or None while it stands."""
        ...


def play(
    session: Session,
    voices: Voices,
    input_port: InputPort,
    clock: Clock,
    is_stopped: Callable[[], bool] = lambda: False,
    *,
    lead: Lead | None = None,
    lead_port: InputPort | None = None,
) -> None:
    """Play a session to its end, and leave silence however it ends.

    Args:
        session: what is played.
        voices: where it sounds.
        input_port: where the player is heard.
        clock: the session's.
        is_stopped: called again and again; True ends the session.
        lead: whose time the session follows, if not its own.
        lead_port: where that is heard; the input port if not given.
    """

    def hear_lead(message: bytes, seconds: float) -> None:
        assert lead is not None
        lead.hear(message, seconds)
        session.follow(lead.grid_at(seconds))

    # The lead first: a note may come together with the beat that it is on.
    hearers: dict[InputPort, list[Callable[[bytes, float], None]]] = {}
    if lead is not None:
        hearers[lead_port or input_port] = [hear_lead]
    hearers.setdefault(input_port, []).append(session.hear)
    try:
        while session.state is not State.FINISHED and not is_stopped():
            if lead is not None:
                session.follow(lead.grid_at(clock.now()))
            for port, heard_by in hearers.items():
                for message in port.pending():
                    for hear in heard_by:
                        hear(message, clock.now())
            session.advance(clock.now())
            clock.sleep(max(0.0, min(POLL_SECONDS, session.next_due - clock.now())))
    finally:
        voices.panic()
