"""MusicXML scores to NoteSequences.

`score` says how they are laid out. The notation is the audible part of MusicXML
4.0 (w3.org/2021/06/musicxml40). If a detail makes no sense, only that detail is
lost: a note without a pitch is a rest, and a tempo in words is skipped.

| in the score                                | here                                                           |
|---------------------------------------------|----------------------------------------------------------------|
| a part on several staves                    | a part for each staff; a note without <staff> is on the first  |
| <transpose>                                 | notes and keys are at the pitch where they sound               |
| quarter tones                               | go to the nearest semitone                                     |
| no <divisions>                              | one to a quarter                                               |
| no <duration>                               | as long as <type>, <dot> and <time-modification> say           |
| grace and cue notes                         | not heard                                                      |
| notes outside of MIDI                       | left out, with a remark                                        |
| parts whose bars differ in length           | the bar is as long as in the longest                           |
| a whole-bar rest next to an upbeat          | is as short as the upbeat                                      |
| a bar with nothing in it                    | is as long as the meter says                                   |
| <unpitched>, MIDI channel 10                | drums: the key of <midi-unpitched>, or the written pitch       |
| <harmony>                                   | a chord symbol, by its kind and degrees, or else by its text   |
| <sound tempo>, <metronome>                  | a tempo; of the two in one direction, the mark's               |
| <octave-shift>, clefs                       | looks: <pitch> already says where the note sounds              |

A file of a few hundred bytes can unpack to gigabytes, so nothing is unpacked unless
it stays under a limit, and a file that declares XML entities is refused. No other
file is ever opened, no matter where a document type or an archive points.
"""

import codecs
import functools
import io
import itertools
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple
from xml.etree import ElementTree as ET
from xml.parsers import expat

from ostinato.errors import FormatError
from ostinato.formats import Identity, Remark
from ostinato.formats.chord_symbols import read_symbol, symbol_of_kind, transposed
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.formats.scores.score import Part, Records, Score, ScoreNote, join_ties, note_sequence

MAX_XML_BYTES = 64 << 20  # some 200,000 notes

_VELOCITY = 64  # Magenta's for MusicXML
_SOURCE_INFO = NoteSequence.SourceInfo(
    source_type=NoteSequence.SourceInfo.SCORE_BASED, encoding_type=NoteSequence.SourceInfo.MUSIC_XML
)  # its list of parsers has none that is ours

_ZIP = b"PK\x03\x04"
_DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError)
_CONTAINER = "META-INF/container.xml"
_MAX_CONTAINER_BYTES = 64 << 10
_MAX_MEMBERS_TRIED = 4
_NO_SCORES = ("META-INF/", "__MACOSX/")  # folders of an archive
_SCORE_ENDINGS = (".xml", ".musicxml")

_DECLARATION = re.compile(r"\s*<\?xml\s[^>]*>")
_ENCODING = re.compile(rb"encoding\s*=\s*[\"']((?:iso-|windows-|koi8|shift|euc|gb|big5|mac)[\w-]*)", re.IGNORECASE)
_ENCODING_BYTES = 256  # of the file, in which its encoding is named

_NUMBER = re.compile(r"[+-]?(?:\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})")  # as XML has decimals, and of a sane size
_TICKS = 80_640  # of a quarter, or a multiple: 256 · 315, so that 1024th notes, triplets, quintuplets ... are whole
_MAX_TICKS = 1 << 62
_DRUM_CHANNEL = 10  # counted from 1
_PITCHES = range(128)
_LONGEST_NAME = 40  # of a part, in a remark
_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_FIFTH = 7  # semitones
_ALTERATIONS = {Fraction(-2): "bb", Fraction(-1): "b", Fraction(0): "", Fraction(1): "#", Fraction(2): "##"}
_QUARTERS = {"maxima": Fraction(32), "long": Fraction(16), "breve": Fraction(8), "whole": Fraction(4)}
_QUARTERS |= {"half": Fraction(2), "quarter": Fraction(1), "eighth": Fraction(1, 2)}
_QUARTERS |= {f"{4 << n}{'nd' if n == 3 else 'th'}": Fraction(1, 1 << n) for n in range(2, 9)}
_FILLS_ANY_BAR = ("whole", "breve")  # as a rest
_MAX_DOTS = 8
_TIES_ON = ("start", "continue")
_TUPLETS = range(1, 1000)
_COUNTED_FROM_1 = range(1, 129)  # MIDI programs and pitches, in MusicXML
_STAVES = range(1, 1000)
_BEATS = re.compile(r"\d{1,4}(?:\s*\+\s*\d{1,4})*")
_BEAT_UNITS = range(1, 1025)


