"""The API's description, as an OpenAPI 3.1 document."""

import functools
from typing import Any

import ostinato
from ostinato.music.melody import MAX_PITCH, MIN_PITCH, NO_EVENT, STEPS_PER_BAR
from ostinato.studio.bodies import MAX_JSON_BYTES, MAX_UPLOAD_BYTES, MIDI_TYPES
from ostinato.studio.candidates import MAX_PRIMER_STEPS, MAX_TRACKS
from ostinato.studio.requests import (
    DEFAULT_QPM,
    DEFAULT_VARIATIONS,
    MAX_BARS,
    MAX_MELODIES,
    MAX_QPM,
    MAX_SEED,
    MAX_SOUND_SECONDS,
    MAX_STEPS,
    MAX_STEPS_PER_BAR,
    MAX_TEMPERATURE,
    MAX_TEXT,
    MAX_TOP_K,
    MAX_VARIATIONS,
    MIN_QPM,
    MIN_TEMPERATURE,
)

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
        "components": {"schemas": _schemas(), "responses": _responses()},
    }


def _paths() -> Json:
    return {
        "/api/models": {
            "get": _operation("listModels", "The models, and how much may be asked for.", _json("Models")),
        },
        "/api/generate": {
            "post": _operation(
                "generate",
                "Make melodies: new ones, or from a primer on. To make everything new from a step on, send the events "
                "before it as the primer; to go on, send a whole melody and ask for more steps.",
                _json("Generated"),
                body=_json("GenerateRequest"),
            ),
        },
        "/api/primer": {
            "post": _operation(
                "readPrimer",
                "The melody of each track of a MIDI file, to be a primer.",
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


def _schemas() -> Json:
    meter = _integer(1, MAX_STEPS_PER_BAR, "Length of a bar in 16th notes: 16 is 4/4, 12 is 3/4 or 6/8.", STEPS_PER_BAR)
    qpm = _number(MIN_QPM, MAX_QPM, "Quarter notes a minute.", DEFAULT_QPM)
    events = {"$ref": "#/components/schemas/Events"}
    probability = {"type": "number", "minimum": 0, "maximum": 1}
    return {
        "Event": _integer(NO_EVENT, MAX_PITCH, "A pitch that starts, -1 for note-off, -2 for no event."),
        "Events": {
            "type": "array",
            "items": {"$ref": "#/components/schemas/Event"},
            "minItems": 1,
            "maxItems": MAX_STEPS,
            "description": "A melody, an event for each step.",
        },
        "Melody": _object({"events": events, "steps_per_bar": meter}, required=["events"]),
        "Error": _object({"error": {"type": "string", "minLength": 1, "description": "What is wrong, in a sentence."}}),
        "Models": _object(
            {
                "models": {"type": "array", "items": {"$ref": "#/components/schemas/Model"}, "minItems": 1},
                "limits": _object(
                    {
                        "max_steps": _integer(1, None, "Steps of a melody, its primer included."),
                        "max_bars": _integer(1, None, "Bars that are made at once."),
                        "max_variations": _integer(1, None, "Melodies that are made at once."),
                        "max_upload_bytes": _integer(1, None, "Size of a MIDI file."),
                    }
                ),
                "version": {"type": "string", "description": "Of Ostinato."},
            }
        ),
        "Model": _object(
            {
                "name": {"type": "string"},
                "description": {"type": "string"},
                "default": {"type": "boolean", "description": "Whether it plays where none is asked for."},
                "attention": {"type": "boolean", "description": "Whether it can tell which steps it looked at."},
                "min_pitch": _integer(MIN_PITCH, MAX_PITCH, "Lowest pitch that it makes in its own key."),
                "max_pitch": _integer(MIN_PITCH, MAX_PITCH, "Highest one, included."),
                "bits_per_step": {
                    "type": ["number", "null"],
                    "description": "Loss on melodies that it did not learn from, where it is known; less is better.",
                },
            }
        ),
        "GenerateRequest": _object(
            {
                "num_steps": _integer(
                    1,
                    MAX_STEPS,
                    f"Length of each melody, the primer included; at least 1 step and at most {MAX_BARS} bars are new.",
                ),
                "model": _nullable(_text("A name of /api/models; null is the default.")),
                "primer": {
                    "anyOf": [{"$ref": "#/components/schemas/Melody"}, {"type": "null"}],
                    "description": "What each melody begins with; null begins with a random note.",
                },
                "steps_per_bar": meter | {"description": "The meter where there is no primer, which has its own."},
                "variations": _integer(1, MAX_VARIATIONS, "How many melodies.", DEFAULT_VARIATIONS),
                "temperature": _number(
                    MIN_TEMPERATURE, MAX_TEMPERATURE, "Below 1 for likelier melodies, above 1 for wilder ones.", 1
                ),
                "top_k": _integer(0, MAX_TOP_K, "Choose among so many likeliest events; 0 is all.", 0),
                "top_p": {
                    "type": "number",
                    "exclusiveMinimum": 0,
                    "maximum": 1,
                    "default": 1,
                    "description": "Choose among the likeliest events that together are so likely.",
                },
                "key": _nullable(_text('New notes keep to this key, such as "G" or "A minor"; null is any.')),
                "min_note": _nullable(_integer(MIN_PITCH, MAX_PITCH, "Lowest new note.")),
                "max_note": _nullable(_integer(MIN_PITCH, MAX_PITCH, "Highest new note, included.")),
                "seed": _nullable(_integer(0, MAX_SEED, "For the same melodies again; null takes a new one.")),
                "explain": {
                    "type": "boolean",
                    "default": True,
                    "description": "Tell how likely each step was, what else could have come, where the model looked.",
                },
            },
            required=["num_steps"],
        ),
        "Generated": _object(
            {
                "model": {"type": "string"},
                "seed": _integer(0, MAX_SEED, "Gives the same melodies again."),
                "steps_per_bar": meter,
                "milliseconds": {"type": "number", "minimum": 0, "description": "What making them took."},
                "variations": {
                    "type": "array",
                    "items": {"$ref": "#/components/schemas/Variation"},
                    "minItems": 1,
                    "maxItems": MAX_VARIATIONS,
                },
            }
        ),
        "Variation": _object(
            {
                "events": events,
                "primer_steps": _integer(0, MAX_STEPS, "How many of the events are the primer's."),
                "log_likelihood": {
                    "type": "number",
                    "maximum": 0,
                    "description": "Natural logarithm of how likely the model by itself holds the new events.",
                },
                "steps": {
                    "type": "array",
                    "items": {"$ref": "#/components/schemas/Step"},
                    "description": "Of each drawn event, in order; empty if nothing was to be explained. Without a "
                    "primer the first event is a random note, which has none.",
                },
                "attention": {
                    "type": ["array", "null"],
                    "items": {"type": "array", "items": probability},
                    "description": "For each of the steps the weights over A remembered ones, oldest first: column a "
                    "of the row of step s is of step s - 1 - A + a, and below 0 of nothing. null without attention.",
                },
            }
        ),
        "Step": _object(
            {
                "step": _integer(0, MAX_STEPS, "Its place in the melody, from 0."),
                "event": {"$ref": "#/components/schemas/Event"},
                "probability": probability | {"description": "Of this event in the distribution it was drawn from."},
                "repeat_steps": _nullable(
                    _integer(1, None, "It was drawn as a repeat of what stood so many steps before.")
                ),
                "candidates": {
                    "type": "array",
                    "maxItems": 5,
                    "items": {
                        "type": "array",
                        "prefixItems": [{"$ref": "#/components/schemas/Event"}, probability],
                        "items": False,
                        "minItems": 2,
                    },
                    "description": "The likeliest events with their probabilities, best first.",
                },
            }
        ),
        "Tracks": _object(
            {
                "tracks": {
                    "type": "array",
                    "items": {"$ref": "#/components/schemas/Track"},
                    "minItems": 1,
                    "maxItems": MAX_TRACKS,
                }
            }
        ),
        "Track": _object(
            {
                "track": _integer(0, None, "Its number among the tracks with notes."),
                "name": {"type": "string", "description": "Its name; empty where it has none."},
                "events": events
                | {"description": f"Its longest melody, or its first whole bars: {MAX_PRIMER_STEPS} steps at most."},
                "steps_per_bar": meter,
                "qpm": {"type": "number", "exclusiveMinimum": 0, "description": "Its tempo, quarter notes a minute."},
                "num_notes": _integer(1, None, "Notes in the events."),
                "length": _integer(1, None, "Steps before it was cut."),
            }
        ),
        "MidiRequest": _object(
            {
                "melodies": {
                    "type": "array",
                    "items": {"$ref": "#/components/schemas/Melody"},
                    "minItems": 1,
                    "maxItems": MAX_MELODIES,
                },
                "qpm": qpm,
                "names": {
                    "type": "array",
                    "items": _text("A file's name."),
                    "maxItems": MAX_MELODIES,
                    "description": "Of the files in the archive, as many as melodies, or none.",
                },
            },
            required=["melodies"],
        ),
        "WavRequest": _object({"events": events, "steps_per_bar": meter, "qpm": qpm}, required=["events"])
        | {"description": f"At most {MAX_SOUND_SECONDS:g} seconds."},
    }


def _object(members: Json, required: list[str] | None = None) -> Json:
    """An object of these members and no others, all of which it has unless some are named."""
    return {
        "type": "object",
        "properties": members,
        "required": list(members) if required is None else required,
        "additionalProperties": False,
    }


def _integer(low: int, high: int | None, description: str, default: int | None = None) -> Json:
    schema: Json = {"type": "integer", "minimum": low, "description": description}
    if high is not None:
        schema["maximum"] = high
    if default is not None:
        schema["default"] = default
    return schema


def _number(low: float, high: float, description: str, default: float) -> Json:
    return {"type": "number", "minimum": low, "maximum": high, "description": description, "default": default}


def _text(description: str) -> Json:
    return {"type": "string", "minLength": 1, "maxLength": MAX_TEXT, "description": description}


def _nullable(schema: Json) -> Json:
    return {**schema, "type": [schema["type"], "null"]}
