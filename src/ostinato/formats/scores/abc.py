"""ABC tunes to NoteSequences.

Each tune of a book becomes a NoteSequence; `abc_book` finds the tunes in a file,
and `score` says how they are laid out. The notation is the audible part of the
ABC standard 2.1 (abcnotation.com/wiki/abc:standard:v2.1), and of older books as
far as they agree with it.

| in the tune                                 | here                                                       |
|---------------------------------------------|------------------------------------------------------------|
| a field with an unknown value (M:2, K:?)    | as if the field were not there, with a remark              |
| no L:                                       | 1/16 in meters under 3/4, else 1/8                         |
| M:none, or no M:                            | no time signature, and no rest before a pickup             |
| Q:120                                       | as many unit notes a minute                                |
| no K:                                       | no sharps or flats                                         |
| K:Es, K:H, K:fis-moll                       | the German names: E flat major, B major, F sharp minor     |
| K: or V: with octave=, transpose=, treble-8 | the voice sounds there                                     |
| K:D ^c                                      | every c is sharp, as if that were in the key               |
| K:D exp ^c                                  | every c is sharp, and nothing else                         |
| fields between K: and the first voice       | hold for all voices                                        |
| accidentals                                 | hold for their letter in all octaves to the end of the bar |
| chords                                      | as long as their first note                                |
| c8 & e4 g4                                  | a separate voice, from the bar line (&&: two bars) on      |
| m: macros                                   | written out                                                |
| lengths of 0, or that no note has (c99999)  | no note; the unit                                          |
| quoted text that reads as a chord           | a chord symbol                                             |
| grace notes, other quoted text, words,      | not heard                                                  |
|   decorations, slurs, %%MIDI                |                                                            |
"""

import functools
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate

from ostinato.errors import FormatError
from ostinato.formats import Identity, Remark
from ostinato.formats.chord_symbols import read_symbol
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.formats.scores.abc_book import FIELD, Field, Tune, tunes
from ostinato.formats.scores.score import Part, Records, Score, ScoreNote, join_ties, note_sequence

_VELOCITY = 90  # Magenta's for ABC
_SOURCE_INFO = NoteSequence.SourceInfo(
    source_type=NoteSequence.SourceInfo.SCORE_BASED, encoding_type=NoteSequence.SourceInfo.ABC
)
_MAX_VOICES = 64
_MAX_LAYERS = 16
_LONGEST_FIELD = 40  # in a remark
_MAX_EVENTS = 100_000  # notes, chords and rests of a voice: more would be no tune

# What is heard of a line of music, and what is not though it has letters of notes. Everything else is skipped.
_MUSIC = re.compile(
    r"""
      (?P<accidental> \^\^|\^|__|_|= )? (?P<letter> [A-Ga-g] ) (?P<octave> [,']* ) (?P<length> \d*/*\d* )
    | %.* | "(?P<quoted> [^"]* )" | \{[^{}]*\} | y[\d/]*  # comment, chord symbol or text, grace notes, space
    | ![^!|\s]*! | ![^!|"]{0,40}[h-tw][^!|"]{0,40}!      # decoration, one with blanks in it
    | (?P<bar> \[?:*\|[|:\]]*(?:\d+(?:[,-]\d+)*)? | ::+ )
    | \[\s*\d+(?:[,-]\d+)*                               # an ending
    | \[\s* (?P<field> [A-Za-z] ) : (?P<value> [^\[\]]* ) \]
    | \( (?P<tuplet> \d{1,2} ) (?: : (?P<in_time_of> \d{0,2} ) )? (?: : (?P<for_next> \d{0,2} ) )?
    | (?: \[ (?P<chord> (?: "[^"]{0,200}" | [^\[\]|"] ){1,200}+ ) \]
      | \+ (?P<old_chord> [-^_=A-Ga-gz\d/,'\s]{1,200} ) \+ )
      (?P<chord_length> \d*/*\d* )
    | \+[^+|\s]*\+                                       # a decoration in the style of ABC 2.0
    | [zx] (?P<rest> \d*/*\d* )
    | [ZX] (?P<bars> \d{0,4} )
    | (?P<tie> - ) | (?P<pair> >{1,3} | <{1,3} ) | (?P<layer> &+ )
    """,
    re.VERBOSE,
)
_UNPAIRED_QUOTE = re.compile(r'("[^"|]*")|"[^"\s|]*')
_CHORD_NOTE = re.compile(r"(\^\^|\^|__|_|=)?([A-Ga-gzx])([,']*)(\d*/*\d*)(?:[\s.)]*(-))?")
_QUOTED = re.compile(r'"([^"]*)"')
_NOT_IN_CHORD = re.compile(r'"[^"]*"|![^!]*!|\{[^{}]*\}|\+[^+]*\+')
_PAIR = re.compile(r">{1,3}|<{1,3}")
_LENGTH = re.compile(r"(\d{0,4})(/{0,8})(\d{0,4})")
_LONGEST = 1024  # unit notes, and parts of one

