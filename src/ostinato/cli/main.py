"""The front door: `ostinato COMMAND`, and the commands by Magenta's names."""

import argparse
import errno
import importlib
import logging
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn, Protocol, cast

import ostinato
from ostinato.cli.terminal import terminal_width, told_at
from ostinato.errors import OstinatoError, did_you_mean, nearest_file

# By name, what each does: said here, so that to list them loads none of them.
COMMANDS = {
    "generate": "make new melodies with a trained model, as MIDI files",
    "learn": "train a model on your own tunes: from a folder of music files to a bundle, in minutes",
    "harmonize": "find chords for a melody",
    "studio": "play with the models on a local page",
    "jam": "play with a model in turns, call and response, over MIDI ports",
    "models": "list the built-in models, and how well each predicts tunes it has not seen",
    "inspect": "show what is in music files: tracks, meter, key, and the melodies that would be taken",
    "render": "turn a MIDI file into a sound file",
    "convert": "turn a folder of MIDI, MusicXML or ABC files into NoteSequences",
    "dataset": "find the melodies in NoteSequences and write them as training and eval records",
    "train": "train a model on examples, or with --eval evaluate it beside its training",
    "evaluate": "measure how well models predict melodies, in bits per 16th note, beside n-gram models",
    "compare": "compare generated melodies with human ones, and show what they copy",
    "bundle": "show what a .mag bundle holds, convert one of Magenta's, write one from a run_dir",
    "export": "write a model as a web page, a JavaScript module or ONNX, to run without Python",
    "completion": "print the script that lets bash, zsh or fish complete what you type",
}
EXIT_CODES = {
    0: "all went well",
    1: "bad data, a file that is missing or cannot be written, or a part that is not installed",
    2: "bad usage: a flag, a value or a setting that cannot be",
    130: "ended by Ctrl-C; 143: by SIGTERM",
}
# How Magenta's users name our commands: NAME_create_dataset is `ostinato dataset --config=NAME --wide`.
_MAGENTA_VERBS = {"create_dataset": "dataset", "train": "train", "generate": "generate"}
_MAGENTA_CONVERTERS = ("convert_midi_dir_to_note_sequences", "convert_dir_to_note_sequences")
_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "FATAL")
_HELP_COLUMN = 28  # where the help of a flag begins


class _Command(Protocol):
    """What the module of a command is."""

    EXAMPLE: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...
    def run(self, args: argparse.Namespace) -> int: ...


