"""The studio as an ASGI application."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from ostinato.errors import OstinatoError
from ostinato.studio.api import Api, refuse, refuse_http
from ostinato.studio.bodies import PatientSending, json_response
from ostinato.studio.models import Models
from ostinato.studio.security import Guard
from ostinato.studio.workers import Workers

STATIC = Path(__file__).parent / "static"


def create_app(models: Models, *, host: str = "127.0.0.1", port: int, workers: Workers | None = None) -> ASGIApp:
    """The whole studio: the page, its files and the API.

    Args:
        models: what can be played.
        host: the address that it is served at; requests for others are refused.
        port: and its port.
        workers: who does what takes time; by default two at once.
    """
    at_work = workers or Workers()

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        at_work.close()

    app = Starlette(
        routes=[
            Route("/", _page, methods=["GET"]),
            *Api(models, at_work).routes(),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        exception_handlers={HTTPException: refuse_http, OstinatoError: refuse, Exception: _apologize},
        lifespan=lifespan,
    )
    return PatientSending(Guard(app, host, port))


async def _page(_request: Request) -> Response:
    return FileResponse(STATIC / "index.html", media_type="text/html; charset=utf-8")


async def _apologize(_request: Request, _error: Exception) -> Response:
    return json_response({"error": "something went wrong that should not; the studio's log says more"}, 500)