_METER = re.compile(r"[^\d/]*(\d{1,4}(?:\s*\+\s*\d{1,4})*)\s*\)?\s*/\s*(\d{1,4})")
_NAMED_METERS = {"c": (4, 4), "c|": (2, 2), "": None, "none": None, "free": None}
_FRACTION = re.compile(r"(\d{1,4})\s*/\s*(\d{1,4})")
_TEMPO = re.compile(r"[^\d/]*(\d{1,5}(?:\.\d{1,5})?)")
_OLD_BEAT = re.compile(r"[Cc]\s*(\d{1,3})")  # this many unit notes
_KEY = re.compile(
    r"([A-Ha-h])(?:([#bn])|[ -]?(?i:(sharp|flat))|(is|es|s)(?!us)|\s+(\#|b(?![a-z])))?"
    r"\s*-?\s*(?i:(maj|dur|ion|dor|phr|lyd|mix|min|mol|aeo|loc)[a-z]*|(m))?(?![A-Za-z])"
)
_NO_KEY = re.compile(r"(?i:none|exp\b)|[_^=]|$")
_EXPLICIT = re.compile(r"\bexp\b", re.IGNORECASE)
_CLEF = re.compile(r"clef|treble|bass|alto|tenor|perc|octave|transpose|middle|stafflines|m=")
_PARAMETER = re.compile(
    r"\b(?:clef|middle|m|octave|transpose|stafflines|score|sound|shift|style|cue|staffscale|s?na?me?)=\S*"
)
_KEY_ACCIDENTAL = re.compile(r"(\^\^|\^|__|_|=)\s?([A-Ga-g])(?![a-z])")
_SHIFTS = (
    (re.compile(r"octave=([+-]?\d)"), 12),
    (re.compile(r"transpose=([+-]?\d{1,2})"), 1),
    (re.compile(r"(?:treble|alto|tenor|bass)\d?([+-])8"), 12),
)
_MACRO = re.compile(r"(\S[^=]{0,30}?)\s*=\s*(.{0,200})$")
_MAX_MACROS = 100
_ANY_NOTE = r"([A-Ga-g][,']*)"
_RELATIVE_NOTE = re.compile(r'"[^"]*"|![^!]*!|[h-y]')  # of a macro that transposes; n is the note itself
_LETTERS = "CDEFGAB"
_VOICE_NAME = re.compile(r"\b(?:name|nm)=\"([^\"]*)\"")

_DEGREES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}  # semitones
_MIDDLE_C = 60
_MAX_PITCH = 127
_ALTERATIONS = {"__": -2, "_": -1, "=": 0, "^": 1, "^^": 2}  # semitones
_SIGNS = {semitones: sign for sign, semitones in _ALTERATIONS.items()}
_ORDER_OF_SHARPS = "FCGDAEB"
_SHARPS = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5, "H": 5}
_SHARP = 7  # sharps more in the key of a sharpened note
_KEY_ALTERATIONS = {"": 0, "n": 0, "#": _SHARP, "sharp": _SHARP, "is": _SHARP}
_KEY_ALTERATIONS |= dict.fromkeys(("b", "flat", "es", "s"), -_SHARP)
# By the letters its name begins with: the mode, and how many sharps it has less than major.
_MODES = {
    "lyd": ("lydian", -1),
    "": ("major", 0),
    "maj": ("major", 0),
    "dur": ("major", 0),
    "ion": ("major", 0),
    "mix": ("mixolydian", 1),
    "dor": ("dorian", 2),
    "m": ("minor", 3),
    "min": ("minor", 3),
    "mol": ("minor", 3),
    "aeo": ("minor", 3),
    "phr": ("phrygian", 4),
    "loc": ("locrian", 5),
}
_PIPES = {"HP": 0, "Hp": 2}  # sharps: the Highland pipes' two are not always written

