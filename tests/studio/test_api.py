"""The API as programs meet it: every answer is as described, and nothing that is asked breaks it."""

import contextlib
import dataclasses
import io
import json
import math
import threading
import wave
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote

import msgspec
import numpy as np
import pytest
import symusic
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from starlette.testclient import TestClient

from midi_files import END, NOTE, midi
from ostinato.errors import DataError, FormatError
from ostinato.formats.midi.writer import note_sequence_to_midi
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.music.melody import Melody
from ostinato.sound.recorded import FOLDER, instrument_names
from ostinato.studio import api
from ostinato.studio.api import (
    Api,
    Candidate,
    candidates,
    file_names,
    generated,
    midi_archive,
    midi_file,
    wav_file,
)
from ostinato.studio.models import Models
from ostinato.studio.openapi import document
from ostinato.studio.schema import GenerateRequest, MelodyJson, MidiRequest, WavRequest, read_request
from ostinato.studio.security import MAX_UPLOAD_BYTES
from ostinato.studio.workers import Workers
from studio_parts import ATTENTION_LENGTH, small_models, studio_client

MELODY = {"events": [60, -2, 62, -2, -1, -2], "steps_per_bar": 12}
TRIPLE = {"events": [60, -2, 62, -2], "steps_per_bar": 12}


@pytest.fixture(name="models", scope="module")
def _models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return small_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(name="client", scope="module")
def _client(models: Models) -> Iterator[TestClient]:
    with studio_client(models) as client:
        yield client


def _described(response: Any) -> Any:
    """The answer's JSON value, or its bytes, after comparing it with the API's description."""
    operation = document()["paths"][response.request.url.path][response.request.method.lower()]
    assert str(response.status_code) in operation["responses"], response.content
    described = operation["responses"][str(response.status_code)]
    if "$ref" in described:
        described = document()["components"]["responses"][described["$ref"].rpartition("/")[2]]
    content_type = response.headers["content-type"]
    assert content_type in described["content"]
    for header in described.get("headers", {}):
        assert header in response.headers
    if content_type != "application/json":
        return response.content
    schema = described["content"][content_type]["schema"]
    Draft202012Validator({**schema, "components": document()["components"]}).validate(response.json())
    return response.json()


def test_all_that_there_is_is_described_and_the_other_way_round(models: Models) -> None:
    served = {
        (route.path, method.lower())
        for route in Api(models, Workers()).routes()
        for method in (route.methods or set()) - {"HEAD"}
    }
    described = {(path, method) for path, operations in document()["paths"].items() for method in operations}
    assert served == described


def test_the_models_and_the_limits(client: TestClient) -> None:
    answer = _described(client.get("/api/models"))
    assert [(model["name"], model["default"]) for model in answer["models"]] == [
        ("plain", True),
        ("watchful", False),
        ("finite", False),
    ]
    assert answer["limits"] == {
        "max_steps": 1024,
        "max_bars": 32,
        "max_fill_bars": 16,
        "max_variations": 8,
        "max_upload_bytes": MAX_UPLOAD_BYTES,
    }


def test_the_description_is_served(client: TestClient) -> None:
    assert _described(client.get("/api/openapi.json")) == json.loads(json.dumps(document()))


@pytest.mark.parametrize("model", [None, "plain", "watchful"])
@pytest.mark.parametrize("primer", [None, MELODY])
@pytest.mark.parametrize("explain", [True, False])
def test_melodies(client: TestClient, model: str | None, primer: Any, explain: bool) -> None:
    asked = {"num_steps": 20, "model": model, "primer": primer, "variations": 2, "seed": 7, "explain": explain}
    answer = _described(client.post("/api/generate", json=asked))
    assert answer["model"] == (model or "plain")
    assert [len(each["events"]) for each in answer["variations"]] == [20, 20]
    again = _described(client.post("/api/generate", json=asked))
    assert again["variations"] == answer["variations"]
    # From a step on, and further: the answer is a primer.
    begun = {"events": answer["variations"][1]["events"][:15], "steps_per_bar": answer["steps_per_bar"]}
    if max(begun["events"]) >= 0:
        (further,) = _described(client.post("/api/generate", json={**asked, "primer": begun, "variations": 1}))[
            "variations"
        ]
        assert (further["events"][:15], further["primer_steps"]) == (begun["events"], 15)


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"num_steps": 8, "model": "other"}, "no model is called 'other'; there are plain, watchful, finite"),
        ({"num_steps": 8, "key": "H sharp"}, ""),
        ({"num_steps": 8, "min_note": 70, "max_note": 60}, ""),
        ({"num_steps": 8, "variations": 9}, "variations must be an integer of 1 to 8, not 9"),
        ({"num_steps": 1025}, "num_steps must be an integer of 1 to 1024, not 1025"),
        ({"num_steps": 8, "primer": {"events": [-2, -1]}}, "the primer [-2, -2] holds no note; give it a pitch"),
        (
            {"num_bars": 1, "until_end": True},
            "lookback_rnn has not learned where tunes end; take another model, or leave out until_end",
        ),
        (
            {"num_bars": 1, "ending": True},
            "lookback_rnn has not learned where tunes end; take another model, or leave out ending",
        ),
        ({"fill": [1, 1]}, "fill makes bars of a primer anew, but there is none; give it a melody"),
        (
            {"fill": [2, 1], "primer": {"events": [60] * 40}},
            "fill=(2, 1) must be the first and the last bar, counted from 1, such as (5, 8)",
        ),
        (
            {"fill": [2, 4], "primer": {"events": [60] * 40}},
            "fill=2-4 leaves nothing to follow it: the primer has 2.5 bars; go on from its beginning instead",
        ),
        (
            {"fill": [1, 1], "num_bars": 2, "primer": {"events": [60] * 40}},
            "fill keeps the primer's length; leave out num_bars and until_end",
        ),
        (
            {"fill": [1, 1], "ending": True, "primer": {"events": [60] * 40}},
            "fill keeps the primer's length and end; leave out num_bars, ending and until_end",
        ),
        (
            {"fill": [1, 3], "primer": {"events": [60] * 40}},
            "no note comes before bar 1, and all after it would be new; lock a bar that has one",
        ),
        (
            {"fill": [1, 2], "locked": [2, 1], "primer": {"events": [60] * 40}},
            "all bars of fill=[1, 2] are locked; take one of them out of locked",
        ),
        (
            {"num_bars": 4, "locked": [1], "primer": {"events": [60] * 40}},
            "locked bars stay where others are made anew; give fill, or leave locked out",
        ),
        (
            {"num_steps": 2, "primer": {"events": [60, -2]}},
            "the primer is 2 steps long but 2 steps were asked for in all; ask for more, or shorten the primer",
        ),
    ],
)
def test_what_cannot_be_made_is_refused_in_a_sentence(client: TestClient, asked: Any, error: str) -> None:
    response = client.post("/api/generate", json=asked)
    assert response.status_code == 400
    refusal = _described(response)["error"]
    assert refusal.startswith(error)
    assert "\n" not in refusal
    assert "Traceback" not in refusal


