"""Chord symbols as people and programs write them, as tables: "C", "F#m7b5", "Bbmaj7", "Am/G", "N.C.".

A symbol is a root, a suffix and perhaps a bass. The suffix is a chord of
`_CHORDS`, in one of its spellings, and then what is changed in it, in any order,
with or without parentheses. The spellings are those of the ABC standard 2.1, the
kinds of MusicXML 4.0, Magenta's chord symbols, and of real books and iReal.

| written                        | is                                              |
|--------------------------------|-------------------------------------------------|
| m, min, mi, -                  | minor                                           |
| M, maj, ma, Δ, ^, j            | major; with 7, 9, 11, 13 with a major seventh   |
| Δ, ^ alone                     | maj7                                            |
| o, °, dim                      | diminished                                      |
| ø, h                           | half diminished, m7b5                           |
| +, aug                         | augmented                                       |
| mM7, m(maj7), -^7              | minor with a major seventh                      |
| b5, -5, #5, +5, b9, #11, b13   | the degree, lowered or raised                   |
| sus, sus4, sus2, 4, 2          | no third: a fourth, or a second; 2 is add9      |
| add9, add2, add#11             | one more note                                   |
| no3, omit5                     | one less                                        |
| alt                            | 7 with both fifths and both ninths altered      |
| H                              | German for B                                    |
| N.C., NC, N                    | no chord                                        |
"""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

NO_CHORD = "N.C."
"""The name of silence in the harmony."""

MAX_LETTERS = 40  # of a symbol; the longest in use have some twenty
_NO_CHORDS = ("N.C.", "NC", "N.C", "N", "n.c.", "No Chord", "no chord")

