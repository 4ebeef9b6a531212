"""Meters by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.errors import SettingsError
from ostinato.music.melody import Melody
from ostinato.music.meter import MAX_STEPS_PER_BAR, Meter, parse_meter, plainest_meter


@pytest.mark.parametrize(
    ("text", "steps"),
    [("4/4", 16), ("3/4", 12), ("6/8", 12), ("2/4", 8), ("9/8", 18), ("12/8", 24), ("2/2", 16), ("3/8", 6), ("5/16", 5),
     (" 7 / 8 ", 14), ("1/1", 16), ("6/32", 3), ("255/1", 4080)],
)  # fmt: skip
def test_steps_of_a_bar(text: str, steps: int) -> None:
    meter = parse_meter(text)
    assert meter.steps_per_bar == steps <= MAX_STEPS_PER_BAR
    assert parse_meter(str(meter)) == meter
    assert meter.time_signature == (meter.numerator, meter.denominator)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is not a meter; write it like 4/4"),
        ("waltz", "write it like 4/4"),
        ("3", "write it like 4/4"),
        ("3/4/4", "'3/4/4' is not a meter; did you mean"),
        ("-3/4", "did you mean 3/4"),
        ("٣/٤", "write it like 4/4"),
        ("0/4", "there is no meter 0/4"),
        ("4/0", "there is no meter 4/0"),
        ("4/3", "there is no meter 4/3"),
        ("8/128", "no shorter than a 64th"),
        ("256/4", "it can have up to 255 beats"),
        ("3/32", "a bar of 3/32 is not a whole number of 16th notes"),
    ],
)
def test_what_is_no_meter_is_refused(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        parse_meter(text)


@given(st.integers(1, 255), st.sampled_from([1, 2, 4, 8, 16]))
def test_a_bar_is_as_long_as_its_beats(numerator: int, denominator: int) -> None:
    assert Meter(numerator, denominator).steps_per_bar * denominator == 16 * numerator


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
        ("6/32", 3, 1),
    ],
)
def test_beats(text: str, steps_per_bar: int, steps_per_beat: int) -> None:
    meter = parse_meter(text)
    assert (meter.steps_per_bar, meter.steps_per_beat) == (steps_per_bar, steps_per_beat)
    assert steps_per_bar % steps_per_beat == 0


@pytest.mark.parametrize(
    ("steps_per_bar", "signature"),
    [(16, (4, 4)), (12, (3, 4)), (8, (2, 4)), (18, (9, 8)), (6, (3, 8)), (24, (6, 4)), (5, (5, 16)), (14, (7, 8))],
)
def test_the_plainest_time_signature(steps_per_bar: int, signature: tuple[int, int]) -> None:
    assert plainest_meter(steps_per_bar).time_signature == signature
    sequence = Melody([60], steps_per_bar=steps_per_bar).to_note_sequence()
    assert [(t.numerator, t.denominator) for t in sequence.time_signatures] == [signature]
