import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.errors import FormatError
from ostinato.formats import Identity, Remark
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.formats.scores.abc import abc_records

Heard = list[tuple[int, float, float]]  # pitch, start and length in eighths

BOOK = """%abc-2.1
M:6/8
This is a book of two tunes.

X:3
T:First
Q:3/8=80
K:Edor
B | "Em"e2f {a}g2!trill!e | [FA]3-F3 |

Some words about it.

X:12
T:Second, and last
M:2/4
L:1/8
K:G
(3GAB c>d | F2 ^c-|c=c :|
"""


NO_NAME = Identity()


def sequences(text: str | bytes, identity: Identity = NO_NAME) -> list[NoteSequence]:
    data = text if isinstance(text, bytes) else text.encode()
    (records,) = abc_records([data], [identity])
    assert not isinstance(records, FormatError)
    found = []
    for record in records:
        if isinstance(record, FormatError):
            raise record
        if isinstance(record, bytes):
            found.append(NoteSequence.FromString(record))
    return found


def remarks(text: str) -> list[tuple[str, str]]:
    (records,) = abc_records([text.encode()], [NO_NAME])
    assert not isinstance(records, FormatError)
    return [(record.name, record.text) for record in records if isinstance(record, Remark)]


def heard(music: str, key: str = "C", meter: str = "none") -> Heard:
    """What is heard of a line of music in eighths, at 120 quarters a minute, in order."""
    sequence = sequences(f"X:1\nM:{meter}\nL:1/8\nQ:1/4=120\nK:{key}\n{music}\n")[0]
    return [(note.pitch, note.start_time * 4, (note.end_time - note.start_time) * 4) for note in sequence.notes]


def pitches(music: str, key: str = "C") -> list[int]:
    return [pitch for pitch, _, _ in heard(music, key)]


def test_a_book() -> None:
    first, second = sequences(BOOK, Identity("/id/abc/books/x", "sub/book.abc", "books"))
    assert (first.reference_number, second.reference_number) == (3, 12)
    assert first.id == "/id/abc/books/" + hashlib.sha1(b"sub/book.abc_3").hexdigest()
    assert second.id == "/id/abc/books/" + hashlib.sha1(b"sub/book.abc_12").hexdigest()
    assert first.filename == second.filename == "sub/book.abc"
    assert first.collection_name == "books"
    assert first.source_info.encoding_type == NoteSequence.SourceInfo.ABC
    assert first.source_info.source_type == NoteSequence.SourceInfo.SCORE_BASED
    assert first.ticks_per_quarter == 220
    # Three eighths 80 times a minute are 120 quarters a minute; the pickup of an eighth comes after five of rest.
    assert [(tempo.time, tempo.qpm) for tempo in first.tempos] == [(0, 120)]
    assert [(meter.time, meter.numerator, meter.denominator) for meter in first.time_signatures] == [(0, 6, 8)]
    assert [(key.key, key.mode) for key in first.key_signatures] == [
        (NoteSequence.KeySignature.E, NoteSequence.KeySignature.DORIAN)
    ]
    assert [(note.pitch, note.start_time, note.end_time) for note in first.notes] == [
        (71, 1.25, 1.5),
        (76, 1.5, 2.0),
        (78, 2.0, 2.25),
        (79, 2.25, 2.75),
        (76, 2.75, 3.0),
        (66, 3.0, 4.5),  # F sharp, tied
        (69, 3.0, 3.75),
    ]
    assert {note.velocity for note in first.notes} == {90}
    assert first.total_time == 4.5
    # No tempo is given: 120. Three eighths in the time of two, c dotted, c sharp tied over the bar line.
    assert [(note.pitch, note.start_time, note.end_time) for note in second.notes] == [
        (67, 0, 0.5 / 3),
        (69, 0.5 / 3, 1 / 3),
        (71, 1 / 3, 0.5),
        (72, 0.5, 0.875),
        (74, 0.875, 1.0),
        (66, 1.0, 1.5),
        (73, 1.5, 2.0),
        (72, 2.0, 2.25),
    ]


