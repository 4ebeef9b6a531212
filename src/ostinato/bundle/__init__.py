"""A model as numbers and settings, and its file: where training and generation meet.

Inside, a bundle is a `Config`, float32 arrays under published names, and what
is known about where they come from. In a file it is safetensors: the arrays,
with the settings and the provenance as JSON in the header. A training checkpoint
is the same file with more arrays, whose names begin with "training.".

Array names, for L layers of sizes H_0 .. H_{L-1}, X_i values into layer i, D
values into the network, C classes. Kernels multiply from the right: y = x K + b.

| name                            | shape            | meaning                                          |
|---------------------------------|------------------|--------------------------------------------------|
| lstm.{i}.kernel                 | [X_i + H_i, 4H_i]| rows: input, then h; columns: gates i, j, f, o   |
| lstm.{i}.bias                   | [4H_i]           | the forget gate's +1 is added at run time        |
| lstm.{i}.projection.kernel, bias| [., H_i], [H_i]  | with residual connections, if widths differ      |
| attention.input.kernel, bias    | [D + H, D], [D]  | rows: x_t, then a_{t-1}                          |
| attention.query.kernel, bias    | [Q, H], [H]      | rows: c, h of each layer inside, from the input up |
| attention.memory.kernel         | [H, H]           | W_m                                              |
| attention.score                 | [H]              | v                                                |
| attention.output.kernel, bias   | [2H, H], [H]     | rows: o_t, then a_t                              |
| output.kernel, bias             | [H_{L-1}, C], [C]| the logits                                       |

To be small, a kernel may be int8, with a float32 array "<name>.scale" of a number for each column that it is
multiplied by; the others are then float16.

With attn_scope "stack" H is the last layer's size and Q the sum of all 2 H_i;
with "first_layer" H is H_0, Q is 2 H_0, and the other layers come on top.

A `.mag` is a GeneratorBundle, Magenta's protobuf. One of ours has

| field                       | what                                                             |
|-----------------------------|------------------------------------------------------------------|
| generator_details.id        | the config's name, or that of --generator_id                     |
| generator_details.description | which program wrote it, or --generator_description             |
| bundle_details.description  | in words: what it is, what it was trained on, its held-out loss  |
| checkpoint_file, one        | the model as safetensors                                         |
| metagraph_file              | JSON: `format` "ostinato", `format_version`, `checkpoint_format` |
|                             | "safetensors", `config`, `provenance`, `parameters`, and `arrays`, |
|                             | the shape of each by its name; for other readers, ours has it all |
|                             | from the checkpoint                                              |

`load_bundle` opens anything a user points at; `magenta` turns TensorFlow's
variables into a bundle. A file can come from anyone, so sizes and shapes are
checked before memory is allocated, and nothing is executed or unpickled.
"""

import json
import logging
import os
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_safetensors
from safetensors.numpy import save as save_safetensors

import ostinato
from ostinato.config import Config, preset
from ostinato.errors import DataError, FormatError, SettingsError, nearest_file, printable
from ostinato.formats import atomic_writer

if TYPE_CHECKING:
    from ostinato.bundle.magenta import Network


FORMAT_VERSION = 1
TRAINING_PREFIX = "training."

_FORMER_CARD_NAMES = {"licence": "license"}  # what the first model cards wrote, and what it is read as
_LARGEST_HALF = 65504.0  # the largest float16
_SCALE = ".scale"  # of an array of 8 bits


