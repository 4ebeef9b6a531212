import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ostinato.bundle import load_bundle
from ostinato.cli.main import main


def export(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ostinato", "export", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


def test_a_folder_for_javascript(tmp_path: Path) -> None:
    done = export("lookback_rnn", "--js=site/model", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("site/model: ")
    made = tmp_path / "site" / "model"
    assert sorted(path.name for path in made.iterdir()) == [
        "LICENSE",
        "MODEL_CARD.md",
        "index.html",
        "model.safetensors",
        "ostinato-worker.js",
        "ostinato.d.ts",
        "ostinato.js",
        "package.json",
    ]
    # The weights are a model that all other commands open.
    assert load_bundle(made / "model.safetensors").config.name == "lookback_rnn"
    assert [path.name for path in (tmp_path / "site").iterdir()] == ["model"]


def test_all_at_once(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="make test installs it")
    done = export(
        "basic_rnn",
        "--page=a.html",
        "--onnx=b.onnx",
        "--magentajs=c",
        "--js=d",
        "--magenta=e.mag",
        "--bits=16",
        folder=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == [
        "a.html",
        "d",
        "b.onnx",
        "b-sequence.onnx",
        "c",
        "e.mag",
    ]
    assert (tmp_path / "a.html").read_bytes().startswith(b"<!DOCTYPE html>")
    assert {path.name for path in tmp_path.iterdir()} == {"a.html", "b.onnx", "b-sequence.onnx", "c", "d", "e.mag"}


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    done = export("lookback_rnn", "--page=a.html", "--magentajs=c", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "ostinato export: --magentajs: Magenta.js has no lookback_rnn, only plain LSTMs that are told the last event, "
        "as basic_rnn and mono_rnn are; write this model with --page or --js\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_magenta_does_not_know(tmp_path: Path) -> None:
    done = export("ostinato", "--js=a", "--magenta=b.mag", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "ostinato export: --magenta: Magenta has no ostinato, only basic_rnn, mono_rnn, lookback_rnn, attention_rnn; "
        "write this model with --page, --js or --onnx\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ostinato"], "nothing to write; give one of --page, --js, --onnx, --magentajs, --magenta"),
        (["ostinato", "--page=model"], "--page=model: the name must end in .html"),
        (["ostinato", "--page=.html"], "--page=.html: the name must end in .html"),
        (["ostinato", "--js=there"], "--js=there: there is such a file or folder already; choose another name"),
        (["basic_rnn", "--magenta=model"], "--magenta=model: the name must end in .mag"),
        (["ostinato", "--onnx=model.pb"], "--onnx=model.pb: the name must end in .onnx"),
        (["none", "--js=new"], "none: there is no such bundle, checkpoint or run_dir"),
    ],
)
def test_what_cannot_be_exported(arguments: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    done = export(*arguments, folder=tmp_path)
    assert done.returncode in (1, 2)
    assert done.stderr == f"ostinato export: {message}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_a_full_disk_leaves_no_half_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    assert main(["export", "lookback_rnn", f"--js={tmp_path}/site"]) == 1
    assert capsys.readouterr().err.startswith(f"ostinato export: {tmp_path}/site: No space left on device; make room")
    assert list(tmp_path.iterdir()) == []
