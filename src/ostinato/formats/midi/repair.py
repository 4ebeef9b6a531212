"""Damaged MIDI files to sound ones, as far as they can be read.

Sound files never come here: the reader gives up a file at its first fault, and
those files are read again here, slowly and byte by byte. A track reaches from its
`MTrk` to the next one, no matter what length it declares.

| the file                                     | here                                               |
|----------------------------------------------|----------------------------------------------------|
| is cut off                                   | all events before the cut are used                 |
| has a track that goes wrong at some byte     | all of its events before that byte are used        |
| has data bytes above 127                     | a velocity counts as 127; other events are left    |
|                                              |   out                                              |
| leaves out a status where there was none     | it counts as a note-on                             |
| lets a status run on past a system message   | it is that of the last channel message             |
| has a system exclusive message whose length  | it ends at its end mark, F7, or before the next    |
|   is wrong                                   |   status                                           |
| declares wrong lengths, or more tracks than  | the tracks that are there are used                 |
|   it has, or none; has bytes between tracks  |                                                    |
| has a header that declares another length    | it is read as the usual 14 bytes                   |
| counts time in SMPTE frames                  | is read as 120 quarter notes a minute, or 60 if    |
|                                              |   ticks do not divide so                           |
| is compressed with gzip                      | is unpacked                                        |
"""

import zlib
from typing import NamedTuple

from ostinato.errors import FormatError
from ostinato.formats import Remark
from ostinato.formats.midi import META, SET_TEMPO, variable_length
from ostinato.formats.midi.events import EVENT_BYTES, MAX_DELTA_BYTES, MAX_FILE_BYTES, MAX_TICK

_END_OF_TRACK = 0x2F
_NOTE_ON = 0x90
_SYSTEM_EXCLUSIVE = (0xF0, 0xF7)
_END_OF_EXCLUSIVE = 0xF7
_GZIP = b"\x1f\x8b"
_MAX_TRACKS = 0xFFFF

# Once a track is out of step, its bytes make sense for some events more, with a few impossible values among them. So
# a fault that ends a track takes along the events from the impossible value on that came within so many before.
_OUT_OF_STEP_EVENTS = 16

_MAX_ODD = 20_000  # malformed events of a track: more than that is not music, but a way to keep a computer busy

# Of SMPTE time, how many frames last how many microseconds. 29 stands for 30 / 1.001 a second.
_FRAME_RATES = {24: (24, 1_000_000), 25: (25, 1_000_000), 29: (30, 1_001_000), 30: (30, 1_000_000)}


def repair(data: bytes) -> tuple[bytes, list[Remark]]:
    """Make a sound MIDI file from a damaged one.

    Args:
        data: the bytes of the file.

    Returns:
        A MIDI file of the events that could be read, and remarks about the others.

    Raises:
        FormatError: if there is no header, the header does not say what times mean, or no track follows.
    """
    if data.startswith(_GZIP):
        data = _decompress(data)
    header = data.find(b"MThd")
    starts = _track_starts(data, header + 14)
    if header < 0 or not starts:
        raise FormatError("no track follows the header")
    declared = int.from_bytes(data[header + 10 : header + 12])
    ticks_per_quarter, tempo = _clock(int.from_bytes(data[header + 12 : header + 14]))
    remarks: list[Remark] = []
    if tempo:
        remarks.append(Remark("no beats", "times are in SMPTE frames, which have no beats: bars and steps are a guess"))
    if len(starts) < declared:
        remarks.append(Remark("missing tracks", f"{declared} tracks are declared, but only {len(starts)} are there"))
    parts = []
    odd: list[int] = []
    limits = [*starts[1:], len(data)]
    for number, (start, limit) in enumerate(list(zip(starts, limits, strict=True))[: declared or None], 1):
        start += 8
        track = _Track(data[start:limit], has_tempo=not tempo)
        is_cut = limit == len(data) < start + int.from_bytes(data[start - 4 : start])
        if is_cut and not track.is_ended and track.fault is None:
            track.fault = limit - start
        odd += [start + place for place in track.odd]
        if track.fault is not None:
            name, says = (
                ("cut off", "the file ends inside") if is_cut else ("damaged track", "the bytes make no sense in")
            )
            remarks.append(
                Remark(name, f"{says} track {number}, at byte {start + track.fault}; everything before that is used")
            )
        parts.append(track.written(tempo))
    if odd:
        found = f"{len(odd)} malformed events, the first" if len(odd) > 1 else "a malformed event,"
        remarks.append(Remark("malformed events", f"{found} at byte {odd[0]}; the rest is used"))
    head = data[header + 8 : header + 10] + len(parts).to_bytes(2) + ticks_per_quarter.to_bytes(2)
    return b"MThd\0\0\0\6" + head + b"".join(parts), remarks