@dataclass(frozen=True)
class Bundle:
    """Everything needed to play a model.

    Attributes:
        config: encoding and hyperparameters.
        arrays: float32 arrays by the names and shapes of `array_shapes(config)`.
        provenance: JSON values: where the arrays come from (step, data, losses, description).
    """

    config: Config
    arrays: Mapping[str, NDArray[np.float32]]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<Bundle of {self.config.name}, {num_parameters(self):,} numbers in {len(self.arrays)} arrays>"

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
    """Names and shapes of a model's arrays, in the order of the way through the network."""
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
        # Around the first layer, the attention is inside its input projection.
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
    bundle: Bundle,
    extra_arrays: Mapping[str, NDArray[Any]] | None = None,
    *,
    half_precision: bool = False,
    eight_bits: bool = False,
) -> bytes:
    """A bundle as safetensors bytes.

    Args:
        bundle: the model.
        extra_arrays: the additional arrays of a checkpoint; names must begin with "training.".
        half_precision: write the model's arrays as float16, with half the bytes and 11 significant bits.
        eight_bits: write kernels as int8, with a float32 scale for each column, and all else as float16.

    Raises:
        SettingsError: if a value is too large for half precision.
    """
    extra_arrays = extra_arrays or {}
    assert all(name.startswith(TRAINING_PREFIX) for name in extra_arrays)
    metadata = {
        "ostinato.format": str(FORMAT_VERSION),
        "ostinato.config": json.dumps(bundle.config.to_json()),
        "ostinato.provenance": json.dumps(dict(bundle.provenance)),
    }
    own: dict[str, NDArray[Any]] = dict(bundle.arrays)
    for name, array in bundle.arrays.items():
        if eight_bits and array.ndim == 2:
            own[name], own[name + _SCALE] = _in_8_bits(array)
        elif half_precision or eight_bits:
            own[name] = _halved(name, array)
    arrays = {name: np.ascontiguousarray(array) for name, array in {**own, **extra_arrays}.items()}
    return save_safetensors(arrays, metadata=metadata)


def _halved(name: str, array: NDArray[np.float32]) -> NDArray[np.float16]:
    if (largest := float(np.abs(array).max(initial=0))) > _LARGEST_HALF:
        raise SettingsError(f"array {name} holds {largest:g}, too large for half precision; write it in full precision")
    return array.astype(np.float16)


def _in_8_bits(array: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """A kernel as whole numbers of -127..127, and what one of them is worth in each column."""
    scales = np.abs(array).max(axis=0, initial=0) / np.float32(127)
    scales[scales == 0] = 1
    return np.rint(array / scales).astype(np.int8), scales


def _out_of_8_bits(arrays: dict[str, NDArray[Any]]) -> None:
    """Multiply the scales into the arrays that have some, in place."""
    for name in [name for name in arrays if name.endswith(_SCALE)]:
        scales, scaled = arrays.pop(name), arrays.get(name.removesuffix(_SCALE))
        if scaled is None or scaled.dtype != np.int8 or scales.dtype != np.float32:
            raise TypeError(f"array {name} scales none of 8 bits")
        with np.errstate(over="ignore", invalid="ignore"):  # what is no number is refused later
            arrays[name.removesuffix(_SCALE)] = scaled * scales


def decode_bundle(data: bytes, source: str) -> tuple[Bundle, dict[str, NDArray[Any]]]:
    """Read what `encode_bundle` wrote.

    Args:
        data: the whole file.
        source: what to call it in errors.

    Returns:
        The bundle, and the arrays that only training needs.

    Raises:
        FormatError: if these are not our safetensors, or the arrays and settings disagree.
    """
    try:
        metadata = _metadata(data)
        version = int(metadata["ostinato.format"])
        if version > FORMAT_VERSION:
            raise FormatError(f"{source}: written by a newer Ostinato (format {version}); upgrade to read it")
        config = Config.from_json(json.loads(metadata["ostinato.config"]))
        provenance = json.loads(metadata["ostinato.provenance"])
        if not isinstance(provenance, dict):
            raise TypeError("the provenance is not a table")
        if isinstance(card := provenance.get("card"), dict):
            provenance["card"] = {_FORMER_CARD_NAMES.get(name, name): told for name, told in card.items()}
        arrays = load_safetensors(data)
        _out_of_8_bits(arrays)
        if strange := [name for name, array in arrays.items() if array.dtype.kind != "f"]:
            raise TypeError(f"array {strange[0]} does not hold real numbers")
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
        raise TypeError("the metadata is not a table")
    return metadata


def checkpoint_path(folder: str | os.PathLike[str], step: int) -> Path:
    """The path of the checkpoint of a step: `folder/checkpoint-00001000.safetensors`."""
    return Path(folder) / f"checkpoint-{step:08d}.safetensors"


def checkpoints(folder: str | os.PathLike[str]) -> list[tuple[int, Path]]:
    """Steps and paths of a folder's checkpoints, oldest first."""
    found = []
    for path in Path(folder).glob("checkpoint-*.safetensors"):
        step = path.stem.removeprefix("checkpoint-")
        if step.isdecimal():
            found.append((int(step), path))
    return sorted(found)


_logger = logging.getLogger(__name__)

_MAX_FILE_BYTES = 1 << 30  # the files are read whole; a model of ours has a few MB
# A generator keeps as many rows of each melody; the longest that Magenta trains on has 512 steps.
_MAX_ATTN_LENGTH = 1 << 12
_STRUCTURE = ("rnn_layer_sizes", "attn_length", "attn_scope", "residual_connections")
_CHECKPOINT_PART = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})$")


