"""The studio as a whole: its page, its files, where it listens, and whom it hangs up on."""

import http.client
import logging
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from ostinato.dataset.convert import SOURCE_FORMATS
from ostinato.errors import SettingsError
from ostinato.studio import api, server
from ostinato.studio.server import STATIC, create_app, listen, make_server, url_of
from studio_parts import small_models, studio_client


@pytest.fixture(name="client", scope="module")
def _client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with studio_client(small_models(tmp_path_factory.mktemp("models"))) as client:
        yield client


def test_the_page_and_its_files_are_there(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-cache"
    assert page.headers["content-security-policy"].startswith("default-src 'self'")
    scripts = sorted(STATIC.glob("*.js"))
    for path in scripts:
        response = client.get(f"/static/{path.name}")
        assert response.status_code == 200
        assert "javascript" in response.headers["content-type"]
    assert client.head("/").status_code == 200


def test_what_draws_notation_is_there_with_its_license(client: TestClient) -> None:
    (script,) = (STATIC / "abcjs").glob("*.js")
    version = script.stem.rpartition("-")[2]
    response = client.get(f"/static/abcjs/{script.name}")
    assert response.text.startswith(f"/*! abcjs_basic v{version} Copyright")
    assert script.name in client.get("/static/engraving.js").text
    assert f"version={version}\n" in (STATIC.parents[3] / "scripts" / "fetch_abcjs").read_text(encoding="utf-8")
    assert "Permission is hereby granted, free of charge" in client.get("/static/abcjs/LICENSE").text
    # What its policy would forbid the page, see scripts/fetch_abcjs.
    assert ".insertStyles=function(e){}" in response.text
    assert 'dummySvg.setAttribute("style"' not in response.text


def test_the_page_is_sent_packed(client: TestClient) -> None:
    """A tablet over a school's network loads it, thirty of them at once."""
    for path in ("/", "/static/main.js", "/static/studio.css"):
        packed = client.get(path, headers={"Accept-Encoding": "gzip"})
        plain = client.get(path, headers={"Accept-Encoding": "identity"})
        assert packed.content == plain.content
        assert packed.headers["content-encoding"] == "gzip"
        assert "content-encoding" not in plain.headers
        assert int(packed.headers["content-length"]) < 0.45 * len(plain.content)
    unchanged = client.get("/static/main.js", headers={"If-None-Match": packed_tag(client)})
    assert (unchanged.status_code, unchanged.content) == (304, b"")


def packed_tag(client: TestClient) -> str:
    return client.get("/static/main.js").headers["etag"]


def test_the_page_offers_files_of_every_ending_that_is_read(client: TestClient) -> None:
    found = re.search(r'accept="([^"]*)"', client.get("/").text)
    assert found
    assert set(SOURCE_FORMATS) <= set(found[1].split(","))


@pytest.mark.parametrize(
    "path",
    [
        "/x",
        "/api",
        "/api/",
        "/api/x",
        "/static/",
        "/static/x.js",
        "/static/../server.py",
        "/static/%2e%2e/server.py",
        "/%00",
        "/static/%00",
        "/static/%ff",
    ],
)
def test_elsewhere_is_nothing(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert response.json()["error"].startswith('there is nothing at "/')


@pytest.mark.parametrize(
    ("method", "path", "allowed"), [("GET", "/api/wav", "POST"), ("DELETE", "/api/models", "GET, HEAD")]
)
def test_another_method_is_refused(client: TestClient, method: str, path: str, allowed: str) -> None:
    response = client.request(method, path)
    assert response.status_code == 405
    assert sorted(response.headers["allow"].split(", ")) == allowed.split(", ")
    assert response.json()["error"].startswith(f'{method} is no method of "{path}"; use ')


def test_other_pages_and_hosts_are_refused(client: TestClient) -> None:
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 403
    refused = client.post("/api/generate", json={"num_steps": 4}, headers={"Origin": "https://evil.example"})
    assert refused.status_code == 403


def test_a_mistake_of_ours_is_a_sentence_too(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(api, "generated", fail)
    response = client.post("/api/generate", json={"num_steps": 4})
    assert response.status_code == 500
    assert response.json() == {"error": "something went wrong that should not; the studio's log says more"}
    assert response.headers["content-security-policy"]


def test_a_free_port_is_found() -> None:
    with listen("127.0.0.1", 0) as bound:
        assert bound.getsockname()[0] == "127.0.0.1"
        assert bound.getsockname()[1] > 0


def test_a_taken_port_is_refused() -> None:
    with listen("127.0.0.1", 0) as bound:
        port = bound.getsockname()[1]
        with pytest.raises(SettingsError, match=f"--port={port} is taken; choose another, or 0 for any that is free"):
            listen("127.0.0.1", port)


def test_where_the_default_port_is_taken_the_next_free_one_is_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with listen("127.0.0.1", 0) as first:
        default = first.getsockname()[1]
        monkeypatch.setattr(server, "DEFAULT_PORT", default)
        with caplog.at_level(logging.INFO), listen("127.0.0.1", default) as second:
            port = second.getsockname()[1]
            assert default < port <= default + 20
        assert caplog.messages == [f"port {default} is taken, so this is port {port}"]


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_an_address_that_is_not_here_is_refused(host: str) -> None:
    with pytest.raises(SettingsError, match=f"--host={host}, --port=0: cannot listen there: "):
        listen(host, 0)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80/"),
        ("localhost", "http://localhost:80/"),
        ("::1", "http://[::1]:80/"),
        ("0.0.0.0", "http://127.0.0.1:80/"),
        ("::", "http://[::1]:80/"),
        ("192.168.1.5", "http://192.168.1.5:80/"),
    ],
)
def test_the_address_to_open(host: str, url: str) -> None:
    assert url_of(host, 80) == url


@pytest.fixture(name="port")
def _port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A studio at work, with little patience."""
    monkeypatch.setattr(server, "HEADER_SECONDS", 0.2)
    with listen("127.0.0.1", 0) as bound:
        port = bound.getsockname()[1]
        running = make_server(create_app(small_models(tmp_path), port=port))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            yield port
        finally:
            running.should_exit = True
            thread.join(10)
            assert not thread.is_alive()


def test_it_answers_over_a_network(port: int) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        for _ in range(2):  # over one connection
            connection.request("POST", "/api/generate", b'{"num_steps":4}', {"Content-Type": "application/json"})
            response = connection.getresponse()
            assert (response.status, b'"variations":' in response.read()) == (200, True)
            assert response.getheader("server") is None


@pytest.mark.parametrize("sent", [b"", b"GET / HTT", b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_a_client_that_asks_nothing_is_hung_up_on(port: int, sent: bytes) -> None:
    with _connected(port) as client:
        client.sendall(sent)
        began = time.monotonic()
        assert client.recv(100) == b""
        assert 0.1 < time.monotonic() - began < 3


def test_a_client_that_asks_its_second_question_too_slowly_is_hung_up_on(port: int) -> None:
    with _connected(port) as client:
        client.sendall(f"HEAD / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        assert client.recv(10_000).startswith(b"HTTP/1.1 200")
        client.sendall(b"GET /")
        assert client.recv(100) == b""


def test_a_client_that_goes_on_after_it_was_refused_is_hung_up_on(port: int) -> None:
    head = f"POST /api/midi HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    with _connected(port) as client:
        client.sendall(f"{head}Content-Length: 1000000000\r\n\r\n".encode())
        assert client.recv(10_000).startswith(b"HTTP/1.1 413")
        with pytest.raises(OSError, match=r"Broken pipe|reset by peer"):
            _drip(client)


def test_who_was_refused_may_ask_again(port: int) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        for _ in range(2):
            connection.request("POST", "/api/midi", bytes(1_000_000), {"Content-Type": "application/json"})
            response = connection.getresponse()
            assert (response.status, response.read()[:10]) == (413, b'{"error":"')


def test_what_is_no_http_is_refused_and_the_studio_goes_on(port: int) -> None:
    with _connected(port) as client:
        client.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert client.recv(10_000).startswith(b"HTTP/1.1 400")
    with _connected(port) as client:
        client.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX: {'x' * 20_000}".encode())  # and so on
        assert client.recv(10_000).startswith(b"HTTP/1.1 4")
    test_it_answers_over_a_network(port)


def test_clients_that_vanish_cost_nothing(port: int) -> None:
    for _ in range(30):  # more than there are places
        with _connected(port) as client:
            request = b'{"num_steps":4}'
            client.sendall(
                f"POST /api/generate HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(request)}\r\n\r\n".encode()
                + request
            )
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:  # until those that had begun are done
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            connection.request("POST", "/api/generate", b'{"num_steps":4}', {"Content-Type": "application/json"})
            if connection.getresponse().status == 200:
                return
        time.sleep(0.05)
    pytest.fail("there is still no place")


@contextmanager
def _connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        yield client


def _drip(client: socket.socket) -> None:
    for _ in range(500):
        client.sendall(b" ")
        time.sleep(0.01)
