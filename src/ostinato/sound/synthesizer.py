"""A synthesizer in NumPy: the notes of a sequence as stereo sound.

Each note is a tone or a drum, with an attack and a release that leave no click.
There is a timbre for each family of General MIDI. It is a sum of sines, its
partials, each of which can die away at its own rate. Nothing in it is above
half the sample rate, so there is no aliasing. A drum is
a short sound of noise and a falling sine.

Instruments are spread from left to right in a small room. The same notes always
give the same samples.

The tempo is in the notes' seconds. Pitch bends and control changes, including
the sustain pedal, are ignored.
"""

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.sound.wav import set_peak, sounding_seconds

_PROGRAMS_PER_FAMILY = 8
_MIDDLE_C = 60
_HIGHEST_SHARE = 0.47  # of the sample rate: where partials end, a little below half of it, where they would fold back


class Instrument(Protocol):
    """What notes are played on: a `Timbre` here, or a recorded instrument of `ostinato.sound.recorded`."""

    @property
    def attack(self) -> float:
        """Seconds in which a note rises."""
        ...

    @property
    def release(self) -> float:
        """Seconds in which it falls when it has ended."""
        ...

    def samples(self, pitch: int, sample_rate: int, start: int, count: int) -> NDArray[np.float32]:
        """A note as it sounds while it is held, without its attack; see `tone_samples`."""
        ...

    def audible_samples(self, pitch: int, sample_rate: int, nepers: float) -> int:
        """After how many samples a note has died away by so many nepers by itself."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Timbre:
    """An instrument with K partials.

    Attributes:
        ratios: frequency of each partial in multiples of the note's.
        amplitudes: of each partial.
        decays: of each partial at middle C, in nepers a second; 0 for one that is kept up.
            Higher notes die away faster.
        attack: seconds in which a note rises.
        release: seconds in which it falls when it has ended.
    """

    ratios: tuple[float, ...]
    amplitudes: tuple[float, ...]
    decays: tuple[float, ...]
    attack: float
    release: float

    def partials(
        self, pitch: int, sample_rate: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """What a note of this pitch is made of.

        Returns:
            Frequencies in radians a sample, amplitudes, and decays in nepers a sample, of the partials that can be
            said at this sample rate. Every timbre is as strong as the others, low notes as strong as high ones.
        """
        hertz = 440.0 * 2.0 ** ((pitch - 69) / 12) * np.array(self.ratios)
        amplitudes = np.array(self.amplitudes)
        amplitudes /= np.sqrt((amplitudes**2).sum())
        decays = np.array(self.decays) * 2.0 ** ((pitch - _MIDDLE_C) / 24)
        heard = hertz < _HIGHEST_SHARE * sample_rate
        return 2 * np.pi * hertz[heard] / sample_rate, amplitudes[heard], decays[heard] / sample_rate

    def samples(self, pitch: int, sample_rate: int, start: int, count: int) -> NDArray[np.float32]:
        """See `Instrument`."""
        return tone_samples(self, pitch, sample_rate, start, count)

    def audible_samples(self, pitch: int, sample_rate: int, nepers: float) -> int:
        """See `Instrument`."""
        _, _, decays = self.partials(pitch, sample_rate)
        if not len(decays):  # it is too high for the sample rate
            return 0
        slowest = float(decays.min())
        return math.ceil(nepers / slowest) if slowest > 0 else np.iinfo(np.int64).max


def _harmonic(
    amplitudes: list[float], *, decay: float = 0.0, damping: float = 0.0, stiffness: float = 0.0
) -> dict[str, tuple[float, ...]]:
    """Partials at the multiples of the note, spread by a string's stiffness; each decays faster than the one below."""
    numbers = range(1, len(amplitudes) + 1)
    return {
        "ratios": tuple([k * (1 + stiffness * (k * k - 1)) ** 0.5 for k in numbers]),
        "amplitudes": tuple(amplitudes),
        "decays": tuple([decay + damping * (k - 1) for k in numbers]),
    }


