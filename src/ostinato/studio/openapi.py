"""The API's description, as an OpenAPI 3.1 document."""

import functools
from typing import Any

import ostinato
from ostinato.studio.schema import schemas
from ostinato.studio.security import MAX_JSON_BYTES, MAX_UPLOAD_BYTES, MIDI_TYPES

Json = dict[str, Any]


@functools.cache
def document() -> Json:
    """The document; not to be changed."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Ostinato studio",
            "version": ostinato.__version__,
            "summary": "Continue and invent melodies.",
            "description": (
                "Melodies are lists of events, one for each step of a 16th note: 0 to 127 starts a note of this MIDI "
                "pitch and ends the one before, -1 ends the note that sounds, -2 changes nothing."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": _paths(),
        "components": {"schemas": schemas(), "responses": _responses()},
    }


def _paths() -> Json:
    return {
        "/api/models": {
            "get": _operation("listModels", "The models, and how much may be asked for.", _json("ModelList")),
        },
        "/api/generate": {
            "post": _operation(
                "generate",
                "Make melodies: new ones, or from a primer on. To make everything new from a step on, send the events "
                "before it as the primer; to go on, send a whole melody and ask for more steps; to make bars within it "
                "anew, send it with fill.",
                _json("Generated"),
                body=_json("GenerateRequest"),
            ),
        },
        "/api/primer": {
            "post": _operation(
                "readPrimer",
                "The melody of each track of a MIDI, MusicXML or ABC file, to be a primer; the likeliest first.",
                _json("Tracks"),
                body={
                    media_type: {"schema": {"type": "string", "contentMediaType": "audio/midi"}}
                    for media_type in MIDI_TYPES
                },
                parameters=[
                    {
                        "name": "filename",
                        "in": place,
                        "required": False,
                        "description": "What errors call the file.",
                        "schema": {"type": "string"},
                    }
                    for place in ("query", "header")
                ],
                too_large="UploadTooLarge",
            ),
        },
        "/api/midi": {
            "post": _operation(
                "writeMidi",
                "Melodies as MIDI: one as a file, several as a zip archive of files.",
                {
                    "audio/midi": {"schema": {"type": "string", "contentMediaType": "audio/midi"}},
                    "application/zip": {"schema": {"type": "string", "contentMediaType": "application/zip"}},
                },
                body=_json("MidiRequest"),
            ),
        },
        "/api/wav": {
            "post": _operation(
                "writeWav",
                "A melody as sound.",
                {"audio/wav": {"schema": {"type": "string", "contentMediaType": "audio/wav"}}},
                body=_json("WavRequest"),
            ),
        },
        "/api/openapi.json": {
            "get": _operation("describe", "This document.", {"application/json": {"schema": {"type": "object"}}}),
        },
    }


def _operation(
    name: str,
    summary: str,
    content: Json,
    *,
    body: Json | None = None,
    parameters: list[Json] | None = None,
    too_large: str = "BodyTooLarge",
) -> Json:
    operation: Json = {"operationId": name, "summary": summary}
    if parameters:
        operation["parameters"] = parameters
    refused = {"403": "Forbidden"}
    if body is not None:
        operation["requestBody"] = {"required": True, "content": body}
        refused |= {"400": "BadRequest", "408": "TooSlow", "413": too_large, "415": "WrongType", "503": "Busy"}
    responses = {status: {"$ref": f"#/components/responses/{refused[status]}"} for status in sorted(refused)}
    operation["responses"] = {"200": {"description": "Done.", "content": content}, **responses}
    return operation


def _json(schema: str) -> Json:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _responses() -> Json:
    descriptions = {
        "BadRequest": "What was asked for cannot be; the error says why.",
        "Forbidden": "The request is another page's, or for another host.",
        "TooSlow": "The body did not come in time.",
        "BodyTooLarge": f"The body has more than {MAX_JSON_BYTES} bytes.",
        "UploadTooLarge": f"The file has more than {MAX_UPLOAD_BYTES} bytes.",
        "WrongType": "The Content-Type is not the one that is needed.",
        "Busy": "Too much is being done at once, or this took too long; the header Retry-After says when to ask again.",
    }
    responses: dict[str, Json] = {
        name: {"description": description, "content": _json("Error")} for name, description in descriptions.items()
    }
    responses["Busy"]["headers"] = {
        "Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}
    }
    return responses