class _Help(argparse.HelpFormatter):
    """Help with one spelling of each flag, the defaults worth telling, and examples that stay as they are."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=_HELP_COLUMN, width=terminal_width())

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings:
            return super()._format_action_invocation(action)
        value = "" if action.nargs in (0, "?") else f"={action.metavar or '|'.join(map(str, action.choices or ()))}"
        return spelling(action) + value

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.nargs == "?" and action.default is True:
            return f"{action.help} (on by default; --no_{action.dest} turns it off)"
        return f"{action.help} (default: %(default)s)" if has_telling_default(action) else action.help

    def _fill_text(self, text: str, width: int, indent: str) -> str:  # noqa: ARG002 (there is none)
        return "\n".join(_filled(line, width) for line in text.splitlines())


def _filled(line: str, width: int) -> str:
    """A line of help in the terminal's width; of a command, with the shell's sign that it goes on."""
    if not line.startswith("  "):
        return "\n".join(_lines(line.split(), width))
    return " \\\n".join(_lines(line.split(), width - 2, "  ", " " * 6))


def _lines(words: Iterable[str], width: int, start: str = "", indent: str = "") -> list[str]:
    """Words in lines of this width, the first after `start`, the others after `indent`.

    What textwrap does takes longer to load than all else that `ostinato --help` needs.
    """
    lines, line, is_empty = [], start, True
    for word in words:
        if not is_empty and len(line) + 1 + len(word) > width:
            lines.append(line)
            line, is_empty = indent, True
        line += word if is_empty else f" {word}"
        is_empty = False
    return [*lines, line]


def spelling(action: argparse.Action) -> str:
    """The one spelling of a flag that help shows: its long name."""
    return next((name for name in action.option_strings if name.startswith("--")), action.option_strings[0])


def has_telling_default(action: argparse.Action) -> bool:
    """Whether a flag does something by default that its absence does not say."""
    return (
        action.nargs != 0
        and action.default is not None
        and action.default is not False
        and action.default not in ("", argparse.SUPPRESS)
    )


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, and name what was likely meant.

    Attributes:
        example: a command to end the help with.
    """

    example = ""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"formatter_class": _Help, "allow_abbrev": False, "add_help": False, **options})
        self._positionals.title = "what it takes"

    def format_help(self) -> str:
        """The help, in the width of the terminal."""
        self.usage, self.epilog = _usage(self), _spellings(self)
        if self.example:
            self.epilog += f"\n\nexample:\n  {self.example}"
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        """Exit with code 2."""
        # Of a flag with several names argparse tells all.
        message = re.sub(r"(--\w+)(?:/--\w+)+", r"\1", message.removeprefix("argument "))
        message = message.replace("the following arguments are required:", "missing:")
        hint = "" if message.endswith("?") else f"; see {self.prog} --help"
        self.exit(2, f"{self.prog}: {message}{hint}\n")

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As the original does, but an unknown flag comes before whatever else is wrong."""
        given = sys.argv[1:] if args is None else list(args)
        if self._subparsers is None:
            for argument in given[: given.index("--")] if "--" in given else given:
                if re.match(r"--?[A-Za-z]", argument):
                    self._check_flag(argument)
        return super().parse_known_args(given, namespace)

    def _check_flag(self, argument: str) -> None:
        name = argument.partition("=")[0]
        if name not in self._option_string_actions:
            # The dashes, which all have, would make any two of three letters alike.
            near = did_you_mean(name.lstrip("-"), [known.lstrip("-") for known in self._option_string_actions], "--")
            self.error(f"no flag is called {name}{near}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and not isinstance(value, str):
            super()._check_value(action, value)
        elif action.choices is not None and value not in action.choices:
            near = did_you_mean(value, action.choices) or f"; it takes {', '.join(action.choices)}"
            raise argparse.ArgumentError(action, f"{value!r} is unknown{near}")

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        try:
            return super()._get_value(action, arg_string)
        except argparse.ArgumentError:
            number = {int: "a whole number", float: "a number"}.get(cast(Any, action.type))
            if number is None:
                raise
            raise argparse.ArgumentError(action, f"must be {number}, not {arg_string!r}") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `ostinato COMMAND ...` and return the exit code; see `EXIT_CODES`."""
    if "_ARGCOMPLETE" in os.environ:  # the shell asks, by way of what `ostinato completion` prints
        from ostinato.cli.completion import complete

        complete()
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_overview(terminal_width()))
        return 0 if arguments else 2
    if arguments[0] in ("-V", "--version"):
        print(f"ostinato {ostinato.__version__}")
        return 0
    command, *rest = arguments
    if command not in COMMANDS:
        what = "flag" if command.startswith("-") else "command"
        near = did_you_mean(command, ("--help", "--version") if what == "flag" else COMMANDS)
        print(f"ostinato: no {what} is called {command}{near or '; ostinato --help lists all'}", file=sys.stderr)
        return 2
    return _run(command, rest, prog=f"ostinato {command}")


def main_by_magenta_name() -> int:
    """Run the command that Magenta has under the name this program was started by."""
    name = Path(sys.argv[0]).stem
    if name in _MAGENTA_CONVERTERS:
        return _run("convert", sys.argv[1:], prog=name)
    model, _, verb = name.partition("_rnn_")
    command = _MAGENTA_VERBS[verb]
    defaults: dict[str, Any] = {} if model == "melody" else {"config": f"{model}_rnn"}
    if command == "dataset":
        defaults["wide"] = True
    return _run(command, sys.argv[1:], prog=name, **defaults)


def _overview(width: int) -> str:
    column = max(map(len, COMMANDS)) + 4

    def listed(name: str, text: str) -> str:
        return "\n".join(_lines(text.split(), width, f"  {name}".ljust(column), " " * column))

    return "\n".join(
        [
            "usage: ostinato COMMAND [--flag=value ...]",
            "",
            _filled("Learn melodies from music files; continue yours or invent new ones.", width),
            "",
            *(listed(command, summary) for command, summary in COMMANDS.items()),
            "",
            "exit codes:",
            *(listed(str(code), meaning) for code, meaning in EXIT_CODES.items()),
            "",
            "example:",
            _filled("  ostinato generate --num_outputs=4 --num_bars=16 --html=melodies.html", width),
            "",
            _filled(
                "ostinato COMMAND --help shows the flags of one command, --version the version. Magenta's names work "
                "too: attention_rnn_train is ostinato train --config=attention_rnn.",
                width,
            ),
        ]
    )


def _load(command: str) -> _Command:
    return cast(_Command, importlib.import_module(f"ostinato.cli.{command}"))


