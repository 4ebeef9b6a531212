"""ABC tune books to NoteSequences.

Each tune of a book becomes a NoteSequence; `score` says how they are laid out.
The notation is that of the ABC standard 2.1 (abcnotation.com/wiki/abc:standard:v2.1)
as far as it is heard, and older books as far as they agree with it.

| in the book                                 | here                                                       |
|---------------------------------------------|------------------------------------------------------------|
| text outside of tunes                       | not read; a tune ends at a blank line                      |
| fields before the first tune                | M, L and Q hold for each tune that has none of its own     |
| no L:                                       | 1/16 in meters under 3/4, else 1/8                         |
| M:none, or no M:                            | no time signature, and no rest before a pickup             |
| Q:120                                       | as many unit notes a minute                                |
| K: or V: with octave=, transpose=, treble-8 | the voice sounds there                                     |
| K:D exp ^c                                  | every c is sharp, as if that stood in the key              |
| accidentals                                 | hold for their letter in all octaves to the end of the bar |
| chords                                      | as long as their first note                                |
| grace notes, chord symbols, words,          | not heard                                                  |
|   decorations, slurs, %%MIDI                |                                                            |
| a second layer within a voice (&)           | the tune is refused                                        |
"""

import codecs
import functools
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate

from ostinato.errors import FormatError
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.formats.record import Identity
from ostinato.formats.scores.score import Part, Records, Score, ScoreNote, join_ties, note_sequence

_VELOCITY = 90  # Magenta's for ABC
_SOURCE_INFO = NoteSequence.SourceInfo(
    source_type=NoteSequence.SourceInfo.SCORE_BASED, encoding_type=NoteSequence.SourceInfo.ABC
)
_MAX_VOICES = 64
_MAX_EVENTS = 100_000  # notes, chords and rests of a voice: more would be no tune

_Field = tuple[str, str]  # its letter, or "" for music, and what it says

_FIELD = re.compile(r"([A-Za-z+]):(?![|:])\s*(.*)")
_INLINE_FIELD = re.compile(r"\[([A-Za-z]):([^\[\]]*)\]")
# What stands in a line of music. Everything else is not heard.
_MUSIC = re.compile(
    r"""
      %.* | "[^"]*" | ![^!|\s]*! | \{[^{}]*\} | y[\d/]*  # comment, chord symbol, decoration, grace notes, space
    | (?P<bar> \[?:*\|[|:\]]*(?:\d+(?:[,-]\d+)*)? | ::+ )
    | \[\s*\d+(?:[,-]\d+)*                               # an ending
    | \( (?P<tuplet> \d{1,2} ) (?: : (?P<in_time_of> \d{0,2} ) )? (?: : (?P<for_next> \d{0,2} ) )?
    | [\[+] (?P<chord> [-^_=A-Ga-gz\d/,']{1,200} ) [\]+] (?P<chord_length> \d*/*\d* )
    | \+[^+|\s]*\+                                       # a decoration in the style of ABC 2.0
    | (?P<accidental> \^\^|\^|__|_|= )? (?P<letter> [A-Ga-g] ) (?P<octave> [,']* ) (?P<length> \d*/*\d* )
    | [zx] (?P<rest> \d*/*\d* )
    | [ZX] (?P<bars> \d{0,4} )
    | (?P<tie> - ) | (?P<pair> >{1,3} | <{1,3} ) | (?P<layer> & )
    """,
    re.VERBOSE,
)
_CHORD_NOTE = re.compile(r"(\^\^|\^|__|_|=)?([A-Ga-g])([,']*)(\d*/*\d*)")
_LENGTH = re.compile(r"(\d*)(/*)(\d*)")
_LONGEST_LENGTH = 12  # characters

