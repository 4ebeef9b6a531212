"""The flags that say which model, of all commands that take one or several."""

import argparse
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ostinato.errors import SettingsError

if TYPE_CHECKING:
    from ostinato.bundle import Bundle

# By flag, what it names; in the order in which the models are taken.
_SOURCES = {
    "bundle_file": ("FILE", "this bundle, ours or Magenta's"),
    "checkpoint_file": ("FILE", "this checkpoint"),
    "run_dir": ("FOLDER", "the newest checkpoint of this training run"),
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """A model that the flags name.

    Attributes:
        name: what to call it.
        path: where it is.
        bundle: the model.
    """

    name: str
    path: Path
    bundle: "Bundle"


def add_model(parser: argparse.ArgumentParser, purpose: str, *, several: bool = False) -> None:
    """Add the flags.

    Args:
        parser: of the command.
        purpose: what the command does with the model, as "play".
        several: let each flag name a comma list.
    """
    more = ", or several with commas between" if several else ""
    for flag, (metavar, what) in _SOURCES.items():
        parser.add_argument(
            f"--{flag}", default="", metavar=f"{metavar}S" if several else metavar, help=f"{purpose} {what}{more}"
        )
    parser.add_argument(
        "--config",
        metavar="NAMES" if several else "NAME",
        help=f"{purpose} this built-in model{more} (ostinato models lists them)"
        + ("" if several else "; or the kind of a checkpoint of Magenta's"),
    )


def chosen_model(args: argparse.Namespace, *, among: Sequence[str] = tuple(_SOURCES)) -> Chosen:
    """The one model that the flags name: the best built-in one if they name none.

    Args:
        args: the command's.
        among: the flags that name a model here.

    Raises:
        SettingsError: if they name several, or hparams that the model does not have.
    """
    paths = [Path(path) for flag in among if (path := getattr(args, flag))]
    if len(paths) > 1:
        flags = [f"--{flag}" for flag in among]
        raise SettingsError(f"give one of {', '.join(flags[:-1])} and {flags[-1]}; there are {len(paths)}")
    if paths:
        return _load(paths[0], args.config, getattr(args, "hparams", ""))
    from ostinato.shipped import BEST_MODEL, shipped_path

    name = args.config or BEST_MODEL
    chosen = _load(shipped_path(name), None, getattr(args, "hparams", ""))
    return Chosen(f"the built-in model {name}", chosen.path, chosen.bundle)


def chosen_models(args: argparse.Namespace) -> list[Chosen]:
    """All models that the flags name, those that come with Ostinato first, each once."""
    from ostinato.shipped import shipped_path

    shipped, paths = listed(args.config), model_paths(args)
    # A file's name alone is easier to read, where it tells the models apart.
    names = Counter([*shipped, *(path.stem for path in paths)])
    models = [Chosen(name, path, _load(path, None, "").bundle) for name in shipped for path in [shipped_path(name)]]
    for path in paths:
        name = path.stem if names[path.stem] == 1 else os.fspath(path)
        models.append(Chosen(name, path, _load(path, None, "").bundle))
    return models


def model_paths(args: argparse.Namespace) -> list[Path]:
    """The files and folders that the flags name, each once."""
    return [Path(path) for path in dict.fromkeys(part for flag in _SOURCES for part in listed(getattr(args, flag)))]


def listed(text: str | None) -> list[str]:
    """The parts of a comma list, each once."""
    return list(dict.fromkeys(part.strip() for part in (text or "").split(",") if part.strip()))


def _load(path: Path, config: str | None, hparams_text: str) -> Chosen:
    """The model at `path`; hparams that say otherwise than it does are refused."""
    from ostinato.bundle import load_bundle
    from ostinato.config import parse_hparams

    hparams = parse_hparams(hparams_text)
    bundle = load_bundle(path, config=config, hparams=hparams)
    # Of its training Magenta keeps nothing that could be compared; what shapes the network has been.
    if bundle.provenance.get("made_by") != "Magenta":
        stored, asked = bundle.config.hparams, bundle.config.with_hparams(hparams).hparams
        for name in hparams:
            if getattr(asked, name) != getattr(stored, name):
                raise SettingsError(
                    f"--hparams: {name}={getattr(asked, name)!r}, but {path} was trained with "
                    f"{getattr(stored, name)!r}; leave it out"
                )
    return Chosen(bundle.config.name, path, bundle)
