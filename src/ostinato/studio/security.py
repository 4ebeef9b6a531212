"""Who may talk to the studio, and how much of it each may take.

Its own page and programs on this machine may, no other page on the web
(`Guard`). No body may be larger or slower than it should be, in or out
(`read_json`, `read_midi`, `PatientSending`). How much work is taken on, `workers`
says.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

import msgspec
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ostinato.errors import SettingsError

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
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
"""The largest good request, 64 melodies of 1,024 steps written close, has less."""
MAX_UPLOAD_BYTES = 1 << 20
"""MIDI files of whole symphonies have less."""
BODY_SECONDS = 10.0
"""How long a request's body may take to come."""
SEND_SECONDS = 30.0
"""How long a client may take to receive a part of an answer."""

_PART_BYTES = 1 << 18  # a fraction of a second on a slow network
_JSON = "application/json"
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; object-src 'none'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), midi=(self)",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_HOST = re.compile(r"(?:\[([0-9a-f:.]{2,45})\]|([^\s:/@\[\]]{1,253}))(?::([0-9]{1,5}))?", re.ASCII)
_DEFAULT_PORT = 80


def checked_host(name: str) -> str:
    """A name or address of a host, without a port, as it was given.

    Raises:
        SettingsError: if it is none.
    """
    found = _HOST.fullmatch(f"[{name}]" if ":" in name else name)
    if found is None or not name.isprintable():
        raise SettingsError(f"--allow_host takes names such as music.example.org, without a port, not {name!r}")
    return name


def is_loopback(host: str) -> bool:
    """Whether an address or name can be reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Guard:
    """Middleware that refuses what other pages send, and tells browsers to be strict with ours.

    A page on the web can make a browser send requests to this machine. It
    cannot hide that: the Host is its own name even where that leads here, the
    Origin is its own, and newer browsers say cross-site.

    Args:
        app: what to guard.
        host: the address that the server is bound to.
        port: and its port.
        allowed: names under which it is reached besides, at any port: through a tunnel or behind a proxy.
    """

    def __init__(self, app: ASGIApp, host: str, port: int, allowed: Iterable[str] = ()) -> None:
        self._app = app
        self._port = port
        self._names = {*LOOPBACK_NAMES, host.lower()}
        self._allowed = {name.lower() for name in allowed}
        # Bound to all addresses, it is called by any of them; no name of another's leads to a bare address.
        self._by_any_address = _is_unspecified(host)
        if self._by_any_address:
            self._names |= {socket.gethostname().lower(), f"{socket.gethostname().lower()}.local"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers.setdefault("Cache-Control", "no-store" if scope["path"].startswith("/api/") else "no-cache")
            await send(message)

        refusal = self._refusal(scope["method"], scope["path"], Headers(scope=scope))
        app = self._app if refusal is None else json_response({"error": refusal}, 403)
        await app(scope, receive, send_with_headers)

    def _refusal(self, method: str, path: str, headers: Headers) -> str | None:
        """Why a request is refused, if it is."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            found = _HOST.fullmatch(hosts[0].lower()) if len(hosts) == 1 else None
            hint = f", or start it with --allow_host={found[1] or found[2]}" if found else ""
            return f"the Host is not this studio's; open the address that it printed{hint}"
        site = headers.get("sec-fetch-site", "none")
        followed_link = method == "GET" and path == "/" and headers.get("sec-fetch-mode") == "navigate"
        if site not in ("same-origin", "none") and not followed_link:
            return "requests from other pages are refused"
        if method not in ("GET", "HEAD"):
            origins = headers.getlist("origin")
            if (
                origins
                and origins != [f"http://{hosts[0]}"]
                and not (len(origins) == 1 and self._is_allowed(origins[0]))
            ):
                return "requests from other pages are refused"
        return None

    def _is_allowed(self, origin: str) -> bool:
        """Whether a page is this studio's under a name that was allowed; a proxy may have told us another Host."""
        try:
            parts = urlsplit(origin)
            return parts.scheme in ("http", "https") and (parts.hostname or "") in self._allowed
        except ValueError:
            return False

    def _is_ours(self, host: str) -> bool:
        found = _HOST.fullmatch(host.lower())
        if found is None:
            return False
        name = found[1] or found[2]
        if name in self._allowed:
            return True
        if int(found[3] or _DEFAULT_PORT) != self._port:
            return False
        return name in self._names or (self._by_any_address and _is_address(name))


async def read_json(request: Request) -> bytes:
    """The JSON document that a request's body is.

    Raises:
        HTTPException: if the body is not said to be JSON, is too large or comes too slowly.
    """
    # Other pages may send the plain types unasked; for this one their browser asks us first, and we say nothing.
    _require_type(request, (_JSON,))
    return await _read(request, MAX_JSON_BYTES)


async def read_midi(request: Request) -> bytes:
    """The MIDI file that a request's body is.

    Raises:
        HTTPException: if the body is not said to be one, is too large or comes too slowly.
    """
    _require_type(request, MIDI_TYPES)
    return await _read(request, MAX_UPLOAD_BYTES)


def json_response(value: object, status_code: int = 200) -> Response:
    """An answer in JSON, of a type of `schema` or plain values."""
    return Response(msgspec.json.encode(value), status_code, media_type=_JSON)


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


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_unspecified(host: str) -> bool:
    return _is_address(host) and ipaddress.ip_address(host).is_unspecified


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
