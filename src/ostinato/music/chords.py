"""Chords beside a melody: their names, where they sound, and how they are played.

A chord track is a tuple of (step, name): from that step of the melody on the
chord sounds, until the next one. `N.C.` is no chord. How names are spelled is
in `ostinato.formats.chord_symbols`.
"""

import functools
import operator
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, get_args

from ostinato.errors import SettingsError, printable
from ostinato.formats.chord_symbols import MAX_LETTERS, NO_CHORD, Symbol, pitch_class, read_symbol, transposed
from ostinato.music.meter import STEPS_PER_QUARTER, Meter

if TYPE_CHECKING:
    from ostinato.formats.note_sequence_pb2 import NoteSequence
    from ostinato.music.keys import Key

ChordTrack = tuple[tuple[int, str], ...]
"""(step, name) in order of the steps."""

Accompaniment = Literal["block", "arpeggio", "bass"]
"""How chords are played: held, note after note in eighths, or bass and chord in turn as the meter has it."""
ACCOMPANIMENTS: tuple[str, ...] = get_args(Accompaniment)

_NOTES_PER_OCTAVE = 12
_LOWEST_BASS, _LOWEST_TONE = 40, 52  # E2 and E3: each has the octave from there on
_MOST_TONES = 4
_MAX_CHORDS = 10_000
_MOST_SECONDS = 1e6  # eleven days
_TONICS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_HOME = 0.2  # a chord that begins or ends on the tonic weighs as much as this share of all notes
_SHOWN = 60  # letters of a text in an error
_LONG_BEAT = 6  # steps: such a beat has bass and chord in it


@dataclass(frozen=True, slots=True)
class Chord:
    """A chord.

    Attributes:
        name: in our spelling, such as "F#m7b5" or "Am/G"; "N.C." is no chord.
        root: its pitch class, 0 = C; None for no chord.
        bass: of the note after the slash, or else the root.
        pitch_classes: of its notes, from the root up; a bass that is none of them comes last.
    """

    name: str
    root: int | None
    bass: int | None
    pitch_classes: tuple[int, ...]

    def __str__(self) -> str:
        return self.name


def parse_chord(text: str) -> Chord:
    """Read a chord name as people write it: "C", "F#m7b5", "Bbmaj7", "Am/G", "N.C.", or the German "H7".

    Raises:
        SettingsError: if it is none.
    """
    symbol = read_symbol(text) if isinstance(text, str) else None
    if symbol is None:
        shown = repr(printable(text[:MAX_LETTERS])) if isinstance(text, str) else repr(text)
        raise SettingsError(
            f"there is no chord {shown}; write a root and a kind, such as C, F#m7b5, Bbmaj7 or Am/G, or N.C. for none"
        )
    return _chord(symbol)


@functools.lru_cache(4096)
def _chord(symbol: Symbol) -> Chord:
    if not symbol.root:
        return Chord(symbol.text, None, None, ())
    root = pitch_class(symbol.root)
    bass = pitch_class(symbol.bass) if symbol.bass else root
    notes = dict.fromkeys((root + interval) % _NOTES_PER_OCTAVE for interval in symbol.intervals)
    return Chord(symbol.text, root, bass, tuple(notes | {bass: None}))


def transpose_chords(chords: ChordTrack, semitones: int, *, flats: bool = False) -> ChordTrack:
    """The chords this many semitones higher.

    Args:
        chords: of a melody.
        semitones: how far.
        flats: whether the new names have flats, where they need one or the other.
    """
    return tuple((step, transposed(_symbol(name), semitones, flats=flats).text) for step, name in chords)


def _symbol(name: str) -> Symbol:
    symbol = read_symbol(name)
    assert symbol  # a track holds names that were read
    return symbol


