"""Melodies to measure with: those of a folder of music files, or of NoteSequences in a TFRecord file.

They are found as `ostinato dataset` finds them, so that a model is measured on
what it would have been trained on.
"""

import functools
import os
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf.message import DecodeError

from ostinato.dataset.convert import TIMEOUT_SECONDS, Skipped, convert_files, find_files, is_source
from ostinato.errors import DataError, FormatError
from ostinato.formats.note_columns import parse_note_sequence
from ostinato.formats.record import Converted, Remark
from ostinato.formats.tensorflow.tfrecord import expand_paths, read_records
from ostinato.music.extract import ExtractionSettings, ExtractionStatistics, find_melodies
from ostinato.music.melody import Melody
from ostinato.parallel import Failure, map_batches

Progress = Callable[[int, int], None]

_MAGENTAS = ExtractionSettings()


@dataclass(frozen=True, slots=True)
class Sources:
    """The melodies of a folder or file, and what was left out.

    Attributes:
        source: the folder or file as it was named.
        settings: what counted as a melody.
        files: how many music files, or NoteSequences, there were.
        melodies: each with the name of its file, in the files' order. A file may give several.
        without_melody: names of the files that could be read but gave none.
        skipped: what could not be read, and why.
        extraction: what the search for melodies found and left out.
    """

    source: str
    settings: ExtractionSettings
    files: int = 0
    melodies: list[tuple[str, Melody]] = field(default_factory=list)
    without_melody: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    extraction: ExtractionStatistics = field(default_factory=ExtractionStatistics)

    def left_out(self) -> list[str]:
        """What was left out or cut, and how often each, in words; nothing that did not happen."""
        found, settings = self.extraction, self.settings
        reasons = [
            (len(self.skipped), "files or tunes that cannot be read"),
            (len(self.without_melody), "files without a melody"),
            (found.polyphonic_tracks, "tracks left where several notes start at once"),
            (found.too_short, f"melodies shorter than {settings.min_bars} bars"),
            (found.too_few_pitches, f"melodies of fewer than {settings.min_unique_pitches} different pitch classes"),
            (found.drum_tracks, "tracks of drums"),
            (found.pieces_without_grid, "stretches in a meter whose bar is no whole number of 16th notes"),
            (found.truncated, f"melodies cut to {settings.max_steps} steps"),
        ]
        return [f"{count:,} {reason}" for count, reason in reasons if count]


def read_melodies(
    source: str | os.PathLike[str],
    settings: ExtractionSettings = _MAGENTAS,
    *,
    processes: int | None = None,
    progress: Progress | None = None,
) -> Sources:
    """The melodies of a folder of music files, of one such file, or of TFRecord files of NoteSequences.

    Args:
        source: a folder, which is looked through with all folders in it; a music file; or TFRecord files as
            `expand_paths` takes them.
        settings: what counts as a melody.
        processes: how many to work with; None is one for each core.
        progress: called with how many files are done, and how many there are, as the work goes on.

    Raises:
        DataError: if there is nothing at `source`, or no melody in it; it says why.
        FormatError: if a TFRecord file is damaged.
    """
    path = Path(source)
    if path.is_dir():
        names = find_files(path, recursive=True)
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
        results = map_batches(functools.partial(_read_records, settings), records, processes=processes)
    sources = Sources(os.fspath(source), settings, files=len(names))
    try:
        for number, (name, read) in enumerate(zip(names, results, strict=True), 1):
            _add(sources, name, read)
            if progress is not None:
                progress(number, len(names))
    finally:
        results.close()
    if not sources.melodies:
        reasons = "; ".join(sources.left_out()) or "it is empty"
        first = f"; the first is {sources.skipped[0].filename}: {sources.skipped[0].reason}" if sources.skipped else ""
        raise DataError(f"{sources.source}: no melody in {sources.files} files: {reasons}{first}")
    return sources


@dataclass(frozen=True, slots=True)
class _Read:
    """What one file gave: melodies with their files' names, and the reasons why parts of it could not be read."""

    melodies: list[tuple[str, Melody]]
    extraction: ExtractionStatistics
    failures: list[str]


def _add(sources: Sources, name: str, read: _Read | Failure) -> None:
    name = os.fsencode(name).decode(errors="replace")  # as NoteSequences bear it, which hold UTF-8 alone
    if isinstance(read, Failure):
        sources.skipped.append(Skipped(name, read.reason))
        return
    sources.melodies.extend(read.melodies)
    sources.extraction.add(read.extraction)
    sources.skipped.extend(Skipped(name, reason) for reason in read.failures)
    if not read.melodies and not read.failures:
        sources.without_melody.append(name)


def _of_files(
    folder: Path, names: Sequence[str], settings: ExtractionSettings, processes: int | None
) -> Generator[_Read | Failure, None, None]:
    function = functools.partial(_read_files, os.fspath(folder), settings)
    return map_batches(function, names, processes=processes, timeout_seconds=TIMEOUT_SECONDS)


def _read_files(folder: str, settings: ExtractionSettings, names: Sequence[str]) -> list[_Read]:
    return [
        _read(converted, name, settings)
        for name, converted in zip(names, convert_files(folder, "", names), strict=True)
    ]


def _read_records(settings: ExtractionSettings, records: Sequence[tuple[str, bytes]]) -> list[_Read]:
    return [_read([record], name, settings) for name, record in records]


def _read(converted: Converted, name: str, settings: ExtractionSettings) -> _Read:
    """The melodies of what a file converted to; they bear the name that their NoteSequence has, or else this one."""
    read = _Read([], ExtractionStatistics(), [])
    for piece in [converted] if isinstance(converted, FormatError) else converted:
        if isinstance(piece, FormatError):
            read.failures.append(str(piece))
            continue
        if isinstance(piece, Remark):
            continue
        try:
            note_sequence, notes = parse_note_sequence(piece)
            found = list(find_melodies(note_sequence, settings, read.extraction, notes))
        except DecodeError:
            read.failures.append("this record is no NoteSequence; is the file what `ostinato convert` wrote?")
        except DataError as error:
            read.failures.append(str(error))
        else:
            read.melodies.extend((note_sequence.filename or name, melody.melody) for melody in found)
    return read