@pytest.mark.parametrize(
    ("music", "expected"),
    [
        ("C2 D E/ F/2 G3/2 A// B3//", [(60, 0, 2), (62, 2, 1), (64, 3, 0.5), (65, 3.5, 0.5), (67, 4, 1.5),
                                        (69, 5.5, 0.25), (71, 5.75, 0.75)]),
        ("C,, C, C c c' c''", [(36, 0, 1), (48, 1, 1), (60, 2, 1), (72, 3, 1), (84, 4, 1), (96, 5, 1)]),
        ("C z2 D x E", [(60, 0, 1), (62, 3, 1), (64, 5, 1)]),
        ("C Z2 D", [(60, 0, 1), (62, 17, 1)]),  # two bars of 4/4
        ("A>B A<B A>>B", [(69, 0, 1.5), (71, 1.5, 0.5), (69, 2, 0.5), (71, 2.5, 1.5), (69, 4, 1.75), (71, 5.75, 0.25)]),
        ("A->A B>-c", [(69, 0, 2), (71, 2, 1.5), (72, 3.5, 0.5)]),
        ("A/>B>c", [(69, 0, 0.75), (71, 0.75, 0.75), (72, 1.5, 0.5)]),
        ("(3:2:4 A2 B2 c2 d2 e", [(69, 0, 4 / 3), (71, 4 / 3, 4 / 3), (72, 8 / 3, 4 / 3), (74, 4, 4 / 3),
                                  (76, 16 / 3, 1)]),
        ("(2AB (4cdef", [(69, 0, 1.5), (71, 1.5, 1.5), (72, 3, 0.75), (74, 3.75, 0.75), (76, 4.5, 0.75),
                         (77, 5.25, 0.75)]),
        ("[CEG]2 [C2E2]/ +CE+", [(60, 0, 2), (64, 0, 2), (67, 0, 2), (60, 2, 1), (64, 2, 1), (60, 3, 1), (64, 3, 1)]),
        ("A2-|A2-A B-c", [(69, 0, 5), (71, 5, 1), (72, 6, 1)]),
        ("[CE]-[CG]", [(60, 0, 2), (64, 0, 1), (67, 1, 1)]),
        ("(AB)|(c{de}d) y4 ~e .f ve !fermata!g +trill+a \"^slow\"b", [(p, n, 1) for n, p in
         enumerate((69, 71, 72, 74, 76, 77, 76, 79, 81, 83))]),
        ("A|:B|1 c:|2 d|]", [(69, 0, 1), (71, 1, 1), (72, 2, 1), (74, 3, 1)]),  # repeats once, both endings
        ("A [L:1/4] B [r:a remark] c", [(69, 0, 1), (71, 1, 2), (72, 3, 2)]),
        # Chords with anything in them.
        ("[C E G]2 D", [(60, 0, 2), (64, 0, 2), (67, 0, 2), (62, 2, 1)]),
        ('[!trill!C .E]4 ["Am"(A, C)] [{g}CE] [uC vE]', [(60, 0, 4), (64, 0, 4), (57, 4, 1), (60, 4, 1), (60, 5, 1),
                                                        (64, 5, 1), (60, 6, 1), (64, 6, 1)]),
        ("[C-E]2 [CE]2", [(60, 0, 4), (64, 0, 2), (64, 2, 2)]),  # only C is tied
        ("[C-E-]2 [CE]2 [CE]-[CE]", [(60, 0, 4), (64, 0, 4), (60, 4, 2), (64, 4, 2)]),
        ("[A>c>]e [zC]2 [z2] d", [(69, 0, 1.5), (72, 0, 1.5), (76, 1.5, 0.5), (60, 2, 2), (74, 6, 1)]),
        ("[^FA]-|[FA] F", [(66, 0, 2), (69, 0, 2), (65, 2, 1)]),
        ("[CC]", [(60, 0, 1), (60, 0, 1)]),
        # Layers: from the bar line on, or from two.
        ("C2 D2 & E4 | c4", [(60, 0, 2), (62, 2, 2), (72, 4, 4), (64, 0, 4)]),
        ("A | C2 D2 & E4 & G4 | c", [(69, 0, 1), (60, 1, 2), (62, 3, 2), (72, 5, 1), (64, 1, 4), (67, 1, 4)]),
        ("c2 | d2 && (E | F2) G | a", [(72, 0, 2), (74, 2, 2), (81, 4, 1), (64, 0, 1), (65, 1, 2), (67, 3, 1)]),
        ("C & E2 | c", [(60, 0, 1), (72, 2, 1), (64, 0, 2)]),  # the shorter one waits
        # A dotted pair's sign has no note before it in a layer that has just gone back.
        ("C2 & E2 | D2 && >F2 | G2 | c", [(60, 0, 2), (62, 2, 2), (72, 4, 1), (64, 0, 2), (65, 0, 2), (67, 2, 2)]),
        ("^F & F | F & F", [(66, 0, 1), (65, 1, 1), (65, 0, 1), (65, 1, 1)]),  # accidentals of their own
        # What says nothing is passed over.
        ("A0 B A/0 c", [(71, 0, 1), (69, 1, 1), (72, 2, 1)]),
        ("A99999 B A////////// c", [(69, 0, 1), (71, 1, 1), (69, 2, 1), (72, 3, 1)]),
        ("(0A (1B c", [(69, 0, 1), (71, 1, 1), (72, 2, 1)]),
        ('A "C7 B | "Am" c', [(69, 0, 1), (71, 1, 1), (72, 2, 1)]),
        ("A !D.C. al Fine! B | !\nc!d e!f", [(p, n, 1) for n, p in enumerate((69, 71, 72, 74, 76, 77))]),
        ("A % B [K:Eb] c\nB", [(69, 0, 1), (71, 1, 1)]),
        # Lines that are no music, or that are broken.
        ("A\n%%begintext\nB c d\n%%endtext\nB", [(69, 0, 1), (71, 1, 1)]),
        ("A\n%%begintext\nB c d\n\nX:2\nK:C\nB", [(69, 0, 1)]),
        ("A\n%%beginps\n%%endtext\nB\n%%endps\nB", [(69, 0, 1), (71, 1, 1)]),
        ("A\nw: la la\\\nla\nB", [(69, 0, 1), (71, 1, 1)]),
        ("A|\nB C D as in the old book\nB", [(69, 0, 1), (71, 1, 1)]),
        ("A D.C. al Fine\nB\n[C\nE]2 f\n2", [(71, 0, 1), (60, 1, 2), (64, 1, 2), (77, 3, 2)]),
        ("A \"a long\nremark\" B {c\nd}e", [(69, 0, 1), (71, 1, 1), (76, 2, 1)]),
        # Macros.
        ("m:~G2 = G/A/G\n~G2 G2", [(67, 0, 0.5), (69, 0.5, 0.5), (67, 1, 1), (67, 2, 2)]),
        ("m:~n2 = n/o/m\n~c2 ~B,2", [(72, 0, 0.5), (74, 0.5, 0.5), (71, 1, 1), (59, 2, 0.5), (60, 2.5, 0.5),
                                        (57, 3, 1)]),
        ("U: T = !trill!\nTA ~B", [(69, 0, 1), (71, 1, 1)]),
        ("A B % c d\nw:la la\nc", [(69, 0, 1), (71, 1, 1), (72, 2, 1)]),
    ],
)  # fmt: skip
def test_music(music: str, expected: Heard) -> None:
    found = heard(music)
    assert [note[0] for note in found] == [note[0] for note in expected]
    for note, its in zip(found, expected, strict=True):
        assert note[1:] == pytest.approx(its[1:], abs=1e-12)


