"""NoteSequences made by hand."""

from ostinato.formats.note_sequence_pb2 import NoteSequence

STEP = 0.125  # seconds of a 16th note at 120 quarters a minute


def sequence(*notes: tuple[int, int, int], instrument: int = 0, is_drum: bool = False) -> NoteSequence:
    """Notes of (pitch, start step, end step) at 120 quarters a minute in 4/4."""
    made = NoteSequence(filename="tune.mid")
    add(made, *notes, instrument=instrument, is_drum=is_drum)
    return made


def add(made: NoteSequence, *notes: tuple[int, int, int], instrument: int = 0, is_drum: bool = False) -> None:
    """Add notes of another instrument."""
    for pitch, start, end in notes:
        made.notes.add(
            pitch=pitch,
            velocity=80,
            start_time=start * STEP,
            end_time=end * STEP,
            instrument=instrument,
            is_drum=is_drum,
        )
    made.total_time = max(note.end_time for note in made.notes)