# By the suffix as we write it: semitones above the root, and the kind of MusicXML.
_CHORDS: dict[str, tuple[tuple[int, ...], str]] = {
    "": ((0, 4, 7), "major"),
    "m": ((0, 3, 7), "minor"),
    "dim": ((0, 3, 6), "diminished"),
    "aug": ((0, 4, 8), "augmented"),
    "5": ((0, 7), "power"),
    "6": ((0, 4, 7, 9), "major-sixth"),
    "m6": ((0, 3, 7, 9), "minor-sixth"),
    "7": ((0, 4, 7, 10), "dominant"),
    "maj7": ((0, 4, 7, 11), "major-seventh"),
    "m7": ((0, 3, 7, 10), "minor-seventh"),
    "m(maj7)": ((0, 3, 7, 11), "major-minor"),
    "dim7": ((0, 3, 6, 9), "diminished-seventh"),
    "m7b5": ((0, 3, 6, 10), "half-diminished"),
    "aug7": ((0, 4, 8, 10), "augmented-seventh"),
    "9": ((0, 4, 7, 10, 2), "dominant-ninth"),
    "maj9": ((0, 4, 7, 11, 2), "major-ninth"),
    "m9": ((0, 3, 7, 10, 2), "minor-ninth"),
    "11": ((0, 4, 7, 10, 2, 5), "dominant-11th"),
    "maj11": ((0, 4, 7, 11, 2, 5), "major-11th"),
    "m11": ((0, 3, 7, 10, 2, 5), "minor-11th"),
    "13": ((0, 4, 7, 10, 2, 9), "dominant-13th"),
    "maj13": ((0, 4, 7, 11, 2, 9), "major-13th"),
    "m13": ((0, 3, 7, 10, 2, 9), "minor-13th"),
    "sus4": ((0, 5, 7), "suspended-fourth"),
    "sus2": ((0, 2, 7), "suspended-second"),
}
# By the quality and the number as they are written: the chord, and what is changed in it.
_WRITTEN: dict[tuple[str, str], tuple[str, tuple[str, ...]]] = {
    **{("", number): (number, ()) for number in ("", "5", "6", "7", "9", "11", "13")},
    **{("m", number): (f"m{number}", ()) for number in ("", "6", "7", "9", "11", "13")},
    **{("maj", number): (f"maj{number}", ()) for number in ("7", "9", "11", "13")},
    ("", "2"): ("", ("add9",)),
    ("", "4"): ("sus4", ()),
    ("", "69"): ("6", ("add9",)),
    ("m", "69"): ("m6", ("add9",)),
    ("maj", ""): ("", ()),
    ("maj", "6"): ("6", ()),
    ("maj", "69"): ("6", ("add9",)),
    ("triangle", ""): ("maj7", ()),
    ("dim", ""): ("dim", ()),
    ("dim", "7"): ("dim7", ()),
    ("half", ""): ("m7b5", ()),
    ("half", "7"): ("m7b5", ()),
    ("half", "9"): ("m9", ("b5",)),
    ("half", "11"): ("m11", ("b5",)),
    ("aug", ""): ("aug", ()),
    ("aug", "7"): ("aug7", ()),
    ("aug", "9"): ("9", ("#5",)),
    ("mmaj", "7"): ("m(maj7)", ()),
    ("mmaj", "9"): ("m(maj7)", ("add9",)),
    ("augmaj", "7"): ("maj7", ("#5",)),
    ("dimmaj", "7"): ("m(maj7)", ("b5",)),
    ("m", "2"): ("m", ("add9",)),
    ("m", "4"): ("m", ("add11",)),
}
_MAJOR = r"maj|Maj|MAJ|Ma(?!dd)|ma(?!dd)|MA|M|j"  # Cmadd9 is minor
_TRIANGLE = r"Δ|△|\^"
_QUALITY = re.compile(
    rf"(?P<mmaj> (?:min|Min|mi|Mi|m|-)/?(?={_MAJOR}|{_TRIANGLE}) (?:{_MAJOR}|{_TRIANGLE}) )"
    rf"| (?P<augmaj> (?:aug|Aug|\+)(?:{_MAJOR}|{_TRIANGLE}) ) | (?P<dimmaj> (?:dim|Dim|°|o)(?:{_MAJOR}|{_TRIANGLE}) )"
    rf"| (?P<maj> {_MAJOR} ) | (?P<triangle> {_TRIANGLE} ) | (?P<m> min|Min|MIN|mi|Mi|MI|m|- )"
    r"| (?P<dim> dim|Dim|DIM|°|o ) | (?P<half> ø|Ø|h ) | (?P<aug> aug|Aug|AUG|\+ )",
    re.VERBOSE,
)
_NUMBER = re.compile(r"6/?9|13|11|9|7|6|5|4|2")
_CHANGE = re.compile(
    r"(?P<sus> [sS]us (?P<second> 2|4|24|9|)) | (?P<alt> alt)"
    r"| (?P<add> [aA]dd (?P<sign> [#b+-]?) (?P<added> 13|11|9|6|4|2) )"
    r"| (?: no|omit ) (?P<without> 3|5 ) | (?P<plain> 13|11|9 )"
    r"| (?P<alter> [#b+-]) (?P<degree> 13|11|9|6|5 )",
    re.VERBOSE,
)
_SEMITONES = {"2": 2, "3": 4, "4": 5, "5": 7, "6": 9, "9": 2, "11": 5, "13": 9}
_SIGNS = {"b": -1, "-": -1, "": 0, "#": 1, "+": 1}
_ADDED = {"2": "9", "4": "11", "6": "13"}
# The order in which changes are written.
_CHANGES = ("sus4", "sus2", "b5", "#5", "b9", "#9", "b11", "#11", "b13", "#13", "add9", "add11", "add13", "no3", "no5")

_NOTE = re.compile(r"[A-H](?:##|#|bb|b|)")
_BASS = re.compile(r"[A-Ha-h](?:##|#|bb|b|)")
_SIGNS_ALIKE = str.maketrans({"♯": "#", "♭": "b", "\N{MINUS SIGN}": "-", "\N{EN DASH}": "-"})
_NOT_READ = str.maketrans("", "", "()[], ")
_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_FLATS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
_SHARPS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")


