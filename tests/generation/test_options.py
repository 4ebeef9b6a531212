"""What can be asked of a generation, and what is refused."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from ostinato.errors import SettingsError
from ostinato.generation.options import GenerationOptions
from ostinato.music.keys import parse_key
from ostinato.music.melody import Melody


@pytest.mark.parametrize("temperature", [0, -1.0, math.nan, math.inf, "hot", None])
def test_an_impossible_temperature_is_refused(temperature: float) -> None:
    with pytest.raises(SettingsError, match="temperature must be a number above 0, not"):
        GenerationOptions(temperature=temperature)


@pytest.mark.parametrize("name", ["beam_size", "branch_factor", "steps_per_iteration"])
@pytest.mark.parametrize("value", [0, -3, 1.5, True, "2"])
def test_an_impossible_beam_is_refused(name: str, value: int) -> None:
    with pytest.raises(SettingsError, match=f"{name} must be a whole number of 1 or more, not {value!r}"):
        GenerationOptions(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"top_k": -1}, "top_k must be a whole number of 0 or more, not -1"),
        ({"top_k": 2.0}, "top_k must be a whole number of 0 or more, not 2.0"),
        ({"top_k": True}, "top_k must be a whole number of 0 or more, not True"),
        ({"top_p": 0}, "top_p must be a share above 0 and up to 1, not 0"),
        ({"top_p": 1.01}, "top_p must be a share above 0 and up to 1, not 1.01"),
        ({"top_p": math.nan}, "top_p must be a share above 0 and up to 1, not nan"),
        ({"top_p": "0.9"}, "top_p must be a share above 0 and up to 1, not '0.9'"),
        ({"top_k": 1, "branch_factor": 2}, "top_k=1 draws the same events in all of branch_factor=2 branches"),
        ({"min_note": -1}, r"min_note must be a MIDI pitch 0\.\.127, not -1"),
        ({"max_note": 128}, r"max_note must be a MIDI pitch 0\.\.127, not 128"),
        ({"max_note": 60.0}, r"max_note must be a MIDI pitch 0\.\.127, not 60.0"),
        ({"min_note": 61, "max_note": 60}, "min_note=61 lies above max_note=60"),
        (
            {"min_note": 61, "max_note": 61, "key": parse_key("C")},
            r"there is no note of C major within 61\.\.61; widen",
        ),
    ],
)
def test_impossible_constraints_are_refused_in_one_line(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        GenerationOptions(**settings)
    assert "\n" not in str(caught.value)


def test_what_may_be_drawn() -> None:
    assert not GenerationOptions(temperature=0.5, beam_size=2, branch_factor=3, steps_per_iteration=4).is_constrained
    assert all(map(GenerationOptions().allows, range(128)))
    constrained = [
        GenerationOptions(**{name: value})  # type: ignore[arg-type]
        for name, value in (("top_k", 1), ("top_p", 0.9), ("min_note", 1), ("max_note", 126))
    ]
    assert all(options.is_constrained for options in constrained)
    in_a_minor = GenerationOptions(key=parse_key("Am"), min_note=60, max_note=72)
    assert [pitch for pitch in range(128) if in_a_minor.allows(pitch)] == [60, 62, 64, 65, 67, 69, 71, 72]
    assert in_a_minor.allowed_notes == "of A minor within 60..72"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rank": 3, "num_outputs": 4}, "rank=3 melodies are too few to keep num_outputs=4 of them; make more"),
        ({"rank": 2.5}, "rank=2.5 melodies are too few"),
        ({"rank_by": "loud"}, "rank_by must be likely or varied, not 'loud'"),
        ({"seed": True}, "seed must be a whole number of 0 or more, not True"),
    ],
)
def test_what_contradicts_itself_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        GenerationOptions(**settings)


def test_options_say_the_same_when_one_is_replaced() -> None:
    options = GenerationOptions(24, [60, -2], key="Am", min_note=50, steps_per_bar=12)
    longer = dataclasses.replace(options, num_steps=48)
    assert longer.opening == options.opening == Melody([60, -2], steps_per_bar=12)
    assert longer.parsed_key == parse_key("Am")
    assert longer.note_range == (50, 127)
    with pytest.raises(SettingsError, match="the primer is 2 steps long but 2 steps were asked for"):
        dataclasses.replace(options, num_steps=2)


def test_the_first_generators_of_a_seed_are_the_same_however_many_are_made() -> None:
    few, many = (GenerationOptions(seed=4, num_outputs=count).generators() for count in (2, 5))
    ranked = GenerationOptions(seed=4, num_outputs=2, rank=5).generators()
    assert [one.integers(1000) for one in many] == [one.integers(1000) for one in ranked]
    assert [one.integers(1000) for one in few] == [
        one.integers(1000) for one in GenerationOptions(seed=np.random.default_rng(4), num_outputs=2).generators()
    ]


def test_without_a_primer_the_opening_is_an_empty_melody_of_the_meter() -> None:
    assert GenerationOptions(steps_per_bar=12).opening == Melody((), steps_per_bar=12)
    assert GenerationOptions().opening == Melody(())