def _chorus(amplitudes: list[float], *, cents: float) -> dict[str, tuple[float, ...]]:
    """Two players, one a little above the note and one a little below it."""
    numbers = range(1, len(amplitudes) + 1)
    shift = 2.0 ** (cents / 1200)
    return {
        "ratios": tuple([k * factor for factor in (shift, 1 / shift) for k in numbers]),
        "amplitudes": tuple(amplitudes * 2),
        "decays": (0.0,) * (2 * len(amplitudes)),
    }


_PIANO = Timbre(
    **_harmonic([k**-1.3 for k in range(1, 17)], decay=1.1, damping=0.55, stiffness=2e-4), attack=0.003, release=0.12
)
_BELL = Timbre(
    ratios=(1.0, 2.76, 5.40, 8.93), amplitudes=(1.0, 0.35, 0.16, 0.07), decays=(2.0, 4.5, 9.0, 16.0),
    attack=0.002, release=0.25,
)  # fmt: skip
_ORGAN = Timbre(**_harmonic([1.0, 0.7, 0.35, 0.4, 0.0, 0.12, 0.0, 0.15]), attack=0.012, release=0.06)
_PLUCKED = Timbre(**_harmonic([k**-1.1 for k in range(1, 15)], decay=1.8, damping=1.1), attack=0.003, release=0.1)
_BASS = Timbre(**_harmonic([k**-1.6 for k in range(1, 11)], decay=0.8, damping=1.0), attack=0.005, release=0.08)
_BOWED = Timbre(**_chorus([k**-1.2 for k in range(1, 15)], cents=1.5), attack=0.06, release=0.16)
_CHOIR = Timbre(**_chorus([k**-1.7 for k in range(1, 11)], cents=2.0), attack=0.09, release=0.22)
_BRASS = Timbre(**_harmonic([0.8, 1.0, 0.8, 0.6, 0.45, 0.3, 0.2, 0.14, 0.1, 0.06]), attack=0.035, release=0.09)
_REED = Timbre(**_harmonic([1.0, 0.08, 0.6, 0.06, 0.4, 0.05, 0.22, 0.0, 0.12]), attack=0.025, release=0.08)
_FLUTE = Timbre(**_harmonic([1.0, 0.28, 0.12, 0.04]), attack=0.045, release=0.1)
_LEAD = Timbre(**_harmonic([1.0 / k for k in range(1, 19)]), attack=0.008, release=0.08)
_PAD = Timbre(**_chorus([k**-2.0 for k in range(1, 9)], cents=2.5), attack=0.18, release=0.35)

# Of the programs 0..7, 8..15 and so on.
_FAMILIES = (
    _PIANO,
    _BELL,  # chromatic percussion
    _ORGAN,
    _PLUCKED,  # guitar
    _BASS,
    _BOWED,  # strings
    _CHOIR,  # ensemble
    _BRASS,
    _REED,
    _FLUTE,  # pipe
    _LEAD,
    _PAD,
    _BELL,  # synthesizer effects
    _PLUCKED,  # ethnic
    _BELL,  # percussive
    _PAD,  # sound effects
)
_EXCEPTIONS = {45: _PLUCKED, 46: _PLUCKED, 47: _BASS}  # pizzicato, harp and timpani are among the strings

MAX_RELEASE = max(timbre.release for timbre in _FAMILIES)  # seconds


