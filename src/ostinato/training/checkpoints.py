"""Checkpoints: everything a training job needs to continue as if it had never stopped.

A checkpoint is a bundle (`ostinato.bundle`), so generation can read it. It has
these additional arrays, named after the arrays they belong to:

| name                    | meaning                                         |
|-------------------------|-------------------------------------------------|
| training.mean.{array}   | Adam's running mean of the gradient             |
| training.square.{array} | Adam's running mean of the squared gradient     |
| training.weight.{array} | the weight itself, if the run averages them     |

A run that averages its weights (hparam weight_averaging) has the averages as
the bundle's arrays, since these are what is played and evaluated.

The rest is in the provenance: step, epoch and batch (both counted from 0, the
next one to come), seed, data files and number of melodies, seconds trained, the
metrics of the last summary, and, if the run began from another model,
`init_from`: the file of that model, the SHA-256 of its arrays, and what is known
about its own training, in words. Every random number of a run comes from its
seed and the step, so the seed is the state of all generators.

`run_dir/train/` has the checkpoints, `settings.json` for people to read, and
`lock`, which a job holds while it runs. `run_dir/best/` has the checkpoint that
did best on held-out melodies, if there are any.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.bundle import (
    TRAINING_PREFIX,
    Bundle,
    array_shapes,
    checkpoint_path,
    checkpoints,
    decode_bundle,
    encode_bundle,
    training_summary,
)
from ostinato.config import Config
from ostinato.errors import FormatError, OstinatoError, SettingsError, printable
from ostinato.formats import atomic_writer, lock
from ostinato.training.data import Position

_MEAN = f"{TRAINING_PREFIX}mean."
_SQUARE = f"{TRAINING_PREFIX}square."
_WEIGHT = f"{TRAINING_PREFIX}weight."


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A training job between two steps.

    Attributes:
        config: the model's settings.
        arrays: what is played, by the names of `ostinato.bundle`.
        means: Adam's running means of the gradients, by the same names.
        squares: Adam's running means of the squared gradients, by the same names.
        step: steps made so far.
        position: where the training data continues.
        seed: decides everything random, together with the step.
        history: JSON values about how the run went; nothing depends on them.
        weights: what training continues from, by the same names, if `arrays` is an average; None if it is not.
    """

    config: Config
    arrays: Mapping[str, NDArray[np.float32]]
    means: Mapping[str, NDArray[np.float32]]
    squares: Mapping[str, NDArray[np.float32]]
    step: int
    position: Position
    seed: int
    history: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, NDArray[np.float32]] | None = None

    def to_bytes(self) -> bytes:
        """The checkpoint as a file."""
        place = {"step": self.step, "epoch": self.position.epoch, "batch": self.position.batch, "seed": self.seed}
        state = {
            prefix + name: array
            for prefix, arrays in ((_MEAN, self.means), (_SQUARE, self.squares), (_WEIGHT, self.weights or {}))
            for name, array in arrays.items()
        }
        return encode_bundle(Bundle(self.config, self.arrays, {**self.history, **place}), state)

    @staticmethod
    def from_bytes(data: bytes, source: str) -> "Checkpoint":
        """Read what `to_bytes` wrote.

        Args:
            data: the whole file.
            source: what to call it in errors.

        Raises:
            FormatError: if it is not a checkpoint, or is damaged.
        """
        bundle, extra = decode_bundle(data, source)
        history = dict(bundle.provenance) if isinstance(bundle.provenance, dict) else {}
        place = [history.pop(name, None) for name in ("step", "epoch", "batch", "seed")]
        shapes = array_shapes(bundle.config)
        kinds = (_MEAN, _SQUARE, _WEIGHT) if bundle.config.hparams.weight_averaging else (_MEAN, _SQUARE)
        if extra.keys() != {kind + name for kind in kinds for name in shapes} or not all(
            isinstance(value, int) and value >= 0 for value in place
        ):
            raise FormatError(f"{source}: this model has no training state, so no run can continue from it")
        state = [{name: extra[kind + name] for name in shapes} for kind in kinds]
        for arrays in state:
            if any(arrays[name].shape != shapes[name] or arrays[name].dtype != np.float32 for name in shapes):
                raise FormatError(f"{source}: its training arrays differ from the model's in shape or type")
        means, squares, *weights = state
        step, epoch, batch, seed = place
        position = Position(epoch, batch)
        return Checkpoint(
            bundle.config, bundle.arrays, means, squares, step, position, seed, history, weights[0] if weights else None
        )


@dataclass(frozen=True, eq=False)
class Origin:
    """The model that a run starts from, instead of random values.

    Attributes:
        path: what the user pointed at.
        bundle: the model.
    """

    path: str | os.PathLike[str]
    bundle: Bundle

    def told(self) -> dict[str, str]:
        """What the run's checkpoints, and bundles made from them, say about it."""
        digest = hashlib.sha256()
        for name, array in sorted(self.bundle.arrays.items()):
            digest.update(f"{name} {array.shape} ".encode())
            digest.update(np.ascontiguousarray(array, "<f4").tobytes())
        training = printable(training_summary(self.bundle.provenance))
        told = {"file": Path(self.path).resolve().name, "sha256": digest.hexdigest()}
        return {**told, "training": training} if training else told


