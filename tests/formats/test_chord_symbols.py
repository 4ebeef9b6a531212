import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.formats.chord_symbols import (
    MAX_LETTERS,
    NO_CHORD,
    Symbol,
    are_marks,
    chords_among,
    kind_and_degrees,
    pitch_class,
    read_symbol,
    symbol_of_kind,
    transposed,
)

# As people write it: as we write it, and the notes in semitones above the root.
WRITTEN = {
    "C": ("C", (0, 4, 7)),
    "CM": ("C", (0, 4, 7)),
    "Cm": ("Cm", (0, 3, 7)),
    "C-": ("Cm", (0, 3, 7)),
    "Cmi": ("Cm", (0, 3, 7)),
    "F#m7b5": ("F#m7b5", (0, 3, 6, 10)),
    "F♯ø": ("F#m7b5", (0, 3, 6, 10)),
    "F#m7(b5)": ("F#m7b5", (0, 3, 6, 10)),
    "F#-7b5": ("F#m7b5", (0, 3, 6, 10)),
    "F#h7": ("F#m7b5", (0, 3, 6, 10)),
    "Bbmaj7": ("Bbmaj7", (0, 4, 7, 11)),
    "B♭Δ": ("Bbmaj7", (0, 4, 7, 11)),
    "Bb^7": ("Bbmaj7", (0, 4, 7, 11)),
    "BbM7": ("Bbmaj7", (0, 4, 7, 11)),
    "Bbj7": ("Bbmaj7", (0, 4, 7, 11)),
    "H7": ("B7", (0, 4, 7, 10)),
    "Hm": ("Bm", (0, 3, 7)),
    "Am/G": ("Am/G", (0, 3, 7)),
    "C/e": ("C/E", (0, 4, 7)),
    "C/C": ("C", (0, 4, 7)),
    "Co": ("Cdim", (0, 3, 6)),
    "C°7": ("Cdim7", (0, 3, 6, 9)),
    "Cm(b5)": ("Cdim", (0, 3, 6)),
    "C+": ("Caug", (0, 4, 8)),
    "C(#5)": ("Caug", (0, 4, 8)),
    "C7#5": ("Caug7", (0, 4, 8, 10)),
    "C-7": ("Cm7", (0, 3, 7, 10)),
    "C-9": ("Cm9", (0, 3, 7, 10, 2)),
    "C7-9": ("C7b9", (0, 4, 7, 10, 1)),
    "C-5": ("C(b5)", (0, 4, 6)),
    "CmM7": ("Cm(maj7)", (0, 3, 7, 11)),
    "Cm/maj7": ("Cm(maj7)", (0, 3, 7, 11)),
    "C-^7": ("Cm(maj7)", (0, 3, 7, 11)),
    "Cmadd9": ("Cmadd9", (0, 3, 7, 2)),
    "C2": ("Cadd9", (0, 4, 7, 2)),
    "Csus": ("Csus4", (0, 5, 7)),
    "C4": ("Csus4", (0, 5, 7)),
    "Csus2": ("Csus2", (0, 2, 7)),
    "C7sus": ("C7sus4", (0, 7, 10, 5)),
    "C5": ("C5", (0, 7)),
    "C6/9": ("C6add9", (0, 4, 7, 9, 2)),
    "C69": ("C6add9", (0, 4, 7, 9, 2)),
    "C7(13)": ("C7add13", (0, 4, 7, 10, 9)),
    "C7(9)": ("C9", (0, 4, 7, 10, 2)),
    "C13": ("C13", (0, 4, 7, 10, 2, 9)),
    "C13b9": ("C13b9", (0, 4, 7, 10, 9, 1)),
    "C7alt": ("C7b5#5b9#9", (0, 4, 10, 6, 8, 1, 3)),
    "Calt": ("C7b5#5b9#9", (0, 4, 10, 6, 8, 1, 3)),
    "C7 b9 #11": ("C7b9#11", (0, 4, 7, 10, 1, 6)),
    "Cno3": ("Cno3", (0, 7)),
    "NC": (NO_CHORD, ()),
    "N.C.": (NO_CHORD, ()),
}


@pytest.mark.parametrize(("written", "expected"), WRITTEN.items())
def test_names_as_people_write_them(written: str, expected: tuple[str, tuple[int, ...]]) -> None:
    symbol = read_symbol(written)
    assert symbol is not None
    assert (symbol.text, symbol.intervals) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "c", "am", "Fine", "D.C.", "Da", "Allegro", "Verse", "I", "C/", "C/9", "C/E/G", "Cxx", "C7777"),
        *("(C)", "C" + "(" * MAX_LETTERS, "C\x00", "C" * 10_000, "^C", "C#####"),
    ],
)
def test_what_is_no_chord(text: str) -> None:
    assert read_symbol(text) is None


