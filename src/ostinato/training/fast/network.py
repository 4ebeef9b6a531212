"""The whole network but its last layer as one function with a gradient written by hand, for the CPU.

The batch is cut into as many parts as there are threads, and each thread takes
its melodies through all steps alone: it waits for no other thread between
steps, and what it works on stays in its own cache. Inside a step the matrix
products are PyTorch's, on buffers made before the first step, and all else is
in `kernels`. The gradients by weights are left out of the walk back through
time: each is one large product over all steps.

A step passes through stages: LSTM layers, and the attention around some of
them. A stage has its buffers for all steps of a batch, and gives for each
thread a function that takes the thread's melodies through step t: a matrix
product or two, and a kernel after each. The products take views of the thread's
own melodies, `my_...`, made once for all steps; the kernels take whole arrays.

Two products are folded beforehand (`MelodyNetwork` does it). The attention's
input u = [x, a] W_in + b_in feeds only the first LSTM's kernel, so W_in times
that kernel's upper rows is one matrix for a, and another for x, which is applied
to all steps at once. And y = [o, a] W_out + b_out and its key y W_m come from
one product with [W_out, W_out W_m].

Shapes: B melodies, T steps, D input size, H_l size of layer l, H size of what
the attention remembers, A rows of its memory, Q the sum of 2 H_l of the layers
that the attention wraps.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ostinato.training.fast import kernels
from ostinato.training.fast.kernels import Floats, Mask
from ostinato.training.hardware import in_parts, threads_for
from ostinato.training.network import Dropout

Step = Callable[[int], None]

# The gradient that layers outside the attention get from its query.
NO_STATE_GRADIENT: Floats = np.empty((0, 0), np.float32)
_NO_MASK: Mask = np.empty((0, 0, 0), np.bool_)


@dataclass(frozen=True)
class Plan:
    """What the weights alone do not say.

    Attributes:
        attention_after: how many layers the attention wraps; 0 is no attention.
        attn_length: A.
        dropouts: for the output of each layer; None keeps all.
        attention_dropout: for what the attention hands on.
    """

    attention_after: int
    attn_length: int
    dropouts: Sequence[Dropout | None]
    attention_dropout: Dropout | None


@dataclass(frozen=True)
class FoldedWeights:
    """The weights, folded; the forget gate's 1 is in the biases.

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


def run(plan: Plan, weights: FoldedWeights, x: Tensor) -> Tensor:
    """The network's output before its last layer, from the zero state.

    Args:
        plan: how it is built, and what dropout keeps.
        weights: float32, on the CPU, contiguous.
        x: [T, B, D] float32, on the CPU, contiguous.

    Returns:
        [T, B, H] of the last layer; it can be differentiated once, by x and by the weights.
    """
    flat = [tensor for layer in weights.layers for tensor in layer]
    output = _WithGradient.apply(plan, torch.is_grad_enabled(), x, weights.x, *flat, *weights.attention)  # type: ignore[no-untyped-call]
    assert isinstance(output, Tensor)
    return output


class _WithGradient(torch.autograd.Function):
    """`run` with its gradient, for PyTorch's engine."""

    @staticmethod
    def forward(ctx: Any, plan: Plan, kept: bool, x: Tensor, x_kernel: Tensor, *tensors: Tensor) -> Tensor:
        count = len(plan.dropouts)
        pairs = [(tensors[2 * layer], tensors[2 * layer + 1]) for layer in range(count)]
        unrolled = _Unrolled(plan, FoldedWeights(x_kernel, pairs, tensors[2 * count :]), x)
        y = unrolled.forward()
        if kept and any(ctx.needs_input_grad):
            ctx.unrolled = unrolled
        else:
            unrolled.rest()
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator, unused-ignore]
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        # The walk back overwrites what the forward pass kept.
        unrolled = ctx.unrolled
        if unrolled is None:
            raise RuntimeError("the gradient of this forward pass was taken before; run it forward again")
        ctx.unrolled = None
        gradients = unrolled.backward(dy.contiguous(), by_x=ctx.needs_input_grad[2])
        unrolled.rest()
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
_buffers_at_rest: list[_Buffers] = []


