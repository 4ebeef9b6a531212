"""The attention cell: LSTM layers that look back over the last A outputs at every step.

Shapes: B melodies, A rows of the memory, D input size, H size of the output.
"""

import functools
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from ostinato.training.dropout import Dropout
from ostinato.training.layers import Dense, LSTMLayer

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class State:
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


class Attention(nn.Module):
    """The parameters of the attention around `inside`, the layers that it wraps."""

    def __init__(self, input_size: int, inside: Sequence[int]) -> None:
        super().__init__()
        size = inside[-1]
        self.input = Dense(input_size + size, input_size)
        self.query = Dense(2 * sum(inside), size)
        self.memory = nn.ParameterDict({"kernel": torch.empty(size, size)})
        self.score = nn.Parameter(torch.empty(size))
        self.output = Dense(2 * size, size)


class Attend(Protocol):
    """`attend`, as written or compiled."""

    def __call__(
        self,
        attention: Attention,
        inside: Sequence[LSTMLayer],
        around_stack: bool,
        x: Tensor,
        state: State,
        keys: Tensor,
        drops: Sequence[Dropout | None],
    ) -> tuple[Tensor, State, Tensor]:
        """See `attend`."""
        ...


def attend(
    attention: Attention,
    inside: Sequence[LSTMLayer],
    around_stack: bool,
    x: Tensor,
    state: State,
    keys: Tensor,
    drops: Sequence[Dropout | None],
) -> tuple[Tensor, State, Tensor]:
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
    return y, State(tuple(cells), tuple(hiddens), a, memory), keys


class _CompiledAttend:
    """`attend` by `torch.compile`; as written, from the first time on that this fails."""

    def __init__(self) -> None:
        self._attend: Attend = torch.compile(attend)

    def __call__(
        self,
        attention: Attention,
        inside: Sequence[LSTMLayer],
        around_stack: bool,
        x: Tensor,
        state: State,
        keys: Tensor,
        drops: Sequence[Dropout | None],
    ) -> tuple[Tensor, State, Tensor]:
        try:
            return self._attend(attention, inside, around_stack, x, state, keys, drops)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # compilers fail in many ways, and none of them is a reason not to train
            if self._attend is attend:
                raise
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            logger.warning("the attention cell cannot be compiled here and runs as written: %s", reason)
            self._attend = attend
            return attend(attention, inside, around_stack, x, state, keys, drops)


@functools.cache
def compiled_attend() -> Attend:
    """`attend` for devices where each of its twenty-odd operations is a kernel launch."""
    return _CompiledAttend()