def load_bundle(
    path: str | os.PathLike[str], *, config: str | None = None, hparams: Mapping[str, Any] | None = None
) -> Bundle:
    """Read a model from any file or folder that has one.

    Args:
        path: a `.mag` bundle, ours or Magenta's; one of our checkpoints; a run_dir, whose newest checkpoint is taken
            (ours before Magenta's); or a checkpoint of Magenta's, by its prefix such as run1/train/model.ckpt-30.
        config: the kind of model, for Magenta's checkpoints, which do not say; without it, the preset that fits the
            network's inputs and classes. Checked against files that do say.
        hparams: what is known about the model; checked against what the file says. Magenta's checkpoints only say how
            long the attention is if their `.meta` file is next to them; otherwise `attn_length` counts, or the
            preset's.

    Raises:
        DataError: if there is no such file or folder, or no checkpoint in the run_dir.
        FormatError: if a file is damaged, or is that of another model.
        SettingsError: if the config or the hparams contradict the file.
    """
    try:
        return _load(path, config, hparams or {})
    except FormatError as error:
        # A file may give its parts names with line breaks in them, or without end.
        raise FormatError(printable(str(error))) from None


def _load(path: str | os.PathLike[str], config: str | None, hparams: Mapping[str, Any]) -> Bundle:
    source = os.fspath(path)
    found = _checkpoint_in(Path(path)) if Path(path).is_dir() else Path(path)
    prefix = _CHECKPOINT_PART.sub("", os.fspath(found))
    if not found.is_file() or prefix != os.fspath(found):
        if not Path(f"{prefix}.index").is_file():
            raise DataError(f"{source}: there is no such bundle, checkpoint or run_dir{nearest_file(path)}")
        bundle = _read_magenta_checkpoint(prefix, None, config, hparams)
    else:
        bundle = _read_file(found, config, hparams)
    _check_playable(bundle, os.fspath(found))
    if config not in (None, bundle.config.name):
        raise SettingsError(
            f"{source}: the model's config is {printable(bundle.config.name)}, not {config}; leave out the config"
        )
    stated = bundle.config.with_hparams(hparams).hparams
    for name in hparams.keys() & set(_STRUCTURE):
        asked, there = getattr(stated, name), getattr(bundle.config.hparams, name)
        if asked != there and not (name == "attn_scope" and bundle.config.hparams.attn_length == 0):
            raise SettingsError(f"{source}: the model has {name}={there!r}, not {asked!r}; leave out that hparam")
    return bundle


def _checkpoint_in(run_dir: Path) -> Path:
    """The newest checkpoint of a run, given by its folder or its train folder."""
    for folder in (run_dir / "train", run_dir):
        if ours := checkpoints(folder):
            return ours[-1][1]
        if (folder / "checkpoint").is_file():
            from ostinato.formats.tensorflow.checkpoint import latest_checkpoint

            prefix = latest_checkpoint(folder)
            if not prefix.is_file() and not Path(f"{prefix}.index").is_file():
                raise DataError(f"{folder / 'checkpoint'}: it names {prefix.name}, which is not there")
            return prefix
    raise DataError(f"{run_dir}: no checkpoint in this run_dir or its train folder; train a model first")


def _read_file(path: Path, config: str | None, hparams: Mapping[str, Any]) -> Bundle:
    source = os.fspath(path)
    size = path.stat().st_size
    if size > _MAX_FILE_BYTES:
        raise FormatError(f"{source}: {size} bytes is too large; a bundle or checkpoint has at most {_MAX_FILE_BYTES}")
    data = path.read_bytes()
    # A bundle that ends in its checkpoint ends as a table does, but begins with a field, not with the key "".
    if data[:2] == b"\0\0" and _is_table(data):
        return _read_magenta_checkpoint(source, data, config, hparams)
    if _is_safetensors(data):
        return decode_bundle(data, source)[0]
    return _read_mag(data, source)


def _is_table(data: bytes) -> bool:
    from ostinato.formats.tensorflow.checkpoint import is_table  # which bundles of ours do not need

    return is_table(data)


def _is_safetensors(data: bytes) -> bool:
    """Whether a file begins like safetensors: 8 bytes for the length of a JSON object, and that object."""
    return data[8:9] == b"{" and int.from_bytes(data[:8], "little") <= len(data) - 8


