"""The primers that a MIDI file holds: one for each track that has a melody."""

from dataclasses import dataclass

from ostinato.dataset.melodies import tracks_of
from ostinato.errors import DataError, FormatError
from ostinato.formats.midi.reader import midi_to_note_sequence
from ostinato.music.melody import Melody
from ostinato.studio.schema import MAX_PRIMER_STEPS, MAX_STEPS_PER_BAR, MAX_TRACKS


@dataclass(frozen=True, slots=True)
class Candidate:
    """A melody that may be a primer.

    Attributes:
        track: number of its track among those with notes.
        name: of the track, "" where it has none.
        melody: its first whole bars, up to 512 steps; or to its end.
        length: of all of it, in steps.
        qpm: quarter notes a minute.
    """

    track: int
    name: str
    melody: Melody
    length: int
    qpm: float


def candidates(data: bytes, name: str) -> list[Candidate]:
    """The longest melody of each track of a MIDI file, in order of the tracks.

    A change of tempo or meter ends a melody, drums hold none, and of a chord the
    top note is kept.

    Args:
        data: the bytes of the file.
        name: what to call it in errors.

    Raises:
        FormatError: if it is no MIDI file, or a damaged one; it says where.
        DataError: if there is no melody in it, or more tracks than anyone could choose from.
    """
    try:
        sequence = midi_to_note_sequence(data)
    except FormatError as error:
        raise FormatError(f"{name}: {error}") from None
    sequence.filename = name
    tracks = [found for found in tracks_of(sequence).values() if found.melody.steps_per_bar <= MAX_STEPS_PER_BAR]
    if not tracks:
        raise DataError(f"{name}: its bars are longer than {MAX_STEPS_PER_BAR} 16th notes; choose another file")
    if len(tracks) > MAX_TRACKS:
        raise DataError(f"{name}: it has {len(tracks)} tracks, and at most {MAX_TRACKS} can be shown")
    return [
        Candidate(found.track, found.track_name, _cut(found.melody), len(found.melody), found.qpm) for found in tracks
    ]


def _cut(melody: Melody) -> Melody:
    """Its first bars, as long as a primer may be."""
    if len(melody) <= MAX_PRIMER_STEPS:
        return Melody(melody.events, steps_per_bar=melody.steps_per_bar)
    whole_bars = MAX_PRIMER_STEPS - MAX_PRIMER_STEPS % melody.steps_per_bar
    return Melody(melody.events[:whole_bars], steps_per_bar=melody.steps_per_bar)
