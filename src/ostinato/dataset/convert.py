"""A folder of music files to one TFRecord file of NoteSequences.

The work on one file is a pure function of its name and its bytes
(`convert_contents`), so that anything can run it: here, a few processes.
"""

import contextlib
import functools
import hashlib
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ostinato.dataset.report import NO_NOTES, Remarked, Skipped, endings, report_json, unread
from ostinato.errors import DataError, FormatError, nearest_file
from ostinato.formats import Converted, Identity, Remark
from ostinato.formats.midi.events import MAX_FILE_BYTES
from ostinato.formats.midi.reader import note_sequence_records
from ostinato.formats.tensorflow.tfrecord import record_writer
from ostinato.parallel import Failure, Processes, map_batches

if TYPE_CHECKING:
    from ostinato.formats.note_sequence_pb2 import NoteSequence
    from ostinato.formats.sources import Source

# Enough to spread the cost of array operations over many small files, and few enough to stay in a core's cache.
BYTES_AT_ONCE = 64 << 10
_HEAD_BYTES = 1024  # within which a MIDI file begins, if it is wrapped in another
TIMEOUT_SECONDS = 60.0  # for a batch of files, and then for one file


@dataclass(frozen=True, slots=True)
class SourceFormat:
    """A kind of file that can be converted.

    Attributes:
        name: as in the ids of its NoteSequences.
        max_bytes: how large a file may be; notation needs many more bytes per note than MIDI.
        read: takes the bytes and the identities of some files, and returns what each converts to.
    """

    name: str
    max_bytes: int
    read: Callable[[Sequence[bytes], Sequence[Identity]], Sequence[Converted]]


# The readers of scores load protobuf, which MIDI files do not need.
def _read_musicxml(files: Sequence[bytes], identities: Sequence[Identity]) -> Sequence[Converted]:
    from ostinato.formats.scores.musicxml import musicxml_records

    return musicxml_records(files, identities)


def _read_abc(files: Sequence[bytes], identities: Sequence[Identity]) -> Sequence[Converted]:
    from ostinato.formats.scores.abc import abc_records

    return abc_records(files, identities)


_MIDI = SourceFormat("midi", MAX_FILE_BYTES, note_sequence_records)
_MUSICXML = SourceFormat("musicxml", 64 << 20, _read_musicxml)  # MAX_XML_BYTES, whose module loads protobuf
_ABC = SourceFormat("abc", 16 << 20, _read_abc)

# By the ending of a file's name, in lower case.
SOURCE_FORMATS: Mapping[str, SourceFormat] = MappingProxyType(
    {
        **dict.fromkeys((".mid", ".midi", ".kar", ".smf", ".rmi"), _MIDI),
        **dict.fromkeys((".xml", ".musicxml", ".mxl"), _MUSICXML),
        ".abc": _ABC,
    }
)


@dataclass(slots=True)
class ConvertReport:
    """What became of the files of a folder.

    Attributes:
        files: how many there were.
        converted: how many of them were converted.
        records: how many NoteSequences were written.
        skipped: the others, and the tunes of a book that could not be read, in order.
        remarked: remarks about files that were converted, in order.
        not_read: how many files of each extension are not music.
    """

    files: int = 0
    converted: int = 0
    records: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    remarked: list[Remarked] = field(default_factory=list)
    not_read: Counter[str] = field(default_factory=Counter)

    def to_json(self, source: str) -> dict[str, Any]:
        """As JSON values."""
        return report_json(
            source=source,
            files=self.files,
            read=self.converted,
            tunes=self.records,
            not_read=self.not_read,
            left_out=unread(self.skipped, self.not_read),
            skipped=self.skipped,
            remarked=self.remarked,
        )


