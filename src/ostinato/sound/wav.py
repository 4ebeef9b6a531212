"""Sound as samples: how much there can be, how loud it is, and WAV files (16-bit PCM)."""

import io
import math
import os
import wave
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ostinato.errors import DataError, SettingsError
from ostinato.formats import atomic_writer
from ostinato.formats.note_sequence_pb2 import NoteSequence

MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 8_000, 192_000
MAX_FRAMES = 30 * 60 * 44_100
"""The most samples per channel: half an hour at 44,100 a second, for which the synthesizer takes about 700 MB."""
MAX_NOTE_SECONDS = 100_000
"""The most seconds of all notes together, which decide how long it takes: half an hour of 55 notes at once."""


def sounding_seconds(sequence: NoteSequence, sample_rate: int) -> float:
    """How long a sequence lasts, at least to the end of its last note, in seconds.

    Raises:
        SettingsError: if the sample rate is out of range.
        DataError: if a note is out of range, or there is too much to render.
    """
    if not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
        raise SettingsError(
            f"the sample rate must be {MIN_SAMPLE_RATE:,} to {MAX_SAMPLE_RATE:,} samples a second, not {sample_rate:,}"
        )
    # Some programs write a total that says nothing.
    end = sequence.total_time if 0 <= sequence.total_time < math.inf else 0.0
    note_seconds = 0.0
    for number, note in enumerate(sequence.notes):
        if not (0 <= note.pitch <= 127 and 0 <= note.velocity <= 127 and 0 <= note.program <= 127):
            raise DataError(
                f"note {number} has pitch {note.pitch}, velocity {note.velocity} and program {note.program}; "
                "each must be 0 to 127"
            )
        if not 0 <= note.start_time <= note.end_time < math.inf:
            raise DataError(f"note {number} cannot last from second {note.start_time:g} to {note.end_time:g}")
        end = max(end, note.end_time)
        note_seconds += note.end_time - note.start_time
    longest = MAX_FRAMES / sample_rate
    if end > longest:
        raise DataError(
            f"it lasts {end:,.0f} seconds; at {sample_rate:,} samples a second at most {longest:,.0f} can be rendered"
        )
    if note_seconds > MAX_NOTE_SECONDS:
        raise DataError(
            f"its notes last {note_seconds:,.0f} seconds in all; at most {MAX_NOTE_SECONDS:,} can be rendered"
        )
    return end


PEAK_DECIBELS = -1.0
"""Level of the loudest sample if nothing else is asked for, relative to full scale: headroom for players."""


def set_peak(samples: NDArray[np.float32], decibels: float = PEAK_DECIBELS) -> None:
    """Scale a sound in place so that its loudest sample is at this level; silence stays silent.

    Args:
        samples: [n] or [n, channels].
        decibels: relative to full scale, at most 0.
    """
    peak = max(float(samples.max(initial=0)), -float(samples.min(initial=0)))
    if peak > 0:
        samples *= np.float32(10 ** (decibels / 20) / peak)


_FULL_SCALE = 32_767
_FRAMES_AT_ONCE = 1 << 18  # converted at a time: a few MB, however long the sound is


def wav_bytes(samples: NDArray[np.float32], sample_rate: int) -> bytes:
    """A WAV file of 16-bit PCM.

    Args:
        samples: [n] for mono or [n, channels], -1..1; values beyond that are clipped.
        sample_rate: samples a second.
    """
    file = io.BytesIO()
    _write(file, samples, sample_rate)
    return file.getvalue()


def write_wav(path: str | os.PathLike[str], samples: NDArray[np.float32], sample_rate: int) -> None:
    """Write a WAV file, complete or not at all; see `wav_bytes`."""
    with atomic_writer(path, sync=False) as file:
        _write(file, samples, sample_rate)


def _write(file: BinaryIO, samples: NDArray[np.float32], sample_rate: int) -> None:
    frames = samples[:, np.newaxis] if samples.ndim == 1 else samples
    with wave.open(file, "wb") as wav:
        wav.setnchannels(frames.shape[1])
        wav.setsampwidth(2)
        wav.setframerate(sample_rate)
        for start in range(0, len(frames), _FRAMES_AT_ONCE):
            piece = np.clip(frames[start : start + _FRAMES_AT_ONCE], -1, 1) * _FULL_SCALE
            wav.writeframesraw(np.rint(piece).astype("<i2").tobytes())
