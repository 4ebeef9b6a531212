import pytest
from hypothesis import given

from ostinato.errors import SettingsError
from ostinato.music.melody import Melody
from ostinato.music.meter import Meter
from ostinato.music.notes import note_spans, parse_notes, text_roll
from written_melodies import melodies

# C4 for two steps, a rest of one, D4 struck twice and held to the end.
MELODY = Melody([60, -2, -1, 62, 62, -2], meter=Meter(3, 8))


def test_notes_end_at_the_next_note_the_note_off_or_the_end() -> None:
    assert note_spans(MELODY) == [(60, 0, 2), (62, 3, 4), (62, 4, 6)]
    assert note_spans(Melody([-2, -2])) == []
    assert note_spans(Melody([60, -1, -1, -2])) == [(60, 0, 1)]


def test_seconds_follow_the_tempo() -> None:
    # At 60 quarters a minute a 16th lasts a quarter of a second.
    sequence = MELODY.to_note_sequence(qpm=60, velocity=90, program=4)
    assert [(n.pitch, n.start_time, n.end_time, n.velocity, n.program) for n in sequence.notes] == [
        (60, 0.0, 0.5, 90, 4),
        (62, 0.75, 1.0, 90, 4),
        (62, 1.0, 1.5, 90, 4),
    ]
    assert sequence.total_time == 1.5
    assert [(t.time, t.qpm) for t in sequence.tempos] == [(0, 60)]
    assert [(t.numerator, t.denominator) for t in sequence.time_signatures] == [(3, 8)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"qpm": 0}, "tempo must be above 0"),
        ({"qpm": float("nan")}, "tempo must be above 0"),
        ({"velocity": 0}, r"velocity must be 1 to 127, not 0"),
        ({"program": 128}, r"program must be 0 to 127, not 128"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        MELODY.to_note_sequence(**settings)  # type: ignore[arg-type]


def test_one_line_of_text() -> None:
    assert text_roll(MELODY) == "| C4:2 r:1 D4:1 D4:2 |"
    assert text_roll(Melody([-2, 60, -2, -2, -2, -1, -2], steps_per_bar=4)) == "| r:1 C4:3 | -:1 r:2 |"


@pytest.mark.parametrize(
    ("text", "events"),
    [
        ("C4", [60, -2, -2, -2]),
        ("C4 D4:2 r E4:1", [60, -2, -2, -2, 62, -2, -1, -2, -2, -2, 64]),
        ("r:2 f#5:1 Bb3:1 r:1 r:1", [-2, -2, 78, 58, -1, -2]),
        ("| C4:1 E4:1 |-:2|G4:1|", [60, 64, -2, -2, 67]),
        ("60:1 -:1", [60, -2]),
        ("", []),
    ],
)
def test_notes_by_their_names(text: str, events: list[int]) -> None:
    assert list(parse_notes(text)) == events


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("C4 H4", "note names: 'H4' at character 4 of 'C4 H4' is no note; write C4"),
        ("C", "'C' at character 1 of 'C' is no note"),
        ("C4:0", r"'C4:0' at character 1 of 'C4:0': the length must be 1\.\.1024 16ths"),
        ("C4  D4:x", r"'D4:x' at character 5 of 'C4  D4:x': the length must be"),
        ("C4:1025", "the length must be"),
        ("x" * 100, r"at character 1 of 'x{60}\.\.\.' is no note"),
    ],
)
def test_a_word_that_is_no_note_is_named_with_its_place(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        parse_notes(text)


@given(melodies())
def test_what_is_shown_can_be_typed(melody: Melody) -> None:
    typed = parse_notes(text_roll(melody), str(melody.meter))
    assert typed.meter == melody.meter
    assert note_spans(typed) == note_spans(melody)