def test_a_primer_of_each_track(client: TestClient) -> None:
    data = midi(f"00 ff 03 05 46 6c 75 74 65 {NOTE} {END}", f"{NOTE} {END}")
    expected = {
        "events": [60, -2, -2, -2],
        "steps_per_bar": 16,
        "meter": "4/4",
        "ends": True,
        "chords": [],
        "qpm": 120.0,
        "num_notes": 1,
        "length": 4,
    }
    for said in ("audio/midi", "application/octet-stream"):
        answer = _described(client.post("/api/primer?filename=a.mid", content=data, headers={"Content-Type": said}))
        assert answer == {"tracks": [{"track": 0, "name": "Flute", **expected}, {"track": 1, "name": "", **expected}]}


def test_a_primer_of_abc(client: TestClient) -> None:
    book = b"X:1\nM:3/4\nL:1/4\nK:C\nCDE|\n"
    said = {"Content-Type": "audio/midi"}  # as the page says of every file; what is in it decides
    (track,) = _described(client.post("/api/primer?filename=a.abc", content=book, headers=said))["tracks"]
    assert (track["events"], track["steps_per_bar"]) == ([60, -2, -2, -2, 62, -2, -2, -2, 64, -2, -2, -2], 12)


@pytest.mark.parametrize(
    ("headers", "query", "name"),
    [
        ({}, "", "the file"),
        ({}, "?filename=My%20song.mid", "My song.mid"),
        ({"filename": "song.mid"}, "", "song.mid"),
        ({}, "?filename=a%0a%1bb%00", "ab"),
        ({}, "?filename=" + "x" * 200, "x" * 100),
    ],
)
def test_a_bad_file_is_refused_by_its_name(client: TestClient, headers: dict[str, str], query: str, name: str) -> None:
    response = client.post(f"/api/primer{query}", content=b"RIFF", headers={"Content-Type": "audio/midi", **headers})
    assert response.status_code == 400
    assert _described(response)["error"].startswith(f"{name}: ")


def test_too_large_a_file_is_refused(client: TestClient) -> None:
    response = client.post("/api/primer", content=bytes(MAX_UPLOAD_BYTES + 1), headers={"Content-Type": "audio/midi"})
    assert response.status_code == 413
    _described(response)


def test_one_melody_is_a_midi_file(client: TestClient) -> None:
    response = client.post("/api/midi", json={"melodies": [MELODY], "qpm": 90, "names": ["Größe"]})
    score: Any = symusic.Score.from_midi(_described(response))
    assert [note.pitch for note in score.tracks[0].notes] == [60, 62]
    assert score.tempos[0].qpm == pytest.approx(90, abs=0.001)
    kind, _, name = response.headers["content-disposition"].partition("; filename*=UTF-8''")
    assert (kind, unquote(name)) == ("attachment", "Größe.mid")


def test_several_melodies_are_an_archive(client: TestClient) -> None:
    response = client.post("/api/midi", json={"melodies": [MELODY, {"events": [70]}], "names": ["a", "a"]})
    with zipfile.ZipFile(io.BytesIO(_described(response))) as archive:
        assert archive.namelist() == ["a.mid", "a-2.mid"]
        scores: list[Any] = [symusic.Score.from_midi(archive.read(name)) for name in archive.namelist()]
    assert [score.tracks[0].notes[0].pitch for score in scores] == [60, 70]


def test_melodies_over_chords(client: TestClient) -> None:
    asked = {"num_steps": 32, "model": "plain", "chords": "C | Am7", "chord_strength": 1, "seed": 1}
    made = _described(client.post("/api/generate", json=asked))
    assert [variation["chords"] for variation in made["variations"]] == [[[0, "C"], [16, "Am7"]]] * 4
    refused = client.post("/api/generate", json=asked | {"chords": "C | Q"})
    assert refused.status_code == 400
    assert "bar 2: there is no chord 'Q'" in _described(refused)["error"]


