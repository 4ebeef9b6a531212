"""What a shell is given when Tab is pressed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ostinato.cli.completion import SHELLS
from ostinato.cli.main import COMMANDS


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """One in which `ostinato` is a command."""
    program = tmp_path / "bin" / "ostinato"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ostinato "$@"\n')
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}


def answers(line: str, environment: dict[str, str]) -> list[str]:
    """What argcomplete's protocol gives for a line with the cursor at its end."""
    asked = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(Path(environment["HOME"]) / "answers"),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
    }
    subprocess.run([sys.executable, "-m", "ostinato"], env={**environment, **asked}, check=True, timeout=120)
    return Path(asked["_ARGCOMPLETE_STDOUT_FILENAME"]).read_text().split("\n")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ostinato ge", ["generate"]),
        ("ostinato generate --num_o", ["--num_outputs"]),
        ("ostinato generate --no_e", ["--no_ending"]),
        ("ostinato generate --primer_m", ["--primer_melody"]),  # --primer_midi is another name of --primer
        ("ostinato generate --config lie", ["lieder"]),
        ("ostinato generate --config=lie", ["--config=lieder"]),
        ("ostinato generate --rank_by=", ["--rank_by=likely", "--rank_by=varied"]),
        ("ostinato generate --meter=6", ["--meter=6/8"]),
        ("ostinato bundle sh", ["show"]),
        ("ostinato bundle save --half", ["--half_precision"]),
        ("ostinato completion z", ["zsh"]),
    ],
)
def test_what_a_line_could_go_on_with(
    line: str, expected: list[str], environment: dict[str, str], tmp_path: Path
) -> None:
    assert [answer.strip() for answer in answers(line, {**environment, "HOME": str(tmp_path)})] == expected


def script(shell: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["ostinato", "completion", shell], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_bash_completes(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "jig.mid").touch()
    program = r"""
eval "$(ostinato completion bash)"
complete_line() {
    COMP_LINE="$1"; COMP_POINT=${#1}; COMP_TYPE=9; COMP_KEY=9; read -ra COMP_WORDS <<<"$1"
    COMPREPLY=(); _python_argcomplete ostinato; echo "${COMPREPLY[*]}"
}
complete -p ostinato
complete_line "ostinato eva"
complete_line "ostinato inspect --min_b"
complete_line "ostinato inspect ji"
"""
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-c", program],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    registered, *completed = [line.strip() for line in done.stdout.splitlines()]
    assert registered.endswith("-F _python_argcomplete ostinato")
    assert completed == ["evaluate", "--min_bars", "jig.mid"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_script_is_one_that_the_shell_reads(shell: str, environment: dict[str, str], tmp_path: Path) -> None:
    text = script(shell, environment)
    assert "ostinato" in text
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "script").write_text(text, encoding="utf-8")
    subprocess.run([shell, "-n", tmp_path / "script"], check=True)


def test_fish_completes(environment: dict[str, str]) -> None:
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    program = 'ostinato completion fish | source; complete --do-complete "ostinato eva"'
    done = subprocess.run(["fish", "--no-config", "-c", program], env=environment, capture_output=True, text=True)
    # With what it does, after a tab.
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["evaluate"]


def test_every_shell_that_is_named_has_a_script(environment: dict[str, str]) -> None:
    assert SHELLS == ("bash", "zsh", "fish")
    assert len({script(shell, environment)[:40] for shell in SHELLS}) == 2  # bash and zsh share one


def test_a_line_loads_one_command_only(tmp_path: Path) -> None:
    program = (
        "import os, sys, atexit\n"
        "os._exit_ = os._exit\n"
        "def leave(code):\n"
        "    loaded = [name for name in sys.modules if name.startswith('ostinato.cli.')]\n"
        "    print(sorted(loaded), file=sys.__stderr__); os._exit_(code)\n"
        "os._exit = leave\n"
        "from ostinato.cli.main import main; main()"
    )
    asked = {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n", "_ARGCOMPLETE_STDOUT_FILENAME": str(tmp_path / "out")}
    asked |= {"COMP_LINE": "ostinato models ", "COMP_POINT": "16"}
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **asked}, capture_output=True, text=True, check=False
    )
    assert done.stderr.strip().splitlines()[-1] == str(
        [f"ostinato.cli.{name}" for name in ("completion", "flags", "main", "models", "terminal")]
    )
    assert set(COMMANDS) > {"models", "completion"}
