"""The primers that a MIDI file holds: one for each track that has a melody."""

from dataclasses import dataclass

from ostinato.errors import DataError, FormatError
from ostinato.formats.midi.reader import midi_to_note_sequence
from ostinato.music.extract import ExtractionSettings, ExtractionStatistics, FoundMelody, find_melodies
from ostinato.music.melody import Melody
from ostinato.studio.schema import MAX_PRIMER_STEPS, MAX_STEPS_PER_BAR, MAX_TRACKS

_MAX_STEPS = 2**16  # two hours of music at 120 quarters a minute

# A whole track is one melody, whatever its rests; of notes that start together the top one counts.
_WHOLE_TRACKS = ExtractionSettings(
    min_bars=0, max_steps=_MAX_STEPS, min_unique_pitches=0, gap_bars=float("inf"), ignore_polyphonic_notes=True
)


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
    longest: dict[int, FoundMelody] = {}
    for found in find_melodies(sequence, _WHOLE_TRACKS, ExtractionStatistics()):
        known = longest.get(found.instrument)
        playable = found.melody.steps_per_bar <= MAX_STEPS_PER_BAR
        if playable and (known is None or len(found.melody) > len(known.melody)):
            longest[found.instrument] = found
    if not longest:
        raise DataError(f"{name}: there is no melody in it, only drums, odd meters or nothing; choose another file")
    if len(longest) > MAX_TRACKS:
        raise DataError(f"{name}: it has {len(longest)} tracks, and at most {MAX_TRACKS} can be shown")
    names = {info.instrument: info.name for info in sequence.instrument_infos}
    return [
        Candidate(track, names.get(track, ""), _cut(found.melody), len(found.melody), found.piece.qpm)
        for track, found in sorted(longest.items())
    ]


def _cut(melody: Melody) -> Melody:
    """Its first bars, as long as a primer may be."""
    if len(melody) <= MAX_PRIMER_STEPS:
        return Melody(melody.events, steps_per_bar=melody.steps_per_bar)
    whole_bars = MAX_PRIMER_STEPS - MAX_PRIMER_STEPS % melody.steps_per_bar
    return Melody(melody.events[:whole_bars], steps_per_bar=melody.steps_per_bar)