def _read_mag(data: bytes, source: str) -> Bundle:
    from google.protobuf.message import DecodeError

    from ostinato.formats.generator_bundle_pb2 import GeneratorBundle

    if not data:
        raise FormatError(f"{source}: the file is empty")
    try:
        message = GeneratorBundle.FromString(data)
    except DecodeError:
        raise FormatError(f"{source}: this is not a bundle or checkpoint, or it is damaged or cut off") from None
    count = len(message.checkpoint_file)
    if count != 1:
        raise FormatError(f"{source}: a bundle has one checkpoint_file, but this one has {count or 'none'}")
    if not _is_safetensors(message.checkpoint_file[0]):
        from ostinato.bundle.magenta import read_magenta_bundle

        return read_magenta_bundle(message, source)
    bundle, _ = decode_bundle(message.checkpoint_file[0], source)
    if message.generator_details.id not in (bundle.config.name, bundle.provenance.get("generator_id")):
        raise FormatError(
            f"{source}: its generator_details say {message.generator_details.id!r}, "
            f"but its checkpoint holds a {bundle.config.name} model"
        )
    return bundle


def _read_magenta_checkpoint(
    prefix: str, table: bytes | None, config_name: str | None, hparams: Mapping[str, Any]
) -> Bundle:
    """A training checkpoint of Magenta's: of version 1 if `table` holds its bytes, else of version 2."""
    from ostinato.bundle.magenta import config_of_sizes, is_model_variable, read_network
    from ostinato.formats.tensorflow.checkpoint import read_checkpoint_v1, read_checkpoint_v2

    if table is None:
        variables = read_checkpoint_v2(prefix, is_model_variable)
    else:
        variables = read_checkpoint_v1(table, prefix, is_model_variable)
    network = read_network(variables, prefix)
    config = config_of_sizes(network, prefix) if config_name is None else preset(config_name)
    attn_length = 0
    provenance: dict[str, Any] = {"made_by": "Magenta"}
    if network.attn_scope:
        attn_length, told_by = _attn_length(prefix, network, config.with_hparams(hparams).hparams.attn_length, hparams)
        provenance["attn_length_from"] = told_by
    return network.bundle(config, attn_length, provenance, prefix)


def _attn_length(prefix: str, network: "Network", stated: int, hparams: Mapping[str, Any]) -> tuple[int, str]:
    """How long a checkpoint's attention is, and where that is known from."""
    from ostinato.bundle.magenta import MAX_METAGRAPH_BYTES, attention_length, read_metagraph

    graph = Path(f"{prefix}.meta")
    if graph.is_file():
        with graph.open("rb") as file:
            metagraph = read_metagraph(file.read(MAX_METAGRAPH_BYTES + 1), os.fspath(graph))
        length = attention_length(metagraph, network, os.fspath(graph))
        if length is not None:
            return length, "the graph"
    length = stated or preset("attention_rnn").hparams.attn_length
    if "attn_length" in hparams:
        return length, "the hparams"
    _logger.warning(
        "%s: the checkpoint does not say how long the attention is, so %d steps are assumed; "
        "if it was trained with another length, give --hparams=attn_length=...",
        prefix,
        length,
    )
    return length, "the default"


def _check_playable(bundle: Bundle, source: str) -> None:
    """Refuse a model that cannot be played, or that needs more memory than any model should."""
    for name, array in bundle.arrays.items():
        if not np.isfinite(array).all():
            raise FormatError(f"{source}: array {name} holds values that are not finite numbers")
    if (length := bundle.config.hparams.attn_length) > _MAX_ATTN_LENGTH:
        raise FormatError(f"{source}: the attention has length {length}; at most {_MAX_ATTN_LENGTH} can be played")


