"""The network as PyTorch modules: its layers, step by step and readable, and the choice of a faster path.

Shapes: B melodies, T steps, D input size, C classes, H cell size of a layer, in
the attention the size of its output, A rows of the attention's memory. Inside,
time comes first, [T, B, .], so that the values of one step are together.

The parameters are the arrays of a bundle, by the same names, shapes and gate
order (i, j, f, o); `ostinato.bundle.array_shapes` lists them. The layout that a
faster path wants is made from them in each forward pass, in less than a
hundredth of its time: so optimizer state, checkpoints and bundles are the same
on any device that a run moves to.

Three paths compute the same network:

- the modules below, step by step: any device, any precision, any state;
- PyTorch's own LSTM over all steps, for layers outside the attention;
- `fast`, all layers and the attention at once: CPU, float32, from the zero
  state, without residual connections, where Numba is installed.
"""

import dataclasses
import functools
import importlib.util
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ParamSpec, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ostinato.bundle import Bundle, array_shapes
from ostinato.config import Config

logger = logging.getLogger(__name__)

_LEVELS = 1 << 16  # of the keep probability: as many as 16 random bits can distinguish
_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class Dense(nn.Module):
    """y = x K + b, the kernel on the right as TensorFlow has it."""

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.empty(rows, columns))
        self.bias = nn.Parameter(torch.empty(columns))

    def forward(self, x: Tensor) -> Tensor:
        """[..., rows] to [..., columns]."""
        y: Tensor = x @ self.kernel + self.bias
        return y


@dataclass(frozen=True)
class Dropout:
    """One draw of a layer's dropout.

    Attributes:
        kept: bool [T, B, H], the outputs that stay.
        scale: what these are multiplied by, so that the expected output stays the same.
    """

    kept: Tensor
    scale: float

    def __call__(self, y: Tensor) -> Tensor:
        """The layer's output [T, B, H] after dropout."""
        return y * self.kept * self.scale

    def __getitem__(self, step: int) -> "Dropout":
        """The draw for one step, [B, H]."""
        return Dropout(self.kept[step], self.scale)


