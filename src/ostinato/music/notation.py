"""A melody as it is written on paper: bars, ties, rests, beams, key, accidentals.

The rules of engravers, as far as one voice on a grid of 16ths needs them:

- A melody whose first note starts in the second half of its first bar begins with an upbeat: that bar is written short,
  and the last one too if both together are a bar. Otherwise each bar is filled with rests.
- A note is cut, and tied, at bar lines, where a chord begins, and where it would hide a beat stronger than the one on
  which it starts. The common syncopations are left whole: eighth, quarter, eighth, and quarter, half, quarter.
- Notes are beamed by the beat: quarters, or three eighths in 6/8; in 4/4 and 2/2 four eighths of a half bar together.
- A note outside the key is spelled as a sharp or a flat as its place in the circle of fifths has it: in C major F#, C#
  and G#, but Bb and Eb.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, chain, groupby, pairwise

import numpy as np

from ostinato.formats.scores.sheet import (
    LETTERS_BY_FIFTHS,
    NOTE_VALUES,
    Bar,
    Beam,
    Pitch,
    Sheet,
    Sign,
    key_alterations,
)
from ostinato.music.chords import key_of_chords
from ostinato.music.keys import MAJOR_KEYS, Key, parse_key
from ostinato.music.melody import NOTES_PER_OCTAVE, Melody
from ostinato.music.meter import STEPS_PER_BAR, STEPS_PER_QUARTER, Meter
from ostinato.music.notes import note_spans

# By the semitones from a tonic up to the major key with its signature: how many sharps that key has more, and the mode.
_MODES = {
    0: (0, "major"),
    7: (1, "lydian"),
    5: (-1, "mixolydian"),
    10: (-2, "dorian"),
    3: (-3, "minor"),
    8: (-4, "phrygian"),
    1: (-5, "locrian"),
}
_MOST_SHARPS = 7
# A chromatic scale on the circle of fifths, from the tonic of the major key on: Eb is -3 in C, G# is 8.
_FLATTEST, _SHARPEST = -3, 8
_ENDINGS = (0, 3, 10, 5)  # major, minor, Dorian, Mixolydian: semitones from the last note up to the major key
_SINGLE = range(-8, 13)  # Fb to B#: beyond are double flats and sharps
_LOW = 55  # G3: a melody around or below it is easier to read in the bass clef
_BEAMED = 4  # shorter notes have flags

# How strong a step of a bar is.
_BAR, _HALF, _BEAT, _EIGHTH, _SIXTEENTH = 4, 3, 2, 1, 0


def notate(melody: Melody, *, key: Key | None = None, qpm: float = 120.0, title: str = "") -> Sheet:
    """Write a melody down.

    Args:
        melody: what to write; one without notes is a bar of rest at least.
        key: what it is in; estimated if absent, by its chords if it has some.
        qpm: quarters a minute.
        title: above it.
    """
    if key is None:
        # Chords tell better: of 101 lead sheets, 94 have the signature of their chords' key, 77 that of their notes'.
        key = key_of_chords(melody.chords, len(melody)) if melody.chords else estimated_key(melody)
    sharps, tonic, mode = _signature(key)
    spans = note_spans(melody)
    steps_per_bar = melody.steps_per_bar
    first = spans[0][1] if spans else 0
    end = max(len(melody), 1)
    has_upbeat = 2 * first >= steps_per_bar > first and end > steps_per_bar
    begin = first if has_upbeat else 0
    # An upbeat and a last bar that make one bar together are both written short.
    if not (has_upbeat and end % steps_per_bar == begin):
        end += -end % steps_per_bar
    grid = _Grid(melody.meter)
    bars: list[list[Sign]] = [[] for _ in range(0, end, steps_per_bar)]
    chords = {max(step, begin): name for step, name in melody.chords}  # what sounds before the upbeat begins with it
    for pitch, start, stop in _with_rests(spans, begin, end):
        named = None if pitch is None else spelled(pitch, sharps)
        cuts = [start, *sorted(step for step in chords if start < step < stop), stop]
        for step, length in chain.from_iterable(
            grid.pieces(first, last, is_rest=pitch is None) for first, last in pairwise(cuts)
        ):
            is_tied = named is not None and step + length < stop
            goes_on = step > start and named is not None
            bars[step // steps_per_bar].append(Sign(length, named, is_tied, goes_on, chord=chords.get(step, "")))
    return Sheet(
        tuple(
            _beamed(_with_accidentals(signs, sharps), 0 if number else begin, grid) for number, signs in enumerate(bars)
        ),
        melody.meter.time_signature,
        sharps,
        tonic,
        mode,
        qpm,
        title,
        has_upbeat,
        bool(spans) and sum(melody.pitches) / len(melody.pitches) < _LOW,
    )


def _with_rests(spans: Sequence[tuple[int, int, int]], begin: int, end: int) -> Iterator[tuple[int | None, int, int]]:
    """Notes and, as notes without a pitch, the rests between them, from step to step without a gap."""
    step = begin
    for pitch, start, stop in spans:
        if start > step:
            yield None, step, start
        yield pitch, start, stop
        step = stop
    if step < end:
        yield None, step, end


def estimated_key(melody: Melody, signature: int | None = None) -> Key:
    """The key that a melody is in, as far as its notes and its end tell.

    Args:
        melody: what is in it.
        signature: the major key whose sharps or flats it has, 0 = C; None if that is not known.

    The signature is the one that most notes fit. Of several, the one in which
    the last note is the tonic of the major key, or else of the minor, the
    Dorian or the Mixolydian one; of these the one with the fewest sharps or
    flats. Where the last note is no such tonic, the key is called major.
    """
    pitches = melody.pitches
    fitting = np.bincount(np.array(pitches, np.int64) % NOTES_PER_OCTAVE, minlength=NOTES_PER_OCTAVE) @ MAJOR_KEYS
    likely = [major for major in range(NOTES_PER_OCTAVE) if fitting[major] == fitting.max()]
    if signature is not None:
        likely = [signature]
    last = pitches[-1] if pitches else 0
    above = {major: (major - last) % NOTES_PER_OCTAVE for major in likely}

    def by_ending(major: int) -> tuple[int, int]:
        return _ENDINGS.index(above[major]) if above[major] in _ENDINGS else len(_ENDINGS), abs(_sharps(major))

    major = min(likely, key=by_ending)
    more, mode = _MODES[above[major] if above[major] in _ENDINGS else 0]
    return parse_key(f"{_name(_sharps(major) - more)} {mode}")


def spelled(pitch: int, sharps: int) -> Pitch:
    """A MIDI pitch by its name in a key signature of this many sharps, below 0 of flats."""
    fifths = sharps + _FLATTEST + (7 * pitch - sharps - _FLATTEST) % NOTES_PER_OCTAVE
    if fifths not in _SINGLE:
        fifths -= NOTES_PER_OCTAVE if fifths > 0 else -NOTES_PER_OCTAVE
    letter, alter = _letter(fifths)
    return Pitch(letter, alter, (pitch - alter) // NOTES_PER_OCTAVE - 1)


def _letter(fifths: int) -> tuple[str, int]:
    """The letter and the sharps of a place in the circle of fifths, from C on."""
    alter, place = divmod(fifths + 1, len(LETTERS_BY_FIFTHS))
    return LETTERS_BY_FIFTHS[place], alter


def _name(fifths: int) -> str:
    letter, alter = _letter(fifths)
    return letter + ("#" * alter if alter > 0 else "b" * -alter)


def _sharps(major: int) -> int:
    """Of the signature of a major key, 0 = C: -5 to 6."""
    return (7 * major + 5) % NOTES_PER_OCTAVE - 5


def _signature(key: Key) -> tuple[int, str, str]:
    """The sharps of a key, its tonic and its mode, as scores write them; of a scale that is no mode, the nearest."""
    name = key.name.split()[0]
    tonic = LETTERS_BY_FIFTHS.index(name[0]) - 1 + len(LETTERS_BY_FIFTHS) * (name.count("#") - name[1:].count("b"))
    more, mode = _MODES[(key.parent_major - key.tonic) % NOTES_PER_OCTAVE]
    while tonic + more > _MOST_SHARPS:  # D# major is written as Eb major
        tonic -= NOTES_PER_OCTAVE
    while tonic + more < -_MOST_SHARPS:
        tonic += NOTES_PER_OCTAVE
    return tonic + more, _name(tonic), mode


def _beats(meter: Meter) -> list[int]:
    """The lengths of what is beamed together in a bar, in steps."""
    steps, unit = meter.steps_per_bar, STEPS_PER_BAR // meter.denominator
    if meter.denominator in (8, 16):
        if meter.numerator % 3 == 0:
            return [3 * unit] * (meter.numerator // 3)
        if steps % STEPS_PER_QUARTER:
            twos, is_odd = divmod(meter.numerator, 2)
            # 5/8 is two and three, 7/8 two, two and three.
            return [2 * unit] * (twos - is_odd) + [3 * unit] * is_odd if twos else [unit]
    quarters, rest = divmod(steps, STEPS_PER_QUARTER)
    return [STEPS_PER_QUARTER] * quarters + [rest] * bool(rest)


class _Grid:
    """The beats of a bar, and how strong each of its steps is.

    Attributes:
        starts: the first step of each beat, and the end of the bar.
        beat: [S] the beat of each step.
        half: the length of two beats whose eighths are beamed together, in steps; 0 if there are none.
    """

    def __init__(self, meter: Meter) -> None:
        beats = _beats(meter)
        steps = meter.steps_per_bar
        self.starts = list(accumulate(beats, initial=0))
        self.beat = [place for place, length in enumerate(beats) for _ in range(length)]
        self._beats = beats
        has_halves = steps % (2 * STEPS_PER_QUARTER) == 0 and (steps == STEPS_PER_BAR or meter.denominator == 2)
        self.half = 2 * STEPS_PER_QUARTER if has_halves else 0
        self._strength = []
        for step in range(steps):
            place = step - self.starts[self.beat[step]]
            strength = _BEAT if place == 0 else _SIXTEENTH if place % 2 else _EIGHTH
            if place == 0 and self.half and step % self.half == 0:
                strength = _HALF
            self._strength.append(strength)
        self._strength[0] = _BAR

    def pieces(self, start: int, end: int, *, is_rest: bool) -> Iterator[tuple[int, int]]:
        """How a note or rest from step to step of the melody is written: where each part begins, and its length."""
        steps_per_bar = len(self.beat)
        step = start % steps_per_bar
        if not is_rest and self._is_syncopation(step, end - start):
            yield start, end - start
            return
        while start < end:
            step = start % steps_per_bar
            longest = min(end - start, steps_per_bar - step)
            if is_rest and longest == steps_per_bar:
                length = longest
            else:
                length = next(
                    value
                    for value in reversed(NOTE_VALUES)
                    if value <= longest and self._is_clear(step, step + value, is_rest=is_rest)
                )
            yield start, length
            start += length

    def _is_clear(self, start: int, end: int, *, is_rest: bool) -> bool:
        """Whether a note from step to step hides no beat."""
        first, last = self.beat[start], self.beat[end - 1]
        if is_rest and (end - start) % 3 == 0 and end - start != self._beats[first]:
            return False  # rests have no dots, but for one that is a beat
        if first == last:
            place = start - self.starts[first]
            if is_rest:
                return place % min(end - start, 2) == 0
            return self._beats[first] == STEPS_PER_QUARTER or place % 2 == 0 or (place + end - start) % 2 == 0
        if any(length != STEPS_PER_QUARTER for length in self._beats[first : last + 1]):
            # Beats of three eighths are hidden by anything but whole ones.
            return start == self.starts[first] and end == self.starts[last + 1]
        return max(self._strength[start + 1 : end]) <= self._strength[start]

    def _is_syncopation(self, start: int, length: int) -> bool:
        """Whether a note goes as far beyond a stronger beat as it began before it, in a way that is often seen."""
        middle = start + length // 2
        if length not in (4, 8) or start + length > len(self.beat) or set(self._beats) != {STEPS_PER_QUARTER}:
            return False
        hidden = max(self._strength[start + 1 : start + length])
        return self._strength[middle] == hidden == self._strength[start] + 1


def _with_accidentals(signs: Sequence[Sign], sharps: int) -> list[Sign]:
    """The signs of a bar, with an accidental wherever a reader could be in doubt.

    Some read an accidental as meant for its octave, some for all octaves, and
    some hold that one that is tied over the bar line is over, some not.
    """
    key = key_alterations(sharps)
    by_letter: dict[str, int | None] = {}
    by_octave: dict[tuple[str, int], int] = {}
    marked = []
    for place, sign in enumerate(signs):
        pitch = sign.pitch
        if pitch is not None and sign.goes_on:
            if place == 0 and pitch.alter != key[pitch.letter]:
                by_letter[pitch.letter] = None  # in doubt
        elif pitch is not None:
            octave = pitch.letter, pitch.octave
            known = {by_letter.get(pitch.letter, key[pitch.letter]), by_octave.get(octave, key[pitch.letter])}
            if known != {pitch.alter}:
                by_letter[pitch.letter] = by_octave[octave] = pitch.alter
                sign = replace(sign, shows_accidental=True)
        marked.append(sign)
    return marked


def _beamed(signs: Sequence[Sign], start: int, grid: _Grid) -> Bar:
    """The signs of a bar, from this step on, with the beams between them."""
    steps = list(accumulate((sign.length for sign in signs), initial=start))[:-1]
    groups: dict[int, list[int]] = {}  # of places, by the step where their beat begins
    for place, (step, sign) in enumerate(zip(steps, signs, strict=True)):
        if sign.pitch is not None and sign.length < _BEAMED:
            groups.setdefault(grid.starts[grid.beat[step]], []).append(place)
    for first in range(0, len(grid.beat), grid.half or len(grid.beat)):
        second = first + STEPS_PER_QUARTER
        halves = [groups.get(first, []), groups.get(second, [])]
        if grid.half and all([signs[place].length for place in half] == [2, 2] for half in halves):
            groups[first] += groups.pop(second)
    beamed = list(signs)
    for group in groups.values():
        # A rest or a longer note among them parts them.
        for _, run in groupby(enumerate(group), lambda item: item[1] - item[0]):
            places = [place for _, place in run]
            for place, beams in zip(
                places, _beams([(steps[place], signs[place].length) for place in places]), strict=True
            ):
                beamed[place] = replace(signs[place], beams=beams)
    return tuple(beamed)


def _beams(notes: Sequence[tuple[int, int]]) -> list[tuple[Beam, ...]]:
    """The beams of notes that are beamed together, given as (step, length)."""
    if len(notes) < 2:
        return [()]
    last = len(notes) - 1
    beams: list[tuple[Beam, ...]] = [("begin",), *(("continue",) for _ in notes[1:-1]), ("end",)]
    for is_sixteenth, run in groupby(range(len(notes)), lambda place: notes[place][1] == 1):
        places = list(run)
        if not is_sixteenth:
            continue
        for place in places:
            if len(places) == 1:
                # The hook points to the note with which it makes an eighth or a dotted one.
                points_forward = place == 0 or (place < last and notes[place][0] % 2 == 0)
                second: Beam = "forward hook" if points_forward else "backward hook"
            else:
                second = "begin" if place == places[0] else "end" if place == places[-1] else "continue"
            beams[place] += (second,)
    return beams
