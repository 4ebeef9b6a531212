"""Sound from the instruments of a SoundFont, a file of recorded instruments (.sf2), through TinySoundFont.

A .sf2 file (SoundFont 2.04, Creative Technology 2006) is a RIFF file of three
lists: INFO, sdta with the samples, and pdta with nine tables that point into
each other. The last record of each table only says where the one before ends.
All tables are checked here before a library that trusts them plays them.
"""

import importlib
import os
import struct
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from ostinato.errors import DataError, FormatError, MissingExtraError, nearest_file
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.sound.wav import set_peak, sounding_seconds

TAIL_SECONDS = 2.0
"""Added at the end, so that the last note can die away."""

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
    """The sound of a sequence, played with the instruments of a SoundFont.

    Args:
        soundfont_path: the .sf2 file.
        sequence: times in seconds; programs are the presets of the SoundFont's bank 0, drums those of bank 128.
        sample_rate: samples a second, 8,000..192,000.

    Returns:
        [n, 2] left and right, the loudest sample 1 dB below full scale; it ends TAIL_SECONDS after the sequence.

    Raises:
        MissingExtraError: if the library is not installed.
        FormatError: if the file is not a SoundFont, or is damaged.
        DataError: if there is no such file, it lacks an instrument, a note is out of range, or there is too much
            to render (see `ostinato.sound.wav`).
        SettingsError: if the sample rate is out of range.
    """
    seconds = sounding_seconds(sequence, sample_rate)
    try:
        library = importlib.import_module("tinysoundfont")
    except ImportError:
        raise MissingExtraError("playing with a SoundFont", "sound") from None
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
        raise DataError(f"{path}: cannot be read: {error.strerror}{nearest_file(path)}") from None


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
            raise DataError(f"{path}: has no {wanted}; use a General MIDI SoundFont")
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


_GENERATOR = np.dtype([("kind", "<u2"), ("amount", "<u2")])
_BAG = np.dtype([("generator", "<u2"), ("modulator", "<u2")])
_MODULATOR = np.dtype("V10")
_TABLES = {
    "phdr": np.dtype([("name", "S20"), ("preset", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("unused", "V12")]),
    "pbag": _BAG,
    "pmod": _MODULATOR,
    "pgen": _GENERATOR,
    "inst": np.dtype([("name", "S20"), ("bag", "<u2")]),
    "ibag": _BAG,
    "imod": _MODULATOR,
    "igen": _GENERATOR,
    "shdr": np.dtype(
        [
            ("name", "S20"),
            ("start", "<u4"),
            ("end", "<u4"),
            ("loop_start", "<u4"),
            ("loop_end", "<u4"),
            ("sample_rate", "<u4"),
            ("key", "u1"),
            ("cents", "i1"),
            ("link", "<u2"),
            ("type", "<u2"),
        ]
    ),
}
_INSTRUMENT, _SAMPLE = 41, 53  # generators
_COMPRESSED = 0x10  # of a sample's type: Ogg Vorbis, as in .sf3 files

_Table = NDArray[np.void]


def checked_presets(data: bytes) -> frozenset[tuple[int, int]]:
    """Look at a SoundFont's tables.

    Args:
        data: the bytes of the file.

    Returns:
        Bank and number of each of its presets; the drums are in bank 128.

    Raises:
        FormatError: if it is not a SoundFont 2, or something in it points outside it; the message says what.
    """
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"sfbk":
        raise FormatError("not a SoundFont: its header, RIFF with sfbk, is missing")
    lists = {bytes(body[:4]): body[4:] for tag, body in _chunks(memoryview(data)[12:]) if tag == b"LIST"}
    if not {b"sdta", b"pdta"} <= lists.keys():
        raise FormatError("a SoundFont without samples or without its tables")
    samples = dict(_chunks(lists[b"sdta"])).get(b"smpl", memoryview(b""))
    bodies = dict(_chunks(lists[b"pdta"]))
    tables = {name: _table(name, bodies.get(name.encode())) for name in _TABLES}
    _check_pointers(tables)
    _check_samples(tables["shdr"], len(samples) // 2)
    presets = tables["phdr"][:-1]
    return frozenset(zip(presets["bank"].tolist(), presets["preset"].tolist(), strict=True))


def _chunks(data: memoryview) -> list[tuple[bytes, memoryview]]:
    found = []
    position = 0
    while position + 8 <= len(data):
        tag, size = struct.unpack_from("<4sI", data, position)
        if position + 8 + size > len(data):
            raise FormatError(f"the chunk {tag.decode('latin-1')!r} is cut off")
        found.append((tag, data[position + 8 : position + 8 + size]))
        position += 8 + size + size % 2
    return found


def _table(name: str, body: memoryview | None) -> _Table:
    record = _TABLES[name]
    least = 2 if name in ("phdr", "inst", "shdr") else 1
    if body is None or len(body) % record.itemsize or len(body) < least * record.itemsize:
        raise FormatError(f"the table {name} is missing, cut off or empty")
    return np.frombuffer(body, record)


def _check_pointers(tables: dict[str, _Table]) -> None:
    for name, field, target in (
        ("phdr", "bag", "pbag"),
        ("pbag", "generator", "pgen"),
        ("pbag", "modulator", "pmod"),
        ("inst", "bag", "ibag"),
        ("ibag", "generator", "igen"),
        ("ibag", "modulator", "imod"),
    ):
        pointers = tables[name][field].astype(np.int64)
        if (np.diff(pointers) < 0).any() or pointers[-1] >= len(tables[target]):
            raise FormatError(f"the table {name} points outside {target}")
    for name, kind, target in (("pgen", _INSTRUMENT, "inst"), ("igen", _SAMPLE, "shdr")):
        table = tables[name]
        if (table["amount"][table["kind"] == kind] >= len(tables[target]) - 1).any():
            raise FormatError(f"the table {name} points outside {target}")


def _check_samples(headers: _Table, num_samples: int) -> None:
    headers = headers[:-1]
    if (headers["type"] & _COMPRESSED).any():
        raise FormatError("its samples are compressed (.sf3), which is not supported; use an .sf2 file")
    start, end = (headers[name].astype(np.int64) for name in ("start", "end"))
    loops = [headers[name].astype(np.int64) for name in ("loop_start", "loop_end")]
    if (start > end).any() or any((place > num_samples).any() for place in (end, *loops)):
        raise FormatError("a sample is outside the recorded sound")
    if ((headers["sample_rate"] < 400) | (headers["sample_rate"] > 192_000)).any():
        raise FormatError("a sample has an impossible sample rate")
