import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.errors import SettingsError
from ostinato.music.melody import Melody, pitch_name


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