class LSTMStage:
    """An LSTM layer: its buffers for all steps, and what each step does with them."""

    def __init__(
        self,
        buffers: _Buffers,
        index: int,
        kernel: Tensor,
        bias: Tensor,
        states: Tensor,
        column: int,
        dropout: Dropout | None,
    ) -> None:
        steps, batch, size = len(states) - 1, states.shape[1], len(bias) // 4
        take = buffers.take
        self.kernel, self.bias, self.states, self.column = kernel, bias, states, column
        self.adds_to_gates = index == 0
        self.mask, self.scale = _mask(dropout)
        self.gates = take(f"gates {index}", steps, batch, 4 * size)
        # What is below, then h of the step before.
        self.inputs = take(f"inputs {index}", steps + 1, batch, len(kernel))
        self.inputs[0] = 0
        self.d_inputs = take(f"d_inputs {index}", batch, len(kernel))
        self.d_cell = take(f"d_cell {index}", batch, size)
        self.scratch = take(f"scratch {index}", batch, size)

    def inputs_of_steps(self) -> list[Floats]:
        """Where the output of what is below goes, for each step."""
        return list(self.inputs.numpy())

    def forward(self, out: list[Floats], first: int, last: int) -> Step:
        """What a step does for the melodies first to last; `out` takes the layer's output of each step."""
        my_gates, my_inputs = self.gates[:, first:last].unbind(), self.inputs[:, first:last].unbind()
        gates, inputs, states = self.gates.numpy(), self.inputs.numpy(), self.states.numpy()
        kernel, bias, column, mask, scale = self.kernel, self.bias, self.column, self.mask, self.scale
        adds_to_gates = self.adds_to_gates

        def step(t: int) -> None:
            if adds_to_gates:
                my_gates[t].addmm_(my_inputs[t], kernel)
            else:
                torch.addmm(bias, my_inputs[t], kernel, out=my_gates[t])
            kernels.lstm_forward(gates, states, column, inputs, out[t], mask, scale, t, first, last)

        return step

    def start_backward(self) -> None:
        """Nothing comes from after the last step."""
        self.d_inputs.zero_()
        self.d_cell.zero_()
        self.kernel_transposed = self.kernel.t().contiguous()

    def input_gradients_of_steps(self) -> list[Floats]:
        """The gradient by the inputs, for each step."""
        return [self.d_inputs.numpy()] * len(self.gates)

    def backward(self, d_out: list[Floats], d_states: Floats, first: int, last: int) -> Step:
        """What a step back does; `d_out` holds the gradient by the layer's output of each step."""
        my_gates, my_d_inputs = self.gates[:, first:last].unbind(), self.d_inputs[first:last]
        gates, d_inputs, states = self.gates.numpy(), self.d_inputs.numpy(), self.states.numpy()
        d_cell, scratch = self.d_cell.numpy(), self.scratch.numpy()
        column, mask, scale, transposed = self.column, self.mask, self.scale, self.kernel_transposed

        def step(t: int) -> None:
            kernels.lstm_backward(
                gates, states, column, d_inputs, d_out[t], d_states, d_cell, scratch, mask, scale, t, first, last
            )
            torch.mm(my_gates[t], transposed, out=my_d_inputs)

        return step

    def gradients(self, first: int, last: int) -> list[Tensor]:
        """By kernel and bias, of the steps first to last."""
        d_gates = self.gates[first:last].flatten(0, 1)
        return [self.inputs[first:last].flatten(0, 1).t() @ d_gates, d_gates.sum(0)]


