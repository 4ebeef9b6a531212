"""How chords guide what is drawn: on the beats their notes are likelier, between the beats all are as likely as before.

On a strong beat the odds of a note outside the chord are multiplied by 1 -
strength, on another beat by the square root of that; so are those of holding
such a note. The first beat of a bar is strong, and so are the third of four and
wherever a chord begins. Approach notes between the beats, and whether a note
begins at all, are left to the model.

Shapes: B melodies, C classes.
"""

import copy

import numpy as np
from numpy.typing import NDArray

from ostinato.formats.chord_symbols import NO_CHORD
from ostinato.generation.options import GenerationOptions
from ostinato.generation.transposition import heard_table
from ostinato.music.chords import Chord, Progression, key_of_chords, parse_chords
from ostinato.music.keys import Key
from ostinato.music.melody import MIN_PITCH, NO_EVENT, NOTE_OFF, NOTES_PER_OCTAVE
from ostinato.music.meter import Meter

_STRONG, _OTHER, _BETWEEN = 1.0, 0.5, 0.0  # exponents
_WORST_END = -1e6  # so that of ends that are all impossible the likeliest is taken


def progression_of(options: GenerationOptions, *, upbeat: bool) -> Progression | None:
    """The chords of a melody to be made; None without any.

    Args:
        options: what to make.
        upbeat: whether the melody begins with an upbeat that the model makes.
    """
    opening = options.opening
    if isinstance(options.chords, str):
        chords, period = parse_chords(options.chords, opening.meter)
        return Progression(chords, period, opening.steps_per_bar if upbeat or opening.has_upbeat else 0)
    if options.chords is not None:
        return Progression(tuple(options.chords))
    if not opening.chords:
        return None
    # The primer's own say what goes with it; beyond it nobody knows.
    beyond = () if options.fill else ((len(opening), NO_CHORD),)
    known = tuple(chord for chord in opening.chords if chord[0] < len(opening))
    return Progression((*known, *beyond))


def guides(options: GenerationOptions) -> bool:
    """Whether chords have a say in what is drawn: those that were asked for, or those of what is filled."""
    return options.chords is not None or options.fill is not None


def as_told(progression: Progression, options: GenerationOptions, semitones: int) -> Progression:
    """The chords as a model hears them that works so many semitones above what is heard.

    Where the length of the melody is known they end with it, as those of the tunes did that the model learned from.
    """
    if options.num_steps is not None and not options.until_end:
        progression = Progression(progression.track(options.num_steps))
    return progression.transposed(semitones)


def working_key(progression: Progression) -> Key:
    """The key that a model works in to make a melody over chords."""
    chords = progression.chords
    return key_of_chords(chords, progression.period or chords[-1][0] + 1)


class ChordGuide:
    """What chords make of the next event of B melodies that grow together.

    Args:
        progression: which chord sounds when.
        strength: 0 to 1.
        meter: of the melodies.
        semitones: how far above what is heard the model works.
        batch_size: B.
    """

    def __init__(
        self, progression: Progression, strength: float, meter: Meter, semitones: int, batch_size: int
    ) -> None:
        self._progression, self._strength, self._meter, self._semitones = progression, strength, meter, semitones
        self._step = 0  # events that have been pushed
        self._costs: dict[tuple[str, float], NDArray[np.float64]] = {}  # by chord and weight, of each model's event
        self._sounding: NDArray[np.integer] = np.full(batch_size, NOTE_OFF)  # [B], a pitch or note-off
        self._last = self._sounding  # [B], the last note, also if it is over

    def push(self, events: NDArray[np.integer]) -> None:
        """Append one event to each melody."""
        self._step += 1
        self._sounding = np.where(events == NO_EVENT, self._sounding, events)
        self._last = np.where(events >= MIN_PITCH, events, self._last)

    def select(self, rows: NDArray[np.integer]) -> "ChordGuide":
        """The melodies at `rows`, in that order; rows may repeat."""
        chosen = copy.copy(self)
        chosen._sounding, chosen._last = self._sounding[rows], self._last[rows]
        return chosen

    def lean(self, class_events: NDArray[np.integer]) -> NDArray[np.float64] | None:
        """What is added to the log-probabilities [B, C] of the next event; None for nothing."""
        chord, begins = self._progression.at(self._step)
        weight = _weight(self._step, self._meter, begins=begins)
        if chord is None or not chord.pitch_classes or not weight:
            return None
        costs = self._costs_of(chord, weight)
        held = costs[self._sounding - NO_EVENT]
        lean: NDArray[np.float64] = costs[class_events - NO_EVENT]
        return np.where(class_events == NO_EVENT, held[:, np.newaxis], lean)

    def lean_of_end(self) -> NDArray[np.float64] | float:
        """What is added to the log-probabilities [B] that the tune ends here: by its last note, as on a strong beat."""
        chord, _ = self._progression.at(self._step - 1)
        if chord is None or not chord.pitch_classes:
            return 0.0
        lean: NDArray[np.float64] = np.maximum(self._costs_of(chord, _STRONG)[self._last - NO_EVENT], _WORST_END)
        return lean

    def _costs_of(self, chord: Chord, weight: float) -> NDArray[np.float64]:
        """[130], of the model's events from no event on."""
        costs = self._costs.get((chord.name, weight))
        if costs is None:
            heard = heard_table(self._semitones)
            outside = (heard >= MIN_PITCH) & ~np.isin(heard % NOTES_PER_OCTAVE, chord.pitch_classes)
            with np.errstate(divide="ignore"):  # strict: none of them
                costs = np.where(outside, weight * np.log1p(-self._strength), 0.0)
            self._costs[chord.name, weight] = costs
        return costs


def _weight(step: int, meter: Meter, *, begins: bool) -> float:
    place, beat = step % meter.steps_per_bar, meter.steps_per_beat
    if place == 0 or begins:
        return _STRONG
    if place % beat:
        return _BETWEEN
    # The third beat of four; in 2/4 and 6/8 the second one is weaker than the first.
    beats = meter.steps_per_bar // beat
    return _STRONG if beats % 4 == 0 and place // beat % 2 == 0 else _OTHER
