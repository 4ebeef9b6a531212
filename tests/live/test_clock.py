import pytest

from ostinato.errors import SettingsError
from ostinato.live.clock import Grid, Metre, MonotonicClock


@pytest.mark.parametrize(
    ("text", "steps_per_bar", "steps_per_beat"),
    [
        ("4/4", 16, 4),
        ("3/4", 12, 4),
        ("2/2", 16, 8),
        ("6/8", 12, 6),
        ("9/8", 18, 6),
        ("12/8", 24, 6),
        ("3/8", 6, 2),
        ("7/8", 14, 2),
        ("6/4", 24, 4),
        ("6/16", 6, 3),
        ("1/1", 16, 16),
    ],
)
def test_metres(text: str, steps_per_bar: int, steps_per_beat: int) -> None:
    metre = Metre.parse(text)
    assert (metre.steps_per_bar, metre.steps_per_beat) == (steps_per_bar, steps_per_beat)
    assert steps_per_bar % steps_per_beat == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("waltz", "the metre must be written as 4/4 or 6/8, not 'waltz'"),
        ("4", "the metre must be written"),
        ("-3/4", "the metre must be written"),
        ("0/4", "the metre must be 1 to 32 notes of 1/1, 1/2, 1/4, 1/8 or 1/16, not 0/4"),
        ("4/3", "not 4/3"),
        ("4/32", "not 4/32"),
        ("33/4", "not 33/4"),
    ],
)
def test_what_is_no_metre(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Metre.parse(text)


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