class NothingConvertedError(DataError):
    """No file of a folder could be converted.

    Attributes:
        report: which files there were, and why none could be.
    """

    def __init__(self, folder: str | os.PathLike[str], report: ConvertReport) -> None:
        first = report.skipped[0]
        none = "its only file" if report.files == 1 else f"none of its {report.files:,} files"
        verb = "could not be converted" if report.files == 1 else "could be converted"
        super().__init__(
            f"{os.fspath(folder)}: {none} {verb}, so nothing was written; {first.filename}: {first.reason}"
        )
        self.report = report


def convert_folder(
    input_dir: str | os.PathLike[str],
    output_file: str | os.PathLike[str],
    *,
    recursive: bool = False,
    num_shards: int | None = None,
    processes: Processes = None,
    progress: Callable[[int, int], None] | None = None,
) -> ConvertReport:
    """Convert the music files of a folder to NoteSequences.

    Args:
        input_dir: the folder; its name becomes the collection's.
        output_file: the TFRecord file to write, whole or not at all. The records are in the order of the paths.
        recursive: whether to look into its subfolders too.
        num_shards: write this many shards instead of one file.
        processes: which do the work; those of a cluster must find the folder under the same path.
        progress: called as the work goes on, with the number of files done and the number in all.

    Returns:
        What became of the files.

    Raises:
        DataError: if the folder is missing or has no music files, or another process is writing the output.
        NothingConvertedError: if it has some, but none could be converted.
        OSError: if the output cannot be written; it names the file.
    """
    folder = Path(input_dir)
    report = ConvertReport()
    names = find_files(folder, recursive=recursive, others=report.not_read)
    report.files = len(names)
    absolute = os.path.abspath(folder)  # noqa: PTH100 (a link's own name counts, not its target's)
    results = map_batches(
        functools.partial(convert_files, absolute, os.path.basename(absolute)),  # noqa: PTH119
        names,
        processes=processes,
        timeout_seconds=TIMEOUT_SECONDS,
    )
    with contextlib.closing(results), record_writer(output_file, num_shards) as writer:
        for number, (name, result) in enumerate(zip(names, results, strict=True), 1):
            for record in _tally(name, result, report):
                writer.write(record)
            if progress is not None:
                progress(number, len(names))
        report.records = writer.count
        if not report.converted:
            raise NothingConvertedError(folder, report)
    return report


def _tally(name: str, result: Converted | Failure, report: ConvertReport) -> list[bytes]:
    """Count in the report what became of a file, and return its records."""
    if isinstance(result, Failure):
        report.skipped.append(Skipped(_text(name), result.reason))
        return []
    if isinstance(result, FormatError):
        report.skipped.append(Skipped(_text(name), str(result)))
        return []
    failures = [piece for piece in result if isinstance(piece, FormatError)]
    report.skipped += [Skipped(_text(name), str(piece), is_tune=len(result) > 1) for piece in failures]
    report.remarked += [Remarked(_text(name), piece.name, piece.text) for piece in result if isinstance(piece, Remark)]
    records = [piece for piece in result if isinstance(piece, bytes)]
    report.converted += bool(records)
    return records


def find_files(folder: Path, *, recursive: bool, others: Counter[str] | None = None) -> list[str]:
    """The music files of a folder: paths relative to it, with forward slashes, sorted.

    Links to folders are followed, but no folder is searched twice.

    Args:
        folder: the folder.
        recursive: whether to look into its subfolders too.
        others: where to count the files that are not music, by extension.

    Raises:
        DataError: if the folder is missing, is not a folder, or has no music files.
    """
    try:
        names = sorted(_walk(folder, "", recursive, set(), Counter() if others is None else others))
    except FileNotFoundError:
        raise DataError(f"{folder}: there is no such folder{nearest_file(folder)}") from None
    except NotADirectoryError:
        raise DataError(f"{folder}: this is a file, not a folder; name the folder it is in") from None
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read: {error.strerror}") from None
    if not names:
        there = f"; there are {endings(others)}" if others else ""
        hint = "" if recursive else "; --recursive looks into its subfolders too"
        raise DataError(f"{folder}: no file in it ends in {' or '.join(SOURCE_FORMATS)}{there}{hint}")
    return names


