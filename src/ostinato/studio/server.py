"""The studio as an application, and serving it: an address of its own, no patience with idle clients."""

import asyncio
import contextlib
import errno
import ipaddress
import logging
import socket
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import h11
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from ostinato.errors import OstinatoError, SettingsError
from ostinato.sound.recorded import FOLDER as INSTRUMENTS
from ostinato.studio import DEFAULT_PORT
from ostinato.studio.api import Api, refuse, refuse_http
from ostinato.studio.learning import Learner
from ostinato.studio.models import Models
from ostinato.studio.security import Guard, PatientSending, json_response
from ostinato.studio.workers import Players, Workers

STATIC = Path(__file__).parent / "static"
HEADER_SECONDS = 10.0
"""How long a request's first lines may take to come, and the rest of a body that was refused."""

_log = logging.getLogger(__name__)

_NEXT_PORTS = 20  # that are tried where the default one is taken
_MAX_CONNECTIONS = 320  # a browser keeps six, and a class has thirty of them
_MAX_HEADER_BYTES = 1 << 14  # what h11 takes by itself; a browser's are a tenth of it
_KEEP_ALIVE_SECONDS = 5
_SHUTDOWN_SECONDS = 2  # for answers on their way


def create_app(
    models: Models,
    *,
    host: str = "127.0.0.1",
    port: int,
    allowed: Iterable[str] = (),
    workers: Workers | None = None,
    players: Players | None = None,
    learner: Learner | None = None,
) -> ASGIApp:
    """The whole studio: the page, its files and the API.

    Args:
        models: what can be played.
        host: the address that it is served at; requests for others are refused.
        port: and its port.
        allowed: names under which it is reached besides; see `Guard`.
        workers: who does what takes time; by default two at once, or as many as there are players.
        players: processes that make melodies; without them this one does.
        learner: who trains models; by default one whose models all of them play.
    """
    at_work = workers or Workers(max(players.count, 2) if players else 2)

    trains = learner or (Learner(models, players.add) if players else Learner(models))

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        at_work.close()
        await asyncio.to_thread(trains.close)
        if players:
            players.close()

    app = Starlette(
        routes=[
            Route("/", _page, methods=["GET"], middleware=[Middleware(GZipMiddleware)]),
            *Api(models, at_work, players, trains).routes(),
            # The page loads a recorded instrument when it is chosen.
            Mount("/static/instruments", StaticFiles(directory=INSTRUMENTS)),
            # Answers of the API are not packed: on this machine that takes longer than sending them.
            Mount("/static", StaticFiles(directory=STATIC), middleware=[Middleware(GZipMiddleware)]),
        ],
        exception_handlers={HTTPException: refuse_http, OstinatoError: refuse, Exception: _apologize},
        lifespan=lifespan,
    )
    return PatientSending(Guard(app, host, port, allowed))


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Args:
        host: address or name of this machine.
        port: 0 takes any free one. Where the default one is taken, a free one after it is.

    Raises:
        SettingsError: if there is no such address here, or the port is taken.
    """
    tried = range(port, port + _NEXT_PORTS) if port == DEFAULT_PORT else (port,)
    for candidate in tried:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                host, candidate, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            bound = _bound(family, kind, protocol, address)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                continue
            raise SettingsError(f"--host={host}, --port={candidate}: cannot listen there: {error.strerror}") from None
        if candidate != port:
            _log.info("port %d is taken, so this is port %d", port, candidate)
        return bound
    raise SettingsError(f"--port={port} is taken; choose another, or 0 for any that is free")


def url_of(host: str, port: int) -> str:
    """The address to open: of this machine, where the server is bound to all its addresses."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"http://{host}:{port}/"
    if address.is_unspecified:
        return f"http://{'[::1]' if address.version == 6 else '127.0.0.1'}:{port}/"
    return f"http://{f'[{address}]' if address.version == 6 else address}:{port}/"


def make_server(app: ASGIApp) -> uvicorn.Server:
    """A server that, once it runs with a socket of `listen`, serves until Ctrl-C or SIGTERM.

    It then passes the signal on to whoever else waits for it.
    """
    config = uvicorn.Config(
        app,
        http=_ImpatientProtocol,
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        # Whoever says that it forwards for another could name anyone.
        proxy_headers=False,
        limit_concurrency=_MAX_CONNECTIONS,
        h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    return uvicorn.Server(config)


def _bound(family: int, kind: int, protocol: int, address: tuple[Any, ...]) -> socket.socket:
    bound = socket.socket(family, kind, protocol)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows, where a reused address may be another program's
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(128)
    except BaseException:
        bound.close()
        raise
    return bound


class _ImpatientProtocol(H11Protocol):
    """HTTP for clients that send a request's first lines at once; the others are hung up on."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _watch(self) -> None:
        # Idle is h11's word for a client that has not sent all the lines before a body. One that has its answer, such
        # as that its body is too large, may send the rest for a while, or it would not get to read the answer.
        is_answered = self.cycle is not None and self.cycle.response_complete
        if self.conn.their_state is not h11.IDLE and not is_answered:
            self._forget()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(HEADER_SECONDS, self.transport.close)

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


async def _page(_request: Request) -> Response:
    return FileResponse(STATIC / "index.html", media_type="text/html; charset=utf-8")


async def _apologize(_request: Request, _error: Exception) -> Response:
    return json_response({"error": "something went wrong that should not; the studio's log says more"}, 500)
