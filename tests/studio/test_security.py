"""Who is let in."""

import pytest
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from ostinato.studio.bodies import json_response
from ostinato.studio.security import Guard, is_loopback

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
        assert response.json() == {"error": "the Host is not this studio's; open the address that it printed"}


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
