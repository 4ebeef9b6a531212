"""Training from the page: the tunes, the one training, and what becomes of its model."""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from midi_files import END, NOTE, midi
from ostinato.errors import DataError, MissingExtraError, SettingsError
from ostinato.studio import learning as module
from ostinato.studio.api import answer_to
from ostinato.studio.learning import IDLE_SECONDS, Learner
from ostinato.studio.models import Models
from ostinato.studio.schema import MAX_LEARNED, MAX_TUNE_BYTES, MAX_TUNES, Learning, LearnRequest, TuneCount
from ostinato.studio.workers import Players
from studio_parts import small_bundles, small_models, studio_client

ANN, BEN = ("10.0.0.1", "ann"), ("10.0.0.1", "ben")
SECONDS = 60  # that a process may take to begin on a busy machine
TUNES = Path(__file__).parents[2] / "data" / "aird" / "midi"

# In place of `ostinato learn`: a report with --dry_run, else two evaluations, then a bundle.
STUB = """
import json, shutil, sys, time
from pathlib import Path
flags = dict(flag[2:].partition("=")[::2] for flag in sys.argv[2:])
folder = Path(sys.argv[1])
files = sorted(path.name for path in folder.iterdir())
if "bad.mid" in files:
    sys.exit(f"one line\\nostinato: error: {folder}: there is nothing in it")
if "dry_run" in flags:
    report = {"files": len(files), "read": 2, "tunes": 5, "learned_from": [{"held_out": True}, {"held_out": False}],
              "left_out": [{"count": 3, "what": "melodies are short", "flag": None}],
              "skipped": [{"file": "c.abc", "kind": "file", "reason": "it is empty"}]}
    Path(flags["json"]).write_text(json.dumps(report))
    sys.exit()
Path(flags["work_dir"]).mkdir()
with Path(flags["progress"]).open("w") as progress:
    progress.write('{"step": 0, "seconds": 0, "held_out": 0.75}\\n{"step": 5, "seconds": 1, "held_out": 0.5}\\n')
    progress.write('{"step": 9, "seconds": 2, "loss": 0.4}\\n{"step": 10, "sec')
while "wait.mid" in files:
    time.sleep(0.01)
shutil.copy(BUNDLE, flags["output"])
"""


@pytest.fixture(name="models")
def _models(tmp_path: Path) -> Models:
    return small_models(tmp_path)


@pytest.fixture(name="learner")
def _learner(tmp_path: Path, models: Models, monkeypatch: pytest.MonkeyPatch) -> Iterator[Learner]:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(module, "_missing", lambda: None)
    stub = tmp_path / "stub.py"
    stub.write_text(f"BUNDLE = {str(small_bundles(tmp_path)['plain'])!r}\n{STUB}")
    learner = Learner(models, command=(sys.executable, str(stub)))
    yield learner
    learner.close()
    assert not list(tmp_path.glob("ostinato-studio-*"))


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.02)


def ended(learner: Learner) -> Learning:
    until(lambda: learner.state(ANN).state != "learning")
    return learner.state(ANN)


def test_files_are_put_in_under_names_that_lead_nowhere_else(learner: Learner) -> None:
    assert learner.put(ANN, "../../reels/The Maid's.mid", b"abc") == TuneCount(files=1, bytes=3)
    learner.put(ANN, "C:\\reels\\the maid s.MID", b"de")
    learner.put(ANN, "!?.abc", b"")
    assert learner.put(ANN, "é" * 100 + ".mxl", b"") == TuneCount(files=4, bytes=5)
    (folder,) = learner._folder("").glob("*")
    assert sorted(path.name for path in folder.iterdir()) == [
        "The Maid s.mid",
        "the maid s-2.mid",
        "tune.abc",
        "é" * 60 + ".mxl",
    ]
    with pytest.raises(SettingsError, match=r"filename must end in \.mid, .*\.abc, not 'a\.exe'"):
        learner.put(ANN, "a.exe", b"")
    assert learner.drop(ANN) == TuneCount(files=0, bytes=0)
    assert not folder.exists()


def test_no_more_files_are_taken_than_may_be(learner: Learner) -> None:
    learner._tunes = {f"{number}.mid": 0 for number in range(MAX_TUNES - 1)}
    learner._owner = ANN
    learner.put(ANN, "last.mid", b"")
    with pytest.raises(SettingsError, match="there are 2000 files already"):
        learner.put(ANN, "more.mid", b"")
    learner._tunes = {"large.mid": MAX_TUNE_BYTES - 2}
    with pytest.raises(SettingsError, match="more than 64 MiB together"):
        learner.put(ANN, "three.mid", b"abc")
    assert learner.put(ANN, "two.mid", b"ab").bytes == MAX_TUNE_BYTES


