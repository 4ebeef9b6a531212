"""Bodies in and out: their types, their sizes, and slow clients."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from ostinato.errors import FormatError
from ostinato.studio import bodies
from ostinato.studio.api import refuse, refuse_http
from ostinato.studio.bodies import MAX_JSON_BYTES, MAX_UPLOAD_BYTES, PatientSending, json_response, read_json, read_midi


async def _json(request: Request) -> Response:
    return json_response(await read_json(request))


async def _midi(request: Request) -> Response:
    return json_response(len(await read_midi(request)))


@pytest.fixture(name="client", scope="module")
def _client() -> Iterator[TestClient]:
    routes = [Route("/json", _json, methods=["POST"]), Route("/midi", _midi, methods=["POST"])]
    app = Starlette(routes=routes, exception_handlers={HTTPException: refuse_http, FormatError: refuse})
    with TestClient(app) as client:
        yield client


@pytest.mark.parametrize("said", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_json_said_to_be_json_is_read(client: TestClient, said: str) -> None:
    response = client.post("/json", content=b'{"a":[1,"\xc3\xa9"]}', headers={"Content-Type": said})
    assert (response.status_code, response.content) == (200, b'{"a":[1,"\xc3\xa9"]}')


@pytest.mark.parametrize(
    "said",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp"],
)
@pytest.mark.parametrize("path", ["/json", "/midi"])
def test_what_other_pages_can_send_unasked_is_no_type_of_ours(client: TestClient, path: str, said: str) -> None:
    response = client.post(path, content=b"{}", headers={"Content-Type": said} if said else {})
    assert response.status_code == 415
    assert response.json()["error"].startswith("the Content-Type must be a")


@pytest.mark.parametrize(
    ("path", "said", "limit"),
    [("/json", "application/json", MAX_JSON_BYTES), ("/midi", "audio/midi", MAX_UPLOAD_BYTES)],
)
def test_a_body_may_be_so_large_and_no_larger(client: TestClient, path: str, said: str, limit: int) -> None:
    def parts(count: int) -> Iterator[bytes]:  # sent without saying how much will come
        yield b"1"
        for _ in range(count // 1024 - 1):
            yield b" " * 1024
        yield b" " * 1023

    headers = {"Content-Type": said}
    assert client.post(path, content=b"1".ljust(limit), headers=headers).status_code == 200
    assert client.post(path, content=parts(limit), headers=headers).status_code == 200
    for too_much in (b"1".ljust(limit + 1), parts(limit + 1024)):
        response = client.post(path, content=too_much, headers=headers)
        assert response.status_code == 413
        assert response.json() == {"error": f"the body is too large: at most {limit} bytes are taken"}


def test_a_body_that_is_said_to_be_too_large_is_not_waited_for() -> None:
    async def receive() -> Message:
        raise AssertionError("nobody should ask")

    with pytest.raises(HTTPException) as caught:
        asyncio.run(read_midi(_request(receive, ("content-length", str(MAX_UPLOAD_BYTES + 1)))))
    assert caught.value.status_code == 413


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.02)
    sent = 0

    async def receive() -> Message:  # a byte now and then
        nonlocal sent
        sent += 1
        await asyncio.sleep(0.005)
        return {"type": "http.request", "body": b"M", "more_body": True}

    with pytest.raises(HTTPException) as caught:
        asyncio.run(read_midi(_request(receive)))
    assert (caught.value.status_code, caught.value.detail) == (408, "the body did not come within 0.02 seconds")
    assert sent >= 2


def test_a_client_that_vanishes_while_it_sends_is_no_fault_of_ours() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(HTTPException) as caught:
        asyncio.run(read_midi(_request(receive)))
    assert caught.value.status_code == 400


def test_large_answers_go_in_parts() -> None:
    data = bytes(range(256)) * 3000
    assert b"".join(message["body"] for message in asyncio.run(_sent(data, 0.0))) == data
    assert len(asyncio.run(_sent(data, 0.0))) == 3
    assert len(asyncio.run(_sent(b"small", 0.0))) == 1


def test_a_client_that_takes_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "SEND_SECONDS", 0.02)
    assert len(asyncio.run(_sent(bytes(1_000_000), 1.0))) == 0


async def _sent(data: bytes, seconds_a_part: float) -> list[Message]:
    """The parts in which an answer reaches a client."""
    parts: list[Message] = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.sleep(seconds_a_part)
            parts.append(message)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(data)(scope, receive, send)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    await PatientSending(app)({"type": "http"}, receive, send)
    assert [part.get("more_body", False) for part in parts] == [True] * (len(parts) - 1) + [False] * bool(parts)
    return parts


def _request(receive: Receive, *headers: tuple[str, str]) -> Request:
    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": "/"}
    given = (("content-type", "audio/midi"), *headers)
    return Request({**scope, "headers": [(name.encode(), value.encode()) for name, value in given]}, receive)
