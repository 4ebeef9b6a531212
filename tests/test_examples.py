"""Each example runs as it stands and says what it promises."""

import subprocess
import sys
from pathlib import Path

import pytest

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


def test_no_example_is_left_out() -> None:
    assert len(list((PROJECT / "examples").glob("*.py"))) == 5
