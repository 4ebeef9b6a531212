import io
import sys
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.errors import FormatError
from ostinato.formats.midi.records import Identity
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.formats.scores.musicxml import MAX_XML_BYTES, musicxml_records

pytest.importorskip("music21")

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" "http://example.com/partwise.dtd">
"""


def note(pitch: str, duration: int, more: str = "", voice: int = 1, before: str = "") -> str:
    step, octave = pitch[:-1], pitch[-1]
    alter = f"<alter>{step.count('#') - step.count('b')}</alter>" if len(step) > 1 else ""
    return (
        f"<note>{before}<pitch><step>{step[0]}</step>{alter}<octave>{octave}</octave></pitch>"
        f"<duration>{duration}</duration>{more}<voice>{voice}</voice></note>"
    )


def attributes(metre: str = "", key: str = "", more: str = "", divisions: int = 2) -> str:
    if metre:
        beats, beat = metre.split("/")
        metre = f"<time><beats>{beats}</beats><beat-type>{beat}</beat-type></time>"
    return f"<attributes><divisions>{divisions}</divisions>{key}{metre}{more}</attributes>"


def score(*parts: list[str], head: str = "", names: tuple[str, ...] = ("Flute", "Drums")) -> str:
    """A score of parts, each a list of bars."""
    part_list = "".join(
        f'<score-part id="P{n}"><part-name>{name}</part-name>{head}</score-part>'
        for n, name in zip(range(len(parts)), names, strict=False)
    )
    music = "".join(
        f'<part id="P{n}">'
        + "".join(f'<measure number="{m}">{bar}</measure>' for m, bar in enumerate(bars))
        + "</part>"
        for n, bars in enumerate(parts)
    )
    return f"<score-partwise><part-list>{part_list}</part-list>{music}</score-partwise>"


def sequence(data: str | bytes) -> NoteSequence:
    (records,) = musicxml_records([data if isinstance(data, bytes) else (HEAD + data).encode()], [Identity()])
    if isinstance(records, FormatError):
        raise records
    (record,) = records
    assert isinstance(record, bytes)
    return NoteSequence.FromString(record)


def heard(data: str | bytes) -> list[tuple[int, float, float]]:
    """Pitch, start and end in quarters at 120 a minute."""
    return [(note.pitch, note.start_time * 2, note.end_time * 2) for note in sequence(data).notes]


def packed(files: dict[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


CONTAINER = '<container><rootfiles><rootfile full-path="a/score.xml"/></rootfiles></container>'
INDEX = "META-INF/container.xml"

TUNE = score(
    [
        attributes("3/4", "<key><fifths>1</fifths><mode>minor</mode></key>") + note("B3", 2),
        note("E4", 3, '<tie type="start"/>')
        + note("F#4", 1)
        + note("G4", 2, before="")
        + note("B4", 2, before="<chord/>"),
        note("E4", 2) + "<note><rest/><duration>4</duration></note>",
    ]
)


def test_a_tune() -> None:
    """A pickup of a quarter in 3/4 comes after two quarters of rest; the tie to another pitch ties nothing."""
    (records,) = musicxml_records([(HEAD + TUNE).encode()], [Identity("id", "file.xml", "folder")])
    assert not isinstance(records, FormatError)
    (record,) = records
    assert isinstance(record, bytes)
    found = NoteSequence.FromString(record)
    expected = NoteSequence(
        id="id",
        filename="file.xml",
        collection_name="folder",
        ticks_per_quarter=220,
        total_time=3.5,
        source_info=NoteSequence.SourceInfo(
            source_type=NoteSequence.SourceInfo.SCORE_BASED,
            encoding_type=NoteSequence.SourceInfo.MUSIC_XML,
            parser=NoteSequence.SourceInfo.MUSIC21,
        ),
    )
    expected.time_signatures.add(numerator=3, denominator=4)
    expected.key_signatures.add(key=NoteSequence.KeySignature.E, mode=NoteSequence.KeySignature.MINOR)
    expected.tempos.add(qpm=120)
    expected.part_infos.add(part=0, name="Flute")
    times = [(59, 1.0, 1.5), (64, 1.5, 2.25), (66, 2.25, 2.5), (67, 2.5, 3.0), (71, 2.5, 3.0), (64, 3.0, 3.5)]
    for pitch, start, end in times:
        expected.notes.add(pitch=pitch, velocity=64, start_time=start, end_time=end)
    assert found == expected


def test_ties_grace_and_cue_notes() -> None:
    grace = "<note><grace/><pitch><step>C</step><octave>4</octave></pitch><voice>1</voice></note>"
    start, both, stop = '<tie type="start"/>', '<tie type="stop"/><tie type="start"/>', '<tie type="stop"/>'
    bars = [
        attributes("2/4") + grace + note("D4", 4, start),
        note("D4", 4, both),
        note("D4", 2, stop) + note("E4", 2, before="<cue/>"),
        note("D4", 4),
    ]
    assert heard(score(bars)) == [(62, 0, 5), (62, 6, 8)]


def test_voices_parts_and_short_bars() -> None:
    """A bar is as long as its longest part: the second part's first bar lacks its last quarter."""
    first = [
        attributes("4/4") + note("C5", 8) + "<backup><duration>8</duration></backup>"
        "<forward><duration>4</duration></forward>" + note("E4", 4, voice=2),
        note("C5", 8),
    ]
    second = [attributes("4/4") + note("C3", 6), note("D3", 8)]
    found = sequence(score(first, second))
    assert [(note.instrument, note.part, note.pitch, note.start_time * 2) for note in found.notes] == [
        (0, 0, 72, 0),
        (0, 0, 64, 2),
        (0, 0, 72, 4),
        (1, 1, 48, 0),
        (1, 1, 50, 4),
    ]