def chord_track(chords: Iterable[tuple[int, str]]) -> ChordTrack:
    """A chord track of chords as they are given: names in our spelling, and none that only says again what sounds.

    Raises:
        SettingsError: if a name is no chord, a step is no whole number of 0 or more, or the steps do not ascend.
    """
    track: list[tuple[int, str]] = []
    last = -1
    for given in chords:
        try:
            step, name = given
            step = operator.index(step)
        except (TypeError, ValueError):
            raise SettingsError(f"chords are pairs of a step and a name such as (16, 'Am'), not {given!r}") from None
        if step <= last:
            raise SettingsError(
                f"chords: {name!r} is at step {step}, but must be at {last + 1} or later; put them in order"
            )
        last, name = step, parse_chord(name).name
        if not track or track[-1][1] != name:
            track.append((step, name))
    return tuple(track)


def parse_chords(text: str, meter: Meter) -> tuple[ChordTrack, int]:
    """Read chords as they are written in bars: "C | Am | F G | C".

    The chords of a bar share its beats, the first ones with one more if they do
    not come out even. `%` is the bar before once more, and `/` lets a chord go on
    for as long as another one would sound.

    Args:
        text: the bars, with | between them.
        meter: of the bars.

    Returns:
        The chords, and how many steps the bars have.

    Raises:
        SettingsError: if a name is no chord, or there are no bars.
    """
    bars = [bar.split() for bar in re.sub(r"[\[\]]?\|+[\]\[]?", "|", text).split("|") if bar.strip()]
    shown = printable(text[:_SHOWN])
    if not bars:
        raise SettingsError(f'chords={shown!r} has no bars; write them as "C | Am | F G | C"')
    if sum(map(len, bars)) > _MAX_CHORDS:
        raise SettingsError(f"chords={shown!r}... has more than {_MAX_CHORDS} chords; write fewer, they repeat")
    starts: list[tuple[int, str]] = []
    before: list[str] = []
    for number, words in enumerate(bars):
        if words == ["%"]:
            words = before
        if len(words) > meter.steps_per_bar:
            raise SettingsError(
                f"chords={shown!r}: bar {number + 1} has {len(words)} chords, but a bar of {meter} has "
                f"{meter.steps_per_bar} steps"
            )
        if not words or (words[0] == "/" and not starts):
            raise SettingsError(f"chords={shown!r}: bar {number + 1} has no chord to repeat; begin with a name")
        for place, word in zip(_shared(len(words), meter), words, strict=True):
            if word != "/":
                starts.append((number * meter.steps_per_bar + place, _named(word, shown, number + 1)))
        before = words
    return chord_track(starts), len(bars) * meter.steps_per_bar


def _named(word: str, shown: str, bar: int) -> str:
    try:
        return parse_chord(word).name
    except SettingsError as error:
        raise SettingsError(f"chords={shown!r}: bar {bar}: {error}") from None


