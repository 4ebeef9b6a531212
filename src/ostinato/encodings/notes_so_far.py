"""What is known from listening to a melody so far: what sounds, where it is going, which keys the notes fit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ostinato.music.keys import MAJOR_KEYS
from ostinato.music.melody import MIN_PITCH, NO_EVENT, NOTE_OFF, NOTES_PER_OCTAVE

NO_PITCH = -1
_NUM_RECENT_PITCHES = 3  # as Magenta's key encoding
# The keys of a pitch class, and of no pitch at all, which -1 finds in the last row.
_KEYS_OF_PITCH_CLASS = np.vstack([MAJOR_KEYS, np.zeros_like(MAJOR_KEYS[:1])])


@dataclass(frozen=True, slots=True)
class NotesSoFar:
    """What is known from listening so far, after each of n steps of one melody or after one step of n melodies.

    Attributes:
        pitch: [n], the sounding pitch, or -1.
        attack: [n], whether the last event other than a note-off is the start of a note.
        direction: [n], 1, -1 or 0: the last move between two different pitches.
        notes_in_key: [n, 12], how many notes so far fit each major key.
        keys: [n, 12], whether most of these fit the major key: of all that tie.
        recent: [n, 3], the last three different pitches, newest first, or -1.
    """

    pitch: NDArray[np.int64]
    attack: NDArray[np.bool_]
    direction: NDArray[np.int64]
    notes_in_key: NDArray[np.int64]
    keys: NDArray[np.bool_]
    recent: NDArray[np.int64]

    @property
    def recent_keys(self) -> NDArray[np.bool_]:
        """[n, 12]: whether most of the last three different pitches fit the major key: of all that tie."""
        newest, second, third = _pitch_classes(self.recent.T)
        keys: NDArray[np.bool_] = _KEYS_OF_THREE[newest, second, third]
        return keys

    @staticmethod
    def nothing(batch_size: int) -> "NotesSoFar":
        """The beginning of `batch_size` melodies."""
        return NotesSoFar(
            np.full(batch_size, NO_PITCH),
            np.zeros(batch_size, np.bool_),
            np.zeros(batch_size, np.int64),
            np.zeros((batch_size, NOTES_PER_OCTAVE), np.int64),
            np.ones((batch_size, NOTES_PER_OCTAVE), np.bool_),
            np.full((batch_size, _NUM_RECENT_PITCHES), NO_PITCH),
        )

    @staticmethod
    def along(events: NDArray[np.int64]) -> "NotesSoFar":
        """Listen to all n steps of a melody at once."""
        steps = np.arange(len(events))
        starts = events >= MIN_PITCH
        last_change = _last(events != NO_EVENT, steps)
        last_other = _last(events != NOTE_OFF, steps)
        # Row 0 of what follows stands for the time before the first note.
        notes_so_far = np.cumsum(starts)
        pitches = events[starts]
        notes_in_key = np.zeros((len(pitches) + 1, NOTES_PER_OCTAVE), np.int64)
        np.cumsum(_keys_of(pitches), axis=0, out=notes_in_key[1:])
        direction, recent = _moves(pitches)
        return NotesSoFar(
            np.where((last_change >= 0) & (events[last_change] >= MIN_PITCH), events[last_change], NO_PITCH),
            (last_other >= 0) & starts[last_other],
            direction[notes_so_far],
            notes_in_key[notes_so_far],
            _best(notes_in_key)[notes_so_far],
            recent[notes_so_far],
        )

    def after(self, events: NDArray[np.int64]) -> "NotesSoFar":
        """Listen to one more event of each of n melodies."""
        starts = events >= MIN_PITCH
        newest, second, third = self.recent.T
        moves = starts & (newest != NO_PITCH) & (events != newest)
        # A pitch heard again moves to the front; a new one pushes the oldest out.
        recent = np.stack(
            [
                events,
                np.where(events == newest, second, newest),
                np.where((events == newest) | (events == second), third, second),
            ],
            axis=1,
        )
        notes_in_key = self.notes_in_key + _keys_of(np.where(starts, events, NO_PITCH))
        return NotesSoFar(
            np.where(starts, events, np.where(events == NOTE_OFF, NO_PITCH, self.pitch)),
            np.where(events == NOTE_OFF, self.attack, starts),
            np.where(moves, np.sign(events - newest), self.direction),
            notes_in_key,
            _best(notes_in_key),
            np.where(starts[:, None], recent, self.recent),
        )

    def select(self, rows: NDArray[np.integer]) -> "NotesSoFar":
        """What was heard of the melodies at `rows`."""
        return NotesSoFar(
            self.pitch[rows],
            self.attack[rows],
            self.direction[rows],
            self.notes_in_key[rows],
            self.keys[rows],
            self.recent[rows],
        )


def _last(happens: NDArray[np.bool_], steps: NDArray[np.int64]) -> NDArray[np.int64]:
    """The last step, up to each step, at which it happened, or -1."""
    return np.maximum.accumulate(np.where(happens, steps, -1))


def _keys_of(pitches: NDArray[np.int64]) -> NDArray[np.int64]:
    """[..., 12]: 1 for each major key that the pitch is in, none for no pitch."""
    return _KEYS_OF_PITCH_CLASS[_pitch_classes(pitches)]


def _pitch_classes(pitches: NDArray[np.int64]) -> NDArray[np.int64]:
    """The pitch class of each pitch, 12 for no pitch."""
    return np.where(pitches == NO_PITCH, NOTES_PER_OCTAVE, pitches % NOTES_PER_OCTAVE)


def _best(notes_in_key: NDArray[np.int64]) -> NDArray[np.bool_]:
    """[..., 12]: the keys that most notes fit, all that tie."""
    best: NDArray[np.bool_] = notes_in_key == notes_in_key.max(axis=-1, keepdims=True)
    return best


# [13, 13, 13, 12]: the keys that most of three pitch classes fit.
_KEYS_OF_THREE = _best(_KEYS_OF_PITCH_CLASS[:, None, None] + _KEYS_OF_PITCH_CLASS[:, None] + _KEYS_OF_PITCH_CLASS)


def _moves(pitches: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Direction [m + 1] and the last three different pitches [m + 1, 3] after each of m notes, row 0 before them."""
    # A pitch that is struck again at once moves nothing: go by the runs of equal pitches.
    new_run = np.ones(len(pitches), np.bool_)
    new_run[1:] = pitches[1:] != pitches[:-1]
    runs = np.concatenate([[NO_PITCH], pitches[new_run]])
    order = np.arange(len(runs))
    direction = np.zeros(len(runs), np.int64)
    direction[2:] = np.sign(np.diff(runs[1:]))
    # The third pitch back is the one two runs ago, unless that is this pitch again
    # (a trill): then it is what it was a run ago.
    is_third = np.zeros(len(runs), np.bool_)
    is_third[3:] = runs[3:] != runs[1:-2]
    third_from = np.maximum(_last(is_third, order) - 2, 0)
    recent = np.full((len(runs), _NUM_RECENT_PITCHES), NO_PITCH)
    recent[:, 0] = runs
    recent[1:, 1] = runs[:-1]
    recent[:, 2] = runs[third_from]
    run_of_note = np.concatenate([[0], np.cumsum(new_run)])
    return direction[run_of_note], recent[run_of_note]