def _decompress(data: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(data, MAX_FILE_BYTES)
    except zlib.error as error:
        raise FormatError(f"compressed with gzip, and damaged: {error}") from None


def _track_starts(data: bytes, begin: int) -> list[int]:
    starts: list[int] = []
    place = data.find(b"MTrk", begin)
    while place >= 0 and len(starts) < _MAX_TRACKS:
        starts.append(place)
        place = data.find(b"MTrk", place + 4)
    return starts


def _clock(division: int) -> tuple[int, bytes]:
    """Ticks a quarter note; and, of SMPTE time, an event of its tempo."""
    if 0 < division < 0x8000:
        return division, b""
    frames, microseconds = _FRAME_RATES.get(0x100 - (division >> 8), (0, 0))
    ticks = frames * (division & 0xFF)
    if not ticks:
        raise FormatError("the header says 0 ticks per quarter note or frame")
    if ticks % 2 == 0:  # a quarter note is half a second, as where no tempo is given, or else a whole one
        ticks, microseconds = ticks // 2, microseconds // 2
    return ticks, bytes((META, SET_TEMPO, 3)) + microseconds.to_bytes(3)


class _Track:
    """A track as far as it can be read.

    Sound events are copied as they are, in runs. Where an event is left out, the ticks before it go to the next one,
    which is written with its status.

    Args:
        data: the bytes of the track.
        has_tempo: whether its tempo events count.

    Attributes:
        is_ended: whether its end-of-track event was reached.
        fault: how far into the track it could be read; None to the end.
        odd: how far into the track each malformed event is.
    """

    def __init__(self, data: bytes, *, has_tempo: bool) -> None:
        self.is_ended = False
        self.fault: int | None = None
        self.odd: list[int] = []
        self._data = data
        self._has_tempo = has_tempo
        self._parts: list[bytes] = []
        self._copied = 0  # how much of the data is in the parts
        self._pending: int | None = None  # ticks of events left out since the last one that was not
        self._read()

    def written(self, first_event: bytes) -> bytes:
        """The chunk of the track, with an event put before its own."""
        body = b"".join((b"\0" + first_event if first_event else b"", *self._parts, b"\0\xff\x2f\0"))
        return b"MTrk" + len(body).to_bytes(4) + body

    def _leave_out(self, begin: int, end: int, ticks: int) -> None:
        if begin > self._copied:
            self._parts.append(self._data[self._copied : begin])
        self._copied = end
        self._pending = (self._pending or 0) + ticks

    def _rewrite(self, begin: int, end: int, ticks: int, event: bytes) -> None:
        self._leave_out(begin, end, ticks)
        self._parts.append(variable_length(self._pending or 0) + event)
        self._pending = None

    def _read(self) -> None:
        data = self._data
        place = tick = number = begin = running = 0
        odd: list[_Mark] = []
        suspect: tuple[_Mark, int] | None = None  # a message, and where it ends if its length is wrong
        while place < len(data):
            begin = place
            number += 1
            try:
                delta = data[place]
                place += 1
                if delta >= 0x80:
                    delta, place = _quantity(data, place - 1, MAX_DELTA_BYTES)
                tick += delta
                if tick > MAX_TICK or len(odd) > _MAX_ODD:
                    raise IndexError
                status = data[place]
                is_rewritten = self._pending is not None
                if status >= 0x80:
                    place += 1
                elif suspect is not None and suspect[0].number == number - 1:
                    raise IndexError  # no status runs on over such a message, so its length led into another event
                elif running:
                    status = running
                else:
                    status = _NOTE_ON
                    is_rewritten = True
                    odd.append(self._mark(number, begin, tick - delta, running))
                if status < 0xF0:
                    first = data[place]
                    running, before = status, running
                    if 0xC0 <= status < 0xE0:
                        second = 0
                        place += 1
                    else:
                        second = data[place + 1]
                        place += 2
                    if (first | second) >= 0x80:
                        odd.append(self._mark(number, begin, tick - delta, before))
                        if status < 0xA0 and first < 0x80:  # a note of impossible loudness is a note
                            self._rewrite(begin, place, delta, bytes((status, first, 0x7F)))
                        else:
                            self._leave_out(begin, place, delta)
                    elif is_rewritten:
                        values = (first,) if 0xC0 <= status < 0xE0 else (first, second)
                        self._rewrite(begin, place, delta, bytes((status, *values)))
                elif status == META:
                    kind_place = place
                    length, after = _quantity(data, place + 1)
                    if data[place] == _END_OF_TRACK:
                        self.is_ended = True
                        break
                    place = after + length
                    if place > len(data):
                        raise IndexError
                    if data[kind_place] == SET_TEMPO and not self._has_tempo:
                        self._leave_out(begin, place, delta)
                    elif is_rewritten:
                        self._rewrite(begin, place, delta, data[kind_place - 1 : place])
                elif status in _SYSTEM_EXCLUSIVE:
                    length, after = _quantity(data, place)
                    place = after + length
                    if place > len(data) or not data[after : place - 1].isascii():
                        suspect = self._mark(number, begin, tick - delta, running), _exclusive_end(data, after)
                        if place > len(data):
                            raise IndexError
                    self._leave_out(begin, place, delta)
                else:
                    place += int(EVENT_BYTES[status]) - 1
                    if not EVENT_BYTES[status] or place > len(data):
                        raise IndexError
                    self._leave_out(begin, place, delta)
            except IndexError:  # it leads out of the track, or to what cannot be
                if suspect is not None and number - suspect[0].number <= _OUT_OF_STEP_EVENTS:
                    mark, place = suspect
                    suspect = None
                    while odd and odd[-1].number >= mark.number:
                        odd.pop()
                    odd.append(mark)
                    self._return_to(mark)
                    number, running = mark.number, mark.running
                    delta, _ = _quantity(data, mark.begin, MAX_DELTA_BYTES)
                    tick = mark.tick + delta
                    self._leave_out(mark.begin, place, delta)
                    continue
                while odd and number - odd[-1].number <= _OUT_OF_STEP_EVENTS:
                    mark = odd.pop()
                    self._return_to(mark)
                    number, begin = mark.number, mark.begin
                self.fault = begin
                break
        else:
            begin = place
        self._parts.append(data[self._copied : begin])
        self.odd = [mark.begin for mark in odd]

    def _mark(self, number: int, begin: int, tick: int, running: int) -> "_Mark":
        return _Mark(number, begin, tick, running, len(self._parts), self._copied, self._pending)

    def _return_to(self, mark: "_Mark") -> None:
        del self._parts[mark.parts :]
        self._copied, self._pending = mark.copied, mark.pending


class _Mark(NamedTuple):
    """What there was before an event of a track: its number and place, the tick, the running status, the copy."""

    number: int
    begin: int
    tick: int
    running: int
    parts: int
    copied: int
    pending: int | None


def _quantity(data: bytes, place: int, most_bytes: int = 4) -> tuple[int, int]:
    """A variable-length quantity, and where it ends."""
    value = 0
    for at in range(place, place + most_bytes):
        octet = data[at]
        value = value << 7 | octet & 0x7F
        if octet < 0x80:
            return value, at + 1
    raise IndexError


def _exclusive_end(data: bytes, place: int) -> int:
    """Where a system exclusive message ends, by its data: after its end mark, or before the next event's delta time."""
    while data[place] < 0x80:
        place += 1
    return place + 1 if data[place] == _END_OF_EXCLUSIVE else place - 1
