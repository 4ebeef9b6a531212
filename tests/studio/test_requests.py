"""Requests: what is taken, and what is refused in which words."""

from typing import Any

import pytest

from ostinato.errors import SettingsError
from ostinato.music.melody import Melody
from ostinato.studio.requests import GenerateRequest, MidiRequest, WavRequest


def test_what_is_left_out_of_a_generate_request_has_defaults() -> None:
    assert GenerateRequest.from_json({"num_steps": 64}) == GenerateRequest(
        num_steps=64,
        model=None,
        primer=None,
        steps_per_bar=16,
        variations=4,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        key=None,
        min_note=None,
        max_note=None,
        seed=None,
        explain=True,
    )


def test_everything_may_be_said() -> None:
    request = GenerateRequest.from_json(
        {
            "num_steps": 100,
            "model": "attention_rnn",
            "primer": {"events": [60, -2, -1], "steps_per_bar": 12},
            "steps_per_bar": 16,
            "variations": 8,
            "temperature": 2,
            "top_k": 5,
            "top_p": 0.5,
            "key": "A minor",
            "min_note": 0,
            "max_note": 127,
            "seed": 2**53 - 1,
            "explain": False,
        }
    )
    assert request.primer == Melody([60, -2, -1], steps_per_bar=12)
    assert request.steps_per_bar == 12  # a primer has its own meter
    assert request.temperature == 2.0
    assert request.seed == 2**53 - 1


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ([], "the body must be an object, not []"),
        ({}, "num_steps is missing"),
        ({"num_steps": 0}, "num_steps must be an integer of 1 to 1024, not 0"),
        ({"num_steps": 1025}, "num_steps must be an integer of 1 to 1024, not 1025"),
        ({"num_steps": True}, "num_steps must be an integer of 1 to 1024, not true"),
        ({"num_steps": 8.0}, "num_steps must be an integer of 1 to 1024, not 8.0"),
        ({"num_steps": 10**400}, "num_steps must be an integer of 1 to 1024, not 1000"),
        ({"num_steps": None}, "num_steps must be an integer of 1 to 1024, not null"),
        ({"num_steps": 513}, "513 new steps are more than 32 bars of 16; take fewer"),
        ({"num_steps": 385, "steps_per_bar": 12}, "385 new steps are more than 32 bars of 12; take fewer"),
        ({"num_steps": 8, "steps_per_bar": 65}, "steps_per_bar must be an integer of 1 to 64, not 65"),
        ({"num_steps": 8, "variations": 0}, "variations must be an integer of 1 to 8, not 0"),
        ({"num_steps": 8, "variations": 9}, "variations must be an integer of 1 to 8, not 9"),
        ({"num_steps": 8, "temperature": 0.09}, "temperature must be a number of 0.1 to 2, not 0.09"),
        ({"num_steps": 8, "temperature": 2.01}, "temperature must be a number of 0.1 to 2, not 2.01"),
        ({"num_steps": 8, "temperature": "1"}, 'temperature must be a number of 0.1 to 2, not "1"'),
        ({"num_steps": 8, "temperature": True}, "temperature must be a number of 0.1 to 2, not true"),
        ({"num_steps": 8, "temperature": float("inf")}, "temperature must be a number of 0.1 to 2, not Infinity"),
        ({"num_steps": 8, "top_k": -1}, "top_k must be an integer of 0 to 256, not -1"),
        ({"num_steps": 8, "top_p": 0}, "top_p must be above 0; 1 takes every event"),
        ({"num_steps": 8, "top_p": 1.5}, "top_p must be a number of 0 to 1, not 1.5"),
        ({"num_steps": 8, "seed": -1}, "seed must be an integer of 0 to 9007199254740991, not -1"),
        ({"num_steps": 8, "seed": 2**53}, "seed must be an integer of 0 to 9007199254740991, not 9007199254740992"),
        ({"num_steps": 8, "min_note": 128}, "min_note must be an integer of 0 to 127, not 128"),
        ({"num_steps": 8, "max_note": -1}, "max_note must be an integer of 0 to 127, not -1"),
        ({"num_steps": 8, "explain": 1}, "explain must be true or false, not 1"),
        ({"num_steps": 8, "model": ""}, 'model must be a text of 1 to 100 printable characters, not ""'),
        ({"num_steps": 8, "key": "C\n"}, 'key must be a text of 1 to 100 printable characters, not "C\\n"'),
        ({"num_steps": 8, "key": "\ud800"}, "key must be a text of 1 to 100 printable characters"),
        ({"num_steps": 8, "temprature": 1}, 'there is no member called "temprature"'),
        ({"num_steps": 8, "primer": [60]}, "primer must be an object, not [60]"),
        ({"num_steps": 8, "primer": {}}, "primer.events is missing"),
        (
            {"num_steps": 8, "primer": {"events": []}},
            "primer.events must be an array of 1 to 1024 events, not 0",
        ),
        ({"num_steps": 8, "primer": {"events": 60}}, "primer.events must be an array of 1 to 1024 events, not 60"),
        (
            {"num_steps": 8, "primer": {"events": [60] * 1025}},
            "primer.events must be an array of 1 to 1024 events, not 1025 of them",
        ),
        (
            {"num_steps": 8, "primer": {"events": [60, -3]}},
            "primer.events[1] must be an integer of -2 to 127, not -3",
        ),
        (
            {"num_steps": 8, "primer": {"events": [False]}},
            "primer.events[0] must be an integer of -2 to 127, not false",
        ),
        ({"num_steps": 8, "primer": {"events": [60], "qpm": 1}}, 'there is no member called "primer.qpm"'),
        ({"num_steps": 8, "primer": {"events": [-2, -1]}}, "the primer holds no note"),
        (
            {"num_steps": 2, "primer": {"events": [60, -2]}},
            "the primer is 2 steps long but num_steps is 2; ask for more, up to 1024, or shorten the primer",
        ),
        (
            {"num_steps": 600, "primer": {"events": [60] * 80}},
            "520 new steps are more than 32 bars of 16; take fewer",
        ),
    ],
)
def test_what_cannot_be_made_is_refused(members: Any, error: str) -> None:
    with pytest.raises(SettingsError) as caught:
        GenerateRequest.from_json(members)
    assert str(caught.value).startswith(error)


