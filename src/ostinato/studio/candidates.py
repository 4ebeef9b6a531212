"""The primers that a MIDI, MusicXML or ABC file holds: one for each track that has a melody."""

from dataclasses import dataclass

from ostinato.dataset.convert import music_of
from ostinato.dataset.melodies import tracks_of
from ostinato.errors import DataError
from ostinato.music.melody import Melody
from ostinato.music.tracks import rank_tracks
from ostinato.studio.schema import MAX_PRIMER_STEPS, MAX_STEPS_PER_BAR, MAX_TRACKS


@dataclass(frozen=True, slots=True)
class Candidate:
    """A melody that may be a primer.

    Attributes:
        track: number of its track among those with notes, of all tunes of the file.
        name: of the track, "" where it has none; of several tunes the tune's.
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
    """The longest melody of each track, the likeliest one of each tune first.

    A change of tempo or meter ends a melody, drums hold none, and of a
    polyphonic track it is the top line.

    Args:
        data: the bytes of the file.
        name: what to call it in errors.

    Raises:
        FormatError: if it is no music, or a damaged file; it says where.
        DataError: if there is no melody in it, or more tracks than anyone could choose from.
    """
    tunes = music_of(data, name)
    found: list[Candidate] = []
    refused = DataError(f"{name}: there is no tune in it; choose another file")
    num_tracks = 0
    for tune in tunes:
        try:
            tracks = tracks_of(tune)
        except DataError as error:
            refused = error
            continue
        title = f"Tune {tune.reference_number}" if len(tunes) > 1 else ""
        likeliest = [evidence.track for evidence in rank_tracks(tune) if evidence.track in tracks]
        found += [
            Candidate(
                num_tracks + track,
                ", ".join(filter(None, (title, tracks[track].track_name))),
                _cut(tracks[track].melody),
                len(tracks[track].melody),
                tracks[track].qpm,
            )
            for track in likeliest
        ]
        num_tracks += max(tracks) + 1
    if not found:
        raise refused
    short = [candidate for candidate in found if candidate.melody.steps_per_bar <= MAX_STEPS_PER_BAR]
    if not short:
        raise DataError(f"{name}: its bars are longer than {MAX_STEPS_PER_BAR} 16th notes; choose another file")
    if len(short) > MAX_TRACKS:
        raise DataError(f"{name}: it has {len(short)} tracks, and at most {MAX_TRACKS} can be shown")
    return short


def _cut(melody: Melody) -> Melody:
    """Its first bars, as long as a primer may be."""
    if len(melody) <= MAX_PRIMER_STEPS:
        return Melody(melody.events, meter=melody.meter, ends=melody.ends)
    whole_bars = MAX_PRIMER_STEPS - MAX_PRIMER_STEPS % melody.steps_per_bar
    return Melody(melody.events[:whole_bars], meter=melody.meter)