def test_tuplets_of_five_follow_the_beat() -> None:
    assert heard("(5CDEFG A", meter="4/4")[-1][1] == pytest.approx(2)
    assert heard("(5CDEFG A", meter="6/8")[-1][1] == pytest.approx(3)


@pytest.mark.parametrize(
    ("music", "key", "expected"),
    [
        ("^F F f | F =f ^^F __F", "C", [66, 66, 78, 65, 77, 67, 63]),  # to the end of the bar, in all octaves
        ("F =F F | F", "G", [66, 65, 65, 66]),
        ("B _B- | B B", "C", [71, 70, 71]),  # the tied note keeps its flat, the next does not
        ("FGABcdef", "Bb", [65, 67, 69, 70, 72, 74, 75, 77]),
        ("FC", "A minor", [65, 60]),
        ("FC", "Am", [65, 60]),
        ("FC", "Amix", [66, 61]),
        ("FC", "A Mixolydian", [66, 61]),
        ("FGc", "AMaj", [66, 68, 73]),
        ("FCB", "Hp", [66, 61, 71]),
        ("Bc", "D Phr ^f", [70, 72]),
        ("FcB", "D exp _b ^c", [65, 73, 70]),
        ("Fc", "none", [65, 72]),
        ("Cc", "C octave=-1", [48, 60]),
        ("C", "C clef=treble-8", [48]),
        ("C", "C transpose=2", [62]),
        ("EABc", "Es", [63, 68, 70, 72]),
        ("CDFB", "H", [61, 63, 66, 71]),
        ("Bc", "h-moll", [71, 73]),  # B minor
        ("FGc", "fis-moll", [66, 68, 73]),  # F sharp minor
        ("ABe", "As-Dur", [68, 70, 75]),
        ("Fc", "F # m", [66, 73]),
        ("Be", "B flat major", [70, 75]),
        ("FCGD", "C# minor", [66, 61, 68, 63]),
        ("FCGD", "C#m exp ^c ^g", [65, 61, 68, 62]),
        ("FBc", "D^c_b", [66, 70, 73]),
        ("FG", "G# major", [67, 68]),  # F is sharp twice
        ("BEAFb", "Fb", [69, 63, 68, 64, 81]),  # and B flat twice
        ("F", "G clef=bass middle=d", [66]),
        ("F", "xyz", [65]),
        ("F [K:?] F", "G", [66, 66]),  # it says nothing, so the key stays
        ("F [K:clef=bass] F [K:D] F [K:Dm] F", "G", [66, 66, 66, 65]),
    ],
)
def test_accidentals_and_keys(music: str, key: str, expected: list[int]) -> None:
    assert pitches(music, key) == expected