def musicxml_records(files: Sequence[bytes], identities: Sequence[Identity]) -> list[Records]:
    """Turn MusicXML files into serialized NoteSequences.

    Args:
        files: the bytes of each, compressed (.mxl) or not.
        identities: what each is called.

    Returns:
        For each file its one record and remarks, if any; or why it cannot be read.
    """
    records: list[Records] = []
    for data, identity in zip(files, identities, strict=True):
        try:
            score = _score(_root(data))
            sequence = note_sequence(score, identity, _SOURCE_INFO, _VELOCITY)
            records.append([sequence.SerializeToString(), *score.remarks])
        except FormatError as error:
            records.append(error)
    return records


# From bytes to elements.


def _root(data: bytes) -> ET.Element:
    """The outermost element of a score, which may be packed in a ZIP archive."""
    if not data.startswith(_ZIP):
        if len(data) > MAX_XML_BYTES:
            raise FormatError(f"{len(data)} bytes is too large for one score; the limit is {MAX_XML_BYTES}")
        return _parse_score(data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _packed_root(archive)
    except _DAMAGE as error:
        raise FormatError(f"it is a damaged archive: {error}") from error


def _packed_root(archive: zipfile.ZipFile) -> ET.Element:
    """The first score among the files of an archive."""
    bytes_left = MAX_XML_BYTES
    reason = FormatError("there is no score in the archive")
    for number, info in enumerate(_likely_scores(archive)[:_MAX_MEMBERS_TRIED]):
        try:
            data = _member(archive, info, bytes_left)
            bytes_left -= len(data)
            return _parse_score(data)
        except FormatError as error:
            if not number:
                reason = FormatError(f"{info.filename} in the archive: {error}")
    raise reason


def _likely_scores(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The files of an archive, those first which its container names, or else are likely to be the score."""
    files = [info for info in archive.infolist() if not info.is_dir() and not info.filename.startswith(_NO_SCORES)]
    named: list[str | None] = []
    try:
        container = _parse(_member(archive, archive.getinfo(_CONTAINER), _MAX_CONTAINER_BYTES))
        named = [file.get("full-path") for file in container.iter("rootfile")]
    except (KeyError, FormatError):  # it is missing or broken: we look for ourselves
        pass

    def rank(info: zipfile.ZipInfo) -> tuple[bool, bool, int]:
        return info.filename not in named[:1], not info.filename.lower().endswith(_SCORE_ENDINGS), -info.file_size

    return sorted(files, key=rank)


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, max_bytes: int) -> bytes:
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FormatError("it is compressed in a way that MusicXML does not allow")
    try:
        with archive.open(info) as file:
            data = file.read(max_bytes + 1)
    except _DAMAGE as error:
        raise FormatError(f"it is damaged: {error}") from error
    if len(data) > max_bytes:
        raise FormatError(f"it unpacks to more than {max_bytes} bytes, too large for one score")
    return data


def _parse_score(data: bytes) -> ET.Element:
    root = _parse(data)
    if ":" in root.tag:  # the prefix of a namespace
        for element in root.iter():
            element.tag = element.tag.rpartition(":")[2]
    if root.tag not in ("score-partwise", "score-timewise"):
        raise FormatError(f"it is not a MusicXML score: its outermost element is <{root.tag}>")
    return root


def _parse(data: bytes) -> ET.Element:
    """Parse XML, of which no entity is expanded and no document type fetched."""
    builder = ET.TreeBuilder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.UseForeignDTD(True)  # skip entities such as &nbsp; that nobody declares

    def refuse(*_: object) -> None:
        raise FormatError(f"line {parser.CurrentLineNumber}: it declares an XML entity, which no score needs")

    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(_text(data), True)
    except expat.ExpatError as error:
        raise FormatError(f"it is not XML, or it is damaged: {error}") from error
    return builder.close()


def _text(data: bytes) -> str:
    """The XML without its declaration, which may name a wrong encoding: many programs write one and mean another."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = data.decode("utf-16", errors="replace")
    elif 0 in data[:2]:  # the half of a letter
        text = data.decode("utf-16-le" if data[0] else "utf-16-be", errors="replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = _legacy_text(data)
    declaration = _DECLARATION.match(text)
    if declaration is None:
        return text
    return "\n" * declaration[0].count("\n") + text[declaration.end() :]  # errors name the line


def _legacy_text(data: bytes) -> str:
    named = _ENCODING.search(data, 0, _ENCODING_BYTES)
    try:
        return data.decode(named[1].decode() if named else "latin-1", errors="replace")
    except LookupError:
        return data.decode("latin-1")


# From elements to notes.


class _Note(NamedTuple):
    """A note in its bar: start and length in ticks, MIDI pitch, and whether it is tied to the next one."""

    start: int
    length: int
    pitch: int
    is_drum: bool
    is_tied: bool
    staff: int


@dataclass(slots=True)
class _Bar:
    """What one part has in one bar. All times are in ticks, from the beginning of the bar.

    Attributes:
        is_short: whether it says that it need not be a whole bar.
        whole: how long the meter says that it is.
        length: up to where there are notes and rests, but for whole-bar rests.
        rest: up to where there are whole-bar rests.
        notes: in the order of the score.
        outside: the pitches of notes that MIDI does not have.
        meters: by time; likewise the others.
    """

    is_short: bool
    whole: int = 0
    length: int = 0
    rest: int = 0
    notes: list[_Note] = field(default_factory=list)
    outside: list[int] = field(default_factory=list)
    meters: list[tuple[int, tuple[int, int]]] = field(default_factory=list)
    keys: list[tuple[int, tuple[int, str]]] = field(default_factory=list)
    tempos: list[tuple[int, float]] = field(default_factory=list)
    chords: list[tuple[int, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Instrument:
    """What a part is played on: the MIDI program, whether it is drums, and the MIDI pitch if it is a single drum."""

    program: int = 0
    is_drum: bool = False
    drum: int | None = None


_Measure = tuple[int, bool, ET.Element]  # the bar's number from 0, whether it may be short, and what is in it


def _score(root: ET.Element) -> Score:
    ticks = _ticks_per_quarter(root)
    readers = [_PartReader(described, measures, ticks) for described, measures in _parts(root)]
    lengths = _bar_lengths(readers)
    starts = list(itertools.accumulate(lengths, initial=0))

    @functools.cache  # a note mostly begins where another one ends
    def quarters(time: int) -> Fraction:
        return Fraction(time, ticks)

    score = Score(first_bar=quarters(lengths[0]) if len(lengths) > 1 else None)
    for reader in readers:
        for number, bar in reader.bars.items():  # where parts disagree the first one is right
            for time, meter in bar.meters:
                score.meters.setdefault(quarters(starts[number] + time), meter)
            for time, key in bar.keys:
                score.keys.setdefault(quarters(starts[number] + time), key)
            for time, qpm in bar.tempos:
                score.tempos.setdefault(quarters(starts[number] + time), qpm)
            for time, chord in bar.chords:
                score.chords.setdefault(quarters(starts[number] + time), chord)
        staves: dict[int, list[tuple[int, _Note]]] = {staff: [] for staff in sorted(reader.staves)}
        for number, bar in reader.bars.items():
            for note in bar.notes:
                staves[note.staff].append((starts[number] + note.start, note))
        for notes in staves.values():
            notes.sort(key=lambda timed: timed[0])
            score_notes = (
                (ScoreNote(note.pitch, quarters(start), quarters(start + note.length), note.is_drum), note.is_tied)
                for start, note in notes
            )
            score.parts.append(Part(reader.name, reader.instrument.program, join_ties(score_notes)))
    score.remarks += _outside(readers)
    return score


def _outside(readers: "Sequence[_PartReader]") -> list[Remark]:
    """A remark on the notes that are left out because MIDI does not have them, if there are any."""
    outside = [
        (pitch, number + 1, reader.name)
        for reader in readers
        for number, bar in reader.bars.items()
        for pitch in bar.outside
    ]
    if not outside:
        return []
    found = f"{len(outside)} notes are" if len(outside) > 1 else "a note is"
    pitch, number, part = outside[0]
    where = f"bar {number}" + (f" of {part[:_LONGEST_NAME]}" if part else "")
    text = f"{found} left out, since MIDI has only pitches 0 to {_PITCHES[-1]}, not {pitch} as in {where}"
    return [Remark("notes outside MIDI", text)]


def _ticks_per_quarter(root: ET.Element) -> int:
    """So many that the lengths of a score are whole numbers of them."""
    ticks = _TICKS
    for text in {_text_of(divisions) for divisions in root.iter("divisions")}:
        number = _number(text)
        if number is not None and number > 0:
            ticks = math.lcm(ticks, number.numerator)
    return ticks if ticks < _MAX_TICKS else _TICKS


def _parts(root: ET.Element) -> Iterator[tuple[ET.Element, list[_Measure]]]:
    """Each part, as the list of parts describes it, with its measures, whichever of the two a score has outside."""
    parts: list[tuple[str, list[_Measure]]] = []
    if root.tag == "score-timewise":
        by_name: dict[str, list[_Measure]] = {}
        for number, measure in enumerate(root.findall("measure")):
            for part in measure.findall("part"):
                by_name.setdefault(part.get("id", ""), []).append((number, _is_short(measure), part))
        parts = list(by_name.items())
    else:
        for part in root.findall("part"):
            measures = [(number, _is_short(bar), bar) for number, bar in enumerate(part.findall("measure"))]
            parts.append((part.get("id", ""), measures))
    listed = root.findall("part-list/score-part")
    by_id = {part.get("id"): part for part in listed}
    for place, (name, measures) in enumerate(parts):
        described = by_id.get(name)
        if described is None:
            described = listed[place] if place < len(listed) else ET.Element("score-part")
        yield described, measures


def _is_short(measure: ET.Element) -> bool:
    return measure.get("implicit") == "yes"


def _bar_lengths(readers: "Sequence[_PartReader]") -> list[int]:
    """How long each bar of a score is, in ticks: as long as in the part where it is longest."""
    bars: dict[int, list[_Bar]] = {}
    for reader in readers:
        for number, bar in reader.bars.items():
            bars.setdefault(number, []).append(bar)
    lengths = [0] * (max(bars, default=-1) + 1)
    for number, same in bars.items():
        length, rest = max(bar.length for bar in same), max(bar.rest for bar in same)
        may_be_short = number == 0 or any(bar.is_short for bar in same)
        if not length:
            lengths[number] = rest or max(bar.whole for bar in same)
        else:
            lengths[number] = length if may_be_short else max(length, rest)
    return lengths


class _PartReader:
    """Reads one part.

    Attributes:
        name: of the part.
        instrument: its first one.
        staves: those that have notes or rests, by number.
        bars: by number.
    """

    def __init__(self, described: ET.Element, measures: Iterable[_Measure], ticks_per_quarter: int) -> None:
        name = _said(described, "part-name") or _said(described, "score-instrument/instrument-name")
        self.name = " ".join(name.split())
        self._instruments = {found.get("id", ""): _instrument(found) for found in described.iterfind("midi-instrument")}
        self.instrument = next(iter(self._instruments.values()), _Instrument())
        self.staves: set[int] = set()
        self._divisions = "1"  # of a quarter
        self._transpositions: dict[str, float] = {}  # semitones up to where it sounds, by staff; "" is all others
        self._ticks = ticks_per_quarter
        self._whole = 4 * self._ticks  # what a bar should last, in ticks
        self._now = self._onset = 0  # in this bar: where we are, and where the last note began
        self.bars = {number: self._read(contents, _Bar(is_short)) for number, is_short, contents in measures}

    def _read(self, contents: ET.Element, bar: _Bar) -> _Bar:
        self._now = self._onset = 0
        for element in contents:
            tag = element.tag
            if tag == "note":
                self._read_note(element, bar)
            elif tag == "backup":
                self._now = max(self._now - self._length(element), 0)
            elif tag == "forward":
                self._now += self._length(element)
                bar.length = max(bar.length, self._now)
            elif tag == "attributes":
                self._read_attributes(element, bar)
            elif tag == "harmony":
                self._read_harmony(element, bar)
            elif tag in ("direction", "sound"):
                self._read_tempo(element, bar)
        bar.whole = self._whole
        return bar

    def _read_note(self, element: ET.Element, bar: _Bar) -> None:
        parts = {part.tag: part for part in element}
        if "grace" in parts:
            return
        length = self._length(element)
        if "chord" not in parts:
            self._onset = self._now
            self._now += length
            if "rest" in parts and self._is_whole_bar(element, length):
                bar.rest = max(bar.rest, min(length, self._whole))
            else:
                bar.length = max(bar.length, self._now)
        staff = _said(element, "staff") if "staff" in parts else "1"
        staff_number = _whole(staff, _STAVES) or 1
        self.staves.add(staff_number)
        if "rest" in parts or "cue" in parts or not length:
            return
        instrument = self.instrument
        if "instrument" in parts:
            instrument = self._instruments.get(parts["instrument"].get("id", ""), instrument)
        pitch = None
        if "pitch" in parts:
            shift = self._transposition(staff) if self._transpositions else 0.0
            pitch = _pitch(*(_said(parts["pitch"], name) for name in ("step", "alter", "octave")), shift)
        elif "unpitched" in parts:
            shown = [_said(parts["unpitched"], name) for name in ("display-step", "display-octave")]
            pitch = instrument.drum
            if pitch is None:
                pitch = _pitch(shown[0] or "B", "", shown[1] or "4", 0.0)  # the middle line of a staff
        if pitch is not None and pitch not in _PITCHES:
            bar.outside.append(pitch)
        elif pitch is not None:
            is_tied = "tie" in parts and any(tie.get("type") in _TIES_ON for tie in element.iterfind("tie"))
            is_drum = instrument.is_drum or "unpitched" in parts
            bar.notes.append(_Note(self._onset, length, pitch, is_drum, is_tied, staff_number))

    def _length(self, element: ET.Element) -> int:
        """Of a note, backup or forward, in ticks."""
        length = _lasting(_said(element, "duration"), self._divisions, self._ticks)
        return round(_written_length(element) * self._ticks) if length is None else max(length, 0)

    def _is_whole_bar(self, rest: ET.Element, length: int) -> bool:
        if self._onset:
            return False
        says_so = any(found.get("measure") == "yes" for found in rest.iterfind("rest"))
        return says_so or length >= self._whole or _said(rest, "type") in _FILLS_ANY_BAR

    def _transposition(self, staff: str) -> float:
        return self._transpositions.get(staff, self._transpositions.get("", 0.0))

    def _read_attributes(self, attributes: ET.Element, bar: _Bar) -> None:
        divisions = _said(attributes, "divisions")
        if (_number(divisions) or 0) > 0:
            self._divisions = divisions
        for transpose in attributes.iterfind("transpose"):
            semitones = _number(_said(transpose, "chromatic")) or 0
            octaves = _number(_said(transpose, "octave-change")) or 0
            staff = transpose.get("number", "")
            if not staff:
                self._transpositions = {}
            self._transpositions[staff] = float(semitones + 12 * octaves)
        for key in attributes.iterfind("key"):
            sharps = _number(_said(key, "fifths"))
            if sharps is not None:
                sounding = _transposed(int(sharps), round(self._transposition(key.get("number", "1"))))
                bar.keys.append((self._now, (sounding, _said(key, "mode").lower())))
        for time in attributes.iterfind("time"):
            meter = _meter(time)
            if meter is not None:
                self._whole = 4 * self._ticks * meter[0] // meter[1]
                bar.meters.append((self._now, meter))

    def _read_harmony(self, element: ET.Element, bar: _Bar) -> None:
        """Take the chord out of a harmony, the first if it has several; one without a root is a function in a key."""
        kind, parts = element.find("kind"), [element.find(name) for name in ("root", "bass")]
        root, bass = (_note_name(part) if part is not None else "" for part in parts)
        if kind is None or not (root or _text_of(kind) == "none"):
            return
        degrees = [
            (_said(degree, "degree-type"), int(value), int(_number(_said(degree, "degree-alter")) or 0))
            for degree in element.iterfind("degree")
            if (value := _number(_said(degree, "degree-value"))) is not None
        ]
        symbol = symbol_of_kind(root, _text_of(kind), degrees, bass)
        if symbol is None and (suffix := kind.get("text")):
            symbol = read_symbol(root + suffix + (f"/{bass}" if bass else ""))
        if symbol is not None:
            symbol = transposed(symbol, round(self._transposition(_said(element, "staff"))))
            offset = _lasting(_said(element, "offset"), self._divisions, self._ticks) or 0
            bar.chords.append((max(self._now + offset, 0), symbol.text))

    def _read_tempo(self, element: ET.Element, bar: _Bar) -> None:
        """Take the tempo out of a direction or a sound, if there is one."""
        marks = [qpm for mark in element.iter("metronome") if (qpm := _metronome_qpm(mark)) is not None]
        sounds = [_number(sound.get("tempo", "")) for sound in element.iter("sound")]
        qpm = next(filter(None, [*marks, *sounds]), None)
        if qpm is not None:
            offset = _lasting(_said(element, "offset"), self._divisions, self._ticks) or 0
            bar.tempos.append((max(self._now + offset, 0), float(qpm)))


def _instrument(element: ET.Element) -> _Instrument:
    """What a <midi-instrument> says. Its numbers count from 1, but many programs have written a piano as 0."""
    program = _whole(_said(element, "midi-program"), _COUNTED_FROM_1) or 1
    drum = _whole(_said(element, "midi-unpitched"), _COUNTED_FROM_1)
    is_drum = _number(_said(element, "midi-channel")) == _DRUM_CHANNEL
    return _Instrument(program - 1, is_drum, None if drum is None else drum - 1)


def _note_name(part: ET.Element) -> str:
    """The note of a <root> or <bass>; "" if it is none."""
    letter, alter = (_said(part, f"{part.tag}-{name}") for name in ("step", "alter"))
    sign = _ALTERATIONS.get(_number(alter) or Fraction(0))
    return letter + sign if letter in _SEMITONES and sign is not None else ""


def _meter(time: ET.Element) -> tuple[int, int] | None:
    """The meter of a <time>, where several are added up; None if it has none that we understand."""
    beats = [_text_of(found) for found in time.iterfind("beats")]
    units = [_whole(_text_of(found), _BEAT_UNITS) or 0 for found in time.iterfind("beat-type")]
    if not beats or len(beats) != len(units) or not all(units) or not all(map(_BEATS.fullmatch, beats)):
        return None
    finest = max(units)
    count = sum(
        sum(map(int, beat.split("+"))) * Fraction(finest, unit) for beat, unit in zip(beats, units, strict=True)
    )
    return (int(count), finest) if count > 0 and count.denominator == 1 else None


def _metronome_qpm(mark: ET.Element) -> Fraction | None:
    """Quarters a minute of a metronome mark; None if it has no number, or sets one note value equal to another."""
    units = mark.findall("beat-unit")
    unit = _QUARTERS.get(_text_of(units[0])) if len(units) == 1 else None
    number = _number(_said(mark, "per-minute"))
    if unit is None or number is None:
        return None
    return number * unit * _dotted(len(mark.findall("beat-unit-dot")))


def _written_length(note: ET.Element) -> Fraction:
    """How long a note looks, in quarters; 0 if that cannot be seen."""
    length = _QUARTERS.get(_said(note, "type"), Fraction(0)) * _dotted(len(note.findall("dot")))
    for tuplet in note.iterfind("time-modification"):
        actual, normal = (_whole(_said(tuplet, name), _TUPLETS) for name in ("actual-notes", "normal-notes"))
        if actual and normal:
            length *= Fraction(normal, actual)
    return length


def _dotted(dots: int) -> Fraction:
    return 2 - Fraction(1, 1 << min(dots, _MAX_DOTS))


def _transposed(sharps: int, semitones: int) -> int:
    """The key signature this many semitones higher, in sharps or else flats."""
    return (sharps + _FIFTH * semitones + 5) % 12 - 5 if semitones % 12 else sharps


def _said(element: ET.Element, tag: str) -> str:
    """The text of the first element of this name within another, or ""."""
    return (element.findtext(tag) or "").strip()


def _text_of(element: ET.Element) -> str:
    return (element.text or "").strip()


# Scores have few different numbers, and say them again and again.


@functools.lru_cache(4096)
def _number(text: str) -> Fraction | None:
    return Fraction(text) if _NUMBER.fullmatch(text) else None


def _whole(text: str, bounds: range) -> int | None:
    number = _number(text)
    return int(number) if number is not None and number.denominator == 1 and number.numerator in bounds else None


@functools.lru_cache(4096)
def _lasting(duration: str, divisions: str, ticks_per_quarter: int) -> int | None:
    length, parts = _number(duration), _number(divisions)
    return None if length is None or not parts else round(length / parts * ticks_per_quarter)


@functools.lru_cache(4096)
def _pitch(step: str, alter: str, octave: str, transposition: float) -> int | None:
    """The sounding pitch of a written one, counted as in MIDI but without its bounds; None if it is not a pitch."""
    height, semitones = _number(octave), _SEMITONES.get(step.upper())
    if height is None or semitones is None:
        return None
    return round(12 * (height + 1) + semitones + (_number(alter) or 0) + Fraction(transposition))
