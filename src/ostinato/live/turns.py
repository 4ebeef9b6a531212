"""One turn each: the call that the player plays, and the response with which a model continues it."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from ostinato.generation.model import Model
from ostinato.music.melody import NO_EVENT, NOTE_OFF, Melody
from ostinato.music.meter import Meter

MAX_CALL_BARS = 16
"""Of a longer call the model hears only this many last bars, so that feeding them takes no longer than a beat."""
_MAX_NOTE_BARS = 4  # a note that is held longer has lost its note-off


@dataclass(slots=True)
class _Note:
    """A key that went down; `end_step` is None while it is held."""

    channel: int
    pitch: int
    velocity: int
    start_step: int
    end_step: int | None = None


class Call:
    """The notes of a call, as they come.

    Chords and overlapping notes are welcome: all of them count as sound, and the
    melody is what a listener would sing.

    Args:
        first_step: where the call begins: the bar line of its first note.
        meter: of its bars.
    """

    def __init__(self, first_step: int, meter: Meter) -> None:
        self.first_step = first_step
        self._meter = meter
        self._notes: deque[_Note] = deque()

    def press(self, channel: int, pitch: int, velocity: int, step: int) -> None:
        """A key goes down; one that is down already first goes up."""
        self.release(channel, pitch, step)
        self._notes.append(_Note(channel, pitch, velocity, step))
        # What the model will not hear is forgotten, a bar more than that kept.
        forgotten = step - (MAX_CALL_BARS + 1) * self._meter.steps_per_bar
        while self._notes[0].start_step < forgotten:
            self._notes.popleft()

    def release(self, channel: int, pitch: int, step: int) -> None:
        """A key goes up; one that went down before the call began is not missed."""
        for note in self._notes:
            if (note.channel, note.pitch, note.end_step) == (channel, pitch, None):
                note.end_step = max(step, note.start_step + 1)

    def release_all(self, channel: int, step: int) -> None:
        """All keys of a channel go up."""
        for pitch in {note.pitch for note in self._notes if note.channel == channel}:
            self.release(channel, pitch, step)

    @property
    def silent_from(self) -> int:
        """The step where the last note ends; a note that is held counts as four bars long."""
        longest = _MAX_NOTE_BARS * self._meter.steps_per_bar
        return max(note.start_step + longest if note.end_step is None else note.end_step for note in self._notes)

    @property
    def velocity(self) -> int:
        """How hard the keys were hit, 1..127: the mean."""
        return round(sum(note.velocity for note in self._notes) / len(self._notes))

    def melody(self, end_step: int) -> Melody:
        """The call up to `end_step`, from its first bar line, but not more than its last 16 bars.

        A later note cuts off the one that is sounding; of notes that start together the
        highest is taken.
        """
        bars_too_many = -(-(end_step - self.first_step) // self._meter.steps_per_bar) - MAX_CALL_BARS
        first_step = self.first_step + max(0, bars_too_many) * self._meter.steps_per_bar
        events = [NO_EVENT] * (end_step - first_step)
        by_start: dict[int, _Note] = {}
        for note in self._notes:
            rival = by_start.get(note.start_step)
            if first_step <= note.start_step < end_step and (rival is None or rival.pitch < note.pitch):
                by_start[note.start_step] = note
        # From the back, so that the next note's start is known.
        next_start = end_step
        for start_step, note in sorted(by_start.items(), reverse=True):
            events[start_step - first_step] = note.pitch
            if note.end_step is not None and note.end_step < next_start:
                events[note.end_step - first_step] = NOTE_OFF
            next_start = start_step
        return Melody(events, first_step, meter=self._meter)


Respond = Callable[[Melody, float], Iterator[int]]
"""From a call and a temperature to endless events. The call is fed at once; each event is drawn when asked for."""

_WARM_UP = Melody([60, -2, 62, -2])


def model_responder(model: Model, seed: int) -> Respond:
    """Let a model respond.

    Args:
        model: what responds.
        seed: 0 or more; the same calls get the same responses again.
    """
    random = np.random.default_rng(seed)

    def respond(call: Melody, temperature: float) -> Iterator[int]:
        return model.stream(call, temperature=temperature, seed=random)

    # The first products a process computes take longer than all that follow.
    for _ in islice(model.stream(_WARM_UP, seed=0), 16):
        pass
    return respond


class Response:
    """A response on the grid, whose events are drawn one ahead of being played.

    Args:
        events: what is played; endless.
        start_step: where it begins.
        num_steps: how much of it is played.
    """

    def __init__(self, events: Iterator[int], start_step: int, num_steps: int) -> None:
        self.is_repeated = False
        self._coming = events
        self._drawn: list[int] = []
        self._position = 0
        self._num_steps = num_steps
        self._start_step = start_step
        self.draw_ahead()

    @property
    def next_step(self) -> int:
        """Where its next event is due, or where it ends."""
        return self._start_step + self._position

    @property
    def end_step(self) -> int:
        """The step after the last one, this time through."""
        return self._start_step + self._num_steps

    @property
    def is_over(self) -> bool:
        """Whether it has been played to its end."""
        return self._position == self._num_steps

    def take(self) -> int:
        """The event that is due."""
        self.draw_ahead()
        self._position += 1
        return self._drawn[self._position - 1]

    def draw_ahead(self) -> None:
        """Draw the next event, in the time until it is due."""
        if len(self._drawn) == self._position < self._num_steps:
            self._drawn.append(next(self._coming))

    def begin_again(self) -> None:
        """Play it once more, right after its end."""
        self._start_step += self._num_steps
        self._position = 0
        self.is_repeated = True

    def melody(self, meter: Meter) -> Melody:
        """All of it that was drawn."""
        return Melody(self._drawn, meter=meter)
