"""A synthesizer in NumPy: the notes of a sequence as stereo sound.

Each note is a tone or a drum (`instruments`), with an attack and a release that
leave no click. Instruments are spread from left to right, and a small room is
around them. The same notes are the same samples each time.

Tempo is what the notes' seconds say. Pitch bends and control changes, the
sustain pedal among them, are not heard.
"""

import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.sound.instruments import DRUM_SECONDS, MAX_RELEASE, Timbre, drum_samples, timbre_of, tone_samples
from ostinato.sound.wav import set_peak, sounding_seconds

ROOM_SECONDS = 0.7
"""How long the room goes on sounding: that of a small one."""
TAIL_SECONDS = max(MAX_RELEASE, DRUM_SECONDS) + ROOM_SECONDS
"""What is added at the end, for the last note to die away in the room."""

_REVERBERATION = 0.16  # beside the notes, which keeps notes clear; more blurs fast ones
_ROOM_FALL = 7.0  # nepers by the end of the reverberation: 61 dB, by which a room is said to be silent again
_ROOM_DARKNESS = 6  # samples over which the walls smooth what they throw back; more takes more of the treble
_ROOM_BLOCK = 1 << 16  # samples transformed at a time: 1.5 s at 44,100 a second, longer than the room sounds
_ROOM_SEED = 5  # of the walls, so that they are the same each time
_WIDEST = 0.6  # of the instruments' places, where -1 is left and 1 is right
_INAUDIBLE = 9.2  # nepers, or 80 dB, after which a decaying note is over
_CHUNK = 1 << 18  # samples of a note that are made at a time, which bounds the memory that a long note takes


@dataclass(frozen=True, slots=True)
class _Note:
    """A note in samples.

    Attributes:
        start: its first sample.
        count: of samples until it is released.
        gains: for left and right.
    """

    start: int
    count: int
    gains: tuple[float, float]


def synthesize(
    sequence: NoteSequence, *, sample_rate: int = 44_100, reverberation: float = _REVERBERATION
) -> NDArray[np.float32]:
    """The sound of a sequence.

    Args:
        sequence: times in seconds; programs are General MIDI's.
        sample_rate: samples a second, 8,000..192,000.
        reverberation: strength of the room beside the notes themselves, 0 for none.

    Returns:
        [n, 2] left and right, the loudest sample 1 dB below full scale; it ends TAIL_SECONDS after the sequence.

    Raises:
        SettingsError: if the sample rate is out of its range.
        DataError: if a note is out of its range, or there is too much to render (see `ostinato.sound.wav`).
    """
    seconds = sounding_seconds(sequence, sample_rate)
    channels = np.zeros((2, round((seconds + TAIL_SECONDS) * sample_rate)), np.float32)
    tones, hits = _voices(sequence, sample_rate)
    for (timbre, pitch), notes in tones.items():
        _add_tones(channels, timbre, pitch, notes, sample_rate)
    for pitch, notes in hits.items():
        sound = drum_samples(pitch, sample_rate)
        for note in notes:
            _add(channels, sound, note.start, note.gains)
    if reverberation > 0:
        add_room(channels, sample_rate, reverberation)
    set_peak(channels)
    return channels.T


def _voices(
    sequence: NoteSequence, sample_rate: int
) -> tuple[dict[tuple[Timbre, int], list[_Note]], dict[int, list[_Note]]]:
    """The notes by what they share: the tones by timbre and pitch, the drums by pitch."""
    instruments = sorted({note.instrument for note in sequence.notes if not note.is_drum})
    places = dict(zip(instruments, _places(len(instruments)), strict=True))
    tones: dict[tuple[Timbre, int], list[_Note]] = defaultdict(list)
    hits: dict[int, list[_Note]] = defaultdict(list)
    for note in sequence.notes:
        start = round(note.start_time * sample_rate)
        count = round(note.end_time * sample_rate) - start
        angle = (1 + (0.0 if note.is_drum else places[note.instrument])) * math.pi / 4  # equal power at every place
        loudness = (note.velocity / 127) ** 1.5
        voice = _Note(start, count, (loudness * math.cos(angle), loudness * math.sin(angle)))
        if note.is_drum:
            hits[note.pitch].append(voice)
        else:
            tones[timbre_of(note.program), note.pitch].append(voice)
    return tones, hits