def test_the_unit_note_comes_from_the_meter() -> None:
    for meter, eighths in (("2/4", 0.5), ("3/4", 1), ("C", 1), ("6/8", 1), ("none", 1)):
        (tune,) = sequences(f"X:1\nM:{meter}\nK:C\nA\n")
        assert tune.total_time * 4 == eighths


@pytest.mark.parametrize(
    ("field", "qpm"),
    [
        ("1/4=90", 90),
        ("3/8=60", 90),
        ("1/4 1/8=60", 90),
        ('"Fast" 1/2=60', 120),
        ("180", 90),
        ("Allegro", 120),
        ("1/4 = 90", 90),
        ('1/4=90 "Fast"', 90),
        ("90=1/4", 90),
        ("C=180", 90),
        ("C2=90", 90),
        ("1/4=c. 90", 90),
        ("1/4=90-100", 90),
        ("1/0=90", 120),
        ("0", 120),
        ("", 120),
    ],
)
def test_tempos(field: str, qpm: float) -> None:
    (tune,) = sequences(f"X:1\nL:1/8\nQ:{field}\nK:C\nA\n")
    assert [tempo.qpm for tempo in tune.tempos] == [qpm]


def test_meters_change_within_a_tune() -> None:
    (tune,) = sequences("X:1\nM:C|\nL:1/4\nK:C\nABcd|\nM:3/4\nABc|[M:2+3/8] A/B/A/B/A/|")
    assert [(meter.time, meter.numerator, meter.denominator) for meter in tune.time_signatures] == [
        (0, 2, 2),
        (2, 3, 4),
        (3.5, 5, 8),
    ]


VOICES = """X:1
M:4/4
L:1/4
V:T name="Tenor" clef=treble-8
V:B nm="Bass"
K:C
[V:T] C | c4 |
[V:B] z | C,4 |
V:T
[I:x] d4 |
V:B
D,4 |
"""