def test_chords_are_written_and_played(client: TestClient) -> None:
    melody = MELODY | {"chords": [[0, "C"]]}
    response = client.post("/api/midi", json={"melodies": [melody], "accompaniment": "block"})
    score: Any = symusic.Score.from_midi(_described(response))
    assert [sorted({note.pitch for note in track.notes}) for track in score.tracks] == [[60, 62], [48, 52, 55, 60]]
    assert client.post("/api/wav", json=melody | {"accompaniment": "bass"}).status_code == 200
    refused = client.post("/api/midi", json={"melodies": [MELODY], "accompaniment": "block"})
    assert "the melody has none" in _described(refused)["error"]


def test_a_files_chords_come_with_its_melody(client: TestClient) -> None:
    tune = b'X:1\nM:4/4\nL:1/4\nK:C\n"C"CEGE | "G7/B"FDGF | "C"E4 |]\n'
    (track,) = _described(client.post("/api/primer", content=tune, headers={"Content-Type": "audio/midi"}))["tracks"]
    assert track["chords"] == [[0, "C"], [16, "G7/B"], [32, "C"]]


def test_chords_for_a_melody(client: TestClient) -> None:
    events = [60, -2, -2, -2, 64, -2, -2, -2, 67, -2, -2, -2, 64, -2, -2, -2]
    answer = _described(client.post("/api/harmonize", json={"events": events, "key": "C", "alternatives": 2}))
    first, second = answer["ways"]
    assert first == [[0, "C"]]
    assert second != first


def test_chords_are_read_one_by_one(client: TestClient) -> None:
    answer = _described(client.post("/api/chords", json={"chords": "C | N.C. H7/A", "meter": "3/4"}))
    assert answer["num_steps"] == 24
    # C3 below C, E and G from E3 on; A2 below B, D sharp, F sharp and A.
    assert answer["chords"] == [
        {"step": 0, "name": "C", "root": 0, "pitches": [48, 52, 55, 60]},
        {"step": 12, "name": "N.C.", "root": None, "pitches": []},
        {"step": 20, "name": "B7/A", "root": 11, "pitches": [45, 54, 57, 59, 63]},
    ]
    refused = client.post("/api/chords", json={"chords": "C | Xm"})
    assert refused.status_code == 400
    assert "bar 2: there is no chord 'Xm'" in refused.json()["error"]


def test_a_melody_is_a_sound(client: TestClient) -> None:
    response = client.post("/api/wav", json={**MELODY, "qpm": 240})
    with wave.open(io.BytesIO(_described(response))) as sound:
        assert sound.getnframes() / sound.getframerate() > 6 / 16


UPBEAT_SENT = {
    # Two eighths before the bar line, then three quarters and a half note tied over the next one.
    "events": [-2, -2, -2, -2, -2, -2, -2, -2, 62, -2, 64, -2, 66, -2, -2, -2, -2, -2, 69, -2, -2, -2, -2, -2],
    "meter": "3/4",
    "qpm": 97.5,
    "title": "A tune",
}


def test_a_melody_is_a_score(client: TestClient) -> None:
    response = client.post("/api/score", json={**UPBEAT_SENT, "format": "abc", "key": "D"})
    written = _described(response).decode()
    head = ["X:1", "T:A tune", "M:3/4", "L:1/8", "Q:1/4=97.5", "K:D"]
    assert written.splitlines() == ["%abc-2.1", "", *head, "DE | F3 A- A2 |]"]
    assert response.headers["content-disposition"] == "attachment; filename*=UTF-8''melody.abc"

    response = client.post("/api/score", json={**UPBEAT_SENT, "format": "musicxml", "key": "D"})
    score = ET.fromstring(_described(response))
    assert [measure.get("number") for measure in score.iter("measure")] == ["0", "1"]
    assert [step.text for step in score.iter("step")] == ["D", "E", "F", "A", "A"]
    assert [time.text for time in next(score.iter("time"))] == ["3", "4"]


def test_a_score_has_the_key_that_fits_or_the_one_that_is_named(client: TestClient) -> None:
    scale = {"events": [62, -2, 64, -2, 66, -2, 67, -2, 69, -2, 71, -2, 73, -2, 74, -2], "format": "abc"}
    for key, line in ((None, "K:D"), ("A minor", "K:Am"), ("F# dorian", "K:F#dor")):
        assert line in _described(client.post("/api/score", json={**scale, "key": key})).decode().splitlines()
    refused = client.post("/api/score", json={**scale, "key": "H"})
    assert refused.status_code == 400
    assert _described(refused)["error"].startswith("there is no key 'H'; write a tonic and a mode")


