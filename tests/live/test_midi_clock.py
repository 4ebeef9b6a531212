"""MIDI clocks as programs send them; at 120 quarters a minute a clock comes every 1/48 s, and a 16th lasts 1/8 s."""

import random

import pytest

from ostinato.live.midi_clock import CLOCK, CONTINUE, SONG_POSITION, START, STOP, MidiClock
from ostinato.live.session import Grid
from ostinato.live.voices import note_on
from ostinato.music.meter import Meter

TICK = 1 / 48


def heard(*messages: tuple[float, bytes], meter: Meter | None = None, qpm: float = 100.0) -> MidiClock:
    clock = MidiClock(meter or Meter(4, 4), qpm)
    for seconds, message in messages:
        clock.hear(message, seconds)
    return clock


def ticks(count: int, begin: float = 10.0, period: float = TICK) -> list[tuple[float, bytes]]:
    return [(begin + number * period, bytes((CLOCK,))) for number in range(count)]


def position(step: int) -> bytes:
    return bytes((SONG_POSITION, step & 0x7F, step >> 7))


def grid_of(clock: MidiClock, seconds: float) -> Grid:
    grid = clock.grid_at(seconds)
    assert grid is not None
    return grid


def test_the_first_clock_after_the_start_is_the_first_beat() -> None:
    clock = heard(*ticks(30, 9.0), (9.99, bytes((START,))), *ticks(49))
    grid = grid_of(clock, 11.0)
    assert grid.qpm == pytest.approx(120)
    assert grid.start_seconds == pytest.approx(10.0)


def test_without_a_start_nothing_runs() -> None:
    clock = heard(*ticks(100))
    assert clock.grid_at(12.0) is None
    assert not clock.is_running


def test_until_the_clocks_tell_a_tempo_the_one_given_counts() -> None:
    clock = heard((10.0, bytes((START,))), *ticks(3), qpm=100.0)
    assert grid_of(clock, 10.05).qpm == pytest.approx(100)
    assert heard((10.0, bytes((START,)))).grid_at(10.0) is None


def test_clocks_that_come_unevenly_move_the_time_little() -> None:
    chance = random.Random(4)
    late = [(seconds + chance.uniform(0, 0.004), message) for seconds, message in ticks(200)]
    grid = grid_of(heard((9.9, bytes((START,))), *late), 14.2)
    # Each is late by 2 ms on the average.
    assert grid.seconds_of(34) == pytest.approx(10.0 + 34 / 8 + 0.002, abs=0.002)
    assert grid.qpm == pytest.approx(120, rel=0.01)


def test_another_tempo_is_that_of_the_last_quarter() -> None:
    clock = heard((9.9, bytes((START,))), *ticks(48), *ticks(25, 11.0, 1 / 36))
    grid = grid_of(clock, 11.7)
    assert grid.qpm == pytest.approx(90)
    # Clock 48 is step 8, at 11 s; a 16th lasts 1/6 s from there on.
    assert grid.seconds_of(12) == pytest.approx(11.0 + 4 / 6)


def test_a_song_that_stops_goes_on_where_it_stood() -> None:
    # 12 clocks are two 16ths.
    begun = [(9.9, bytes((START,))), *ticks(12), (10.3, bytes((STOP,)))]
    clock = heard(*begun)
    assert clock.grid_at(10.3) is None
    for seconds, message in [*ticks(20, 10.3), (10.9, bytes((CONTINUE,))), *ticks(25, 11.0)]:
        clock.hear(message, seconds)
    assert grid_of(clock, 11.5).seconds_of(2) == pytest.approx(11.0, abs=0.01)


def test_a_song_position_is_taken_at_the_same_place_of_a_bar() -> None:
    # Bars of 3/4 have 12 steps; step 40 is the fourth of a bar, and so is step 4.
    places = [(9.8, position(40)), (9.9, bytes((CONTINUE,))), *ticks(25)]
    assert grid_of(heard(*places, meter=Meter(3, 4)), 10.6).seconds_of(4) == pytest.approx(10.0)


def test_steps_never_count_back() -> None:
    # The song plays a bar and a half of 4/4, then begins again: on step 32, where the next bar begins.
    again = [(9.9, bytes((START,))), *ticks(144), (12.99, bytes((STOP,))), (12.99, bytes((START,))), *ticks(25, 13.0)]
    assert grid_of(heard(*again), 13.6).seconds_of(32) == pytest.approx(13.0)
    # A loop of whole bars goes straight on.
    loop = [(9.9, bytes((START,))), *ticks(192), (13.99, position(0)), (13.99, bytes((CONTINUE,))), *ticks(25, 14.0)]
    assert grid_of(heard(*loop), 14.6).seconds_of(32) == pytest.approx(14.0)


def test_a_clock_that_is_gone_stands() -> None:
    clock = heard((9.9, bytes((START,))), *ticks(25))
    assert clock.grid_at(10.9) is not None
    assert clock.grid_at(11.1) is None
    clock.hear(bytes((CLOCK,)), 20.0)
    assert grid_of(clock, 20.0).seconds_of(25 / 6) == pytest.approx(20.0)


@pytest.mark.parametrize(("period", "qpm"), [(0.4, 20.0), (0.001, 400.0)])
def test_tempos_beyond_those_people_play_are_not_followed(period: float, qpm: float) -> None:
    assert grid_of(heard((9.9, bytes((START,))), *ticks(30, period=period)), 10.0).qpm == pytest.approx(qpm)


def test_what_else_comes_is_passed_over() -> None:
    clock = heard(
        (9.9, bytes((START,))), (9.95, note_on(0, 60, 80)), (9.96, b"\xf0\x01\xf7"), *ticks(25), (10.6, b"\xfe")
    )
    assert grid_of(clock, 10.6).start_seconds == pytest.approx(10.0)