def read_music(source: "Source") -> "list[NoteSequence]":
    """The tunes of a MIDI, MusicXML or ABC file. The contents decide which it is.

    Args:
        source: the path of the file, with any extension, its bytes, or an open file; or a pretty_midi.PrettyMIDI, a
            mido.MidiFile, or a NoteSequence, ours or note_seq's.

    Returns:
        One NoteSequence of a MIDI or MusicXML file, one for each tune of an ABC file; the path is their filename.

    Raises:
        FormatError: if it is something else, or too damaged to read; the message says where.
        DataError: if there is no such file.
        SettingsError: if it is nothing that can be read.

    Warns:
        Remark: if a part of it could not be read.
    """
    from ostinato.formats.sources import as_note_sequence

    if (notes := as_note_sequence(source)) is not None:
        return [notes]
    return music_of(*read_any(source))


def read_any(source: "Source") -> tuple[bytes, str]:
    """What stands in a file of any format, and what it is called; see `contents_of`."""
    from ostinato.formats.sources import contents_of

    return contents_of(source, max(kind.max_bytes for kind in SOURCE_FORMATS.values()))


def music_of(data: bytes, name: str) -> "list[NoteSequence]":
    """The tunes in a file's bytes, as `read_music` returns them.

    Args:
        data: the contents of the file.
        name: what it is called.

    Raises:
        FormatError: if it is not music, or too damaged to read; the message says where.

    Warns:
        Remark: if a part of it could not be read.
    """
    from ostinato.formats.note_sequence_pb2 import NoteSequence

    converted = convert_any(data, name)
    pieces = [converted] if isinstance(converted, FormatError) else converted
    sequences = [NoteSequence.FromString(piece) for piece in pieces if isinstance(piece, bytes)]
    if not sequences:
        reason = next((str(piece) for piece in pieces if isinstance(piece, FormatError)), "there is no tune in it")
        raise FormatError(f"{name}: {reason}")
    for piece in pieces:
        if isinstance(piece, FormatError):
            warnings.warn(Remark("unreadable tunes", f"{piece}; the other tunes are used"), stacklevel=3)
        elif isinstance(piece, Remark) and piece.name != NO_NOTES:  # which a sequence without notes says itself
            warnings.warn(piece, stacklevel=3)
    return sequences


def convert_any(data: bytes, name: str) -> Converted:
    """Convert the bytes of a file of any format, by their contents.

    Args:
        data: the contents of the file.
        name: what it is called.
    """
    try:
        source = format_of(data, name)
    except FormatError as error:
        return error
    if len(data) > source.max_bytes:
        return _too_large(source, len(data))
    (converted,) = source.read([data], [identity(source.name, _text(name), "")])
    return converted


def format_of(data: bytes, name: str) -> SourceFormat:
    """What kind of music file this is: by its contents, or else by its extension.

    Raises:
        FormatError: if neither says.
    """
    if b"MThd" in data[:_HEAD_BYTES] or data.startswith(b"\x1f\x8b"):
        return _MIDI
    # UTF-16 has a zero in each character of a tag.
    if data.startswith(b"PK\3\4") or b"<score-" in data[: 1 << 16].replace(b"\0", b""):
        return _MUSICXML
    from ostinato.formats.scores.abc_book import looks_like_abc

    if looks_like_abc(data):
        return _ABC
    if not is_source(name):
        raise FormatError("this is not a MIDI, MusicXML or ABC file")
    return _source_format(name)


def is_source(name: str) -> bool:
    """Whether a file of this name can be converted."""
    return os.path.splitext(name)[1].lower() in SOURCE_FORMATS  # noqa: PTH122


def _source_format(name: str) -> SourceFormat:
    """What kind of file this is, by its name; it must be one of `SOURCE_FORMATS`."""
    return SOURCE_FORMATS[os.path.splitext(name)[1].lower()]  # noqa: PTH122