def test_more_than_can_be_done_is_refused_and_the_rest_goes_on(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(*_: object) -> dict[str, Any]:
        begun.set()
        assert go_on.wait(10)
        return {}

    monkeypatch.setattr(api, "generated", slow)
    with studio_client(models, Workers(threads=1, waiting=0)) as client, ThreadPoolExecutor(1) as others:
        first = others.submit(client.post, "/api/generate", json={"num_steps": 4})
        assert begun.wait(10)
        refused = client.post("/api/generate", json={"num_steps": 4})
        assert refused.status_code == 503
        assert _described(refused) == {"error": "too much is being done at once; ask again in 1 second"}
        assert refused.headers["retry-after"] == "1"
        assert client.get("/api/models").status_code == 200
        go_on.set()
        assert first.result().status_code == 200


def test_a_wrong_type_and_wrong_json_are_refused(client: TestClient) -> None:
    assert _described(client.post("/api/generate", content=b"{}"))["error"].startswith("the Content-Type must be")
    for body in (b"", b"{", b"[]", b'{"num_steps":NaN}', b'{"num_steps":1,"num_steps":2}', b"\xff", b"[" * 9999):
        response = client.post("/api/generate", content=body, headers={"Content-Type": "application/json"})
        assert response.status_code == 400
        _described(response)


ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        True,
        False,
        0,
        1,
        -1,
        2,
        16,
        60,
        127,
        128,
        1024,
        2**53,
        10**30,
        0.5,
        -0.0,
        1e300,
        "",
        "C",
        "x" * 101,
        [],
        {},
    ]
)
EVENTS = st.lists(st.integers(-2, 127), min_size=1, max_size=8)
METERS_SENT = st.sampled_from(["4/4", "6/8", "2/16", "1/64", "9/7", "la"])
MELODY_SENT = st.fixed_dictionaries(
    {"events": EVENTS}, optional={"steps_per_bar": st.integers(1, 64), "meter": METERS_SENT, "ends": st.booleans()}
)
MAKE = st.fixed_dictionaries(
    {"num_steps": st.integers(1, 12)},
    optional={
        "num_bars": st.integers(1, 2),
        "ending": st.booleans(),
        "upbeat": st.booleans(),
        "until_end": st.booleans(),
        "fill": st.tuples(st.integers(1, 2), st.integers(1, 2)),
        "locked": st.lists(st.integers(1, 2), max_size=2),
        "meter": METERS_SENT,
        "model": st.sampled_from(["plain", "watchful", "finite", None]),
        "primer": MELODY_SENT | st.none(),
        "steps_per_bar": st.integers(1, 64),
        "variations": st.integers(1, 3),
        "temperature": st.floats(0.1, 2),
        "top_k": st.integers(0, 4),
        "top_p": st.floats(0, 1, exclude_min=True),
        "key": st.sampled_from(["C", "A minor", "F# major", "b dorian"]) | st.text(max_size=5),
        "min_note": st.integers(0, 70),
        "max_note": st.integers(50, 127),
        "chords": st.sampled_from(["C | Am", "F G7/B | %"]) | st.text(max_size=5),
        "chord_strength": st.floats(0, 1),
        "seed": st.integers(0, 2**53 - 1),
        "explain": st.booleans(),
    },
)
WRITE_MIDI = st.fixed_dictionaries(
    {"melodies": st.lists(MELODY_SENT, max_size=3)},
    optional={"qpm": st.floats(20, 400), "names": st.lists(st.text(min_size=1, max_size=5), max_size=3)},
)
WRITE_WAV = st.fixed_dictionaries(
    {"events": EVENTS, "qpm": st.floats(300, 400)},
    optional={
        "program": st.integers(0, 127),
        "instrument": st.sampled_from([*instrument_names(), None, "tuba"]),
        "clicks": st.booleans(),
    },
)
WRITE_SCORE = st.fixed_dictionaries(
    {"events": EVENTS | st.lists(st.integers(-2, 127), min_size=60, max_size=70)},
    optional={
        "format": st.sampled_from(["abc", "musicxml"]),
        "steps_per_bar": st.integers(1, 64),
        "meter": METERS_SENT | st.sampled_from(["5/8", "3/32", "4/1", "9/16", "23/8"]),
        "qpm": st.floats(20, 400),
        "key": st.sampled_from(["C", "A minor", "Cb locrian", "b blues", None]) | st.text(min_size=1, max_size=5),
        "title": st.text(min_size=1, max_size=5),
    },
)
HARMONIZE = st.fixed_dictionaries(
    {"events": EVENTS},
    optional={
        "meter": METERS_SENT,
        "key": st.sampled_from(["C", "A minor"]) | st.text(max_size=5),
        "chords_per_bar": st.integers(1, 2),
        "alternatives": st.integers(1, 3),
    },
)
READ_CHORDS = st.fixed_dictionaries(
    {"chords": st.text("CGb#m7/|% HN.", min_size=1, max_size=12) | st.text(min_size=1, max_size=8)},
    optional={"meter": METERS_SENT},
)
MINUTES = st.floats(0, 40)
ASKED = st.one_of(
    st.tuples(st.just("/api/generate"), MAKE),
    st.tuples(st.just("/api/midi"), WRITE_MIDI),
    st.tuples(st.just("/api/wav"), WRITE_WAV),
    st.tuples(st.just("/api/score"), WRITE_SCORE),
    st.tuples(st.just("/api/harmonize"), HARMONIZE),
    st.tuples(st.just("/api/chords"), READ_CHORDS),
    # No tunes are there, so that this begins nothing.
    st.tuples(
        st.just("/api/learn"), st.fixed_dictionaries({"name": st.text(max_size=41)}, optional={"minutes": MINUTES})
    ),
)


