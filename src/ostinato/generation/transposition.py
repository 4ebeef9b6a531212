"""The way of melodies into a model's key and range, and back to where they are heard."""

import logging
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ostinato.encodings import Encoding
from ostinato.music.keys import major_key, squash
from ostinato.music.melody import MAX_PITCH, MIN_PITCH, NO_EVENT, NOTES_PER_OCTAVE, Melody

if TYPE_CHECKING:
    from ostinato.music.chords import Chord
    from ostinato.music.keys import Key

_log = logging.getLogger(__name__)

# Octaves that a melody may be moved by: more than the MIDI range holds.
_OCTAVES = range(-11, 12)
# Semitones above the key note.
_MAJOR_CHORD = (0, 4, 7)
_MINOR_CHORD = (0, 3, 7)


def primer_into_model(primer: Melody, encoding: Encoding, key: "Key | None") -> tuple[Melody, int]:
    """Move a primer to where the model hears it.

    Args:
        primer: as it is heard.
        encoding: of the model.
        key: that the primer is in; None leaves it to the notes to tell.

    Returns:
        The primer in the model's range and key, and the semitones it went up.
    """
    if key is None or encoding.transpose_to_key is None or not primer.pitches:
        return encoding.squash(primer)
    # `squash` would move from the key that it hears; what it mishears is added to where it shall go.
    misheard = major_key(primer.pitches) - key.parent_major
    return squash(primer, encoding.min_pitch, encoding.max_pitch, encoding.transpose_to_key + misheard)


def semitones_without_primer(encoding: Encoding, key: "Key | None", min_note: int, max_note: int) -> int:
    """How far above what is heard the model shall work, where no primer tells.

    A model of one key makes melodies in it, which are moved to the asked key's
    parent major and by octaves to where the middle of the model's range comes
    nearest to the asked range. Of several such moves the shortest is made; down,
    if two are. A model of all keys stays where it is.

    Args:
        encoding: of the model.
        key: the asked key, or None.
        min_note: lowest note to be heard.
        max_note: highest note to be heard, included.
    """
    if encoding.transpose_to_key is None:
        return 0
    turn = 0 if key is None else key.parent_major - encoding.transpose_to_key
    middle = (encoding.min_pitch + encoding.max_pitch - 1) / 2

    def cost(move: int) -> tuple[float, int, int]:
        heard = middle + move
        return max(min_note - heard, heard - max_note, 0), abs(move), move

    return -min((turn + NOTES_PER_OCTAVE * octaves for octaves in _OCTAVES), key=cost)


def opening_notes(
    encoding: Encoding,
    allowed: NDArray[np.int64] | None = None,
    key: "Key | None" = None,
    semitones: int = 0,
    chord: "Chord | None" = None,
) -> NDArray[np.int64]:
    """The notes that a melody may begin with where no primer tells, as the model hears them.

    They lie within an octave of the middle of the model's range. In the asked
    key, or else that of a model of one key, it is the key note or the third or
    fifth above, as in most tunes: a note drawn from the whole range would begin
    most melodies out of their key.

    Args:
        encoding: of the model.
        allowed: notes that may be drawn at all, at least one; None for all of the model's. Where none of them is
            among those above, each may come.
        key: the asked key, or None.
        semitones: how far above what is heard the model works.
        chord: what sounds there, or None: then it is a note of this one.
    """
    notes = np.arange(encoding.min_pitch, encoding.max_pitch) if allowed is None else allowed
    middle = (encoding.min_pitch + encoding.max_pitch - 1) / 2
    fit = np.abs(notes - middle) <= NOTES_PER_OCTAVE
    if chord is not None and chord.pitch_classes:
        fit &= np.isin((notes - semitones) % NOTES_PER_OCTAVE, chord.pitch_classes)
    elif key is not None:
        above_tonic = (notes - semitones - key.tonic) % NOTES_PER_OCTAVE
        is_minor = (key.tonic + _MAJOR_CHORD[1]) % NOTES_PER_OCTAVE not in key.pitch_classes
        fit &= np.isin(above_tonic, _MINOR_CHORD if is_minor else _MAJOR_CHORD)
    elif encoding.transpose_to_key is not None:
        fit &= np.isin((notes - encoding.transpose_to_key) % NOTES_PER_OCTAVE, _MAJOR_CHORD)
    return notes[fit] if fit.any() else notes


def heard_events(events: NDArray[np.integer], semitones: int) -> NDArray[np.integer]:
    """A model's events as they are heard, where the model works so many semitones above.

    What would leave the MIDI range is moved back into it by octaves.
    """
    pitches = events - semitones
    folded = np.where(pitches < MIN_PITCH, pitches % NOTES_PER_OCTAVE, pitches)
    above = MAX_PITCH + 1 - NOTES_PER_OCTAVE + (pitches - MAX_PITCH - 1) % NOTES_PER_OCTAVE
    return np.where(events < MIN_PITCH, events, np.where(pitches > MAX_PITCH, above, folded))


def heard_table(semitones: int) -> NDArray[np.int64]:
    """[130]: the heard event of each model's event from no event, -2, to the highest pitch."""
    return heard_events(np.arange(NO_EVENT, MAX_PITCH + 1), semitones).astype(np.int64, copy=False)


def log_folded(events: NDArray[np.integer], semitones: int) -> None:
    """Tell how many of a model's notes `heard_events` moves by octaves."""
    pitches = events - semitones
    outside = (events >= MIN_PITCH) & ((pitches < MIN_PITCH) | (pitches > MAX_PITCH))
    if count := np.count_nonzero(outside):
        _log.info("%d notes would have left the MIDI range and were moved by octaves", count)