def train_folder(run_dir: str | os.PathLike[str]) -> Path:
    """The folder that the training job of a run writes to."""
    return Path(run_dir) / "train"


def best_folder(run_dir: str | os.PathLike[str]) -> Path:
    """The folder of the checkpoint of a run that did best on held-out melodies."""
    return Path(run_dir) / "best"


def latest_checkpoint(run_dir: str | os.PathLike[str]) -> Path | None:
    """The newest checkpoint of a run, or None if it has none yet."""
    found = checkpoints(train_folder(run_dir))
    return found[-1][1] if found else None


def read_checkpoint(path: Path) -> Checkpoint:
    """The training job that a checkpoint holds.

    Raises:
        FormatError: if the file is damaged; the message says what to do.
        FileNotFoundError: if it has been deleted.
    """
    try:
        return Checkpoint.from_bytes(path.read_bytes(), str(path))
    except FormatError as error:
        raise FormatError(f"{error}; delete this file to continue from the checkpoint before it") from None


def stored_run(run_dir: str | os.PathLike[str]) -> Checkpoint | None:
    """The newest checkpoint of a run that has made a step; None if there is nothing to continue from.

    Raises:
        FormatError: if the newest checkpoint is damaged.
    """
    path = latest_checkpoint(run_dir)
    checkpoint = None if path is None else read_checkpoint(path)
    return checkpoint if checkpoint is not None and checkpoint.step > 0 else None


def save_checkpoint(folder: Path, checkpoint: Checkpoint, keep: int) -> Path:
    """Write a checkpoint, complete or not at all, and delete all but the newest.

    Args:
        folder: the `train_folder` or `best_folder` of a run.
        checkpoint: what to write.
        keep: how many to keep, at least 1.

    Returns:
        The path of the file.

    Raises:
        OstinatoError: if it cannot be written; earlier ones stay as they were.
    """
    path = checkpoint_path(folder, checkpoint.step)
    before = [earlier for _, earlier in checkpoints(folder) if earlier != path]
    try:
        with atomic_writer(path) as file:
            file.write(checkpoint.to_bytes())
    except OSError as error:
        safe = f"{before[-1].name} is safe; fix this and run the same command again" if before else "fix this first"
        raise OstinatoError(f"{path}: the checkpoint cannot be saved: {error.strerror or error}; {safe}") from error
    for earlier in before[: max(len(before) + 1 - keep, 0)]:
        earlier.unlink(missing_ok=True)
    return path


def require_same(stored: Config, asked: Config, run_dir: str | os.PathLike[str]) -> None:
    """Make sure that a run continues with the settings it began with.

    Raises:
        SettingsError: if one differs; the message names the first, and both values.
    """

    def refuse(what: str, there: object, here: object) -> SettingsError:
        return SettingsError(
            f"{os.fspath(run_dir)}: this run began with {what} {there}, not {here}; "
            "leave that out to continue the run, or choose another --run_dir"
        )

    if stored.name != asked.name:
        raise refuse("config", stored.name, asked.name)
    for setting in dataclasses.fields(stored.hparams):
        there, here = getattr(stored.hparams, setting.name), getattr(asked.hparams, setting.name)
        if there != here:
            raise refuse(f"hparam {setting.name}", _written(there), _written(here))
    if stored.encoding != asked.encoding:
        raise refuse("encoding", stored.encoding, asked.encoding)


def require_same_origin(stored: Checkpoint, origin: Origin, run_dir: str | os.PathLike[str]) -> None:
    """Make sure that a run began from the given model.

    Raises:
        SettingsError: if it began from another one, or from random values.
    """
    there, asked = stored.history.get("init_from"), origin.told()
    if isinstance(there, dict) and there.get("sha256") == asked["sha256"]:
        return
    began = "random values"
    if isinstance(there, dict):
        began = f"{there.get('file')}, arrays of SHA-256 {str(there.get('sha256'))[:12]}..."
    raise SettingsError(
        f"{os.fspath(run_dir)}: this run began from {began}, not from --init_from={os.fspath(origin.path)}, "
        f"arrays of SHA-256 {asked['sha256'][:12]}...; leave that out to continue the run, or choose another --run_dir"
    )


def _written(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def write_settings(run_dir: str | os.PathLike[str], settings: Mapping[str, Any]) -> None:
    """Write `train/settings.json`, for people to read; nothing reads it back."""
    with atomic_writer(train_folder(run_dir) / "settings.json") as file:
        file.write((json.dumps(settings, indent=2) + "\n").encode())


@contextlib.contextmanager
def only_job(run_dir: str | os.PathLike[str]) -> Iterator[None]:
    """Hold the lock of a run during a block, and remove what a killed job left half written.

    The system releases the lock when a process ends, however it ends.

    Raises:
        OstinatoError: if another job holds it.
    """
    folder = train_folder(run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+b") as file:
        if not lock(file):
            raise OstinatoError(
                f"{os.fspath(run_dir)}: another training job is running in this run_dir; "
                "stop it first, or choose another --run_dir"
            )
        for half_written in (*folder.glob(".*.tmp"), *best_folder(run_dir).glob(".*.tmp")):
            half_written.unlink(missing_ok=True)
        yield
