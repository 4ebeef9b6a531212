"""Keys and notes by their names ("F# minor", "Bb mixolydian", "Eb3"), and melodies moved into a key and a range."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ostinato.errors import SettingsError, did_you_mean
from ostinato.music.melody import MAX_PITCH, MIN_PITCH, NO_EVENT, NOTE_OFF, NOTES_PER_OCTAVE, Melody

_TONICS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ACCIDENTALS = {"": 0, "#": 1, "b": -1, "##": 2, "bb": -2}

# The scale in semitones above its tonic, and how far above the tonic is the
# major key that shares its notes or, for a scale that is not a mode, comes nearest.
_MODES: dict[str, tuple[tuple[int, ...], int]] = {
    "major": ((0, 2, 4, 5, 7, 9, 11), 0),
    "dorian": ((0, 2, 3, 5, 7, 9, 10), 10),
    "phrygian": ((0, 1, 3, 5, 7, 8, 10), 8),
    "lydian": ((0, 2, 4, 6, 7, 9, 11), 7),
    "mixolydian": ((0, 2, 4, 5, 7, 9, 10), 5),
    "minor": ((0, 2, 3, 5, 7, 8, 10), 3),
    "locrian": ((0, 1, 3, 5, 6, 8, 10), 1),
    "harmonic minor": ((0, 2, 3, 5, 7, 8, 11), 3),
    "melodic minor": ((0, 2, 3, 5, 7, 9, 11), 3),
    "major pentatonic": ((0, 2, 4, 7, 9), 0),
    "minor pentatonic": ((0, 3, 5, 7, 10), 3),
    "blues": ((0, 3, 5, 6, 7, 10), 3),
    "major blues": ((0, 2, 3, 4, 7, 9), 0),
}
MODES = {name: scale for name, (scale, _) in _MODES.items()}
"""The modes by their names, as `Key.name` spells them: the scale in semitones above the tonic. Not to be changed."""
_ALIASES = {
    "": "major",
    "maj": "major",
    "ionian": "major",
    "m": "minor",
    "min": "minor",
    "aeolian": "minor",
    "natural minor": "minor",
    "pentatonic": "major pentatonic",
    "pentatonic major": "major pentatonic",
    "pentatonic minor": "minor pentatonic",
    "minor blues": "blues",
    "blues major": "major blues",
    "blues minor": "blues",
}
# The b of blues is not a flat.
_KEY = re.compile(r"\s*([A-Ga-g])(##|#|♯|bb(?!lues)|b(?!lues)|♭|)[\s_-]*(.*?)\s*")
_NOTE = re.compile(r"\s*([A-Ga-g])(##|#|♯|bb|b|♭|)(-?\d{1,2})\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Key:
    """A tonic and a mode.

    Attributes:
        name: such as "A minor"; modes are named as in `MODES`.
        tonic: its pitch class, 0 = C.
        pitch_classes: of its notes.
        parent_major: the major key with the same notes, 0 = C: for A minor and D dorian it is C. For a scale that is
            not a mode of a major key, the one that melodies in it are written in: for A blues it is C.
    """

    name: str
    tonic: int
    pitch_classes: frozenset[int]
    parent_major: int

    def __str__(self) -> str:
        return self.name


def parse_key(text: str) -> Key:
    """Read a key.

    Args:
        text: a tonic such as C, F# or Bb, in capitals or not, and a mode: nothing or major, m or minor, one of `MODES`,
            or another common name of it. "C", "Am", "D dorian", "F# minor", "e phrygian", "Bb minor pentatonic".

    Raises:
        SettingsError: if it is not a key.
    """
    found = _KEY.fullmatch(text) if isinstance(text, str) else None
    if found:
        letter, accidental, mode = found[1].upper(), found[2].replace("♯", "#").replace("♭", "b"), found[3]
        # The one letter whose case matters: CM is C major, Cm is C minor.
        mode = "major" if mode == "M" else " ".join(re.split(r"[\s_-]+", mode.lower()))
        mode = _ALIASES.get(mode, mode)
        if mode in _MODES:
            tonic = (_TONICS[letter] + _ACCIDENTALS[accidental]) % NOTES_PER_OCTAVE
            degrees, parent = _MODES[mode]
            return Key(
                f"{letter}{accidental} {mode}",
                tonic,
                frozenset((tonic + degree) % NOTES_PER_OCTAVE for degree in degrees),
                (tonic + parent) % NOTES_PER_OCTAVE,
            )
        if near := did_you_mean(mode, MODES, f"{letter}{accidental} "):
            raise SettingsError(f"there is no key {text!r}{near}")
    raise SettingsError(
        f"there is no key {text!r}; write a tonic and a mode, such as C, Am, F# minor or Bb mixolydian; the modes are "
        + ", ".join(MODES)
    )


def parse_note(text: str) -> int:
    """Read a note as a MIDI pitch.

    Args:
        text: a number 0..127, or a name with its octave: "C4" is 60, as are "B#3" and "60".

    Raises:
        SettingsError: if it is not a note in the MIDI range.
    """
    named = _NOTE.fullmatch(text)
    pitch = None
    if named:
        accidental = _ACCIDENTALS[named[2].replace("♯", "#").replace("♭", "b")]
        pitch = _TONICS[named[1].upper()] + accidental + NOTES_PER_OCTAVE * (int(named[3]) + 1)
    elif re.fullmatch(r"\s*-?\d{1,4}\s*", text, re.ASCII):
        pitch = int(text)
    if pitch is None or not MIN_PITCH <= pitch <= MAX_PITCH:
        raise SettingsError(
            f"{text!r} is not a note; write a MIDI number in {MIN_PITCH}..{MAX_PITCH}, or a name in C-1..G9 such as C4"
        )
    return pitch


_FLAT_KEYS = (5, 10, 3, 8, 1)  # major, with one flat to five
_MAJOR_SCALE = (0, 2, 4, 5, 7, 9, 11)


def _major_keys() -> NDArray[np.int64]:
    keys = np.zeros((NOTES_PER_OCTAVE, NOTES_PER_OCTAVE), np.int64)
    for key in range(NOTES_PER_OCTAVE):
        for degree in _MAJOR_SCALE:
            keys[(key + degree) % NOTES_PER_OCTAVE, key] = 1
    keys.setflags(write=False)
    return keys


MAJOR_KEYS = _major_keys()
"""[12, 12]: 1 where the pitch class of the row is in the major key of the column (0 = C)."""


def major_key(pitches: Sequence[int]) -> int:
    """The major key that most of the notes fit, 0 = C; the lowest of several, and 0 without notes."""
    pitch_classes = np.array(pitches, np.int64) % NOTES_PER_OCTAVE
    notes_in_key = np.bincount(pitch_classes, minlength=NOTES_PER_OCTAVE) @ MAJOR_KEYS
    return int(notes_in_key.argmax())


def transpose(melody: Melody, semitones: int) -> Melody:
    """The melody this many semitones higher.

    Raises:
        SettingsError: if a note leaves the MIDI range 0..127.
    """
    pitches = melody.pitches
    if semitones == 0 or not pitches:
        return melody
    lowest, highest = min(pitches) + semitones, max(pitches) + semitones
    if lowest < MIN_PITCH or highest > MAX_PITCH:
        raise SettingsError(
            f"transposing by {semitones:+d} semitones moves the melody's notes to {lowest}..{highest}, "
            f"outside {MIN_PITCH}..{MAX_PITCH}; transpose it less"
        )
    return _moved(melody, {pitch: pitch + semitones for pitch in set(pitches)}, semitones)


def squash(melody: Melody, min_pitch: int, max_pitch: int, transpose_to_key: int | None) -> tuple[Melody, int]:
    """Move a melody into a range and a key, as Magenta's `squash` does.

    The melody moves to `transpose_to_key` from the major key that most of its
    notes fit, then by octaves to where the middle between its lowest and its
    highest note is nearest to the middle of the range. Notes that are still
    outside are folded in by octaves, one by one.

    Args:
        melody: the melody to move.
        min_pitch: lowest pitch of the range.
        max_pitch: highest pitch of the range, not included; at least an octave above `min_pitch`.
        transpose_to_key: the major key to move to (0 = C), or None to only fold.

    Returns:
        The moved melody, and by how many semitones the notes went up that were not folded.
    """
    pitches = melody.pitches
    if not pitches:
        return melody, 0
    lowest, highest = min(pitches), max(pitches)
    semitones = 0
    if transpose_to_key is not None:
        to_key = transpose_to_key - major_key(pitches)
        off_center = (min_pitch + max_pitch - 1) / 2 - ((lowest + highest) / 2 + to_key)
        # Halves go to the even octave: Python 3's rounding, which Magenta's data sets come from.
        semitones = to_key + NOTES_PER_OCTAVE * round(off_center / NOTES_PER_OCTAVE)
    if semitones == 0 and min_pitch <= lowest and highest < max_pitch:
        return melody, 0
    moved = {pitch: _folded(pitch + semitones, min_pitch, max_pitch) for pitch in set(pitches)}
    return _moved(melody, moved, semitones), semitones


def _moved(melody: Melody, pitches: dict[int, int], semitones: int) -> Melody:
    """The melody with other pitches, each by its own, and its chords so many semitones higher."""
    events = {NO_EVENT: NO_EVENT, NOTE_OFF: NOTE_OFF} | pitches
    moved = tuple(map(events.__getitem__, melody.events))
    chords = melody.chords
    if chords:
        from ostinato.music.chords import transpose_chords

        key = major_key([event for event in moved if event >= MIN_PITCH])
        chords = transpose_chords(chords, semitones, flats=key in _FLAT_KEYS)
    return Melody.unchecked(moved, melody.start_step, melody.meter, melody.ends, chords)


def _folded(pitch: int, min_pitch: int, max_pitch: int) -> int:
    """The pitch itself if it is in the range, else the same pitch class in the octave at the nearer end."""
    if pitch < min_pitch:
        return min_pitch + (pitch - min_pitch) % NOTES_PER_OCTAVE
    if pitch >= max_pitch:
        return max_pitch - NOTES_PER_OCTAVE + (pitch - max_pitch) % NOTES_PER_OCTAVE
    return pitch
