"""The strict reader of JSON."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.errors import FormatError
from ostinato.studio.strict_json import MAX_DEPTH, parse_json, shown

LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text()
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
).filter(lambda value: json.dumps(value).count("[") + json.dumps(value).count("{") <= MAX_DEPTH)


@given(VALUES)
def test_what_is_json_is_read(value: object) -> None:
    assert parse_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "the body is no JSON: expecting value at line 1, column 1"),
        (b'{"a":1', "the body is no JSON: expecting ',' delimiter at line 1, column 7"),
        (b"[1,]", "the body is no JSON: "),
        (b"[1] [2]", "the body is no JSON: extra data at line 1, column 5"),
        (b'{"a": NaN}', "the body holds NaN, which is no JSON"),
        (b"[-Infinity]", "the body holds -Infinity, which is no JSON"),
        (b'{"a":1,"b":{"c":1,"c":1}}', 'the body names "c" twice in one object'),
        (b"[" + b"9" * 5000 + b"]", "the body holds an integer that is too large"),
        (b'"\xff"', "the body is no UTF-8: byte 1 is wrong"),
        (b"\xef\xbb\xbf{}", "the body is no JSON: "),
        (b"[" * 17 + b"]" * 17, "the body is nested more than 16 deep"),
        (b'{"a":' * 400_000, "the body is nested more than 16 deep"),
    ],
)
def test_what_is_no_json_is_refused(body: bytes, error: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_json(body)
    assert str(caught.value).startswith(error)


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
