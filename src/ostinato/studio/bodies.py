"""Bodies in and out, none larger and none slower than it should be."""

import asyncio
import json
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ostinato.studio.strict_json import parse_json

MIDI_TYPES = (
    "audio/midi",
    "audio/mid",
    "audio/x-midi",
    "audio/x-mid",
    "application/x-midi",
    "application/octet-stream",
)
"""What a MIDI file may be called; browsers send none of these to another's server unasked."""
MAX_JSON_BYTES = 1 << 19
MAX_UPLOAD_BYTES = 1 << 20
BODY_SECONDS = 10.0
"""How long a request's body may take to come."""
SEND_SECONDS = 30.0
"""How long a client may take to receive a part of an answer."""

_PART_BYTES = 1 << 18
_JSON = "application/json"


async def read_json(request: Request) -> Any:
    """The JSON value of a request's body.

    Raises:
        HTTPException: if the body is not said to be JSON, is too large or comes too slowly.
        FormatError: if it is no JSON.
    """
    # Other pages may send the plain types unasked; for this one their browser asks us first, and we say nothing.
    _require_type(request, (_JSON,))
    return parse_json(await _read(request, MAX_JSON_BYTES))


async def read_midi(request: Request) -> bytes:
    """The MIDI file that a request's body is.

    Raises:
        HTTPException: if the body is not said to be one, is too large or comes too slowly.
    """
    _require_type(request, MIDI_TYPES)
    return await _read(request, MAX_UPLOAD_BYTES)


def json_response(value: object, status_code: int = 200) -> Response:
    """An answer in JSON."""
    body = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(body, status_code, media_type=_JSON)


def _require_type(request: Request, allowed: tuple[str, ...]) -> None:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in allowed:
        raise HTTPException(415, f"the Content-Type must be {' or '.join(allowed)}, not {given[:40]!r}")


async def _read(request: Request, max_bytes: int) -> bytes:
    too_large = HTTPException(413, f"the body is too large: at most {max_bytes} bytes are taken")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and len(declared) < 20 and int(declared) > max_bytes:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > max_bytes:
                    raise too_large
    except TimeoutError:
        raise HTTPException(408, f"the body did not come within {BODY_SECONDS:g} seconds") from None
    except ClientDisconnect:
        raise HTTPException(400, "the body ended before its end") from None
    return bytes(body)


class PatientSending:
    """Middleware that sends large answers in parts, and leaves a client that takes none for too long.

    Otherwise a client that does not read would keep a whole answer in memory.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def send_part(message: Message) -> None:
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await send(message)
            except TimeoutError:
                raise _StalledClientError from None

        async def send_in_parts(message: Message) -> None:
            body = message.get("body", b"") if message["type"] == "http.response.body" else b""
            while len(body) > _PART_BYTES:
                await send_part({"type": "http.response.body", "body": body[:_PART_BYTES], "more_body": True})
                body = body[_PART_BYTES:]
            await send_part({**message, "body": body} if body else message)

        try:
            await self._app(scope, receive, send_in_parts)
        except _StalledClientError:
            return


class _StalledClientError(Exception):
    """Ends the work on an answer that nobody takes."""
