"""The layers that the network is made of, step by step and readable: linear, dropout, LSTM, the attention cell.

Shapes: B melodies, T steps, A rows of the attention's memory, H cell size, in
the attention the size of its output.
"""

import functools
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

logger = logging.getLogger(__name__)

_LEVELS = 1 << 16  # of the keep probability: as many as 16 random bits tell apart
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
        inside: the layers that it stands around.
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
