"""What docs/reference/http-api.md tells programs to send is answered, and what it tells of limits is so."""

import json
import re
import shlex
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import symusic
from starlette.testclient import TestClient

from ostinato.formats.midi.writer import note_sequence_to_midi
from ostinato.music.melody import Melody
from ostinato.studio.openapi import document
from ostinato.studio.server import create_app, listen, make_server
from studio_parts import HOME, small_models, studio_client

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "http-api.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:8765"


@pytest.fixture(name="client", scope="module")
def _client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with studio_client(small_models(tmp_path_factory.mktemp("models"))) as client:
        yield client


def _blocks(language: str) -> str:
    return "".join(re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("command", _blocks("sh").splitlines())
def test_every_curl_command_is_answered(client: TestClient, command: str) -> None:
    """The commands are read as curl reads them, but for -o, which is where the answer goes."""
    curl, url, *flags = shlex.split(command)
    options = dict(zip(flags[::2], flags[1::2], strict=True))
    assert curl == "curl"
    assert url.startswith(ADDRESS)
    assert options.keys() <= {"--json", "-H", "--data-binary", "-o"}
    url = url.replace(ADDRESS, HOME)
    if "--json" in options:
        response = client.post(url, content=options["--json"], headers={"Content-Type": "application/json"})
    elif "--data-binary" in options:
        primer = Melody([60, -2, 62, -2]).to_note_sequence()
        name, _, value = options["-H"].partition(": ")
        response = client.post(url, content=note_sequence_to_midi(primer), headers={name: value})
    else:
        response = client.get(url)
    assert response.status_code == 200, response.content


def test_the_python_program_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with listen("127.0.0.1", 0) as bound:
        port = bound.getsockname()[1]
        running = make_server(create_app(small_models(tmp_path), port=port))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            exec(compile(_blocks("python").replace(ADDRESS, f"http://127.0.0.1:{port}"), "http-api.md", "exec"), {})
        finally:
            running.should_exit = True
            thread.join(10)
    score: Any = symusic.Score(tmp_path / "likeliest.mid")
    assert score.tracks[0].notes


def test_it_names_every_path_and_every_member() -> None:
    for path in document()["paths"]:
        assert f" {path}`" in PAGE
    for schema in (
        "GenerateRequest",
        "Variation",
        "Step",
        "Track",
        "Generated",
        "MidiRequest",
        "WavRequest",
        "ScoreRequest",
        "LearnRequest",
        "Learning",
        "TuneReport",
    ):
        for member in document()["components"]["schemas"][schema]["properties"]:
            assert f"`{member}`" in PAGE, member


def test_its_limits_are_those_described() -> None:
    schemas = document()["components"]["schemas"]
    told = {
        "num_steps": "1 to 1024",
        "variations": "1 to 8",
        "temperature": "0.1 to 2",
        "top_k": "0 to 256",
        "steps_per_bar": "1 to 64",
        "min_note": "0 to 127",
    }
    for member, limits in told.items():
        schema = schemas["GenerateRequest"]["properties"][member]
        schema = schema.get("anyOf", [schema])[0]  # a value, or null
        assert limits == f"{schema['minimum']} to {schema['maximum']:g}"
        assert re.search(rf"^\| `{member}`.*\| {re.escape(limits)}", PAGE, re.MULTILINE), member
    assert json.dumps(schemas["MidiRequest"]["properties"]["qpm"]["maximum"]) == "400.0"
