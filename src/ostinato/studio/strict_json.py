"""JSON as its standard has it, and no more: Python's reader takes much that others refuse."""

import json
import re
from collections import Counter
from typing import Any

from ostinato.errors import FormatError

MAX_DEPTH = 16
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)
_MAX_SHOWN = 40  # characters of a value in an error


def parse_json(data: bytes) -> Any:
    """The value of a JSON document.

    Args:
        data: UTF-8.

    Raises:
        FormatError: if it is no JSON, is nested more than 16 deep, names a member twice, or holds NaN, an infinity or
            an integer of thousands of digits.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(f"the body is no UTF-8: byte {error.start} is wrong") from None
    if _depth(text) > MAX_DEPTH:
        raise FormatError(f"the body is nested more than {MAX_DEPTH} deep")
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise FormatError(
            f"the body is no JSON: {error.msg.lower()} at line {error.lineno}, column {error.colno}"
        ) from None
    except ValueError:  # Python's own, of an integer with too many digits
        raise FormatError("the body holds an integer that is too large") from None


def shown(value: object) -> str:
    """A value out of a document, as an error shows it: as JSON, and not too much of it."""
    text = json.dumps(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def _depth(text: str) -> int:
    depth = deepest = 0
    for found in _BRACKETS.finditer(text):
        if (bracket := found[0]) in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif bracket in "]}":
            depth -= 1
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise FormatError(f"the body names {shown(twice)} twice in one object")
    return members


def _refuse_constant(name: str) -> Any:
    raise FormatError(f"the body holds {name}, which is no JSON")