def test_what_is_in_the_files_is_told(learner: Learner) -> None:
    with pytest.raises(SettingsError, match="there are no tunes"):
        learner.report(ANN)
    learner.put(ANN, "a.mid", b"")
    report = learner.report(ANN)
    assert (report.files, report.read, report.tunes, report.melodies, report.held_out) == (1, 2, 5, 2, 1)
    assert [(each.count, each.what) for each in report.left_out] == [(3, "melodies are short")]
    assert [(each.file, each.reason) for each in report.skipped] == [("c.abc", "it is empty")]
    learner.put(ANN, "b.mid", b"")
    assert learner.report(ANN).files == 2
    learner.put(ANN, "bad.mid", b"")
    with pytest.raises(DataError, match=r"^your tunes: there is nothing in it$"):
        learner.report(ANN)


def test_a_model_is_trained_and_plays(learner: Learner, models: Models) -> None:
    with pytest.raises(SettingsError, match="there are no tunes"):
        learner.begin(ANN, LearnRequest(name="mine"))
    learner.put(ANN, "a.mid", b"")
    begun = learner.begin(ANN, LearnRequest(name=" plain ", minutes=2))
    assert (begun.state, begun.yours, begun.name, begun.minutes) == ("learning", True, " plain ", 2)
    done = ended(learner)
    assert (done.state, done.model, done.error) == ("done", "plain-2", None)
    assert (done.step, done.curve) == (9, [(0, 0.75), (5, 0.5)])
    assert (done.bits_before, done.bits_after) == (None, 1.44269)
    assert json.loads(answer_to(b'{"num_steps": 8, "model": "plain-2"}', models))["model"] == "plain-2"
    assert learner.bundle("plain-2").read_bytes() == models.paths["plain"].read_bytes()
    with pytest.raises(SettingsError, match="'plain'"):
        learner.bundle("plain")
    assert learner.cancel(ANN).state == "idle"
    assert "plain-2" in models.paths


def test_a_training_that_fails_says_why(learner: Learner, models: Models) -> None:
    learner.put(ANN, "bad.mid", b"")
    learner.begin(ANN, LearnRequest(name="mine"))
    failed = ended(learner)
    assert (failed.state, failed.error, failed.model) == ("failed", "your tunes: there is nothing in it", None)
    assert "mine" not in models.paths


def test_a_training_is_cancelled_at_once(learner: Learner, models: Models) -> None:
    learner.put(ANN, "wait.mid", b"")
    learner.begin(ANN, LearnRequest(name="mine"))
    until(lambda: learner.state(ANN).step == 9)
    job = learner._job
    assert job is not None
    assert learner.cancel(ANN).state == "idle"
    assert job.process.returncode not in (None, 0)
    until(lambda: not job.folder.exists())
    assert learner.state(ANN).tunes == 1
    assert "mine" not in models.paths


def test_a_training_ends_with_the_studio(learner: Learner) -> None:
    learner.put(ANN, "wait.mid", b"")
    learner.begin(ANN, LearnRequest(name="mine"))
    job = learner._job
    assert job is not None
    learner.close()
    assert job.process.returncode not in (None, 0)
    with pytest.raises(SettingsError, match="the studio is ending"):
        learner.put(ANN, "a.mid", b"")


def test_one_browser_at_a_time_trains(learner: Learner, monkeypatch: pytest.MonkeyPatch) -> None:
    learner.put(ANN, "wait.mid", b"")
    with pytest.raises(SettingsError, match="a model is being prepared in another browser"):
        learner.put(BEN, "a.mid", b"")
    learner.begin(ANN, LearnRequest(name="mine"))
    clock = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: clock() + 2 * IDLE_SECONDS)
    with pytest.raises(SettingsError, match="a model is being trained in another browser"):
        learner.put(BEN, "a.mid", b"")
    with pytest.raises(SettingsError, match="which alone can cancel it"):
        learner.cancel(BEN)
    theirs = learner.state(BEN)
    assert (theirs.state, theirs.yours, theirs.tunes) == ("learning", False, 0)
    for refused in (
        lambda: learner.put(ANN, "b.mid", b""),
        lambda: learner.begin(ANN, LearnRequest(name="other")),
        lambda: learner.drop(ANN),
    ):
        with pytest.raises(SettingsError, match="a model is being trained; wait"):
            refused()
    monkeypatch.setattr(time, "monotonic", clock)
    learner.cancel(ANN)
    # Who has gone leaves the place to others, with none of the tunes.
    monkeypatch.setattr(time, "monotonic", lambda: clock() + 2 * IDLE_SECONDS)
    assert learner.put(BEN, "a.mid", b"") == TuneCount(files=1, bytes=0)


