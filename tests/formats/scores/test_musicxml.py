import io
import json
import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.errors import FormatError
from ostinato.formats import Identity, Remark
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.formats.scores.musicxml import MAX_XML_BYTES, musicxml_records

CASES = Path(__file__).parents[2] / "cases"
EXPECTED = json.loads((CASES / "expected.json").read_text())

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


def attributes(meter: str = "", key: str = "", more: str = "", divisions: int = 2) -> str:
    if meter:
        beats, beat = meter.split("/")
        meter = f"<time><beats>{beats}</beats><beat-type>{beat}</beat-type></time>"
    return f"<attributes><divisions>{divisions}</divisions>{key}{meter}{more}</attributes>"


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
    record = records[0]
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


def test_meter_changes_and_repeats() -> None:
    repeat = '<barline location="right"><repeat direction="backward"/></barline>'
    bars = [attributes("4/4") + note("C4", 8) + repeat, attributes("3/8") + note("D4", 3)]
    found = sequence(score(bars))
    assert [(meter.time, meter.numerator, meter.denominator) for meter in found.time_signatures] == [
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


ONE_NOTE = score([attributes("4/4") + note("C4", 8)], names=("Flöte",))


@pytest.mark.parametrize(
    ("written", "declared"),
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8"),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),
        ("utf-16-be", "UTF-16"),
        ("iso-8859-1", "ISO-8859-1"),
        ("mac-roman", "macintosh"),
        ("iso-8859-1", "UTF-8"),
        ("utf-8", "UTF-16"),
        ("utf-16", "UTF-8"),
        ("utf-8", "klingon"),
    ],
)
def test_encodings_as_declared_or_not(written: str, declared: str) -> None:
    text = f'\n<?xml version="1.0" encoding="{declared}"?>' + ONE_NOTE
    assert sequence(text.encode(written)).part_infos[0].name == "Flöte"


@pytest.mark.parametrize("name", [name for name in EXPECTED if name.startswith(("xml_", "mxl/"))])
def test_cases(name: str) -> None:
    case = EXPECTED[name]
    data = (CASES / name).read_bytes()
    if "pad" in case:
        data = data.replace(b"<part-list>", b"<!-- laid out -->\n" * (case["pad"] // 18) + b"<part-list>")
    found = sorted((pitch, start, end - start) for pitch, start, end in heard(data))
    assert [note[1:] for note in found] == [pytest.approx(note[1:]) for note in case["notes"]]
    for note, (pitch, *_) in zip(found, case["notes"], strict=True):
        assert abs(note[0] - pitch) <= case.get("pitch_tolerance", 0)


def bar(*elements: str, divisions: int = 2) -> str:
    return score([attributes("4/4", divisions=divisions) + "".join(elements)])


PITCH = "<pitch><step>C</step><octave>4</octave></pitch>"


def test_notes_that_midi_does_not_have_are_remarked_on() -> None:
    kept, left_out = note("C4", 2), note("C4", 2).replace(">4<", ">10<")  # 12 * (10 + 1)
    (records,) = musicxml_records([(HEAD + bar(kept, left_out, left_out)).encode()], [Identity()])
    assert not isinstance(records, FormatError)
    _, remark = records
    assert isinstance(remark, Remark)
    assert remark.name == "notes outside MIDI"
    assert remark.text == "2 notes are left out, since MIDI has only pitches 0 to 127, not 132 as in bar 1 of Flute"


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        (note("C4", 2).replace(">4<", ">400<"), []),  # a note that MIDI has not
        (note("C4", 2).replace(">C<", ">H<"), []),
        (note("C4", 2).replace(">C<", "> c <"), [(60, 0, 1)]),
        (note("C4", 2).replace("<octave>4</octave>", ""), []),
        (note("C4", 2).replace("</step>", "</step><alter>sharp</alter>"), [(60, 0, 1)]),
        (note("C4", 2).replace("</step>", "</step><alter>-1.5</alter>"), [(58, 0, 1)]),
        ("<note><duration>2</duration></note>", []),
        (f"<note>{PITCH}<duration>two</duration><type>quarter</type></note>", [(60, 0, 1)]),
        (f"<note>{PITCH}<type>eighth</type><dot/></note>", [(60, 0, 0.75)]),
        (
            f"<note>{PITCH}<type>half</type><time-modification><actual-notes>3</actual-notes>"
            "<normal-notes>2</normal-notes></time-modification></note>",
            [(60, 0, 4 / 3)],
        ),
        (f"<note>{PITCH}<duration>2</duration><type>odd</type><dot/></note>", [(60, 0, 1)]),
        (f"<note>{PITCH}<duration>1.5</duration></note>", [(60, 0, 0.75)]),
        (f"<note>{PITCH}<duration>-2</duration></note>", []),
        (f"<note>{PITCH}<duration>1e999999999</duration></note>", []),
        (note("C4", 2, "<staff>upper</staff>"), [(60, 0, 1)]),
        (note("C4", 2, '<tie type="let-ring"/><tie/>'), [(60, 0, 1)]),
        ("<backup><duration>99</duration></backup>" + note("C4", 2), [(60, 0, 1)]),
        ("<backup/><forward/><forward><duration>x</duration></forward>" + note("C4", 2), [(60, 0, 1)]),
        ("<forward><duration>2</duration></forward>" + note("C4", 2), [(60, 1, 2)]),
        (attributes(divisions=0) + note("C4", 2), [(60, 0, 1)]),
        ("<attributes><divisions>many</divisions></attributes>" + note("C4", 2), [(60, 0, 1)]),
        ("<attributes><key/><key><fifths>x</fifths></key><transpose/></attributes>" + note("C4", 2), [(60, 0, 1)]),
        (attributes("x/y") + note("C4", 2), [(60, 0, 1)]),
        ("<attributes><time><beats>3</beats></time></attributes>" + note("C4", 2), [(60, 0, 1)]),
        ('<sound tempo="nan"/><sound tempo="-5"/><sound tempo="0"/>' + note("C4", 2), [(60, 0, 1)]),
        ("<unheard-of><note/></unheard-of>&nbsp;" + note("C4", 2), [(60, 0, 1)]),
    ],
)
def test_an_odd_detail_costs_no_more_than_itself(elements: str, expected: list[tuple[int, float, float]]) -> None:
    end = [(62, 3.5, 4.0)]  # the last eighth of the bar, to which the rest of it goes on
    later = "<backup><duration>99</duration></backup><attributes><divisions>2</divisions></attributes>"
    later += "<forward><duration>7</duration></forward>" + note("D4", 1)
    found = heard(bar(elements, later))
    assert [value for each in found for value in each] == pytest.approx(
        [value for each in sorted(expected + end, key=lambda each: each[1]) for value in each]
    )


