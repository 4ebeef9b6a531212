"""From any source of music to melodies: a folder, a music file, TFRecord files, a NoteSequence.

Everything that looks for melodies comes through here, so that it counts, names
and refuses in the same way: `melodies_of` takes one NoteSequence, for the data
set's builder and its processes; `read_melodies` takes anything a user points at;
`tracks_of` and `primer_of` take whole tracks, for a primer.
"""

import contextlib
import functools
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from ostinato.dataset.convert import TIMEOUT_SECONDS, convert_files, find_files, is_source, read_music
from ostinato.dataset.report import (
    NO_NOTES,
    LeftOut,
    Remarked,
    Skipped,
    counted,
    not_extracted,
    report_json,
    unread,
)
from ostinato.errors import DataError, FormatError, SettingsError
from ostinato.formats import Converted, Remark
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.formats.tensorflow.tfrecord import expand_paths, read_records
from ostinato.formats.wire import NoteColumns, note_columns, parse_note_sequence
from ostinato.music.chords import chords_between
from ostinato.music.extract import LIKELIEST, ExtractionSettings, ExtractionStatistics, find_melodies
from ostinato.music.melody import NO_EVENT, NOTE_OFF, Melody
from ostinato.music.mending import in_meter
from ostinato.music.quantize import OffGrid, first_bars
from ostinato.music.tracks import TrackEvidence, rank_tracks
from ostinato.parallel import Failure, map_batches

if TYPE_CHECKING:
    from ostinato.formats.sources import Source

Progress = Callable[[int, int], None]

_ON_GRID = OffGrid(0, 0, 0, 0)
_MAGENTAS = ExtractionSettings()
_LONGEST_TRACK = 2**16  # steps: over two hours at 120 quarters a minute
# A whole track is one melody, however long its rests.
_WHOLE_TRACKS = ExtractionSettings(
    min_bars=0,
    max_steps=_LONGEST_TRACK,
    min_unique_pitches=0,
    gap_bars=float("inf"),
    polyphony="line",
    meter="auto",
)


