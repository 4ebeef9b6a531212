"""The whole network but its last layer as one function with a gradient written by hand, for the CPU.

The batch is cut into as many parts as there are threads, and each thread takes
its melodies through all steps alone: it waits for no other thread between
steps, and what it works on stays in its own cache. Inside a step the matrix
products are PyTorch's, on buffers made before the first step, and all else is
in `kernels`; `links` puts the two together. The gradients by weights are left
out of the walk back through time: each is one large product over all steps.

Two products are folded beforehand (`MelodyNetwork` does it). The attention's
input u = [x, a] W_in + b_in feeds only the first LSTM's kernel, so W_in times
that kernel's upper rows is one matrix for a, and another for x, which is applied
to all steps at once. And y = [o, a] W_out + b_out and its key y W_m come from
one product with [W_out, W_out W_m].

Shapes: B melodies, T steps, D input size, H_l size of layer l, H size of what
the attention remembers, A rows of its memory, Q the sum of 2 H_l of the layers
that the attention stands around.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ostinato.training.dropout import Dropout
from ostinato.training.links import NO_STATES, Attention, Layer
from ostinato.training.threads import in_parts, threads_for


@dataclass(frozen=True)
class Plan:
    """What the weights alone do not tell.

    Attributes:
        attention_after: how many layers the attention stands around; 0 is no attention.
        attn_length: A.
        dropouts: for the output of each layer; None keeps all.
        attention_dropout: for what the attention hands on.
    """

    attention_after: int
    attn_length: int
    dropouts: Sequence[Dropout | None]
    attention_dropout: Dropout | None


@dataclass(frozen=True)
class Weights:
    """The weights, folded; the forget gate's 1 stands in the biases.

    Attributes:
        x: [D, 4 H_0], from the network's inputs to the gates of layer 0.
        layers: for each layer a kernel [X + H_l, 4 H_l] and a bias [4 H_l]. Rows: what comes from below, then h; for
            layer 0 what comes from below is a, or nothing without attention.
        attention: query kernel [Q, H] and bias [H], output kernel [2H, 2H] and bias [2H], from o_t and a_t to y_t
            and its key, and score [H]; nothing without attention.
    """

    x: Tensor
    layers: Sequence[tuple[Tensor, Tensor]]
    attention: Sequence[Tensor] = ()


def run(plan: Plan, weights: Weights, x: Tensor) -> Tensor:
    """The network's output before its last layer, from the zero state.

    Args:
        plan: how it is built, and what dropout keeps.
        weights: float32, on the CPU, contiguous.
        x: [T, B, D] float32, on the CPU, contiguous.

    Returns:
        [T, B, H] of the last layer; it can be differentiated once, by x and by the weights.
    """
    flat = [tensor for layer in weights.layers for tensor in layer]
    output = _Network.apply(plan, torch.is_grad_enabled(), x, weights.x, *flat, *weights.attention)  # type: ignore[no-untyped-call]
    assert isinstance(output, Tensor)
    return output


class _Network(torch.autograd.Function):
    """`run`, for PyTorch's engine."""

    @staticmethod
    def forward(ctx: Any, plan: Plan, kept: bool, x: Tensor, x_kernel: Tensor, *tensors: Tensor) -> Tensor:
        count = len(plan.dropouts)
        pairs = [(tensors[2 * layer], tensors[2 * layer + 1]) for layer in range(count)]
        walk = _Walk(plan, Weights(x_kernel, pairs, tensors[2 * count :]), x)
        y = walk.forward()
        if kept and any(ctx.needs_input_grad):
            ctx.walk = walk
        else:
            walk.rest()
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator, unused-ignore]
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        # The walk back overwrites what the forward pass kept.
        walk = ctx.walk
        if walk is None:
            raise RuntimeError("the gradient of this forward pass was taken before; run it forward again")
        ctx.walk = None
        gradients = walk.backward(dy.contiguous(), by_x=ctx.needs_input_grad[2])
        walk.rest()
        return None, None, *gradients


