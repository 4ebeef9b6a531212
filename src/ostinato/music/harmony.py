"""Chords for a melody: a hidden Markov model of lead sheets, counted in `harmony.json`.

Its states are chords as they stand in the key: a degree, 0 to 11 semitones above
the tonic, and one of `QUALITIES`. It goes from slot to slot, each a bar or half a
bar: a chord follows another one as often as in the lead sheets, over a bar line or
within the bar; and each has the pitch classes that melodies had over it, weighted
by how long they sound, notes on the beat more. Pieces in major and in minor are
counted apart. The last chord is as likely as those that lead sheets end with.

Shapes: S slots, C chords, 12 pitch classes above the tonic.
"""

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ostinato.errors import SettingsError
from ostinato.formats.chord_symbols import Symbol, pitch_class, read_symbol, transposed
from ostinato.music.chords import chord_track
from ostinato.music.keys import Key, parse_key
from ostinato.music.melody import NOTES_PER_OCTAVE, Melody, MelodyList
from ostinato.music.meter import Meter
from ostinato.music.notes import note_spans

if TYPE_CHECKING:
    from ostinato.formats.note_sequence_pb2 import NoteSequence

QUALITIES = ("", "m", "7", "dim")
"""Major, minor, dominant seventh, diminished; every chord is taken for the nearest of them."""
NUM_CHORDS = NOTES_PER_OCTAVE * len(QUALITIES)
MOST_ALTERNATIVES = 10

COUNTS_FILE = Path(__file__).with_name("harmony.json")
"""Written by scripts/train_harmony."""
_ON_BEAT = 2.0  # the weight of a note that sounds on a beat, in steps of others
# Chosen by what gives the held-out lead sheets of the training part most of their own chords.
_EVIDENCE = 2.0  # a slot full of melody counts as so many notes
_PRIOR_MOVES, _PRIOR_NOTES = 5.0, 20.0  # counts that what is known of all chords is worth beside those of one
_SHARED_COST = 1.0  # of each chord that an alternative shares with those before it
_SHORTEST_SLOT = 4  # steps
_FLAT_MAJORS = (5, 10, 3, 8, 1)

Floats = NDArray[np.float64]
Slot = tuple[int, int]
"""The steps of a slot: the first one, and the one after the last."""