def test_an_upbeat_beside_rests_of_a_whole_bar() -> None:
    rest = "<note><rest{}/><duration>{}</duration><type>{}</type></note>"
    for whole in (
        rest.format(' measure="yes"', 8, "whole"),
        rest.format("", 8, "whole"),
        rest.format("", 6, ""),
        rest.format(' measure="yes"', 2, ""),
        "",
    ):
        first = [attributes("3/4") + note("C4", 2), note("D4", 6)]
        second = [attributes("3/4") + whole, note("D3", 6)]
        assert heard(score(first, second)) == [(60, 2, 3), (62, 3, 6), (50, 3, 6)]


def test_a_whole_bar_rest_within_a_piece_keeps_the_bar_whole_unless_that_is_said_to_be_short() -> None:
    rest = '<note><rest measure="yes"/><duration>8</duration></note>'
    first = [attributes("4/4") + note("C4", 8), note("D4", 6), note("E4", 8)]
    second = [attributes("4/4") + note("C3", 8), rest, note("E3", 8)]
    assert heard(score(first, second))[2] == (64, 8, 12)
    short = score(first, second).replace('number="1"', 'number="X1" implicit="yes"')
    assert heard(short)[2] == (64, 7, 11)


def test_bars_with_nothing_in_them_last_as_the_meter_says() -> None:
    bars = [attributes("3/4") + note("C4", 6), "", "<note><rest/><duration>8</duration><type>whole</type></note>"]
    assert heard(score([*bars, note("D4", 6)])) == [(60, 0, 3), (62, 9, 12)]


def test_transpositions_change_and_belong_to_staves() -> None:
    down = "<transpose><chromatic>-3</chromatic><octave-change>-1</octave-change></transpose>"
    up = '<transpose number="2"><chromatic>12</chromatic></transpose>'
    music = note("C4", 2) + note("C4", 2, "<staff>2</staff>")
    bars = [
        attributes("2/4") + music,
        attributes(key="<key><fifths>0</fifths></key>", more=down) + music,
        attributes(more=up) + music,
    ]
    found = sequence(score(bars))
    assert [note.pitch for note in found.notes] == [60, 45, 45, 60, 45, 72]
    assert [key.key for key in found.key_signatures] == [NoteSequence.KeySignature.A]


