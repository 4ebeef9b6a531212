import xml.etree.ElementTree as ET

import pytest

from ostinato.errors import SettingsError
from ostinato.music.melody import Melody
from ostinato.music.render import (
    note_spans,
    piano_roll_svg,
    piano_rolls_svg,
    pitch_name,
    text_roll,
    time_signature_of,
)

# C4 for two steps, a rest of one, D4 struck twice and held to the end.
MELODY = Melody([60, -2, -1, 62, 62, -2])


def test_notes_end_at_the_next_note_the_note_off_or_the_end() -> None:
    assert note_spans(MELODY) == [(60, 0, 2), (62, 3, 4), (62, 4, 6)]
    assert note_spans(Melody([-2, -2])) == []
    assert note_spans(Melody([60, -1, -1, -2])) == [(60, 0, 1)]


def test_seconds_follow_the_tempo() -> None:
    # At 60 quarters a minute a 16th lasts a quarter of a second.
    sequence = MELODY.to_note_sequence(qpm=60, velocity=90, program=4, time_signature=(3, 8))
    assert [(n.pitch, n.start_time, n.end_time, n.velocity, n.program) for n in sequence.notes] == [
        (60, 0.0, 0.5, 90, 4),
        (62, 0.75, 1.0, 90, 4),
        (62, 1.0, 1.5, 90, 4),
    ]
    assert sequence.total_time == 1.5
    assert [(t.time, t.qpm) for t in sequence.tempos] == [(0, 60)]
    assert [(t.numerator, t.denominator) for t in sequence.time_signatures] == [(3, 8)]


@pytest.mark.parametrize(
    ("steps_per_bar", "signature"),
    [(16, (4, 4)), (12, (3, 4)), (8, (2, 4)), (18, (9, 8)), (6, (3, 8)), (24, (6, 4)), (5, (5, 16)), (14, (7, 8))],
)
def test_the_plainest_time_signature(steps_per_bar: int, signature: tuple[int, int]) -> None:
    assert time_signature_of(steps_per_bar) == signature
    sequence = Melody([60], steps_per_bar=steps_per_bar).to_note_sequence()
    assert [(t.numerator, t.denominator) for t in sequence.time_signatures] == [signature]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"qpm": 0}, "tempo must be above 0"),
        ({"qpm": float("nan")}, "tempo must be above 0"),
        ({"velocity": 0}, r"velocity must be of 1\.\.127, not 0"),
        ({"program": 128}, r"program must be of 0\.\.127, not 128"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        MELODY.to_note_sequence(**settings)  # type: ignore[arg-type]


def test_one_line_of_text() -> None:
    assert text_roll(MELODY) == "| C4:2 r:1 D4:1 D4:2 |"
    assert text_roll(Melody([-2, 60, -2, -2, -2, -1, -2], steps_per_bar=4)) == "| r:1 C4:3 | -:1 r:2 |"
    assert pitch_name(0) == "C-1"
    assert pitch_name(61) == "C#4"


def test_the_picture_is_whole_and_shows_every_note() -> None:
    root = ET.fromstring(piano_roll_svg(MELODY, title='a "quoted" <title>'))
    assert root.attrib["aria-label"] == 'a "quoted" <title>'
    titles = [title.text for title in root.findall("{*}g/{*}rect/{*}title")]
    assert titles == ["C4", "D4", "D4"]
    ET.fromstring(piano_roll_svg(Melody([])))


def test_notes_stand_where_they_sound() -> None:
    # 6 steps in 60 pixels. The octave around C4 and D4 reaches two semitones above D4 and more.
    root = ET.fromstring(piano_roll_svg(MELODY, width=60, row_height=5, labels=False))
    assert root.attrib["viewBox"] == "0 0 60 65"  # 13 rows
    assert root.attrib["preserveAspectRatio"] == "none"
    notes = root.findall("{*}g[@class='notes']/{*}rect")
    assert [(float(note.attrib["x"]), float(note.attrib["width"])) for note in notes] == [(0, 19), (30, 9), (40, 19)]
    c4, d4, _ = (float(note.attrib["y"]) for note in notes)
    assert c4 - d4 == 2 * 5


def test_bars_are_numbered_and_cs_named() -> None:
    root = ET.fromstring(piano_roll_svg(Melody([60, *[-2] * 15, 72, *[-2] * 15], steps_per_bar=12)))
    assert [text.text for text in root.findall("{*}g[@class='labels']/{*}text")] == ["1", "2", "3", "C5", "C4"]
    # Bars of 12 steps at 6 pixels, less what the names of the notes take: lines at 0, 12 and 24 of 32 steps.
    (bars,) = root.findall("{*}path[@class='bars']")
    assert bars.attrib["d"].count("M") == 3
    (beats,) = root.findall("{*}path[@class='beats']")
    assert beats.attrib["d"].count("M") == 5  # 4, 8, 16, 20, 28


@pytest.mark.parametrize(("steps", "width"), [(1, "240"), (128, "768"), (1024, "1200")])
def test_a_longer_melody_is_a_wider_picture(steps: int, width: str) -> None:
    assert ET.fromstring(piano_roll_svg(Melody([60] * steps))).attrib["width"] == width


def test_several_melodies_in_one_picture() -> None:
    root = ET.fromstring(piano_rolls_svg([MELODY, Melody([70, -2, -2])], width=156, title="Two"))
    assert root.attrib["aria-label"] == "Two"
    assert [text.text for text in root.findall("{*}g/{*}text")] == ["1", "2"]
    rolls = root.findall("{*}g/{*}svg")
    assert [roll.attrib["width"] for roll in rolls] == ["120", "60"]  # steps of 20 pixels beside the numbers
    assert len(root.findall(".//{*}rect/{*}title")) == 4
    ET.fromstring(piano_rolls_svg([]))
    ET.fromstring(piano_rolls_svg([Melody([])]))