@st.composite
def nearly_right(draw: st.DrawFn) -> tuple[str, Any]:
    """A path and a body: a good request, of which some values may have become odd ones."""
    path, body = draw(ASKED)
    for _ in range(draw(st.integers(0, 2))):
        holder: Any = body
        while True:
            places = sorted(holder) if isinstance(holder, dict) else list(range(len(holder)))
            if not places:
                break
            place = draw(st.sampled_from(places))
            if isinstance(holder[place], (dict, list)) and draw(st.booleans()):
                holder = holder[place]
                continue
            holder[place] = draw(ODD)
            break
    return path, draw(st.sampled_from([body] * 19 + [[body]]))


@settings(deadline=None, max_examples=200)
@given(asked=nearly_right())
def test_whatever_json_is_asked_is_answered_or_refused(client: TestClient, asked: tuple[str, Any]) -> None:
    path, body = asked
    response = client.post(path, content=json.dumps(body).encode(), headers={"Content-Type": "application/json"})
    assert response.status_code in (200, 400), response.content
    _described(response)


@settings(deadline=None, max_examples=100)
@given(
    path=st.sampled_from(sorted(document()["paths"])),
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"]),
    said=st.sampled_from(["application/json", "audio/midi", "text/plain", ""]),
    body=st.binary(max_size=80) | st.just(midi(f"{NOTE} {END}")),
)
def test_whatever_bytes_are_sent_are_answered_or_refused(
    client: TestClient, path: str, method: str, said: str, body: bytes
) -> None:
    response = client.request(method, path, content=body, headers={"Content-Type": said})
    assert response.status_code < 500
    if response.status_code >= 400 and method != "HEAD":
        assert list(response.json()) == ["error"]


def _generate(models: Models, name: str, **members: Any) -> dict[str, Any]:
    request = read_request(json.dumps({"num_steps": 24, **members}).encode(), GenerateRequest)
    made: dict[str, Any] = json.loads(msgspec.json.encode(generated(models.model(name), name, request)))
    return made


def test_melodies_begin_with_the_primer_in_its_meter(models: Models) -> None:
    made = _generate(models, "plain", primer=TRIPLE, variations=3, seed=5)
    assert (made["model"], made["seed"], made["steps_per_bar"]) == ("plain", 5, 12)
    assert [len(each["events"]) for each in made["variations"]] == [24] * 3
    assert [each["events"][:4] for each in made["variations"]] == [TRIPLE["events"]] * 3
    assert [each["primer_steps"] for each in made["variations"]] == [4] * 3
    assert made["variations"] == _generate(models, "plain", primer=TRIPLE, variations=3, seed=5)["variations"]
    assert made["variations"][0] == _generate(models, "plain", primer=TRIPLE, variations=1, seed=5)["variations"][0]


def test_a_new_seed_is_told_and_gives_the_same_again(models: Models) -> None:
    made = _generate(models, "plain")
    assert 0 <= made["seed"] < 2**32
    assert _generate(models, "plain", seed=made["seed"])["variations"] == made["variations"]


@pytest.mark.parametrize("model", ["plain", "finite"])
def test_a_draw_goes_on_where_others_of_the_seed_ended(models: Models, model: str) -> None:
    all_of_them = _generate(models, model, seed=5, variations=6)["variations"]
    rest = _generate(models, model, seed=5, variations=2, draw=4)
    assert rest["draw"] == 4
    assert rest["variations"] == all_of_them[4:]
    assert _generate(models, model, seed=5, variations=1, draw=2**31 - 1)["variations"]


def test_each_drawn_step_is_explained(models: Models) -> None:
    for primer, first in ((TRIPLE, 4), (None, 1)):
        (made,) = _generate(models, "plain", primer=primer, variations=1, seed=1)["variations"]
        assert [step["step"] for step in made["steps"]] == list(range(first, 24))
        assert [step["event"] for step in made["steps"]] == made["events"][first:]
        for step in made["steps"]:
            probabilities = [probability for _, probability in step["candidates"]]
            assert probabilities == sorted(probabilities, reverse=True)
            assert sum(probabilities) <= 1.00001
            assert dict(step["candidates"]).get(step["event"], step["probability"]) == step["probability"]
        # Without any restriction, the steps' probabilities make up the likelihood of the whole.
        logarithms = sum(math.log(step["probability"]) for step in made["steps"])
        assert made["log_likelihood"] == pytest.approx(logarithms, abs=1e-2)
        assert made["attention"] is None


def test_repeats_are_told_by_their_distance(models: Models) -> None:
    made = _generate(models, "plain", num_steps=200, variations=8, seed=2)["variations"]
    repeats = [(each, step) for each in made for step in each["steps"] if step["repeat_steps"] is not None]
    assert {step["repeat_steps"] for _, step in repeats} == {16, 32}
    for each, step in repeats:
        assert each["events"][step["step"] - step["repeat_steps"]] == step["event"]


def test_the_attention_is_told_of_each_step(models: Models) -> None:
    made = _generate(models, "watchful", primer=TRIPLE, variations=2, seed=3)["variations"]
    for each in made:
        weights = np.array(each["attention"])
        assert weights.shape == (20, ATTENTION_LENGTH)
        assert np.allclose(weights.sum(axis=1), 1, atol=1e-3)


def test_an_upbeat_has_a_bar_of_its_own(models: Models) -> None:
    request = read_request(b'{"num_bars": 2, "upbeat": true, "variations": 3, "seed": 5}', GenerateRequest)
    made = json.loads(msgspec.json.encode(generated(models.model("plain"), "plain", request)))["variations"]
    for each in made:
        assert len(each["events"]) == (1 + 2) * 16
        assert each["events"][:8] == [-2] * 8
        assert each["primer_steps"] == 0
        assert [step["step"] for step in each["steps"]] == list(range(8, 48))


