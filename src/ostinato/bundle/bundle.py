"""A bundle: settings, arrays and provenance, and the one documented file they stand in.

Inside, a bundle is a `Config`, float32 arrays under published names, and what
is known of how they came about. In a file it is safetensors: the arrays, with
the settings and the provenance as JSON in the header. A training checkpoint is
the same file with more arrays, whose names begin with "training.".

Array names, for L layers of sizes H_0 .. H_{L-1}, X_i values into layer i, D
values into the network, C classes. A kernel stands on the right: y = x K + b.

| name                            | shape            | meaning                                          |
|---------------------------------|------------------|--------------------------------------------------|
| lstm.{i}.kernel                 | [X_i + H_i, 4H_i]| rows: input, then h; columns: gates i, j, f, o   |
| lstm.{i}.bias                   | [4H_i]           | the forget gate's +1 is added at run time        |
| lstm.{i}.projection.kernel, bias| [., H_i], [H_i]  | with residual connections, where widths differ   |
| attention.input.kernel, bias    | [D + H, D], [D]  | rows: x_t, then a_{t-1}                          |
| attention.query.kernel, bias    | [Q, H], [H]      | rows: c, h of each layer inside, from the input up |
| attention.memory.kernel         | [H, H]           | W_m                                              |
| attention.score                 | [H]              | v                                                |
| attention.output.kernel, bias   | [2H, H], [H]     | rows: o_t, then a_t                              |
| output.kernel, bias             | [H_{L-1}, C], [C]| the logits                                       |

With attn_scope "stack" H is the last layer's size and Q the sum of all 2 H_i;
with "first_layer" H is H_0, Q is 2 H_0, and the other layers stand on top.
"""

import json
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_safetensors
from safetensors.numpy import save as save_safetensors

from ostinato.config import Config
from ostinato.errors import FormatError, SettingsError

FORMAT_VERSION = 1
TRAINING_PREFIX = "training."

_FORMER_CARD_NAMES = {"licence": "license"}  # what the first model cards wrote, and what it is read as
_LARGEST_HALF = 65504.0  # the largest float16


@dataclass(frozen=True)
class Bundle:
    """Everything needed to play a model.

    Attributes:
        config: encoding and hyperparameters.
        arrays: float32 arrays by the names and shapes of `array_shapes(config)`.
        provenance: JSON values: how the arrays came about (step, data, losses, description).
    """

    config: Config
    arrays: Mapping[str, NDArray[np.float32]]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        wanted = array_shapes(self.config)
        found = {name: array.shape for name, array in self.arrays.items()}
        if wrong := sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)):
            name = wrong[0]
            raise FormatError(
                f"a {self.config.name} model of layers {list(self.config.hparams.rnn_layer_sizes)} needs array {name} "
                f"of shape {wanted.get(name, 'none')}, found {found.get(name, 'none')}"
                + (f" ({len(wrong)} arrays differ)" if len(wrong) > 1 else "")
            )


def array_shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a model's arrays, in the order of the road through the network."""
    hparams, encoding = config.hparams, config.encoding
    sizes = hparams.rnn_layer_sizes
    shapes: dict[str, tuple[int, ...]] = {}

    def dense(name: str, rows: int, columns: int) -> None:
        shapes[f"{name}.kernel"] = (rows, columns)
        shapes[f"{name}.bias"] = (columns,)

    # What the attention wraps reads the network's input, so its first layer's
    # input is as wide, projected or not.
    width = encoding.input_size
    for layer, size in enumerate(sizes):
        if hparams.residual_connections and (layer == 0 or sizes[layer - 1] != size):
            dense(f"lstm.{layer}.projection", width, size)
            width = size
        dense(f"lstm.{layer}", width + size, 4 * size)
        width = size
    if hparams.attn_length:
        around_stack = hparams.attn_scope == "stack"
        inside = sizes if around_stack else sizes[:1]
        size = inside[-1]
        # Around the first layer the attention stands inside its input projection.
        projected = hparams.residual_connections and not around_stack
        input_width = size if projected else encoding.input_size
        dense("attention.input", input_width + size, input_width)
        dense("attention.query", 2 * sum(inside), size)
        shapes["attention.memory.kernel"] = (size, size)
        shapes["attention.score"] = (size,)
        dense("attention.output", 2 * size, size)
    dense("output", sizes[-1], encoding.num_classes)
    return shapes


