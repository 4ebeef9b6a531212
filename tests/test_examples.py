"""Each example runs as it stands and says what it promises."""

import ast
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ostinato.music.melody import MelodyList

PROJECT = Path(__file__).parent.parent


def run(name: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", PROJECT / "examples" / name, *arguments],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("1_read_a_midi_file.py", "84 notes in 33.5 s, 120 quarters a minute"),
        ("2_find_its_melodies.py", "268 steps, bars of 16"),
        ("3_turn_a_melody_into_numbers.py", "attention_rnn: inputs (31, 74)"),
        ("4_train_a_tiny_model.py", "step 60: loss 0.0"),
    ],
)
def test_an_example_runs(name: str, words: str) -> None:
    assert words in run(name)


def test_the_bundle_example_writes_a_midi_file(tmp_path: Path) -> None:
    target = tmp_path / "new.mid"
    output = run("5_generate_with_a_bundle.py", "tests/golden/gold_lookback.mag", str(target))
    assert "log-likelihood: -" in output
    assert target.read_bytes().startswith(b"MThd")


def test_the_example_over_chords_writes_lead_sheets(tmp_path: Path) -> None:
    output = run("7_over_chords.py", str(tmp_path))
    assert output.startswith("blues: | ")
    assert output.count("harmonized: ") == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"{name}.{ending}" for name in ("blues", "four-chords") for ending in ("abc", "mid", "musicxml", "svg")
    ]
    assert (tmp_path / "blues.abc").read_text().count('"') >= 2 * 9  # a name for each change


NOTEBOOK = PROJECT / "examples" / "6_from_a_folder_to_melodies.ipynb"


def cells(kind: str) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == kind]


def shell(line: str) -> None:
    subprocess.run(shlex.split(line), check=True, stdout=subprocess.DEVNULL)


def run_cell(source: str, names: dict[str, Any]) -> object:
    """Run a cell as Jupyter does; what its last line gives."""
    # A line after an exclamation mark is for the shell, with what is in braces filled in.
    python = [f"shell(f{line[1:]!r})" if line.startswith("!") else line for line in source.splitlines()]
    *statements, last = ast.parse("\n".join(python)).body
    exec(compile(ast.Module(statements, []), NOTEBOOK.name, "exec"), names)
    if isinstance(last, ast.Expr):
        return eval(compile(ast.Expression(last.value), NOTEBOOK.name, "eval"), names)
    exec(compile(ast.Module([last], []), NOTEBOOK.name, "exec"), names)
    return None


def test_the_notebook_runs_and_its_melodies_can_be_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Thirty of the tunes, and two steps of training.
    tunes = tmp_path / "data" / "aird" / "midi"
    shutil.copytree(PROJECT / "tests" / "golden" / "aird" / "corpora", tunes)
    (tmp_path / "examples").mkdir()
    monkeypatch.chdir(tmp_path / "examples")
    shorter = {"--minutes=2": "--num_training_steps=2"}
    names: dict[str, Any] = {"__name__": "__main__", "shell": shell}
    shown = []
    for cell in cells("code"):
        source = "".join(cell["source"])
        for old in [old for old in shorter if old in source]:
            source = source.replace(old, shorter.pop(old))
        shown.append(run_cell(source, names))
    assert shorter == {}
    heard = [value._repr_html_().count("</melody-player>") for value in shown if isinstance(value, MelodyList)]
    assert heard == [3, 4, 2, 1]
    assert {path.name for path in Path().glob("new.*")} == {"new.mid", "new.musicxml", "new.abc", "new.wav"}


def test_the_notebook_holds_nothing_that_a_run_would_change() -> None:
    assert [(cell["execution_count"], cell["outputs"]) for cell in cells("code")] == [(None, [])] * len(cells("code"))


def test_no_example_is_left_out() -> None:
    assert len(list((PROJECT / "examples").glob("[0-9]*"))) == 7