def test_each_drum_has_its_pitch() -> None:
    head = "".join(
        f'<midi-instrument id="{name}"><midi-channel>10</midi-channel><midi-unpitched>{key}</midi-unpitched>'
        "</midi-instrument>"
        for name, key in (("kick", 37), ("snare", 39))
    )
    hit = '<note><unpitched/><duration>2</duration><instrument id="{}"/></note>'
    drums = attributes("3/4") + hit.format("snare") + hit.format("kick") + hit.format("unknown")
    found = sequence(score([drums], head=head)).notes
    assert [(note.pitch, note.is_drum) for note in found] == [(38, True), (36, True), (36, True)]
    assert [note.pitch for note in sequence(score([attributes("1/4") + hit])).notes] == [71]


def test_meters_that_are_added_up() -> None:
    times = "<beats>3+2</beats><beat-type>8</beat-type><beats>1</beats><beat-type>4</beat-type>"
    (meter,) = sequence(score([f"<attributes><time>{times}</time></attributes>" + note("C4", 1)])).time_signatures
    assert (meter.numerator, meter.denominator) == (7, 8)


def test_a_mark_without_a_number_leaves_the_tempo_to_the_sound() -> None:
    mark = "<metronome><beat-unit>quarter</beat-unit><per-minute>ca. 72</per-minute></metronome>"
    direction = f'<direction><direction-type>{mark}</direction-type><sound tempo="72"/></direction>'
    assert [tempo.qpm for tempo in sequence(bar(direction, note("C4", 8))).tempos] == [72]


def test_parts_without_a_list_or_with_other_names() -> None:
    named = score([attributes("4/4") + note("C4", 8)])
    without = named.replace("<part-list>", "<other>").replace("</part-list>", "</other>")
    assert [part.name for part in sequence(without).part_infos] == [""]
    assert [part.name for part in sequence(named.replace('<part id="P0">', '<part id="P9">')).part_infos] == ["Flute"]


def test_a_namespace() -> None:
    prefixed = TUNE.replace("</", "</m:").replace("<", "<m:").replace("<m:/m:", "</m:")
    prefixed = prefixed.replace("<m:score-partwise>", '<m:score-partwise xmlns:m="http://example.com/mxl">')
    assert heard(prefixed) == heard(TUNE)


def test_timewise_parts_that_are_missing_in_a_bar() -> None:
    timewise = (
        f'<score-timewise><measure><part id="a">{attributes("4/4")}{note("C4", 8)}</part></measure><measure>'
        f'<part id="a">{note("D4", 8)}</part><part id="b">{attributes()}{note("E4", 8)}</part></measure>'
        "</score-timewise>"
    )
    assert heard(timewise) == [(60, 0, 4), (62, 4, 8), (64, 4, 8)]


def test_compressed_files() -> None:
    data = packed({INDEX: CONTAINER, "other.xml": "x", "a/score.xml": TUNE})
    assert heard(data) == heard(TUNE)