@dataclass(frozen=True, slots=True)
class Symbol:
    """A chord symbol.

    Attributes:
        root: its note, such as F# or Bb; empty for `NO_CHORD`.
        chord: one of the suffixes of `_CHORDS`.
        changes: what is changed in it, in the order of `_CHANGES`.
        bass: the note after the slash; empty without one.
    """

    root: str
    chord: str = ""
    changes: tuple[str, ...] = ()
    bass: str = ""

    @property
    def text(self) -> str:
        """The symbol in our spelling, which `read_symbol` reads as this symbol."""
        if not self.root:
            return NO_CHORD
        changes = "".join(self.changes)
        if not self.chord and changes[:1] in ("b", "#"):
            changes = f"({changes})"  # Cb5 is another chord
        return self.root + self.chord + changes + (f"/{self.bass}" if self.bass else "")

    @property
    def intervals(self) -> tuple[int, ...]:
        """Its notes in semitones above the root, 0..11, without the bass."""
        if not self.root:
            return ()
        notes = dict.fromkeys(_CHORDS[self.chord][0])  # in order
        for change in self.changes:
            for gone in _left_out(change, self.chord):
                notes.pop(gone, None)
        for change in self.changes:
            if (added := _brought(change)) is not None:
                notes[added] = None
        return tuple(notes)

    @property
    def kind(self) -> str:
        """The kind of MusicXML, to which `changes` come as degrees."""
        return _CHORDS[self.chord][1]


def _left_out(change: str, chord: str) -> tuple[int, ...]:
    if change.startswith("sus") or change == "no3":
        return 3, 4
    if change == "no5":
        return 6, 7, 8
    sign, degree = _split(change)
    # The altered degree takes the place of the plain one.
    return (_SEMITONES[degree],) if sign and (degree == "5" or chord.endswith(("9", "11", "13"))) else ()


def _brought(change: str) -> int | None:
    if change.startswith("no"):
        return None
    if change.startswith("sus"):
        return _SEMITONES[change[3:]]
    sign, degree = _split(change)
    return (_SEMITONES[degree] + _SIGNS[sign]) % 12


def _split(change: str) -> tuple[str, str]:
    """The sign and the degree of "b9" or "add13"."""
    return (change[0], change[1:]) if change[0] in "b#" else ("", change.removeprefix("add"))


@functools.lru_cache(4096)
def read_symbol(text: str) -> Symbol | None:
    """Read a chord symbol; None if it is none."""
    if len(text) > MAX_LETTERS:
        return None
    text = text.strip()
    if text in _NO_CHORDS:
        return Symbol("")
    text = text.translate(_SIGNS_ALIKE)
    root, bass = _NOTE.match(text), ""
    if root is None:
        return None
    suffix, slash, after = text[root.end() :].rpartition("/")
    if slash and _BASS.fullmatch(after):
        bass = _named(after)
    else:
        suffix = text[root.end() :]
    found = _read_suffix(suffix.translate(_NOT_READ))
    return Symbol(_named(root[0]), *found, bass if bass != _named(root[0]) else "") if found else None


def _named(note: str) -> str:
    return note[0].upper().replace("H", "B") + note[1:]


def _read_suffix(suffix: str) -> tuple[str, tuple[str, ...]] | None:
    """The chord and the changes that a suffix means."""
    suffix = "7alt" if suffix == "alt" else suffix
    for with_quality in (True, False):  # "-5" is no quality but a change
        place, quality, number = 0, "", ""
        if with_quality and (found := _QUALITY.match(suffix)):
            quality, place = found.lastgroup or "", found.end()
        if found := _NUMBER.match(suffix, place):
            number, place = found[0].replace("/", ""), found.end()
        if quality == "triangle" and number:
            quality = "maj"
        changes = _read_changes(suffix[place:])
        written = _WRITTEN.get((quality, number))
        if written is None or changes is None:
            continue
        chord, more = written
        return _settled(chord, {*more, *changes})
    return None


