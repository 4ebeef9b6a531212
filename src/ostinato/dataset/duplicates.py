"""Melodies that are the same but for their pitch level."""

import hashlib

import numpy as np

from ostinato.music.melody import MAX_PITCH, MIN_PITCH, Melody

_FINGERPRINT_BYTES = 16  # among a billion melodies a chance hit is one in 10^20


def fingerprint(melody: Melody) -> bytes:
    """16 bytes that are equal for melodies equal up to transposition, whatever their meter."""
    events = np.array(melody.events, np.int16)
    starts = events >= MIN_PITCH
    # Counted from the first pitch, and up, so that no pitch turns into a note-off.
    events[starts] += MAX_PITCH - events[starts][:1]
    return hashlib.blake2b(events.astype("<i2").tobytes(), digest_size=_FINGERPRINT_BYTES).digest()


class SeenMelodies:
    """Tells which melodies come for the first time. It holds some 100 bytes for each."""

    def __init__(self) -> None:
        self._fingerprints: set[bytes] = set()

    def admits(self, fingerprints: tuple[bytes, ...]) -> bool:
        """Whether none of a melody's fingerprints has been seen; they are from now on."""
        if not self._fingerprints.isdisjoint(fingerprints):
            return False
        self._fingerprints.update(fingerprints)
        return True