def encode_bundle(
    bundle: Bundle, extra_arrays: Mapping[str, NDArray[Any]] | None = None, *, half_precision: bool = False
) -> bytes:
    """A bundle as safetensors bytes.

    Args:
        bundle: the model.
        extra_arrays: what a checkpoint also holds; names must begin with "training.".
        half_precision: write the model's arrays as float16, in half the bytes and with 11 significant bits.

    Raises:
        SettingsError: if a value is beyond what half precision holds.
    """
    extra_arrays = extra_arrays or {}
    assert all(name.startswith(TRAINING_PREFIX) for name in extra_arrays)
    metadata = {
        "ostinato.format": str(FORMAT_VERSION),
        "ostinato.config": json.dumps(bundle.config.to_json()),
        "ostinato.provenance": json.dumps(dict(bundle.provenance)),
    }
    own = {name: _halved(name, array) for name, array in bundle.arrays.items()} if half_precision else bundle.arrays
    arrays = {name: np.ascontiguousarray(array) for name, array in {**own, **extra_arrays}.items()}
    return save_safetensors(arrays, metadata=metadata)


def _halved(name: str, array: NDArray[np.float32]) -> NDArray[np.float16]:
    if (largest := float(np.abs(array).max(initial=0))) > _LARGEST_HALF:
        raise SettingsError(f"array {name} holds {largest:g}, more than half precision can; write it in full")
    return array.astype(np.float16)


def decode_bundle(data: bytes, source: str) -> tuple[Bundle, dict[str, NDArray[Any]]]:
    """Read what `encode_bundle` wrote.

    Args:
        data: the whole file.
        source: what to call it in errors.

    Returns:
        The bundle, and the arrays that only training needs.

    Raises:
        FormatError: if these are no safetensors of ours, or arrays and settings disagree.
    """
    try:
        metadata = _metadata(data)
        version = int(metadata["ostinato.format"])
        if version > FORMAT_VERSION:
            raise FormatError(f"{source}: written by a newer Ostinato (format {version}); upgrade to read it")
        config = Config.from_json(json.loads(metadata["ostinato.config"]))
        provenance = json.loads(metadata["ostinato.provenance"])
        if not isinstance(provenance, dict):
            raise TypeError("the provenance is no table")
        if isinstance(card := provenance.get("card"), dict):
            provenance["card"] = {_FORMER_CARD_NAMES.get(name, name): told for name, told in card.items()}
        arrays = load_safetensors(data)
        if strange := [name for name, array in arrays.items() if array.dtype.kind != "f"]:
            raise TypeError(f"array {strange[0]} holds no real numbers")
        extra = {name: arrays.pop(name) for name in list(arrays) if name.startswith(TRAINING_PREFIX)}
        # A bundle may hold half precision to be small; we compute in single.
        with np.errstate(over="ignore"):
            return Bundle(config, {name: array.astype(np.float32) for name, array in arrays.items()}, provenance), extra
    except FormatError as error:
        raise FormatError(f"{source}: {error}".replace(f"{source}: {source}: ", f"{source}: ")) from None
    except (SafetensorError, struct.error, KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise FormatError(f"{source}: not an Ostinato checkpoint or bundle ({type(error).__name__}: {error})") from None


def _metadata(data: bytes) -> dict[str, str]:
    """The metadata of a safetensors file: a length of 8 bytes, then a JSON header of that length."""
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    metadata = header["__metadata__"]
    if not isinstance(metadata, dict):
        raise TypeError("the metadata is no table")
    return metadata


def checkpoint_path(folder: str | os.PathLike[str], step: int) -> Path:
    """Where the checkpoint of a step stands: `folder/checkpoint-00001000.safetensors`."""
    return Path(folder) / f"checkpoint-{step:08d}.safetensors"


def checkpoints(folder: str | os.PathLike[str]) -> list[tuple[int, Path]]:
    """Steps and paths of a folder's checkpoints, oldest first."""
    found = []
    for path in Path(folder).glob("checkpoint-*.safetensors"):
        step = path.stem.removeprefix("checkpoint-")
        if step.isdecimal():
            found.append((int(step), path))
    return sorted(found)
