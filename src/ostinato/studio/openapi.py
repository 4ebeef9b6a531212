"""The description of the API, as OpenAPI 3.1."""

import functools
from typing import Any

import ostinato
from ostinato.studio.schema import CLIENT_HEADER, MAX_CLIENT_NAME, MAX_TUNE_BYTES, MAX_TUNES, schemas
from ostinato.studio.security import MAX_JSON_BYTES, MAX_UPLOAD_BYTES, MIDI_TYPES

Json = dict[str, Any]


BUNDLE_TYPE = "application/octet-stream"
SCORE_TYPES = {"abc": "text/vnd.abc; charset=utf-8", "musicxml": "application/vnd.recordare.musicxml+xml"}
_MIDI_BODY = {media_type: {"schema": {"type": "string", "contentMediaType": "audio/midi"}} for media_type in MIDI_TYPES}


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
                parameters=[_client_parameter()],
            ),
        },
        "/api/queue": {
            "get": _operation(
                "queue",
                "How long you have to wait for melodies that you asked for.",
                _json("Queue"),
                parameters=[_client_parameter()],
            ),
        },
        "/api/primer": {
            "post": _operation(
                "readPrimer",
                "The melody of each track of a MIDI, MusicXML or ABC file, to be a primer; the likeliest first.",
                _json("Tracks"),
                body=_MIDI_BODY,
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
        "/api/harmonize": {
            "post": _operation(
                "harmonize", "Chords for a melody.", _json("Harmonized"), body=_json("HarmonizeRequest")
            ),
        },
        "/api/chords": {
            "post": _operation(
                "readChords",
                "Chords as they are written in bars, one by one, with their notes.",
                _json("ChordSounds"),
                body=_json("ChordsRequest"),
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
        "/api/score": {
            "post": _operation(
                "writeScore",
                "A melody as a score, with key, meter, upbeat, ties and beams.",
                {media_type: {"schema": {"type": "string"}} for media_type in SCORE_TYPES.values()},
                body=_json("ScoreRequest"),
            ),
        },
        "/api/tunes": {
            "post": _operation(
                "putTune",
                f"Put in a MIDI, MusicXML or ABC file to learn from, one of {MAX_TUNES:,} and "
                f"{MAX_TUNE_BYTES >> 20} MiB together.",
                _json("TuneCount"),
                body=_MIDI_BODY,
                parameters=[_parameter("filename", "Of the file, with its extension."), _client_parameter()],
                too_large="UploadTooLarge",
            ),
            "get": _operation(
                "inspectTunes",
                "What is in your tunes, and what is left out and why.",
                _json("TuneReport"),
                parameters=[_client_parameter()],
                may_refuse=True,
            ),
            "delete": _operation(
                "dropTunes",
                "Take out all your tunes.",
                _json("TuneCount"),
                parameters=[_client_parameter()],
                may_refuse=True,
            ),
        },
        "/api/learn": {
            "post": _operation(
                "learn",
                "Train a model on your tunes. One training runs at a time.",
                _json("Learning"),
                body=_json("LearnRequest"),
                parameters=[_client_parameter()],
            ),
            "get": _operation(
                "learning", "How the training goes, or went.", _json("Learning"), parameters=[_client_parameter()]
            ),
            "delete": _operation(
                "cancelLearning",
                "Cancel your training, and keep nothing of it; or forget one that has ended, but for its model.",
                _json("Learning"),
                parameters=[_client_parameter()],
                may_refuse=True,
            ),
        },
        "/api/bundle": {
            "get": _operation(
                "readBundle",
                "The bundle of a model that was trained here, to be kept: the studio forgets it when it ends.",
                {BUNDLE_TYPE: {"schema": {"type": "string", "contentMediaType": BUNDLE_TYPE}}},
                parameters=[_parameter("model", "Its name.")],
                may_refuse=True,
            ),
        },
        "/api/openapi.json": {
            "get": _operation("describe", "This document.", {"application/json": {"schema": {"type": "object"}}}),
        },
    }


def _parameter(name: str, description: str) -> Json:
    return {"name": name, "in": "query", "required": True, "description": description, "schema": {"type": "string"}}


def _client_parameter() -> Json:
    return {
        "name": CLIENT_HEADER,
        "in": "header",
        "required": False,
        "description": "A name of your own: clients at one address take turns, told apart by it.",
        "schema": {"type": "string", "maxLength": MAX_CLIENT_NAME},
    }


def _operation(
    name: str,
    summary: str,
    content: Json,
    *,
    body: Json | None = None,
    parameters: list[Json] | None = None,
    too_large: str = "BodyTooLarge",
    may_refuse: bool = False,
) -> Json:
    operation: Json = {"operationId": name, "summary": summary}
    if parameters:
        operation["parameters"] = parameters
    refused = {"403": "Forbidden"}
    if may_refuse:
        refused["400"] = "BadRequest"
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
        "Busy": "Too much waits to be done, or this took too long; the header Retry-After says when to ask again.",
    }
    responses: dict[str, Json] = {
        name: {"description": description, "content": _json("Error")} for name, description in descriptions.items()
    }
    responses["Busy"]["headers"] = {
        "Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}
    }
    return responses