def test_the_limits_themselves_are_taken() -> None:
    assert GenerateRequest.from_json({"num_steps": 512}).num_steps == 512
    assert GenerateRequest.from_json({"num_steps": 1024, "primer": {"events": [60] * 512}}).num_steps == 1024
    assert GenerateRequest.from_json({"num_steps": 1024, "steps_per_bar": 32}).steps_per_bar == 32


def test_melodies_to_write() -> None:
    request = MidiRequest.from_json({"melodies": [{"events": [60]}, {"events": [62], "steps_per_bar": 12}], "qpm": 90})
    assert request == MidiRequest((Melody([60]), Melody([62], steps_per_bar=12)), 90.0, ())
    assert MidiRequest.from_json({"melodies": [{"events": [60]}], "names": ["a"]}) == MidiRequest(
        (Melody([60]),), 120.0, ("a",)
    )
    assert WavRequest.from_json({"events": [60], "qpm": 60, "steps_per_bar": 8}) == WavRequest(
        Melody([60], steps_per_bar=8), 60.0
    )


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ({"melodies": []}, "melodies must hold at least one"),
        ({"melodies": {}}, "melodies must be an array of at most 64 items, not {}"),
        ({"melodies": [{"events": [60]}] * 65}, "melodies must be an array of at most 64 items, not [{"),
        ({"melodies": [{"events": [60]}, {"events": ["C4"]}]}, "melodies[1].events[0] must be an integer of -2 to 127"),
        ({"melodies": [{"events": [60]}], "qpm": 19}, "qpm must be a number of 20 to 400, not 19"),
        (
            {"melodies": [{"events": [60]}], "names": ["a", "b"]},
            "there are 2 names for 1 melodies; give one each",
        ),
        (
            {"melodies": [{"events": [60]}], "names": [1]},
            "names[0] must be a text of 1 to 100 printable characters",
        ),
        ({"melodies": [{"events": [60]}], "name": "a"}, 'there is no member called "name"'),
    ],
)
def test_what_cannot_be_written_is_refused(members: Any, error: str) -> None:
    with pytest.raises(SettingsError) as caught:
        MidiRequest.from_json(members)
    assert str(caught.value).startswith(error)


def test_too_long_a_sound_is_refused() -> None:
    # 1024 steps are 256 quarters: 300 s at 51.2 quarters a minute, 768 s at 20.
    WavRequest.from_json({"events": [60] * 1024, "qpm": 51.2})
    with pytest.raises(SettingsError, match="1024 steps at 20 quarters a minute last 768 seconds, and at most 300"):
        WavRequest.from_json({"events": [60] * 1024, "qpm": 20})