@dataclass(frozen=True, slots=True, eq=False)
class HarmonyCounts:
    """What was counted in lead sheets, those in major first, then those in minor.

    Attributes:
        first: [2, C], chords that a piece begins with.
        last: [2, C], and those that it ends with.
        moves: [2, 2, C, C], from a chord to the next: over a bar line, and within a bar.
        notes: [2, C, 12], the weight of each pitch class above the tonic over a chord.
    """

    first: Floats
    last: Floats
    moves: Floats
    notes: Floats

    @classmethod
    def none(cls) -> "HarmonyCounts":
        """Nothing yet."""
        count, pitches = NUM_CHORDS, NOTES_PER_OCTAVE
        return cls(*(np.zeros(shape) for shape in ((2, count), (2, count), (2, 2, count, count), (2, count, pitches))))

    def add(self, melody: Melody, key: Key, chords_per_bar: int) -> None:
        """Count a melody with its chords, which are in this key."""
        mode, slots = int(is_minor(key)), slots_of(melody, chords_per_bar)
        chords = chords_of(melody, slots, key.tonic)
        weights = slot_weights(melody, slots, key.tonic)
        for chord, weight in zip(chords, weights, strict=True):
            if chord is not None:
                self.notes[mode, chord] += weight
        for (start, _), (chord, following) in zip(slots[1:], pairwise(chords), strict=True):
            if chord is not None and following is not None:
                self.moves[mode, int(_is_mid_bar(start, melody.meter)), chord, following] += 1
        heard = [chord for chord in chords if chord is not None]
        if heard:
            self.first[mode, heard[0]] += 1
            self.last[mode, heard[-1]] += 1

    def to_json(self) -> str:
        """As JSON, by names: numbers that are not zero, by their place in the array laid flat."""
        arrays = {name: getattr(self, name).round(1).ravel().tolist() for name in _ARRAYS}
        sparse = {name: {place: value for place, value in enumerate(its) if value} for name, its in arrays.items()}
        return json.dumps(sparse, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "HarmonyCounts":
        """Read what `to_json` wrote."""
        counts = cls.none()
        for name, its in json.loads(text).items():
            flat = getattr(counts, name).reshape(-1)
            flat[[int(place) for place in its]] = list(its.values())
        return counts


_ARRAYS = ("first", "last", "moves", "notes")


class HarmonyModel:
    """The odds of chords, by what was counted.

    Args:
        counts: in lead sheets.
    """

    def __init__(self, counts: HarmonyCounts) -> None:
        used = counts.notes.sum(axis=2) + 0.1
        self._log_first = np.log(counts.first + _PRIOR_MOVES * used / used.sum(axis=1, keepdims=True))
        ends = (counts.last + 0.1) / (counts.last.sum(axis=1, keepdims=True) + 0.1 * NUM_CHORDS)
        self._log_last = np.log(ends)
        # What is known of all moves to a chord, where little is known of those from one chord.
        moves = counts.moves + 0.01
        to = moves.sum(axis=2, keepdims=True) / moves.sum(axis=(2, 3), keepdims=True)
        smooth = counts.moves + _PRIOR_MOVES * to
        self._log_moves = np.log(smooth / smooth.sum(axis=3, keepdims=True))
        # A chord's notes are first of all those of its quality, wherever its root is.
        above = np.stack([_turned(counts.notes[mode]) for mode in (0, 1)]).sum(axis=0)  # [C, 12] above the root
        of_quality = above.reshape(NOTES_PER_OCTAVE, len(QUALITIES), NOTES_PER_OCTAVE).sum(axis=0) + 1
        of_quality = np.tile(of_quality / of_quality.sum(axis=1, keepdims=True), (NOTES_PER_OCTAVE, 1))
        prior = _turned(of_quality, back=True)
        notes = counts.notes + _PRIOR_NOTES * prior
        self._log_notes = np.log(notes / notes.sum(axis=2, keepdims=True))

    def likeliest(
        self, weights: Floats, mid_bar: Sequence[bool], *, minor: bool, alternatives: int = 1
    ) -> list[list[int]]:
        """The likeliest chords, and alternatives to them.

        Args:
            weights: [S, 12], how much each pitch class is heard in each slot.
            mid_bar: [S], whether the slot begins within a bar.
            minor: whether the piece is in minor.
            alternatives: how many ways.

        Returns:
            Chords [S] for each of them.
        """
        mode = int(minor)
        heard = _EVIDENCE * weights @ self._log_notes[mode].T
        moves = self._log_moves[mode]
        found: list[list[int]] = []
        while len(found) < alternatives:
            score = self._log_first[mode] + heard[0]
            came_from = np.zeros(heard.shape, np.int64)
            for slot in range(1, len(heard)):
                ways = score[:, np.newaxis] + moves[int(mid_bar[slot])]
                came_from[slot] = ways.argmax(axis=0)
                score = ways.max(axis=0) + heard[slot]
            way = [int((score + self._log_last[mode]).argmax())]
            for slot in range(len(heard) - 1, 0, -1):
                way.append(int(came_from[slot, way[-1]]))
            way.reverse()
            if way not in found:
                found.append(way)
            # The same way again costs more and more, so that at last there is another one.
            heard[np.arange(len(heard)), way] -= _SHARED_COST
        return found


@functools.cache
def harmony_model() -> HarmonyModel:
    """The model that comes with Ostinato."""
    return HarmonyModel(HarmonyCounts.from_json(COUNTS_FILE.read_text(encoding="utf-8")))


def harmonize(
    melody: Melody, key: Key | str | None = None, *, chords_per_bar: int = 1, alternatives: int = 1
) -> MelodyList:
    """Find chords for a melody.

    Args:
        melody: what shall have chords; those that it has are passed over. An upbeat gets none.
        key: that it is in; estimated if absent. A key with a minor third counts as minor, others as major.
        chords_per_bar: 1 or 2; there is 1 where a bar cannot be halved, as in 3/4.
        alternatives: how many ways to find, the likeliest first, at most 10. Each differs from those before it.

    Returns:
        The melody that often, with chords.

    Raises:
        SettingsError: if there is no such key, a number is out of range, or there are no notes.
    """
    from ostinato.music.notation import estimated_key

    if chords_per_bar not in (1, 2):
        raise SettingsError(f"chords_per_bar must be 1 or 2, not {chords_per_bar!r}")
    if not 1 <= alternatives <= MOST_ALTERNATIVES:
        raise SettingsError(f"alternatives must be 1 to {MOST_ALTERNATIVES}, not {alternatives!r}")
    if not melody.pitches:
        raise SettingsError("a melody without notes leads to no chords; give one that has some")
    settled = parse_key(key) if isinstance(key, str) else key or estimated_key(melody)
    slots = slots_of(melody, chords_per_bar)
    ways = harmony_model().likeliest(
        slot_weights(melody, slots, settled.tonic),
        [_is_mid_bar(start, melody.meter) for start, _ in slots],
        minor=is_minor(settled),
        alternatives=alternatives,
    )
    return MelodyList(with_chords(melody, slots, way, settled) for way in ways)


def signature_of(note_sequence: "NoteSequence") -> int | None:
    """The major key with the key signature that a piece begins with, 0 = C; None if it says nothing.

    Scores have one, but many MIDI files say C major whatever they are in, so that this counts as nothing there.
    """
    is_midi = note_sequence.source_info.encoding_type == note_sequence.SourceInfo.MIDI
    for key in note_sequence.key_signatures[:1]:
        major = (key.key - _ABOVE_MAJOR.get(key.mode, 0)) % NOTES_PER_OCTAVE
        return None if is_midi and not major else major
    return None


# By a NoteSequence's mode: how far the tonic is above that of the major key with the same signature.
_ABOVE_MAJOR = {1: 9, 3: 7, 4: 2, 5: 4, 6: 5, 7: 11}


def is_minor(key: Key) -> bool:
    """Whether the third of a key is minor, and not major too."""
    third = (key.tonic + 4) % NOTES_PER_OCTAVE
    return third not in key.pitch_classes


def slots_of(melody: Melody, chords_per_bar: int) -> list[Slot]:
    """The slots of a melody, from its first whole bar on; the last one ends with it."""
    bar = melody.steps_per_bar
    length = bar // 2 if chords_per_bar == 2 and _can_be_halved(melody.meter) else bar
    first = bar if melody.has_upbeat and len(melody) > bar else 0
    return [(start, min(start + length, len(melody))) for start in range(first, len(melody), length)]


def _can_be_halved(meter: Meter) -> bool:
    beats = meter.steps_per_bar // meter.steps_per_beat
    return beats % 2 == 0 and meter.steps_per_bar >= 2 * _SHORTEST_SLOT


def _is_mid_bar(step: int, meter: Meter) -> bool:
    return step % meter.steps_per_bar != 0


def slot_weights(melody: Melody, slots: Sequence[Slot], tonic: int) -> Floats:
    """How much each pitch class above the tonic is heard in each slot, as a share of a slot full of notes: [S, 12]."""
    beat = melody.meter.steps_per_beat
    sounding = np.full(len(melody), -1)
    for pitch, start, end in note_spans(melody):
        sounding[start:end] = (pitch - tonic) % NOTES_PER_OCTAVE
    step_weights = np.where(np.arange(len(melody)) % beat == 0, _ON_BEAT, 1.0)
    weights = np.zeros((len(slots), NOTES_PER_OCTAVE))
    for row, (start, end) in zip(weights, slots, strict=True):
        heard, weight = sounding[start:end], step_weights[start:end]
        np.add.at(row, heard[heard >= 0], weight[heard >= 0] / weight.sum())
    return weights


def chords_of(melody: Melody, slots: Sequence[Slot], tonic: int) -> list[int | None]:
    """The chord of each slot, which sounds in most of it; None where there is none."""
    chords: list[int | None] = []
    for start, end in slots:
        longest: dict[int | None, int] = {}
        cuts = [start, *(step for step, _ in melody.chords if start < step < end), end]
        for first, last in pairwise(cuts):
            name = next((name for step, name in reversed(melody.chords) if step <= first), None)
            chord = None if name is None else _number(name, tonic)
            longest[chord] = longest.get(chord, 0) + last - first
        chords.append(max(longest, key=longest.__getitem__))
    return chords


def _number(name: str, tonic: int) -> int | None:
    """Of a chord above the tonic: its degree and its quality."""
    symbol = read_symbol(name)
    if symbol is None or not symbol.root:
        return None
    notes = set(symbol.intervals)
    if 3 in notes and 4 not in notes:
        quality = "dim" if 6 in notes and 7 not in notes else "m"
    else:
        quality = "7" if 10 in notes else ""
    degree = (pitch_class(symbol.root) - tonic) % NOTES_PER_OCTAVE
    return degree * len(QUALITIES) + QUALITIES.index(quality)


def with_chords(melody: Melody, slots: Sequence[Slot], chords: Sequence[int], key: Key) -> Melody:
    """The melody with a chord of the key in each slot."""
    tonic, flats = key.name.split()[0], key.parent_major in _FLAT_MAJORS
    track = []
    for (start, _), chord in zip(slots, chords, strict=True):
        degree, quality = divmod(chord, len(QUALITIES))
        symbol = Symbol("C", QUALITIES[quality])
        symbol = transposed(symbol, key.tonic + degree, flats=flats) if degree else Symbol(tonic, symbol.chord)
        track.append((start, symbol.text))
    return Melody.unchecked(melody.events, melody.start_step, melody.meter, melody.ends, chord_track(track))


def _turned(notes: Floats, *, back: bool = False) -> Floats:
    """[C, 12] above the tonic as [C, 12] above each chord's root, or back."""
    degree = np.arange(NUM_CHORDS)[:, np.newaxis] // len(QUALITIES)
    pitches = np.arange(NOTES_PER_OCTAVE)
    places = (pitches - degree if back else pitches + degree) % NOTES_PER_OCTAVE
    return np.take_along_axis(notes, places, axis=1)
