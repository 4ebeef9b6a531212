"""ABC files to their tunes: this undoes what mail, forums and old editors do to ABC, and tells text from music.

| in the file                                              | here                                               |
|----------------------------------------------------------|----------------------------------------------------|
| UTF-8, UTF-16, else Windows-1252; any ends of lines      | read                                               |
| quoted-printable mail (=3D); lines quoted with >         | as before it was sent                              |
| HTML: <br>, <pre>, &gt; and the like                     | what a browser shows                               |
| curly quotes, long dashes, odd spaces, indented lines    | as typed on a plain keyboard                       |
| every second line empty                                  | those lines are not there                          |
| a quoted text, chord, {} or note broken over two lines   | one line                                           |
| comments, %%directives, %%begintext to %%endtext         | not music                                          |
| free text outside of tunes, words among lines of music   | not music                                          |
| fields before the first tune                             | M, L and Q hold for each tune that has none        |
| a blank line                                             | ends the tune, if its music has begun              |
| no X:                                                    | a tune begins with T: after a blank line, number 0 |
| no K:                                                    | the header ends at the first line of music         |
"""

import binascii
import codecs
import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

Field = tuple[str, str]  # its letter and what it says
Line = tuple[int, str]  # its number in the file, counted from 1, and what is in it

_QUOTED_PRINTABLE = re.compile(rb"=3D|[ |\]]=20\r?\n")  # in ABC a natural sign comes before a letter
_PLAIN = str.maketrans(
    dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\uff02", '"')
    | dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u00b4", "'")
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212\uff0d", "-")
    | dict.fromkeys("\u00a0\u2002\u2003\u2007\u2009\u202f\u3000", " ")
    | dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad", "")
    | {"\uff1a": ":", "\uff5c": "|", "\u266f": "#", "\u266d": "b"}
)
_ENTITY = re.compile(r"&(?:amp;)*(#\d{1,7};|#[xX][\dA-Fa-f]{1,6};|[A-Za-z]{2}[A-Za-z\d]{0,30};|lt|gt|amp|quot|nbsp)")
# Signs of dotted pairs make some tags possible music (A<b>c, A<Td c>d): only where there is HTML at all, and then tags
# of known names with known attributes, are they tags.
_HTML = re.compile(r"<(?:br\s*/?|html|pre)>|</[a-z]{1,10}\d?>", re.IGNORECASE)
_LINE_BREAK = re.compile(r"<br\b[^<>]{0,200}>", re.IGNORECASE)
_ATTRIBUTES = r"(?:\s+[a-z-]{2,30}=[^<>]{0,500}|\s*/?)>"
_BLOCK_TAG = re.compile(
    r"</?(?:html|head|body|title|pre|p|div|center|blockquote|table|tbody|t[rhd]|[uo]l|li|h[1-6r])" + _ATTRIBUTES,
    re.IGNORECASE,
)
_OTHER_TAG = re.compile(
    r"</?(?:span|font|code|tt|strong|em|img|meta|link|a(?=\s))" + _ATTRIBUTES + r"|</[abiu]>|<!--[^<>]{0,500}-->",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"^[ \t]*>[> \t]*[XTMK]:", re.MULTILINE)
_QUOTE_MARKS = re.compile(r"^[ \t]*>[> \t]*", re.MULTILINE)