_IN_TIME_OF = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}  # tuplets; others are in the time of a beat's parts


def abc_records(files: Sequence[bytes], identities: Sequence[Identity]) -> list[Records]:
    """Turn ABC files into serialized NoteSequences.

    Args:
        files: the bytes of each, in any encoding that `abc_book` knows.
        identities: what each is called; a tune's id is made of the file's name and its own number, as Magenta's is.

    Returns:
        For each file its tunes in order, each as a record, followed by a remark if some of its fields are ignored, or
        as the reason why it cannot be read, with its number and line; or why the file has no tunes.
    """
    return [_file_records(data, identity) for data, identity in zip(files, identities, strict=True)]


def _file_records(data: bytes, identity: Identity) -> Records:
    records: list[bytes | FormatError | Remark] = []
    seen: dict[int, int] = {}
    for tune in tunes(data):
        number = tune.number
        seen[number] = seen.get(number, 0) + 1
        name = f"{identity.filename}_{number}" + (f"_{seen[number]}" if seen[number] > 1 else "")
        digest = hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()
        names = Identity(f"/id/abc/{identity.collection_name}/{digest}", identity.filename, identity.collection_name)
        reader = _Reader(tune)
        try:
            score = reader.score()
            sequence = note_sequence(score, names, _SOURCE_INFO, _VELOCITY, number)
            records += [sequence.SerializeToString(), *score.remarks]
        except FormatError as error:
            records.append(FormatError(f"tune X:{number}: line {reader.line}: {error}"))
    return records or FormatError("no tune in it: no line begins with X: or K:")


class _Reader:
    """Reads one tune.

    Attributes:
        line: which line of the file is being read; the tune's first one before and after.
    """

    def __init__(self, tune: Tune) -> None:
        self.line = tune.line
        self._tune = tune
        self._said = {value.split()[0]: value for letter, value in tune.header if letter == "V" and value}
        self._name = next(iter(self._said), "")  # of the voice that is being read
        self._voices: dict[str, _Voice] = {}
        self._opening: list[Field] = []  # what is said before the first voice holds for all
        self._is_opening = True
        self._macros = _Macros([value for letter, value in tune.header if letter == "m"])

    def score(self) -> Score:
        """The tune.

        Raises:
            FormatError: if it is longer than any tune, or a note is outside the MIDI range.
        """
        for number, line in self._tune.body:
            self.line = number
            if found := FIELD.match(line):
                self._field(found[1], found[2].partition("%")[0].strip())
            else:
                self._play(self._macros.write_out(line))
        self.line = self._tune.line
        score = Score()
        for voice in self._voices.values():
            voice.read_into(score)
        # The header's fields are each voice's.
        unknown = list(dict.fromkeys(field for voice in self._voices.values() for field in voice.unknown))
        if unknown:
            first = unknown[0][:_LONGEST_FIELD]
            says = f"an unknown field is ignored: {first}"
            if len(unknown) > 1:
                says = f"{len(unknown)} unknown fields are ignored: {first}, ..."
            score.remarks.append(Remark("unknown fields", f"tune X:{self._tune.number}: {says}"))
        return score

    def _field(self, letter: str, value: str) -> None:
        if letter == "m":
            self._macros = _Macros([*self._macros.written, value])
        elif letter == "V" and value:
            self._is_opening = False
            self._name = value.split()[0]
            if self._name in self._said:
                self._voice().change("V", value)
            self._said.setdefault(self._name, value)
        elif self._is_opening:
            self._opening.append((letter, value))
        else:
            self._voice().change(letter, value)

    def _voice(self) -> "_Voice":
        """The voice that is being read."""
        voice = self._voices.get(self._name)
        if voice is None:
            if len(self._voices) == _MAX_VOICES:
                raise FormatError(f"it has more than {_MAX_VOICES} voices")
            voice = _Voice(self._tune.header, self._opening, self._said.get(self._name, ""))
            self._voices[self._name] = voice
        return voice

    def _play(self, line: str) -> None:
        """Read a line of music."""
        self._is_opening = False
        if line.count('"') % 2:
            line = _UNPAIRED_QUOTE.sub(r"\1", line)
        voice = self._voice()
        layer = voice.layer
        for found in _MUSIC.finditer(line):
            kind = found.lastgroup
            if kind is None:
                continue
            if kind == "length":
                accidental, letter, octave, written = found.group("accidental", "letter", "octave", "length")
                layer.strike(accidental, letter, octave, voice.length(written))
            elif kind == "quoted":
                layer.set_chord(found["quoted"])
            elif kind == "chord_length":
                layer.strike_chord(found["chord"] or found["old_chord"], found["chord_length"])
            elif kind == "rest":
                layer.add((), voice.length(found["rest"]))
            elif kind == "bars":
                layer.add((), 4 * int(found["bars"] or 1) * Fraction(*(voice.meter or (4, 4))))
            elif kind == "bar":
                layer = voice.end_bar()
            elif kind == "tie":
                layer.tie()
            elif kind == "pair":
                layer.set_pair(found["pair"])
            elif kind == "layer":
                layer = voice.go_back(len(found["layer"]))
            elif kind == "value":
                self._field(found["field"], found["value"].strip())
                voice = self._voice()
                layer = voice.layer
            else:
                layer.set_tuplet(int(found["tuplet"]), found["in_time_of"], found["for_next"])


