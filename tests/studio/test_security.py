"""Who is let in, and how much of it each may take."""

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

from ostinato.errors import FormatError, SettingsError
from ostinato.studio import security
from ostinato.studio.api import refuse, refuse_http
from ostinato.studio.schema import parse_json
from ostinato.studio.security import (
    MAX_JSON_BYTES,
    MAX_UPLOAD_BYTES,
    Guard,
    PatientSending,
    checked_host,
    is_loopback,
    json_response,
    read_json,
    read_midi,
)

HOME = "http://localhost:8765"


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    await json_response({"path": scope["path"]})(scope, receive, send)


def _client(host: str = "127.0.0.1", port: int = 8765) -> TestClient:
    return TestClient(Guard(_app, host, port))


@pytest.mark.parametrize(
    ("host", "bound", "status"),
    [
        ("localhost:8765", "127.0.0.1", 200),
        ("LOCALHOST:8765", "127.0.0.1", 200),
        ("127.0.0.1:8765", "127.0.0.1", 200),
        ("[::1]:8765", "127.0.0.1", 200),
        ("localhost", "127.0.0.1", 403),
        ("localhost:8766", "127.0.0.1", 403),
        ("localhost:087650", "127.0.0.1", 403),
        ("localhost.:8765", "127.0.0.1", 403),
        ("evil.example:8765", "127.0.0.1", 403),
        ("localhost.evil.example:8765", "127.0.0.1", 403),
        ("evil@localhost:8765", "127.0.0.1", 403),
        ("127.0.0.1.nip.example:8765", "127.0.0.1", 403),
        ("192.168.1.5:8765", "127.0.0.1", 403),
        ("", "127.0.0.1", 403),
        ("[::1:8765", "127.0.0.1", 403),
        ("192.168.1.5:8765", "192.168.1.5", 200),
        ("studio.home:8765", "studio.home", 200),
        ("192.168.1.6:8765", "192.168.1.5", 403),
        # Bound to all addresses, any address is this machine's, but no name of another's.
        ("192.168.1.5:8765", "0.0.0.0", 200),
        ("[fe80::1]:8765", "::", 200),
        ("evil.example:8765", "0.0.0.0", 403),
    ],
)
def test_only_this_studios_host_is_answered(host: str, bound: str, status: int) -> None:
    response = _client(bound).get("/api/models", headers={"Host": host})
    assert response.status_code == status
    if status == 403:
        assert response.json()["error"].startswith("the Host is not this studio's; open the address that it printed")


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("localhost:9000", "http://localhost:9000", 200),  # ssh -L 9000:localhost:8765
        ("Music.School.example", "https://music.school.example", 200),  # a proxy that keeps the Host
        ("127.0.0.1:8765", "https://music.school.example", 200),  # and one that does not
        ("music.school.example:9000", "http://music.school.example:9000", 200),
        ("127.0.0.1:9000", "http://127.0.0.1:9000", 403),
        ("school.example", "https://school.example", 403),
        ("music.school.example", "https://evil.example", 403),
        ("music.school.example", "null", 403),
        ("music.school.example", "https://music.school.example.evil.example", 403),
        ("music.school.example", "http://[", 403),
        ("127.0.0.1:8765", "ftp://music.school.example", 403),
    ],
)
def test_names_that_were_allowed_are_answered(host: str, origin: str, status: int) -> None:
    client = TestClient(Guard(_app, "127.0.0.1", 8765, ["localhost", "music.school.example"]))
    assert client.post("/api/generate", headers={"Host": host, "Origin": origin}).status_code == status


def test_the_refusal_of_a_host_says_how_to_allow_it() -> None:
    told = "the Host is not this studio's; open the address that it printed"
    for host, hint in (
        ("localhost:9000", ", or start it with --allow_host=localhost"),
        ("[fe80::1]:9000", ", or start it with --allow_host=fe80::1"),
        ("a b", ""),
    ):
        assert _client().get("/", headers={"Host": host}).json() == {"error": told + hint}


@pytest.mark.parametrize("name", ["a b", "http://x", "localhost:9000", "x/y", "", "a\nb", "x" * 254])
def test_what_is_no_host_cannot_be_allowed(name: str) -> None:
    with pytest.raises(SettingsError, match="--allow_host takes names such as"):
        checked_host(name)


def test_addresses_and_names_can_be_allowed() -> None:
    assert [checked_host(name) for name in ("music.example.org", "10.0.0.1", "fe80::1")]


