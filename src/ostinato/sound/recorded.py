"""Recorded instruments: a few notes each, which are played faster or slower for the notes between them.

The recordings are excerpts of Fluid (R3) General MIDI SoundFont by Frank Wen,
under the MIT license in `instruments/LICENSE`; `scripts/make_instruments` makes
them. `instruments/instruments.json` has, for each instrument, its General MIDI
`program`, the `release` in seconds in which a note that has ended falls by
63 %, the `rate` in samples a second, and its `notes`:

| member   | meaning                                                                         |
|----------|---------------------------------------------------------------------------------|
| `pitch`  | MIDI pitch, with a fraction                                                     |
| `start`  | its first byte in the file `instruments/NAME.bin`                               |
| `frames` | how many samples it has                                                         |
| `loop`   | the samples [from, to) that are repeated while the note is held                 |
| `decay`  | by how many nepers a second it dies away from the loop on; 0 if it is kept up   |

The samples are 16-bit numbers, written as blocks of 65 bytes: how often to
double, then 64 signed differences from one sample to the next. The last block
is filled up. The studio's page reads the same files.
"""

import functools
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).parent / "instruments"
_BLOCK = 64  # samples
_FULL_SCALE = 32_768
_LOUDNESS = 4.4  # of the recordings, to be as loud as the synthesizer's timbres: a root mean square of 0.7
_ATTACK = 0.002  # seconds: the recordings have their own
_RELEASE_SHARE = 3.0  # of the time in which 63 % fall, until all of it has


def instrument_names() -> tuple[str, ...]:
    """The names of the recorded instruments."""
    return tuple(_described())


@functools.cache
def recorded_instrument(name: str) -> "RecordedInstrument":
    """A recorded instrument.

    Args:
        name: one of `instrument_names`.
    """
    described = _described()[name]
    data = (FOLDER / f"{name}.bin").read_bytes()
    notes = tuple(
        _Note(
            pitch=note["pitch"],
            samples=decoded(data[note["start"] :], note["frames"]),
            loop=(note["loop"][0], note["loop"][1]),
            decay=note["decay"],
        )
        for note in described["notes"]
    )
    return RecordedInstrument(described["rate"], described["release"] * _RELEASE_SHARE, notes)


@functools.cache
def _described() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "instruments.json").read_text(encoding="utf-8"))
    return found


def decoded(data: bytes, frames: int) -> NDArray[np.float32]:
    """The samples that the first blocks of some bytes hold.

    Args:
        data: blocks of 65 bytes.
        frames: how many samples there are.

    Returns:
        [frames], -1..1.
    """
    count = -(-frames // _BLOCK)
    blocks = np.frombuffer(data, np.int8, count * (_BLOCK + 1)).reshape(count, _BLOCK + 1).astype(np.int32)
    samples: NDArray[np.int64] = np.cumsum(blocks[:, 1:] << blocks[:, :1])[:frames]
    return (samples / _FULL_SCALE).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Note:
    """One recording."""

    pitch: float
    samples: NDArray[np.float32]
    loop: tuple[int, int]
    decay: float


@dataclass(frozen=True, slots=True, eq=False)
class RecordedInstrument:
    """An instrument that the synthesizer can play in place of its own timbres.

    Attributes:
        rate: samples a second of the recordings.
        release: seconds in which a note falls when it has ended.
        notes: the recordings, lowest first.
    """

    rate: int
    release: float
    notes: tuple[_Note, ...]

    @property
    def attack(self) -> float:
        """Seconds in which a note rises, beside the rise that was recorded."""
        return _ATTACK

    def samples(self, pitch: int, sample_rate: int, start: int, count: int) -> NDArray[np.float32]:
        """A note as it sounds while it is held, without its attack; see `synthesizer.tone_samples`."""
        note = self._nearest(pitch)
        places = np.arange(start, start + count) * self._speed(note, pitch, sample_rate)
        begin, end = note.loop
        fade = np.exp(-note.decay / self.rate * np.maximum(places - begin, 0))
        places = np.where(places < end, places, begin + (places - begin) % (end - begin))
        before = places.astype(np.int64)
        after = np.where(before + 1 < end, before + 1, begin)
        share = places - before
        sound = (1 - share) * note.samples[before] + share * note.samples[after]
        played: NDArray[np.float32] = (_LOUDNESS * fade * sound).astype(np.float32)
        return played

    def audible_samples(self, pitch: int, sample_rate: int, nepers: float) -> int:
        """After how many samples a note has died away by so many nepers by itself."""
        note = self._nearest(pitch)
        if not note.decay:
            return np.iinfo(np.int64).max
        frames = note.loop[0] + nepers / note.decay * self.rate
        return math.ceil(frames / self._speed(note, pitch, sample_rate))

    def _nearest(self, pitch: int) -> _Note:
        return min(self.notes, key=lambda note: abs(note.pitch - pitch))

    def _speed(self, note: _Note, pitch: int, sample_rate: int) -> float:
        """How many recorded samples go by in one."""
        return float(self.rate / sample_rate * 2.0 ** ((pitch - note.pitch) / 12))