def _places(count: int) -> list[float]:
    """Where so many instruments stand: the first in the middle, the others to its left and right in turn."""
    pairs = max(count // 2, 1)
    return [_WIDEST * (-1) ** number * ((number + 1) // 2) / pairs for number in range(count)]


def _add_tones(channels: NDArray[np.float32], timbre: Timbre, pitch: int, notes: list[_Note], sample_rate: int) -> None:
    """Add the notes of one pitch, which all begin alike and are the longer or shorter ends of one sound."""
    release = max(round(timbre.release * sample_rate), 1)
    fall = (0.5 + 0.5 * np.cos(np.pi * np.arange(1, release + 1) / release)).astype(np.float32)
    attack = max(round(timbre.attack * sample_rate), 1)
    rise = (0.5 - 0.5 * np.cos(np.pi * np.arange(attack) / attack)).astype(np.float32)
    audible = _audible_samples(timbre, pitch, sample_rate)
    counts = [min(note.count, audible) for note in notes]
    longest = max(counts) + release
    for first in range(0, longest, _CHUNK):
        sound = tone_samples(timbre, pitch, sample_rate, first, min(_CHUNK, longest - first))
        rising = rise[first : first + len(sound)]
        sound[: len(rising)] *= rising
        for note, held in zip(notes, counts, strict=True):
            end = min(held + release - first, len(sound))
            if end <= 0:
                continue
            piece = sound[:end]
            falling = max(held - first, 0)  # where in the piece the release begins
            if falling < end:
                piece = piece.copy()
                done = first + falling - held  # of the release, in the chunks before
                piece[falling:] *= fall[done : done + end - falling]
            _add(channels, piece, note.start + first, note.gains)


def _audible_samples(timbre: Timbre, pitch: int, sample_rate: int) -> int:
    """After how many samples a note has died away by itself."""
    _, _, decays = timbre.partials(pitch, sample_rate)
    if not len(decays):  # it is too high for the sample rate
        return 0
    slowest = float(decays.min())
    return math.ceil(_INAUDIBLE / slowest) if slowest > 0 else np.iinfo(np.int64).max


def _add(channels: NDArray[np.float32], sound: NDArray[np.float32], start: int, gains: tuple[float, float]) -> None:
    for channel, gain in zip(channels, gains, strict=True):
        channel[start : start + len(sound)] += sound * np.float32(gain)


def add_room(channels: NDArray[np.float32], sample_rate: int, share: float) -> None:
    """Add reverberation in place, a block of a second or two at a time.

    Args:
        channels: [2, n]; the reverberation of what sounds in the last ROOM_SECONDS is cut at the end.
        sample_rate: samples a second.
        share: strength of the reverberation beside the sound itself, 0 for none.
    """
    length = min(int(ROOM_SECONDS * sample_rate), _ROOM_BLOCK)
    size = 2 * _ROOM_BLOCK
    for channel, walls in zip(channels, np.random.default_rng(_ROOM_SEED).standard_normal((2, length)), strict=True):
        smooth = np.convolve(walls, np.ones(_ROOM_DARKNESS) / _ROOM_DARKNESS)[:length]
        response = smooth * np.exp(np.linspace(0, -_ROOM_FALL, length)) * np.linspace(1, 0, length)
        response *= share / np.sqrt((response**2).sum())
        spectrum = np.fft.rfft(response, size)
        carried = np.zeros(_ROOM_BLOCK)
        for start in range(0, channels.shape[1], _ROOM_BLOCK):
            block = channel[start : start + _ROOM_BLOCK]
            reverberation = np.fft.irfft(np.fft.rfft(block, size) * spectrum, size)
            reverberation[:_ROOM_BLOCK] += carried
            carried = reverberation[_ROOM_BLOCK:]
            block += reverberation[: len(block)].astype(np.float32)
