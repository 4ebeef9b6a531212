"""Key encoding, of the Attention RNN: what sounds, where it is going, and which keys it fits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ostinato.encodings.encoding import EventGate
from ostinato.encodings.notes_so_far import NO_PITCH, NotesSoFar
from ostinato.encodings.repeats import Lookbacks, Past, RepeatEncoding, num_lookbacks, with_repeats
from ostinato.errors import SettingsError
from ostinato.music.melody import MIN_PITCH, NO_EVENT, NOTES_PER_OCTAVE
from ostinato.music.meter import STEPS_PER_BAR, Meter

if TYPE_CHECKING:
    from ostinato.music.chords import Progression


@dataclass(frozen=True, slots=True)
class KeyEncoding(RepeatEncoding):
    """The sounding pitch and its direction, repeats, the meter, and the keys that the notes fit.

    With R = max_pitch - min_pitch pitches, L lookback distances and K counter
    bits, row p of the inputs is what is known after event p:

    | input             | value                                                          | by default |
    |-------------------|----------------------------------------------------------------|------------|
    | [0, R)            | the sounding pitch, one-hot                                    | [0, 36)    |
    | R                 | 1 while a note sounds                                          | 36         |
    | R + 1             | 1 while none does                                              | 37         |
    | R + 2             | 1 at a note's start; a note-off leaves it, a no event clears it | 38        |
    | R + 3             | the last move between different pitches: 1 up, -1 down, 0 none yet | 39     |
    | L values          | 1 where event p equals the one the distance ago                | [40, 42)   |
    | K values          | bit 0 .. K - 1 of the counter, as +1 or -1                     | [42, 49)   |
    | 1 value           | 1 where p + 1 starts a bar                                     | 49         |
    | 12 values         | 1 for each major key that most notes so far fit: all that tie  | [50, 62)   |
    | 12 values         | the same of the last three different pitches                   | [62, 74)   |

    A label is the furthest repeat that holds, or else the event:

    | class              | meaning                                                   | by default |
    |--------------------|-----------------------------------------------------------|------------|
    | [0, R)             | the pitch starts                                          | [0, 36)    |
    | R                  | no event                                                  | 36         |
    | R + 1              | note-off                                                  | 37         |
    | [R + 2, R + 2 + L) | the event of that distance ago again                      | 38, 39     |
    | R + 1 + L          | also a no event at a position before the furthest distance | 39        |

    Attributes:
        min_pitch: lowest pitch.
        max_pitch: highest pitch, not included; at least an octave above the lowest.
        transpose_to_key: major key that melodies are moved to (0 = C), or None to leave them.
        lookback_distances: rising, in steps or in bars of the melody's own meter; see `repeats`. Magenta's are one and
            two bars of 4/4, in every meter.
        counter_bits: K, of the place of the next event; 7 bits count eight bars of 4/4.
        steps_per_bar: length of the bars whose starts are encoded, if the distances are in steps. Magenta's is that of
            4/4, in every meter. If the distances are in bars, it is that of the melody's own meter.

    Raises:
        SettingsError: if a setting is out of range.
    """

    counter_bits: int = 7
    steps_per_bar: int = STEPS_PER_BAR

    def __post_init__(self) -> None:
        RepeatEncoding.__post_init__(self)  # super() knows nothing of a dataclass with slots
        if type(self.steps_per_bar) is not int or self.steps_per_bar < 1:
            raise SettingsError(f"steps_per_bar must be an integer of at least 1, not {self.steps_per_bar!r}")

    @property
    def input_size(self) -> int:
        """D, values per step."""
        lookbacks = num_lookbacks(self.lookback_distances)
        return self._num_event_classes + 2 + lookbacks + self.counter_bits + 1 + 2 * NOTES_PER_OCTAVE

    def stepper(
        self,
        batch_size: int,
        meter: Meter,
        chords: "Sequence[Progression]" = (),  # noqa: ARG002 - chords are not encoded
    ) -> "KeyStepper":
        """Begin `batch_size` empty melodies of this meter."""
        gate = EventGate(batch_size, self.min_pitch, self.max_pitch)
        return KeyStepper(self, gate, Past(batch_size, self._lookbacks(meter)), NotesSoFar.nothing(batch_size))

    def _inputs(
        self, events: NDArray[np.int64], lookbacks: Lookbacks, repeats: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        counters = lookbacks.counters(len(events), self.counter_bits)
        bars_start = self._bars_start(np.arange(len(events)), lookbacks)
        return self._rows(NotesSoFar.along(events), repeats, counters, bars_start)

    def _bars_start(self, positions: NDArray[np.int64], lookbacks: Lookbacks) -> NDArray[np.bool_]:
        """[n]: whether a bar starts after each position."""
        starts: NDArray[np.bool_] = (positions + 1) % (lookbacks.steps_per_bar or self.steps_per_bar) == 0
        return starts

    def _event_classes(self, events: NDArray[np.int64]) -> NDArray[np.int64]:
        num_pitches = self.max_pitch - self.min_pitch
        return np.where(events < MIN_PITCH, events - NO_EVENT + num_pitches, events - self.min_pitch)

    def _events_of_classes(self) -> NDArray[np.int64]:
        return np.concatenate([np.arange(self.min_pitch, self.max_pitch), np.arange(NO_EVENT, MIN_PITCH)])

    def _rows(
        self,
        notes: NotesSoFar,
        repeats: NDArray[np.bool_],
        counters: NDArray[np.float32],
        bars_start: NDArray[np.bool_],
    ) -> NDArray[np.float32]:
        """The table above, of n steps of one melody or of one step of n melodies.

        Args:
            notes: what is known from listening so far, n rows.
            repeats: [n, L], whether the event repeats the one at each distance.
            counters: [n, K] or [1, K].
            bars_start: [n] or [1], whether a bar starts at the next position.
        """
        num_pitches = self.max_pitch - self.min_pitch
        sounds = notes.pitch != NO_PITCH
        rows = np.zeros((len(sounds), self.input_size), np.float32)
        rows[sounds, notes.pitch[sounds] - self.min_pitch] = 1
        rows[:, num_pitches] = sounds
        rows[:, num_pitches + 1] = ~sounds
        rows[:, num_pitches + 2] = notes.attack
        rows[:, num_pitches + 3] = notes.direction
        at = num_pitches + 4
        rows[:, at : at + repeats.shape[1]] = repeats
        at += repeats.shape[1]
        rows[:, at : at + self.counter_bits] = counters
        at += self.counter_bits
        rows[:, at] = bars_start
        rows[:, at + 1 : at + 1 + NOTES_PER_OCTAVE] = notes.keys
        rows[:, at + 1 + NOTES_PER_OCTAVE :] = notes.recent_keys
        return rows


class KeyStepper:
    """Key encoding of B melodies that grow together."""

    def __init__(self, encoding: KeyEncoding, gate: EventGate, past: Past, notes: NotesSoFar) -> None:
        self._encoding = encoding
        self._gate = gate
        self._past = past
        self._notes = notes

    def push(self, events: NDArray[np.integer]) -> NDArray[np.float32]:
        """Append one event to each melody; returns [B, D], the inputs at the new position."""
        admitted = self._gate.admit(events)
        position, lookbacks = self._past.num_events, self._past.lookbacks
        repeats = self._past.push(admitted)
        self._notes = self._notes.after(admitted)
        counters = lookbacks.counter(position, self._encoding.counter_bits)
        bars_start = self._encoding._bars_start(np.array([position]), lookbacks)
        return self._encoding._rows(self._notes, repeats, counters, bars_start)

    def class_events(self) -> NDArray[np.int64]:
        """The event that each class stands for at the next position: [B, C]."""
        return with_repeats(self._encoding._events_of_classes(), self._past.ahead())

    def select(self, rows: NDArray[np.integer]) -> "KeyStepper":
        """A new stepper of the melodies at `rows`, in that order; rows may repeat."""
        return KeyStepper(self._encoding, self._gate.select(rows), self._past.select(rows), self._notes.select(rows))