def test_a_web_servers_port_needs_no_naming() -> None:
    assert _client(port=80).get("/", headers={"Host": "localhost"}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/api/generate", {}, 200),  # no browser sends none
        ("POST", "/api/generate", {"Origin": HOME}, 200),
        ("POST", "/api/generate", {"Origin": HOME, "Sec-Fetch-Site": "same-origin"}, 200),
        ("POST", "/api/generate", {"Origin": "http://127.0.0.1:8765"}, 403),  # ours, but another to a browser
        ("POST", "/api/generate", {"Origin": "https://localhost:8765"}, 403),
        ("POST", "/api/generate", {"Origin": "http://localhost:3000"}, 403),
        ("POST", "/api/generate", {"Origin": "https://evil.example"}, 403),
        ("POST", "/api/generate", {"Origin": "null"}, 403),
        ("POST", "/api/generate", {"Origin": ""}, 403),
        ("POST", "/api/generate", {"Sec-Fetch-Site": "cross-site"}, 403),
        ("POST", "/api/generate", {"Sec-Fetch-Site": "same-site"}, 403),
        ("POST", "/", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403),
        ("OPTIONS", "/api/generate", {"Origin": "https://evil.example"}, 403),
        ("PUT", "/api/generate", {"Origin": "https://evil.example"}, 403),
        ("GET", "/api/models", {"Sec-Fetch-Site": "same-origin"}, 200),
        ("GET", "/api/models", {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}, 200),
        ("GET", "/api/models", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ("GET", "/api/models", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403),
        ("GET", "/", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200),  # a link to it
        ("GET", "/", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}, 403),
    ],
)
def test_only_its_own_page_and_programs_are_answered(
    method: str, path: str, headers: dict[str, str], status: int
) -> None:
    response = _client().request(method, path, headers={"Host": "localhost:8765", **headers})
    assert response.status_code == status
    if status == 403:
        assert response.json() == {"error": "requests from other pages are refused"}


@pytest.mark.parametrize("host", ["localhost:8765", "evil.example"])
def test_every_answer_tells_the_browser_to_be_strict(host: str) -> None:
    response = _client().get("/api/models", headers={"Host": host, "Origin": "https://evil.example"})
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'self'; ")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["cross-origin-resource-policy"] == "same-origin"
    assert response.headers["cache-control"] == "no-store"
    assert not [name for name in response.headers if name.startswith("access-control")]


def test_loopback_is_this_machine_alone() -> None:
    assert [host for host in ("127.0.0.1", "127.8.0.1", "::1", "localhost") if not is_loopback(host)] == []
    assert [host for host in ("0.0.0.0", "::", "192.168.1.5", "studio.home") if is_loopback(host)] == []


async def _json(request: Request) -> Response:
    return json_response(parse_json(await read_json(request)))


async def _midi(request: Request) -> Response:
    return json_response(len(await read_midi(request)))


@pytest.fixture(name="reader", scope="module")
def _reader() -> Iterator[TestClient]:
    routes = [Route("/json", _json, methods=["POST"]), Route("/midi", _midi, methods=["POST"])]
    app = Starlette(routes=routes, exception_handlers={HTTPException: refuse_http, FormatError: refuse})
    with TestClient(app) as reader:
        yield reader


@pytest.mark.parametrize("said", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_json_said_to_be_json_is_read(reader: TestClient, said: str) -> None:
    response = reader.post("/json", content=b'{"a":[1,"\xc3\xa9"]}', headers={"Content-Type": said})
    assert (response.status_code, response.content) == (200, b'{"a":[1,"\xc3\xa9"]}')


@pytest.mark.parametrize(
    "said",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp"],
)
@pytest.mark.parametrize("path", ["/json", "/midi"])
def test_what_other_pages_can_send_unasked_is_no_type_of_ours(reader: TestClient, path: str, said: str) -> None:
    response = reader.post(path, content=b"{}", headers={"Content-Type": said} if said else {})
    assert response.status_code == 415
    assert response.json()["error"].startswith("the Content-Type must be a")


@pytest.mark.parametrize(
    ("path", "said", "limit"),
    [("/json", "application/json", MAX_JSON_BYTES), ("/midi", "audio/midi", MAX_UPLOAD_BYTES)],
)
def test_a_body_may_be_so_large_and_no_larger(reader: TestClient, path: str, said: str, limit: int) -> None:
    def parts(count: int) -> Iterator[bytes]:  # sent without saying how much will come
        yield b"1"
        for _ in range(count // 1024 - 1):
            yield b" " * 1024
        yield b" " * 1023

    headers = {"Content-Type": said}
    assert reader.post(path, content=b"1".ljust(limit), headers=headers).status_code == 200
    assert reader.post(path, content=parts(limit), headers=headers).status_code == 200
    for too_much in (b"1".ljust(limit + 1), parts(limit + 1024)):
        response = reader.post(path, content=too_much, headers=headers)
        assert response.status_code == 413
        assert response.json() == {"error": f"the body is too large: at most {limit} bytes are taken"}


def test_a_body_that_is_said_to_be_too_large_is_not_waited_for() -> None:
    async def receive() -> Message:
        raise AssertionError("nobody should ask")

    with pytest.raises(HTTPException) as caught:
        asyncio.run(read_midi(_request(receive, ("content-length", str(MAX_UPLOAD_BYTES + 1)))))
    assert caught.value.status_code == 413


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "BODY_SECONDS", 0.02)
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
    monkeypatch.setattr(security, "SEND_SECONDS", 0.02)
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