def chords_text(chords: ChordTrack, num_steps: int, meter: Meter) -> str:
    """Chords on one line, bar by bar, as `parse_chords` reads them: "C | Am | F G | %".

    A chord that begins between the beats is shown on the beat before.
    """
    beat, bar = meter.steps_per_beat, meter.steps_per_bar
    bars: list[str] = []
    held = NO_CHORD
    for start in range(0, num_steps, bar):
        began = {(step - start) // beat: name for step, name in chords if start <= step < start + bar}
        words = [began.get(place, "/") for place in range(bar // beat)]
        words[0] = began.get(0, held)
        held = next(word for word in reversed(words) if word != "/")
        # The shortest way to say it.
        shares = [_shared(count, meter) for count in range(1, len(words) + 1)]
        count = next(n for n, share in enumerate(shares, 1) if {place * beat for place in (0, *began)} <= set(share))
        bars.append(" ".join(words[place // beat] for place in shares[count - 1]))
    return " | ".join("%" if place and bars[place - 1] == text else text for place, text in enumerate(bars))


def _shared(count: int, meter: Meter) -> list[int]:
    """The steps at which so many chords begin in a bar."""
    beats = meter.steps_per_bar // meter.steps_per_beat
    if count > beats:
        return [place * meter.steps_per_bar // count for place in range(count)]
    return [-(-place * beats // count) * meter.steps_per_beat for place in range(count)]


@dataclass(frozen=True, slots=True)
class Progression:
    """Which chord sounds at which step of a melody, however long it will be.

    Attributes:
        chords: from `first_step` on.
        period: after how many steps they come again; None if the last one goes on.
        first_step: of the first bar that is counted.
    """

    chords: ChordTrack
    period: int | None = None
    first_step: int = 0

    def at(self, step: int) -> tuple[Chord | None, bool]:
        """The chord that sounds at a step, and whether it begins there."""
        place = self._place(step)
        held = self._held(place)
        if held < 0:
            return None, False
        start, name = self.chords[held]
        return parse_chord(name), start == place

    def next_after(self, step: int) -> tuple[Chord, int] | None:
        """The chord that comes after the one that sounds at a step, and how many steps later; None if none comes."""
        place = self._place(step)
        held = self._held(place)
        if held + 1 < len(self.chords):
            start, name = self.chords[held + 1]
            return parse_chord(name), start - place
        if self.period is not None:
            # Where the chords begin with the one that they end with, it goes on.
            for start, name in self.chords[:2]:
                if name != self.chords[held][1]:
                    return parse_chord(name), start + self.period - place
        return None

    def track(self, num_steps: int) -> ChordTrack:
        """The chords of a melody of this many steps."""
        if self.period is None:
            return chords_between(self.chords, -self.first_step, num_steps - self.first_step)
        again = (
            (start + step, name)
            for start in range(self.first_step, num_steps, self.period)
            for step, name in self.chords
            if start + step < num_steps
        )
        return chord_track(again)

    def transposed(self, semitones: int) -> "Progression":
        """The chords this many semitones higher."""
        return Progression(transpose_chords(self.chords, semitones), self.period, self.first_step)

    def _place(self, step: int) -> int:
        """The step, counted from the first one; below 0 before it."""
        place = step - self.first_step
        return place % self.period if self.period is not None and place >= 0 else place

    def _held(self, place: int) -> int:
        """The number of the chord that sounds there; -1 for none yet."""
        return bisect_right(self.chords, place, key=lambda chord: chord[0]) - 1


def chords_between(chords: ChordTrack, start: int, end: int) -> ChordTrack:
    """The chords of the steps start..end of a melody, end not included, counted from `start`."""
    held = bisect_right(chords, start, key=lambda chord: chord[0]) - 1
    first = [(0, chords[held][1])] if held >= 0 else []
    return tuple(first + [(step - start, name) for step, name in chords if start < step < end])


def chord_spans(chords: ChordTrack, num_steps: int) -> Iterator[tuple[Chord, int, int]]:
    """Each chord that sounds, with its start step and its end step."""
    for (start, name), (end, _) in pairwise((*chords, (num_steps, ""))):
        if min(end, num_steps) > start and (chord := parse_chord(name)).pitch_classes:
            yield chord, start, min(end, num_steps)


def key_of_chords(chords: ChordTrack, num_steps: int) -> "Key":
    """The key that chords are in, major or minor, as far as their notes and the first and the last of them tell.

    Args:
        chords: what sounds.
        num_steps: for how long.
    """
    from ostinato.music.keys import parse_key

    spans = list(chord_spans(chords, num_steps))

    def fit(key: "Key") -> float:
        third = min(note for note in (3, 4) if (key.tonic + note) % _NOTES_PER_OCTAVE in key.pitch_classes)
        homes = [chord.root == key.tonic and (key.tonic + third) % 12 in chord.pitch_classes for chord, _, _ in spans]
        inside = [
            (end - start) * sum(note in key.pitch_classes for note in chord.pitch_classes) / len(chord.pitch_classes)
            for chord, start, end in spans
        ]
        return sum(inside) / max(num_steps, 1) + _HOME * (homes[0] + homes[-1])

    keys = [parse_key(f"{name} {mode}") for mode in ("major", "minor") for name in _TONICS]
    return max(keys, key=fit) if spans else keys[0]


def chords_in(note_sequence: "NoteSequence") -> list[tuple[float, str]]:
    """The chords of a NoteSequence, in seconds: its text annotations that are chord symbols and can be read."""
    found = [
        (text.time, symbol.text)
        for text in note_sequence.text_annotations
        if text.annotation_type == text.CHORD_SYMBOL
        and 0 <= text.time < _MOST_SECONDS
        and (symbol := read_symbol(text.text))
    ]
    return sorted(found, key=lambda chord: chord[0])


def accompany(
    chords: ChordTrack, num_steps: int, meter: Meter, style: Accompaniment = "block"
) -> list[tuple[int, int, int]]:
    """The chords as they are played below a melody.

    Args:
        chords: what sounds.
        num_steps: length of the melody.
        meter: of its bars.
        style: "block" holds them, and strikes them again in each bar; "arpeggio" plays their notes one after the other
            in eighths, from the bass up; "bass" plays the bass on the strong beats and the chord on the others, within
            the beat where the meter counts in threes, as 6/8 does, or in halves.

    Returns:
        Notes as (pitch, start step, end step), by their start. The bass is in E2..D#3, the chord in E3..D#4.

    Raises:
        SettingsError: if there is no such style.
    """
    if style not in ACCOMPANIMENTS:
        raise SettingsError(f"the accompaniment must be one of {', '.join(ACCOMPANIMENTS)}, not {style!r}")
    notes: list[tuple[int, int, int]] = []
    for chord, start, end in chord_spans(chords, num_steps):
        assert chord.bass is not None
        bass = _LOWEST_BASS + (chord.bass - _LOWEST_BASS) % _NOTES_PER_OCTAVE
        tones = sorted(_LOWEST_TONE + (tone - _LOWEST_TONE) % _NOTES_PER_OCTAVE for tone in _tones(chord))
        bar_lines = range(start - start % meter.steps_per_bar + meter.steps_per_bar, end, meter.steps_per_bar)
        for first, last in pairwise((start, *bar_lines, end)):
            if style == "block":
                notes += [(pitch, first, last) for pitch in (bass, *tones)]
            elif style == "arpeggio":
                pitches = (bass, *tones)
                for place, step in enumerate(range(first, last, 2)):
                    notes.append((pitches[place % len(pitches)], step, min(step + 2, last)))
            else:
                for step, until, is_bass in _strokes(first, last, meter):
                    notes += [(pitch, step, until) for pitch in ([bass] if is_bass else tones)]
    return notes


def _tones(chord: Chord) -> Sequence[int]:
    """The notes of a chord that are played above the bass: of many, not the fifth and the root."""
    tones = list(chord.pitch_classes)
    for place in (2, 0):
        if len(tones) > _MOST_TONES:
            del tones[place]
    return tones[:_MOST_TONES]


def _strokes(start: int, end: int, meter: Meter) -> Iterator[tuple[int, int, bool]]:
    """Within a bar: from which step to which there is a stroke, and whether it is the bass's."""
    beat, bar = meter.steps_per_beat, start - start % meter.steps_per_bar
    places: list[tuple[int, bool]] = []
    for number, step in enumerate(range(0, meter.steps_per_bar, beat)):
        is_even = (meter.steps_per_bar // beat) % 2 == 0
        if beat >= _LONG_BEAT:
            places += [(step, True), (step + STEPS_PER_QUARTER, False)]
        else:
            places.append((step, number == 0 or (is_even and number % 2 == 0)))
    steps = [(bar + step, is_bass) for step, is_bass in places if start < bar + step < end]
    # Where a chord begins, its bass is heard.
    for (step, is_bass), (until, _) in pairwise([(start, True), *steps, (end, False)]):
        yield step, until, is_bass
