"""Sheets to MusicXML 4.0, one part with one voice; elements stand in the order of its schema."""

import xml.etree.ElementTree as ET

from ostinato.errors import printable
from ostinato.formats.chord_symbols import kind_and_degrees, read_symbol
from ostinato.formats.scores.sheet import Sheet, Sign, is_bar_rest, tempo_text

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" '
    '"http://www.musicxml.org/dtds/partwise.dtd">\n'
)
_DIVISIONS = 4  # 16ths in a quarter
_PART = "P1"
# The type of a note by its length in 16ths, and its dots.
_NOTES = {1: "16th", 2: "eighth", 4: "quarter", 8: "half", 16: "whole", 32: "breve"}
_TYPES = {length: (name, 0) for length, name in _NOTES.items()}
_TYPES |= {length + length // 2: (name, 1) for length, name in _NOTES.items() if length > 1}
_ACCIDENTALS = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}
_CLEFS = {False: ("G", "2"), True: ("F", "4")}


def sheet_to_musicxml(sheet: Sheet) -> bytes:
    """A melody as a MusicXML file."""
    score = ET.Element("score-partwise", version="4.0")
    if sheet.title:
        _add(_add(score, "work"), "work-title", printable(sheet.title))
    _add(_add(_add(score, "identification"), "encoding"), "software", "Ostinato")
    _add(_add(_add(score, "part-list"), "score-part", id=_PART), "part-name", "Melody")
    part = _add(score, "part", id=_PART)
    for number, bar in enumerate(sheet.bars, start=0 if sheet.has_upbeat else 1):
        measure = _add(part, "measure", number=str(number))
        if number == 0:
            measure.set("implicit", "yes")
        if bar is sheet.bars[0]:
            _add_beginning(measure, sheet)
        for sign in bar:
            _add_note(measure, sign, fills_bar=is_bar_rest(bar))
    barline = _add(measure, "barline", location="right")
    _add(barline, "bar-style", "light-heavy")
    ET.indent(score, " ")
    return (_HEAD + ET.tostring(score, encoding="unicode") + "\n").encode()


def _add_beginning(measure: ET.Element, sheet: Sheet) -> None:
    """Key, meter, clef and tempo."""
    attributes = _add(measure, "attributes")
    _add(attributes, "divisions", str(_DIVISIONS))
    key = _add(attributes, "key")
    _add(key, "fifths", str(sheet.sharps))
    _add(key, "mode", sheet.mode)
    time = _add(attributes, "time")
    for name, number in zip(("beats", "beat-type"), sheet.meter, strict=True):
        _add(time, name, str(number))
    clef = _add(attributes, "clef")
    for name, text in zip(("sign", "line"), _CLEFS[sheet.is_low], strict=True):
        _add(clef, name, text)
    direction = _add(measure, "direction", placement="above")
    metronome = _add(_add(direction, "direction-type"), "metronome")
    _add(metronome, "beat-unit", "quarter")
    _add(metronome, "per-minute", tempo_text(sheet.qpm))
    _add(direction, "sound", tempo=tempo_text(sheet.qpm))


def _add_harmony(measure: ET.Element, name: str) -> None:
    """A chord; players leave room for one that is none."""
    harmony = _add(measure, "harmony")
    symbol = read_symbol(name)
    assert symbol is not None
    if not symbol.root:
        _add_note_name(harmony, "root", "C")
        _add(harmony, "kind", "none").set("text", name)
        return
    kind, degrees = kind_and_degrees(symbol)
    _add_note_name(harmony, "root", symbol.root)
    _add(harmony, "kind", kind).set("text", name.removeprefix(symbol.root).removesuffix(f"/{symbol.bass}"))
    if symbol.bass:
        _add_note_name(harmony, "bass", symbol.bass)
    for what, value, alter in degrees:
        degree = _add(harmony, "degree", **{"print-object": "no"})
        _add(degree, "degree-value", str(value))
        _add(degree, "degree-alter", str(alter))
        _add(degree, "degree-type", what)


def _add_note_name(harmony: ET.Element, part: str, note: str) -> None:
    element = _add(harmony, part)
    _add(element, f"{part}-step", note[0])
    if alter := note.count("#") - note[1:].count("b"):
        _add(element, f"{part}-alter", str(alter))


def _add_note(measure: ET.Element, sign: Sign, *, fills_bar: bool) -> None:
    if sign.chord:
        _add_harmony(measure, sign.chord)
    note = _add(measure, "note")
    if sign.pitch is None:
        _add(note, "rest", **({"measure": "yes"} if fills_bar else {}))
    else:
        pitch = _add(note, "pitch")
        _add(pitch, "step", sign.pitch.letter)
        if sign.pitch.alter:
            _add(pitch, "alter", str(sign.pitch.alter))
        _add(pitch, "octave", str(sign.pitch.octave))
    _add(note, "duration", str(sign.length))
    ties = [name for name, is_there in (("stop", sign.goes_on), ("start", sign.is_tied)) if is_there]
    for tie in ties:
        _add(note, "tie", type=tie)
    _add(note, "voice", "1")
    if not fills_bar:
        name, dots = _TYPES[sign.length]
        _add(note, "type", name)
        for _ in range(dots):
            _add(note, "dot")
    if sign.pitch is not None and sign.shows_accidental:
        _add(note, "accidental", _ACCIDENTALS[sign.pitch.alter])
    for number, beam in enumerate(sign.beams, start=1):
        _add(note, "beam", beam, number=str(number))
    if ties:
        notations = _add(note, "notations")
        for tie in ties:
            _add(notations, "tied", type=tie)


def _add(parent: ET.Element, name: str, text: str | None = None, **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, name, attributes)
    element.text = text
    return element
