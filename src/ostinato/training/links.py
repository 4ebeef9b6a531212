"""What one step passes through, link by link: LSTM layers, and the attention around some of them.

A link has its buffers for all steps of a batch, and gives for each thread a
function that takes the thread's melodies through step t: a matrix product or
two, and a kernel after each. Shapes as in `fused`.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from ostinato.training import kernels
from ostinato.training.dropout import Dropout
from ostinato.training.kernels import Floats, Mask

Step = Callable[[int], None]
# Float32 values of a name and a shape.
Take = Callable[..., Tensor]
# What layers that no attention stands around get from its query.
NO_STATES: Floats = np.empty((0, 0), np.float32)
_NO_MASK: Mask = np.empty((0, 0, 0), np.bool_)


class Layer:
    """An LSTM layer: its buffers for all steps, and what each step does with them."""

    def __init__(
        self,
        take: Take,
        index: int,
        kernel: Tensor,
        bias: Tensor,
        states: Tensor,
        column: int,
        dropout: Dropout | None,
    ) -> None:
        steps, batch, size = len(states) - 1, states.shape[1], len(bias) // 4
        self.kernel, self.bias, self.states, self.column = kernel, bias, states, column
        self.adds_to_gates = index == 0
        self.mask, self.scale = _mask(dropout)
        self.gates = take(f"gates {index}", steps, batch, 4 * size)
        # What stands below, then h of the step before.
        self.inputs = take(f"inputs {index}", steps + 1, batch, len(kernel))
        self.inputs[0] = 0
        self.d_inputs = take(f"d_inputs {index}", batch, len(kernel))
        self.d_cell = take(f"d_cell {index}", batch, size)
        self.scratch = take(f"scratch {index}", batch, size)

    def takes(self) -> list[Floats]:
        """Where the output of what stands below goes, for each step."""
        return list(self.inputs.numpy())

    def forward(self, out: list[Floats], first: int, last: int) -> Step:
        """What a step does for the melodies first to last; `out` takes the layer's output of each step."""
        gates, inputs = self.gates[:, first:last].unbind(), self.inputs[:, first:last].unbind()
        gate_array, input_array, states = self.gates.numpy(), self.inputs.numpy(), self.states.numpy()
        kernel, bias, column, mask, scale = self.kernel, self.bias, self.column, self.mask, self.scale
        adds_to_gates = self.adds_to_gates

        def step(t: int) -> None:
            if adds_to_gates:
                gates[t].addmm_(inputs[t], kernel)
            else:
                torch.addmm(bias, inputs[t], kernel, out=gates[t])
            kernels.lstm_forward(gate_array, states, column, input_array, out[t], mask, scale, t, first, last)

        return step

    def start_backward(self) -> None:
        """Nothing comes from after the last step."""
        self.d_inputs.zero_()
        self.d_cell.zero_()
        self.kernel_transposed = self.kernel.t().contiguous()

    def sends(self) -> list[Floats]:
        """The gradient by what `takes` took, for each step."""
        return [self.d_inputs.numpy()] * len(self.gates)

    def backward(self, d_out: list[Floats], d_states: Floats, first: int, last: int) -> Step:
        """What a step back does; `d_out` holds the gradient by the layer's output of each step."""
        gates, d_inputs, transposed = (
            self.gates[:, first:last].unbind(),
            self.d_inputs[first:last],
            self.kernel_transposed,
        )
        gate_array, d_input_array, states = self.gates.numpy(), self.d_inputs.numpy(), self.states.numpy()
        d_cell, scratch = self.d_cell.numpy(), self.scratch.numpy()
        column, mask, scale = self.column, self.mask, self.scale

        def step(t: int) -> None:
            kernels.lstm_backward(
                gate_array,
                states,
                column,
                d_input_array,
                d_out[t],
                d_states,
                d_cell,
                scratch,
                mask,
                scale,
                t,
                first,
                last,
            )
            torch.mm(gates[t], transposed, out=d_inputs)

        return step

    def gradients(self, first: int, last: int) -> list[Tensor]:
        """By kernel and bias, of the steps first to last."""
        d_gates = self.gates[first:last].flatten(0, 1)
        return [self.inputs[first:last].flatten(0, 1).t() @ d_gates, d_gates.sum(0)]


