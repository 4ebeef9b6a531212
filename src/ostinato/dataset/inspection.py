"""What is in music files: their tracks, meter, tempo and key, and which melodies would be taken from them."""

import functools
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ostinato.dataset.convert import TIMEOUT_SECONDS, convert_any, convert_files, find_files, read_any
from ostinato.dataset.melodies import Melodies, Piece, SourceMelody, add_read, found_in
from ostinato.dataset.report import LeftOut, not_extracted
from ostinato.errors import DataError, FormatError
from ostinato.formats import Converted, Remark
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.formats.wire import NoteColumns, note_columns
from ostinato.music.extract import LIKELIEST, ExtractionSettings, ExtractionStatistics
from ostinato.music.keys import major_key
from ostinato.music.mending import in_meter
from ostinato.music.quantize import OffGrid, off_grid_of, quantize, split_at_changes, total_off_grid
from ostinato.music.tracks import TrackEvidence, instrument_name, rank_tracks
from ostinato.parallel import Failure, map_batches

# Each major key with the minor key of the same notes, 0 = C.
_KEYS = (
    *("C major or A minor", "Db major or Bb minor", "D major or B minor", "Eb major or C minor"),
    *("E major or C# minor", "F major or D minor", "F# major or D# minor", "G major or E minor"),
    *("Ab major or F minor", "A major or F# minor", "Bb major or G minor", "B major or G# minor"),
)


@dataclass(frozen=True, slots=True)
class InspectedTrack:
    """A track, and what would be taken from it.

    Attributes:
        evidence: what it plays, and the evidence for and against it as the melody.
        likelihood: that it is the melody, 0 to 1; the likelihoods of all tracks of the tune add up to 1.
        rhythm: how many of its notes are off the grid of 16ths.
        melodies: that would be taken from it.
        left_out: what would not, and why.
        is_other: whether it is a track that was not chosen to look for melodies in.
    """

    evidence: TrackEvidence
    likelihood: float
    rhythm: OffGrid
    melodies: list[SourceMelody]
    left_out: list[LeftOut]
    is_other: bool = False

    @property
    def instrument(self) -> str:
        """The General MIDI instrument that plays it."""
        return instrument_name(self.evidence.program, is_drum=self.evidence.is_drum)


@dataclass(frozen=True, slots=True)
class InspectedTune:
    """A tune: all of a MIDI or MusicXML file, or one of an ABC file.

    Attributes:
        number: its number in an ABC file (X:), 0 elsewhere.
        meters: the meters it is read in, such as "6/8", in their order.
        tempos: the lowest and the highest, in quarter notes a minute.
        seconds: how long it lasts.
        key: the major key that most of its notes fit, and the minor key of the same notes; "" without notes.
        changes: what was changed to repair its meter, a sentence each.
        tracks: the most likely melody first.
        extraction: what the search for melodies found and left out.
    """

    number: int
    meters: list[str]
    tempos: tuple[float, float]
    seconds: float
    key: str
    changes: list[str]
    tracks: list[InspectedTrack]
    extraction: ExtractionStatistics

    @property
    def melodies(self) -> list[SourceMelody]:
        """All that would be taken, in order of the tracks."""
        return [found for track in self.tracks for found in track.melodies]


@dataclass(frozen=True, slots=True)
class InspectedFile:
    """A file: its tunes, why it or some of its tunes cannot be read, and remarks about it."""

    name: str
    tunes: list[InspectedTune] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Inspection:
    """A folder or a file: each of its files, and the report of all together."""

    files: list[InspectedFile]
    report: Melodies

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {**self.report.to_json(), "inspected": [_file_json(file) for file in self.files]}


