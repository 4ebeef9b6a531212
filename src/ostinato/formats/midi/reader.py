"""MIDI files to NoteSequence records, many at once, without an object for a note.

The records are what Magenta would write, byte for byte, for every file that it
reads, but for chords: texts and markers that are some (see `chord_symbols`) become
text annotations, as Magenta's readers of scores have them. These, which it skips,
are read here too, and damaged ones as far as they go (see `repair`):

| the file                                               | here                                  |
|--------------------------------------------------------|---------------------------------------|
| begins after other bytes (RIFF, MacBinary)             | is read from where it begins          |
| has chunks that are not tracks                         | they are skipped                      |
| has a track without events besides others              | it is empty                           |
| has a tempo of 0, a meter of 0 beats or with a huge    | that event is skipped                 |
|   denominator, an unknown key, or a meta event with    |                                       |
|   too few bytes                                        |                                       |
| has bytes above 127 in a system exclusive message      | the message is skipped                |
| lasts so long that an array of its ticks fills memory  | is read, up to 2^31 - 1 ticks         |

And these, which Magenta reads, are read differently: a file of more than 3 MiB or
two million controls, or one in SMPTE frames without any note, which becomes an
empty sequence in Magenta, is skipped; a time of more than 5 bytes, or of more
ticks than that, ends its track; a running status that continues past a system
message is that of the last channel message. Track names are cut at 1,024 bytes.

Notes, controls and instruments follow the rules of pretty_midi, which Magenta
reads with:

- A note-off closes every open note of its pitch, channel and track, except those
  that began on its own tick. These go on if it closed any other, and else vanish,
  as do notes that are never closed.
- An instrument is one program of one channel of one track. A note belongs to the
  program in force when it ends. Instruments are numbered in the order of their
  first note end.
- A pitch bend or control change belongs to the instrument in force. If that one
  has no note yet, it is kept for the channel, and from then on all instruments
  that the channel gets share one list, which holds it and all their later ones.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ostinato.errors import FormatError
from ostinato.formats import Identity, Remark, wire
from ostinato.formats.midi.events import MAX_FILE_BYTES, Clock, Meta, MidiEvents, read_events, read_meta

if TYPE_CHECKING:
    from ostinato.formats.note_sequence_pb2 import NoteSequence
    from ostinato.formats.sources import Source

Int = NDArray[np.int64]

DRUM_CHANNEL = 9
MAX_CONTROLS = 2_000_000  # of a file: shared lists can be made to multiply without end, but no music does
_CHANNELS = 16
_PITCHES = 128
_LISTS = 129  # of a channel: one for each program, and the shared one
_SHARED = 128
_NEVER = np.iinfo(np.int64).max
_CONTROL_CHANGE = 0xB
_PITCH_BEND = 0xE
_PITCH_BEND_CENTER = 8192

# NoteSequence.SourceInfo: encoding_type MIDI, parser PRETTY_MIDI, whose rules we follow.
_SOURCE_INFO = wire.message(13, (2, 3), (3, 2))

_CHORD_SYMBOL = 1  # NoteSequence.TextAnnotation

_NO_NOTES = Remark("no notes", "there are no notes in it")


@dataclass(frozen=True, slots=True)
class Instruments:
    """I instruments, by file and number.

    Attributes:
        file: [I].
        number: [I] counted in each file from 0.
        slot: [I] 16 times the track, counted over all files, plus the channel.
        program: [I] 0..127.
        first_end: [I] the event that ended its first note.
    """

    file: Int
    number: Int
    slot: Int
    program: Int
    first_end: Int

    @property
    def is_drum(self) -> NDArray[np.bool_]:
        """[I] whether it plays on the channel of the drums."""
        return np.equal(self.slot % _CHANNELS, DRUM_CHANNEL)


@dataclass(frozen=True, slots=True)
class Notes:
    """n notes, by instrument, then by their end.

    Attributes:
        instrument: [n] a row of `Instruments`.
        start, end: [n] the events that began and ended it.
    """

    instrument: Int
    start: Int
    end: Int


class Channels:
    """The channel of each event, and the program in force on it.

    Args:
        events: the events of some files.
    """

    def __init__(self, events: MidiEvents) -> None:
        self._bits = len(events).bit_length()
        self.slot: Int = events.track.astype(np.int64) * _CHANNELS + (events.status & 0x0F)
        changes = np.flatnonzero(events.status >> 4 == 0xC)
        keys = self._keys(changes)
        keys.sort()
        self._keys_of_changes = keys
        self._programs = events.data1[self._events(keys)]

    def programs(self, events: Int) -> Int:
        """The program in force at some events, 0..127; 0 before any program change."""
        programs = np.zeros(len(events), np.int64)
        if len(self._programs):
            change = np.searchsorted(self._keys_of_changes, self._keys(events)) - 1
            found = np.flatnonzero(change >= 0)
            found = found[self.slot[self._events(self._keys_of_changes[change[found]])] == self.slot[events[found]]]
            programs[found] = self._programs[change[found]]
        return programs

    def _keys(self, events: Int) -> Int:
        """Numbers that order events by slot, then by time."""
        return self.slot[events] << self._bits | events

    def _events(self, keys: Int) -> Int:
        return keys & ((1 << self._bits) - 1)


def read_midi(source: "Source") -> "NoteSequence":
    """The notes of a MIDI file, times in seconds.

    Args:
        source: its path, its bytes, an open file, or a pretty_midi.PrettyMIDI or mido.MidiFile. A NoteSequence, ours or
            that of note_seq, is given back as ours.

    Raises:
        FormatError: if it is not a MIDI file, or is damaged; the message says where.
        DataError: if there is no such file.
        SettingsError: if it is nothing that can be read.
    """
    from ostinato.formats.sources import as_note_sequence, contents_of  # which no conversion of a folder needs

    if (notes := as_note_sequence(source)) is not None:
        return notes
    data, name = contents_of(source, MAX_FILE_BYTES)
    try:
        return midi_to_note_sequence(data)
    except FormatError as error:
        raise FormatError(f"{name}: {error}") from None


def midi_to_note_sequence(data: bytes, identity: Identity | None = None) -> "NoteSequence":
    """The notes of a MIDI file, times in seconds.

    Args:
        data: the bytes of the file.
        identity: what the sequence is called; nothing by default.

    Raises:
        FormatError: if they are not a MIDI file, or too damaged to read; the message says where.

    Warns:
        Remark: if it is damaged, and was read as far as it goes.
    """
    (pieces,) = note_sequence_records([data], None if identity is None else [identity])
    if isinstance(pieces, FormatError):
        raise pieces
    # Here, for a folder's conversion needs no protobuf, which takes as long to load as a hundred files to read.
    from ostinato.formats.note_sequence_pb2 import NoteSequence

    sequence = NoteSequence()
    for piece in pieces:
        if isinstance(piece, bytes):
            sequence.ParseFromString(piece)
        elif piece is not _NO_NOTES:  # which the sequence says itself
            warnings.warn(piece, stacklevel=2)
    return sequence


def note_sequence_records(
    files: Sequence[bytes], identities: Sequence[Identity] | None = None
) -> list[list[bytes | Remark] | FormatError]:
    """Turn MIDI files into serialized NoteSequences.

    Args:
        files: the bytes of each file. Memory grows with their sum, by about 100 bytes for each.
        identities: what each is called.

    Returns:
        For each file its record and remarks, if any; or why it cannot be read.
    """
    converted = _sound_records(files, identities)
    for number, found in enumerate(converted):
        if isinstance(found, FormatError):
            identity = [identities[number]] if identities else None
            converted[number] = _repaired_record(files[number], identity) or found
    return converted


def _repaired_record(file: bytes, identity: Sequence[Identity] | None) -> list[bytes | Remark] | None:
    """The record of a damaged file, and remarks about it; None if not one note can be read."""
    if len(file) > MAX_FILE_BYTES:
        return None
    from ostinato.formats.midi.repair import repair  # sound files do without

    try:
        repaired, remarks = repair(file)
    except FormatError:
        return None
    (found,) = _sound_records([repaired], identity)
    return None if isinstance(found, FormatError) or _NO_NOTES in found else [*found, *remarks]


def _sound_records(
    files: Sequence[bytes], identities: Sequence[Identity] | None
) -> list[list[bytes | Remark] | FormatError]:
    """The records of the files without a fault."""
    events = read_events(files)
    metas = read_meta(events)
    clock = Clock(metas, events.ticks_per_quarter)
    channels = Channels(events)
    instruments, notes = find_notes(events, channels)
    note_bytes, total_seconds = _notes(len(files), events, clock, instruments, notes)
    bend_bytes, control_bytes = _controls(len(files), events, clock, channels, instruments)
    instrument_names = _instrument_names(len(files), metas, instruments)

    converted: list[list[bytes | Remark] | FormatError] = []
    for number, (error, meta) in enumerate(zip(events.errors, metas, strict=True)):
        if error is not None:
            converted.append(FormatError(error))
            continue
        identity = identities[number] if identities else Identity()
        record = b"".join(
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
                *(
                    wire.message(14, (1, clock.second(number, tick)), (2, name), (3, _CHORD_SYMBOL))
                    for tick, name in meta.chords()
                ),
                *(wire.message(23, (1, instrument), (2, name)) for instrument, name in instrument_names[number]),
            )
        )
        pieces: list[bytes | Remark] = [record]
        if more := events.more_tracks[number]:
            pieces.append(
                Remark("undeclared tracks", f"{more} tracks beyond those that the header declares are left out")
            )
        if not note_bytes[number]:
            pieces.append(_NO_NOTES)
        converted.append(pieces)
    return converted


def find_notes(events: MidiEvents, channels: Channels) -> tuple[Instruments, Notes]:
    """Pair note-ons with note-offs, and number the instruments."""
    start, end = _pair(events, channels.slot)
    lists = channels.slot[end] * _LISTS + channels.programs(end)
    distinct, first, inverse = _distinct(lists)
    by_first_end = np.argsort(first)
    rank = np.empty_like(by_first_end)
    rank[by_first_end] = np.arange(len(rank))
    slot, program = np.divmod(distinct[by_first_end], _LISTS)
    file = events.track_file[slot // _CHANNELS].astype(np.int64)
    instruments = Instruments(
        file=file,
        number=np.arange(len(file)) - np.searchsorted(file, file),
        slot=slot,
        program=program,
        first_end=end[first[by_first_end]],
    )
    instrument = rank[inverse]
    order = np.argsort(instrument, kind="stable")
    return instruments, Notes(instrument[order], start[order], end[order])


def _pair(events: MidiEvents, slot: Int) -> tuple[Int, Int]:
    """The events that begin and end each note, by the end, then by the start."""
    bits = len(events).bit_length()
    mask = (1 << bits) - 1
    note = np.flatnonzero(events.status >> 5 == 0b100)  # 0x80..0x9F
    keys = slot[note] * _PITCHES + events.data1[note] << bits | note
    keys.sort()  # by slot and pitch, then by time
    group, event = keys >> bits, keys & mask
    is_on = (events.status[event] >= 0x90) & (events.data2[event] > 0)
    tick = events.tick[event]

    # The note-off that comes next, for each note-on; where it belongs to the same group.
    place = np.arange(len(event))
    next_off = np.minimum.accumulate(np.where(is_on, len(event), place)[::-1])[::-1]
    on = np.flatnonzero(is_on & (next_off < len(event)))
    off = next_off[on]
    same = group[on] == group[off]
    on, off = on[same], off[same]

    begun_at_end = tick[on] == tick[off]
    if begun_at_end.any():
        # Whether such a note goes on hangs on what else is open, and so on: these groups are gone through in order.
        groups, _, _ = _distinct(group[on[begun_at_end]])
        simple = groups[np.minimum(np.searchsorted(groups, group[on]), len(groups) - 1)] != group[on]
        pairs = [
            pair
            for low, high in zip(
                np.searchsorted(group, groups, "left"), np.searchsorted(group, groups, "right"), strict=True
            )
            for pair in _pair_in_order(int(low), tick[low:high].tolist(), is_on[low:high].tolist())
        ]
        more = np.array(pairs, np.int64).reshape(-1, 2)
        on = np.concatenate((on[simple], more[:, 0]))
        off = np.concatenate((off[simple], more[:, 1]))

    keys = event[off] << bits | event[on]
    keys.sort()
    return keys & mask, keys >> bits


def _pair_in_order(first: int, ticks: list[int], is_on: list[bool]) -> list[tuple[int, int]]:
    """Pair the note-ons and note-offs of one pitch; both are named by their place, counted from `first`."""
    pairs: list[tuple[int, int]] = []
    still_open: list[int] = []
    for place, (tick, begins) in enumerate(zip(ticks, is_on, strict=True)):
        if begins:
            still_open.append(place)
            continue
        closed = [start for start in still_open if ticks[start] != tick]
        pairs.extend((first + start, first + place) for start in closed)
        still_open = [start for start in still_open if ticks[start] == tick] if closed else []
    return pairs


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


def find_controls(channels: Channels, instruments: Instruments, control: Int) -> tuple[Int, Int, Int]:
    """Give pitch bends and control changes to the instruments.

    Args:
        channels: the channels of some files.
        instruments: theirs.
        control: the events that are pitch bends or control changes, in order.

    Returns:
        Two arrays of equal length, by instrument, then by time: the row of `Instruments`, and the event. One that
        several instruments share comes once for each. And the files that have more than `MAX_CONTROLS` that way:
        these get none.
    """
    own = channels.slot[control] * _LISTS + channels.programs(control)
    instrument_own = instruments.slot * _LISTS + instruments.program
    begins = _look_up(instrument_own, instruments.first_end, own, _NEVER)
    is_early = begins > control
    # From the first early one on, the channel's new instruments share a list.
    slots, first, _ = _distinct(channels.slot[control[is_early]])
    shared_from = control[is_early][first]
    is_shared = is_early | (begins > _look_up(slots, shared_from, channels.slot[control], _NEVER))
    instrument_is_shared = instruments.first_end > _look_up(slots, shared_from, instruments.slot, _NEVER)
    lists = np.where(is_shared, channels.slot[control] * _LISTS + _SHARED, own)
    instrument_list = np.where(instrument_is_shared, instruments.slot * _LISTS + _SHARED, instrument_own)

    order = np.argsort(lists, kind="stable")
    low = np.searchsorted(lists[order], instrument_list, "left")
    count = np.searchsorted(lists[order], instrument_list, "right") - low
    in_file = np.bincount(instruments.file, weights=count)
    count[in_file[instruments.file] > MAX_CONTROLS] = 0
    instrument = np.repeat(np.arange(len(count)), count)
    within = np.arange(len(instrument)) - np.repeat(np.cumsum(count) - count, count)
    return instrument, control[order[np.repeat(low, count) + within]], np.flatnonzero(in_file > MAX_CONTROLS)


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
        bend = (events.data1[event] | events.data2[event].astype(np.int64) << 7) - _PITCH_BEND_CENTER
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


def _split(packed: NDArray[np.uint8], bounds: NDArray[np.int64]) -> list[bytes]:
    octets = packed.tobytes()
    return [octets[start:stop] for start, stop in pairwise(bounds.tolist())]


def _distinct(values: Int) -> tuple[Int, Int, Int]:
    """The distinct values, ascending; where each occurs first; and the row of each value among them.

    NumPy's own `unique` would import its masked arrays, which takes longer than reading a hundred files.
    """
    order = np.argsort(values, kind="stable")
    in_order = values[order]
    is_new = np.ones(len(values), np.bool_)
    np.not_equal(in_order[1:], in_order[:-1], out=is_new[1:])
    inverse = np.empty_like(order)
    inverse[order] = np.cumsum(is_new) - 1
    return in_order[is_new], order[is_new], inverse


def _look_up(keys: Int, values: Int, wanted: Int, default: Any) -> Int:
    """The value of each wanted key."""
    if not len(keys):
        return np.full(len(wanted), default)
    order = np.argsort(keys)
    place = np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)
    return np.where(keys[order][place] == wanted, values[order][place], default)