def test_without_explaining_the_same_melodies_come(models: Models) -> None:
    explained = _generate(models, "watchful", seed=4)["variations"]
    plain = _generate(models, "watchful", seed=4, explain=False)["variations"]
    assert [each["events"] for each in plain] == [each["events"] for each in explained]
    assert [each["log_likelihood"] for each in plain] == [each["log_likelihood"] for each in explained]
    assert [(each["steps"], each["attention"]) for each in plain] == [([], None)] * 4


def test_a_meter_goes_all_the_way(client: TestClient) -> None:
    asked = {"num_bars": 2, "meter": "6/8", "variations": 1}
    answer = _described(client.post("/api/generate", json=asked))
    assert (answer["meter"], answer["steps_per_bar"]) == ("6/8", 12)
    (made,) = answer["variations"]
    assert len(made["events"]) == 24
    melody = {"events": made["events"], "meter": answer["meter"]}
    data = _described(client.post("/api/midi", json={"melodies": [melody]}))
    score: Any = symusic.Score.from_midi(data)
    assert [(each.numerator, each.denominator) for each in score.time_signatures] == [(6, 8)]
    book = b"X:1\nM:6/8\nL:1/8\nK:C\nCDE FGA|Bcd e3|\n"
    (track,) = _described(client.post("/api/primer", content=book, headers={"Content-Type": "audio/midi"}))["tracks"]
    assert (track["meter"], track["steps_per_bar"], track["ends"]) == ("6/8", 12, True)


@pytest.mark.parametrize("primer", [None, {"events": [60, -2, 62, -2]}])
def test_melodies_end_in_their_last_bar(client: TestClient, primer: Any) -> None:
    asked = {"num_bars": 3, "meter": "6/8", "model": "finite", "variations": 8, "seed": 3, "primer": primer}
    answer = _described(client.post("/api/generate", json=asked))
    for made in answer["variations"]:
        assert made["ends"]
        assert 24 < len(made["events"]) <= 36
        first = made["primer_steps"] or 1
        assert [step["step"] for step in made["steps"]] == list(range(first, len(made["events"])))
        assert [step["event"] for step in made["steps"]] == made["events"][first:]
    assert len({len(made["events"]) for made in answer["variations"]}) > 1
    cut = _described(client.post("/api/generate", json={**asked, "ending": False}))["variations"]
    assert [(len(made["events"]), made["ends"]) for made in cut] == [(36, False)] * 8


def test_melodies_end_by_themselves(client: TestClient) -> None:
    asked = {"num_bars": 32, "until_end": True, "model": "finite", "variations": 8, "seed": 3}
    made = _described(client.post("/api/generate", json=asked))["variations"]
    assert any(each["ends"] for each in made)
    assert all(each["ends"] or len(each["events"]) == 512 for each in made)


@pytest.mark.parametrize("model", ["plain", "watchful", "finite"])
@pytest.mark.parametrize(("bars", "first_drawn"), [((2, 3), 12), ((1, 3), 1)])
def test_bars_are_filled_between_what_stays(
    client: TestClient, model: str, bars: tuple[int, int], first_drawn: int
) -> None:
    events = [60, -2, 62, -2, 64, -2] * 2 + [67, -2, -2, -1, -2, -2] * 4 + [65, -2, 64, -2, 60, -2, -2]
    primer = {"events": events, "meter": "6/8", "ends": True}
    asked = {"fill": bars, "primer": primer, "model": model, "variations": 3, "seed": 1}
    answer = _described(client.post("/api/generate", json=asked))
    assert answer["meter"] == "6/8"
    begin = 12 * (bars[0] - 1)
    for made in answer["variations"]:
        assert made["events"][:begin] + made["events"][36:] == events[:begin] + events[36:]
        assert (made["primer_steps"], made["kept_steps"], made["ends"]) == (begin, 7, True)
        assert [step["step"] for step in made["steps"]] == list(range(first_drawn, 36))
        assert [step["event"] for step in made["steps"]] == made["events"][first_drawn:36]
        assert made["attention"] is None or len(made["attention"]) == len(made["steps"])
    assert len({tuple(made["events"]) for made in answer["variations"]}) > 1


@pytest.mark.parametrize("model", ["plain", "watchful", "finite"])
def test_locked_bars_stay_and_the_melody_still_ends(client: TestClient, model: str) -> None:
    events = (
        [60, -2, 62, -2, 64, -2] * 2 + [67, -2, -2, -1, -2, -2] * 4 + [65, -2, 64, -2, 60, -2, -2]
    )  # 43 of 48 steps
    primer = {"events": events, "meter": "6/8", "ends": True}
    asked = {"fill": [2, 4], "locked": [3, 7], "primer": primer, "model": model, "variations": 3, "seed": 1}
    made = _described(client.post("/api/generate", json=asked))["variations"]
    for each in made:
        assert each["events"][:12] + each["events"][24:36] == events[:12] + events[24:36]
        assert (each["primer_steps"], each["kept_steps"], each["ends"]) == (12, 0, model == "finite")
        assert 36 < len(each["events"]) <= 48
        drawn = [*range(12, 24), *range(36, len(each["events"]))]
        assert [step["step"] for step in each["steps"]] == drawn
        assert [step["event"] for step in each["steps"]] == [each["events"][step] for step in drawn]
        assert each["attention"] is None or len(each["attention"]) == len(drawn)
    assert len({tuple(each["events"]) for each in made}) > 1
    again = _described(client.post("/api/generate", json={**asked, "variations": 2, "draw": 1}))["variations"]
    assert [each["events"] for each in again] == [each["events"] for each in made[1:]]


