"""Magenta's models, read from the bundles and checkpoints it wrote from 2016 on.

The names and shapes of the variables say what a model is. TensorFlow has renamed
them over the years. Once the parts of a name are in one spelling, the last part
says what a variable is, and a "cell_1" before it says which layer it belongs to.

| in 2016, a name ends in                      | later                                 | array here          |
|----------------------------------------------|---------------------------------------|---------------------|
| Cell1/BasicLSTMCell/Linear/Matrix, Bias      | cell_1/basic_lstm_cell/kernel, bias   | lstm.1.*            |
|                                              | cell_1/input_projection_wrapper/kernel | lstm.1.projection.* |
| AttentionCellWrapper/Linear/Matrix, Bias     | attention_cell_wrapper/kernel, bias   | attention.input.*   |
| Attention/Linear/Matrix, Bias                | attention/kernel, bias                | attention.query.*   |
| Attention/AttnW, of shape [1, 1, H, H]       | attention/attn_w                      | attention.memory.kernel |
| Attention/AttnV                              | attention/attn_v                      | attention.score     |
| AttnOutputProjection/Linear/Matrix, Bias     | attn_output_projection/kernel, bias   | attention.output.*  |
| fully_connected/weights, biases              | the same                              | output.*            |

The rows and columns mean the same as ours. The attention wraps the whole stack if
no cell is named before it, otherwise only the first layer. Its length is not in
any variable but in the graph: the state has that many rows.
"""

import logging
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from ostinato.bundle import Bundle
from ostinato.config import PRESETS, AttentionScope, Config, preset
from ostinato.errors import FormatError
from ostinato.formats.generator_bundle_pb2 import GeneratorBundle
from ostinato.formats.tensorflow import tensorflow_pb2 as pb
from ostinato.formats.tensorflow.checkpoint import read_checkpoint_v1

_logger = logging.getLogger(__name__)

GLOBAL_STEP = "global_step"

# A hostile graph takes some 50 times its bytes in memory; Magenta's have a hundred kilobytes, to train a few more.
MAX_METAGRAPH_BYTES = 1 << 23
_MAX_STATE_RANK = 4  # dimensions of a state in a graph; an attention's have fewer

_KERNELS = ("kernel", "weights", "matrix", "w_0")
_BIASES = ("bias", "biases", "b")
_ATTENTION_PARTS = {
    "attention_cell_wrapper": "attention.input",
    "attention": "attention.query",
    "attn_output_projection": "attention.output",
}
_LSTM_CELLS = ("basic_lstm_cell", "lstm_cell", "cudnn_compatible_lstm_cell")
_CUDNN_CELL = "cudnn_compatible_lstm_cell"  # its forget gate's bias is whole; the others add 1 at run time
_DENSE_LAYER = re.compile(r"fully_connected(?:_([0-9]{1,3}))?")
_NETWORK_SCOPES = re.compile(r"rnn|cudnn_lstm(_\d+)?|fully_connected(_\d+)?")
_OPTIMIZER = re.compile(r"(^|/)(Adam(_1)?|beta[12]_power)$")


def is_model_variable(name: str) -> bool:
    """Whether a variable belongs to the model or is the training step, and not to the optimizer."""
    return not _OPTIMIZER.search(name)


def read_magenta_bundle(message: GeneratorBundle, source: str) -> Bundle:
    """One of Magenta's bundles as one of ours.

    Args:
        message: the parsed file, with one checkpoint_file.
        source: what to call it in errors.

    Raises:
        FormatError: if a part is missing or damaged, or this is the bundle of another kind of model.
    """
    details = message.generator_details
    if not details.id:
        raise FormatError(f"{source}: it does not say which model it holds: its generator_details have no id")
    if details.id not in PRESETS:
        raise FormatError(
            f"{source}: this is a bundle of the model {details.id!r}, but Ostinato only plays Melody RNN: "
            f"{', '.join(PRESETS)}"
        )
    if not message.metagraph_file:
        raise FormatError(f"{source}: its metagraph_file is missing, and only its graph says how long the attention is")
    metagraph = read_metagraph(message.metagraph_file, source)
    variables = read_checkpoint_v1(message.checkpoint_file[0], source, is_model_variable)
    provenance = {
        "made_by": "Magenta",
        "tensorflow_version": metagraph.meta_info_def.tensorflow_version,
        "generator_description": details.description,
        "description": message.bundle_details.description,
    }
    network = read_network(variables, source)
    attn_length = attention_length(metagraph, network, source) if network.attn_scope else 0
    if attn_length is None:
        raise FormatError(f"{source}: its graph does not say how long the attention is")
    return network.bundle(
        preset(details.id), attn_length, {name: text for name, text in provenance.items() if text}, source
    )


