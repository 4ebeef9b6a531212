"""What `make` says when it cannot install, and that nothing is left out of the tests where it could."""

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def test_nothing_is_left_out_for_want_of_an_install() -> None:
    extras = [
        "axe_playwright_python",
        "distributed",
        "hatchling",
        "httpx2",
        "jsonschema",
        "mido",
        "msgspec",
        "music21",
        "numba",
        "playwright",
        "pretty_midi",
        "rtmidi",
        "starlette",
    ]
    extras += ["symusic", "tensorboard", "tinysoundfont", "torch", "uvicorn"]
    missing = [name for name in extras if importlib.util.find_spec(name) is None]
    assert not missing or not os.environ.get("OSTINATO_WHOLE_INSTALL"), f"make test installs {missing}"


MESSAGES = {
    "old": "ostinato: Python 3.10.12 is too old: Ostinato needs Python 3.11 or newer; "
    "name one: make demo PYTHON=python3.12",
    "no venv": "ostinato: python3 cannot make virtual environments; on Debian and Ubuntu: "
    "sudo apt install python3-venv",
    "offline": "ostinato: pip cannot fetch packages; are you online? Then try again, or see what pip says: "
    ".venv/bin/python -m pip install -e .",
    "proxy": "ostinato: pip cannot get past the proxy; set HTTPS_PROXY=http://user:password@host:port, and try again",
    "full": "ostinato: pip failed: ERROR: Could not install packages due to an OSError: No space left on device",
}
# A python3 that fails at one thing; what it does not fail at it only seems to do.
PYTHON = """#!/bin/sh
case "{fails}:$*" in
    *:-V) echo "Python 3.10.12" ;;
    old:-c*) exit 1 ;;
    "no venv:-m venv "*) mkdir -p $3/bin; cp "$0" $3/bin/python; echo "ensurepip is not available"; exit 1 ;;
    *":-m venv "*) mkdir -p $3/bin; cp "$0" $3/bin/python ;;
    "offline:-m pip "*) echo "ERROR: No matching distribution found for numpy>=1.26" >&2; exit 1 ;;
    "proxy:-m pip "*)
        echo "ProxyError('Cannot connect to proxy.')" >&2; echo "ERROR: No matching distribution found" >&2; exit 1 ;;
    "full:-m pip "*)
        echo "ERROR: Could not install packages due to an OSError: No space left on device" >&2; echo >&2; exit 1 ;;
esac
"""


def make(folder: Path, fails: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`make demo` in a new clone, on a machine whose python3 fails at one thing."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(PROJECT / name, folder)
    shutil.copytree(PROJECT / "scripts", folder / "scripts", dirs_exist_ok=True)
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin" / "python3").write_text(PYTHON.format(fails=fails))
    (folder / "bin" / "python3").chmod(0o755)
    environment = {"PATH": f"{folder / 'bin'}{os.pathsep}/usr/bin:/bin"}
    return subprocess.run(
        ["make", "demo", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@needs_make
@pytest.mark.parametrize("fails", MESSAGES)
def test_what_keeps_make_from_installing_is_one_line(fails: str, tmp_path: Path) -> None:
    done = make(tmp_path, fails)
    assert done.returncode == 2
    ours, makes = done.stderr.splitlines()
    assert ours == MESSAGES[fails]
    assert makes.startswith("make: *** ")
    # Where no environment was made, none is left behind that the next try would take for one.
    assert (tmp_path / ".venv").exists() == (fails not in ("old", "no venv"))


@needs_make
def test_a_python_that_is_not_there_and_an_old_environment_are_named(tmp_path: Path) -> None:
    done = make(tmp_path, "nothing", "PYTHON=python9")
    assert done.stderr.splitlines()[0] == (
        "ostinato: there is no python9; install Python 3.11 or newer, or name it: make demo PYTHON=/path/to/python3"
    )
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    old = tmp_path / ".venv" / "bin" / "python"
    old.write_text(PYTHON.format(fails="old"))
    old.chmod(0o755)
    assert make(tmp_path, "nothing").stderr.splitlines()[0] == (
        "ostinato: .venv has a Python older than 3.11; remove it with rm -r .venv, and try again"
    )


def test_the_scripts_write_no_escape_codes_into_a_pipe() -> None:
    for name in ("demo", "road"):
        script = (PROJECT / "scripts" / name).read_text(encoding="utf-8")
        say = next(line for line in script.splitlines() if line.startswith("say()"))
        bold = next(line for line in script.splitlines() if line.startswith("if [ -t 1 ]"))
        done = subprocess.run(
            ["sh", "-c", f"{bold}\n{say}\nsay echo one '100%'"], capture_output=True, text=True, check=True
        )
        assert done.stdout == "\n$ echo one 100%\none 100%\n"
