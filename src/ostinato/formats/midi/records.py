"""MIDI files to NoteSequence records, many at once, without an object for a note.

The records are what Magenta would write, byte for byte, for every file that it
reads. Some that it skips are read here too:

| the file                                               | here                                  |
|--------------------------------------------------------|---------------------------------------|
| begins within its first 256 bytes (RMID, MacBinary,    | is read from where it begins          |
|   a few stray bytes)                                   |                                       |
| has chunks that are no tracks                          | they are passed over                  |
| declares more tracks than it has, and ends with one    | the tracks that are there are read    |
| has a last track that is shorter than it declares, but | the track is read                     |
|   ends with an end-of-track event                      |                                       |
| has stray bytes after a track's end-of-track event     | they are passed over                  |
| has a track without events beside others               | it is empty                           |
| has a tempo of 0, a metre of 0 beats or with a huge    | that event is passed over             |
|   denominator, an unknown key, or a meta event with    |                                       |
|   too few bytes                                        |                                       |
| has bytes above 127 in a system exclusive message      | the message is passed over            |
| lasts so long that an array of its ticks fills memory  | is read, up to 2^31 - 1 ticks         |

And these, which Magenta reads, are skipped: a file of more than 3 MiB; a time of
more than 5 bytes or more ticks than that; times in SMPTE frames without any
note, which Magenta makes an empty sequence of; a status that runs on from a
system message; more than two million controls. A track's name is cut at 1,024
bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ostinato.errors import FormatError
from ostinato.formats import wire
from ostinato.formats.midi.events import MidiEvents, read_events
from ostinato.formats.midi.meta import Clock, Meta, read_meta
from ostinato.formats.midi.notes import MAX_CONTROLS, Channels, Instruments, Notes, find_controls, find_notes

_CONTROL_CHANGE = 0xB
_PITCH_BEND = 0xE
_PITCH_BEND_CENTRE = 8192

# NoteSequence.SourceInfo: encoding_type MIDI, parser PRETTY_MIDI, whose rules we follow.
_SOURCE_INFO = wire.message(13, (2, 3), (3, 2))


@dataclass(frozen=True, slots=True)
class Identity:
    """What a NoteSequence is called.

    Attributes:
        id: "/id/midi/<collection>/<SHA-1 of the file name>".
        filename: relative to the folder of the collection, with forward slashes.
        collection_name: the folder's name.
    """

    id: str = ""
    filename: str = ""
    collection_name: str = ""


def note_sequence_records(
    files: Sequence[bytes], identities: Sequence[Identity] | None = None
) -> list[bytes | FormatError]:
    """Turn MIDI files into serialized NoteSequences.

    Args:
        files: the bytes of each file. Memory grows with their sum, by about 100 bytes for each.
        identities: what each is called.

    Returns:
        For each file its record, or why it cannot be read.
    """
    events = read_events(files)
    metas = read_meta(events)
    clock = Clock(metas, events.ticks_per_quarter)
    channels = Channels(events)
    instruments, notes = find_notes(events, channels)
    note_bytes, total_seconds = _notes(len(files), events, clock, instruments, notes)
    bend_bytes, control_bytes = _controls(len(files), events, clock, channels, instruments)
    instrument_names = _instrument_names(len(files), metas, instruments)

    records: list[bytes | FormatError] = []
    for number, (error, meta) in enumerate(zip(events.errors, metas, strict=True)):
        if error is not None:
            records.append(FormatError(error))
            continue
        identity = identities[number] if identities else Identity()
        records.append(
            b"".join(
                (
                    wire.field(1, identity.id),
                    wire.field(2, identity.filename),
                    wire.field(3, identity.collection_name),
                    wire.field(4, events.ticks_per_quarter[number]),
                    *(
                        wire.message(5, (1, clock.second(number, tick)), (2, numerator), (3, denominator))
                        for tick, numerator, denominator in meta.time_signatures
                    ),
                    *(
                        wire.message(6, (1, clock.second(number, tick)), (2, key), (3, mode))
                        for tick, key, mode in meta.key_signatures
                    ),
                    *(wire.message(7, (1, second), (2, qpm)) for second, qpm in clock.tempos[number]),
                    note_bytes[number],
                    wire.field(9, total_seconds[number]),
                    bend_bytes[number],
                    control_bytes[number],
                    _SOURCE_INFO,
                    *(wire.message(23, (1, instrument), (2, name)) for instrument, name in instrument_names[number]),
                )
            )
        )
    return records


def _notes(
    files: int, events: MidiEvents, clock: Clock, instruments: Instruments, notes: Notes
) -> tuple[list[bytes], list[float]]:
    """The field `notes` of each file, and the time its last note ends."""
    file = instruments.file[notes.instrument]
    ends = clock.seconds(file, events.tick[notes.end])
    packed, starts = wire.messages(
        8,
        [
            (1, events.data1[notes.start]),
            (2, events.data2[notes.start]),
            (3, clock.seconds(file, events.tick[notes.start])),
            (4, ends),
            (7, instruments.number[notes.instrument]),
            (8, instruments.program[notes.instrument]),
            (9, instruments.is_drum[notes.instrument]),
        ],
    )
    bounds = np.searchsorted(file, np.arange(files + 1))
    total_seconds = np.zeros(files)
    np.maximum.at(total_seconds, file, ends)
    return _split(packed, starts[bounds]), total_seconds.tolist()


def _controls(
    files: int, events: MidiEvents, clock: Clock, channels: Channels, instruments: Instruments
) -> tuple[list[bytes], list[bytes]]:
    """The fields `pitch_bends` and `control_changes` of each file."""
    kind = events.status >> 4
    control = np.flatnonzero((kind == _CONTROL_CHANGE) | (kind == _PITCH_BEND))
    if not len(control):
        return [b""] * files, [b""] * files
    instrument, event, overfull = find_controls(channels, instruments, control)
    for number in overfull.tolist():
        events.errors[number] = f"more than {MAX_CONTROLS} pitch bends and control changes"
    is_bend = kind[event] == _PITCH_BEND
    return (
        _one_control(files, events, clock, instruments, instrument[is_bend], event[is_bend], _PITCH_BEND),
        _one_control(files, events, clock, instruments, instrument[~is_bend], event[~is_bend], _CONTROL_CHANGE),
    )


def _one_control(
    files: int,
    events: MidiEvents,
    clock: Clock,
    instruments: Instruments,
    instrument: NDArray[np.int64],
    event: NDArray[np.int64],
    kind: int,
) -> list[bytes]:
    file = instruments.file[instrument]
    seconds = clock.seconds(file, events.tick[event])
    whose: list[NDArray[np.generic]] = [
        instruments.number[instrument],
        instruments.program[instrument],
        instruments.is_drum[instrument],
    ]
    if kind == _PITCH_BEND:
        bend = (events.data1[event] | events.data2[event].astype(np.int64) << 7) - _PITCH_BEND_CENTRE
        packed, starts = wire.messages(10, [(1, seconds), (2, bend), *zip((3, 4, 5), whose, strict=True)])
    else:
        packed, starts = wire.messages(
            11,
            [
                (1, seconds),
                (2, events.data1[event]),
                (3, events.data2[event]),
                *zip((4, 5, 6), whose, strict=True),
            ],
        )
    return _split(packed, starts[np.searchsorted(file, np.arange(files + 1))])


def _split(packed: NDArray[np.uint8], bounds: NDArray[np.int64]) -> list[bytes]:
    octets = packed.tobytes()
    return [octets[start:stop] for start, stop in pairwise(bounds.tolist())]


def _instrument_names(files: int, metas: list[Meta], instruments: Instruments) -> list[list[tuple[int, str]]]:
    """The number and name of each file's instruments whose track had a name when their first note ended."""
    names: list[list[tuple[int, str]]] = [[] for _ in range(files)]
    for file, number, track, event in zip(
        instruments.file.tolist(),
        instruments.number.tolist(),
        (instruments.slot // 16).tolist(),
        instruments.first_end.tolist(),
        strict=True,
    ):
        if name := metas[file].track_name(track, event):
            names[file].append((number, name))
    return names