def _read_changes(text: str) -> list[str] | None:
    changes: list[str] = []
    place = 0
    while place < len(text):
        found = _CHANGE.match(text, place)
        if found is None or found.end() == place:
            return None
        place = found.end()
        if found["sus"]:
            changes += {"2": ["sus2"], "24": ["sus4", "add9"], "9": ["sus4", "add9"]}.get(found["second"], ["sus4"])
        elif found["alt"]:
            changes += ["b5", "#5", "b9", "#9"]
        elif found["add"]:
            sign = found["sign"].replace("+", "#").replace("-", "b")
            changes.append(f"{sign or 'add'}{_ADDED.get(found['added'], found['added'])}")
        elif found["plain"]:
            changes.append(f"add{found['plain']}")
        elif found["without"]:
            changes.append(f"no{found['without']}")
        else:
            sign = found["alter"].replace("+", "#").replace("-", "b")
            changes.append(sign + _ADDED.get(found["degree"], found["degree"]))
    return changes


def _settled(chord: str, changes: set[str]) -> tuple[str, tuple[str, ...]]:
    """One way to say it: C with #5 as Caug, Cm with b5 as Cdim, C without its third and with 11 as Csus4."""
    if chord in ("sus4", "sus2"):
        chord, changes = "", changes | {chord}
    for one, change, other in _SAME:
        if chord == other and change in ("b5", "#5"):  # to which another fifth may come
            chord, changes = one, changes | {change}
    if "no3" in changes and chord != "5":
        changes = changes | ({"sus4"} if "add11" in changes else {"sus2"} if "add9" in changes else set())
    if "sus2" in changes and changes & {"sus4", "add11"}:
        changes = changes - {"sus2"} | {"sus4", "add9"}
    suspended = next((change for change in ("sus4", "sus2") if change in changes), "")
    changes = {change for change in changes if not suspended or _SUSPENDED.get(change) != suspended}
    if suspended and chord in ("", "5"):
        chord, changes = suspended, changes - {suspended}
    changes = _needed(chord, changes)
    for one, change, other in _SAME:
        # With both fifths or ninths altered it has no other name.
        if chord == one and [each for each in changes if _split(each)[1] == _split(change)[1]] == [change]:
            chord, changes = other, _needed(other, changes - {change})
    if changes & {"sus4", "sus2"} or not {3, 4} & set(_CHORDS[chord][0]):
        changes = changes - {"no3"}
    if changes & {"b5", "#5"}:
        changes = changes - {"no5"}
    return chord, tuple(change for change in _CHANGES if change in changes)


def _needed(chord: str, changes: set[str]) -> set[str]:
    """The changes without notes that the chord has anyway."""
    notes = _CHORDS[chord][0]
    return {change for change in changes if change[:2] in ("no", "su") or _brought(change) not in notes}


_SUSPENDED = {"add11": "sus4", "add9": "sus2"}  # the same note
_SAME = (
    *(("", "#5", "aug"), ("m", "b5", "dim"), ("7", "#5", "aug7"), ("m7", "b5", "m7b5")),
    *(("7", "add9", "9"), ("m7", "add9", "m9"), ("maj7", "add9", "maj9")),
    *(("9", "add13", "13"), ("m9", "add13", "m13"), ("maj9", "add13", "maj13")),
)


def pitch_class(note: str) -> int:
    """Of a root or bass: 0 is C."""
    return (_LETTERS[note[0]] + note.count("#") - note[1:].count("b")) % 12


def transposed(symbol: Symbol, semitones: int, *, flats: bool = False) -> Symbol:
    """The symbol this many semitones higher, spelled with sharps or flats as keys mostly are."""
    if semitones % 12 == 0 or not symbol.root:
        return symbol
    names = _FLATS if flats else _SHARPS
    root, bass = (names[(pitch_class(note) + semitones) % 12] if note else "" for note in (symbol.root, symbol.bass))
    return Symbol(root, symbol.chord, symbol.changes, bass)


