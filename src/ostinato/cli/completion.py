"""`ostinato completion`: what lets a shell complete commands, flags, and the names of models, keys and meters.

The shell runs `ostinato` with a variable set and gets the candidates back; argcomplete speaks its language.
"""

import argparse
import os
from typing import Any

SHELLS = ("bash", "zsh", "fish")
EXAMPLE = 'eval "$(ostinato completion bash)"'

_TONICS = ("C", "C#", "Db", "D", "Eb", "E", "F", "F#", "Gb", "G", "Ab", "A", "Bb", "B")
_METERS = ("4/4", "3/4", "2/4", "2/2", "6/8", "9/8", "12/8", "3/8", "5/4", "7/8")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    parser.add_argument(
        "shell",
        choices=SHELLS,
        metavar="|".join(SHELLS),
        help="your shell. For bash and zsh put the example into ~/.bashrc or ~/.zshrc (with zsh in place of bash); for "
        "fish, ostinato completion fish > ~/.config/fish/completions/ostinato.fish",
    )


def run(args: argparse.Namespace) -> int:
    """Print the script."""
    from argcomplete.shell_integration import shellcode

    print(shellcode(["ostinato"], shell=args.shell), end="")
    return 0


def complete() -> None:
    """Answer the shell that asks what the line it is at could go on with, and exit."""
    import argcomplete

    from ostinato.cli.main import COMMANDS, Parser, aliases_of, parser_of, parsers_of, spelling

    parser = Parser(prog="ostinato", description="")
    commands = parser.add_subparsers(dest="command")
    words = os.environ.get("COMP_LINE", "").split()
    hidden: list[str] = []
    for command, summary in COMMANDS.items():
        if command not in words[1:2]:
            commands.add_parser(command, help=summary)  # without its flags, to load one command only
            continue
        whole = parser_of(command)
        commands._name_parser_map[command] = whole
        for each in parsers_of(whole):
            hidden += [name for names in aliases_of(each).values() for name in names]
            for action in each._actions:
                hidden += [
                    name
                    for name in action.option_strings
                    if name.startswith("--no") and name != spelling(action) and "_" not in name[:5]
                ]
                if (names := _candidates(action)) is not None:
                    action.completer = argcomplete.ChoicesCompleter(names)  # type: ignore[attr-defined]
    argcomplete.autocomplete(parser, always_complete_options="long", exclude=[*hidden, "-h"])


def _candidates(action: argparse.Action) -> Any:
    """What a flag may be followed by, where that can be listed."""
    from ostinato.config import PRESETS
    from ostinato.shipped import SHIPPED_MODELS

    if action.dest in ("config", "name", "origin", "init_from"):
        return tuple(dict.fromkeys([*SHIPPED_MODELS, *PRESETS]))
    if action.dest == "key":
        return [tonic + mode for tonic in _TONICS for mode in ("", "m")]
    if action.dest == "meter":
        return _METERS
    if action.dest == "log":
        return ("DEBUG", "INFO", "WARNING", "ERROR", "FATAL")
    return None
