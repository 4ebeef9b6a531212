import subprocess
import sys
from pathlib import Path

import pytest

import golden_files
from ostinato.bundle import load_bundle

GOLDEN = golden_files.SMALL.parent


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ostinato"], "nothing to write; give one of --page, --js, --onnx, --magentajs"),
        (["ostinato", "--page=model"], "--page=model: the name must end in .html"),
        (["ostinato", "--page=.html"], "--page=.html: the name must end in .html"),
        (["ostinato", "--js=there"], "--js=there: there is such a file or folder already; choose another name"),
        (["none", "--js=new"], "none: there is no such bundle, checkpoint or run_dir"),
    ],
)
def test_what_cannot_be_exported(arguments: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    done = export(*arguments, folder=tmp_path)
    assert done.returncode in (1, 2)
    assert done.stderr == f"ostinato export: {message}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