FIELD = re.compile(r"([A-Za-z+]):(?![|:])\s*(.*)")
_BEGIN = re.compile(r"%%\s*begin(\w+)")
_END = re.compile(r"%%\s*end(\w+)")
_SILENT = re.compile(
    r'"[^"]*"?|![^!|]{0,40}!|\+[^+|\s]*\+|\{[^{}]*\}|\[[A-Za-z]:[^\[\]]*\]|%.*'
)  # is not played, no matter what is in it
# A letter that is neither a note nor, right before one, a sign for how to play it.
_WORD_LETTER = re.compile(r"[h-tw](?![A-Ga-gz^_=(\[{~.!\"uvH-W])|[^\W\d_A-Za-z]")
_MUSIC_LINE = re.compile(r"[\sA-Ga-gxyzH-Zk~.u-v\d/,'^_=\[\](){}|:<>+&*`$\\!\"-]*")
_NOTE = re.compile(r"[A-Ga-g]")
_NOTE_ENDS = frozenset("ABCDEFGabcdefgz,'/")
_OPEN_BRACKET = re.compile(r"\[(?![\s\d|:\"])[^\]|]*$|\{[^}]*$")
_TEXT_FIELDS = frozenset("ABCDFGHNORSTWZsw")
_DEFAULTS = frozenset("MLQ")  # what the head of a file says for all of its tunes
_SIGNS_OF_A_TUNE = frozenset("TMLQKCR")
_SAMPLE_BYTES = 1 << 16
_LONGEST_NUMBER = 10  # digits: a longer one is not a number
_FEWEST_LINES = 6  # that show that every second one is empty


@dataclass(slots=True)
class Tune:
    """One tune of a book as it is written: its number (0: none), its first line, its header and its lines of music."""

    number: int
    line: int
    header: list[Field] = field(default_factory=list)
    body: list[Line] = field(default_factory=list)


def looks_like_abc(data: bytes) -> bool:
    """Whether a file of any name holds ABC: a tune with music and two or more of the fields X, T, M, L, Q, K, C and R.

    The first 64 KiB decide.
    """
    for tune in tunes(data[:_SAMPLE_BYTES]):
        letters = {letter for letter, _ in tune.header} & _SIGNS_OF_A_TUNE
        if any(is_music(line) for _, line in tune.body) and len(letters) + (tune.number > 0) > 1:
            return True
    return False


def tunes(data: bytes) -> Iterator[Tune]:
    """The tunes of a file in order. A tune without any line of music has an empty body."""
    tune = Tune(0, 1)
    defaults = tune.header
    state = "before"  # the first tune; then "header", "music" and, past a blank line, "text"
    maybe: Tune | None = None  # in a header, what it is if no K: follows; in "text", a tune without X: if K: follows
    text_goes_on = False  # a field of text ended with \
    for number, line in _without_blocks(_lines(_text(data))):
        found = FIELD.match(line)
        letter, value = (found[1], found[2].partition("%")[0].strip()) if found else ("", "")
        is_text = text_goes_on and not letter
        text_goes_on = (is_text or letter in _TEXT_FIELDS) and line.endswith("\\")
        if letter == "X":
            if state != "before":
                yield maybe if state == "header" and maybe else tune
            said = int(value) if value.isdecimal() and len(value) < _LONGEST_NUMBER else 0
            tune, maybe = Tune(said, number, [one for one in defaults if one[0] in _DEFAULTS]), None
            state = "header"
        elif state in ("before", "header"):
            if letter == "+" and tune.header:
                tune.header[-1] = (tune.header[-1][0], f"{tune.header[-1][1]} {value}")
            elif letter:
                tune.header.append((letter, value))
                if letter == "K":
                    state, maybe = "music", None
                elif maybe:
                    maybe.body.append((number, line))
            elif not is_text and is_music(line) and (state == "header" or _has_sign(tune.header)):
                maybe = maybe or Tune(tune.number, tune.line, tune.header.copy())
                maybe.body.append((number, line))
                if "|" in line:
                    tune, state, maybe = maybe, "music", None
        elif state == "music":
            if line:
                if not line.startswith("%") and not is_text:
                    _add_line(tune.body, number, line)
            elif tune.body:
                state = "text"
        elif letter == "T" or (letter and maybe):
            maybe = maybe or Tune(0, number, [one for one in defaults if one[0] in _DEFAULTS])
            maybe.header.append((letter, value))
            if letter == "K":
                yield tune
                tune, state, maybe = maybe, "music", None
        elif not line.startswith("%"):
            maybe = None
    if state != "before" or maybe:
        yield maybe if state in ("before", "header") and maybe else tune