def test_key_and_range_hold(models: Models) -> None:
    made = _generate(models, "plain", num_steps=100, seed=6, key="C", min_note=60, max_note=72, temperature=2)
    pitches = {event for each in made["variations"] for event in each["events"] if event >= 0}
    assert pitches <= {60, 62, 64, 65, 67, 69, 71, 72}
    assert len(pitches) > 3


def test_a_midi_file_holds_the_melody() -> None:
    data = midi_file(MidiRequest((MelodyJson((60, -2, -2, -1, 64, -2), 12),), 90.0))
    assert _notes(data) == [(60, 0, 3), (64, 4, 2)]
    score: Any = symusic.Score.from_midi(data)
    assert score.tempos[0].qpm == pytest.approx(90, abs=0.001)
    assert (score.time_signatures[0].numerator, score.time_signatures[0].denominator) == (3, 4)


def test_an_archive_holds_a_file_for_each() -> None:
    data = midi_archive(MidiRequest((MelodyJson((60,)), MelodyJson((62,)), MelodyJson((64,)))))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["melody-1.mid", "melody-2.mid", "melody-3.mid"]
        assert [_notes(archive.read(name))[0][0] for name in archive.namelist()] == [60, 62, 64]


def test_files_have_safe_names_and_no_two_the_same() -> None:
    asked = ("Tune", "tune.mid", "../../etc/passwd", "C:\\x", "Größe 1", "...", "  ", "a" * 100)
    request = MidiRequest((MelodyJson((60,)),) * len(asked), names=asked)
    assert file_names(request) == [
        "Tune.mid",
        "tune-2.mid",
        "etc_passwd.mid",
        "C_x.mid",
        "Größe 1.mid",
        "melody.mid",
        "melody-2.mid",
        "a" * 60 + ".mid",
    ]


def test_sound_lasts_as_long_as_the_melody() -> None:
    data = wav_file(WavRequest((60, -2, -2, -2) * 2))
    with wave.open(io.BytesIO(data)) as sound:
        seconds = sound.getnframes() / sound.getframerate()
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
    assert 1.0 <= seconds < 6.0  # 8 steps of an eighth of a second, and the sound dying away
    assert 3_000 < int(np.abs(samples.astype(int)).max()) <= 32_767


def _samples(request: WavRequest) -> Any:
    """[n, 2] samples of a WAV file."""
    with wave.open(io.BytesIO(wav_file(request))) as sound:
        return np.frombuffer(sound.readframes(sound.getnframes()), "<i2").reshape(-1, 2).astype(float)


@pytest.mark.parametrize(("meter", "beats"), [("6/8", (0, 6, 12, 18)), ("3/4", (0, 4, 8, 12, 16, 20))])
def test_sound_clicks_on_the_beats_of_the_meter(meter: str, beats: tuple[int, ...]) -> None:
    silence = (-2,) * 23 + (60,)  # of two bars, but for a note at the end
    samples = np.abs(_samples(WavRequest(silence, meter=meter, qpm=60.0, clicks=True))[:, 0])
    step = 44_100 // 4
    loudness = [samples[place * step : place * step + 2_000].max() for place in range(23)]
    assert [place for place, loud in enumerate(loudness) if loud > 1_000] == list(beats)
    assert all(loudness[0] > 1.2 * loudness[place] for place in beats if place not in (0, 12))
    assert _samples(WavRequest(silence, meter=meter, qpm=60.0))[: 20 * step].max() == 0


def test_sound_stays_in_the_middle_and_has_its_instrument() -> None:
    scale = tuple(event for pitch in range(60, 73) for event in (pitch, -2, -2, -2))
    piano, flute = (_samples(WavRequest(scale, program=program)) for program in (0, 73))
    for samples in (piano, flute):
        assert np.array_equal(samples[:, 0], samples[:, 1])
    # A piano's note dies away, a flute's does not.
    shares = [np.abs(samples[17_000:20_000]).max() / np.abs(samples[2_000:5_000]).max() for samples in (piano, flute)]
    assert shares[0] < 0.8 < shares[1]


def test_sound_has_a_recorded_instrument_in_place_of_the_program() -> None:
    scale = tuple(event for pitch in range(60, 73) for event in (pitch, -2, -2, -2))
    made = [_samples(WavRequest(scale, program=73, instrument=name)) for name in (None, "violin", "flute")]
    assert len({samples.tobytes() for samples in made}) == 3
    assert {samples.shape for samples in made} == {made[0].shape}


def test_the_recorded_instruments_are_served(client: TestClient) -> None:
    for name in instrument_names():
        answer = client.get(f"/static/instruments/{name}.bin")
        assert answer.status_code == 200
        assert answer.content == (FOLDER / f"{name}.bin").read_bytes()
    assert client.get("/static/instruments/instruments.json").json().keys() == set(instrument_names())
    assert "Frank Wen" in client.get("/static/instruments/LICENSE").text