_METER = re.compile(r"[^\d/]*(\d{1,4}(?:\s*\+\s*\d{1,4})*)\s*\)?\s*/\s*(\d{1,4})")
_FRACTION = re.compile(r"(\d{1,4})\s*/\s*(\d{1,4})")
_TEMPO = re.compile(r"\s*(\d{1,5}(?:\.\d{1,5})?)")
_KEY = re.compile(r"([A-Ga-g])([#bn]?)\s*(?i:(maj|ion|dor|phr|lyd|mix|min|aeo|loc)[a-z]*|(m))?(?![A-Za-z])")
_NO_KEY = re.compile(r"(?i:none|exp)|[_^=]|$")
_CLEF = re.compile(r"clef|treble|bass|alto|tenor|perc|octave|transpose|middle|stafflines|m=")
_KEY_ACCIDENTAL = re.compile(r"(?<![a-z=])(\^\^|\^|__|_|=)([A-Ga-g])(?![a-z])")
_SHIFTS = (
    (re.compile(r"octave=([+-]?\d)"), 12),
    (re.compile(r"transpose=([+-]?\d{1,2})"), 1),
    (re.compile(r"(?:treble|alto|tenor|bass)\d?([+-])8"), 12),
)
_VOICE_NAME = re.compile(r"\b(?:name|nm)=\"([^\"]*)\"")

_DEGREES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}  # semitones
_MIDDLE_C = 60
_ALTERATIONS = {"__": -2, "_": -1, "=": 0, "^": 1, "^^": 2}  # semitones
_ORDER_OF_SHARPS = "FCGDAEB"
_SHARPS = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5, "#": 7, "b": -7, "n": 0, "": 0}
_MAX_SHARPS = 7
# By the letters its name begins with: the mode, and how many sharps it has less than major.
_MODES = {
    "lyd": ("lydian", -1),
    "": ("major", 0),
    "maj": ("major", 0),
    "ion": ("major", 0),
    "mix": ("mixolydian", 1),
    "dor": ("dorian", 2),
    "m": ("minor", 3),
    "min": ("minor", 3),
    "aeo": ("minor", 3),
    "phr": ("phrygian", 4),
    "loc": ("locrian", 5),
}
_PIPES = {"HP": 0, "Hp": 2}  # sharps: the Highland pipes' two are not always written

_IN_TIME_OF = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}  # tuplets; others are in the time of a beat's parts


def abc_records(files: Sequence[bytes], identities: Sequence[Identity]) -> list[Records]:
    """Turn ABC files into serialized NoteSequences.

    Args:
        files: the bytes of each: UTF-8, UTF-16 with a byte order mark, or else Latin-1.
        identities: what each is called; a tune's id is made of the file's name and its own number, as Magenta's is.

    Returns:
        For each file its tunes in order, each as a record or the reason why it cannot be read; or why it has none.
    """
    return [_file_records(data, identity) for data, identity in zip(files, identities, strict=True)]


def _file_records(data: bytes, identity: Identity) -> Records:
    records: list[bytes | FormatError] = []
    seen: dict[int, int] = {}
    for number, header, body in _tunes(_text(data)):
        seen[number] = seen.get(number, 0) + 1
        name = f"{identity.filename}_{number}" + (f"_{seen[number]}" if seen[number] > 1 else "")
        digest = hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()
        tune = Identity(f"/id/abc/{identity.collection_name}/{digest}", identity.filename, identity.collection_name)
        try:
            sequence = note_sequence(_score(header, body), tune, _SOURCE_INFO, _VELOCITY, number)
            records.append(sequence.SerializeToString())
        except FormatError as error:
            records.append(FormatError(f"tune X:{number}: {error}"))
    return records or FormatError("no tune in it: no line begins with X: or K:")


