import pytest

from ostinato.errors import SettingsError
from ostinato.live.clock import Grid, MonotonicClock


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