class _Macros:
    """The macros of a tune (`m: ~G2 = G/A/G`, and with n for any note `m: ~n2 = n/o/n`)."""

    def __init__(self, written: Sequence[str]) -> None:
        self.written = written[:_MAX_MACROS]
        self._texts: list[tuple[str, bool]] = []  # what is written instead, and whether relative to a note
        patterns = []
        for macro in self.written:
            found = _MACRO.match(macro)
            if found:
                name, is_relative, length = found[1].partition("n")
                patterns.append(f"({re.escape(name)}{_ANY_NOTE if is_relative else '()'}{re.escape(length)}(?![\\d/]))")
                self._texts.append((found[2], bool(is_relative)))
        self._pattern = re.compile("|".join(patterns)) if patterns else None

    def write_out(self, line: str) -> str:
        """A line of music without macros."""
        return line if self._pattern is None else self._pattern.sub(self._text, line)

    def _text(self, found: re.Match[str]) -> str:
        place = next(place for place in range(len(self._texts)) if found[2 * place + 1] is not None)
        text, is_relative = self._texts[place]
        if not is_relative:
            return text
        note = found[2 * place + 2]
        octave = note[0].islower() + note.count("'") - note.count(",")
        degree = _LETTERS.index(note[0].upper()) + len(_LETTERS) * octave
        return _RELATIVE_NOTE.sub(
            lambda one: one[0] if one[0][0] in '"!' else _note(degree + ord(one[0]) - ord("n")), text
        )


def _note(degree: int) -> str:
    """How a note is written: 0 is C, 7 is c, -7 is C with a comma."""
    octave, letter = divmod(degree, len(_LETTERS))
    return _LETTERS[letter].lower() + "'" * (octave - 1) if octave > 0 else _LETTERS[letter] + "," * -octave


@dataclass(slots=True)
class _Event:
    """A note, chord or rest: pitches, length in quarters, and which pitches are tied to the next."""

    pitches: tuple[int, ...]
    length: Fraction
    tied: Sequence[int] = ()