def test_a_sign_beyond_the_end_of_a_bar_does_not_make_it_longer() -> None:
    sign = "<direction><direction-type><dynamics><p/></dynamics></direction-type><offset>5</offset></direction>"
    assert heard(score([attributes("4/4") + note("C4", 8) + sign, note("D4", 8)])) == [(60, 0, 4), (62, 4, 8)]


def test_staves_are_parts() -> None:
    bars = [
        attributes("4/4", more="<staves>2</staves>")
        + note("C5", 8).replace("</voice>", "</voice><staff>1</staff>")
        + "<backup><duration>8</duration></backup>"
        + note("C3", 8, voice=5).replace("</voice>", "</voice><staff>2</staff>")
    ]
    assert [(note.instrument, note.pitch) for note in sequence(score(bars)).notes] == [(0, 72), (1, 48)]


def test_a_clarinet_in_b_flat() -> None:
    transpose = "<transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose>"
    key = "<key><fifths>2</fifths></key>"
    found = sequence(score([attributes("4/4", key, transpose) + note("D5", 8)]))
    assert [note.pitch for note in found.notes] == [72]
    assert [key.key for key in found.key_signatures] == [NoteSequence.KeySignature.C]


def test_drums_and_programs() -> None:
    head = (
        '<score-instrument id="I"><instrument-name>Kit</instrument-name></score-instrument><midi-instrument id="I">'
        "<midi-channel>{}</midi-channel><midi-program>74</midi-program></midi-instrument>"
    )
    bar = attributes("4/4") + note("C4", 8)
    (flute,) = sequence(score([bar], head=head.format(1))).notes
    assert (flute.program, flute.is_drum) == (73, False)
    (drum,) = sequence(score([bar], head=head.format(10))).notes
    assert (drum.pitch, drum.is_drum) == (60, True)
    unpitched = (
        "<note><unpitched><display-step>F</display-step><display-octave>4</display-octave></unpitched>"
        "<duration>8</duration><voice>1</voice></note>"
    )
    (drum,) = sequence(score([attributes("4/4") + unpitched])).notes
    assert (drum.pitch, drum.is_drum) == (65, True)


def test_tempos_and_chord_symbols() -> None:
    metronome = (
        "<direction><direction-type><metronome><beat-unit>quarter</beat-unit><beat-unit-dot/>"
        "<per-minute>60</per-minute></metronome></direction-type></direction>"
    )
    sound = '<direction><direction-type><words>Presto</words></direction-type><sound tempo="180"/></direction>'
    word = "<direction><direction-type><words>Allegro</words></direction-type></direction>"
    harmony = "<harmony><root><root-step>C</root-step></root><kind>major</kind></harmony>"
    found = sequence(score([attributes("4/4") + word + metronome + harmony + note("C4", 8), sound + note("D4", 8)]))
    # Four quarters at 90 a minute last 8/3 s.
    assert [(tempo.time, tempo.qpm) for tempo in found.tempos] == [(0, 90), (8 / 3, 180)]
    assert [note.pitch for note in found.notes] == [60, 62]
    assert [tempo.qpm for tempo in sequence(score([attributes("4/4") + word + note("C4", 8)])).tempos] == [120]