def inspect_music(
    source: str | os.PathLike[str],
    settings: ExtractionSettings,
    *,
    processes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Inspection:
    """Look into a music file, or into all those in a folder and its subfolders.

    Args:
        source: the folder; or the file, whose format its contents decide.
        settings: what counts as a melody.
        processes: how many to use; None is one per core.
        progress: called as the work goes on, with the number of files done and the number in all.

    Raises:
        DataError: if there is nothing at `source`, or no music file in the folder.
        FormatError: if the file is larger than any file of music may be.
    """
    path = os.fspath(source)
    report = Melodies(path, settings)
    files: list[InspectedFile] = []
    if not Path(path).is_dir():
        data, _ = read_any(path)
        found = _inspect(path, convert_any(data, path), settings)
        _add(report, found)
        report.files = 1
        return Inspection([found], report)
    names = find_files(Path(path), recursive=True, others=report.not_read)
    report.files = len(names)
    function = functools.partial(_inspect_files, path, settings)
    results = map_batches(function, names, processes=processes, timeout_seconds=TIMEOUT_SECONDS)
    try:
        for number, (name, result) in enumerate(zip(names, results, strict=True), 1):
            file = InspectedFile(name, failures=[result.reason]) if isinstance(result, Failure) else result
            _add(report, file)
            files.append(file)
            if progress is not None:
                progress(number, len(names))
    finally:
        results.close()
    return Inspection(files, report)


def _add(report: Melodies, file: InspectedFile) -> None:
    pieces = [Piece("", tune.melodies, tune.extraction, len(tune.tracks)) for tune in file.tunes]
    add_read(report, file.name, [*pieces, *map(FormatError, file.failures), *file.remarks])


def _inspect_files(folder: str, settings: ExtractionSettings, names: Sequence[str]) -> list[InspectedFile]:
    return [
        _inspect(name, converted, settings)
        for name, converted in zip(names, convert_files(folder, "", names), strict=True)
    ]


def _inspect(name: str, converted: Converted, settings: ExtractionSettings) -> InspectedFile:
    file = InspectedFile(name)
    for part in [converted] if isinstance(converted, FormatError) else converted:
        if isinstance(part, Remark):
            file.remarks.append(part)
        elif isinstance(part, FormatError):
            file.failures.append(str(part))
        else:
            try:
                file.tunes.append(_tune(NoteSequence.FromString(part), name, settings))
            except DataError as error:
                file.failures.append(str(error))
    return file


def _tune(note_sequence: NoteSequence, name: str, settings: ExtractionSettings) -> InspectedTune:
    sequence, changes = in_meter(note_sequence, settings.meter)
    notes = note_columns(sequence)
    pieces = list(split_at_changes(sequence, notes))
    ranking = rank_tracks(sequence)
    settings = replace(settings, meter="file")
    if settings.tracks == LIKELIEST:
        settings = replace(settings, tracks=tuple(evidence.track for evidence in ranking[:1]))
    extraction = ExtractionStatistics(mended_meters=int(bool(changes)))
    weights = [math.exp(evidence.score - ranking[0].score) for evidence in ranking]
    rhythms: dict[int, list[OffGrid]] = {}
    without_grid = 0
    for piece in pieces:
        try:
            quantized = quantize(piece)
        except DataError:
            without_grid += 1
            continue
        for track in set(quantized.notes.instrument.tolist()):
            exact = quantized.exact_start[quantized.notes.instrument == track]
            rhythms.setdefault(track, []).append(off_grid_of(exact))
    tracks = []
    for evidence, weight in zip(ranking, weights, strict=True):
        its = ExtractionStatistics()
        melodies = found_in(sequence, settings, its, name, notes=_only(notes, evidence.track))
        its.pieces = its.pieces_without_grid = 0  # those are the tune's, not each track's
        extraction.add(its)
        tracks.append(
            InspectedTrack(
                evidence,
                weight / sum(weights),
                total_off_grid(rhythms.get(evidence.track, [])),
                melodies,
                not_extracted(its, settings),
                its.other_tracks > 0,
            )
        )
    extraction.pieces, extraction.pieces_without_grid = len(pieces), without_grid
    heard = notes.pitch[~notes.is_drum]
    tempos = [piece.qpm for piece in pieces if len(piece.notes)]
    return InspectedTune(
        number=note_sequence.reference_number,
        meters=list(dict.fromkeys(f"{piece.numerator}/{piece.denominator}" for piece in pieces if len(piece.notes))),
        tempos=(min(tempos, default=0.0), max(tempos, default=0.0)),
        seconds=float(notes.end_time.max(initial=0.0)),
        key=_KEYS[major_key(heard.tolist())] if len(heard) else "",
        changes=changes,
        tracks=tracks,
        extraction=extraction,
    )


def _only(notes: NoteColumns, track: int) -> NoteColumns:
    """The notes of one track."""
    (chosen,) = np.nonzero(notes.instrument == track)
    return NoteColumns(
        notes.start_time[chosen],
        notes.end_time[chosen],
        notes.pitch[chosen],
        notes.velocity[chosen],
        notes.instrument[chosen],
        notes.is_drum[chosen],
    )


def _file_json(file: InspectedFile) -> dict[str, Any]:
    return {
        "file": file.name,
        "failures": file.failures,
        "remarks": [{"name": remark.name, "text": remark.text} for remark in file.remarks],
        "tunes": [
            {
                "number": tune.number,
                "meters": tune.meters,
                "tempos": tune.tempos,
                "seconds": tune.seconds,
                "key": tune.key,
                "changes": tune.changes,
                "tracks": [_track_json(track) for track in tune.tracks],
            }
            for tune in file.tunes
        ],
    }


def _track_json(track: InspectedTrack) -> dict[str, Any]:
    return {
        **asdict(track.evidence),
        "instrument": track.instrument,
        "likelihood": round(track.likelihood, 4),
        "off_grid": asdict(track.rhythm),
        "melodies": [
            {
                "first_bar": found.first_bar,
                "last_bar": found.last_bar,
                "num_notes": len(found.melody.pitches),
                "off_grid": asdict(found.rhythm),
            }
            for found in track.melodies
        ],
        "left_out": [
            {"count": one.count, "what": one.text(flag=False), "flag": one.flag or None} for one in track.left_out
        ],
    }
