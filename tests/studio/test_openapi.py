"""The description is a whole one, and says what the types say."""

import json
from typing import Any

from jsonschema import Draft202012Validator

from ostinato.studio.openapi import document
from ostinato.studio.schema import GenerateRequest, MidiRequest, ScoreRequest, WavRequest, read_request


def test_it_is_json_that_refers_only_to_what_is_there() -> None:
    text = json.dumps(document())
    assert document()["openapi"] == "3.1.0"
    for reference in _references(document()):
        target: Any = document()
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
        assert isinstance(target, dict)
    for kind in ("schemas", "responses"):
        for name in document()["components"][kind]:
            assert f'"#/components/{kind}/{name}"' in text, f"nothing refers to {name}"


def test_its_schemas_are_schemas() -> None:
    for schema in document()["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_operation_has_a_name_of_its_own_and_words() -> None:
    operations = [operation for path in document()["paths"].values() for operation in path.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations) == 17
    assert all(operation["summary"].endswith(".") for operation in operations)


def test_it_names_every_member_of_a_request_and_its_default() -> None:
    melody = {"events": [60]}
    smallest: list[tuple[str, Any, dict[str, Any], list[str]]] = [
        ("GenerateRequest", GenerateRequest, {"num_steps": 8}, []),  # or num_bars, or fill
        ("MidiRequest", MidiRequest, {"melodies": [melody]}, ["melodies"]),
        ("WavRequest", WavRequest, melody, ["events"]),
        ("ScoreRequest", ScoreRequest, {**melody, "format": "abc"}, ["events", "format"]),
    ]
    for name, kind, members, required in smallest:
        schema = document()["components"]["schemas"][name]
        assert schema["required"] == required
        defaults = {member: each["default"] for member, each in schema["properties"].items() if "default" in each}
        # To say the defaults is to say nothing.
        plain, full = (read_request(json.dumps(body).encode(), kind) for body in (members, {**defaults, **members}))
        assert plain == full


def _references(value: Any) -> set[str]:
    if isinstance(value, list):
        return set().union(*map(_references, value))
    if not isinstance(value, dict):
        return set()
    own = {value["$ref"]} if "$ref" in value else set()
    return own.union(*map(_references, value.values()))
