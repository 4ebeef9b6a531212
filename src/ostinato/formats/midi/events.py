"""The events of many MIDI files at once, as arrays; what they say about tempo, meter and key; and ticks to seconds.

Small files are many, and the cost of an array operation on a small file is all
overhead. So the bytes of several files are laid end to end and every step is
done for all of them together.

A track is a chain: each event says, by its bytes alone, where the next one
begins, except that it can leave out its status byte and mean the status before
it. A place in the chain is thus an offset together with how many data bytes such
a *running status* has, one or two. For every place the next one is computed as
an array operation, as if an event began at every byte, and then the chain is
followed from the start of each track, which is the only loop over events.
"""

import bisect
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ostinato.errors import FormatError
from ostinato.formats.midi import (
    DEFAULT_QPM,
    KEY_SIGNATURE,
    MARKER,
    META,
    MICROSECONDS_PER_MINUTE,
    SET_TEMPO,
    TEXT,
    TIME_SIGNATURE,
    TRACK_NAME,
)

# Some 400,000 notes, hours of music. A file takes about 100 times its size in memory: 300 MB for the largest.
MAX_FILE_BYTES = 3 << 20
MAX_TICK = 2**31 - 1
MAX_DELTA_BYTES = 5  # the standard allows 4; some writers pad

MAX_NAME_BYTES = 1024  # a track's name is copied to each of its instruments
_MAX_TEXT_BYTES = 64  # of a text that could be a chord
_MAX_DENOMINATOR_POWER = 30  # a NoteSequence's denominator is an int32

_HEADER_BYTES = 8  # of a chunk: four letters, then the length of its body
_PADDING = bytes(16)  # so that looking a few bytes ahead needs no care

# By the first byte of an event: how many bytes it has, data included. System exclusive (F0, F7) and meta events (FF)
# have their own length; 0 marks what MIDI leaves undefined.
EVENT_BYTES = np.zeros(256, np.int32)
EVENT_BYTES[0x80:0xC0] = 3  # note off, note on, pressure of a key, control change
EVENT_BYTES[0xC0:0xE0] = 2  # program change, pressure of a channel
EVENT_BYTES[0xE0:0xF0] = 3  # pitch bend
EVENT_BYTES[[0xF1, 0xF2, 0xF3, 0xF6]] = 2, 3, 2, 1
EVENT_BYTES[[0xF8, 0xFA, 0xFB, 0xFC, 0xFE]] = 1

# The same as steps from one place of the chain to the next, for both kinds of place (see `_next_places`), [256, 2].
_STEPS = np.stack((2 * EVENT_BYTES, 2 * EVENT_BYTES), axis=1)
_STEPS[0x00:0x80] = 4, 3  # a data byte: two of them, or one; and so it stays
_STEPS[0xC0:0xE0] += 1, 1  # from here on a running status has one data byte
_STEPS[0xF0:0x100] += 0, 1  # unchanged


_PROBLEMS = {
    1: "there is a data byte where a status byte must be",
    2: "there is a status byte where a data byte must be",
    3: f"a time of more than {MAX_DELTA_BYTES} bytes or {MAX_TICK} ticks",
    4: "an event runs past the end of its track",
}


@dataclass(frozen=True, slots=True)
class MidiEvents:
    """All events of F files, n in number, by file, track and place in the track.

    Attributes:
        errors: [F] why a file cannot be read, or None. Such a file has no events here.
        ticks_per_quarter: [F] 0 where a file cannot be read.
        more_tracks: [F] how many tracks there are beyond those that the header declares; they are not read.
        track_file: [number of tracks] the file of each track.
        track_is_first: [number of tracks] whether it is the first of its file.
        track: int32 [n] the track of each event, counted over all files.
        tick: int64 [n] ticks since the start of the track.
        status: uint8 [n] 0x80..0xFF, with running status filled in.
        data1, data2: uint8 [n] the two bytes after the status: what they mean depends on it.
        data_offset: int32 [n] where data1 is in `octets`.
        octets: uint8, the bytes of all files, one after the other.
    """

    errors: list[str | None]
    ticks_per_quarter: list[int]
    more_tracks: list[int]
    track_file: NDArray[np.int32]
    track_is_first: NDArray[np.bool_]
    track: NDArray[np.int32]
    tick: NDArray[np.int64]
    status: NDArray[np.uint8]
    data1: NDArray[np.uint8]
    data2: NDArray[np.uint8]
    data_offset: NDArray[np.int32]
    octets: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.status)


