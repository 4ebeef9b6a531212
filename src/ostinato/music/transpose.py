"""Moving melodies up and down, and into a model's range and key."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ostinato.errors import SettingsError
from ostinato.music.melody import MAX_PITCH, MIN_PITCH, NO_EVENT, NOTE_OFF, NOTES_PER_OCTAVE, Melody

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
    """The major key that most of the notes fit, 0 = C; of several the lowest, and 0 when there are no notes."""
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
            f"{semitones:+d} semitones moves the melody's notes to {lowest}..{highest}, "
            f"outside {MIN_PITCH}..{MAX_PITCH}; transpose it less far"
        )
    return _moved(melody, {pitch: pitch + semitones for pitch in set(pitches)})


def squash(melody: Melody, min_pitch: int, max_pitch: int, transpose_to_key: int | None) -> tuple[Melody, int]:
    """Move a melody into a range and a key, as Magenta's `squash` does.

    The melody goes to `transpose_to_key` from the major key that most of its
    notes fit, then by octaves to where the middle between its lowest and its
    highest note is nearest to the middle of the range. Notes that are still
    outside are folded in by octaves, each for itself.

    Args:
        melody: the melody to move.
        min_pitch: lowest pitch of the range.
        max_pitch: highest pitch of the range, not included; at least an octave above `min_pitch`.
        transpose_to_key: the major key to move to (0 = C), or None to only fold.

    Returns:
        The moved melody, and the semitones that the notes which were not folded went up.
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
    return _moved(melody, moved), semitones


def _moved(melody: Melody, pitches: dict[int, int]) -> Melody:
    """The melody with other pitches, each by its own."""
    events = {NO_EVENT: NO_EVENT, NOTE_OFF: NOTE_OFF} | pitches
    moved = tuple(map(events.__getitem__, melody.events))
    return Melody.unchecked(moved, melody.start_step, melody.meter, melody.ends)


def _folded(pitch: int, min_pitch: int, max_pitch: int) -> int:
    """The pitch itself if it is in the range, else the same pitch class in the octave at the nearer end."""
    if pitch < min_pitch:
        return min_pitch + (pitch - min_pitch) % NOTES_PER_OCTAVE
    if pitch >= max_pitch:
        return max_pitch - NOTES_PER_OCTAVE + (pitch - max_pitch) % NOTES_PER_OCTAVE
    return pitch
