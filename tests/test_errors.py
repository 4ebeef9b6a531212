"""What is missing is named with a command that installs it."""

import sys
import tomllib
from pathlib import Path

import pytest

from ostinato.errors import MissingExtraError, printable

PROJECT = Path(__file__).parent.parent
EXTRAS = {"train", "studio", "live", "sound", "beam", "onnx"}


def test_the_command_names_this_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/home/ada/tunes/.venv/bin/python")
    assert str(MissingExtraError("the studio", "studio")) == (
        "the studio needs an extra that is not installed: "
        "/home/ada/tunes/.venv/bin/python -m pip install msgspec starlette uvicorn"
    )
    monkeypatch.setattr(sys, "executable", "/home/ada/my tunes/python")
    assert '"/home/ada/my tunes/python" -m pip' in str(MissingExtraError("the studio", "studio"))


def test_every_extra_brings_the_packages_that_the_message_names() -> None:
    extras = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert extras.keys() - {"docs", "test", "dev"} == EXTRAS
    for extra in EXTRAS:
        names = [requirement.split(">=")[0] for requirement in extras[extra]]
        assert str(MissingExtraError("it", extra)).endswith(" ".join(["", *names])), extra


def test_text_of_strangers_commands_no_terminal() -> None:
    assert printable("a\nb\x1b[31mc\u202e") == "a b [31mc "
    assert printable("größer") == "größer"
    assert printable("x" * 5000) == "x" * 2000 + "..."