class _Buffers:
    """Memory to be used again in the next step: fresh pages from the system cost as much as the gates."""

    def __init__(self) -> None:
        self._flat: dict[str, Tensor] = {}

    def take(self, name: str, *shape: int) -> Tensor:
        """Float32 values of this shape, whatever they hold."""
        count = math.prod(shape)
        flat = self._flat.get(name)
        if flat is None or flat.numel() < count:
            flat = self._flat[name] = torch.empty(count)
        return flat[:count].view(shape)


# Buffers at rest. A forward pass takes some, its backward pass puts them back.
_resting: list[_Buffers] = []


class _Walk:
    """One batch's way through the steps and back."""

    def __init__(self, plan: Plan, weights: Weights, x: Tensor) -> None:
        self.x, self.x_kernel = x, weights.x
        self.steps, self.batch = x.shape[:2]
        self.buffers = _resting.pop() if _resting else _Buffers()
        take = self.buffers.take
        sizes = [len(bias) // 4 for _, bias in weights.layers]
        # c, then h, of each layer; row t + 1 after step t.
        states = take("states", self.steps + 1, self.batch, 2 * sum(sizes))
        states[0] = 0
        self.layers = [
            Layer(take, index, kernel, bias, states, 2 * sum(sizes[:index]), dropout)
            for index, ((kernel, bias), dropout) in enumerate(zip(weights.layers, plan.dropouts, strict=True))
        ]
        self.inside = plan.attention_after
        self.attention = (
            Attention(take, plan.attn_length, weights.attention, self.layers[0], plan.attention_dropout)
            if plan.attention_after
            else None
        )

    def rest(self) -> None:
        """Give the buffers back."""
        _resting.append(self.buffers)

    def _chain(self) -> list[Layer | Attention]:
        """What each step passes through, in order."""
        if self.attention is None:
            return [*self.layers]
        return [*self.layers[: self.inside], self.attention, *self.layers[self.inside :]]

    def forward(self) -> Tensor:
        """The output of the last layer, [T, B, H]."""
        bottom, top = self.layers[0], self.layers[-1]

        def read(first: int, last: int) -> None:
            x, gates = self.x[first:last].flatten(0, 1), bottom.gates[first:last].flatten(0, 1)
            torch.addmm(bottom.bias, x, self.x_kernel, out=gates)

        in_parts(read, self.steps, threads_for(self.batch))
        y = torch.empty(self.steps, self.batch, len(top.bias) // 4)
        chain = self._chain()

        def walk(first: int, last: int) -> None:
            outs = [*(link.takes() for link in chain[1:]), list(y.numpy())]
            steps = [link.forward(out, first, last) for link, out in zip(chain, outs, strict=True)]
            for t in range(self.steps):
                for step in steps:
                    step(t)

        in_parts(walk, self.batch, threads_for(self.batch))
        return y

    def backward(self, dy: Tensor, *, by_x: bool) -> list[Tensor | None]:
        """The gradients by x, if asked for, and by all weights in the order of `run`'s flat arguments."""
        chain = self._chain()
        for link in chain:
            link.start_backward()

        def walk(first: int, last: int) -> None:
            steps = []
            d_states = NO_STATES
            d_out = list(dy.numpy())
            for link in reversed(chain):
                if isinstance(link, Attention):
                    steps.append(link.backward(d_out, first, last))
                    d_states = link.d_states.numpy()
                else:
                    steps.append(link.backward(d_out, d_states, first, last))
                d_out = link.sends()
            for t in reversed(range(self.steps)):
                for step in steps:
                    step(t)

        def gradients(first: int, last: int) -> list[Tensor]:
            x, d_gates = self.x[first:last].flatten(0, 1), self.layers[0].gates[first:last].flatten(0, 1)
            links: list[Layer | Attention] = [*self.layers]
            if self.attention is not None:
                links.append(self.attention)
            return [x.t() @ d_gates, *(gradient for link in links for gradient in link.gradients(first, last))]

        threads = threads_for(self.batch)
        in_parts(walk, self.batch, threads)
        by_weights = [
            torch.stack(parts).sum(0) for parts in zip(*in_parts(gradients, self.steps, threads), strict=True)
        ]
        if self.attention is not None:
            by_weights.append(self.attention.d_score.sum(0))
        dx = (self.layers[0].gates.flatten(0, 1) @ self.x_kernel.t()).view_as(self.x) if by_x else None
        return [dx, *by_weights]