def read_events(files: Sequence[bytes]) -> MidiEvents:
    """Read the events of MIDI files.

    Args:
        files: the bytes of each file. Memory grows with their sum, by about 100 bytes for each.

    Returns:
        The events of the files that can be read, and for the others why not.
    """
    errors: list[str | None] = [None] * len(files)
    ticks_per_quarter = [0] * len(files)
    more_tracks = [0] * len(files)
    file_starts: list[int] = []
    spans: list[tuple[int, int]] = []
    track_file: list[int] = []
    track_is_first: list[bool] = []
    place = 0
    for number, data in enumerate(files):
        file_starts.append(place)
        try:
            ticks_per_quarter[number], tracks = _find_tracks(data)
        except FormatError as error:
            errors[number] = str(error)
        else:
            more_tracks[number] = data.count(b"MTrk", tracks[-1][1])
            spans.extend([(place + start, place + end) for start, end in tracks])
            track_file.extend([number] * len(tracks))
            track_is_first.extend([True] + [False] * (len(tracks) - 1))
        place += len(data)

    octets = np.frombuffer(b"".join((*files, _PADDING)), np.uint8)
    next_low = _next_low(octets)
    offset, counts, ends = _follow(_next_places(octets, next_low), spans)
    track = np.repeat(np.arange(len(spans), dtype=np.int32), counts)
    first_event = (np.cumsum(counts) - counts)[track]
    body = next_low[offset] + 1
    status, is_running, is_lost = _statuses(octets[body], first_event)
    data_offset = body + 1 - is_running
    data1, data2 = octets[data_offset], octets[data_offset + 1]
    has_two = EVENT_BYTES[status] == 3
    delta, is_long = _deltas(octets, offset, body - offset)
    total = np.cumsum(delta)
    tick = total - (total - delta)[first_event]
    problem = np.zeros(len(track), np.uint8)
    overrun = np.flatnonzero(ends != np.array([end for _, end in spans], np.int64))
    problem[is_long | (tick > MAX_TICK)] = 3
    problem[(status < 0xF0) & ((data1 | (data2 * has_two)) >= 0x80)] = 2
    problem[is_lost] = 1
    problem[np.cumsum(counts)[overrun] - 1] = 4
    kept: slice | NDArray[np.bool_] = slice(None)
    if problem.any() or any(errors):
        kept = np.ones(len(track), np.bool_)
        at = np.flatnonzero(problem)
        at = at[np.diff(track[at], prepend=-1) != 0]  # the first of each track
        for number, event in zip(np.asarray(track_file)[track[at]].tolist(), at.tolist(), strict=True):
            errors[number] = errors[number] or (
                f"{_PROBLEMS[problem[event]]}, at byte {int(body[event]) - file_starts[number]}"
            )
        kept &= np.array([error is None for error in errors])[np.asarray(track_file, np.int32)[track]]
    return MidiEvents(
        errors=errors,
        ticks_per_quarter=ticks_per_quarter,
        more_tracks=more_tracks,
        track_file=np.asarray(track_file, np.int32),
        track_is_first=np.asarray(track_is_first, np.bool_),
        track=track[kept],
        tick=tick[kept],
        status=status[kept],
        data1=data1[kept],
        data2=data2[kept],
        data_offset=data_offset[kept],
        octets=octets,
    )


