"""Flags as Magenta's users write them, and those of commands that can also run as an Apache Beam pipeline."""

import argparse
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from ostinato.errors import SettingsError

_WORDS = {"true": True, "t": True, "yes": True, "1": True, "false": False, "f": False, "no": False, "0": False}


class _Boolean(argparse.Action):
    """`--flag`, `--noflag` and `--flag=true|false`, which absl's flags accept, and `--no_flag`."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        negated = option_string in (f"--no{self.dest}", f"--no_{self.dest}")
        if values is None:
            value = True
        elif isinstance(values, str) and values.lower() in _WORDS and not negated:
            value = _WORDS[values.lower()]
        else:
            parser.error(f"{option_string} takes true or false, not {values!r}")
        setattr(namespace, self.dest, value is not negated)


def add_boolean(parser: argparse.ArgumentParser, name: str, *, default: bool | None, help: str) -> None:  # noqa: A002
    """Add a flag that is on or off: `--name`, `--noname` or `--no_name`, `--name=true`, `--name=false`.

    Args:
        parser: where to add it.
        name: the flag with its two dashes.
        default: the value when it is not given.
        help: what it does when on.
    """
    bare = name.removeprefix("--")
    parser.add_argument(
        name,
        f"--no{bare}",
        f"--no_{bare}",
        action=_Boolean,
        nargs="?",
        dest=bare,
        default=default,
        metavar="true|false",
        help=help,
    )


def add_runner(parser: argparse.ArgumentParser) -> None:
    """Add --num_shards and --runner. With --runner, the front door leaves Beam's own flags in `args.runner_flags`."""
    parser.add_argument(
        "--num_shards",
        type=int,
        metavar="N",
        help="write this many shards, NAME-00000-of-0000N.tfrecord and so on, which are read as NAME@N.tfrecord",
    )
    parser.add_argument(
        "--runner",
        metavar="NAME",
        help="do it as an Apache Beam pipeline on DirectRunner, PrismRunner, FlinkRunner, SparkRunner or "
        "DataflowRunner. Beam's own flags are taken too, such as --direct_num_workers=2; those that only the runner "
        "knows go after --",
    )


def runner_of(args: argparse.Namespace) -> tuple[str, list[str]] | None:
    """The runner and Beam's flags, or None for this machine's own processes.

    Raises:
        SettingsError: if --num_processes is given too.
    """
    if args.runner is None:
        return None
    if args.num_processes is not None:
        raise SettingsError("--num_processes goes without --runner; the DirectRunner has --direct_num_workers")
    if args.runner.lower().startswith("direct") and args.log != "DEBUG":
        logging.getLogger("apache_beam").setLevel(logging.WARNING)  # it tells of every channel it opens
    return args.runner, args.runner_flags


def add_report(parser: argparse.ArgumentParser) -> None:
    """Add the flag for the report as JSON."""
    parser.add_argument("--json", metavar="FILE", help="write what was read and what was left out to this file")


def write_report(path: str | None, *reports: Mapping[str, Any]) -> None:
    """Write a report where --json says, if it is given; several as a list."""
    if path is None:
        return
    import json

    from ostinato.formats import atomic_writer

    with atomic_writer(path) as file:
        # A file's name may be no text.
        file.write(
            json.dumps(reports[0] if len(reports) == 1 else reports, indent=1, allow_nan=False).encode(errors="replace")
            + b"\n"
        )
    print(f"{path}: the report")