class AttentionStage:
    """The attention around the layers below it: its buffers for all steps, and what each step does with them."""

    def __init__(
        self, buffers: _Buffers, length: int, weights: Sequence[Tensor], inner: LSTMStage, dropout: Dropout | None
    ) -> None:
        self.query_kernel, self.query_bias, self.output_kernel, self.output_bias, self.score = weights
        steps, batch, size = len(inner.gates), inner.gates.shape[1], len(self.score)
        take = buffers.take
        # The layer that is fed a.
        self.inner = inner
        self.mask, self.scale = _mask(dropout)
        self.queries = take("queries", steps, batch, size)
        # o, then a.
        self.outputs = take("outputs", steps, batch, 2 * size)
        # y, then its key.
        self.rows = take("rows", batch, 2 * size)
        self.shares = take("shares", steps, batch, length)
        self.keys = take("keys", batch, length + steps, size)
        self.memory = take("memory", batch, length + steps, size)
        self.keys[:, :length] = 0
        self.memory[:, :length] = 0
        self.d_rows = take("d_rows", steps, batch, 2 * size)
        self.d_outputs = take("d_outputs", batch, 2 * size)
        self.d_attended = take("d_attended", steps, batch, size)
        self.d_queries = take("d_queries", steps, batch, size)
        self.d_keys = take("d_keys", batch, length + steps, size)
        self.d_score = take("d_score", batch, size)
        self.d_states = take("d_states", batch, len(self.query_kernel))
        self.scratch = take("d_shares", batch, length)

    def inputs_of_steps(self) -> list[Floats]:
        """Where the output of what is below goes, for each step."""
        return list(self.outputs.numpy())

    def forward(self, out: list[Floats], first: int, last: int) -> Step:
        """What a step does for the melodies first to last; `out` takes what each step hands on."""
        my_known = self.inner.states[1:, first:last, : len(self.query_kernel)].unbind()
        my_queries, my_outputs = self.queries[:, first:last].unbind(), self.outputs[:, first:last].unbind()
        my_rows = self.rows[first:last]
        queries, outputs, rows = self.queries.numpy(), self.outputs.numpy(), self.rows.numpy()
        keys, memory, shares, score = self.keys.numpy(), self.memory.numpy(), self.shares.numpy(), self.score.numpy()
        inner_inputs, mask, scale = self.inner.inputs.numpy(), self.mask, self.scale
        query_kernel, query_bias = self.query_kernel, self.query_bias
        output_kernel, output_bias = self.output_kernel, self.output_bias

        def step(t: int) -> None:
            torch.addmm(query_bias, my_known[t], query_kernel, out=my_queries[t])
            kernels.attend_forward(queries, keys, memory, score, shares, outputs, inner_inputs, t, first, last)
            torch.addmm(output_bias, my_outputs[t], output_kernel, out=my_rows)
            kernels.remember_forward(rows, shares, keys, memory, out[t], mask, scale, t, first, last)

        return step

    def start_backward(self) -> None:
        """Nothing comes from after the last step."""
        self.d_keys.zero_()
        self.d_score.zero_()
        self.query_transposed = self.query_kernel.t().contiguous()
        self.output_transposed = self.output_kernel.t().contiguous()

    def input_gradients_of_steps(self) -> list[Floats]:
        """The gradient by the inputs, for each step."""
        return [self.d_outputs.numpy()] * len(self.queries)

    def backward(self, d_out: list[Floats], first: int, last: int) -> Step:
        """What a step back does; `d_out` holds the gradient by what each step handed on."""
        my_d_rows, my_d_queries = self.d_rows[:, first:last].unbind(), self.d_queries[:, first:last].unbind()
        my_d_outputs, my_d_states = self.d_outputs[first:last], self.d_states[first:last]
        d_rows, d_queries, d_outputs = self.d_rows.numpy(), self.d_queries.numpy(), self.d_outputs.numpy()
        queries, shares = self.queries.numpy(), self.shares.numpy()
        keys, memory = self.keys.numpy(), self.memory.numpy()
        d_attended, d_keys, d_score = self.d_attended.numpy(), self.d_keys.numpy(), self.d_score.numpy()
        score, scratch, inner_d_inputs = self.score.numpy(), self.scratch.numpy(), self.inner.d_inputs.numpy()
        output_transposed, query_transposed = self.output_transposed, self.query_transposed
        mask, scale = self.mask, self.scale

        def step(t: int) -> None:
            kernels.remember_backward(d_rows, shares, d_keys, d_attended, d_out[t], mask, scale, t, first, last)
            torch.mm(my_d_rows[t], output_transposed, out=my_d_outputs)
            kernels.attend_backward(
                queries,
                keys,
                memory,
                score,
                shares,
                d_outputs,
                inner_d_inputs,
                d_attended,
                d_queries,
                d_keys,
                d_score,
                scratch,
                t,
                first,
                last,
            )
            torch.mm(my_d_queries[t], query_transposed, out=my_d_states)

        return step

    def gradients(self, first: int, last: int) -> list[Tensor]:
        """By query kernel and bias, and by output kernel and bias, of the steps first to last."""
        d_queries, d_rows = self.d_queries[first:last].flatten(0, 1), self.d_rows[first:last].flatten(0, 1)
        known = self.inner.states[first + 1 : last + 1].flatten(0, 1)[:, : len(self.query_kernel)]
        return [
            known.t() @ d_queries,
            d_queries.sum(0),
            self.outputs[first:last].flatten(0, 1).t() @ d_rows,
            d_rows.sum(0),
        ]