def _text(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _tunes(text: str) -> Iterator[tuple[int, list[_Field], list[str]]]:
    """The number, the header and the lines of music of each tune; a tune without K: has no music."""
    defaults: list[_Field] = []
    number, header, body = 0, defaults, list[str]()
    state = "before"  # the first tune; then "header", "music" and, past a blank line, "text"
    for line in text.splitlines():
        found = _FIELD.match(line)
        letter, value = (found[1], found[2].partition("%")[0].strip()) if found else ("", "")
        if letter == "X":
            if state != "before":
                yield number, header, body
            number = int(value) if value.isdecimal() and len(value) < 10 else 0
            header, body, state = [field for field in defaults if field[0] in "MLQ"], [], "header"
        elif state in ("before", "header"):
            if letter:
                header.append((letter, value))
            if letter == "K":
                state = "music"
        elif state == "music":
            if not line.strip():
                state = "text"
            elif not line.startswith("%"):
                body.append(line)
    if state != "before":
        yield number, header, body


def _score(header: Sequence[_Field], body: Sequence[str]) -> Score:
    """Read a tune.

    Raises:
        FormatError: if it is not to be understood; it says what is not.
    """
    if not any(letter == "K" for letter, _ in header):
        raise FormatError("it has no field K:, after which the music begins")
    said = {value.split()[0]: value for letter, value in header if letter == "V" and value}
    voices: dict[str, _Voice] = {}
    name = next(iter(said), "")
    for letter, value in _items(body):
        if letter == "V" and value:
            name = value.split()[0]
            said.setdefault(name, value)
            continue
        if name not in voices:
            if len(voices) == _MAX_VOICES:
                raise FormatError(f"it has more than {_MAX_VOICES} voices")
            voices[name] = _Voice(header, said.get(name, ""))
        if letter:
            voices[name].change(letter, value)
        else:
            voices[name].play(value)
    score = Score()
    for voice in voices.values():
        voice.read_into(score)
    return score


def _items(body: Sequence[str]) -> Iterator[_Field]:
    for line in body:
        if found := _FIELD.match(line):
            yield found[1], found[2].partition("%")[0].strip()
            continue
        music, *inline = _INLINE_FIELD.split(line)
        yield "", music
        for letter, value, more in zip(inline[::3], inline[1::3], inline[2::3], strict=True):
            yield letter, value.strip()
            yield "", more


@dataclass(slots=True)
class _Event:
    """A note, chord or rest: pitches, length in quarters, and whether it is tied to the next."""

    pitches: tuple[int, ...]
    length: Fraction
    is_tied: bool = False


class _Voice:
    """One voice of a tune, as it is read on."""

    def __init__(self, header: Sequence[_Field], said: str) -> None:
        name = _VOICE_NAME.search(said)
        self._name = name[1] if name else ""
        self._voice_shift = self._shift = _shift(said)  # semitones
        self._events: list[_Event] = []
        self._bars: list[int] = []  # before which event
        self._meters: list[tuple[int, tuple[int, int]]] = []  # before which event, and what, likewise below
        self._keys: list[tuple[int, tuple[int, str]]] = []
        self._tempos: list[tuple[int, float]] = []
        self._key_accidentals: dict[str, str] = {}  # by letter
        self._bar_accidentals: dict[str, str] = {}
        self._last_accidentals: dict[str, str] = {}  # of the last note or chord, by letter and octave
        self._pair = Fraction(1)  # what the sign of a dotted pair makes of the next note's length
        self._tuplet = (0, Fraction(1))  # for how many notes, and what it makes of their lengths
        fields = dict(header)  # of several the last
        self._meter = _meter(fields.get("M", ""))
        is_short = self._meter is not None and Fraction(*self._meter) < Fraction(3, 4)
        self._unit = Fraction(1, 16 if is_short else 8)  # whole notes
        for letter in "MLQK":
            if letter in fields:
                self.change(letter, fields[letter])

    def change(self, letter: str, value: str) -> None:
        """Take a field in."""
        now = len(self._events)
        if letter == "M":
            self._meter = _meter(value)
            if self._meter is not None:
                self._meters.append((now, self._meter))
        elif letter == "L":
            self._unit = _fraction(value)
        elif letter == "Q":
            qpm = _tempo(value, self._unit)
            if qpm is not None:
                self._tempos.append((now, qpm))
        elif letter == "K":
            self._shift = self._voice_shift + _shift(value)
            if _CLEF.match(value):
                return
            key = _key(value)
            if key is not None:
                self._keys.append((now, key))
            self._key_accidentals = _key_accidentals(key[0] if key else 0) | {
                letter.upper(): accidental for accidental, letter in _KEY_ACCIDENTAL.findall(value)
            }

    def play(self, line: str) -> None:
        """Take a line of music in."""
        for found in _MUSIC.finditer(line):
            kind = found.lastgroup
            if kind == "length":
                self._strike([(found["accidental"] or "", found["letter"], found["octave"])], _length(found["length"]))
            elif kind == "chord_length":
                inner = _CHORD_NOTE.findall(found["chord"])
                if inner:
                    self._strike([note[:3] for note in inner], _length(inner[0][3]) * _length(found["chord_length"]))
                    self._events[-1].is_tied = "-" in found["chord"]
            elif kind == "rest":
                self._add((), _length(found["rest"]) * self._unit)
            elif kind == "bars":
                self._add((), int(found["bars"] or 1) * Fraction(*(self._meter or (4, 4))))
            elif kind == "bar":
                self._bar_accidentals = {}
                self._bars.append(len(self._events))
            elif kind == "tie" and self._events:
                self._events[-1].is_tied = True
            elif kind == "pair" and self._events:
                shorter = Fraction(1, 2 ** len(found[0]))
                first, self._pair = (2 - shorter, shorter) if found[0][0] == ">" else (shorter, 2 - shorter)
                self._events[-1].length *= first
            elif kind in ("tuplet", "in_time_of", "for_next"):
                self._set_tuplet(int(found["tuplet"]), found["in_time_of"], found["for_next"])
            elif kind == "layer":
                raise FormatError("it has a second layer within a voice (&), which is not read")

    def _strike(self, notes: Sequence[tuple[str, str, str]], length: Fraction) -> None:
        """Add a note or chord: accidental, letter and octave of each, and the length in unit notes."""
        accidentals: dict[str, str] = {}
        pitches = []
        for accidental, letter, octave in notes:
            name, degree = letter + octave, letter.upper()
            if accidental:
                self._bar_accidentals[degree] = accidental
            elif name in self._last_accidentals and self._events[-1].is_tied:  # a tie carries it over the bar line
                accidental = self._last_accidentals[name]
            else:
                accidental = self._bar_accidentals.get(degree, self._key_accidentals.get(degree, "="))
            accidentals[name] = accidental
            octaves = letter.islower() + octave.count("'") - octave.count(",")
            pitches.append(_MIDDLE_C + _DEGREES[degree] + _ALTERATIONS[accidental] + 12 * octaves + self._shift)
        self._add(tuple(pitches), length * self._unit)
        self._last_accidentals = accidentals

    def _add(self, pitches: tuple[int, ...], whole_notes: Fraction) -> None:
        if len(self._events) == _MAX_EVENTS:
            raise FormatError(f"it has more than {_MAX_EVENTS} notes")
        length = 4 * whole_notes
        if self._pair != 1:
            length *= self._pair
            self._pair = Fraction(1)
        left, ratio = self._tuplet
        if left:
            self._tuplet = left - 1, ratio
            length *= ratio
        self._events.append(_Event(pitches, length))
        self._last_accidentals = {}

    def _set_tuplet(self, notes: int, in_time_of: str | None, for_next: str | None) -> None:
        parts_of_a_beat = 3 if self._meter is not None and self._meter[0] in (6, 9, 12) else 2
        normal = int(in_time_of or _IN_TIME_OF.get(notes, parts_of_a_beat))
        if not notes or not normal:
            raise FormatError(f"({notes}:{normal} is no tuplet")
        self._tuplet = int(for_next or notes), Fraction(normal, notes)

    def read_into(self, score: Score) -> None:
        """Add the voice to a score."""
        times = list(accumulate((event.length for event in self._events), initial=Fraction(0)))
        for place, meter in self._meters:
            score.meters[times[place]] = meter
        for place, key in self._keys:
            score.keys[times[place]] = key
        for place, qpm in self._tempos:
            score.tempos[times[place]] = qpm
        if score.first_bar is None:
            score.first_bar = next((times[place] for place in self._bars if place), None)
        notes = [
            (ScoreNote(pitch, start, start + event.length), event.is_tied)
            for start, event in zip(times, self._events, strict=False)
            for pitch in event.pitches
        ]
        if notes:
            score.parts.append(Part(self._name, notes=join_ties(notes)))


@functools.lru_cache(maxsize=1024)  # a few lengths make up most of a book
def _length(written: str) -> Fraction:
    """A note's length in unit notes: `3`, `/`, `3/4`, `//`."""
    found = _LENGTH.fullmatch(written)
    if found is None or len(written) > _LONGEST_LENGTH:
        raise FormatError(f"{written[:_LONGEST_LENGTH]}... is no length of a note")
    multiple, slashes, divisor = found.groups()
    length = int(multiple or 1), int(divisor) if divisor else 2 ** len(slashes)
    if not all(length):
        raise FormatError(f"{written} is no length of a note")
    return Fraction(*length)


def _fraction(value: str) -> Fraction:
    found = _FRACTION.match(value)
    if value == "1":
        return Fraction(1)
    if found is None or not int(found[1]) or not int(found[2]):
        raise FormatError(f"L:{value} is no length of a note")
    return Fraction(int(found[1]), int(found[2]))


def _meter(value: str) -> tuple[int, int] | None:
    if value in ("C", "c"):
        return 4, 4
    if value in ("C|", "c|"):
        return 2, 2
    if not value or value.lower() == "none":
        return None
    found = _METER.match(value)
    if found is None or not int(found[2]):
        raise FormatError(f"M:{value} is no meter")
    return sum(int(beats) for beats in found[1].split("+")), int(found[2])


def _tempo(value: str, unit: Fraction) -> float | None:
    """Quarters a minute, or None where only a word is given."""
    beat, _, number = re.sub(r'"[^"]*"', "", value).strip().rpartition("=")
    found = _TEMPO.match(number)
    if found is None:
        return None
    whole_notes = sum(_fraction(f"{one}/{other}") for one, other in _FRACTION.findall(beat)) or unit
    return float(Fraction(found[1]) * whole_notes * 4)


def _key(value: str) -> tuple[int, str] | None:
    """Sharps and mode, or None where no key is named."""
    if value[:2] in _PIPES:
        return _PIPES[value[:2]], ""
    if _NO_KEY.match(value):
        return None
    found = _KEY.match(value)
    if found is None:
        raise FormatError(f"K:{value} is no key")
    mode, fewer = _MODES[(found[3] or found[4] or "").lower()]
    sharps = _SHARPS[found[1].upper()] + _SHARPS[found[2]] - fewer
    if abs(sharps) > _MAX_SHARPS:
        raise FormatError(f"K:{value} has more than {_MAX_SHARPS} sharps or flats")
    return sharps, mode


def _key_accidentals(sharps: int) -> dict[str, str]:
    if sharps >= 0:
        return dict.fromkeys(_ORDER_OF_SHARPS[:sharps], "^")
    return dict.fromkeys(_ORDER_OF_SHARPS[sharps:], "_")


def _shift(value: str) -> int:
    """How many semitones higher a voice sounds than it is written."""
    return sum(
        semitones * (int(found[1] + "1") if found[1] in ("+", "-") else int(found[1]))
        for pattern, semitones in _SHIFTS
        for found in pattern.finditer(value)
    )
