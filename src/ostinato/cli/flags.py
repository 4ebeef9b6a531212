"""Flags as Magenta's users write them."""

import argparse
from collections.abc import Sequence
from typing import Any

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