def _find_tracks(data: bytes) -> tuple[int, list[tuple[int, int]]]:
    """Ticks per quarter, and where each declared track's events begin and end."""
    if len(data) > MAX_FILE_BYTES:
        raise FormatError(f"{len(data)} bytes is too large for a MIDI file; the limit is {MAX_FILE_BYTES}")
    header = data.find(b"MThd")  # after 20 bytes of RIFF in an .rmi file, 128 of MacBinary
    if header < 0:
        raise FormatError("the file is empty" if not data else "not a MIDI file: its header, MThd, is missing")
    if len(data) < header + 14:
        raise FormatError(f"the file is cut off in its header, at byte {len(data)}")
    header_bytes = int.from_bytes(data[header + 4 : header + 8])
    declared = int.from_bytes(data[header + 10 : header + 12])
    division = int.from_bytes(data[header + 12 : header + 14])
    if header_bytes < 6:
        raise FormatError(f"the header says that it is {header_bytes} bytes long, not 6, at byte {header + 4}")
    if division >= 0x8000:
        raise FormatError(f"times are in SMPTE frames, which have no beats, at byte {header + 12}")
    if division == 0:
        raise FormatError(f"the header says 0 ticks per quarter note, at byte {header + 12}")
    if declared == 0:
        raise FormatError(f"the header says that there are no tracks, at byte {header + 10}")

    tracks: list[tuple[int, int]] = []
    place = header + _HEADER_BYTES + header_bytes
    while len(tracks) < declared:
        if place + _HEADER_BYTES > len(data):
            raise FormatError(
                f"the file is cut off: {declared} tracks are declared, but only {len(tracks)} are there, "
                f"at byte {len(data)}"
            )
        kind = data[place : place + 4]
        start = place + _HEADER_BYTES
        place = start + int.from_bytes(data[place + 4 : start])
        if kind == b"MTrk":
            if place > len(data):
                raise FormatError(f"the file is cut off in a track, at byte {start - _HEADER_BYTES}")
            tracks.append((start, place))
        elif not (kind.isascii() and kind.isalnum()) or place > len(data):
            raise FormatError(f"no track begins where one should, at byte {start - _HEADER_BYTES}")
    if not any(start < end for start, end in tracks):
        raise FormatError("there are no events in it")
    return division, tracks


def _next_low(octets: NDArray[np.uint8]) -> NDArray[np.int32]:
    """For each byte, the place of the next one below 0x80, itself included: there a variable-length number ends."""
    last = len(octets) - 1
    lows = np.where(octets < 0x80, np.arange(len(octets), dtype=np.int32), np.int32(last))
    return np.minimum.accumulate(lows[::-1])[::-1]


def _next_places(octets: NDArray[np.uint8], next_low: NDArray[np.int32]) -> NDArray[np.int32]:
    """For each place of the chain, the next one.

    A place is twice the offset where a delta time begins, plus one where a running status has one data byte.
    """
    last = len(octets) - 1
    # Both kinds of place side by side, in one 64-bit number: half the operations.
    base = np.arange(len(octets), dtype=np.int64) * (2 << 32 | 2)
    by_body = base + _STEPS.view(np.int64)[:, 0][octets]

    # What has its own length, and what is undefined: no chain that comes to the last byte ends well.
    at = np.flatnonzero(octets >= 0xF0)
    at = at[EVENT_BYTES[octets[at]] == 0]
    is_meta = octets[at] == META
    length_at = np.minimum(at + 1 + is_meta, last)
    length_end = next_low[length_at].astype(np.int64)
    length = np.zeros(len(at), np.int64)
    for ahead in range(4):
        inside = length_at + ahead <= length_end
        length = np.where(inside, length << 7 | octets[np.minimum(length_at + ahead, last)] & 0x7F, length)
    is_undefined = ~is_meta & (octets[at] != 0xF0) & (octets[at] != 0xF7)
    after = np.where(is_undefined | (length_end - length_at >= 4), last, np.minimum(length_end + 1 + length, last))
    by_body.view(np.int32).reshape(-1, 2)[at] = np.stack((2 * after, 2 * after + 1), axis=1)

    return by_body[np.minimum(next_low + 1, last)].view(np.int32)