def draw_dropout(shape: tuple[int, ...], keep_prob: float, device: torch.device) -> Dropout:
    """Draw from the device's global generator, so that who restores its state draws the same again.

    The keep probability is rounded to 1/65536. On the CPU the global generator
    gives a seed, and 16 bits of a faster one decide about each output: as real
    numbers from the global one, the draws would take longer than the LSTM's gates.

    Args:
        shape: [T, B, H].
        keep_prob: above 0 and below 1.
        device: where the outputs are.
    """
    level = min(max(1, round(keep_prob * _LEVELS)), _LEVELS - 1)
    if device.type == "cpu":
        count = math.prod(shape)
        words = np.random.SFC64(int(torch.randint(1 << 62, ()))).random_raw(-(-count // 4))
        kept = torch.from_numpy(words.view(np.uint16)[:count].reshape(shape) < level)
    else:
        kept = torch.rand(shape, device=device) < level / _LEVELS
    return Dropout(kept, _LEVELS / level)


class LSTMLayer(nn.Module):
    """One LSTM layer, and with residual connections what carries its input to its output."""

    def __init__(self, input_size: int, size: int, *, projected: bool, residual: bool) -> None:
        super().__init__()
        self.residual = residual
        self.projection = Dense(input_size, size) if projected else None
        width = size if projected else input_size
        self.size = size
        self.kernel = nn.Parameter(torch.empty(width + size, 4 * size))
        self.bias = nn.Parameter(torch.empty(4 * size))

    def cell(self, x: Tensor, c: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """One step of the bare LSTM: x [B, .], c and h [B, H] to the next c and h."""
        i, j, f, o = (torch.cat([x, h], dim=1) @ self.kernel + self.bias).chunk(4, dim=1)
        c = c * torch.sigmoid(f + 1) + torch.sigmoid(i) * torch.tanh(j)
        return c, torch.tanh(c) * torch.sigmoid(o)

    def project(self, x: Tensor) -> Tensor:
        """The layer's input as wide as the layer, where a residual connection asks for that."""
        return x if self.projection is None else self.projection(x)

    def sequence(self, x: Tensor, c: Tensor, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """All steps of the bare LSTM: x [T, B, .] to every h [T, B, H], the last c and the last h."""
        hs = []
        for x_t in x:
            c, h = self.cell(x_t, c, h)
            hs.append(h)
        return torch.stack(hs), c, h

    def torch_sequence(self, x: Tensor, c: Tensor, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """As `sequence`, by PyTorch's own LSTM."""
        # PyTorch's gates are i, f, j, o, with a bias for each kernel.
        order = (0, 2, 1, 3)
        kernel = torch.cat([self.kernel.chunk(4, dim=1)[gate] for gate in order], dim=1).t()
        bias = torch.cat([with_forget_bias(self.bias).chunk(4)[gate] for gate in order])
        width = x.shape[2]
        parts = [kernel[:, :width], kernel[:, width:], bias, torch.zeros_like(bias)]
        # cuDNN wants them one after the other in one piece of memory.
        flat = torch.cat([part.flatten() for part in parts])
        pieces = torch.split(flat, [part.numel() for part in parts])
        weights = [piece.view(part.shape) for piece, part in zip(pieces, parts, strict=True)]
        hs, last_h, last_c = torch.lstm(x, [h[None], c[None]], weights, True, 1, 0.0, self.training, False, False)
        return hs, last_c[0], last_h[0]

    def output(self, h: Tensor, x: Tensor, drop: Dropout | None) -> Tensor:
        """What the layer hands on: residual connection, then dropout."""
        y = h + x if self.residual else h
        return y if drop is None else drop(y)


def with_forget_bias(bias: Tensor) -> Tensor:
    """A layer's bias [4H] with the 1 that the forget gate has at run time."""
    i, j, f, o = bias.chunk(4)
    return torch.cat([i, j, f + 1, o])


@dataclass(frozen=True)
class NetworkState:
    """What the network remembers between two steps.

    Attributes:
        cells: c of each layer, [B, H].
        hiddens: h of each layer, [B, H], before dropout.
        attention: a, [B, H], or None without attention.
        memory: M, [B, A, H], the oldest row first, or None without attention.
    """

    cells: tuple[Tensor, ...]
    hiddens: tuple[Tensor, ...]
    attention: Tensor | None = None
    memory: Tensor | None = None


class AttentionCell(nn.Module):
    """The parameters of the attention around `inside`, the sizes of the layers that it wraps; `attend` is its step."""

    def __init__(self, input_size: int, inside: Sequence[int]) -> None:
        super().__init__()
        size = inside[-1]
        self.input = Dense(input_size + size, input_size)
        self.query = Dense(2 * sum(inside), size)
        self.memory = nn.ParameterDict({"kernel": torch.empty(size, size)})
        self.score = nn.Parameter(torch.empty(size))
        self.output = Dense(2 * size, size)


def attend(
    attention: AttentionCell,
    inside: Sequence[LSTMLayer],
    around_stack: bool,
    x: Tensor,
    state: NetworkState,
    keys: Tensor,
    drops: Sequence[Dropout | None],
) -> tuple[Tensor, NetworkState, Tensor]:
    """One step of the attention cell.

    Args:
        attention: its parameters.
        inside: the layers that it wraps.
        around_stack: whether these are all layers, with projections, residual connections and dropout.
        x: [B, D].
        state: of the layers inside, and of the attention.
        keys: [B, A, H], M_i W_m of each row of the memory.
        drops: of each layer inside.

    Returns:
        y [B, H], the new state and the new keys.
    """
    assert state.attention is not None
    assert state.memory is not None
    cells, hiddens = list(state.cells), list(state.hiddens)
    o = attention.input(torch.cat([x, state.attention], dim=1))
    for index, layer in enumerate(inside):
        below = layer.project(o) if around_stack else o
        cells[index], hiddens[index] = layer.cell(below, cells[index], hiddens[index])
        o = layer.output(hiddens[index], below, drops[index]) if around_stack else hiddens[index]
    known = [tensor for pair in zip(cells, hiddens, strict=True) for tensor in pair]
    query = attention.query(torch.cat(known, dim=1))
    scores = torch.tanh(keys + query[:, None]) @ attention.score
    a = (torch.softmax(scores, dim=1)[:, :, None] * state.memory).sum(dim=1)
    y = attention.output(torch.cat([o, a], dim=1))
    memory = torch.cat([state.memory[:, 1:], y[:, None]], dim=1)
    keys = torch.cat([keys[:, 1:], (y @ attention.memory["kernel"])[:, None]], dim=1)
    return y, NetworkState(tuple(cells), tuple(hiddens), a, memory), keys


def _compiled(cell: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """The cell by `torch.compile`; as written, from the first time on that this fails."""
    fastest: Callable[_Arguments, _Result] = torch.compile(cell)

    def call(*args: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
        nonlocal fastest
        try:
            return fastest(*args, **named)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # compilers fail in many ways, and none of them is a reason not to train
            if fastest is cell:
                raise
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            logger.warning("the attention cell cannot be compiled here and runs as written: %s", reason)
            fastest = cell
            return cell(*args, **named)

    return call


@functools.cache
def compiled_attend() -> Callable[..., tuple[Tensor, NetworkState, Tensor]]:
    """`attend` for devices where each of its twenty-odd operations is a kernel launch."""
    return _compiled(attend)


class MelodyNetwork(nn.Module):
    """LSTM layers, with or without attention, and a linear layer to the classes.

    Dropout is on the output of each layer, in training only. Its masks are
    drawn from the global generator of the inputs' device, one whole mask per
    layer before the first step, in the order of the layers: if you restore
    that generator's state (`torch.get_rng_state`), you get the same masks again,
    on any path through the network.

    Attributes:
        config: what the network is built from.
        plain: compute by the readable definition where a faster path is at hand.
    """

    def __init__(self, config: Config, *, generator: torch.Generator | None = None, plain: bool = False) -> None:
        """Build the network with fresh parameters.

        Args:
            config: encoding and hyperparameters.
            generator: draws the initial parameters; the global generator if None.
            plain: never take a faster path.
        """
        super().__init__()
        self.config = config
        self.plain = plain
        hparams, encoding = config.hparams, config.encoding
        sizes = hparams.rnn_layer_sizes
        layers = []
        width = encoding.input_size
        for index, size in enumerate(sizes):
            projected = hparams.residual_connections and (index == 0 or sizes[index - 1] != size)
            layers.append(LSTMLayer(width, size, projected=projected, residual=hparams.residual_connections))
            width = size
        self.lstm = nn.ModuleList(layers)
        self.attention: AttentionCell | None = None
        # How many layers the attention wraps.
        self.layers_inside = 0
        if hparams.attn_length:
            self.layers_inside = len(sizes) if hparams.attn_scope == "stack" else 1
            # Around the first layer alone, the attention reads that layer's projected input.
            projected = hparams.residual_connections and hparams.attn_scope == "first_layer"
            input_size = sizes[0] if projected else encoding.input_size
            self.attention = AttentionCell(input_size, sizes[: self.layers_inside])
        self.output = Dense(sizes[-1], encoding.num_classes)
        self._initialize(generator)
        assert {name: tuple(p.shape) for name, p in self.named_parameters()} == array_shapes(config)

    @torch.no_grad()
    def _initialize(self, generator: torch.Generator | None) -> None:
        """TensorFlow's default initial values: Glorot uniform, and zero for the biases."""
        for name in array_shapes(self.config):
            parameter = self.get_parameter(name)
            if name.endswith("bias"):
                parameter.zero_()
            else:
                limit = math.sqrt(6 / (parameter.shape[0] + parameter.shape[-1]))
                parameter.uniform_(-limit, limit, generator=generator)

    @property
    def layers(self) -> list[LSTMLayer]:
        """The LSTM layers, from the input up."""
        return [cast(LSTMLayer, layer) for layer in self.lstm]

    def forward(self, inputs: Tensor, state: NetworkState | None = None) -> Tensor:
        """Logits of the event after each step.

        Args:
            inputs: [B, T, D].
            state: what to continue from; all zero if None.

        Returns:
            [B, T, C].
        """
        if state is None and not self.plain and self._can_run_fast(inputs):
            x = inputs.transpose(0, 1).contiguous()
            logits: Tensor = self.output(self._run_fast(x))
            return logits.transpose(0, 1)
        return self.unroll(inputs, state)[0]

    def unroll(self, inputs: Tensor, state: NetworkState | None = None) -> tuple[Tensor, NetworkState]:
        """As `forward`, and the state after the last step."""
        x = inputs.transpose(0, 1).contiguous()
        drops = self._draw(x)
        state = self.zero_state(inputs) if state is None else state
        cells, hiddens = list(state.cells), list(state.hiddens)
        if self.attention is not None:
            x, state = self._attend(self.attention, x, state, drops)
            cells[: self.layers_inside], hiddens[: self.layers_inside] = state.cells, state.hiddens
        for index in range(self.layers_inside, len(cells)):
            layer = self.layers[index]
            x = layer.project(x)
            sequence = layer.sequence if self.plain else layer.torch_sequence
            h, cells[index], hiddens[index] = sequence(x, cells[index], hiddens[index])
            x = layer.output(h, x, drops[index])
        logits = self.output(x).transpose(0, 1)
        return logits, dataclasses.replace(state, cells=tuple(cells), hiddens=tuple(hiddens))

    def zero_state(self, inputs: Tensor) -> NetworkState:
        """The state before the first step, for `inputs` [B, ...]."""
        batch, hparams = inputs.shape[0], self.config.hparams
        zeros = tuple(inputs.new_zeros(batch, size) for size in hparams.rnn_layer_sizes)
        if self.attention is None:
            return NetworkState(zeros, zeros)
        size = hparams.rnn_layer_sizes[self.layers_inside - 1]
        memory = inputs.new_zeros(batch, hparams.attn_length, size)
        return NetworkState(zeros, zeros, inputs.new_zeros(batch, size), memory)

    def _draw(self, x: Tensor) -> list[Dropout | None]:
        """For each layer what dropout keeps of its outputs, given x [T, B, D]."""
        keep_prob = self.config.hparams.dropout_keep_prob
        sizes = self.config.hparams.rnn_layer_sizes
        if not self.training or keep_prob == 1:
            return [None] * len(sizes)
        return [draw_dropout((*x.shape[:2], size), keep_prob, x.device) for size in sizes]

    def _attend(
        self, attention: AttentionCell, x: Tensor, state: NetworkState, drops: Sequence[Dropout | None]
    ) -> tuple[Tensor, NetworkState]:
        """The attention cell over all steps: x [T, B, D] to y [T, B, H], and the state of what is inside.

        `first_layer` is the bare LSTM inside the attention, and projection,
        residual connection and dropout outside; in `stack` each layer has its own
        three inside the attention.
        """
        around_stack = self.config.hparams.attn_scope == "stack"
        inside, bottom = self.layers[: self.layers_inside], self.layers[0]
        if not around_stack:
            x = bottom.project(x)
        assert state.memory is not None
        state = dataclasses.replace(state, cells=state.cells[: len(inside)], hiddens=state.hiddens[: len(inside)])
        keys = state.memory @ attention.memory["kernel"]
        ys = []
        step = compiled_attend() if x.device.type == "cuda" and not self.plain else attend
        for t, x_t in enumerate(x):
            drops_t = [drop[t] if around_stack and drop is not None else None for drop in drops[: len(inside)]]
            y_t, state, keys = step(attention, inside, around_stack, x_t, state, keys, drops_t)
            ys.append(y_t)
        y = torch.stack(ys)
        if not around_stack:
            y = bottom.output(y, x, drops[0])
        return y, state

    def _can_run_fast(self, inputs: Tensor) -> bool:
        """Whether `fast` computes this network on these inputs."""
        return (
            inputs.device.type == "cpu"
            and inputs.dtype == self.output.kernel.dtype == torch.float32
            and not torch.is_autocast_enabled("cpu")
            and not self.config.hparams.residual_connections
            and _has_numba()
        )

    def _run_fast(self, x: Tensor) -> Tensor:
        """The output of the last layer [T, B, H] from x [T, B, D], by `fast`."""
        from ostinato.training.fast import network as fast  # Numba takes half a second to load

        drops = self._draw(x)
        width, layers, attention = x.shape[2], self.layers, self.attention
        bottom = layers[0]
        x_kernel, from_below = bottom.kernel[:width], bottom.kernel[width:width]
        bias: Tensor = bottom.bias
        folded: tuple[Tensor, ...] = ()
        drop_attention = None
        if attention is not None:
            # u = [x, a] W_in + b_in goes only into the layer's kernel.
            x_rows, a_rows = attention.input.kernel[:width], attention.input.kernel[width:]
            bias = bias + attention.input.bias @ x_kernel
            x_kernel, from_below = x_rows @ x_kernel, a_rows @ x_kernel
            # y and its key from one product.
            y_and_key = torch.cat([torch.eye(len(attention.score)), attention.memory["kernel"]], dim=1)
            folded = (
                attention.query.kernel,
                attention.query.bias,
                attention.output.kernel @ y_and_key,
                attention.output.bias @ y_and_key,
                attention.score,
            )
            if self.config.hparams.attn_scope == "first_layer":
                drop_attention, drops[0] = drops[0], None
        pairs = [(torch.cat([from_below, bottom.kernel[width:]]), with_forget_bias(bias))]
        pairs += [(layer.kernel, with_forget_bias(layer.bias)) for layer in layers[1:]]
        plan = fast.Plan(self.layers_inside, self.config.hparams.attn_length, drops, drop_attention)
        return fast.run(plan, fast.FoldedWeights(x_kernel.contiguous(), pairs, folded), x)

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """A copy of the parameters, by the names and shapes of `array_shapes(config)`."""
        return {
            name: self.get_parameter(name).detach().to("cpu", torch.float32, copy=True).numpy()
            for name in array_shapes(self.config)
        }

    @torch.no_grad()
    def load_arrays(self, arrays: Mapping[str, NDArray[np.float32]]) -> None:
        """Take parameters as `arrays` gives them.

        Raises:
            FormatError: if names or shapes differ from those of `array_shapes(config)`.
        """
        for name, array in Bundle(self.config, arrays).arrays.items():
            self.get_parameter(name).copy_(torch.from_numpy(np.array(array)))


@functools.cache
def _has_numba() -> bool:
    """Whether the kernels can be compiled; says so once where not."""
    if importlib.util.find_spec("numba") is not None:
        return True
    logger.warning("Numba is not installed, so training uses the plain path, which is slower (pip install numba)")
    return False
