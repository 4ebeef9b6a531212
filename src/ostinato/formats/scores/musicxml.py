"""MusicXML scores to NoteSequences (extra `scores`).

`score` says how they are laid out. music21 makes notes of the XML, at the pitch
where they sound. A part on two staves is two parts, one for each hand.

A file of a few hundred bytes can stand for gigabytes, so that nothing is unpacked
unless it stays under a limit, and a file that declares XML entities is refused. No
other file is ever opened, wherever a document type or an archive may point to.
"""

import io
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import accumulate, zip_longest
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET
from xml.parsers import expat

from ostinato.errors import FormatError, MissingExtraError
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.formats.record import Identity
from ostinato.formats.scores.score import Part, Records, Score, ScoreNote, join_ties, note_sequence, quarters

if TYPE_CHECKING:
    from music21.base import Music21Object
    from music21.instrument import Instrument
    from music21.stream import Measure, Stream

MAX_XML_BYTES = 16 << 20  # some 50,000 notes

_VELOCITY = 64  # Magenta's for MusicXML
_SOURCE_INFO = NoteSequence.SourceInfo(
    source_type=NoteSequence.SourceInfo.SCORE_BASED,
    encoding_type=NoteSequence.SourceInfo.MUSIC_XML,
    parser=NoteSequence.SourceInfo.MUSIC21,
)
_MAX_CONTAINER_BYTES = 64 << 10
_ZIP = b"PK\x03\x04"
_DRUM_CHANNEL = 9  # counted from 0


def musicxml_records(files: Sequence[bytes], identities: Sequence[Identity]) -> list[Records]:
    """Turn MusicXML files into serialized NoteSequences.

    Args:
        files: the bytes of each, compressed (.mxl) or not.
        identities: what each is called.

    Returns:
        For each file its one record, or why it cannot be read.
    """
    try:
        import music21.musicxml.xmlToM21  # noqa: F401
    except ImportError:
        return [FormatError(str(MissingExtraError("reading MusicXML", "scores"))) for _ in files]
    records: list[Records] = []
    for data, identity in zip(files, identities, strict=True):
        try:
            root = _partwise(_parse(_unpack(data)))
            _silence_cues(root)
            sequence = note_sequence(_read(root), identity, _SOURCE_INFO, _VELOCITY)
            records.append([sequence.SerializeToString()])
        except FormatError as error:
            records.append(error)
    return records


def _unpack(data: bytes) -> bytes:
    """The XML of a score, which may be packed in a ZIP archive."""
    if data.startswith(_ZIP):
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                container = _parse(_member(archive, "META-INF/container.xml", _MAX_CONTAINER_BYTES))
                path = next((file.get("full-path") for file in container.iter("rootfile")), None)
                if path is None:
                    raise FormatError("its META-INF/container.xml names no score")
                return _member(archive, path, MAX_XML_BYTES)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
            raise FormatError(f"it is a damaged archive: {error}") from error
    if len(data) > MAX_XML_BYTES:
        raise FormatError(f"{len(data)} bytes are too many for one score; at most {MAX_XML_BYTES} are read")
    return data


def _member(archive: zipfile.ZipFile, name: str, max_bytes: int) -> bytes:
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise FormatError(f"there is no {name} in the archive") from None
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FormatError(f"{name} in the archive is packed in a way that MusicXML does not know")
    with archive.open(info) as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise FormatError(f"{name} in the archive unpacks to more than {max_bytes} bytes, too many for one score")
    return data


def _parse(data: bytes) -> ET.Element:
    """Parse XML, of which no entity is expanded and no document type fetched."""
    builder = ET.TreeBuilder()
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def refuse(*_: object) -> None:
        raise FormatError("it declares XML entities, which no score needs")

    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # the latter two for encodings
        raise FormatError(f"it is no XML, or damaged: {error}") from error
    return builder.close()


def _partwise(root: ET.Element) -> ET.Element:
    """The score with its measures in parts, however it has them."""
    if root.tag == "score-timewise":
        parts: dict[str, ET.Element] = {}
        for measure in root.findall("measure"):
            for part in measure.findall("part"):
                name = part.get("id", "")
                if name not in parts:
                    parts[name] = ET.Element("part", {"id": name})
                ET.SubElement(parts[name], "measure", measure.attrib).extend(part)
            root.remove(measure)
        root.extend(parts.values())
    elif root.tag != "score-partwise":
        raise FormatError(f"it is no MusicXML score: its outermost element is <{root.tag}>")
    return root