def _notes(data: bytes) -> list[tuple[int, float, float]]:
    """Pitch, start and length in 16ths, as another library reads them."""
    score: Any = symusic.Score.from_midi(data)
    step = score.ticks_per_quarter / 4
    return [(note.pitch, note.time / step, note.duration / step) for track in score.tracks for note in track.notes]


def _file(tracks: dict[str, list[tuple[int, int, int]]], meter: tuple[int, int] = (4, 4), qpm: float = 120.0) -> bytes:
    """Tracks by their names, of pitches with the 16ths from which to which they sound."""
    sequence = NoteSequence(ticks_per_quarter=220)
    sequence.tempos.add(qpm=qpm)
    sequence.time_signatures.add(numerator=meter[0], denominator=meter[1])
    second = 60 / qpm / 4
    for number, (name, notes) in enumerate(tracks.items()):
        sequence.instrument_infos.add(instrument=number, name=name)
        for pitch, start, end in notes:
            sequence.notes.add(
                instrument=number, pitch=pitch, velocity=90, start_time=start * second, end_time=end * second
            )
    return note_sequence_to_midi(sequence)


def test_each_track_gives_one() -> None:
    data = _file({"Flute": [(72, 0, 2), (74, 4, 6)], "Chords": [(60, 4, 8), (64, 4, 8), (67, 8, 10)]}, (3, 4), 90.0)
    found = candidates(data, "song.mid")
    flute, chords = [dataclasses.replace(each, qpm=round(each.qpm, 3)) for each in found]
    assert [each.qpm for each in found] == pytest.approx([60_000_000 / 666_667] * 2)  # MIDI counts microseconds
    assert flute == Candidate(0, "Flute", Melody([72, -2, -1, -2, 74, -2], steps_per_bar=12), 6, 90.0)
    # A melody begins with the bar of its first note, and of a chord has the top note.
    events = [-2, -2, -2, -2, 64, -2, -2, -2, 67, -2]
    assert chords == Candidate(1, "Chords", Melody(events, steps_per_bar=12), 10, 90.0)


def test_a_book_of_abc_gives_one_of_each_tune() -> None:
    book = b"X:3\nM:3/4\nL:1/4\nQ:1/4=90\nK:C\nCDE|\n\nX:7\nL:1/4\nM:4/4\nK:C\nGABc|\n"
    first, second = candidates(book, "book.abc")
    assert first == Candidate(
        0, "Tune 3", Melody([60, -2, -2, -2, 62, -2, -2, -2, 64, -2, -2, -2], steps_per_bar=12), 12, 90.0
    )
    assert (second.track, second.name, second.melody.pitches) == (1, "Tune 7", (67, 69, 71, 72))


def test_the_likeliest_track_comes_first() -> None:
    bass = [(36 + 7 * (half % 2), 8 * half, 8 * half + 8) for half in range(32)]
    voice = [(60 + step % 5, 4 * step, 4 * step + 4) for step in range(32)]
    assert [found.name for found in candidates(_file({"Bass": bass, "Voice": voice}), "song.mid")] == ["Voice", "Bass"]


def test_a_long_one_is_cut_after_whole_bars() -> None:
    notes = [(60 + step % 12, step, step + 1) for step in range(600)]
    (common,) = candidates(_file({"": notes}), "song.mid")
    assert (len(common.melody), common.length) == (512, 600)
    (waltz,) = candidates(_file({"": notes}, (3, 4)), "song.mid")
    assert (len(waltz.melody), waltz.length) == (504, 600)
    assert waltz.melody.events == tuple(pitch for pitch, _, _ in notes[:504])


@pytest.mark.parametrize(
    ("data", "kind", "error"),
    [
        (b"", FormatError, "song.mid: "),
        (b"RIFF....WAVE", FormatError, "song.mid: "),
        (midi("00 90 3c"), FormatError, "song.mid: "),
        (midi(END), DataError, "song.mid: there is no melody in it, only drums or nothing at all"),
        (midi(f"00 99 26 40 83 60 89 26 00 {END}"), DataError, "song.mid: there is no melody in it"),
        (_file({"": [(60, 0, 1)]}, (17, 4)), DataError, "song.mid: its bars are longer than 64 16th notes"),
        (
            midi(*[f"{NOTE} {END}"] * 257),
            DataError,
            "song.mid: it has 257 tracks, and at most 256 can be shown",
        ),
    ],
)
def test_a_file_without_melody_is_refused(data: bytes, kind: type[Exception], error: str) -> None:
    with pytest.raises(kind) as caught:
        candidates(data, "song.mid")
    assert str(caught.value).startswith(error)


GOOD = _file({"Flute": [(72, 0, 2), (74, 4, 6)], "Lute": [(60, 4, 8), (64, 4, 8)]})


@pytest.mark.filterwarnings("ignore::ostinato.formats.Remark")
@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), max_size=8), st.integers(0, len(GOOD)))
def test_a_damaged_file_is_read_or_refused(changes: list[tuple[int, int]], end: int) -> None:
    damaged = bytearray(GOOD)
    for place, octet in changes:
        damaged[place] = octet
    for data in (damaged, damaged[:end]):
        with contextlib.suppress(DataError, FormatError):
            for candidate in candidates(bytes(data), "song.mid"):
                assert 1 <= len(candidate.melody) <= 512
                assert candidate.melody.steps_per_bar <= 64
                assert candidate.melody.pitches
