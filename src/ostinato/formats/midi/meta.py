"""What MIDI files say of themselves: tempo, metre, key and track names; and ticks to seconds.

Tempo, metre and key are taken from the first track alone, as Magenta does. An
event that cannot be (a tempo of 0, a metre of 0 beats, an unknown key) is passed
over; Magenta gives up the whole file.
"""

import bisect
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ostinato.formats.midi.events import META, MidiEvents

TRACK_NAME = 0x03
SET_TEMPO = 0x51
TIME_SIGNATURE = 0x58
KEY_SIGNATURE = 0x59

DEFAULT_QPM = 120.0
MICROSECONDS_PER_MINUTE = 6e7
MAX_NAME_BYTES = 1024  # a track's name is copied to each of its instruments
_MAX_DENOMINATOR_POWER = 30  # a NoteSequence's denominator is an int32


@dataclass(frozen=True, slots=True)
class Meta:
    """What one file says.

    Attributes:
        tempos: tick, and microseconds a quarter note.
        time_signatures: tick, numerator and denominator.
        key_signatures: tick, key (0 is C) and mode (0 major, 1 minor).
        track_names: of each track that has one (counted over all files): the event and the name.
    """

    tempos: list[tuple[int, int]] = field(default_factory=list)
    time_signatures: list[tuple[int, int, int]] = field(default_factory=list)
    key_signatures: list[tuple[int, int, int]] = field(default_factory=list)
    track_names: dict[int, list[tuple[int, str]]] = field(default_factory=dict)

    def track_name(self, track: int, event: int) -> str:
        """The name that a track has at some event; "" if none."""
        names = self.track_names.get(track, [])
        before = bisect.bisect_left(names, (event, ""))
        return names[before - 1][1] if before else ""


def read_meta(events: MidiEvents) -> list[Meta]:
    """Read what each of some files says of itself."""
    metas = [Meta() for _ in events.errors]
    wanted = np.flatnonzero(events.status == META)
    kinds = events.data1[wanted]
    of_first_track = (kinds == SET_TEMPO) | (kinds == TIME_SIGNATURE) | (kinds == KEY_SIGNATURE)
    of_first_track &= events.track_is_first[events.track[wanted]]
    wanted = wanted[of_first_track | (kinds == TRACK_NAME)]
    octets = events.octets.tobytes()
    track_file = events.track_file.tolist()
    for event, kind, track, tick, place in zip(
        wanted.tolist(),
        events.data1[wanted].tolist(),
        events.track[wanted].tolist(),
        events.tick[wanted].tolist(),
        (events.data_offset[wanted] + 1).tolist(),
        strict=True,
    ):
        meta = metas[track_file[track]]
        data = _data(octets, place)
        if kind == TRACK_NAME:
            meta.track_names.setdefault(track, []).append((event, data[:MAX_NAME_BYTES].decode("latin-1")))
        elif kind == SET_TEMPO:
            if len(data) >= 3 and any(data[:3]):
                meta.tempos.append((tick, int.from_bytes(data[:3])))
        elif kind == TIME_SIGNATURE:
            if len(data) >= 2 and data[0] and data[1] <= _MAX_DENOMINATOR_POWER:
                meta.time_signatures.append((tick, data[0], 1 << data[1]))
        elif len(data) >= 2:
            sharps = int.from_bytes(data[:1], signed=True)
            if -7 <= sharps <= 7 and data[1] <= 1:
                # Each sharp goes up a fifth; a minor key's tonic lies three semitones below its parallel.
                meta.key_signatures.append((tick, (7 * sharps - 3 * data[1]) % 12, data[1]))
    return metas


def _data(octets: bytes, place: int) -> bytes:
    """The data of a meta event whose length stands at `place`."""
    length = 0
    while True:
        octet = octets[place]
        place += 1
        length = length << 7 | octet & 0x7F
        if octet < 0x80:
            return octets[place : place + length]


class Clock:
    """Ticks to seconds for some files, in float64 and in pretty_midi's order of operations.

    Within a stretch of one tempo, seconds = end of the last stretch + seconds a tick x ticks in this one. Thousands
    of notes begin so close to half a step that any other order would move some of them.

    Attributes:
        tempos: of each file: the seconds of each tempo change, and quarter notes a minute from there on.
    """

    def __init__(self, metas: list[Meta], ticks_per_quarter: list[int]) -> None:
        self.tempos: list[list[tuple[float, float]]] = []
        self._file: list[int] = []
        self._tick: list[int] = []
        self._second: list[float] = []
        self._scale: list[float] = []  # seconds a tick
        self._first: list[int] = []  # each file's first stretch
        for number, (meta, resolution) in enumerate(zip(metas, ticks_per_quarter, strict=True)):
            stretches = _stretches(meta.tempos, resolution or 1)
            self._first.append(len(self._tick))
            second = 0.0
            last_tick, last_scale = stretches[0]
            tempos = []
            for tick, scale in stretches:
                second = second + last_scale * (tick - last_tick)
                last_tick, last_scale = tick, scale
                self._file.append(number)
                self._tick.append(tick)
                self._second.append(second)
                self._scale.append(scale)
                tempos.append((second, 60.0 / (scale * (resolution or 1))))
            self.tempos.append(tempos)
        self._first.append(len(self._tick))
        self._ticks = np.array(self._tick, np.int64)
        self._seconds = np.array(self._second)
        self._scales = np.array(self._scale)
        self._keys = np.array(self._file, np.int64) << 32 | self._ticks

    def seconds(self, file: NDArray[np.int64], tick: NDArray[np.int64]) -> NDArray[np.float64]:
        """[n] the time of each tick in the file of the same row."""
        if len(self._keys) == len(self.tempos):  # one tempo in each file
            stretch = file
        else:
            stretch = np.searchsorted(self._keys, file << 32 | tick, "right") - 1
        seconds: NDArray[np.float64] = self._seconds[stretch] + self._scales[stretch] * (tick - self._ticks[stretch])
        return seconds

    def second(self, file: int, tick: int) -> float:
        """The time of one tick."""
        stretch = bisect.bisect_right(self._tick, tick, self._first[file], self._first[file + 1]) - 1
        return self._second[stretch] + self._scale[stretch] * (tick - self._tick[stretch])


def _stretches(tempos: list[tuple[int, int]], ticks_per_quarter: int) -> list[tuple[int, float]]:
    """Where each stretch of one tempo begins, and its seconds a tick."""
    stretches = [(0, 60.0 / (DEFAULT_QPM * ticks_per_quarter))]
    for tick, microseconds in tempos:
        scale = 60.0 / (MICROSECONDS_PER_MINUTE / microseconds * ticks_per_quarter)
        if tick == 0:
            stretches = [(0, scale)]
        elif scale != stretches[-1][1]:
            stretches.append((tick, scale))
    return stretches
