"""A session without hardware: a clock turned by hand, a player with a script, an output that remembers."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, repeat

from ostinato.live.session import Lead, Session, SessionSettings, play
from ostinato.live.voices import Kind, Voice, Voices, channel_of, control_change, kind, note_off, note_on
from ostinato.music.melody import Melody

# At 120 quarters a minute a 16th is 1/8 s, so every moment of the grid is exact in binary.
STEP = 0.125
BEAT = 4 * STEP
BAR = 16 * STEP
START = 100.0

Script = Iterable[tuple[float, bytes]]


class SimulatedClock:
    """Time goes on only while somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = START

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class ScriptedInput:
    """Messages that come at their moments, in seconds from the session's start."""

    def __init__(self, clock: SimulatedClock, script: Script) -> None:
        self._clock = clock
        self._coming = sorted(script, key=lambda entry: entry[0])

    def pending(self) -> Iterator[bytes]:
        while self._coming and self._coming[0][0] + START <= self._clock.now():
            yield self._coming.pop(0)[1]


class Stage:
    """A session that can be played through at once.

    Args:
        script: what the player does, and when.
        response: the events the model comes up with, then rests for ever.
        compute_seconds: how long it takes to hear a call.
        settings: of the session.
        lead: whose time the session follows, if not its own.
        lead_script: what that hears, and when.
    """

    def __init__(
        self,
        script: Script = (),
        response: Iterable[int] = (),
        settings: SessionSettings | None = None,
        compute_seconds: float = 0.0,
        lead: Lead | None = None,
        lead_script: Script = (),
    ) -> None:
        self.clock = SimulatedClock()
        self.sent: list[tuple[float, bytes]] = []
        self.calls: list[tuple[Melody, float]] = []
        self.told: list[tuple[Voice, Melody]] = []
        self._response = list(response)
        self._compute_seconds = compute_seconds
        self.input = ScriptedInput(self.clock, script)
        self.lead = lead
        self.lead_port = ScriptedInput(self.clock, lead_script)
        self.voices = Voices(self.send)
        self.session = Session(
            settings or SessionSettings(metronome=False),
            self.respond,
            self.voices,
            START,
            lambda voice, melody: self.told.append((voice, melody)),
        )

    def send(self, message: bytes) -> None:
        self.sent.append((self.clock.now() - START, message))

    def respond(self, call: Melody, temperature: float) -> Iterator[int]:
        self.calls.append((call, temperature))
        self.clock.sleep(self._compute_seconds)
        return chain(self._response, repeat(-2))

    def play(self, seconds: float, is_stopped: Callable[[], bool] = lambda: False) -> "Stage":
        """Play until so many seconds after the start."""
        play(
            self.session,
            self.voices,
            self.input,
            self.clock,
            lambda: is_stopped() or self.clock.now() - START >= seconds,
            lead=self.lead,
            lead_port=self.lead_port,
        )
        return self

    def started(self, channel: int = 0) -> list[tuple[float, int]]:
        """When which notes started on a channel."""
        return [
            (seconds, message[1])
            for seconds, message in self.sent
            if kind(message) == Kind.NOTE_ON and channel_of(message) == channel
        ]

    def ended(self, channel: int = 0) -> list[tuple[float, int]]:
        """When which notes ended on a channel."""
        return [
            (seconds, message[1])
            for seconds, message in self.sent
            if kind(message) == Kind.NOTE_OFF and channel_of(message) == channel
        ]


def sounding(messages: Iterable[bytes]) -> set[tuple[int, int]]:
    """The notes (channel, pitch) that sound after these messages, on an output that heeds nothing but note-offs."""
    notes: set[tuple[int, int]] = set()
    for message in messages:
        note = (channel_of(message), message[1])
        if kind(message) == Kind.NOTE_ON:
            notes.add(note)
        elif kind(message) == Kind.NOTE_OFF:
            notes.discard(note)
    return notes


def panic_of(channel: int) -> list[bytes]:
    """How a channel that was used is left: pedal up, all notes off, all sound off."""
    return [control_change(channel, 64, 0), control_change(channel, 123, 0), control_change(channel, 120, 0)]


def quarters(pitches: Iterable[int], start: float = 0.0, held: float = 0.4) -> list[tuple[float, bytes]]:
    """Quarter notes one after the other on channel 0; 0.4 of 0.5 seconds is 3 of 4 steps, rounded."""
    script = []
    for number, pitch in enumerate(pitches):
        script.append((start + number * BEAT, note_on(0, pitch, 80)))
        script.append((start + number * BEAT + held, note_off(0, pitch)))
    return script