def read_metagraph(data: bytes, source: str) -> pb.MetaGraphDef:
    """The graph that is in a bundle, or next to a checkpoint as `.meta`.

    Raises:
        FormatError: if these bytes are not a graph.
    """
    if len(data) > MAX_METAGRAPH_BYTES:
        raise FormatError(f"{source}: its graph has {len(data)} bytes; at most {MAX_METAGRAPH_BYTES}")
    try:
        return pb.MetaGraphDef.FromString(data)
    except DecodeError:
        raise FormatError(f"{source}: its graph is not a MetaGraphDef") from None


@dataclass(frozen=True)
class Network:
    """What a model's variables say about it.

    Attributes:
        arrays: under our names.
        layer_sizes: cells of each LSTM layer, from the input up.
        attn_scope: what the attention wraps; None without attention.
        residual_connections: whether each layer's input is added to its output.
        input_size: D.
        num_classes: C.
        step: of the training; None if no variable says.
    """

    arrays: Mapping[str, NDArray[np.float32]]
    layer_sizes: tuple[int, ...]
    attn_scope: AttentionScope | None
    residual_connections: bool
    input_size: int
    num_classes: int
    step: int | None

    @property
    def attention_size(self) -> int:
        """H of the attention: of the topmost layer that it wraps."""
        return self.layer_sizes[0 if self.attn_scope == "first_layer" else -1]

    def fits(self, config: Config) -> bool:
        """Whether the network reads and predicts the numbers of a config's encoding."""
        return (self.input_size, self.num_classes) == (config.encoding.input_size, config.encoding.num_classes)

    def bundle(self, config: Config, attn_length: int, provenance: Mapping[str, Any], source: str) -> Bundle:
        """This network as a bundle with a config, whose other hyperparameters stay.

        Raises:
            FormatError: if the network does not fit the config.
        """
        if not self.fits(config):
            raise FormatError(
                f"{source}: a network of {self.input_size} inputs and {self.num_classes} classes is not {config.name}, "
                f"which has {config.encoding.input_size} and {config.encoding.num_classes}"
            )
        hparams = {
            "rnn_layer_sizes": self.layer_sizes,
            "attn_length": attn_length,
            "attn_scope": self.attn_scope or config.hparams.attn_scope,
            "residual_connections": self.residual_connections,
        }
        step = {} if self.step is None else {"step": self.step}
        try:
            return Bundle(config.with_hparams(hparams), self.arrays, {**provenance, **step})
        except FormatError as error:
            raise FormatError(f"{source}: {error}") from None


def config_of_sizes(network: Network, source: str) -> Config:
    """The preset whose encoding fits a network.

    Raises:
        FormatError: if no preset fits.
    """
    for config in PRESETS.values():
        if network.fits(config):
            return config
    raise FormatError(
        f"{source}: a network of {network.input_size} inputs and {network.num_classes} classes "
        f"fits none of {', '.join(PRESETS)}"
    )


def attention_length(metagraph: pb.MetaGraphDef, network: Network, source: str) -> int | None:
    """Rows of the attention's memory, from the shape of the state that a graph begins with or works on.

    Returns:
        The rows; None if the graph does not say.

    Raises:
        FormatError: if the network cannot have such a state.
    """
    size = network.attention_size
    nodes = {node.name: node for node in metagraph.graph_def.node}
    width = 0
    for tensor in metagraph.collection_def["initial_state"].node_list.value:
        name = tensor.partition(":")[0]
        outputs = {f"{name}:{output}": shape for output, shape in enumerate(_output_shapes(nodes.get(name)))}
        shape = outputs.get(tensor)
        if shape is None:
            width = 0
            break
        width += math.prod(shape[1:])  # without the batch
    if width:
        # c and h of every layer, what was attended to at the last step, and the memory: in one tensor or several.
        length, rest = divmod(width - 2 * sum(network.layer_sizes) - size, size)
        if rest:
            raise FormatError(
                f"{source}: its graph has a state of {width} values, which fits no attention "
                f"over layers {list(network.layer_sizes)}"
            )
    else:
        # A graph that trains lists no state, but every graph makes the memory [B, rows, H] of it in each step.
        lengths = {
            shape[1]
            for node in metagraph.graph_def.node
            if node.op == "Reshape" and _spelled(node.name).rpartition("/")[0].endswith("attention_cell_wrapper")
            for shape in _output_shapes(node)
            if len(shape) == 3 and shape[2] == size
        }
        if len(lengths) != 1:
            return None
        (length,) = lengths
    if length < 1:
        raise FormatError(f"{source}: its graph has an attention over {length} steps")
    return length


