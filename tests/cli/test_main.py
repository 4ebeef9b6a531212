import argparse
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ostinato.cli import main as front_door

PROJECT = Path(__file__).parent.parent.parent


def ostinato(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "ostinato", *arguments], capture_output=True, text=True, check=False)


def test_help_names_every_command() -> None:
    done = ostinato("--help")
    assert done.returncode == 0
    for command in front_door.COMMANDS:
        assert f"\n  {command} " in done.stdout
    assert ostinato().returncode == 2


def test_the_version() -> None:
    with (PROJECT / "pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]
    assert ostinato("--version").stdout == f"ostinato {version}\n"


@pytest.mark.parametrize("command", front_door.COMMANDS)
def test_every_flag_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = front_door._load(command)
    parser = front_door._Parser()
    module.add_arguments(parser)
    for each in _parsers(parser):
        assert [action.dest for action in each._actions if not action.help] == []


def _parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The parser and those of its subcommands."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for subparser in action.choices.values():
                yield from _parsers(subparser)


def test_an_unknown_command_names_the_known_ones() -> None:
    done = ostinato("compose")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"ostinato: no command is called 'compose'; there are {', '.join(front_door.COMMANDS)}\n"


def test_an_unknown_flag_is_one_line() -> None:
    done = ostinato("generate", "--speed=11")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "--speed=11" in done.stderr
    assert "ostinato generate --help" in done.stderr


def test_flags_may_have_dashes() -> None:
    assert front_door._with_underscores("--num-steps=8-4") == "--num_steps=8-4"
    assert front_door._with_underscores("--eval") == "--eval"
    assert front_door._with_underscores("-h") == "-h"
    assert front_door._with_underscores("a-b") == "a-b"


def test_every_magenta_name_is_installed_and_leads_to_its_command() -> None:
    with (PROJECT / "pyproject.toml").open("rb") as file:
        scripts = set(tomllib.load(file)["project"]["scripts"]) - {"ostinato"}
    expected = {"convert_midi_dir_to_note_sequences", "convert_dir_to_note_sequences"} | {
        f"{model}_rnn_{verb}"
        for model in ("basic", "mono", "lookback", "attention", "melody")
        for verb in ("create_dataset", "train", "generate")
    }
    assert scripts == expected
    for name in scripts:
        program = (
            f"import sys; sys.argv[0] = {name!r}; from ostinato.cli.main import *; sys.exit(main_by_magenta_name())"
        )
        done = subprocess.run([sys.executable, "-c", program, "--help"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"usage: {name}")