QUALITIES = ["", "m", "-", "maj", "M", "Δ", "dim", "o", "ø", "h", "aug", "+", "mM", "-^", "+M"]
NUMBERS = ["", "2", "4", "5", "6", "69", "7", "9", "11", "13"]
CHANGES = [
    "sus",
    "sus2",
    "sus4",
    "b5",
    "#5",
    "-9",
    "+9",
    "(#11)",
    "b13",
    "add9",
    "add2",
    "add11",
    "no3",
    "omit5",
    "alt",
]
NOTES = [letter + sign for letter in "ABCDEFGH" for sign in ("", "#", "b", "♭")]


@given(
    root=st.sampled_from(NOTES),
    quality=st.sampled_from(QUALITIES),
    number=st.sampled_from(NUMBERS),
    changes=st.lists(st.sampled_from(CHANGES), max_size=4),
    bass=st.sampled_from(["", *NOTES]),
)
def test_every_name_it_writes_it_reads(root: str, quality: str, number: str, changes: list[str], bass: str) -> None:
    symbol = read_symbol(root + quality + number + "".join(changes) + (f"/{bass}" if bass else ""))
    if symbol is None:  # such as a diminished 13
        return
    assert len(symbol.text) <= MAX_LETTERS
    assert read_symbol(symbol.text) == symbol
    assert symbol_of_kind(symbol.root, *kind_and_degrees(symbol), symbol.bass) == symbol
    higher = transposed(symbol, 5)
    assert pitch_class(higher.root) == (pitch_class(symbol.root) + 5) % 12
    assert higher.intervals == symbol.intervals


@given(st.text(max_size=60))
def test_any_text_is_a_chord_or_not(text: str) -> None:
    symbol = read_symbol(text)
    assert symbol is None or read_symbol(symbol.text) == symbol


def test_transposing_spells_as_keys_do() -> None:
    assert transposed(Symbol("A", "m", (), "G"), 3).text == "Cm/Bb"
    assert transposed(Symbol("C"), 6).text == "F#"
    assert transposed(Symbol("C"), 6, flats=True).text == "Gb"
    assert transposed(Symbol("C#"), 12).text == "C#"
    assert transposed(Symbol(""), 5).text == NO_CHORD


def test_kinds_and_degrees_of_musicxml() -> None:
    # As the MusicXML documentation has it, an added seventh is minor.
    assert kind_and_degrees(Symbol("C", "7", ("sus4",))) == ("suspended-fourth", [("add", 7, 0)])
    assert symbol_of_kind("C", "suspended-fourth", [("add", 7, 0)]) == Symbol("C", "7", ("sus4",))
    assert symbol_of_kind("C", "dominant", [("alter", 5, -1)]) == Symbol("C", "7", ("b5",))
    assert symbol_of_kind("C", "dominant-ninth", [("alter", 9, -1)]) == Symbol("C", "9", ("b9",))
    assert symbol_of_kind("C", "major-sixth", [("add", 9, 0)]) == Symbol("C", "6", ("add9",))
    assert symbol_of_kind("C", "major", [("subtract", 3, 0)]) == Symbol("C", "", ("no3",))
    assert symbol_of_kind("C", "none", []) == Symbol("")
    assert symbol_of_kind("C", "Tristan", []) is None


@pytest.mark.parametrize(
    ("texts", "chords"),
    [
        (["C", "Am", "F", "G"], ["C", "Am", "F", "G"]),
        # One chord of a letter is a chord, but for A.
        (["C"], ["C"]),
        # Rehearsal marks.
        (["A"], [None]),
        (["A", "B", "C"], [None, None, None]),
        (["A", "A", "B", "A", "C"], [None] * 5),
        # Chords of A major, too, are single letters, but no marks.
        (["A", "D", "A", "E"], ["A", "D", "A", "E"]),
        (["A", "B7", "C"], ["A", "B7", "C"]),
        # Half may be words.
        (["Verse", "C", "Chorus", "Am"], [None, "C", None, "Am"]),
        (["A", "long", "time", "a", "go"], [None] * 5),
        ([], []),
    ],
)
def test_which_texts_of_a_track_are_chords(texts: list[str], chords: list[str | None]) -> None:
    assert chords_among(texts) == chords


def test_marks() -> None:
    assert are_marks(["A", "B", "A", "C"])
    assert not are_marks(["A", "C"])
    assert not are_marks(["Am"])