def _silence_cues(root: ET.Element) -> None:
    """Make rests of cue notes, which show what someone else plays."""
    for note in root.iter("note"):
        if note.find("cue") is None:
            continue
        for pitch in note.findall("pitch") + note.findall("unpitched"):
            pitch.clear()
            pitch.tag = "rest"
        if note.find("chord") is not None:
            note.tag = "cue-note"  # unknown, so passed over


def _read(root: ET.Element) -> Score:
    from music21.musicxml.xmlToM21 import MusicXMLImporter

    importer = MusicXMLImporter()  # type: ignore[no-untyped-call]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd things in a file, most of them about its looks
            importer.xmlRootToScore(root, importer.stream)  # type: ignore[no-untyped-call]
            importer.stream.toSoundingPitch(inPlace=True)
            return _score(importer.stream)
    except Exception as error:  # music21 raises what comes
        raise FormatError(f"music21 cannot read it: {type(error).__name__}: {error}") from error


def _score(stream: "Stream[Music21Object]") -> Score:
    from music21.instrument import Instrument
    from music21.stream import Measure
    from music21.stream import Part as StreamPart

    parts = list(stream.getElementsByClass(StreamPart))
    bars = [list(part.getElementsByClass(Measure)) for part in parts]
    # A bar is as long as it is in the part where it is longest.
    lengths = [max(_length(bar) for bar in same if bar is not None) for same in zip_longest(*bars)]
    score = Score(first_bar=lengths[0] if len(lengths) > 1 else None)
    for part, its_bars in zip(parts, bars, strict=True):
        instrument = part[Instrument].first()
        notes: list[tuple[ScoreNote, bool]] = []
        for bar, start in zip(its_bars, accumulate(lengths, initial=Fraction(0)), strict=False):
            for element, offset in _elements(bar):
                notes += _notes(element, start + offset, instrument)
                _take_sign(element, start + offset, score)
        notes.sort(key=lambda note: note[0].start)
        program = instrument.midiProgram if instrument is not None else None
        score.parts.append(Part(part.partName or "", program or 0, join_ties(notes)))
    return score


def _length(bar: "Measure") -> Fraction:
    """In quarters, by its notes and rests alone: other signs may stand beyond its end."""
    from music21.note import GeneralNote

    notes = [(element, offset) for element, offset in _elements(bar) if isinstance(element, GeneralNote)]
    return max((offset + quarters(note.duration.quarterLength) for note, offset in notes), default=Fraction(0))


def _elements(bar: "Measure") -> "Iterator[tuple[Music21Object, Fraction]]":
    """What stands in a bar and in its voices, and at which quarter of it."""
    for element in bar:
        if element.isStream:
            for inner in element:
                yield inner, quarters(element.offset) + quarters(inner.offset)
        else:
            yield element, quarters(element.offset)


def _notes(
    element: "Music21Object", start: Fraction, instrument: "Instrument | None"
) -> Iterator[tuple[ScoreNote, bool]]:
    """The notes of a note or chord, and whether each is tied to the next."""
    from music21.chord import ChordBase
    from music21.harmony import Harmony
    from music21.note import Note, Unpitched

    if isinstance(element, Harmony) or element.duration.isGrace:
        return
    is_drum_part = instrument is not None and instrument.midiChannel == _DRUM_CHANNEL
    end = start + quarters(element.duration.quarterLength)
    for note in element.notes if isinstance(element, ChordBase) else [element]:
        if isinstance(note, Note):
            pitch, is_drum = round(note.pitch.ps), is_drum_part
        elif isinstance(note, Unpitched):
            struck = note.storedInstrument or instrument
            pitch, is_drum = getattr(struck, "percMapPitch", None) or round(note.displayPitch().ps), True
        else:
            continue
        yield ScoreNote(pitch, start, end, is_drum), note.tie is not None and note.tie.type in ("start", "continue")


def _take_sign(element: "Music21Object", time: Fraction, score: Score) -> None:
    """Put a metre, key or tempo into the score. Where parts disagree the first one is right."""
    from music21.key import Key, KeySignature
    from music21.meter import TimeSignature
    from music21.tempo import MetronomeMark

    if isinstance(element, TimeSignature):
        score.metres.setdefault(time, (element.numerator, element.denominator))
    elif isinstance(element, KeySignature):
        if element.sharps is not None:
            score.keys.setdefault(time, (element.sharps, element.mode if isinstance(element, Key) else ""))
    elif isinstance(element, MetronomeMark):
        is_guess = element.numberImplicit and element.numberSounding is None  # from a word such as Allegro
        qpm = None if is_guess else element.getQuarterBPM()
        if qpm is not None:
            score.tempos.setdefault(time, float(qpm))