def test_voices_are_parts() -> None:
    (tune,) = sequences(VOICES)
    assert [(info.part, info.name) for info in tune.part_infos] == [(0, "Tenor"), (1, "Bass")]
    assert [(note.instrument, note.pitch, note.start_time, note.end_time) for note in tune.notes] == [
        (0, 48, 1.5, 2),
        (0, 60, 2, 4),
        (0, 62, 4, 6),
        (1, 48, 2, 4),
        (1, 50, 4, 6),
    ]


def test_numbers_that_come_twice_or_are_none() -> None:
    tunes = sequences("X:1\nK:C\nA\n\nX:1\nK:C\nB\n\nX:one\nK:C\nc\n", Identity("", "b.abc", "c"))
    names = ("b.abc_1", "b.abc_1_2", "b.abc_0")
    assert [tune.id for tune in tunes] == ["/id/abc/c/" + hashlib.sha1(name.encode()).hexdigest() for name in names]
    assert [tune.reference_number for tune in tunes] == [1, 1, 0]


def test_a_tune_without_a_number() -> None:
    (tune,) = sequences("T:A tune\nK:C\nABc\n")
    assert [note.pitch for note in tune.notes] == [69, 71, 72]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(encoding: str, line_end: str) -> None:
    text = 'X:1\nT:Jänta å ja\nK:D\n"é"FA\n'.replace("\n", line_end)
    (tune,) = sequences(text.encode(encoding))
    assert [note.pitch for note in tune.notes] == [66, 69]


@pytest.mark.parametrize(
    ("tune", "line", "reason"),
    [
        ("T:no music", 5, "there are no notes"),
        ("K:C", 5, "there are no notes"),
        ("K:C\nz4", 5, "there are no notes"),
        ("K:C\nA" + "9" * 6 + "|A1024" * 1024, 5, "longer than 1000000 seconds"),
        ("K:C\nA\nc" + "'" * 100, 8, "only pitches 0 to 127"),
        ("K:C octave=9\nc", 7, "only pitches 0 to 127"),
        ("K:C\n" + "".join(f"V:{n}\nA\n" for n in range(65)), 136, "more than 64 voices"),
        ("K:C\nA" + "&A" * 16, 7, "more than 16 layers"),
    ],
)
def test_a_bad_tune_is_named_with_its_line_and_the_others_are_read(tune: str, line: int, reason: str) -> None:
    head = "X:1\nQ:1/1=1\nK:C\nA\n" if "1024" in tune else "X:1\nK:C\nA\n\n"
    tune = tune.replace("K:C", "Q:1/1=1\nL:1\nK:C") if "1024" in tune else tune
    (records,) = abc_records([f"{head}X:2\n{tune}\n\nX:3\nK:C\nA\n".encode()], [Identity()])
    assert not isinstance(records, FormatError)
    first, second, third = records
    assert isinstance(first, bytes)
    assert isinstance(third, bytes)
    assert str(second).startswith(f"tune X:2: line {line}: ")
    assert reason in str(second)


def test_fields_that_say_nothing_known_are_remarked_on() -> None:
    assert remarks("X:1\nM:2\nQ:fast\nL:\nK:C\nA\n\nX:7\nK:?\nV:1\nA\nV:2\nA\n\nX:8\nK:C\nA\n") == [
        ("unknown fields", "tune X:1: 2 unknown fields are ignored: M:2, ..."),
        ("unknown fields", "tune X:7: an unknown field is ignored: K:?"),
    ]


@pytest.mark.parametrize("data", [b"", b"no tune\n", bytes(1000), b"\xff\xfe\x00", b"|:A:|"])
def test_files_without_tunes(data: bytes) -> None:
    (records,) = abc_records([data], [Identity()])
    assert isinstance(records, FormatError)
    assert "no tune in it" in str(records)


CASES = Path(__file__).parents[2] / "cases"
EXPECTED = json.loads((CASES / "abc.json").read_text())  # notes as pitch, start and length in quarters, by hand


@pytest.mark.parametrize("name", EXPECTED)
def test_cases(name: str) -> None:
    (sequence,) = sequences((CASES / name).read_bytes())
    qpm = sequence.tempos[0].qpm
    found = [
        [note.pitch, note.start_time * qpm / 60, (note.end_time - note.start_time) * qpm / 60]
        for note in sequence.notes
    ]
    assert sorted(found) == EXPECTED[name]["notes"]


