import html
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.formats.scores.abc_book import Tune, is_music, looks_like_abc, tunes

BOOK = 'X:1\nT:One\nM:4/4\nK:G\n"Am"A>B c<=d|\n[ce]2 f2|\n\nX:2\nT:Two\nK:D\nd4|\n'
ONE = Tune(1, 1, [("T", "One"), ("M", "4/4"), ("K", "G")], [(5, '"Am"A>B c<=d|'), (6, "[ce]2 f2|")])
TWO = Tune(2, 8, [("T", "Two"), ("K", "D")], [(11, "d4|")])
TWO_TUNES = [ONE, TWO]


def numbers(text: str | bytes) -> list[int]:
    return [tune.number for tune in tunes(text if isinstance(text, bytes) else text.encode())]


def music(text: str) -> list[str]:
    """The lines of music of the only tune."""
    (tune,) = tunes(text.encode())
    return [line for _, line in tune.body]


@pytest.mark.parametrize(
    "data",
    [
        BOOK.encode(),
        BOOK.encode("utf-8-sig"),
        BOOK.encode("utf-16"),
        BOOK.encode("utf-16-le"),
        BOOK.encode("utf-16-be"),
        BOOK.replace("\n", "\r\n").encode(),
        BOOK.replace("\n", "\r").encode(),
        BOOK.replace("\n", "\r\r\n").encode(),
        BOOK.replace("\n", " \t \n").encode(),
        "".join(f"    {line}\n" for line in BOOK.splitlines()).encode(),
        "".join(f"> {line}\n" for line in BOOK.splitlines()).encode(),
        "".join(f">> {line}".rstrip() + "\n" for line in BOOK.splitlines()).encode(),
        BOOK.replace('"Am"', "\u201cAm\u201d").replace(" ", "\u00a0").encode(),
        BOOK.replace('"Am"', "\u201cAm\u201d").encode("cp1252"),
        BOOK.replace("X:", "\u200bX:").replace("T:", "T\uff1a").encode(),
        html.escape(BOOK).encode(),
        html.escape(html.escape(BOOK)).encode(),
        html.escape(BOOK).replace(";", "").encode(),
        html.escape(BOOK).replace("\n", "<br>\n").encode(),
        BOOK.replace("\n", "<br />\n").encode(),
        f"<pre>{BOOK}</pre>".encode(),
        BOOK.replace("K:G", "K:G<!-- major -->").replace("One", "<b>One</b>").replace("<b>", "").encode(),
        quopri.encodestring(BOOK.encode()),
        BOOK.replace("K:G", "K:G % major").encode(),
        BOOK.replace("K:G\n", "%%directive\nK:G\n").replace("%%directive\n", "", 1).encode(),
    ],
)
def test_a_book_comes_through_mail_forums_and_editors(data: bytes) -> None:
    assert list(tunes(data)) == TWO_TUNES


def test_every_second_line_is_empty() -> None:
    first, second = tunes(BOOK.replace("\n", "\n\n").encode())
    assert [line for _, line in first.body] == ['"Am"A>B c<=d|', "[ce]2 f2|"]
    assert second.body == [(21, "d4|")]  # the line in the file


def test_html_on_one_line() -> None:
    (tune,) = tunes(b"<html><body><p>A tune:</p><div>X:1<br>K:G<br/>A&lt;B|<br>c|</div></body></html>")
    assert [line for _, line in tune.body] == ["A<B|", "c|"]


@pytest.mark.parametrize("line", ["A<Td c>d|", "A<a a2 b>c|", "c<b>a|", "A<P=B c>d|"])
def test_dotted_pairs_are_no_tags(line: str) -> None:
    assert music(f"X:1\nT:<i>It</i><br>\nK:C\n{line}\n") == [line]


@pytest.mark.parametrize("line", ["C4 & E4|", "a&b;c", "c4&g|"])
def test_layers_are_no_entities(line: str) -> None:
    assert music(f"X:1\nK:C\n{line}\n") == [line]


def test_text_between_tunes_and_before_them() -> None:
    text = f"From: me\nSubject: two tunes\n\nA good one: A B C|\n\n{BOOK}\nBye, A B\n-- \nC|D|E\n"
    assert [tune.body for tune in tunes(text.encode())] == [[(10, '"Am"A>B c<=d|'), (11, "[ce]2 f2|")], [(16, "d4|")]]