def _output_shapes(node: pb.NodeDef | None) -> list[tuple[int, ...]]:
    """The shape of what a node returns; nothing if it is unknown, or not that of a state."""
    if node is None or "_output_shapes" not in node.attr:
        return []
    shapes = node.attr["_output_shapes"].list.shape
    if max((len(shape.dim) for shape in shapes), default=0) > _MAX_STATE_RANK:
        return []
    return [tuple(dimension.size for dimension in shape.dim) for shape in shapes]


def read_network(variables: Mapping[str, NDArray[Any]], source: str) -> Network:
    """A network, read from TensorFlow's variables.

    Args:
        variables: by TensorFlow's names; those of `is_model_variable`.
        source: what to call them in errors.

    Raises:
        FormatError: if they are not those of a Melody RNN.
    """
    places = {name: _place(name) for name in variables}
    if strange := sorted(name for name, place in places.items() if place is None and name != GLOBAL_STEP):
        if inside := [name for name in strange if _NETWORK_SCOPES.fullmatch(_spelled(name).partition("/")[0])]:
            raise FormatError(f"{source}: a Melody RNN has no variable {inside[0]}")
        _logger.info("%s: skipping variables that the model does not use: %s", source, ", ".join(strange))
    found: dict[str, NDArray[np.float32]] = {}
    scopes: set[AttentionScope] = set()
    dense: dict[int, dict[str, NDArray[np.float32]]] = {}
    for name, place in places.items():
        if place is None:
            continue
        with np.errstate(over="ignore"):  # what is too large becomes infinite, which is refused with all else infinite
            array = variables[name].astype(np.float32)
        if place.attn_scope:
            scopes.add(place.attn_scope)
        if place.dense is not None:
            dense.setdefault(place.dense, {})[place.array] = array
        elif place.array in found:
            raise FormatError(f"{source}: variable {name} is a second {place.array}")
        elif place.array == "attention.memory.kernel" and array.shape[:-2] == (1, 1):  # a convolution's filter
            found[place.array] = array[0, 0]
        elif place.cudnn and place.array.endswith(".bias"):
            size = array.size // 4
            array[2 * size : 3 * size] -= 1  # gates i, j, f, o; ours adds 1 to f at run time
            found[place.array] = array
        else:
            found[place.array] = array
    if len(scopes) > 1:
        raise FormatError(f"{source}: it has two attentions, but a Melody RNN has at most one")
    sizes = _layer_sizes(found, source)
    _name_dense_layers(dense, sizes, found, source)
    below = found.get("lstm.0.projection.kernel")
    return Network(
        arrays=found,
        layer_sizes=sizes,
        attn_scope=next(iter(scopes), None),
        residual_connections=below is not None,
        input_size=found["lstm.0.kernel"].shape[0] - sizes[0] if below is None else below.shape[0],
        num_classes=found["output.bias"].size,
        step=_step(variables),
    )


class _Place(NamedTuple):
    """Where a variable belongs in a network."""

    array: str  # our name; of a dense layer, "kernel" or "bias"
    dense: int | None = None  # number of the dense layer
    attn_scope: AttentionScope | None = None
    cudnn: bool = False


def _place(name: str) -> _Place | None:
    """What a variable's name says about it; None if it says nothing that we know."""
    *scopes, leaf = [part for part in _spelled(name).split("/") if part != "linear"]
    part = "kernel" if leaf in _KERNELS else "bias" if leaf in _BIASES else None
    owner = scopes[-1] if scopes else ""
    if (dense := _DENSE_LAYER.fullmatch(owner)) and part:
        return _Place(part, dense=int(dense[1] or 0))
    cells = [int(cell[1]) for scope in scopes if (cell := re.fullmatch(r"cell_([0-9]{1,3})", scope))]
    # With cuDNN, layers that differ are in cudnn_lstm, cudnn_lstm_1 and so on, each with a cell_0.
    towers = [int(tower[1]) for scope in scopes if (tower := re.fullmatch(r"cudnn_lstm_([0-9]{1,3})", scope))]
    layer = sum(cells[-1:]) + sum(towers)
    if owner in _LSTM_CELLS and part:
        return _Place(f"lstm.{layer}.{part}", cudnn=owner == _CUDNN_CELL)
    if owner == "input_projection_wrapper" and part:
        return _Place(f"lstm.{layer}.projection.{part}")
    scope: AttentionScope = "first_layer" if cells else "stack"
    if layer == 0 and owner == "attention" and leaf in ("attn_v", "attn_w"):
        return _Place("attention.score" if leaf == "attn_v" else "attention.memory.kernel", attn_scope=scope)
    if layer == 0 and owner in _ATTENTION_PARTS and part:
        return _Place(f"{_ATTENTION_PARTS[owner]}.{part}", attn_scope=scope)
    return None


