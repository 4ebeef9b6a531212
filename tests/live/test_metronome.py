import pytest

from ostinato.errors import SettingsError
from ostinato.live.metronome import Grid, Metronome, MonotonicClock
from ostinato.live.voices import Voices, note_off, note_on
from ostinato.music.meter import Meter


def test_the_grid() -> None:
    # At 60 quarters a minute a 16th is a quarter of a second.
    grid = Grid(10.0, 60.0)
    assert [grid.seconds_of(step) for step in (0, 1, 16, 0.5)] == [10.0, 10.25, 14.0, 10.125]
    assert [grid.nearest_step(seconds) for seconds in (10.0, 10.12, 10.125, 10.3, 14.0)] == [0, 0, 1, 1, 16]


@pytest.mark.parametrize("qpm", [19.9, 401, 0, -120, float("nan"), float("inf")])
def test_what_is_no_tempo(qpm: float) -> None:
    with pytest.raises(SettingsError, match="the tempo must be 20 to 400 quarters a minute, not"):
        Grid(0.0, qpm)


def test_the_computers_clock_goes_on_while_it_sleeps() -> None:
    clock = MonotonicClock()
    before = clock.now()
    clock.sleep(0.002)
    assert clock.now() - before >= 0.002


def test_a_click_is_short_and_the_downbeat_another_one() -> None:
    sent: list[bytes] = []
    # At 60 quarters a minute a beat is a second.
    metronome = Metronome(Grid(5.0, 60.0), Meter(2, 4), Voices(sent.append), 9)
    assert metronome.next_due == 5.0
    metronome.advance(5.0)
    assert sent == [note_on(9, 76, 120)]
    assert metronome.next_due == 5.03
    metronome.advance(5.02)
    assert len(sent) == 1
    metronome.advance(5.03)
    assert sent.pop() == note_off(9, 76)
    assert metronome.next_due == 6.0
    metronome.advance(6.0)
    assert sent.pop() == note_on(9, 77, 90)
    metronome.advance(7.0)
    assert sent[1:] == [note_off(9, 77), note_on(9, 76, 120)]


def test_of_missed_clicks_one_sounds() -> None:
    sent: list[bytes] = []
    metronome = Metronome(Grid(5.0, 60.0), Meter(2, 4), Voices(sent.append), 9)
    metronome.advance(3605.5)
    assert sent == [note_on(9, 76, 120)]
    assert metronome.next_due == 3605.53


def test_clicks_closer_than_they_are_long_are_told_apart() -> None:
    sent: list[bytes] = []
    metronome = Metronome(Grid(0.0, 400.0), Meter(3, 16), Voices(sent.append), 9)
    metronome.advance(0.0)
    metronome.advance(0.0375)
    metronome.advance(0.0375 + 0.001)
    assert sent == [note_on(9, 76, 120), note_off(9, 76), note_on(9, 77, 90)]