@dataclass(frozen=True, slots=True)
class SourceMelody:
    """A melody and where it was found.

    Attributes:
        melody: its steps count from the beginning of its stretch of one tempo and meter.
        filename: of the music file it comes from, or the name of its record.
        identity: what distinguishes its piece from others; all melodies of a piece go to the same side of a split.
        track: number of its instrument in the NoteSequence.
        track_name: the instrument's name, or "" if it has none.
        qpm: its tempo, in quarter notes a minute.
        first_bar: the bar it begins in, counted from 1 in the whole tune.
        rhythm: how many of its notes are off the grid of 16ths.
    """

    melody: Melody
    filename: str
    identity: str
    track: int
    track_name: str
    qpm: float
    first_bar: int = 1
    rhythm: OffGrid = _ON_GRID

    @property
    def last_bar(self) -> int:
        """The bar it ends in."""
        return self.first_bar - 1 + -(-len(self.melody) // self.melody.steps_per_bar)


@dataclass(frozen=True, slots=True)
class Piece:
    """What one NoteSequence gives: its identity, its melodies, what was left out, and how many tracks."""

    identity: str
    melodies: list[SourceMelody]
    extraction: ExtractionStatistics
    tracks: int = 0


def melodies_of(record: bytes, settings: ExtractionSettings = _MAGENTAS, name: str = "") -> Piece:
    """The melodies of a NoteSequence, in order of its stretches of one tempo and meter, then its tracks, then time.

    Args:
        record: the NoteSequence as it is in its file.
        settings: what counts as a melody.
        name: what to call it if it has no file name.

    Raises:
        FormatError: if the bytes are not a NoteSequence.
        DataError: if a time in it is not a number of seconds, 0 or more.
    """
    try:
        if settings.meter == "file" and settings.tracks != LIKELIEST:
            note_sequence, notes = parse_note_sequence(record)
        else:  # what looks at the notes for these wants them in the message
            note_sequence = NoteSequence.FromString(record)
            notes = note_columns(note_sequence)
    except DecodeError:
        raise FormatError("this record is not a NoteSequence; was the file written by `ostinato convert`?") from None
    identity = identity_of(note_sequence, record)
    extraction = ExtractionStatistics()
    found = found_in(note_sequence, settings, extraction, name, identity, notes)
    return Piece(identity, found, extraction, len(set(notes.instrument.tolist())))


def found_in(
    note_sequence: NoteSequence,
    settings: ExtractionSettings,
    extraction: ExtractionStatistics,
    name: str,
    identity: str = "",
    notes: NoteColumns | None = None,
) -> list[SourceMelody]:
    """The melodies of a NoteSequence.

    Args:
        note_sequence: notes and times in seconds.
        settings: what counts as a melody.
        extraction: where to count what is found and left out.
        name: what to call it if it has no file name.
        identity: what distinguishes it from others.
        notes: its notes, if they have been read already, or some of them.

    Raises:
        DataError: if a time in it is not a number of seconds, 0 or more.
    """
    if settings.meter != "file":
        note_sequence, changes = in_meter(note_sequence, settings.meter)
        extraction.mended_meters += bool(changes)
        settings, notes = replace(settings, meter="file"), None
    notes = note_columns(note_sequence) if notes is None else notes
    names = {info.instrument: info.name for info in note_sequence.instrument_infos}
    melodies = list(find_melodies(note_sequence, settings, extraction, notes))  # which refuses times that cannot be
    bars = first_bars(note_sequence, notes)
    return [
        SourceMelody(
            found.melody,
            note_sequence.filename or name,
            identity,
            found.instrument,
            names.get(found.instrument, ""),
            found.piece.qpm,
            bars[found.piece.index] + found.melody.start_step // found.melody.steps_per_bar,
            found.rhythm,
        )
        for found in melodies
    ]


@dataclass(slots=True)
class Melodies:
    """The melodies of a folder or file, and what was left out.

    Attributes:
        source: the folder or file, as the user named it.
        settings: what counted as a melody.
        files: how many music files, or NoteSequences, there were.
        read: how many of them could be read, at least in part.
        melodies: in the order of the files. A file can give several.
        without_melody: names of the files that could be read but gave none.
        skipped: what could not be read, and why: files, and tunes of books.
        remarks: about files that were read all the same.
        extraction: what the search for melodies found and left out.
        tunes: how many pieces of music could be read; a book of ABC holds many.
        tunes_without_melody: how many of them gave none, in files with others that did.
        tracks: how many instruments play in them.
        not_read: how many files of each extension are not music.
        unit: what is counted as a file: "file", or "NoteSequence".
    """

    source: str
    settings: ExtractionSettings
    files: int = 0
    read: int = 0
    melodies: list[SourceMelody] = field(default_factory=list)
    without_melody: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    remarks: list[Remarked] = field(default_factory=list)
    extraction: ExtractionStatistics = field(default_factory=ExtractionStatistics)
    tunes: int = 0
    tunes_without_melody: int = 0
    tracks: int = 0
    not_read: Counter[str] = field(default_factory=Counter)
    unit: str = "file"

    @property
    def named(self) -> list[tuple[str, Melody]]:
        """Each melody with the name of its file."""
        return [(found.filename, found.melody) for found in self.melodies]

    @property
    def reasons(self) -> list[LeftOut]:
        """What was left out or cut, and how often; nothing that did not happen."""
        without_notes = len({remark.filename for remark in self.remarks if remark.name == NO_NOTES})
        reasons = [
            LeftOut(without_notes, f"{self.unit} without notes", f"{self.unit}s without notes"),
            LeftOut(
                len(self.without_melody) - without_notes,
                f"{self.unit} without a melody",
                f"{self.unit}s without a melody",
            ),
            LeftOut(
                self.tunes_without_melody,
                "tune without a melody in a file with others",
                "tunes without a melody in files with others",
            ),
        ]
        return [
            *unread(self.skipped, self.not_read),
            *(reason for reason in reasons if reason.count),
            *not_extracted(self.extraction, self.settings),
        ]

    @property
    def rhythm(self) -> OffGrid:
        """How many notes of all melodies are off the grid of 16ths."""
        return self.extraction.rhythm

    def left_out(self, *, flags: bool = True) -> list[str]:
        """What was left out or cut, and how often, in words; nothing that did not happen.

        Args:
            flags: name the flag that changes it.
        """
        return [reason.text(flag=flags) for reason in self.reasons]

    def to_json(self) -> dict[str, Any]:
        """What was read and what was left out, as JSON values."""
        return report_json(
            source=self.source,
            files=self.files,
            read=self.read,
            tunes=self.tunes,
            tracks=self.tracks,
            melodies=len(self.melodies),
            off_grid=asdict(self.rhythm),
            without_melody=self.without_melody,
            not_read=self.not_read,
            left_out=self.reasons,
            skipped=self.skipped,
            remarked=self.remarks,
        )


def read_melodies(
    source: str | os.PathLike[str],
    settings: ExtractionSettings = _MAGENTAS,
    *,
    processes: int | None = None,
    progress: Progress | None = None,
) -> Melodies:
    """The melodies of a folder of music files, of one such file, or of TFRecord files of NoteSequences.

    Args:
        source: a folder, which is searched with all its subfolders; a music file; or TFRecord files as
            `expand_paths` takes them.
        settings: what counts as a melody.
        processes: how many to use; None is one per core.
        progress: called as the work goes on, with the number of files done and the number in all.

    Raises:
        DataError: if there is nothing at `source`, or no melody in it; it says why.
        FormatError: if a TFRecord file is damaged.
    """
    path = Path(source)
    melodies = Melodies(os.fspath(source), settings)
    if path.is_dir():
        names = find_files(path, recursive=True, others=melodies.not_read)
        results = _of_files(path, names, settings, processes)
    elif path.is_file() and is_source(path.name):
        names = [path.name]
        results = _of_files(path.parent, names, settings, processes)
    else:
        records = [
            (f"{file.name}, record {number}", record)
            for file in expand_paths(os.fspath(source))
            for number, record in enumerate(read_records(file), 1)
        ]
        names = [name for name, _ in records]
        melodies.unit = "NoteSequence"
        results = map_batches(functools.partial(_read_records, settings), records, processes=processes)
    melodies.files = len(names)
    try:
        for number, (name, read) in enumerate(zip(names, results, strict=True), 1):
            add_read(melodies, name, read)
            if progress is not None:
                progress(number, len(names))
    finally:
        results.close()
    if not melodies.melodies:
        raise no_melody(melodies)
    return melodies


def no_melody(melodies: Melodies) -> DataError:
    """The error for a source without a melody, and why it has none."""
    reasons = "; ".join(melodies.left_out()) or "it is empty"
    first = next((f"; the first is {one.filename}: {one.reason}" for one in melodies.skipped), "")
    return DataError(f"{melodies.source}: no melody in {counted(melodies.files, melodies.unit)}: {reasons}{first}")


# Of one file: its pieces, why parts of it cannot be read, and remarks on it.
_Read = list[Piece | FormatError | DataError | Remark]


def add_read(melodies: Melodies, name: str, read: Sequence[Piece | FormatError | DataError | Remark] | Failure) -> None:
    """Add what a file gave, and count what it did not."""
    name = os.fsencode(name).decode(errors="replace")  # as in NoteSequences, which hold UTF-8 only
    if isinstance(read, Failure):
        melodies.skipped.append(Skipped(name, read.reason))
        return
    melodies.remarks.extend(Remarked(name, part.name, part.text) for part in read if isinstance(part, Remark))
    failures = [str(part) for part in read if isinstance(part, FormatError | DataError)]
    pieces = [part for part in read if isinstance(part, Piece)]
    melodies.skipped.extend(Skipped(name, reason, len(read) > 1) for reason in failures)
    melodies.read += bool(pieces)
    melodies.tunes += len(pieces)
    if any(piece.melodies for piece in pieces):
        melodies.tunes_without_melody += sum(not piece.melodies for piece in pieces)
    for piece in pieces:
        melodies.melodies.extend(piece.melodies)
        melodies.extraction.add(piece.extraction)
        melodies.tracks += piece.tracks
    if not failures and not any(piece.melodies for piece in pieces):
        melodies.without_melody.append(name)


def _of_files(
    folder: Path, names: Sequence[str], settings: ExtractionSettings, processes: int | None
) -> Generator[_Read | Failure, None, None]:
    function = functools.partial(_read_files, os.fspath(folder), settings)
    return map_batches(function, names, processes=processes, timeout_seconds=TIMEOUT_SECONDS)


def _read_files(folder: str, settings: ExtractionSettings, names: Sequence[str]) -> list[_Read]:
    collection = Path(os.path.abspath(folder)).name  # noqa: PTH100 (a link's own name counts, as for convert_folder)
    return [
        _read(converted, name, settings)
        for name, converted in zip(names, convert_files(folder, collection, names), strict=True)
    ]


def _read_records(settings: ExtractionSettings, records: Sequence[tuple[str, bytes]]) -> list[_Read]:
    return [_read([record], name, settings) for name, record in records]


def _read(converted: Converted, name: str, settings: ExtractionSettings) -> _Read:
    """The pieces of what a file converted to."""
    if isinstance(converted, FormatError):
        return [converted]
    read: _Read = []
    for part in converted:
        try:
            read.append(melodies_of(part, settings, name) if isinstance(part, bytes) else part)
        except (FormatError, DataError) as error:
            read.append(error)
    return read


def tracks_of(note_sequence: NoteSequence) -> Mapping[int, SourceMelody]:
    """The longest melody of each track, by the track's number; the first of equal ones.

    A change of tempo or meter ends a melody, and drums have none. A polyphonic
    track gives its top line. The meter is repaired where the notes contradict it.

    Args:
        note_sequence: notes and times in seconds; errors call it by its filename.

    Raises:
        DataError: if there is no melody in it.
    """
    return {found[0].track: max(found, key=lambda one: len(one.melody)) for found in _whole_tracks(note_sequence)}


def _whole_tracks(note_sequence: NoteSequence) -> list[list[SourceMelody]]:
    """The melodies of each track that has some, in order of the tracks, and in each of its stretches."""
    name = note_sequence.filename or "the primer"
    extraction = ExtractionStatistics()
    tracks: dict[int, list[SourceMelody]] = {}
    for found in found_in(note_sequence, _WHOLE_TRACKS, extraction, name):
        tracks.setdefault(found.track, []).append(found)
    if not tracks:
        stretches = counted(extraction.pieces_without_grid, "part of it has", "parts of it have")
        meters = f"; {stretches} bars that are not a whole number of 16th notes"
        raise DataError(
            f"{name}: there is no melody in it, only drums or nothing at all"
            f"{meters if extraction.pieces_without_grid else ''}; choose another file"
        )
    if any(len(found.melody) == _LONGEST_TRACK for its in tracks.values() for found in its) and extraction.truncated:
        raise DataError(f"{name}: the melody is longer than {_LONGEST_TRACK} steps; use a shorter file")
    return [its for _, its in sorted(tracks.items())]


@dataclass(frozen=True, slots=True)
class Primer(SourceMelody):
    """A melody for a model to continue, and why it was chosen.

    Attributes:
        evidence: for its track.
        runner_up: the evidence for the track next most likely to be the melody; None if there is no other.
        changes: what was changed to repair the meter, a sentence each.
    """

    evidence: TrackEvidence | None = None
    runner_up: TrackEvidence | None = None
    changes: tuple[str, ...] = ()


def primer_of(note_sequence: NoteSequence, track: int | None = None, bars: tuple[int, int] | None = None) -> Primer:
    """The melody of a NoteSequence, for a model to continue: from the track most likely to be the melody.

    A change of tempo or meter ends a melody. Of the melodies in the track, the
    longest is taken, or the one that plays in the given bars.

    Args:
        note_sequence: notes and times in seconds; errors call it by its filename.
        track: number of the track to take it from; None chooses by evidence.
        bars: the first and the last bar to take, counted from 1, both included; None takes all. A note that is held
            over the first bar line begins there.

    Raises:
        DataError: if there is no melody, or none in that track or those bars; the message says what there is.
        SettingsError: if there can be no such bars.
    """
    name = note_sequence.filename or "the primer"
    if bars is not None and not 1 <= bars[0] <= bars[1]:
        raise SettingsError(
            f"{name}: there are no bars {bars[0]}-{bars[1]}; count from 1, and give the first bar first"
        )
    sequence, changes = in_meter(note_sequence, "auto")
    tracks = {found[0].track: found for found in _whole_tracks(sequence)}
    ranking = [evidence for evidence in rank_tracks(sequence) if evidence.track in tracks]
    if track is None:
        track = ranking[0].track
    elif track not in tracks:
        listed = ", ".join(_track_name(number, found[0].track_name) for number, found in tracks.items())
        raise DataError(f"{name}: there is no melody in track {track}; there are melodies in tracks {listed}")
    found = max(tracks[track], key=lambda one: len(one.melody))
    if bars is not None:
        found = _in_bars(tracks[track], bars, name)
    others = [evidence for evidence in ranking if evidence.track != track]
    evidence = next(evidence for evidence in ranking if evidence.track == track)
    fields = {name: getattr(found, name) for name in SourceMelody.__dataclass_fields__}
    return Primer(**fields, evidence=evidence, runner_up=next(iter(others), None), changes=tuple(changes))


def primer_in(source: "Source") -> Primer:
    """The melody of a file for a model to go on from: `primer_of` its first tune that has one.

    Args:
        source: what `read_music` takes.

    Raises:
        DataError: if there is no melody in it, or no such file.
        FormatError: if it is no music.
    """
    *others, last = read_music(source)
    for tune in others:
        with contextlib.suppress(DataError):
            return primer_of(tune)
    return primer_of(last)


def _track_name(number: int, name: str) -> str:
    return f"{number} ({name})" if name else str(number)


def _in_bars(track: Sequence[SourceMelody], bars: tuple[int, int], name: str) -> SourceMelody:
    """The given bars, whole, of the melody that plays in them."""
    first, last = bars
    for found in track:
        if not (found.first_bar <= first and last <= found.last_bar):
            continue
        melody = found.melody
        start, end = ((bar - found.first_bar) * melody.steps_per_bar for bar in (first, last + 1))
        # What the melody leaves unsaid at its end: that its last note is over.
        said = [*melody.events, NOTE_OFF, *[NO_EVENT] * melody.steps_per_bar]
        events = said[start:end]
        held = next((event for event in reversed(said[:start]) if event != NO_EVENT), NOTE_OFF)
        if events[0] == NO_EVENT and held != NOTE_OFF:
            events[0] = held
        if max(events) > NOTE_OFF:
            ends = melody.ends and end >= len(melody)
            chords = melody.chords and chords_between(melody.chords, start, end)
            taken = Melody(events, melody.start_step + start, meter=melody.meter, ends=ends, chords=chords)
            return replace(found, melody=taken, first_bar=first)
    there = ", ".join(f"{found.first_bar}-{found.last_bar}" for found in track)
    raise DataError(
        f"{name}: track {track[0].track} has no melody that covers bars {first}-{last}; "
        f"it has melodies in bars {there}; a change of tempo or meter ends a melody"
    )


def identity_of(note_sequence: NoteSequence, note_sequence_bytes: bytes) -> str:
    """What distinguishes a NoteSequence from others: its id, or else its file name, or else all of its bytes."""
    return note_sequence.id or note_sequence.filename or hashlib.sha256(note_sequence_bytes).hexdigest()
