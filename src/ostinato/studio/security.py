"""Who may talk to the studio: its own page, and programs on this machine; no other page on the web."""

import ipaddress
import re
import socket

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ostinato.studio.bodies import json_response

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")

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
    """

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        self._app = app
        self._port = port
        self._names = {*LOOPBACK_NAMES, host.lower()}
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
            return "the Host is not this studio's; open the address that it printed"
        site = headers.get("sec-fetch-site", "none")
        followed_link = method == "GET" and path == "/" and headers.get("sec-fetch-mode") == "navigate"
        if site not in ("same-origin", "none") and not followed_link:
            return "requests from other pages are refused"
        if method not in ("GET", "HEAD"):
            origins = headers.getlist("origin")
            if origins and origins != [f"http://{hosts[0]}"]:
                return "requests from other pages are refused"
        return None

    def _is_ours(self, host: str) -> bool:
        found = _HOST.fullmatch(host.lower())
        if found is None or int(found[3] or _DEFAULT_PORT) != self._port:
            return False
        name = found[1] or found[2]
        return name in self._names or (self._by_any_address and _is_address(name))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_unspecified(host: str) -> bool:
    return _is_address(host) and ipaddress.ip_address(host).is_unspecified
