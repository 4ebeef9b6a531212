import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.errors import OstinatoError, SettingsError
from ostinato.music.melody import Melody, MelodyList, pitch_name
from ostinato.music.meter import parse_meter


def test_a_melody_is_its_events() -> None:
    melody = Melody([60, -2, 62, -1], start_step=16, steps_per_bar=12)
    assert list(melody) == [60, -2, 62, -1]
    assert melody.pitches == (60, 62)
    assert (len(melody), melody[2], melody[1:3], melody.end_step) == (4, 62, (-2, 62), 20)
    assert melody == Melody((60, -2, 62, -1), 16, 12)
    assert hash(melody) == hash(Melody((60, -2, 62, -1), 16, 12))
    assert melody != Melody((60, -2, 62, -1), 0, 12)


def test_a_note_off_before_the_first_note_is_no_event() -> None:
    assert Melody([-1, -2, -1, 60, -1]).events == (-2, -2, -2, 60, -1)


@pytest.mark.parametrize("event", [-3, 128, 60.5, float("nan")])
def test_an_event_out_of_range_is_named_with_its_step(event: float) -> None:
    with pytest.raises(SettingsError, match=r"at step 1 of a melody is not an integer in -2\.\.127"):
        Melody([60, event])  # type: ignore[list-item]


def test_a_bar_has_steps() -> None:
    with pytest.raises(SettingsError, match="at least 1 step long, not 0"):
        Melody([60], steps_per_bar=0)


@given(st.lists(st.integers(-2, 127)))
def test_cleaning_happens_once(events: list[int]) -> None:
    melody = Melody(events)
    assert Melody(melody.events) == melody


def test_a_notebook_shows_a_piano_roll_that_plays() -> None:
    html = Melody([60, -2])._repr_html_()
    assert "<svg" in html
    assert "<melody-player" in html


def test_the_names_of_pitches() -> None:
    assert pitch_name(0) == "C-1"
    assert pitch_name(61) == "C#4"


def test_a_melody_shows_what_it_is() -> None:
    assert repr(Melody([60, -2, 62, -1], meter="2/8")) == "<Melody, 1 bar of 2/8: | C4:2 D4:1 r:1 |>"
    assert repr(Melody([60, -2, 62, 64, 65], steps_per_bar=2)) == "<Melody, 2.5 bars of 1/8: | C4:2 | D4:1 E4:1 | ...>"
    assert repr(Melody([])) == "<Melody, 0 bars of 4/4: |  |>"


def test_a_list_of_melodies_shows_a_line_for_each_of_the_first() -> None:
    one = "<Melody, 0.125 bars of 4/4: | C4:2 |>"
    assert repr(MelodyList()) == "[]"
    assert repr(MelodyList([Melody([60, -2])] * 2)) == f"[{one},\n {one}]"
    assert repr(MelodyList([Melody([60, -2])] * 12)).endswith(",\n ... and 2 more]")


def test_a_list_of_melodies_is_a_list() -> None:
    melodies = MelodyList([Melody([60]), Melody([62])])
    assert melodies == [Melody([60]), Melody([62])]
    assert melodies[1] == Melody([62])
    assert isinstance(melodies[:1], MelodyList)
    assert melodies._repr_html_().count("</melody-player>") == 2


def test_a_melody_as_pretty_midi() -> None:
    pytest.importorskip("pretty_midi", reason="make test installs it")
    # At 60 quarters a minute a step is a quarter of a second.
    (flute,) = Melody([60, -2, -1, 62]).to_pretty_midi(60, velocity=80, program=73).instruments
    assert flute.program == 73
    assert [(note.pitch, note.velocity, round(note.start, 3), round(note.end, 3)) for note in flute.notes] == [
        (60, 80, 0.0, 0.5),
        (62, 80, 0.75, 1.0),
    ]


def test_pretty_midi_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pretty_midi", None)
    with pytest.raises(OstinatoError, match="pip install pretty_midi"):
        Melody([60]).to_pretty_midi()


@pytest.mark.parametrize(
    ("rest", "meter", "has_one"),
    [(0, "4/4", False), (7, "4/4", False), (8, "4/4", True), (15, "4/4", True), (16, "4/4", False), (6, "6/8", True)],
)
def test_an_upbeat_is_a_note_in_the_second_half_of_the_first_bar(rest: int, meter: str, has_one: bool) -> None:
    assert Melody([-2] * rest + [60, -2], meter=parse_meter(meter)).has_upbeat == has_one
    assert not Melody([-2] * 20, meter=parse_meter(meter)).has_upbeat