# MusicXML.

_KINDS = {kind: suffix for suffix, (_, kind) in _CHORDS.items()}
_SEVENTHS: dict[str, list[tuple[str, int, int]]] = {
    "7": [("add", 7, 0)],
    "9": [("add", 7, 0), ("add", 9, 0)],
    "maj7": [("add", 7, 1)],
}


def symbol_of_kind(root: str, kind: str, degrees: Sequence[tuple[str, int, int]], bass: str = "") -> Symbol | None:
    """The symbol of a <harmony> in MusicXML; None for a kind that has no chord symbol, such as "Tristan".

    Args:
        root: the note.
        kind: of MusicXML.
        degrees: add, alter or subtract; the degree; and by how many semitones it is raised. An added seventh is minor.
        bass: the note, or nothing.
    """
    if kind == "none":
        return Symbol("")
    if kind not in _KINDS:
        return None
    words = []
    for what, degree, alter in degrees:
        sign = {-1: "b", 0: "", 1: "#"}.get(alter)
        if sign is None:
            continue
        if what == "subtract":
            words.append(f"no{degree}")
        elif degree == 7:
            words.insert(0, "7" if alter == 0 else "maj7")
        elif sign:
            words.append(f"{sign}{degree}")
        elif what == "add":
            words.append(f"add{degree}")
    suffix = _KINDS[kind]
    if words[:2] == ["7", "add9"]:
        words[:2] = ["9"]
    if suffix.startswith("sus") and words and words[0] in _SEVENTHS:
        words.append(suffix)
        suffix = ""
    found = _read_suffix((suffix + "".join(words)).translate(_NOT_READ))
    return Symbol(root, *found, bass if bass != root else "") if found else None


def kind_and_degrees(symbol: Symbol) -> tuple[str, list[tuple[str, int, int]]]:
    """How MusicXML says a symbol that is not `NO_CHORD`: the reverse of `symbol_of_kind`."""
    kind, changes = symbol.kind, list(symbol.changes)
    degrees: list[tuple[str, int, int]] = []
    for suspended in (change for change in symbol.changes if change.startswith("sus")):
        changes.remove(suspended)
        if symbol.chord in _SEVENTHS:
            kind = _CHORDS[suspended][1]
            degrees += _SEVENTHS[symbol.chord]
        else:
            degrees += [("subtract", 3, 0), ("add", 11 if suspended == "sus4" else 9, 0)]
    fifths = 0
    for change in changes:
        if change.startswith("no"):
            degrees.append(("subtract", int(change[2:]), 0))
            continue
        sign, degree = _split(change)
        # A second altered fifth comes beside the first.
        fifths += degree == "5"
        is_altered = degree == "5" and fifths == 1
        degrees.append(("alter" if is_altered else "add", int(degree), _SIGNS[sign]))
    return kind, degrees


# Texts of which some are chords.


def chords_among(texts: Sequence[str]) -> list[str | None]:
    """Which of the texts of one kind in one track of a MIDI file are chords: each as it is written, or None.

    They are taken for chords if at least half of them read as one: lyrics have a
    few words that do (A, Am, Go not). But single letters that come as rehearsal
    marks do, first A and each new one the next in the alphabet (A B A C), are marks.
    """
    names = [text if read_symbol(text) else None for text in texts]
    chords = [name for name in names if name]
    if 2 * len(chords) < len(texts) or are_marks(chords):
        return [None] * len(texts)
    return names


def are_marks(names: Sequence[str]) -> bool:
    """Whether chord names look like rehearsal marks."""
    highest = ord("A") - 1
    for name in names:
        if len(name.strip()) != 1 or ord(name.strip()) > highest + 1:
            return False
        highest = max(highest, ord(name.strip()))
    return True