@pytest.mark.parametrize(
    "files",
    [
        {"a/score.xml": TUNE},
        {"tune.musicxml": TUNE},
        {"score": TUNE},
        {INDEX: "<container/>", "a/score.xml": TUNE},
        {INDEX: "no XML", "a/score.xml": TUNE},
        {INDEX: CONTAINER + " " * 70_000, "a/score.xml": TUNE},
        {INDEX: CONTAINER.replace("a/", "/etc/"), "a/score.xml": TUNE},
        {INDEX: CONTAINER, "a/score.xml": "<html/>", "b.xml": TUNE},
        {INDEX: CONTAINER, "a/score.xml": TUNE[:-9], "b.xml": TUNE},
        {"META-INF/other.xml": ONE_NOTE, "__MACOSX/._a.xml": b"\0" * 9000, "cover.png": b"\x89" * 9000, "a.xml": TUNE},
    ],
)
def test_archives_that_do_not_say_where_the_score_is(files: dict[str, str | bytes]) -> None:
    assert heard(packed(files)) == heard(TUNE)


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)
)  # fmt: skip


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not XML"),
        (b"no music", "not XML"),
        (TUNE[:-30].encode(), "not XML, or it is damaged"),
        (b'<?xml version="1.0"\n?>\n<score-partwise>\n</score>', "mismatched tag: line 4, column 2"),
        (b'<!DOCTYPE x [\n<!ENTITY a "b">]><x/>', "line 2: it declares"),
        (b"<html/>", "outermost element is <html>"),
        (b"<score-partwise/>", "no note"),
        ((BOMB + "]><score-partwise>&j;</score-partwise>").encode(), "declares an XML entity"),
        (b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>', "declares an XML entity"),
        (b'<!DOCTYPE x [<!ENTITY % a SYSTEM "http://example.com/">%a;]><x/>', "declares an XML entity"),
        (TUNE.replace("<octave>", "<octave>4").encode(), "no note"),
        (b" " * (MAX_XML_BYTES + 1), "too large for one score"),
        (b"PK\x03\x04", "damaged archive"),
        (packed({}) + b"PK", "not XML"),
        (packed({INDEX: CONTAINER}), "no score in the archive"),
        (packed({"a": "b"}), "a in the archive: it is not XML"),
        (packed({INDEX: CONTAINER, "a/score.xml": "<html/>", "b.xml": "<svg/>"}), "a/score.xml .* is <html>"),
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


# Of one tempo each: tuplets, voices, ties, two staves, grace notes, chord symbols, upbeats.
CORPUS = (
    "bach/bwv66.6.mxl",
    "corelli/opus3no1/1grave.xml",
    "johnson_j_r/lift_every_voice.mxl",
    "leadSheet/fosterBrownHair.mxl",
    "luca/gloria.xml",
    "mozart/k545/movement1_exposition.mxl",
    "schoenberg/opus19/movement2.mxl",
)


@pytest.mark.parametrize("name", CORPUS)
def test_music21_hears_the_same(name: str) -> None:
    music21 = pytest.importorskip("music21")
    path = Path(music21.__file__).parent / "corpus" / name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = music21.converter.parse(path, forceSource=True).toSoundingPitch().stripTies().flatten()
    expected = [
        (float(element.offset), pitch.midi, float(element.quarterLength))
        for element in theirs.notes
        if not element.duration.isGrace and not isinstance(element, music21.harmony.Harmony)
        for pitch in element.pitches
    ]
    found = sequence(path.read_bytes())
    (tempo,) = found.tempos
    rate = tempo.qpm / 60
    heard = [(note.start_time * rate, note.pitch, (note.end_time - note.start_time) * rate) for note in found.notes]
    assert from_the_first_note(heard) == from_the_first_note(expected)


def from_the_first_note(notes: list[tuple[float, int, float]]) -> list[tuple[float, int, float]]:
    """Starts are counted from there, as music21 has no rest before a pickup."""
    first = min(start for start, *_ in notes)
    return sorted((round(start - first, 3), pitch, round(length, 3)) for start, pitch, length in notes)


def harmony(root: str, kind: str, more: str = "") -> str:
    alter = f"<root-alter>{root.count('#') - root.count('b')}</root-alter>" if len(root) > 1 else ""
    return f"<harmony><root><root-step>{root[0]}</root-step>{alter}</root>{kind}{more}</harmony>"


def chords(*bars: str) -> list[tuple[float, str]]:
    """The chords of one part at 120 quarters a minute, by quarters."""
    found = sequence(score(list(bars)))
    assert all(text.annotation_type == text.CHORD_SYMBOL for text in found.text_annotations)
    return [(2 * text.time, text.text) for text in found.text_annotations]


def test_harmonies_are_chords() -> None:
    degree = (
        "<degree><degree-value>9</degree-value><degree-alter>{}</degree-alter><degree-type>{}</degree-type></degree>"
    )
    first = attributes("4/4") + harmony("C", "<kind>major</kind>") + note("C4", 4)
    first += harmony("Bb", "<kind>dominant</kind>", degree.format(-1, "add")) + note("D4", 4)
    second = harmony("F#", "<kind>half-diminished</kind>", "<bass><bass-step>A</bass-step></bass>") + note("E4", 8)
    assert chords(first, second) == [(0, "C"), (2, "Bb7b9"), (4, "F#m7b5/A")]


def test_odd_harmonies() -> None:
    # Written ahead of where it sounds; by its text alone; none; a function in a key, no root, no kind, an odd note.
    ahead = harmony("C", "<kind>minor</kind>", "<offset>4</offset>")
    by_text = harmony("G", '<kind text="7sus">other</kind>')
    none = harmony("C", "<kind>none</kind>")
    odd = "<harmony><function>V</function><kind>major</kind></harmony><harmony/>"
    odd += harmony("C", "") + harmony("Q", "<kind>major</kind>") + harmony("C", "<kind>Tristan</kind>")
    bar = attributes("4/4") + odd + ahead + note("C4", 6) + by_text + note("D4", 1) + none + note("E4", 1)
    assert chords(bar) == [(2, "Cm"), (3, "G7sus4"), (3.5, "N.C.")]


def test_harmonies_sound_where_the_part_does() -> None:
    transpose = "<transpose><chromatic>-2</chromatic></transpose>"
    bar = attributes("4/4", more=transpose) + harmony("D", "<kind>minor</kind>") + note("D4", 8)
    assert chords(bar) == [(0, "Cm")]