class _Voice:
    """One voice of a tune, as it is read on.

    Attributes:
        layer: where the next note goes.
        unit: the unit note length, in quarters.
        meter: numerator and denominator, or None if there is no meter.
        shift: how many semitones higher the voice sounds than it is written.
        key_accidentals: by letter, the sign of the key.
        unknown: fields with unknown values, as they are written.
    """

    def __init__(self, header: Sequence[Field], opening: Sequence[Field], said: str) -> None:
        name = _VOICE_NAME.search(said)
        self._name = name[1] if name else ""
        self._voice_shift = self.shift = _shift(said)
        self.key_accidentals: Mapping[str, str] = {}
        self.unknown: list[str] = []
        self.layer = _Layer(self)
        self._layers = [self.layer]  # the first goes on, the others come after & and end at a bar line
        self._bars = [0]  # before which event of the first layer; one for each place
        self._bars_to_come = 0  # before the first layer goes on
        self._meters: list[tuple[int, tuple[int, int]]] = []  # before which event, and what, likewise below
        self._keys: list[tuple[int, tuple[int, str]]] = []
        self._tempos: list[tuple[int, float]] = []
        self.meter: tuple[int, int] | None = None
        self.unit = Fraction(1, 2)
        self._lengths: dict[str, Fraction] = {}  # in quarters, as they are written
        fields = dict(header)  # of several the last
        for letter in "MLQK":
            if letter in fields:
                self.change(letter, fields[letter])
            if letter == "M" and _is_short(self.meter):
                self.unit = Fraction(1, 4)
        for letter, value in opening:
            self.change(letter, value)

    def change(self, letter: str, value: str) -> None:
        """Read a field. One with an unknown value changes nothing."""
        now = len(self._layers[0].events)
        try:
            if letter == "M":
                self.meter = _meter(value)
                if self.meter is not None:
                    self._meters.append((now, self.meter))
            elif letter == "L":
                self.unit, self._lengths = 4 * _unit(value), {}
            elif letter == "Q":
                self._tempos.append((now, _tempo(value, self.unit / 4)))
            elif letter == "V":
                self._voice_shift = _shift(value) or self._voice_shift
                self.shift = self._voice_shift
            elif letter == "K":
                self.shift = self._voice_shift + _shift(value)
                if not _CLEF.match(value):
                    key, self.key_accidentals = _key(value)
                    if key is not None:
                        self._keys.append((now, key))
        except _UnknownError:
            if value:  # an empty field, as forms have them, leaves nothing out
                self.unknown.append(f"{letter}:{value}")

    def length(self, written: str) -> Fraction:
        """A note's length in quarters."""
        length = self._lengths.get(written)
        if length is None:
            length = self._lengths[written] = _length(written) * self.unit
        return length

    def go_back(self, bars: int) -> "_Layer":
        """Begin a further layer, as many bar lines back; return it."""
        place = self._layers.index(self.layer) + 1
        if place == len(self._layers):
            if place == _MAX_LAYERS:
                raise FormatError(f"it has more than {_MAX_LAYERS} layers in a voice (&)")
            self._layers.append(_Layer(self))
        self.layer = self._layers[place]
        self.layer.begin_at(self._layers[0].time(self._bars[-min(bars, len(self._bars))]))
        self._bars_to_come = bars
        return self.layer

    def end_bar(self) -> "_Layer":
        """Read a bar line; return the layer that goes on."""
        first = self._layers[0]
        if self.layer is not first:
            self._bars_to_come -= 1
            if self._bars_to_come <= 0:
                missing = max(layer.time(len(layer.events)) for layer in self._layers) - first.time(len(first.events))
                if missing:
                    first.events.append(_Event((), missing))
                self.layer = first
        self.layer.accidentals = {}
        if self.layer is first and self._bars[-1] != len(first.events):
            self._bars.append(len(first.events))
        return self.layer

    def read_into(self, score: Score) -> None:
        """Add the voice to a score, each layer as a part."""
        times = self._layers[0].times()
        for place, meter in self._meters:
            score.meters[times[place]] = meter
        for place, key in self._keys:
            score.keys[times[place]] = key
        for place, qpm in self._tempos:
            score.tempos[times[place]] = qpm
        if score.first_bar is None:
            score.first_bar = next((times[place] for place in self._bars if place), None)
        for layer in self._layers:
            times = layer.times()
            for place, chord in layer.chords:
                score.chords.setdefault(times[place], chord)
            notes = [
                (ScoreNote(pitch, start, end), pitch in event.tied)
                for start, end, event in zip(times, times[1:], layer.events, strict=False)
                if start != end
                for pitch in event.pitches
            ]
            if notes:
                score.parts.append(Part(self._name, notes=join_ties(notes)))