def _ending_of(name: str) -> str:
    """What a file that is not music is counted under: its extension, in lower case."""
    name = _text(os.path.basename(name)).lower()  # noqa: PTH119
    return name if name.startswith(".") else os.path.splitext(name)[1]  # noqa: PTH122


def _walk(
    folder: str | Path, prefix: str, recursive: bool, visited: set[tuple[int, int]], others: Counter[str]
) -> Iterator[str]:
    status = os.stat(folder)  # noqa: PTH116 (tens of thousands of paths: strings are several times faster)
    if (status.st_dev, status.st_ino) in visited and status.st_ino:
        return
    visited.add((status.st_dev, status.st_ino))
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_source(entry.name) and (entry.is_file() or _is_broken(entry)):
                yield prefix + entry.name
            elif recursive and entry.is_dir():
                yield from _walk(entry.path, f"{prefix}{entry.name}/", recursive, visited, others)
            elif entry.is_file():
                others[_ending_of(entry.name)] += 1


def _is_broken(entry: os.DirEntry[str]) -> bool:
    """Whether this is a link to nowhere: such a file is reported, not skipped."""
    return entry.is_symlink() and not os.path.exists(entry.path)  # noqa: PTH110


def _read_file(path: str) -> bytes:
    """The contents of a file.

    Raises:
        FormatError: if it is too large.
        OSError: if it cannot be read.
    """
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        size = os.fstat(file.fileno()).st_size
        if size > _source_format(path).max_bytes:
            raise _too_large(_source_format(path), size)
        return file.readall()


def _too_large(source: SourceFormat, size: int) -> FormatError:
    """The error for a file of this kind that has too many bytes."""
    return FormatError(f"{size} bytes is too large for a {source.name} file; the limit is {source.max_bytes}")


def convert_files(folder: str, collection: str, names: Sequence[str]) -> list[Converted]:
    """Read some files of a folder, and convert them.

    Args:
        folder: the folder.
        collection: what the collection is called.
        names: paths relative to the folder.

    Returns:
        What each converts to.
    """
    converted: list[Converted] = []
    contents: list[tuple[str, bytes]] = []
    size = 0
    for name in names:
        try:
            data = _read_file(os.path.join(folder, name))  # noqa: PTH118
        except (FormatError, OSError) as error:
            reason = f"cannot be read: {error.strerror}" if isinstance(error, OSError) else str(error)
            converted += [*convert_contents(collection, contents), FormatError(reason)]
            contents, size = [], 0
            continue
        contents.append((_text(name), data))
        size += len(data)
        if size > BYTES_AT_ONCE:
            converted += convert_contents(collection, contents)
            contents, size = [], 0
    return converted + convert_contents(collection, contents)


def convert_contents(collection: str, contents: Sequence[tuple[str, bytes]]) -> list[Converted]:
    """Convert some files. The result depends on nothing but the arguments.

    Args:
        collection: what the collection is called.
        contents: the name of each file, relative to the collection's folder, and its bytes.

    Returns:
        What each converts to.
    """
    converted: list[Converted] = [[] for _ in contents]
    formats = [_source_format(name) for name, _ in contents]
    for source in dict.fromkeys(formats):
        places = [place for place, its in enumerate(formats) if its is source]
        results = source.read(
            [contents[place][1] for place in places],
            [identity(source.name, contents[place][0], collection) for place in places],
        )
        for place, result in zip(places, results, strict=True):
            converted[place] = result
    return converted


def identity(source: str, filename: str, collection: str) -> Identity:
    """What the NoteSequence of a file is called, in Magenta's way.

    Args:
        source: the name of its format.
        filename: relative to the collection's folder, with forward slashes.
        collection: what the collection is called.
    """
    digest = hashlib.sha1(filename.encode(), usedforsecurity=False).hexdigest()
    return Identity(f"/id/{source}/{collection}/{digest}", filename, collection)


def _text(name: str) -> str:
    """A file's name without the bytes that are not UTF-8, which no record can hold."""
    return name if name.isascii() else os.fsencode(name).decode(errors="replace")