def test_without_pytorch_it_says_what_to_install(learner: Learner, monkeypatch: pytest.MonkeyPatch) -> None:
    learner.put(ANN, "a.mid", b"")
    monkeypatch.setattr(module, "_missing", lambda: MissingExtraError("training", "train"))
    with pytest.raises(MissingExtraError, match="pip install"):
        learner.begin(ANN, LearnRequest(name="mine"))
    assert "pip install" in (learner.state(ANN).missing or "")


def test_only_so_many_models_are_kept(learner: Learner, tmp_path: Path) -> None:
    learner.put(ANN, "a.mid", b"")
    learner._learned = {str(number): tmp_path for number in range(MAX_LEARNED)}
    with pytest.raises(SettingsError, match="20 trained models"):
        learner.begin(ANN, LearnRequest(name="mine"))


def test_players_hear_of_a_new_model(tmp_path: Path) -> None:
    models = small_models(tmp_path)
    body = b'{"num_steps": 16, "model": "new", "seed": 1}'
    players = Players(models.paths, models.default, count=1)
    try:
        with pytest.raises(SettingsError, match="no model is called 'new'"):
            players.make(body)
        name = models.add("new", models.paths["finite"])
        players.add(name, models.paths["finite"])
        made = json.loads(players.make(body))
        assert made["variations"][0]["events"] == json.loads(answer_to(body, models))["variations"][0]["events"]
        # One that takes another's place hears of it too.
        (player,) = players._all
        player.process.kill()
        player.process.join()
        assert json.loads(players.make(body))["variations"] == made["variations"]
    finally:
        players.close()


def test_over_http(models: Models) -> None:
    with studio_client(models) as client:
        assert client.get("/api/tunes").status_code == 400
        headers = {"Content-Type": "audio/midi"}
        put = client.post("/api/tunes?filename=a.mid", content=midi(f"{NOTE} {END}"), headers=headers)
        assert put.json() == {"files": 1, "bytes": len(midi(f"{NOTE} {END}"))}
        assert (
            client.post("/api/tunes?filename=a.mid", content=b"\0" * ((1 << 20) + 1), headers=headers).status_code
            == 413
        )
        assert client.get("/api/learn").json()["tunes"] == 1
        refused = client.post("/api/learn", json={"name": "a", "minutes": 31})
        assert refused.json() == {"error": "minutes must be a number of 1 to 30, not 31"}
        assert client.delete("/api/tunes", headers={"Origin": "http://evil.example"}).status_code == 403
        assert client.delete("/api/tunes").json() == {"files": 0, "bytes": 0}
        assert client.delete("/api/learn").json()["state"] == "idle"
        assert client.get("/api/bundle?model=plain").status_code == 400
        assert set(client.put("/api/learn").headers["allow"].split(", ")) == {"GET", "HEAD", "POST", "DELETE"}


def test_eight_tunes_make_a_model(models: Models) -> None:
    """With the real command: a few steps."""
    pytest.importorskip("torch")
    pytest.importorskip("tensorboard")
    learner = Learner(models, flags=("--num_training_steps=6",))
    try:
        for path in sorted(TUNES.glob("**/*.mid"))[:8]:
            learner.put(ANN, path.name, path.read_bytes())
        report = learner.report(ANN)
        assert (report.files, report.read, report.tunes) == (8, 8, 8)
        learner.begin(ANN, LearnRequest(name="airs", minutes=1))
        done = ended(learner)
        assert (done.state, done.model, done.step, done.error) == ("done", "airs", 6, None)
        assert [step for step, _ in done.curve] == [0, 5, 6]
        assert done.bits_before is not None
        assert done.bits_after is not None
        asked: dict[str, Any] = {"num_bars": 2, "model": "airs", "seed": 1}
        assert json.loads(answer_to(json.dumps(asked).encode(), models))["model"] == "airs"
    finally:
        learner.close()