class _Layer:
    """Notes and rests one after the other.

    Attributes:
        events: what has been read.
        accidentals: of this bar, by letter.
        chords: before which event, and the chord symbol.
    """

    def __init__(self, voice: _Voice) -> None:
        self._voice = voice
        self.events: list[_Event] = []
        self.accidentals: dict[str, str] = {}
        self.chords: list[tuple[int, str]] = []
        self._last: dict[str, tuple[str, int]] = {}  # accidentals and pitches struck last, by letter and octave
        self._pair = Fraction(1)  # what the sign of a dotted pair makes of the next note's length
        self._tuplet = (0, Fraction(1))  # for how many notes, and what it makes of their lengths
        self._begun = 0  # events before where it goes on, the last of which leads there
        self._times = [Fraction(0)]  # of the first events, as far as they have been asked for

    def strike(self, accidental: str | None, letter: str, octave: str, length: Fraction) -> None:
        """Add a note: its signs as they are written, and its length in quarters."""
        sign, pitch = self._sign_and_pitch(accidental, letter, octave)
        self.add((pitch,), length)
        self._last = {letter + octave: (sign, pitch)}

    def strike_chord(self, written: str, length: str) -> None:
        """Add what is in the brackets of a chord, and its length behind them."""
        for quoted in _QUOTED.findall(written):
            self.set_chord(quoted)
        inner = _CHORD_NOTE.findall(_NOT_IN_CHORD.sub("", written))
        struck: dict[str, tuple[str, int]] = {}
        pitches, tied = [], []
        for accidental, letter, octave, _, tie in inner:
            if letter not in "xz":
                _, pitch = struck[letter + octave] = self._sign_and_pitch(accidental, letter, octave)
                pitches.append(pitch)
                if tie:
                    tied.append(pitch)
        if inner:
            first_length = next((note[3] for note in inner if note[1] not in "xz"), inner[0][3])
            self.add(tuple(pitches), self._voice.length(first_length) * _length(length), tied)
            self._last = struck
            if pair := _PAIR.search(written):  # [A>e>]: as if it came after the chord
                self.set_pair(pair[0])

    def _sign_and_pitch(self, accidental: str | None, letter: str, octave: str) -> tuple[str, int]:
        degree, pitch = _natural(letter, octave)
        if accidental:
            self.accidentals[degree] = accidental
        elif (name := letter + octave) in self._last and self._last[name][1] in self.events[-1].tied:
            accidental = self._last[name][0]  # a tie carries it over the bar line
        else:
            accidental = self.accidentals.get(degree) or self._voice.key_accidentals.get(degree, "=")
        pitch += _ALTERATIONS[accidental] + self._voice.shift
        if not 0 <= pitch <= _MAX_PITCH:
            raise FormatError(f"MIDI has only pitches 0 to {_MAX_PITCH}, not {pitch}")
        return accidental, pitch

    def set_chord(self, quoted: str) -> None:
        """Read a quoted text; one that is no chord symbol is for the eye."""
        if read_symbol(quoted):
            self.chords.append((len(self.events), quoted.strip()))

    def tie(self) -> None:
        """Tie the last note or chord to the next."""
        if self.events:
            self.events[-1].tied = self.events[-1].pitches

    def set_pair(self, sign: str) -> None:
        """Make the last note and the next a dotted pair: > to >>> or < to <<<."""
        if len(self.events) > self._begun and self._pair == 1:  # else it has a sign already
            shorter = Fraction(1, 2 ** len(sign))
            first, self._pair = (2 - shorter, shorter) if sign[0] == ">" else (shorter, 2 - shorter)
            self.events[-1].length *= first
            del self._times[len(self.events) :]

    def set_tuplet(self, notes: int, in_time_of: str | None, for_next: str | None) -> None:
        """Play the next notes in the time of others."""
        meter = self._voice.meter
        parts_of_a_beat = 3 if meter is not None and meter[0] in (6, 9, 12) else 2
        normal = int(in_time_of or _IN_TIME_OF.get(notes, parts_of_a_beat))
        if notes and normal and (notes > 1 or in_time_of):  # else it is a slur before a digit
            self._tuplet = int(for_next or notes), Fraction(normal, notes)

    def begin_at(self, time: Fraction) -> None:
        """Go on at a time, in quarters."""
        self.events.append(_Event((), time - self.time(len(self.events))))
        self._begun = len(self.events)
        self.accidentals, self._last = {}, {}
        self._pair, self._tuplet = Fraction(1), (0, Fraction(1))

    def time(self, place: int) -> Fraction:
        """When an event that has been read begins, or would begin."""
        for event in self.events[len(self._times) - 1 : place]:
            self._times.append(self._times[-1] + event.length)
        return self._times[place]

    def times(self) -> list[Fraction]:
        """When each event begins, and when the last one ends."""
        return list(accumulate((event.length for event in self.events), initial=Fraction(0)))

    def add(self, pitches: tuple[int, ...], length: Fraction, tied: Sequence[int] = ()) -> None:
        """Add a note, chord or rest (no pitches), its length in quarters, and which of its pitches are tied."""
        if len(self.events) == _MAX_EVENTS:
            raise FormatError(f"it has more than {_MAX_EVENTS} notes")
        if self._pair != 1:
            length *= self._pair
            self._pair = Fraction(1)
        left, ratio = self._tuplet
        if left:
            self._tuplet = left - 1, ratio
            length *= ratio
        self.events.append(_Event(pitches, length, tied))
        self._last = {}


