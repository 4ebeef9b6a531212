"""`ostinato export`: a model as files that run elsewhere."""

import argparse
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ostinato.cli.flags import USUAL
from ostinato.cli.terminal import say
from ostinato.errors import SettingsError

if TYPE_CHECKING:
    from ostinato.bundle import Bundle

EXAMPLE = "ostinato export ostinato --page=ostinato.html"

_FLAGS = {
    "page": ("FILE.html", "write one HTML file that composes, offline, in any browser"),
    "js": ("FOLDER", "write a JavaScript module with the model's weights, for web pages and Node"),
    "onnx": ("FILE.onnx", "write the network as ONNX: one step, and in FILE-sequence.onnx a whole melody"),
    "magentajs": ("FOLDER", "write what Magenta.js's MusicRNN loads; basic_rnn and mono_rnn alone"),
    "magenta": ("FILE.mag", "write a bundle that Magenta itself plays; its four kinds of model alone"),
}
_ENDINGS = {"page": ".html", "onnx": ".onnx", "magenta": ".mag"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    parser.add_argument(
        "model", metavar="MODEL", help="a built-in model, by its name, a .mag bundle, a checkpoint or a run_dir"
    )
    usual = parser.add_argument_group(USUAL)
    for flag, (metavar, what) in _FLAGS.items():
        usual.add_argument(f"--{flag}", metavar=metavar, help=what)
    parser.add_argument_group("how large").add_argument(
        "--bits",
        type=int,
        choices=(8, 16),
        default=8,
        metavar="8|16",
        help="of each number of the weights in --page and --js",
    )


def run(args: argparse.Namespace) -> int:
    """Write what the flags ask for."""
    asked = [flag for flag in _FLAGS if getattr(args, flag) is not None]
    if not asked:
        raise SettingsError(f"nothing to write; give one of {', '.join(f'--{flag}' for flag in _FLAGS)}")
    for flag in asked:
        _require_free(flag, getattr(args, flag))

    from ostinato.bundle import load_bundle
    from ostinato.shipped import model_path

    bundle = load_bundle(model_path(args.model))
    # All is made before the first file is written.
    made = [each for flag in asked for each in _made(flag, getattr(args, flag), bundle, args.bits)]
    for path, content in made:
        _write(content, path)
    return 0


def _require_free(flag: str, path: str) -> None:
    """Refuse a name that the file cannot have."""
    ending = _ENDINGS.get(flag)
    if ending and (not path.endswith(ending) or Path(path).name == ending):
        raise SettingsError(f"--{flag}={path}: the name must end in {ending}")
    for each in (path, _sequence_path(path)) if flag == "onnx" else (path,):
        if not each or Path(each).exists():
            raise SettingsError(f"--{flag}={each}: there is such a file or folder already; choose another name")


def _sequence_path(path: str) -> str:
    """Where the whole-sequence form of a network goes, beside its step."""
    return f"{path.removesuffix('.onnx')}-sequence.onnx"


Made = bytes | Mapping[str, bytes]
"""What is written: a file, or the files of a folder by their names."""


def _made(flag: str, path: str, bundle: "Bundle", bits: int) -> list[tuple[str, Made]]:
    """What a flag asks for, and where it goes."""
    if flag == "page":
        from ostinato.export.page import page_html

        return [(path, page_html(bundle, bits).encode())]
    if flag == "js":
        from ostinato.export.javascript import javascript_files

        return [(path, javascript_files(bundle, bits))]
    if flag == "onnx":
        from ostinato.export.onnx import onnx_files

        files = onnx_files(bundle)
        return [(path, files["step"]), (_sequence_path(path), files["sequence"])]
    if flag == "magentajs":
        from ostinato.export.magentajs import magentajs_files

        return [(path, magentajs_files(bundle))]
    from ostinato.export.magenta import magenta_bundle

    return [(path, magenta_bundle(bundle))]


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
        except OSError as error:
            error.filename = path  # nobody knows the temporary folder
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        size = sum(map(len, made.values()))
    say(f"{path}: {size:,} bytes")
