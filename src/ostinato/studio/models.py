"""The models of a studio, each loaded once, when it is first asked for."""

import math
import os
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ostinato.bundle import Bundle, load_bundle
from ostinato.errors import SettingsError, printable
from ostinato.generation.model import Model
from ostinato.shipped import BEST_MODEL, SHIPPED_MODELS, shipped_path
from ostinato.studio.schema import ModelCard

_MAX_NAME = 60  # characters: what fits the page's list


class Models:
    """Models by name; any thread may ask for them.

    Attributes:
        paths: where each is.
        default: the one that plays where none is asked for.
    """

    def __init__(self, paths: Mapping[str, Path], default: str) -> None:
        self.paths = dict(paths)
        self.default = default
        self._loaders = {name: _Loader(path) for name, path in paths.items()}

    @staticmethod
    def shipped_and(given: Iterable[str | os.PathLike[str]] = (), default: str | None = None) -> "Models":
        """The models that come with the package, after those at some paths, the first of which is the default.

        Args:
            given: bundles, checkpoints or run_dirs. They are read at once, so that a wrong one is known at once.
            default: the shipped model to be the default instead.

        Raises:
            OstinatoError: if one cannot be read.
        """
        paths: dict[str, Path] = {}
        for path in map(Path, given):
            whole = path.resolve()
            paths[_free_name(whole.name if whole.is_dir() else whole.stem, paths)] = path
        if default is not None:
            shipped_path(default)  # refuses what is none
        default = default or next(iter(paths), BEST_MODEL)
        models = Models({**paths, **{_free_name(name, paths): shipped_path(name) for name in SHIPPED_MODELS}}, default)
        for name in paths:
            models.bundle(name)
        return models

    def add(self, wanted: str, path: Path) -> str:
        """Add a model while others play; one thread at a time may.

        Args:
            wanted: what to call it; a number is appended if another one is called so.
            path: its bundle, which is read at once.

        Returns:
            Its name.

        Raises:
            OstinatoError: if it cannot be read.
        """
        name = _free_name(wanted, self.paths)
        loader = _Loader(path)
        loader.bundle()
        # Another thread may be going through those that are there.
        self._loaders = {**self._loaders, name: loader}
        self.paths = {**self.paths, name: path}
        return name

    def bundle(self, name: str | None = None) -> Bundle:
        """Settings, arrays and provenance of a model, by default of the default.

        Raises:
            SettingsError: if none is called that.
        """
        return self._loader(name).bundle()

    def model(self, name: str | None = None) -> Model:
        """A model ready to play, by default the default.

        Raises:
            SettingsError: if none is called that.
        """
        return self._loader(name).model()

    def cards(self) -> list[ModelCard]:
        """What there is to know of each."""
        return [_card(name, loader.bundle(), name == self.default) for name, loader in self._loaders.items()]

    def _loader(self, name: str | None) -> "_Loader":
        loader = self._loaders.get(self.default if name is None else name)
        if loader is None:
            raise SettingsError(f"no model is called {name!r}; there are {', '.join(self._loaders)}")
        return loader


class _Loader:
    """One model. Whoever comes while it is loaded waits for it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._bundle: Bundle | None = None
        self._model: Model | None = None

    def bundle(self) -> Bundle:
        with self._lock:
            if self._bundle is None:
                self._bundle = load_bundle(self._path)
            return self._bundle

    def model(self) -> Model:
        with self._lock:
            if self._model is None:
                self._model = Model(self.bundle())
            return self._model


def _free_name(wanted: str, taken: Iterable[str]) -> str:
    wanted = name = printable(wanted[:_MAX_NAME])
    number = 1
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    return name


def _card(name: str, bundle: Bundle, is_default: bool) -> ModelCard:
    config = bundle.config
    return ModelCard(
        name=name,
        description=printable(str(bundle.provenance.get("description", ""))),
        default=is_default,
        attention=config.hparams.attn_length > 0,
        foretells_end=config.encoding.foretells_end,
        min_pitch=config.encoding.min_pitch,
        max_pitch=config.encoding.max_pitch - 1,
        bits_per_step=_bits_per_step(bundle.provenance.get("card")),
    )


def _bits_per_step(card: Any) -> float | None:
    """What the model card, which may come from anyone, tells of melodies that the model did not learn from."""
    try:
        bits = card["held_out"]["validation"]["bits_per_step"]
    except (KeyError, TypeError):
        return None
    return round(float(bits), 4) if type(bits) in (int, float) and math.isfinite(bits) else None