def _has_sign(header: Sequence[Field]) -> bool:
    return any(letter in _SIGNS_OF_A_TUNE for letter, _ in header)


def _add_line(body: list[Line], number: int, line: str) -> None:
    """Add a line of a tune, unless it is words; and to the one before if that one breaks off within brackets."""
    if FIELD.match(line) is None:
        if body and _breaks_off(body[-1][1], line):
            body[-1] = (body[-1][0], body[-1][1] + line)
            return
        if _is_words(line):
            return
    body.append((number, line))


def _breaks_off(line: str, following: str) -> bool:
    """Whether a line of music ends within a quoted text, a chord, grace notes or a note, which the next line closes."""
    if FIELD.match(line):
        return False
    if line.count('"') % 2:
        return following.count('"') % 2 == 1
    if line[-1] in "^_" or (following[0] in "0123456789/,'" and line[-1] in _NOTE_ENDS):
        return True
    place = max(line.rfind("["), line.rfind("{"))
    return place >= 0 and ("]" in following or "}" in following) and _OPEN_BRACKET.match(line, place) is not None


def _is_words(line: str) -> bool:
    """Whether a line among music is text.

    It is if two or more of its letters are in no music, and one in five; with bar lines, one in two.
    """
    if len(_WORD_LETTER.findall(line)) < 2:  # as in almost all lines
        return False
    bare = _SILENT.sub("", line)
    count = len(_WORD_LETTER.findall(bare))
    return count > 1 and (2 if "|" in bare else 5) * count >= sum(map(str.isalpha, bare))


def is_music(line: str) -> bool:
    """Whether a line can be music: there is a note in it, and nothing that is in no music."""
    bare = _SILENT.sub("", line)
    return _NOTE.search(bare) is not None and _MUSIC_LINE.fullmatch(bare) is not None and not _is_words(line)


def _text(data: bytes) -> str:
    if _QUOTED_PRINTABLE.search(data):
        data = binascii.a2b_qp(data)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = data.decode("utf-16", errors="replace")
    elif data[:2].count(0) == 1:  # no mark, but its first letter has a byte of 0
        text = data.decode("utf-16-be" if data[0] == 0 else "utf-16-le", errors="replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("cp1252", errors="replace")
    if "&" in text:
        text = _ENTITY.sub(lambda found: html.unescape(f"&{found[1]}"), text)
    if _HTML.search(text):
        text = _without_tags(text)
    if not text.isascii():
        text = text.translate(_PLAIN)
    if _QUOTED.search(text):
        text = _QUOTE_MARKS.sub("", text)
    return text


def _without_tags(text: str) -> str:
    """Where a browser begins a new line, a vertical tab, so that the lines of the file can still be counted."""
    text = _OTHER_TAG.sub("", _BLOCK_TAG.sub("\v", _LINE_BREAK.sub("\v", text)))
    return re.sub(r"[\v \t]*\v[ \t]*(?=[\r\n]|$)", "", text) if "\v" in text else text


def _lines(text: str) -> list[Line]:
    text = text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n")
    lines = [
        (number, piece.strip())
        for number, line in enumerate(text.split("\n"), 1)
        for piece in line.strip().splitlines() or [""]
    ]
    if len(lines) >= _FEWEST_LINES:
        for parity in (0, 1):
            if not any(line for _, line in lines[parity::2]):
                return lines[1 - parity :: 2]
    return lines


def _without_blocks(lines: Sequence[Line]) -> Iterator[Line]:
    """All lines but the blocks of text, PostScript and the like; one that is never closed ends with its paragraph."""
    last_end = {found[1]: number for number, line in lines if (found := _END.match(line))}
    block = ""
    is_closed = False
    for number, line in lines:
        if block:
            if (found := _END.match(line)) and found[1] == block:
                block = ""
                continue
            if is_closed or (line and not line.startswith("X:")):
                continue
            block = ""
        if found := _BEGIN.match(line):
            block = found[1]
            is_closed = last_end.get(block, 0) > number
            continue
        yield number, line