LENGTHS = st.sampled_from([("", 4), ("2", 8), ("/", 2), ("3/2", 6), ("3", 12), ("/4", 1)])  # in 32nd notes
NOTES = {"^F": 66, "=F": 65, "_b": 82, "c'": 84, "G,": 55, "a": 81, "B,,": 47, "__e": 74, "^^C": 62}


@given(st.lists(st.tuples(st.sampled_from([*NOTES, "z"]), LENGTHS, st.sampled_from(["", " ", "~", "(", ")", "`"]))))
def test_any_run_of_notes(tokens: list[tuple[str, tuple[str, int], str]]) -> None:
    """A note a bar, so that no accidental reaches the next."""
    music = "|".join(f"{mark}{name}{length}" for name, (length, _), mark in tokens)
    expected, now = [], 0
    for name, (_, length), _ in tokens:
        if name != "z":
            expected.append((NOTES[name], now / 4, length / 4))
        now += length
    assert heard("B8|" + music)[1:] == [(pitch, start + 8, length) for pitch, start, length in expected]


@given(st.text(alphabet="ABcz|:[]()<>-^_=,'/0123456789 \n\"!+{}&%XMLKVQT#m", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    for head in ("", "X:1\nK:C\n"):
        (records,) = abc_records([(head + text).encode()], [Identity()])
        for record in [records] if isinstance(records, FormatError) else records:
            assert not isinstance(record, bytes) or NoteSequence.FromString(record).notes


PIECES = ["{", '"', "[A:", "[", "(", "!a", "+a", ":", "|", "y", "A:", "=", "%", "K:C\n", "V:1\n", "1+", 'name="', "A"]


@pytest.mark.parametrize("head", ["", "X:1\n", "X:1\nM:", "X:1\nK:C\n", "X:1\nK:", "X:1\nK:C\nV:1 "])
@pytest.mark.parametrize("piece", PIECES)
def test_time_is_linear(head: str, piece: str) -> None:
    """What took quadratic time would take minutes here."""
    abc_records([(head + piece * (60_000 // len(piece))).encode()], [NO_NAME])


def test_a_tune_without_end() -> None:
    (records,) = abc_records([b"X:1\nK:C\n" + b"A" * 100_001], [NO_NAME])
    assert not isinstance(records, FormatError)
    assert [str(record) for record in records] == ["tune X:1: line 3: it has more than 100000 notes"]


def chords(music: str, key: str = "C", meter: str = "4/4") -> list[tuple[float, str]]:
    """The chords of a tune at 120 quarters a minute, by quarters."""
    (found,) = sequences(f"X:1\nM:{meter}\nL:1/8\nQ:1/4=120\nK:{key}\n{music}\n")
    assert all(text.annotation_type == text.CHORD_SYMBOL for text in found.text_annotations)
    return [(2 * text.time, text.text) for text in found.text_annotations]


def test_chord_symbols_are_read_where_they_stand() -> None:
    assert chords('"C"c4 "Am7"e2 "G/B"d2 | "F#m7b5"c8 |') == [(0, "C"), (2, "Am7"), (3, "G/B"), (4, "F#m7b5")]
    # Before a rest, within a chord, in a dotted pair, and before a grace note.
    assert chords('"C"z4 ["G"DGB]4 | "Dm"d>"E7"e {a}"F"d6 |') == [(0, "C"), (2, "G"), (4, "Dm"), (4.75, "E7"), (5, "F")]
    # A pickup is padded.
    assert chords('"C"c2 | "G"d8 |') == [(3, "C"), (4, "G")]


def test_other_quoted_text_is_no_chord() -> None:
    assert chords('"^slow"c2 "Fine"c2 "_Am"c2 "D.C."c2 |') == []
    assert chords("c8 |") == []


def test_the_first_voice_says_what_sounds() -> None:
    assert chords('V:1\n"C"c4 "G"d4 |\nV:2\n"Am"C8 |') == [(0, "C"), (2, "G")]
