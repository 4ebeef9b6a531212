"""What is missing is named with a command that installs it."""

import sys
import tomllib
from pathlib import Path

import pytest

from ostinato.errors import (
    DataError,
    FormatError,
    MissingExtraError,
    OstinatoError,
    SettingsError,
    did_you_mean,
    nearest_file,
    printable,
)

PROJECT = Path(__file__).parent.parent
EXTRAS = {"train", "studio", "live", "sound", "dask", "onnx"}


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


def test_an_error_is_one_line_whatever_it_names() -> None:
    for kind in (OstinatoError, SettingsError, FormatError, DataError):
        assert str(kind("a\nb\r\x1b[2J: no melody")) == "a b  [2J: no melody"
    assert str(DataError("x" * 5000)) == "x" * 5000


def test_what_was_likely_meant_is_named() -> None:
    assert did_you_mean("atention_rnn", ["basic_rnn", "attention_rnn"]) == "; did you mean attention_rnn?"
    assert did_you_mean("dorain", ["major", "dorian"], "D ") == "; did you mean D dorian?"
    assert did_you_mean("drums", ["basic_rnn", "attention_rnn"]) == ""
    assert did_you_mean("", []) == ""
    assert did_you_mean("ab\x1b[31mc", ["ab\x1b[31md"]) == "; did you mean ab [31md?"


def test_the_nearest_file_of_the_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tunes").mkdir()
    (tmp_path / "tunes" / "jig.mid").touch()
    monkeypatch.chdir(tmp_path)
    assert nearest_file("tunes/jigg.mid") == "; did you mean tunes/jig.mid?"
    assert nearest_file(tmp_path / "tuns") == f"; did you mean {tmp_path / 'tunes'}?"
    assert nearest_file("tuns/jig.mid") == "; did you mean tunes?"  # of a path the first part that is wrong
    assert nearest_file("tunes/jig.mid") == ""
    assert nearest_file("quadrille") == ""
    assert nearest_file("x" * 5000) == ""
    assert nearest_file("") == ""
