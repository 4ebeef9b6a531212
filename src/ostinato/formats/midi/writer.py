"""NoteSequences to MIDI files of type 1.

The first track has tempos, meters, keys, and chords as texts; then each instrument has its own
track. Reading the file again gives the same notes, to the nearest tick, except
that MIDI cannot have two notes of one pitch that overlap on a channel and end at
different times.
"""

import bisect
import math
import os
from collections.abc import Iterable

from ostinato.errors import DataError
from ostinato.formats import atomic_writer
from ostinato.formats.midi import (
    DEFAULT_QPM,
    KEY_SIGNATURE,
    MICROSECONDS_PER_MINUTE,
    SET_TEMPO,
    TEXT,
    TIME_SIGNATURE,
    TRACK_NAME,
    variable_length,
)
from ostinato.formats.note_sequence_pb2 import NoteSequence

DEFAULT_TICKS_PER_QUARTER = 220
_MAX_TICKS_PER_QUARTER = 0x7FFF
_MAX_MICROSECONDS = 0xFFFFFF  # a quarter note
_MAX_DELTA = 0x0FFFFFFF  # ticks
_DRUM_CHANNEL = 9
_MELODIC_CHANNELS = [channel for channel in range(16) if channel != _DRUM_CHANNEL]
_CLOCKS_PER_CLICK, _THIRTY_SECONDS_PER_QUARTER = 24, 8

# How far the tonic of each mode lies above that of the major key with the same signature, by NoteSequence's enum.
_MODE_TONICS = {0: 0, 1: 9, 2: 0, 3: 7, 4: 2, 5: 4, 6: 5, 7: 11}

# What comes first on one tick.
_SIGNATURE, _NOTE_OFF, _CONTROL, _NOTE_ON = range(4)

_Event = tuple[int, int, bytes]  # tick, what comes first on it, the bytes after the delta time


def write_midi(sequence: NoteSequence, path: str | os.PathLike[str]) -> None:
    """Write a MIDI file of type 1, complete or not at all. See `note_sequence_to_midi`.

    Raises:
        DataError: if MIDI cannot express something in the sequence; the message says what.
    """
    data = note_sequence_to_midi(sequence)
    with atomic_writer(path) as file:
        file.write(data)


def note_sequence_to_midi(sequence: NoteSequence) -> bytes:
    """The bytes of a MIDI file of type 1.

    Args:
        sequence: times in seconds. Its ticks_per_quarter is kept; without one it is 220, as in Magenta.

    Returns:
        The file. Notes shorter than a tick get one. Drums are on channel 10; other instruments take the other
        channels in turn.

    Raises:
        DataError: if MIDI cannot express something in it; the message says what.
    """
    ticks_per_quarter = sequence.ticks_per_quarter or DEFAULT_TICKS_PER_QUARTER
    _require(1 <= ticks_per_quarter <= _MAX_TICKS_PER_QUARTER, "ticks_per_quarter", ticks_per_quarter, "1..32767")
    clock = _TickClock(sequence, ticks_per_quarter)
    tracks = [clock.tempo_events + _signatures(sequence, clock), *_instrument_tracks(sequence, clock)]
    header = b"MThd" + (6).to_bytes(4) + b"".join(part.to_bytes(2) for part in (1, len(tracks), ticks_per_quarter))
    return header + b"".join(_track(events) for events in tracks)


class _TickClock:
    """Seconds to ticks: the reverse of reading.

    Attributes:
        tempo_events: the tempo changes.
    """

    def __init__(self, sequence: NoteSequence, ticks_per_quarter: int) -> None:
        tempos = sorted(((tempo.time, tempo.qpm) for tempo in sequence.tempos), key=lambda tempo: tempo[0])
        if not tempos or tempos[0][0] > 0:
            tempos.insert(0, (0.0, DEFAULT_QPM))
        self._seconds: list[float] = []
        self._ticks: list[int] = []
        self._scales: list[float] = []  # seconds a tick
        self.tempo_events: list[_Event] = []
        for time, qpm in tempos:
            microseconds = round(MICROSECONDS_PER_MINUTE / qpm) if qpm > 0 else 0
            _require(
                1 <= microseconds <= _MAX_MICROSECONDS, "a tempo", qpm, "3.58 to 60,000,000 quarter notes a minute"
            )
            tick = self.tick(time) if self._ticks else 0
            second = self._seconds[-1] + self._scales[-1] * (tick - self._ticks[-1]) if self._ticks else 0.0
            self._seconds.append(second)
            self._ticks.append(tick)
            self._scales.append(60.0 / (MICROSECONDS_PER_MINUTE / microseconds * ticks_per_quarter))
            self.tempo_events.append((tick, _SIGNATURE, _meta(SET_TEMPO, microseconds.to_bytes(3))))

    def tick(self, second: float) -> int:
        """The nearest tick."""
        _require(math.isfinite(second) and second >= 0, "a time", second, "at least 0 seconds")
        stretch = max(bisect.bisect_right(self._seconds, second) - 1, 0)
        return self._ticks[stretch] + round((second - self._seconds[stretch]) / self._scales[stretch])


