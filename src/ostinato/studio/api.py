"""The endpoints of the JSON API: from a request to an answer."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import ostinato
from ostinato.studio import answers
from ostinato.studio.bodies import MAX_UPLOAD_BYTES, json_response, read_json, read_midi
from ostinato.studio.candidates import Candidate, candidates
from ostinato.studio.models import Models
from ostinato.studio.openapi import document
from ostinato.studio.requests import (
    MAX_BARS,
    MAX_STEPS,
    MAX_VARIATIONS,
    GenerateRequest,
    MidiRequest,
    WavRequest,
)
from ostinato.studio.strict_json import shown
from ostinato.studio.workers import BusyError, Workers

T = TypeVar("T")

_MAX_FILE_NAME = 100
_RETRY_SECONDS = "1"


class Api:
    """The endpoints.

    Args:
        models: what can be played.
        workers: who does what takes time.
    """

    def __init__(self, models: Models, workers: Workers) -> None:
        self._models = models
        self._workers = workers

    def routes(self) -> list[Route]:
        """Where each endpoint is."""
        return [
            Route("/api/models", self.models, methods=["GET"]),
            Route("/api/generate", self.generate, methods=["POST"]),
            Route("/api/primer", self.primer, methods=["POST"]),
            Route("/api/midi", self.midi, methods=["POST"]),
            Route("/api/wav", self.wav, methods=["POST"]),
            Route("/api/openapi.json", self.openapi, methods=["GET"]),
        ]

    async def models(self, _request: Request) -> Response:
        """What can be played, and how much may be asked for."""
        limits = {
            "max_steps": MAX_STEPS,
            "max_bars": MAX_BARS,
            "max_variations": MAX_VARIATIONS,
            "max_upload_bytes": MAX_UPLOAD_BYTES,
        }
        # Not the workers' work: the page must open even when they have much to do.
        cards = await asyncio.to_thread(self._models.cards)
        return json_response({"models": cards, "limits": limits, "version": ostinato.__version__})

    async def generate(self, request: Request) -> Response:
        """Melodies, and why they came out so."""
        asked = GenerateRequest.from_json(await read_json(request))

        def work() -> Response:
            name = asked.model or self._models.default
            return json_response(answers.generate(self._models.model(name), name, asked))

        return await self._do(work, request)

    async def primer(self, request: Request) -> Response:
        """The melodies of a MIDI file."""
        name = request.query_params.get("filename") or request.headers.get("filename") or "the file"
        name = "".join(character for character in name[:_MAX_FILE_NAME] if character.isprintable())
        data = await read_midi(request)
        found = await self._do(lambda: candidates(data, name), request)
        return json_response({"tracks": [_track(candidate) for candidate in found]})

    async def midi(self, request: Request) -> Response:
        """A MIDI file, or several in an archive."""
        asked = MidiRequest.from_json(await read_json(request))
        if len(asked.melodies) == 1:
            data = await self._do(lambda: answers.midi_file(asked), request)
            return _file(data, "audio/midi", answers.file_names(asked)[0])
        data = await self._do(lambda: answers.midi_archive(asked), request)
        return _file(data, "application/zip", "melodies.zip")

    async def wav(self, request: Request) -> Response:
        """A sound file."""
        asked = WavRequest.from_json(await read_json(request))
        data = await self._do(lambda: answers.wav_file(asked), request)
        return _file(data, "audio/wav", "melody.wav")

    async def openapi(self, _request: Request) -> Response:
        """What describes all this."""
        return json_response(document())

    async def _do(self, work: Callable[[], T], request: Request) -> T:
        return await self._workers.do(work, _vanished(request))


async def refuse_http(request: Request, error: Exception) -> Response:
    """What Starlette or we refuse by its status."""
    assert isinstance(error, HTTPException)
    detail = {
        404: f"there is nothing at {shown(request.url.path)}",
        405: f"{request.method} is no method of {shown(request.url.path)}; use {(error.headers or {}).get('Allow')}",
    }.get(error.status_code, error.detail)
    return _with_headers(json_response({"error": detail}, error.status_code), dict(error.headers or {}))


async def refuse(_request: Request, error: Exception) -> Response:
    """What cannot be done as it was asked for."""
    if isinstance(error, BusyError):
        return _with_headers(json_response({"error": str(error)}, 503), {"Retry-After": _RETRY_SECONDS})
    return json_response({"error": str(error)}, 400)


async def _vanished(request: Request) -> None:
    """Returns when the client has gone; its body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _track(candidate: Candidate) -> dict[str, Any]:
    return {
        "track": candidate.track,
        "name": candidate.name,
        "events": list(candidate.melody),
        "steps_per_bar": candidate.melody.steps_per_bar,
        # MIDI counts a quarter in whole microseconds: of 90 quarters a minute it makes 89.99996.
        "qpm": round(candidate.qpm, 3),
        "num_notes": len(candidate.melody.pitches),
        "length": candidate.length,
    }


def _file(data: bytes, media_type: str, name: str) -> Response:
    disposition = f"attachment; filename*=UTF-8''{quote(name)}"
    return Response(data, media_type=media_type, headers={"Content-Disposition": disposition})


def _with_headers(response: Response, headers: dict[str, str]) -> Response:
    response.headers.update(headers)
    return response
