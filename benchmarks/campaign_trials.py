"""What the parts of the campaign have in common: what a trial is, and how a command of ours must end."""

import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
FINE, REFUSED = "fine", "refused"
PATIENCE = 300  # seconds that any command may take, on a machine that has other things to do


class FaultError(Exception):
    """What must not happen. The text says what did."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of trial.

    Attributes:
        name: what the table calls it.
        trial: takes the chance and an empty folder; gives FINE or REFUSED, or raises a FaultError.
        slow: whether it takes more than a few seconds, so that the short form leaves it out.
    """

    name: str
    trial: Callable[[random.Random, Path], str]
    slow: bool = False


def ostinato(*arguments: object) -> list[str]:
    """A command of ours."""
    return [sys.executable, "-m", "ostinato", *map(str, arguments)]


def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, **options)  # type: ignore[call-overload, no-any-return]
    except subprocess.TimeoutExpired:
        raise FaultError(f"it took longer than {PATIENCE} s: {command[2:]}") from None


def ending(done: subprocess.CompletedProcess[str]) -> str:
    """FINE if a command did its work, REFUSED if it said in a line why not.

    Raises:
        FaultError: if it ended in any other way.
    """
    told = done.stderr.strip().splitlines()
    text = " | ".join(told[-12:])
    if any(word in done.stderr for word in ("Traceback", "this is a bug", "Exception ignored")):
        raise FaultError(f"it told of a bug: {text}")
    if done.returncode == 0:
        return FINE
    if done.returncode not in (1, 2) or not told or not told[-1].startswith("ostinato "):
        raise FaultError(f"exit code {done.returncode}: {text}")
    return REFUSED