def test_metre_changes_and_repeats() -> None:
    repeat = '<barline location="right"><repeat direction="backward"/></barline>'
    bars = [attributes("4/4") + note("C4", 8) + repeat, attributes("3/8") + note("D4", 3)]
    found = sequence(score(bars))
    assert [(metre.time, metre.numerator, metre.denominator) for metre in found.time_signatures] == [
        (0, 4, 4),
        (2, 3, 8),
    ]
    assert found.total_time == 2.75


def test_timewise() -> None:
    timewise = (
        '<score-timewise><part-list><score-part id="P0"><part-name>Flute</part-name></score-part></part-list>'
        f'<measure number="1"><part id="P0">{attributes("4/4")}{note("C4", 8)}</part></measure>'
        f'<measure number="2"><part id="P0">{note("D4", 8)}</part></measure></score-timewise>'
    )
    assert heard(timewise) == [(60, 0, 4), (62, 4, 8)]


def test_triplets_are_exact() -> None:
    bars = [attributes("1/4", divisions=3) + note("C4", 1) * 3] * 50
    assert [start for _, start, _ in heard(score(bars))] == pytest.approx([n / 3 for n in range(150)], abs=1e-14)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
def test_encodings(encoding: str) -> None:
    named = "iso-8859-1" if encoding == "iso-8859-1" else encoding[:6].removesuffix("-")
    text = f'<?xml version="1.0" encoding="{named}"?>' + score([attributes("4/4") + note("C4", 8)], names=("Flöte",))
    assert sequence(text.encode(encoding)).part_infos[0].name == "Flöte"


def test_compressed_files() -> None:
    data = packed({INDEX: CONTAINER, "other.xml": "x", "a/score.xml": TUNE})
    assert heard(data) == heard(TUNE)


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)
)  # fmt: skip


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no XML"),
        (b"no music", "no XML"),
        (TUNE[:-30].encode(), "no XML, or damaged"),
        (b"<html/>", "outermost element is <html>"),
        (b"<score-partwise/>", "no note"),
        (b'<?xml version="1.0" encoding="klingon"?><score-partwise/>', "no XML, or damaged"),
        ((BOMB + "]><score-partwise>&j;</score-partwise>").encode(), "declares XML entities"),
        (b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>', "declares XML entities"),
        (b'<!DOCTYPE x [<!ENTITY % a SYSTEM "http://example.com/">%a;]><x/>', "declares XML entities"),
        (TUNE.replace("<duration>2<", "<duration>two<").encode(), "music21 cannot read it"),
        (TUNE.replace("<octave>4<", "<octave>40<").encode(), "0 to 127 only"),
        (b" " * (MAX_XML_BYTES + 1), "too many for one score"),
        (b"PK\x03\x04", "damaged archive"),
        (packed({"a": "b"}), "no META-INF/container.xml in the archive"),
        (packed({INDEX: "<container/>"}), "names no score"),
        (packed({INDEX: CONTAINER}), "no a/score.xml in the archive"),
        (packed({INDEX: CONTAINER.replace("a/", "/etc/")}), "no /etc/score.xml"),
        (packed({INDEX: CONTAINER + " " * 70_000}), "more than 65536 bytes"),
        (
            packed({INDEX: CONTAINER, "a/score.xml": b" " * (MAX_XML_BYTES + 1)}),
            f"more than {MAX_XML_BYTES} bytes",
        ),
    ],
)
def test_bad_files(data: bytes, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        sequence(data)


def test_a_bad_file_among_good_ones() -> None:
    good = (HEAD + TUNE).encode()
    first, second, third = musicxml_records([good, b"bad", good], [Identity()] * 3)
    assert first == third
    assert isinstance(second, FormatError)


GOOD = packed({INDEX: CONTAINER, "a/score.xml": TUNE})


@settings(deadline=None, max_examples=60)
@given(st.booleans(), st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_files_are_read_or_refused(is_packed: bool, changes: list[tuple[int, int]]) -> None:
    data = bytearray(GOOD if is_packed else TUNE.encode())
    for place, value in changes:
        data[place % len(data)] = value
    (records,) = musicxml_records([bytes(data)], [Identity()])
    assert isinstance(records, FormatError) or len(records) == 1


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "music21.musicxml.xmlToM21", None)
    (records,) = musicxml_records([TUNE.encode()], [Identity()])
    assert "pip install music21" in str(records)
