"""Sound by the instruments of a SoundFont, a file of recorded instruments (.sf2), through TinySoundFont."""

import importlib
import os
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from ostinato.errors import DataError, FormatError, MissingExtraError
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.sound.level import set_peak
from ostinato.sound.limits import sounding_seconds
from ostinato.sound.soundfont_file import checked_presets

TAIL_SECONDS = 2.0
"""What is added at the end, for the last note to die away."""

_BANK, _DRUM_BANK = 0, 128
_HEADROOM_DECIBELS = -12.0  # while many notes are summed; the peak is set at the end


class _Synth(Protocol):
    """What is used of tinysoundfont.Synth."""

    def sfload(self, filename_or_bytes: str | bytes) -> int: ...
    def program_select(self, chan: int, sfid: int, bank: int, preset: int, is_drums: bool) -> None: ...
    def noteon(self, chan: int, key: int, velocity: int) -> bool: ...
    def noteoff(self, chan: int, key: int) -> bool: ...
    def generate(self, samples: int, buffer: memoryview) -> memoryview: ...


def synthesize_with(
    soundfont_path: str | os.PathLike[str], sequence: NoteSequence, *, sample_rate: int = 44_100
) -> NDArray[np.float32]:
    """The sound of a sequence, played by the instruments of a SoundFont.

    Args:
        soundfont_path: the .sf2 file.
        sequence: times in seconds; programs are the presets of the SoundFont's bank 0, drums those of bank 128.
        sample_rate: samples a second, 8,000..192,000.

    Returns:
        [n, 2] left and right, the loudest sample 1 dB below full scale; it ends TAIL_SECONDS after the sequence.

    Raises:
        MissingExtraError: if the library is not installed.
        FormatError: if the file is no SoundFont, or a damaged one.
        DataError: if there is no such file, it lacks an instrument, a note is out of its range, or there is too much
            to render (see `ostinato.sound.limits`).
        SettingsError: if the sample rate is out of its range.
    """
    seconds = sounding_seconds(sequence, sample_rate)
    try:
        library = importlib.import_module("tinysoundfont")
    except ImportError:
        raise MissingExtraError("playing by a SoundFont", "sound") from None
    path = os.fspath(soundfont_path)
    data = _read(path)
    try:
        channels = _channels(path, sequence, checked_presets(data))
        synth = cast(_Synth, library.Synth(samplerate=sample_rate, gain=_HEADROOM_DECIBELS))
        soundfont = synth.sfload(data)
    except (FormatError, RuntimeError) as error:
        raise FormatError(f"{path}: {error}") from None
    for (_, is_drum), (channel, bank, preset) in channels.items():
        synth.program_select(channel, soundfont, bank, preset, is_drum)
    samples = np.zeros((round((seconds + TAIL_SECONDS) * sample_rate), 2), np.float32)
    now = 0
    for frame, is_start, channel, pitch, velocity in _events(sequence, channels, sample_rate):
        _generate(synth, samples[now:frame])
        now = frame
        if is_start:
            synth.noteon(channel, pitch, velocity)
        else:
            synth.noteoff(channel, pitch)
    _generate(synth, samples[now:])
    set_peak(samples)
    return samples


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None


def _channels(
    path: str, sequence: NoteSequence, presets: frozenset[tuple[int, int]]
) -> dict[tuple[int, bool], tuple[int, int, int]]:
    """A channel for each program and each drum kit of the notes, with the bank and preset that play it."""
    channels: dict[tuple[int, bool], tuple[int, int, int]] = {}
    for program, is_drum in sorted({(note.program, note.is_drum) for note in sequence.notes}):
        bank = _DRUM_BANK if is_drum else _BANK
        preset = program if not is_drum or (bank, program) in presets else 0  # the standard kit
        if (bank, preset) not in presets:
            wanted = "drums (bank 128)" if is_drum else f"instrument for program {program} (bank 0)"
            raise DataError(f"{path}: has no {wanted}; take a General MIDI SoundFont")
        channels[program, is_drum] = len(channels), bank, preset
    return channels


def _events(
    sequence: NoteSequence, channels: dict[tuple[int, bool], tuple[int, int, int]], sample_rate: int
) -> list[tuple[int, bool, int, int, int]]:
    """Frame, whether a note starts there, channel, pitch and velocity; ends come before starts on one frame."""
    events = []
    for note in sequence.notes:
        start, end = (round(seconds * sample_rate) for seconds in (note.start_time, note.end_time))
        if end > start and note.velocity > 0:
            channel, _, _ = channels[note.program, note.is_drum]
            events += [(start, True, channel, note.pitch, note.velocity), (end, False, channel, note.pitch, 0)]
    return sorted(events)


def _generate(synth: _Synth, samples: NDArray[np.float32]) -> None:
    """Let the library fill these frames."""
    if len(samples):
        synth.generate(len(samples), samples.data.cast("B"))