def _spelled(name: str) -> str:
    """A name of any year as later TensorFlow spells it: MultiRNNCell/Cell0 is multi_rnn_cell/cell_0."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
    return re.sub(r"\bcell(\d+)\b", r"cell_\1", snake)


def tensorflow_variables(bundle: Bundle) -> dict[str, NDArray[np.float32]]:
    """A model's arrays as the variables of Magenta 2.1.4, which `read_network` reads back."""
    return {
        tensorflow_name(name, bundle): array[None, None] if name == "attention.memory.kernel" else array
        for name, array in bundle.arrays.items()
    }


def tensorflow_name(array: str, bundle: Bundle) -> str:
    """What Magenta 2.1.4 calls one of a model's arrays."""
    hparams = bundle.config.hparams
    *owners, part = array.split(".")
    if owners == ["output"]:
        return "fully_connected/" + {"kernel": "weights", "bias": "biases"}[part]
    wrapper = "attention_cell_wrapper/" if hparams.attn_length else ""
    around_stack = hparams.attn_scope == "stack"
    stack = f"rnn/{wrapper if around_stack else ''}multi_rnn_cell/"

    def cell(layer: str) -> str:
        projected = f"lstm.{layer}.projection.kernel" in bundle.arrays
        return f"{stack}cell_{layer}/" + ("input_projection_wrapper/" if projected else "")

    if owners[0] == "lstm":
        layer = owners[1]
        if owners[2:] == ["projection"]:
            return cell(layer) + part
        inside = wrapper if layer == "0" and not around_stack else ""
        return f"{cell(layer)}{inside}basic_lstm_cell/{part}"
    attention = ("rnn/" if around_stack else cell("0")) + wrapper
    if array in ("attention.score", "attention.memory.kernel"):
        return f"{attention}attention/{'attn_v' if part == 'score' else 'attn_w'}"
    return attention + {"input": "", "query": "attention/", "output": "attn_output_projection/"}[owners[1]] + part


def _layer_sizes(arrays: Mapping[str, NDArray[np.float32]], source: str) -> tuple[int, ...]:
    sizes: list[int] = []
    while (kernel := arrays.get(f"lstm.{len(sizes)}.kernel")) is not None:
        size = kernel.shape[-1] // 4 if kernel.ndim == 2 else 0
        if size == 0 or kernel.shape[1] != 4 * size or kernel.shape[0] <= size:
            raise FormatError(
                f"{source}: layer {len(sizes)} has a kernel of shape {list(kernel.shape)}, which is not an LSTM's"
            )
        sizes.append(size)
    if not sizes:
        raise FormatError(f"{source}: it has no LSTM layer 0, so it is not a Melody RNN")
    return tuple(sizes)


def _name_dense_layers(
    dense: Mapping[int, Mapping[str, NDArray[np.float32]]],
    sizes: tuple[int, ...],
    arrays: dict[str, NDArray[np.float32]],
    source: str,
) -> None:
    """Add the dense layers to `arrays`: the last is the output; with cuDNN residual layers' projections come before."""
    projected = [layer for layer in range(len(sizes)) if layer == 0 or sizes[layer] != sizes[layer - 1]]
    names = [*(f"lstm.{layer}.projection" for layer in projected), "output"] if len(dense) > 1 else ["output"]
    if len(dense) != len(names):
        raise FormatError(f"{source}: it has {len(dense)} dense layers, but a network with its layers has {len(names)}")
    for name, number in zip(names, sorted(dense), strict=True):
        for part, array in dense[number].items():
            arrays[f"{name}.{part}"] = array
    output = arrays.get("output.bias")
    if output is None or output.ndim != 1:
        raise FormatError(f"{source}: its output layer has no bias")
    projection = arrays.get("lstm.0.projection.kernel")
    if projection is not None and projection.ndim != 2:
        raise FormatError(f"{source}: the projection of layer 0 is not a matrix")


def _step(variables: Mapping[str, NDArray[Any]]) -> int | None:
    step = variables.get(GLOBAL_STEP)
    return int(step) if step is not None and step.shape == () and step.dtype.kind == "i" else None