def test_fields_before_the_first_tune_hold_for_each_that_has_none() -> None:
    first, second = tunes(b"M:6/8\nT:A book\nL:1/16\n\nX:1\nK:C\nA\n\nX:2\nM:C\nK:C\nA\n")
    assert first.header == [("M", "6/8"), ("L", "1/16"), ("K", "C")]
    assert dict(second.header) == {"M": "C", "L": "1/16", "K": "C"}


def test_tunes_without_numbers() -> None:
    text = "T:One\nK:C\nA|\n\nSome words.\n\nT:Two\nC:me\n% a remark\nK:D\nB|\n\nT:no tune\n\nX:3\nK:C\nc|\n"
    assert [(tune.number, tune.line, tune.body) for tune in tunes(text.encode())] == [
        (0, 1, [(3, "A|")]),
        (0, 7, [(11, "B|")]),
        (3, 15, [(17, "c|")]),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("X:1\nT:One\nA B c|\nd|\n", ["A B c|", "d|"]),
        ("X:1\nT:One\nA B c\nL:1/4\nd\n", ["A B c", "L:1/4", "d"]),
        ("X:1\nT:A long title\nthat goes on\nABc\n", ["ABc"]),
        ("X:1\nT:A B C\nA bad cab\nK:D\nd|\n", ["d|"]),  # the rest of the title, perhaps
        ("X:1\nM:4/4\nA B|\nK:D\nd|\n", ["A B|", "K:D", "d|"]),
        ("T:One\nM:3/4\nABc|d|\n", ["ABc|d|"]),
        ("X:1\nK:C\n\nABc\n\nd\n", ["ABc"]),  # a blank line ends the tune once it has begun
    ],
)
def test_where_the_music_begins(text: str, expected: list[str]) -> None:
    assert music(text) == expected


def test_fields_go_on() -> None:
    (tune,) = tunes(b"X:1\nH:a b\\\nA B C|\nV:1\n+:octave=-1\nK:C\nA|\nw:la la\\\nla la\nB|\n")
    assert tune.header == [("H", "a b\\"), ("V", "1 octave=-1"), ("K", "C")]
    assert [line for _, line in tune.body] == ["A|", "w:la la\\", "B|"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ABc|d2 z2|", True),
        ('"Am7"!trill!A {gab}~c .d uA vB Te|', True),
        ("(kvA ue<g)", True),
        ("[V:1] A B", True),
        ("as in the old book", False),
        ("D.C. al Fine", False),
        ("| | |", False),
        ("%%text A B C", False),
        ("Ända Ö", False),
    ],
)
def test_music_and_words(line: str, expected: bool) -> None:
    assert is_music(line) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (BOOK.encode(), True),
        (("Dear all,\nhere is one:\n\n" + BOOK).encode(), True),
        (b"T:One\nM:4/4\nABc|d|\n", True),
        (b"", False),
        (b"Some words.\nA: b\nX: c\n", False),
        (b"Dear all,\nK: nothing\nA bad cab|\n", False),
        (b"MThd\0\0\0\6\0\0\0\1\0\x60", False),
        (bytes(1000), False),
        (b"<?xml version='1.0'?>\n<score-partwise/>", False),
    ],
)
def test_what_looks_like_abc(data: bytes, expected: bool) -> None:
    assert looks_like_abc(data) == expected


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    assert all(tune.line >= 1 for tune in tunes(data))
    looks_like_abc(data)


@pytest.mark.parametrize("number", [*range(3)])
def test_numbers(number: int) -> None:
    assert numbers(f"X: {number} % one\nK:C\nA\n") == [number]


PIECES = [
    "<p ",
    "<!--",
    "</",
    "&amp;",
    "> ",
    "%%begintext\n",
    "X:1\n",
    "T:\n",
    "A|\n",
    'A"\n',
    "[A\n",
    "A\n2\n",
    "\\\n",
    "\v",
]


@pytest.mark.parametrize("head", ["", "X:1\n", "X:1\nK:C\n", "X:1\nK:C\nA\n\n", "</p>\n> X:1\n=3D"])
@pytest.mark.parametrize("piece", PIECES)
def test_time_is_linear(head: str, piece: str) -> None:
    """What took quadratic time would take minutes here."""
    list(tunes((head + piece * (200_000 // len(piece))).encode()))