class _UnknownError(Exception):
    """A field has an unknown value."""


@functools.lru_cache(maxsize=1024)  # a few notes make up most of a book
def _natural(letter: str, octave: str) -> tuple[str, int]:
    """The degree of a note, as a capital letter, and its pitch without any sign."""
    octaves = letter.islower() + octave.count("'") - octave.count(",")
    return letter.upper(), _MIDDLE_C + _DEGREES[letter.upper()] + 12 * octaves


def _length(written: str) -> Fraction:
    """A note's length in unit notes: `3`, `/`, `3/4`, `//`; 1 if no note has such a length."""
    found = _LENGTH.fullmatch(written)
    if found is None:
        return Fraction(1)
    multiple, slashes, divisor = found.groups()
    length, parts = int(multiple or 1), int(divisor) if divisor and slashes else 2 ** len(slashes)
    return Fraction(length, parts) if length <= _LONGEST and 0 < parts <= _LONGEST else Fraction(1)


def _unit(value: str) -> Fraction:
    if value == "1":
        return Fraction(1)
    return _fraction(_FRACTION.match(value))


def _fraction(found: re.Match[str] | None) -> Fraction:
    if found is None or not int(found[1]) or not int(found[2]):
        raise _UnknownError
    return Fraction(int(found[1]), int(found[2]))


def _meter(value: str) -> tuple[int, int] | None:
    if value.lower() in _NAMED_METERS:
        return _NAMED_METERS[value.lower()]
    found = _METER.match(value)
    if found is None:
        raise _UnknownError
    beats, parts = sum(int(beats) for beats in found[1].split("+")), int(found[2])
    if not beats or not parts:
        raise _UnknownError
    return beats, parts


def _is_short(meter: tuple[int, int] | None) -> bool:
    return meter is not None and Fraction(*meter) < Fraction(3, 4)


def _tempo(value: str, unit: Fraction) -> float:
    """Quarters a minute."""
    beat, _, number = re.sub(r'"[^"]*"', "", value).strip().rpartition("=")
    if _FRACTION.search(number) and not _FRACTION.search(beat):  # 120=1/4
        beat, number = number, beat
    found = _TEMPO.match(number)
    if found is None:
        raise _UnknownError
    whole_notes = sum(_fraction(one) for one in _FRACTION.finditer(beat)) or unit
    if old_beat := _OLD_BEAT.match(beat):
        whole_notes = int(old_beat[1]) * unit
    return float(Fraction(found[1]) * whole_notes * 4)


def _key(value: str) -> tuple[tuple[int, str] | None, Mapping[str, str]]:
    """Sharps and mode, or None if no key is named; and the signs of the key by letter."""
    value = _PARAMETER.sub("", value).strip()
    signs = {letter.upper(): sign for sign, letter in _KEY_ACCIDENTAL.findall(value)}
    if value[:2] in _PIPES:
        key = _PIPES[value[:2]], ""
    elif _NO_KEY.match(value):
        return None, signs
    else:
        found = _KEY.match(value)
        if found is None:
            raise _UnknownError
        mode, fewer = _MODES[(found[6] or found[7] or "").lower()]
        accidental = found[2] or found[3] or found[4] or found[5] or ""
        key = _SHARPS[found[1].upper()] + _KEY_ALTERATIONS[accidental.lower()] - fewer, mode
        if _EXPLICIT.search(value):
            return (key[0], ""), signs
    return key, _key_accidentals(key[0]) | signs


def _key_accidentals(sharps: int) -> dict[str, str]:
    """By letter; beyond seven sharps or flats the first letters are altered twice."""
    return {
        letter: _SIGNS[(sharps - place + len(_ORDER_OF_SHARPS) - 1) // len(_ORDER_OF_SHARPS)]
        for place, letter in enumerate(_ORDER_OF_SHARPS)
    }


def _shift(value: str) -> int:
    """How many semitones higher a voice sounds than it is written."""
    return sum(
        semitones * (int(found[1] + "1") if found[1] in ("+", "-") else int(found[1]))
        for pattern, semitones in _SHIFTS
        for found in pattern.finditer(value)
    )