def timbre_of(program: int) -> Timbre:
    """The timbre of a General MIDI program, 0..127."""
    return _EXCEPTIONS.get(program, _FAMILIES[program // _PROGRAMS_PER_FAMILY])


_BLOCK = 512  # samples: the root of the 2^18 that are made at a time, where the two matrices together are smallest


def tone_samples(timbre: Timbre, pitch: int, sample_rate: int, start: int, count: int) -> NDArray[np.float32]:
    """A note as it sounds while it is held, without its attack.

    A decaying sine at sample b·512 + i is a number of its block b times a number
    of its place i, so a sum of K of them is a product of two matrices.

    Args:
        timbre: the instrument.
        pitch: MIDI pitch, 0..127.
        sample_rate: samples a second.
        start: the first sample, counted from the note's beginning.
        count: how many.

    Returns:
        [count]
    """
    frequencies, amplitudes, decays = timbre.partials(pitch, sample_rate)
    rates = 1j * frequencies - decays
    blocks = np.arange(start, start + count, _BLOCK)
    by_block = amplitudes * np.exp(np.multiply.outer(blocks, rates))  # [b, K]
    by_place = np.exp(np.multiply.outer(rates, np.arange(_BLOCK)))  # [K, 512]
    left = np.concatenate([by_block.real, by_block.imag], axis=1).astype(np.float32)
    right = np.concatenate([by_place.imag, by_place.real]).astype(np.float32)
    return (left @ right).reshape(-1)[:count]


DRUM_SECONDS = 1.0
"""How long every drum sounds; by then a cymbal, which fades by two thirds in 0.3 seconds, is at 4 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drum:
    """A skin that falls from one frequency to another, and noise; each dies away by itself.

    Attributes:
        hertz: frequency the skin begins with and the one it falls to.
        skin: how strong it is, and seconds until it has fallen to a third.
        noise: the same of the noise.
        sharpness: how often the noise is differentiated; 0 is dull, 2 a cymbal.
    """

    hertz: tuple[float, float] = (200.0, 200.0)
    skin: tuple[float, float] = (0.0, 0.1)
    noise: tuple[float, float] = (0.0, 0.1)
    sharpness: int = 0


_KICK = _Drum(hertz=(150.0, 48.0), skin=(1.2, 0.11), noise=(0.06, 0.008))
_SNARE = _Drum(hertz=(220.0, 180.0), skin=(0.45, 0.06), noise=(0.55, 0.075), sharpness=1)
_CLOSED_HAT = _Drum(noise=(0.4, 0.025), sharpness=2)
_OPEN_HAT = _Drum(noise=(0.35, 0.16), sharpness=2)
_CYMBAL = _Drum(noise=(0.4, 0.3), sharpness=2)
_CLICK = _Drum(hertz=(900.0, 800.0), skin=(0.4, 0.02), noise=(0.2, 0.015), sharpness=1)

_DRUMS = {
    35: _KICK, 36: _KICK, 37: _CLICK, 38: _SNARE, 39: _SNARE, 40: _SNARE, 42: _CLOSED_HAT, 44: _CLOSED_HAT,
    46: _OPEN_HAT, 49: _CYMBAL, 51: _CYMBAL, 52: _CYMBAL, 53: _CYMBAL, 55: _CYMBAL, 57: _CYMBAL, 59: _CYMBAL,
}  # fmt: skip
_TOMS = {41: 80.0, 43: 95.0, 45: 115.0, 47: 135.0, 48: 160.0, 50: 185.0}  # hertz


def drum_samples(pitch: int, sample_rate: int) -> NDArray[np.float32]:
    """The whole sound of a drum, the same each time.

    Args:
        pitch: of General MIDI's drum map, 0..127; those without a sound here get a click.
        sample_rate: samples a second.

    Returns:
        [DRUM_SECONDS · sample_rate], from and to 0.
    """
    drum = _DRUMS.get(pitch, _CLICK)
    if pitch in _TOMS:
        drum = _Drum(hertz=(1.6 * _TOMS[pitch], _TOMS[pitch]), skin=(0.9, 0.14), noise=(0.05, 0.01))
    count = int(DRUM_SECONDS * sample_rate)
    seconds = np.arange(count) / sample_rate
    high, low = drum.hertz
    phase = 2 * np.pi * np.cumsum(low + (high - low) * np.exp(-seconds / 0.03)) / sample_rate
    noise = np.random.default_rng(pitch).standard_normal(count + drum.sharpness)
    noise = np.diff(noise, drum.sharpness)
    noise /= noise.std() * 3
    sound = drum.skin[0] * np.exp(-seconds / drum.skin[1]) * np.sin(phase)
    sound += drum.noise[0] * np.exp(-seconds / drum.noise[1]) * noise
    attack = max(int(0.001 * sample_rate), 1)
    sound[:attack] *= np.linspace(0, 1, attack)
    sound *= 0.5 + 0.5 * np.cos(np.pi * seconds / DRUM_SECONDS)
    return sound.astype(np.float32)


ROOM_SECONDS = 0.7
"""How long the room goes on sounding: a small one."""
TAIL_SECONDS = max(MAX_RELEASE, DRUM_SECONDS) + ROOM_SECONDS
"""Added at the end, so that the last note can die away in the room."""

_REVERBERATION = 0.16  # relative to the notes, which keeps notes clear; more blurs fast ones
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
    sequence: NoteSequence,
    *,
    sample_rate: int = 44_100,
    reverberation: float = _REVERBERATION,
    instrument: Instrument | None = None,
) -> NDArray[np.float32]:
    """The sound of a sequence.

    Args:
        sequence: times in seconds; programs are General MIDI's.
        sample_rate: samples a second, 8,000..192,000.
        reverberation: strength of the room relative to the notes, 0 for none.
        instrument: plays all notes but drums, in place of their programs' timbres.

    Returns:
        [n, 2] left and right, the loudest sample 1 dB below full scale; it ends TAIL_SECONDS after the sequence.

    Raises:
        SettingsError: if the sample rate is out of range.
        DataError: if a note is out of range, or there is too much to render (see `ostinato.sound.wav`).
    """
    seconds = sounding_seconds(sequence, sample_rate)
    channels = np.zeros((2, round((seconds + TAIL_SECONDS) * sample_rate)), np.float32)
    tones, hits = _voices(sequence, sample_rate, instrument)
    for (player, pitch), notes in tones.items():
        _add_tones(channels, player, pitch, notes, sample_rate)
    for pitch, notes in hits.items():
        sound = drum_samples(pitch, sample_rate)
        for note in notes:
            _add(channels, sound, note.start, note.gains)
    if reverberation > 0:
        add_room(channels, sample_rate, reverberation)
    set_peak(channels)
    return channels.T


def _voices(
    sequence: NoteSequence, sample_rate: int, instrument: Instrument | None
) -> tuple[dict[tuple[Instrument, int], list[_Note]], dict[int, list[_Note]]]:
    """The notes by what they share: the tones by instrument and pitch, the drums by pitch."""
    instruments = sorted({note.instrument for note in sequence.notes if not note.is_drum})
    places = dict(zip(instruments, _places(len(instruments)), strict=True))
    tones: dict[tuple[Instrument, int], list[_Note]] = defaultdict(list)
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
            tones[instrument or timbre_of(note.program), note.pitch].append(voice)
    return tones, hits


def _places(count: int) -> list[float]:
    """Where this many instruments are: the first in the middle, the others to its left and right in turn."""
    pairs = max(count // 2, 1)
    return [_WIDEST * (-1) ** number * ((number + 1) // 2) / pairs for number in range(count)]


def _add_tones(
    channels: NDArray[np.float32], player: Instrument, pitch: int, notes: list[_Note], sample_rate: int
) -> None:
    """Add the notes of one pitch, which all begin alike and are the longer or shorter ends of one sound."""
    release = max(round(player.release * sample_rate), 1)
    fall = (0.5 + 0.5 * np.cos(np.pi * np.arange(1, release + 1) / release)).astype(np.float32)
    attack = max(round(player.attack * sample_rate), 1)
    rise = (0.5 - 0.5 * np.cos(np.pi * np.arange(attack) / attack)).astype(np.float32)
    audible = player.audible_samples(pitch, sample_rate, _INAUDIBLE)
    counts = [min(note.count, audible) for note in notes]
    longest = max(counts) + release
    for first in range(0, longest, _CHUNK):
        sound = player.samples(pitch, sample_rate, first, min(_CHUNK, longest - first))
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


def _add(channels: NDArray[np.float32], sound: NDArray[np.float32], start: int, gains: tuple[float, float]) -> None:
    for channel, gain in zip(channels, gains, strict=True):
        channel[start : start + len(sound)] += sound * np.float32(gain)


def add_room(channels: NDArray[np.float32], sample_rate: int, share: float) -> None:
    """Add reverberation in place, a block of a second or two at a time.

    Args:
        channels: [2, n]; the reverberation of what sounds in the last ROOM_SECONDS is cut at the end.
        sample_rate: samples a second.
        share: strength of the reverberation relative to the sound, 0 for none.
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
