"""The kinds of error that Ostinato raises on purpose.

Each message is one line: the file or flag, the bound, the value found, and what
to do next. Library code raises; only the command line prints and exits, with
the class's `exit_code`.
"""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

# What pip is given for each extra: the packages, since `ostinato[train]` is on no index. TinySoundFont asks for
# PyAudio, to play to a loudspeaker, which we do not need and which Linux has no wheel of.
_PACKAGES = {
    "train": "torch tensorboard numba",
    "studio": "msgspec starlette uvicorn",
    "live": "mido python-rtmidi",
    "sound": "--no-deps tinysoundfont",
    "dask": "distributed",
    "onnx": "onnx",
}

_MAX_TEXT = 2000  # characters of a text of unknown origin that are shown


def printable(text: str) -> str:
    """Text out of a file that may come from anyone: on one line, without what would command a terminal."""
    return _one_line(text[:_MAX_TEXT]) + ("..." if len(text) > _MAX_TEXT else "")


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def did_you_mean(word: str, known: Iterable[str], place: str = "") -> str:
    """What to add to the error about an unknown name: "; did you mean NAME?", or nothing if none is near.

    Args:
        word: the name.
        known: the names that there are.
        place: what stands before the name that is meant, as a folder does before its files.
    """
    import difflib  # which only errors need

    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {place}{printable(near[0])}?" if near else ""


def nearest_file(path: str | os.PathLike[str]) -> str:
    """What to add to the error about a file: which one there is that is called nearly so, if it is not there."""
    missing = Path(path)
    while not missing.parent.exists():
        missing = missing.parent
    try:
        names = [] if missing.exists() else sorted(each.name for each in missing.parent.iterdir())
    except OSError:  # a folder that cannot be read, a name that is too long
        return ""
    return did_you_mean(missing.name, names, str(missing)[: -len(missing.name)])


class OstinatoError(Exception):
    """Anything that a user can mend: bad data, a bad setting, a missing part."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        # It may name what a stranger's file calls itself.
        super().__init__(_one_line(message))


class SettingsError(OstinatoError):
    """A flag, hyperparameter or primer that cannot be, or that contradicts another."""

    exit_code = 2


class FormatError(OstinatoError):
    """Bytes that are not what their format says they are."""


class DataError(OstinatoError):
    """Well-formed data that does not hold what the work needs."""


class MissingExtraError(OstinatoError):
    """A part of Ostinato that is not installed; the message holds the command that installs it.

    The command names this Python, so that it works in any folder, whether the environment is activated or not.
    """

    def __init__(self, what: str, extra: str) -> None:
        python = f'"{sys.executable}"' if " " in sys.executable else sys.executable
        super().__init__(f"{what} needs an extra that is not installed: {python} -m pip install {_PACKAGES[extra]}")