class Attention:
    """The attention around the layers below it: its buffers for all steps, and what each step does with them."""

    def __init__(
        self, take: Take, length: int, weights: Sequence[Tensor], inner: Layer, dropout: Dropout | None
    ) -> None:
        self.query_kernel, self.query_bias, self.output_kernel, self.output_bias, self.score = weights
        steps, batch, size = len(inner.gates), inner.gates.shape[1], len(self.score)
        self.length = length
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

    def takes(self) -> list[Floats]:
        """Where the output of what stands below goes, for each step."""
        return list(self.outputs.numpy())

    def _known(self) -> Tensor:
        """What the query is made of, after each step: [T, B, Q]."""
        return self.inner.states[1:, :, : len(self.query_kernel)]

    def forward(self, out: list[Floats], first: int, last: int) -> Step:
        """What a step does for the melodies first to last; `out` takes what each step hands on."""
        known, queries = self._known()[:, first:last].unbind(), self.queries[:, first:last].unbind()
        outputs, rows = self.outputs[:, first:last].unbind(), self.rows[first:last]
        query_array, output_array, row_array = self.queries.numpy(), self.outputs.numpy(), self.rows.numpy()
        keys, memory, shares, score = self.keys.numpy(), self.memory.numpy(), self.shares.numpy(), self.score.numpy()
        inner_inputs, mask, scale = self.inner.inputs.numpy(), self.mask, self.scale
        query_kernel, query_bias = self.query_kernel, self.query_bias
        output_kernel, output_bias = self.output_kernel, self.output_bias

        def step(t: int) -> None:
            torch.addmm(query_bias, known[t], query_kernel, out=queries[t])
            kernels.attend_forward(query_array, keys, memory, score, shares, output_array, inner_inputs, t, first, last)
            torch.addmm(output_bias, outputs[t], output_kernel, out=rows)
            kernels.remember_forward(row_array, shares, keys, memory, out[t], mask, scale, t, first, last)

        return step

    def start_backward(self) -> None:
        """Nothing comes from after the last step."""
        self.d_keys.zero_()
        self.d_score.zero_()
        self.query_transposed = self.query_kernel.t().contiguous()
        self.output_transposed = self.output_kernel.t().contiguous()

    def sends(self) -> list[Floats]:
        """The gradient by what `takes` took, for each step."""
        return [self.d_outputs.numpy()] * len(self.queries)

    def backward(self, d_out: list[Floats], first: int, last: int) -> Step:
        """What a step back does; `d_out` holds the gradient by what each step handed on."""
        d_rows, d_queries = self.d_rows[:, first:last].unbind(), self.d_queries[:, first:last].unbind()
        d_outputs, d_states = self.d_outputs[first:last], self.d_states[first:last]
        d_row_array, d_query_array, d_output_array = self.d_rows.numpy(), self.d_queries.numpy(), self.d_outputs.numpy()
        queries, keys, memory, shares = (
            self.queries.numpy(),
            self.keys.numpy(),
            self.memory.numpy(),
            self.shares.numpy(),
        )
        d_attended, d_keys, d_score = self.d_attended.numpy(), self.d_keys.numpy(), self.d_score.numpy()
        score, scratch, inner_d_inputs = self.score.numpy(), self.scratch.numpy(), self.inner.d_inputs.numpy()
        output_transposed, query_transposed = self.output_transposed, self.query_transposed
        mask, scale = self.mask, self.scale

        def step(t: int) -> None:
            kernels.remember_backward(d_row_array, shares, d_keys, d_attended, d_out[t], mask, scale, t, first, last)
            torch.mm(d_rows[t], output_transposed, out=d_outputs)
            kernels.attend_backward(
                queries,
                keys,
                memory,
                score,
                shares,
                d_output_array,
                inner_d_inputs,
                d_attended,
                d_query_array,
                d_keys,
                d_score,
                scratch,
                t,
                first,
                last,
            )
            torch.mm(d_queries[t], query_transposed, out=d_states)

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
