"""The studio as a whole: its page, its files, and what it says where it has nothing."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from ostinato.studio import answers
from ostinato.studio.app import STATIC
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


@pytest.mark.parametrize(
    "path",
    [
        "/x",
        "/api",
        "/api/",
        "/api/x",
        "/static/",
        "/static/x.js",
        "/static/../app.py",
        "/static/%2e%2e/app.py",
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

    monkeypatch.setattr(answers, "generate", fail)
    response = client.post("/api/generate", json={"num_steps": 4})
    assert response.status_code == 500
    assert response.json() == {"error": "something went wrong that should not; the studio's log says more"}
    assert response.headers["content-security-policy"]
