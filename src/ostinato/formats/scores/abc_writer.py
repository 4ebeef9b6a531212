"""Sheets to ABC, as tune books have it: eighths as the unit, beams by what stands together, four bars a line.

There is no clef: ABC 2.1 has clef=bass change nothing that is heard, but some readers move the notes by octaves for it.
"""

from collections.abc import Iterable, Iterator

from ostinato.errors import printable
from ostinato.formats.scores.sheet import NOTE_VALUES, Bar, Pitch, Sheet, Sign, is_bar_rest, key_alterations, tempo_text

_UNIT = 2  # 16ths: L:1/8
_BARS_A_LINE = 4
_SHORT = {1: "/", 2: ""}  # how lengths of up to a unit are written
_ACCIDENTALS = {-2: "__", -1: "_", 0: "=", 1: "^", 2: "^^"}
_MODES = {"major": "", "minor": "m", "dorian": "dor", "phrygian": "phr", "lydian": "lyd", "mixolydian": "mix"}
_MODES["locrian"] = "loc"
_FIRST_SMALL = 5  # the octave of c, which is written small


def sheets_to_abc(sheets: Iterable[Sheet]) -> str:
    """Some melodies as one book of ABC, numbered from 1 on."""
    tunes = ["".join(f"{line}\n" for line in _tune(sheet, number)) for number, sheet in enumerate(sheets, 1)]
    # Without the version, some readers take an accidental as meant for its note alone, as ABC 1.3 had it.
    return "\n".join(["%abc-2.1\n", *tunes])


def _tune(sheet: Sheet, number: int) -> Iterator[str]:
    numerator, denominator = sheet.meter
    yield f"X:{number}"
    # A percent sign begins a comment, and a backslash says that the next character is meant.
    yield "T:" + printable(sheet.title).replace("\\", "\\\\").replace("%", "\\%")
    yield f"M:{numerator}/{denominator}"
    yield "L:1/8"
    yield f"Q:1/4={tempo_text(sheet.qpm)}"
    yield f"K:{sheet.tonic}{_MODES[sheet.mode]}"
    key = key_alterations(sheet.sharps)
    bars = [_bar(bar, key) for bar in sheet.bars]
    for first in range(0, len(bars), _BARS_A_LINE):
        line = " | ".join(bars[first : first + _BARS_A_LINE])
        yield f"{line} |" + ("]" if first + _BARS_A_LINE >= len(bars) else "")


def _bar(bar: Bar, key: dict[str, int]) -> str:
    if is_bar_rest(bar):
        return _chord(bar[0]) + " ".join(f"z{_length(length)}" for length in _values(bar[0].length))
    words = ""
    for place, sign in enumerate(bar):
        is_beamed_to_last = bool(sign.beams) and sign.beams[0] != "begin"
        words += ("" if is_beamed_to_last or not place else " ") + _chord(sign)
        if sign.pitch is None:
            words += "z"
        else:
            # One that is tied over the bar line is said again: not every reader knows that it goes on.
            is_said_again = place == 0 and sign.goes_on and sign.pitch.alter != key[sign.pitch.letter]
            words += _ACCIDENTALS[sign.pitch.alter] if sign.shows_accidental or is_said_again else ""
            words += _letter(sign.pitch)
        words += _length(sign.length) + ("-" if sign.is_tied else "")
    return words


def _chord(sign: Sign) -> str:
    return f'"{sign.chord}"' if sign.chord else ""


def _letter(pitch: Pitch) -> str:
    octaves = pitch.octave - _FIRST_SMALL
    if octaves >= 0:
        return pitch.letter.lower() + "'" * octaves
    return pitch.letter + "," * (-1 - octaves)


def _values(length: int) -> Iterator[int]:
    """The lengths of rests that fill a bar together."""
    while length:
        value = max(value for value in NOTE_VALUES if value <= length)
        yield value
        length -= value


def _length(length: int) -> str:
    """A length as it follows a note, in eighths."""
    eighths, rest = divmod(length, _UNIT)
    return _SHORT.get(length, f"{length}/{_UNIT}" if rest else f"{eighths}")