def save_bundle(
    bundle: Bundle,
    path: str | os.PathLike[str],
    description: str = "",
    *,
    run_dir: str | os.PathLike[str] | None = None,
    half_precision: bool = False,
    generator_id: str | None = None,
    generator_description: str | None = None,
) -> Bundle:
    """Write a `.mag` bundle, complete or not at all; an existing file is replaced.

    Args:
        bundle: the model.
        path: of the file to write.
        description: in words, instead of the bundle's own; what is known about the training is added.
        run_dir: the run that it comes from, whose evaluation has the held-out loss.
        half_precision: write the arrays as float16, with half the bytes.
        generator_id: what its generator_details call the model; by default the config's name, which Magenta's programs
            look up.
        generator_description: what they say about it; by default which program wrote it.

    Returns:
        The bundle as it was written, with its description and held-out loss in the provenance.
    """
    from ostinato.formats.generator_bundle_pb2 import GeneratorBundle

    step = bundle.provenance.get("step")
    if run_dir is not None and isinstance(step, int) and (held_out := held_out_loss(run_dir, step)):
        bundle = Bundle(bundle.config, bundle.arrays, {**bundle.provenance, "held_out": held_out})
    known = training_summary(bundle.provenance)
    text = description or str(bundle.provenance.get("description", ""))
    if known not in text:
        text = f"{text} ({known})" if text else known[0].upper() + known[1:]
    details = {"generator_id": generator_id, "generator_description": generator_description}
    said = {name: words for name, words in details.items() if words}
    bundle = Bundle(bundle.config, bundle.arrays, {**bundle.provenance, "description": text, **said})
    reader_notes = {
        "format": "ostinato",
        "format_version": FORMAT_VERSION,
        "checkpoint_format": "safetensors",
        "config": bundle.config.to_json(),
        "provenance": dict(bundle.provenance),
        "parameters": num_parameters(bundle),
        "arrays": {name: list(array.shape) for name, array in bundle.arrays.items()},
    }
    message = GeneratorBundle(
        generator_details={
            "id": generator_id or bundle.config.name,
            "description": generator_description or f"Melody RNN of Ostinato {ostinato.__version__}",
        },
        bundle_details={"description": text},
        checkpoint_file=[encode_bundle(bundle, half_precision=half_precision)],
        metagraph_file=json.dumps(reader_notes, indent=1).encode(),
    )
    with atomic_writer(path) as file:
        file.write(message.SerializeToString(deterministic=True))
    return bundle


def held_out_loss(run_dir: str | os.PathLike[str], step: int) -> dict[str, Any] | None:
    """The loss of a run on melodies it did not learn from, read from what its evaluation wrote for TensorBoard.

    Args:
        run_dir: the run; its evaluation writes to `run_dir/eval`, Magenta's too.
        step: of the checkpoint; its own evaluation counts, or the last one before it.

    Returns:
        `loss`, in nats per step to 4 digits, and the `step` at which it was measured; None if there is no evaluation.
    """
    from google.protobuf.message import DecodeError

    from ostinato.formats.tensorflow.tensorflow_pb2 import Event
    from ostinato.formats.tensorflow.tfrecord import read_records

    losses: dict[int, float] = {}
    for path in sorted((Path(run_dir) / "eval").glob("events.out.tfevents.*")):
        # The evaluation may be writing its file: its last record may not be complete.
        for record in read_records(path, skip_corrupt=True):
            try:
                event = Event.FromString(record)
            except DecodeError:
                continue
            losses.update((event.step, value.simple_value) for value in event.summary.value if value.tag == "loss")
    measured = [at for at in losses if at <= step]
    return {"loss": round(losses[max(measured)], 4), "step": max(measured)} if measured else None


def training_summary(provenance: Mapping[str, Any]) -> str:
    """What is known about a model's training, in words; empty if nothing is known.

    Args:
        provenance: of a bundle. It uses `made_by`, `tensorflow_version`, `step`, `data` (`num_melodies`, `files`) and
            `held_out` (`loss`, `step`).
    """
    known = []
    if made_by := provenance.get("made_by"):
        version = provenance.get("tensorflow_version")
        known.append(f"made by {made_by}" + (f" with TensorFlow {version}" if version else ""))
    step, data, held_out = (provenance.get(name) for name in ("step", "data", "held_out"))
    if step is not None:
        on = ""
        if isinstance(data, dict) and isinstance(files := data.get("files"), list) and files:
            more = f" and {len(files) - 1} more files" if len(files) > 1 else ""
            on = f" on {data.get('num_melodies')} melodies of {files[0]}{more}"
        known.append(f"trained for {step} steps{on}")
    if isinstance(held_out, dict):
        at_step = "" if held_out.get("step") == step else f" at step {held_out.get('step')}"
        known.append(f"held-out loss {held_out.get('loss')}{at_step}")
    return ", ".join(known)


def num_parameters(bundle: Bundle) -> int:
    """How many numbers a model has."""
    return sum(array.size for array in bundle.arrays.values())