def _mask(dropout: Dropout | None) -> tuple[Mask, np.float32]:
    """A dropout as the kernels take it."""
    return (_NO_MASK, np.float32(1)) if dropout is None else (dropout.kept.numpy(), np.float32(dropout.scale))


class _Unrolled:
    """The network unrolled over the steps of one batch, and the way back through them."""

    def __init__(self, plan: Plan, weights: FoldedWeights, x: Tensor) -> None:
        self.x, self.x_kernel = x, weights.x
        self.steps, self.batch = x.shape[:2]
        self.buffers = _buffers_at_rest.pop() if _buffers_at_rest else _Buffers()
        sizes = [len(bias) // 4 for _, bias in weights.layers]
        # c, then h, of each layer; row t + 1 after step t.
        states = self.buffers.take("states", self.steps + 1, self.batch, 2 * sum(sizes))
        states[0] = 0
        self.layers = [
            LSTMStage(self.buffers, index, kernel, bias, states, 2 * sum(sizes[:index]), dropout)
            for index, ((kernel, bias), dropout) in enumerate(zip(weights.layers, plan.dropouts, strict=True))
        ]
        self.inside = plan.attention_after
        self.attention = (
            AttentionStage(self.buffers, plan.attn_length, weights.attention, self.layers[0], plan.attention_dropout)
            if plan.attention_after
            else None
        )

    def rest(self) -> None:
        """Give the buffers back."""
        _buffers_at_rest.append(self.buffers)

    def _stages(self) -> list[LSTMStage | AttentionStage]:
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
        stages = self._stages()

        def walk(first: int, last: int) -> None:
            outs = [*(stage.inputs_of_steps() for stage in stages[1:]), list(y.numpy())]
            steps = [stage.forward(out, first, last) for stage, out in zip(stages, outs, strict=True)]
            for t in range(self.steps):
                for step in steps:
                    step(t)

        in_parts(walk, self.batch, threads_for(self.batch))
        return y

    def backward(self, dy: Tensor, *, by_x: bool) -> list[Tensor | None]:
        """The gradients by x, if asked for, and by all weights in the order of `run`'s flat arguments."""
        stages = self._stages()
        for stage in stages:
            stage.start_backward()

        def walk(first: int, last: int) -> None:
            steps = []
            d_states = NO_STATE_GRADIENT
            d_out = list(dy.numpy())
            for stage in reversed(stages):
                if isinstance(stage, AttentionStage):
                    steps.append(stage.backward(d_out, first, last))
                    d_states = stage.d_states.numpy()
                else:
                    steps.append(stage.backward(d_out, d_states, first, last))
                d_out = stage.input_gradients_of_steps()
            for t in reversed(range(self.steps)):
                for step in steps:
                    step(t)

        def gradients(first: int, last: int) -> list[Tensor]:
            x, d_gates = self.x[first:last].flatten(0, 1), self.layers[0].gates[first:last].flatten(0, 1)
            # In the order of the weights, where the attention comes last.
            by_order: list[LSTMStage | AttentionStage] = [*self.layers]
            if self.attention is not None:
                by_order.append(self.attention)
            return [x.t() @ d_gates, *(gradient for stage in by_order for gradient in stage.gradients(first, last))]

        threads = threads_for(self.batch)
        in_parts(walk, self.batch, threads)
        by_weights = [
            torch.stack(parts).sum(0) for parts in zip(*in_parts(gradients, self.steps, threads), strict=True)
        ]
        if self.attention is not None:
            by_weights.append(self.attention.d_score.sum(0))
        dx = (self.layers[0].gates.flatten(0, 1) @ self.x_kernel.t()).view_as(self.x) if by_x else None
        return [dx, *by_weights]
