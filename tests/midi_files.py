"""MIDI files written out event by event, and their notes as tuples."""

from collections.abc import Sequence

from ostinato.errors import FormatError
from ostinato.formats import Remark
from ostinato.formats.midi.reader import midi_to_note_sequence
from ostinato.formats.note_sequence_pb2 import NoteSequence

END = "00 ff 2f 00"
NOTE = "00 90 3c 40 83 60 80 3c 00"  # middle C for 480 ticks


def midi(*tracks: str, division: int = 480, declared: int | None = None) -> bytes:
    """A MIDI file of tracks given as hexadecimal events, each with its delta time."""
    count = len(tracks) if declared is None else declared
    bodies = [bytes.fromhex(track) for track in tracks]
    return (
        b"MThd\0\0\0\6\0\1"
        + count.to_bytes(2)
        + division.to_bytes(2)
        + b"".join(b"MTrk" + len(body).to_bytes(4) + body for body in bodies)
    )


def notes(data: bytes) -> list[tuple[int, int, float, float, int, int, bool]]:
    """Pitch, velocity, start, end, instrument, program, is_drum."""
    return [
        (note.pitch, note.velocity, note.start_time, note.end_time, note.instrument, note.program, note.is_drum)
        for note in midi_to_note_sequence(data).notes
    ]


def spans(data: bytes) -> list[tuple[int, float, float]]:
    """Pitch, start, end."""
    return [(pitch, start, end) for pitch, _, start, end, *_ in notes(data)]


def record_of(converted: Sequence[bytes | Remark] | FormatError) -> bytes:
    """The record of a file that was read, whatever there is to say of it."""
    assert not isinstance(converted, FormatError), converted
    record, *remarks = converted
    assert isinstance(record, bytes)
    assert all(isinstance(remark, Remark) for remark in remarks)
    return record


def check_sound(converted: Sequence[bytes | Remark] | FormatError) -> None:
    """Whatever was read must be a canonical NoteSequence with possible notes."""
    if isinstance(converted, FormatError):
        assert str(converted)
        return
    record = record_of(converted)
    sequence = NoteSequence.FromString(record)
    assert sequence.SerializeToString(deterministic=True) == record
    for note in sequence.notes:
        assert 0 <= note.pitch < 128
        assert 0 < note.velocity < 128
        assert 0 <= note.start_time < note.end_time <= sequence.total_time