def parser_of(command: str, *, prog: str | None = None) -> Parser:
    """The whole parser of a command: its flags, those of all commands, and what its help ends with."""
    module = _load(command)
    summary = COMMANDS[command]
    parser = Parser(prog=prog or f"ostinato {command}", description=f"{summary[0].upper()}{summary[1:]}.")
    module.add_arguments(parser)
    for each in parsers_of(parser):
        general = each.add_argument_group("general")
        # Those of an action, such as `bundle show`, must not hide what stands before it.
        log = "INFO" if each is parser else argparse.SUPPRESS
        general.add_argument(
            "--quiet",
            dest="log",
            action="store_const",
            const="ERROR",
            default=log,
            help="say nothing but errors and what was asked for",
        )
        general.add_argument(
            "--log",
            metavar="LEVEL",
            type=_level,
            choices=_LOG_LEVELS,
            default=log,
            help=f"how much to say: {', '.join(_LOG_LEVELS)}",
        )
        general.add_argument("-h", "--help", action="help", help="show this and exit")
    parser.example = module.EXAMPLE
    return parser


def _level(name: str) -> str:
    return {"WARN": "WARNING"}.get(name.upper(), name.upper())  # as Magenta spells it too


def parsers_of(parser: argparse.ArgumentParser) -> Iterator[Parser]:
    """A parser and those of its actions."""
    assert isinstance(parser, Parser)
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from parsers_of(each)


def _usage(parser: argparse.ArgumentParser) -> str:
    """A line with what must be given."""
    must = [
        f"{spelling(action)}={action.metavar}"
        for action in parser._actions
        if action.option_strings and action.required
    ]
    takes = [
        f"[{name}]" if action.nargs == "?" else f"{name} ..." if action.nargs == "+" else name
        for action in parser._actions
        if not action.option_strings
        for name in [str(action.metavar or action.dest)]
    ]
    words = [parser.prog, *takes, *must, "[--flag=value ...]"]
    return "\n".join(_lines(words, terminal_width() - len("usage: "), indent=" " * 7))


def aliases_of(parser: argparse.ArgumentParser) -> dict[str, list[str]]:
    """By flag, its other names, but for those that turn it off."""
    found = {}
    for action in parser._actions:
        own = spelling(action) if action.option_strings else ""
        others = [name for name in action.option_strings if name != own and not is_negation(name, action)]
        if others and own != "--help":
            found[own] = others
    return found


def is_negation(name: str, action: argparse.Action) -> bool:
    """Whether a name of a flag turns it off."""
    return action.nargs == "?" and name in (f"--no{action.dest}", f"--no_{action.dest}")


def _spellings(parser: argparse.ArgumentParser) -> str:
    """What else a flag may be written as, in a sentence or two."""
    aliases = [f"{', '.join(names)} for {flag}" for flag, names in aliases_of(parser).items()]
    other = f"Other names: {'; '.join(aliases)}. " if aliases else ""
    off = ""
    if name := next((action.dest for action in parser._actions if action.nargs == "?" and action.option_strings), ""):
        off = (
            f" A flag without a value also takes one: --{name}=true or =false; --no_{name} and --no{name} turn it off."
        )
    return f"{other}Flags may be written with dashes, as --num-steps.{off}"


def _run(command: str, arguments: Sequence[str], *, prog: str, **defaults: Any) -> int:
    parser = parser_of(command, prog=prog)
    parser.set_defaults(**defaults)
    args = _parse(parser, arguments)
    with told_at(args.log):
        try:
            return _load(command).run(args)
        except KeyboardInterrupt:
            return _fail(prog, "interrupted", 130)
        except BrokenPipeError:
            # Whoever read our output has gone; Python would complain once more at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except OstinatoError as error:
            return _fail(prog, str(error), error.exit_code)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            hint = "; make room there, or choose another disk" if full else ""
            if isinstance(error.filename, str):
                return _fail(prog, f"{error.filename}: {error.strerror}{hint or nearest_file(error.filename)}", 1)
            return _fail(prog, f"{error}{hint}", 1)
        except Exception as error:
            return _fail(prog, f"{type(error).__name__}: {error}; this is a bug, --log=DEBUG shows where", 1)


def _parse(parser: Parser, arguments: Sequence[str]) -> argparse.Namespace:
    args, unknown = parser.parse_known_args([_with_underscores(argument) for argument in arguments])
    if unknown := [each for each in unknown if each != "--"]:
        near = did_you_mean("--" + unknown[0].partition("=")[0].replace("-", "_"), parser._option_string_actions)
        parser.error(f"it takes no {unknown[0]!r}{near}")
    return args


def _fail(prog: str, message: str, exit_code: int) -> int:
    logging.getLogger(__name__).debug("", exc_info=True)
    print(f"{prog}: {message}", file=sys.stderr)
    return exit_code


def _with_underscores(argument: str) -> str:
    """`--num-steps=8` as `--num_steps=8`; values stay as they are."""
    flag, equals, value = argument.partition("=")
    return flag.replace("-", "_").replace("__", "--", 1) + equals + value if flag.startswith("--") else argument