def _follow(
    next_places: NDArray[np.int32], spans: Sequence[tuple[int, int]]
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
    """Follow the chain of each track.

    Returns:
        The offset of each event; how many events each track has; and where each track's last event ends.
    """
    places: list[int] = []
    step = next_places.data
    counts: list[int] = []
    ends: list[int] = []
    for start, end in spans:
        before = len(places)
        place, stop = 2 * start, 2 * end
        while place < stop:
            places.append(place)
            place = step[place]
        counts.append(len(places) - before)
        ends.append(place >> 1)
    return np.array(places, np.int32) >> 1, np.array(counts, np.int64), np.array(ends, np.int64)


def _statuses(
    first_byte: NDArray[np.uint8], first_event: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.bool_]]:
    """The status of each event; whether it is running; whether it runs on from nothing."""
    is_running = first_byte < 0x80
    if not is_running.any():
        return first_byte, is_running, is_running
    event = np.arange(len(first_byte))
    # A meta event changes no running status.
    carrier = np.maximum.accumulate(np.where(is_running | (first_byte == META), -1, event))
    status = np.where(is_running, first_byte[carrier], first_byte)
    return status, is_running, is_running & ((carrier < first_event) | (status >= 0xF0))


def _deltas(
    octets: NDArray[np.uint8], offset: NDArray[np.int32], width: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The delta time of each event, in ticks, and whether it has too many bytes."""
    delta = (octets[offset] & 0x7F).astype(np.int64)
    for ahead in range(1, min(int(width.max(initial=0)), MAX_DELTA_BYTES)):
        longer = np.flatnonzero(width > ahead)
        delta[longer] = delta[longer] << 7 | octets[offset[longer] + ahead] & 0x7F
    return delta, width > MAX_DELTA_BYTES


@dataclass(frozen=True, slots=True)
class Meta:
    """What one file says about its tempo, meter, key and track names.

    Tempo, meter and key come from the first track only, as in Magenta. An impossible event (a tempo of 0, a meter of 0
    beats, an unknown key) is skipped; Magenta gives up the whole file.

    Attributes:
        tempos: tick, and microseconds a quarter note.
        time_signatures: tick, numerator and denominator.
        key_signatures: tick, key (0 is C) and mode (0 major, 1 minor).
        track_names: of each track that has one (counted over all files): the event and the name.
        texts: of each track and kind, texts or markers: tick and text.
    """

    tempos: list[tuple[int, int]] = field(default_factory=list)
    time_signatures: list[tuple[int, int, int]] = field(default_factory=list)
    key_signatures: list[tuple[int, int, int]] = field(default_factory=list)
    track_names: dict[int, list[tuple[int, str]]] = field(default_factory=dict)
    texts: dict[tuple[int, int], list[tuple[int, str]]] = field(default_factory=dict)

    def track_name(self, track: int, event: int) -> str:
        """The name that a track has at some event; "" if none."""
        names = self.track_names.get(track, [])
        before = bisect.bisect_left(names, (event, ""))
        return names[before - 1][1] if before else ""

    def chords(self) -> list[tuple[int, str]]:
        """Tick and name of each text and marker that is a chord; see `chords_among`."""
        if not self.texts:
            return []
        from ostinato.formats.chord_symbols import chords_among

        chords: dict[int, str] = {}  # of several on one tick the first
        for texts in self.texts.values():
            for (tick, _), name in zip(texts, chords_among([text for _, text in texts]), strict=True):
                if name:
                    chords.setdefault(tick, name)
        return sorted(chords.items())


def read_meta(events: MidiEvents) -> list[Meta]:
    """Read what each of some files says about itself."""
    metas = [Meta() for _ in events.errors]
    wanted = np.flatnonzero(events.status == META)
    kinds = events.data1[wanted]
    of_first_track = (kinds == SET_TEMPO) | (kinds == TIME_SIGNATURE) | (kinds == KEY_SIGNATURE)
    of_first_track &= events.track_is_first[events.track[wanted]]
    wanted = wanted[of_first_track | (kinds == TRACK_NAME) | (kinds == TEXT) | (kinds == MARKER)]
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
        elif kind in (TEXT, MARKER):
            # What is no UTF-8 is no chord either, but counts.
            text = data[:_MAX_TEXT_BYTES].decode("utf-8", "replace").strip()
            meta.texts.setdefault((track, kind), []).append((tick, text))
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
    """The data of a meta event whose length is at `place`."""
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
