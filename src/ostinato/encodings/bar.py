"""Bar encoding, of the Ostinato model: lookbacks in bars of the melody's own meter, the place in the bar, the key."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ostinato.encodings.chords import NUM_CHORD_INPUTS, chord_inputs
from ostinato.encodings.encoding import EventGate, checked_events
from ostinato.encodings.lookback import LookbackEncoding, LookbackStepper
from ostinato.encodings.matches import MAX_BARS, Matches, Matching
from ostinato.encodings.notes_so_far import NO_PITCH, NotesSoFar
from ostinato.encodings.one_hot import event_classes, num_event_classes
from ostinato.encodings.repeats import bars_of, num_lookbacks
from ostinato.music.melody import NOTES_PER_OCTAVE, Melody
from ostinato.music.meter import Meter

if TYPE_CHECKING:
    from ostinato.music.chords import Progression

_BEATS = (1, 2, 3, 4, 6, 8, 12)  # lengths of a beat that are distinguished, in steps; all others are one more
# Of repeats, in steps and as shares of a bar: enough to tell a motif from a phrase, and a variation from another tune.
_RUNS = np.array([4, 8, 16, 32, 64])
_LIKENESS = np.array([0.5, 0.7, 0.85, 1])
_LONGEST_RUNS = np.array([4, 8, 16, 24, 32, 48, 64, 96])
_PLACES = 32  # of a bar that are distinguished, enough for two whole notes; all further ones are the last


@dataclass(frozen=True, slots=True)
class BarEncoding:
    """What lookback encoding says with distances in bars, and what else makes a tune easier to predict.

    With D' inputs of the `LookbackEncoding` of the same settings and R pitches,
    row p of the inputs is:

    | input            | value                                                      | by default  |
    |------------------|------------------------------------------------------------|-------------|
    | [0, D')          | lookback encoding                                          | [0, 359)    |
    | 32 values        | the place of p + 1 in its bar, one-hot; the last for more  | [359, 391)  |
    | 32 values        | the bar's length in steps less 1, one-hot; the last for more | [391, 423) |
    | R + 1 values     | the sounding pitch, one-hot, or at the end that none does  | [423, 460)  |
    | 12 values        | 1 for each major key that most notes so far fit: all that tie | [460, 472) |

    With `tells_beat` there follows

    | 8 values         | a beat's length of 1, 2, 3, 4, 6, 8, 12 or other steps, one-hot | [472, 480) |

    and with `tells_matches`, for L distances,

    | 5 L values       | for each distance: do the last 4, 8, 16, 32, 64 steps repeat it? | [480, 520) |
    | 4 L values       | for each: do at least 50, 70, 85, 100 % of the last bar's steps? | [520, 552) |
    | 8 values         | is the longest repeat of 4, 8, 16, 24, 32, 48, 64, 96 steps?     | [552, 560) |
    | R + 2 values     | the event p + 1 if that one goes on, one-hot                     | [560, 598) |

    and with `tells_chords`

    | 54 values        | the chord of p + 1 and the next one; see `chord_inputs`          | [598, 652) |

    Labels are those of lookback encoding. They name the furthest repeat; if training
    counts events and not classes (hparam loss), any repeat or the event itself is
    equally right.

    Attributes:
        min_pitch: lowest pitch.
        max_pitch: highest pitch, not included; at least an octave above the lowest.
        transpose_to_key: major key that melodies are moved to (0 = C), or None to leave them.
        lookback_distances: rising, in bars of the melody's own meter; see `repeats`.
        counter_bits: K, of the place of the next event; 9 bits count 32 bars of up to 16 steps.
        tells_beat: say how long a beat is: 4 steps in 3/4, 6 in 6/8, whose bars are equally long.
        tells_matches: say for how long the melody has been repeating itself; see `matches`.
        tells_chords: say which chord sounds and which comes next.
        foretells_end: have one more class, the last, which says that the tune is over.

    Raises:
        SettingsError: if a setting is out of range.
    """

    min_pitch: int = 48
    max_pitch: int = 84
    transpose_to_key: int | None = 0
    # Phrases, strains and their halves; more distances needed fewer bits (docs/explanation/experiments.md).
    lookback_distances: str = "1,2,3,4,6,8,12,16 bars"
    counter_bits: int = 9
    tells_beat: bool = False
    tells_matches: bool = False
    tells_chords: bool = False
    foretells_end: bool = False

    def __post_init__(self) -> None:
        self._lookback  # noqa: B018 - checks the settings

    @property
    def input_size(self) -> int:
        """D, values per step."""
        size = self._lookback.input_size + 2 * _PLACES + self._num_pitches + 1 + NOTES_PER_OCTAVE
        lookbacks = num_lookbacks(self.lookback_distances)
        matches = lookbacks * (len(_RUNS) + len(_LIKENESS)) + len(_LONGEST_RUNS) + num_event_classes(*self._range)
        return size + self.tells_beat * (len(_BEATS) + 1) + self.tells_matches * matches + self.num_chord_inputs

    @property
    def num_chord_inputs(self) -> int:
        """How many of the inputs, the last ones, tell of chords; all are 0 where none are known."""
        return NUM_CHORD_INPUTS if self.tells_chords else 0

    @property
    def num_classes(self) -> int:
        """C, number of labels."""
        return self._lookback.num_classes + self.foretells_end

    def squash(self, melody: Melody) -> tuple[Melody, int]:
        """Move a melody into the encoding's range and key; returns it and the semitones it went up."""
        return self._lookback.squash(melody)

    def inputs(self, melody: Melody) -> NDArray[np.float32]:
        """[n, D]: row p is fed after event p."""
        events = checked_events(melody, self.min_pitch, self.max_pitch)
        matches = Matches.along(events, melody.steps_per_bar) if self.tells_matches else None
        next_steps = np.arange(1, len(events) + 1)
        chords = [_progression(melody)] if self.tells_chords else []
        lookback, notes = self._lookback.inputs(melody), NotesSoFar.along(events)
        return self._rows(lookback, notes, matches, next_steps, melody.meter, chords)

    def labels(self, melody: Melody) -> NDArray[np.int64]:
        """[n]: the class of each event given those before it."""
        return self._lookback.labels(melody)

    def encode(self, melody: Melody) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Training pairs of a squashed melody: inputs [n - 1, D] and labels [n - 1].

        There is one more if the melody ends and the encoding predicts that.

        Raises:
            DataError: if a pitch is outside the encoding's range.
        """
        inputs, labels = self.inputs(melody), self._lookback.labels(melody)[1:]
        if self.foretells_end and melody.ends:
            return inputs, np.append(labels, self.num_classes - 1)
        return inputs[:-1], labels

    def class_events(self, melody: Melody) -> NDArray[np.int64]:
        """The event that each class stands for at each position, given those before it: [n, C]."""
        return self._lookback.class_events(melody)

    def stepper(self, batch_size: int, meter: Meter, chords: "Sequence[Progression]" = ()) -> "BarStepper":
        """Begin `batch_size` empty melodies of this meter, over these chords: one for all, or of each."""
        lookback, notes = self._lookback.stepper(batch_size, meter), NotesSoFar.nothing(batch_size)
        matching = Matching(batch_size, meter.steps_per_bar) if self.tells_matches else None
        gate = EventGate(batch_size, self.min_pitch, self.max_pitch)
        return BarStepper(self, gate, lookback, notes, matching, 0, meter, chords)

    @property
    def _lookback(self) -> LookbackEncoding:
        return LookbackEncoding(
            self.min_pitch, self.max_pitch, self.transpose_to_key, self.lookback_distances, self.counter_bits
        )

    @property
    def _range(self) -> tuple[int, int]:
        return self.min_pitch, self.max_pitch

    @property
    def _num_pitches(self) -> int:
        return self.max_pitch - self.min_pitch

    def _rows(
        self,
        lookback: NDArray[np.float32],
        notes: NotesSoFar,
        matches: Matches | None,
        next_steps: NDArray[np.int64],
        meter: Meter,
        chords: "Sequence[Progression]",
    ) -> NDArray[np.float32]:
        """The table above, of n steps of one melody or of one step of n melodies.

        Args:
            lookback: [n, D'].
            notes: what is known from listening so far, n rows.
            matches: what has been repeated, n rows; None if the encoding leaves it out.
            next_steps: [n] or [1], p + 1.
            meter: of the melody or melodies.
            chords: of the melody or of each; one for all of them, or nothing if none are known.
        """
        rows = np.zeros((len(lookback), self.input_size), np.float32)
        every = np.arange(len(rows))
        at, steps_per_bar = lookback.shape[1], meter.steps_per_bar
        rows[:, :at] = lookback
        rows[every, at + np.minimum(next_steps % steps_per_bar, _PLACES - 1)] = 1
        rows[:, at + _PLACES + min(steps_per_bar, _PLACES) - 1] = 1
        at += 2 * _PLACES
        rows[every, at + np.where(notes.pitch == NO_PITCH, self._num_pitches, notes.pitch - self.min_pitch)] = 1
        at += self._num_pitches + 1
        rows[:, at : at + NOTES_PER_OCTAVE] = notes.keys
        if self.tells_beat:
            beat = meter.steps_per_beat
            rows[:, at + NOTES_PER_OCTAVE + (_BEATS.index(beat) if beat in _BEATS else len(_BEATS))] = 1
        if matches is not None:
            self._fill_matches(rows[:, at + NOTES_PER_OCTAVE + self.tells_beat * (len(_BEATS) + 1) :], matches, meter)
        if self.tells_chords and chords:
            told = [chord_inputs(one, step) for one, step in itertools.product(chords, next_steps.tolist())]
            rows[:, -NUM_CHORD_INPUTS:] = np.reshape(told, (-1, NUM_CHORD_INPUTS))
        return rows

    def _fill_matches(self, rows: NDArray[np.float32], matches: Matches, meter: Meter) -> None:
        """Write the last four lines of the table into their columns of n rows, which are zero."""
        bars = np.array(bars_of(self.lookback_distances))
        # A repeat further back than the bars that are gone through is not found.
        columns = np.where(bars <= MAX_BARS, bars - 1, MAX_BARS)
        nothing = np.zeros((len(rows), 1), np.int64)
        runs, alike = (np.hstack([each, nothing])[:, columns, np.newaxis] for each in (matches.runs, matches.alike))
        is_it = (
            runs >= _RUNS,
            alike / meter.steps_per_bar >= _LIKENESS,
            matches.longest[:, np.newaxis] >= _LONGEST_RUNS,
        )
        at = 0
        for block in is_it:
            size = block[0].size if len(block) else 0
            rows[:, at : at + size] = block.reshape(len(rows), size)
            at += size
        rows[np.arange(len(rows)), at + event_classes(matches.ahead, self.min_pitch)] = 1


def _progression(melody: Melody) -> "Progression":
    from ostinato.music.chords import Progression  # which most models do without

    return Progression(melody.chords)


class BarStepper:
    """Bar encoding of B melodies that grow together."""

    def __init__(
        self,
        encoding: BarEncoding,
        gate: EventGate,
        lookback: LookbackStepper,
        notes: NotesSoFar,
        matching: Matching | None,
        num_events: int,
        meter: Meter,
        chords: "Sequence[Progression]",
    ) -> None:
        self._encoding = encoding
        self._gate = gate
        self._lookback = lookback
        self._notes = notes
        self._matching = matching
        self._num_events = num_events
        self._meter = meter
        self._chords = chords

    def push(self, events: NDArray[np.integer]) -> NDArray[np.float32]:
        """Append one event to each melody; returns [B, D], the inputs at the new position."""
        admitted = self._gate.admit(events)
        lookback = self._lookback.push(admitted)
        self._notes = self._notes.after(admitted)
        matches = self._matching.push(admitted) if self._matching else None
        self._num_events += 1
        next_steps = np.array([self._num_events])
        return self._encoding._rows(lookback, self._notes, matches, next_steps, self._meter, self._chords)

    def class_events(self) -> NDArray[np.int64]:
        """The event that each class stands for at the next position: [B, C]."""
        return self._lookback.class_events()

    def select(self, rows: NDArray[np.integer]) -> "BarStepper":
        """A new stepper of the melodies at `rows`, in that order; rows may repeat."""
        lookback, notes = self._lookback.select(rows), self._notes.select(rows)
        matching = self._matching.select(rows) if self._matching else None
        gate = self._gate.select(rows)
        chords = [self._chords[row] for row in rows] if len(self._chords) > 1 else self._chords
        return BarStepper(self._encoding, gate, lookback, notes, matching, self._num_events, self._meter, chords)
