"""Requests: what is taken, what is refused in which words, and the strict reader of JSON."""

import contextlib
import json
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.errors import FormatError, SettingsError
from ostinato.music.melody import Melody
from ostinato.music.meter import Meter
from ostinato.sound.recorded import instrument_names
from ostinato.studio.schema import (
    GenerateRequest,
    MidiRequest,
    ScoreRequest,
    WavRequest,
    parse_json,
    read_request,
    shown,
)

T = TypeVar("T")

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def read(kind: type[T], members: Any) -> T:
    """The request of these members; an infinity is sent as a number that becomes one."""
    return read_request(json.dumps(members).replace("Infinity", "1e999").encode(), kind)


def test_what_is_left_out_of_a_generate_request_has_defaults() -> None:
    assert read(GenerateRequest, {"num_steps": 64}) == GenerateRequest(
        num_steps=64,
        num_bars=None,
        ending=None,
        until_end=False,
        fill=None,
        model=None,
        primer=None,
        steps_per_bar=None,
        meter=None,
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
    request = read(
        GenerateRequest,
        {
            "num_steps": 100,
            "model": "attention_rnn",
            "primer": {"events": [60, -2, -1], "steps_per_bar": 12},
            "steps_per_bar": 12,
            "meter": "6/8",
            "ending": False,
            "until_end": False,
            "variations": 8,
            "temperature": 2,
            "top_k": 5,
            "top_p": 0.5,
            "key": "A minor",
            "min_note": 0,
            "max_note": 127,
            "seed": 2**53 - 1,
            "explain": False,
        },
    )
    assert request.primer is not None
    assert request.primer.melody() == Melody([60, -2, -1], meter=Meter(3, 4))  # by itself
    assert request.options(1).opening == Melody([60, -2, -1], meter=Meter(6, 8))
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
        ({"num_steps": None}, "num_steps is missing; give it, or num_bars"),
        ({"num_steps": 8, "num_bars": 2}, "num_steps=8 and num_bars=2 are two lengths; give one"),
        ({"num_bars": 0}, "num_bars must be an integer of 1 to 1024, not 0"),
        ({"num_bars": 33}, "528 new steps are more than 32 bars of 16; take fewer"),
        ({"num_bars": 65}, "num_bars=65 and an upbeat are 1056 steps, and at most 1024 are made; take fewer"),
        ({"num_bars": 65, "upbeat": False}, "num_bars=65 are 1040 steps, and at most 1024 are made; take fewer"),
        ({"num_bars": 16, "meter": "4/1"}, "num_bars=16 and an upbeat are 1088 steps, and at most 1024 are made"),
        ({"upbeat": 1}, "upbeat must be true or false, not 1"),
        ({"num_steps": 8, "until_end": True}, "until_end takes num_bars, the most that a melody may have, instead of"),
        ({"num_bars": 2, "ending": "yes"}, 'ending must be true or false, not "yes"'),
        ({"num_steps": 8, "meter": "waltz"}, 'meter must be a meter such as "3/4" or "6/8", not "waltz"'),
        (
            {"num_steps": 8, "meter": "5/7"},
            "there is no meter 5/7; write at least 1 beat, over 1, 2, 4, 8, 16, 32 or 64",
        ),
        ({"num_steps": 8, "meter": "17/4"}, "a bar of meter=17/4 has 68 steps, and at most 64 are taken"),
        (
            {"num_steps": 8, "meter": "6/8", "steps_per_bar": 16},
            "a bar of 6/8 has 12 steps, not steps_per_bar=16; give one",
        ),
        (
            {"num_steps": 8, "meter": "6/8", "primer": {"events": [60], "meter": "3/4"}},
            "meter=6/8 is not the primer's, 3/4; leave it out",
        ),
        (
            {"num_steps": 8, "steps_per_bar": 12, "primer": {"events": [60], "steps_per_bar": 16}},
            "a bar of 4/4 has 16 steps, not steps_per_bar=12; give one",
        ),
        ({"fill": [1, 2, 3]}, "fill must be an array of 2 items, not 3 of them"),
        ({"fill": [0, 2]}, "fill[0] must be an integer of 1 to 1024, not 0"),
        ({"fill": [1, 17]}, "fill=[1, 17] is 17 bars, and at most 16 are filled at once"),
        ({"fill": [1, 2], "num_steps": 64}, "fill keeps the primer's length; leave out num_steps=64"),
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
        ({"num_steps": 8, "top_p": 0}, "top_p must be a number above 0, at most 1, not 0"),
        ({"num_steps": 8, "top_p": 1.5}, "top_p must be a number above 0, at most 1, not 1.5"),
        ({"num_steps": 8, "seed": -1}, "seed must be an integer of 0 to 9007199254740991, not -1"),
        ({"num_steps": 8, "seed": 2**53}, "seed must be an integer of 0 to 9007199254740991, not 9007199254740992"),
        ({"num_steps": 8, "min_note": 128}, "min_note must be an integer of 0 to 127, not 128"),
        ({"num_steps": 8, "max_note": -1}, "max_note must be an integer of 0 to 127, not -1"),
        ({"num_steps": 8, "explain": 1}, "explain must be true or false, not 1"),
        ({"num_steps": 8, "model": ""}, 'model must be a text of 1 to 100 characters, not ""'),
        ({"num_steps": 8, "model": "a" * 101}, 'model must be a text of 1 to 100 characters, not "aaa'),
        ({"num_steps": 8, "key": "C\n"}, 'key must be a text of printable characters, not "C\\n"'),
        ({"num_steps": 8, "key": "\ud800"}, 'key must be a text of printable characters, not "\\ud800"'),
        ({"num_steps": 8, "\ud800": 1}, "the body names a member with half a character"),
        ({"num_steps": 8, "": 1}, 'there is no member called ""'),
        ({"num_steps": 8, "a\n` - at `$.primer.events[1]": 1}, "there is no member called "),
        ({"num_steps": 8, "temprature": 1}, 'there is no member called "temprature"'),
        ({"num_steps": 8, "primer": [60]}, "primer must be an object, not [60]"),
        ({"num_steps": 8, "primer": {}}, "primer.events is missing"),
        (
            {"num_steps": 8, "primer": {"events": []}},
            "primer.events must be an array of 1 to 1024 items, not 0",
        ),
        ({"num_steps": 8, "primer": {"events": 60}}, "primer.events must be an array of 1 to 1024 items, not 60"),
        (
            {"num_steps": 8, "primer": {"events": [60] * 1025}},
            "primer.events must be an array of 1 to 1024 items, not 1025 of them",
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
        (
            {"num_steps": 600, "primer": {"events": [60] * 80}},
            "520 new steps are more than 32 bars of 16; take fewer",
        ),
    ],
)
def test_what_cannot_be_made_is_refused(members: Any, error: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(GenerateRequest, members)
    assert str(caught.value).startswith(error)


def test_the_limits_themselves_are_taken() -> None:
    assert read(GenerateRequest, {"num_steps": 512}).num_steps == 512
    assert read(GenerateRequest, {"num_steps": 1024, "primer": {"events": [60] * 512}}).num_steps == 1024
    assert read(GenerateRequest, {"num_steps": 1024, "steps_per_bar": 32}).steps_per_bar == 32


def test_an_upbeat_is_asked_for_as_the_library_has_it() -> None:
    for upbeat in (None, True, False):
        assert read(GenerateRequest, {"num_bars": 4, "upbeat": upbeat}).options(0).upbeat is upbeat
    assert read(GenerateRequest, {"num_bars": 16, "meter": "4/1", "upbeat": False}).num_bars == 16
    assert read(GenerateRequest, {"num_bars": 16, "meter": "4/1", "primer": {"events": [60]}}).num_bars == 16
    with pytest.raises(SettingsError, match="upbeat comes before the bars that num_bars counts; give num_bars"):
        read(GenerateRequest, {"num_steps": 8, "upbeat": True}).options(0)
    with pytest.raises(SettingsError, match="upbeat begins a melody without a primer; leave one of them out"):
        read(GenerateRequest, {"num_bars": 4, "upbeat": True, "primer": {"events": [60]}}).options(0)


def test_melodies_to_write() -> None:
    request = read(MidiRequest, {"melodies": [{"events": [60]}, {"events": [62], "steps_per_bar": 12}], "qpm": 90})
    assert [each.melody() for each in request.melodies] == [Melody([60]), Melody([62], steps_per_bar=12)]
    assert (request.qpm, request.names) == (90.0, ())
    request = read(MidiRequest, {"melodies": [{"events": [60]}], "names": ["a"]})
    assert ([each.melody() for each in request.melodies], request.qpm, request.names) == ([Melody([60])], 120.0, ("a",))
    sound = read(WavRequest, {"events": [60], "qpm": 60, "steps_per_bar": 8})
    assert (sound.melody(), sound.qpm, sound.instrument) == (Melody([60], steps_per_bar=8), 60.0, None)
    for name in instrument_names():
        assert read(WavRequest, {"events": [60], "instrument": name}).instrument == name


@pytest.mark.parametrize("instrument", ["tuba", 3, ["piano"], {}])
def test_an_instrument_that_is_not_recorded_is_refused(instrument: object) -> None:
    with pytest.raises(SettingsError) as error:
        read(WavRequest, {"events": [60], "instrument": instrument})
    told = f'instrument must be "clarinet", "flute", "guitar", "piano" or "violin", not {shown(instrument)}'
    assert str(error.value) == told


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ({"melodies": []}, "melodies must be an array of 1 to 64 items, not 0 of them"),
        ({"melodies": {}}, "melodies must be an array of 1 to 64 items, not {}"),
        ({"melodies": [{"events": [60]}] * 65}, "melodies must be an array of 1 to 64 items, not 65 of them"),
        ({"melodies": [{"events": [60]}, {"events": ["C4"]}]}, "melodies[1].events[0] must be an integer of -2 to 127"),
        ({"melodies": [{"events": [60]}], "qpm": 19}, "qpm must be a number of 20 to 400, not 19"),
        (
            {"melodies": [{"events": [60]}], "names": ["a", "b"]},
            "there are 2 names for 1 melodies; give one each",
        ),
        (
            {"melodies": [{"events": [60]}], "names": [1]},
            "names[0] must be a text of 1 to 100 characters, not 1",
        ),
        (
            {"melodies": [{"events": [60]}] * 2, "names": ["a", "b\t"]},
            'names[1] must be a text of printable characters, not "b\\t"',
        ),
        ({"melodies": [{"events": [60]}], "name": "a"}, 'there is no member called "name"'),
    ],
)
def test_what_cannot_be_written_is_refused(members: Any, error: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(MidiRequest, members)
    assert str(caught.value).startswith(error)


def test_too_long_a_sound_is_refused() -> None:
    # 1024 steps are 256 quarters: 300 s at 51.2 quarters a minute, 768 s at 20.
    read(WavRequest, {"events": [60] * 1024, "qpm": 51.2})
    with pytest.raises(SettingsError, match="1024 steps at 20 quarters a minute last 768 seconds, and at most 300"):
        read(WavRequest, {"events": [60] * 1024, "qpm": 20})


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ({}, "format is missing"),
        ({"format": "pdf"}, 'format must be "abc" or "musicxml", not "pdf"'),
        ({"format": ["abc"]}, 'format must be "abc" or "musicxml", not ["abc"]'),
        ({"format": "abc", "title": ""}, 'title must be a text of 1 to 100 characters, not ""'),
        ({"format": "abc", "title": "a\n"}, 'title must be a text of printable characters, not "a\\n"'),
        ({"format": "abc", "key": "\ud800"}, 'key must be a text of printable characters, not "\\ud800"'),
    ],
)
def test_what_is_no_score_is_refused(members: Any, error: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(ScoreRequest, {"events": [60], **members})
    assert str(caught.value) == error


@given(VALUES)
def test_what_is_json_is_read(value: object) -> None:
    assert parse_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "the body is not JSON: expecting value at line 1, column 1"),
        (b'{"a":1', "the body is not JSON: expecting ',' delimiter at line 1, column 7"),
        (b"[1,]", "the body is not JSON: "),
        (b"[1] [2]", "the body is not JSON: extra data at line 1, column 5"),
        (b'{"a": NaN}', "the body holds NaN, which is not JSON"),
        (b"[-Infinity]", "the body holds -Infinity, which is not JSON"),
        (b'{"a":1,"b":{"c":1,"c":1}}', 'the body names "c" twice in one object'),
        (b"[" + b"9" * 5000 + b"]", "the body holds an integer that is too large"),
        (b'"\xff"', "the body is not UTF-8: byte 1 is wrong"),
        (b"\xef\xbb\xbf{}", "the body is not JSON: "),
    ],
)
def test_what_is_no_json_is_refused(body: bytes, error: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_json(body)
    assert str(caught.value).startswith(error)


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"a":' * 90_000, b"[" * 200_000 + b"]" * 200_000])
def test_what_is_nested_hundreds_deep_is_refused(body: bytes) -> None:
    with pytest.raises(FormatError, match="the body is nested too deep"):
        read_request(body, WavRequest)


@pytest.mark.parametrize("depth", [1, 17, *range(300, 1000, 25)])
def test_a_nested_value_is_refused_whatever_its_depth(depth: int) -> None:
    body = b'{"num_steps": ' + b"[" * depth + b"]" * depth + b"}"
    with pytest.raises((SettingsError, FormatError), match=r"^(num_steps must be an integer|the body is nested)"):
        read_request(body, GenerateRequest)


def test_brackets_in_texts_are_no_depth() -> None:
    text = "[{" * 100 + '"\\'
    assert parse_json(json.dumps([text]).encode()) == [text]
    assert parse_json(b"[" * 16 + b"]" * 16) is not None


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(FormatError):
        parse_json(body)


def test_a_value_is_shown_as_json_and_cut() -> None:
    assert shown(None) == "null"
    assert shown(True) == "true"
    assert shown("\ud800é") == '"\\ud800\\u00e9"'
    assert shown(list(range(100))) == "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12..."[:40] + "..."
