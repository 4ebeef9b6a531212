"""`ostinato export`: a model as files that run elsewhere."""

import argparse
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ostinato.errors import SettingsError

if TYPE_CHECKING:
    from ostinato.bundle import Bundle

_FLAGS = {
    "page": ("FILE.html", "write one HTML file that composes, offline, in any browser"),
    "js": ("FOLDER", "write a JavaScript module with the model's weights, for web pages and Node"),
    "onnx": (
        "FILE.onnx",
        "write the network as ONNX; the step form, and beside it FILE-sequence.onnx for whole melodies",
    ),
    "magentajs": ("FOLDER", "write what Magenta.js's MusicRNN loads; basic_rnn and mono_rnn alone"),
}
_ENDINGS = {"page": ".html", "onnx": ".onnx"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    parser.add_argument("model", help="a built-in model, by its name, a .mag bundle, a checkpoint or a run_dir")
    for flag, (metavar, what) in _FLAGS.items():
        parser.add_argument(f"--{flag}", metavar=metavar, help=what)
    parser.add_argument(
        "--bits", type=int, choices=(8, 16), default=8, help="of each number of the weights in --page and --js"
    )


def run(args: argparse.Namespace) -> int:
    """Write what the flags ask for."""
    targets = {flag: path for flag in _FLAGS if (path := getattr(args, flag)) is not None}
    if not targets:
        raise SettingsError(f"nothing to write; give one of {', '.join(f'--{flag}' for flag in _FLAGS)}")
    for flag, path in targets.items():
        _require_free(flag, path)

    from ostinato.bundle import load_bundle
    from ostinato.shipped import model_path

    bundle = load_bundle(model_path(args.model))
    made = {flag: _makers()[flag](bundle, args.bits) for flag in targets}
    for flag, path in targets.items():
        _write(made[flag], path)
    return 0


def _require_free(flag: str, path: str) -> None:
    """Refuse a name that the file cannot have."""
    ending = _ENDINGS.get(flag)
    if ending and not (path.endswith(ending) and Path(path).stem):
        raise SettingsError(f"--{flag}={path}: the name must end in {ending}")
    if not path or Path(path).exists():
        raise SettingsError(f"--{flag}={path}: there is such a file or folder already; choose another name")


Made = bytes | Mapping[str, bytes]
"""What is written: a file, or the files of a folder by their names."""


def _makers() -> dict[str, "Callable[[Bundle, int], Made]"]:
    """What makes each format of a model and the bits that are asked for."""
    from ostinato.export.javascript import javascript_files

    return {"js": javascript_files}


def _write(made: Made, path: str) -> None:
    """Write a file or a folder, whole or not at all, and say so."""
    if isinstance(made, bytes):
        from ostinato.formats import atomic_writer

        with atomic_writer(path) as file:
            file.write(made)
        size = len(made)
    else:
        target = Path(path)
        folder = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        folder.mkdir(parents=True)
        try:
            for name, data in made.items():
                (folder / name).write_bytes(data)
            folder.rename(target)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        size = sum(map(len, made.values()))
    print(f"{path}: {size:,} bytes")
