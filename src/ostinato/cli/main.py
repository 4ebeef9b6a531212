"""The front door: `ostinato COMMAND`, and the commands by Magenta's names."""

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, Protocol, cast

import ostinato
from ostinato.errors import OstinatoError

# By name, what each does: said here, so that to list them loads none of them.
COMMANDS = {
    "convert": "turn a folder of MIDI, MusicXML or ABC files into NoteSequences",
    "inspect": "show what is in music files: tracks, meter, key, and the melodies that would be taken",
    "dataset": "find the melodies in NoteSequences and write them as training and eval records",
    "train": "train a model on examples, or with --eval evaluate it beside its training",
    "learn": "train a model on your own tunes: from a folder of music files to a bundle, in minutes",
    "generate": "make new melodies with a trained model, as MIDI files",
    "render": "turn a MIDI file into a sound file",
    "bundle": "show what a .mag bundle holds, convert Magenta's, write one from a run_dir",
    "export": "write a model as a web page, a JavaScript module or ONNX, to run without Python",
    "models": "list the models that come with Ostinato, and how well each predicts tunes it has not seen",
    "evaluate": "measure in bits per 16th note how well models predict melodies, with n-gram models beside them",
    "compare": "compare generated melodies with human ones, and tell what they copy",
    "studio": "play with the models on a local page",
    "jam": "play with a model in turns, call and response, over MIDI ports",
}
# How Magenta's users name our commands: NAME_create_dataset is `ostinato dataset --config=NAME`.
_MAGENTA_VERBS = {"create_dataset": "dataset", "train": "train", "generate": "generate"}
_MAGENTA_CONVERTERS = ("convert_midi_dir_to_note_sequences", "convert_dir_to_note_sequences")
_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "FATAL")


class _Command(Protocol):
    """What the module of a command is."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...
    def run(self, args: argparse.Namespace) -> int: ...


class _Help(argparse.HelpFormatter):
    """Help that tells the defaults worth telling."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return f"{action.help} (default: %(default)s)" if has_telling_default(action) else action.help


def has_telling_default(action: argparse.Action) -> bool:
    """Whether a flag does something by default that its absence does not say."""
    return action.default is not None and action.default is not False and action.default not in ("", argparse.SUPPRESS)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"formatter_class": _Help, "allow_abbrev": False, **options})

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `ostinato COMMAND ...` and return the exit code: 0 done, 1 bad data, 2 bad usage."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(f"ostinato {ostinato.__version__}")
        return 0
    command, *rest = arguments
    if command not in COMMANDS:
        print(f"ostinato: no command is called {command!r}; there are {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    return _run(command, rest, prog=f"ostinato {command}", config=None)


def main_by_magenta_name() -> int:
    """Run the command that Magenta has under the name this program was started by."""
    name = Path(sys.argv[0]).stem
    if name in _MAGENTA_CONVERTERS:
        return _run("convert", sys.argv[1:], prog=name, config=None)
    model, _, verb = name.partition("_rnn_")
    config = None if model == "melody" else f"{model}_rnn"
    return _run(_MAGENTA_VERBS[verb], sys.argv[1:], prog=name, config=config)


def _overview() -> str:
    width = max(map(len, COMMANDS)) + 2
    lines = [f"  {command:{width}}{summary}" for command, summary in COMMANDS.items()]
    return "\n".join(
        [
            "usage: ostinato COMMAND [--flag=value ...]",
            "",
            "Learn melodies from MIDI files; continue or invent them.",
            "",
            *lines,
            "",
            "ostinato COMMAND --help tells the flags of one. Magenta's names work too:",
            "attention_rnn_train is ostinato train --config=attention_rnn.",
        ]
    )


def _load(command: str) -> _Command:
    return cast(_Command, importlib.import_module(f"ostinato.cli.{command}"))


def _run(command: str, arguments: Sequence[str], *, prog: str, config: str | None) -> int:
    module = _load(command)
    parser = _Parser(prog=prog, description=COMMANDS[command])
    module.add_arguments(parser)
    parser.add_argument("--log", type=str.upper, choices=_LOG_LEVELS, default="INFO", help="how much to tell")
    if config is not None:
        parser.set_defaults(config=config)
    args = _parse(parser, arguments)
    logging.basicConfig(level=args.log, format="%(message)s")
    try:
        return module.run(args)
    except KeyboardInterrupt:
        return _fail(prog, "interrupted", 130)
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OstinatoError as error:
        return _fail(prog, str(error), error.exit_code)
    except OSError as error:
        return _fail(prog, f"{error.filename}: {error.strerror}" if error.filename else str(error), 1)
    except Exception as error:
        return _fail(prog, f"{type(error).__name__}: {error}; this is a bug, --log=DEBUG shows where", 1)


def _parse(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """The command's own flags, and in `runner_flags`, where there is a --runner, those that are none."""
    if not any(argument.partition("=")[0] == "--runner" for argument in arguments):
        return parser.parse_args([_with_underscores(argument) for argument in arguments])
    split = arguments.index("--") if "--" in arguments else len(arguments)
    args, unknown = parser.parse_known_args([_with_underscores(argument) for argument in arguments[:split]])
    args.runner_flags = [*unknown, *arguments[split:]]
    if not hasattr(args, "runner"):
        parser.error(f"unrecognized arguments: {' '.join(args.runner_flags)}")
    return args


def _fail(prog: str, message: str, exit_code: int) -> int:
    logging.getLogger(__name__).debug("", exc_info=True)
    print(f"{prog}: {message}", file=sys.stderr)
    return exit_code


def _with_underscores(argument: str) -> str:
    """`--num-steps=8` as `--num_steps=8`; values stay as they are."""
    flag, equals, value = argument.partition("=")
    return flag.replace("-", "_").replace("__", "--", 1) + equals + value if flag.startswith("--") else argument
