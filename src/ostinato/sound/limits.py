"""What can be rendered: notes that are in range, and no more of them than memory and patience allow."""

import math

from ostinato.errors import DataError, SettingsError
from ostinato.formats.note_sequence_pb2 import NoteSequence

MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 8_000, 192_000
MAX_FRAMES = 30 * 60 * 44_100
"""Most samples of a channel: half an hour at 44,100 a second, for which the synthesiser takes about 700 MB."""
MAX_NOTE_SECONDS = 100_000
"""Most seconds of all notes together."""


def sounding_seconds(sequence: NoteSequence, sample_rate: int) -> float:
    """How long a sequence lasts, to the end of its last note at least, in seconds.

    Raises:
        SettingsError: if the sample rate is out of its range.
        DataError: if a note is out of its range, or there is too much to render.
    """
    if not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
        raise SettingsError(
            f"the sample rate must be of {MIN_SAMPLE_RATE:,}..{MAX_SAMPLE_RATE:,} samples a second, not {sample_rate:,}"
        )
    # Some programs write a total that says nothing.
    end = sequence.total_time if 0 <= sequence.total_time < math.inf else 0.0
    note_seconds = 0.0
    for number, note in enumerate(sequence.notes):
        if not (0 <= note.pitch <= 127 and 0 <= note.velocity <= 127 and 0 <= note.program <= 127):
            raise DataError(
                f"note {number} has pitch {note.pitch}, velocity {note.velocity} and program {note.program}; "
                "each must be of 0..127"
            )
        if not 0 <= note.start_time <= note.end_time < math.inf:
            raise DataError(f"note {number} lasts from second {note.start_time:g} to {note.end_time:g}")
        end = max(end, note.end_time)
        note_seconds += note.end_time - note.start_time
    longest = MAX_FRAMES / sample_rate
    if end > longest:
        raise DataError(
            f"it lasts {end:,.0f} seconds; at {sample_rate:,} samples a second at most {longest:,.0f} can be rendered"
        )
    if note_seconds > MAX_NOTE_SECONDS:
        raise DataError(
            f"its notes last {note_seconds:,.0f} seconds in all; at most {MAX_NOTE_SECONDS:,} can be rendered"
        )
    return end