def _signatures(sequence: NoteSequence, clock: _TickClock) -> list[_Event]:
    events: list[_Event] = []
    for meter in sequence.time_signatures:
        _require(1 <= meter.numerator <= 255, "a meter's numerator", meter.numerator, "1..255")
        power = meter.denominator.bit_length() - 1
        _require(meter.denominator == 1 << max(power, 0), "a meter's denominator", meter.denominator, "a power of 2")
        data = bytes((meter.numerator, power, _CLOCKS_PER_CLICK, _THIRTY_SECONDS_PER_QUARTER))
        events.append((clock.tick(meter.time), _SIGNATURE, _meta(TIME_SIGNATURE, data)))
    for key in sequence.key_signatures:
        major = (key.key - _MODE_TONICS.get(key.mode, 0)) % 12
        sharps = (7 * major + 5) % 12 - 5  # -5 flats .. 6 sharps
        is_minor = key.mode == NoteSequence.KeySignature.MINOR
        events.append((clock.tick(key.time), _SIGNATURE, _meta(KEY_SIGNATURE, bytes((sharps & 0xFF, is_minor)))))
    return events + _chords(sequence, clock)


def _chords(sequence: NoteSequence, clock: _TickClock) -> list[_Event]:
    """The chords as texts, so spelled that a reader takes them for chords."""
    chords = [text for text in sequence.text_annotations if text.annotation_type == text.CHORD_SYMBOL]
    if not chords:
        return []
    from ostinato.formats.chord_symbols import are_marks

    major = "maj" if are_marks([chord.text for chord in chords]) else ""
    return [(clock.tick(chord.time), _SIGNATURE, _meta(TEXT, (chord.text + major).encode())) for chord in chords]


def _instrument_tracks(sequence: NoteSequence, clock: _TickClock) -> list[list[_Event]]:
    keys = {(note.instrument, note.program, note.is_drum) for note in sequence.notes}
    keys |= {(control.instrument, control.program, control.is_drum) for control in sequence.control_changes}
    keys |= {(bend.instrument, bend.program, bend.is_drum) for bend in sequence.pitch_bends}
    tracks: dict[tuple[int, int, bool], list[_Event]] = {key: [] for key in sorted(keys)}
    channels = {
        key: _DRUM_CHANNEL if key[2] else _MELODIC_CHANNELS[number % len(_MELODIC_CHANNELS)]
        for number, key in enumerate(tracks)
    }
    names = {info.instrument: info.name for info in sequence.instrument_infos}
    for (instrument, program, is_drum), events in tracks.items():
        _require(0 <= program <= 127, "a program", program, "0..127")
        if name := names.get(instrument):
            events.append((0, _SIGNATURE, _meta(TRACK_NAME, name.encode("latin-1", "replace"))))
        events.append((0, _SIGNATURE, bytes((0xC0 | channels[instrument, program, is_drum], program))))
    for note in sequence.notes:
        _require(0 <= note.pitch <= 127, "a pitch", note.pitch, "0..127")
        _require(1 <= note.velocity <= 127, "a note's velocity", note.velocity, "1..127")
        whose = (note.instrument, note.program, note.is_drum)
        start = clock.tick(note.start_time)
        end = max(clock.tick(note.end_time), start + 1)
        tracks[whose].append((start, _NOTE_ON, bytes((0x90 | channels[whose], note.pitch, note.velocity))))
        tracks[whose].append((end, _NOTE_OFF, bytes((0x80 | channels[whose], note.pitch, 0))))
    for control in sequence.control_changes:
        whose = (control.instrument, control.program, control.is_drum)
        values = (control.control_number, control.control_value)
        _require(min(values) >= 0 and max(values) <= 127, "a control change", values, "0..127")
        tracks[whose].append((clock.tick(control.time), _CONTROL, bytes((0xB0 | channels[whose], *values))))
    for bend in sequence.pitch_bends:
        whose = (bend.instrument, bend.program, bend.is_drum)
        _require(-8192 <= bend.bend <= 8191, "a pitch bend", bend.bend, "-8192..8191")
        value = bend.bend + 8192
        data = bytes((0xE0 | channels[whose], value & 0x7F, value >> 7))
        tracks[whose].append((clock.tick(bend.time), _CONTROL, data))
    return list(tracks.values())


def _track(events: Iterable[_Event]) -> bytes:
    parts: list[bytes] = []
    now = 0
    for tick, _, event in sorted(events, key=lambda event: event[:2]):
        _require(tick - now <= _MAX_DELTA, "a silence of ticks", tick - now, f"at most {_MAX_DELTA}")
        parts.extend((variable_length(tick - now), event))
        now = tick
    parts.append(variable_length(0) + _meta(0x2F, b""))
    body = b"".join(parts)
    return b"MTrk" + len(body).to_bytes(4) + body


def _meta(kind: int, data: bytes) -> bytes:
    return bytes((0xFF, kind)) + variable_length(len(data)) + data


def _require(holds: bool, what: str, value: object, bound: str) -> None:
    if not holds:
        raise DataError(f"{what} of {value} cannot be written as MIDI: it must be {bound}")
