"""The network of a bundle, forward only, in NumPy.

Shapes: B melodies, D input size, C classes, H cell size, A memory rows.

What a layer does to its input before the gates (the attention's and the
residual connections' projections) is linear, so it is multiplied into the
layer's kernel when the network is made. What is left is one matrix product a
layer and step.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ostinato.bundle import Bundle
from ostinato.config import Hparams

_FORGET_BIAS = 1.0
# The attention takes a few melodies at a time, so that what it works on stays in the processor's cache.
_ATTENTION_BLOCK_BYTES = 1 << 19
# Multiplications up to which OpenBLAS makes a product without copying, and melodies up to which that is faster.
_SMALL_PRODUCT = 1_000_000
_FEW_MELODIES = 8

Floats = NDArray[np.floating[Any]]  # float32, or float64 where a network is made so


@dataclass(frozen=True, slots=True)
class State:
    """What the network knows of B melodies.

    Attributes:
        cells: c of each layer, from the input up: [B, H_i].
        outputs: h of each layer: [B, H_i].
        attended: a of the last step: [B, H], 0 wide without attention.
        memory: the attention's rows M, a ring: [B, A, H].
        keys: M W_m, row for row.
        oldest: the row that was appended first and is replaced next.
    """

    cells: list[Floats]
    outputs: list[Floats]
    attended: Floats
    memory: Floats
    keys: Floats
    oldest: int

    def select(self, rows: NDArray[np.integer]) -> "State":
        """A copy with the melodies at `rows`, in that order; rows may repeat."""
        return State(
            [cell[rows] for cell in self.cells],
            [output[rows] for output in self.outputs],
            self.attended[rows],
            self.memory[rows],
            self.keys[rows],
            self.oldest,
        )


class Network:
    """The forward pass of a bundle, for many melodies at once.

    Args:
        bundle: settings and arrays.
        dtype: what to compute in, float32 or float64.
    """

    def __init__(self, bundle: Bundle, dtype: DTypeLike = np.float32) -> None:
        self._dtype = np.dtype(dtype)
        self._input_size = bundle.config.encoding.input_size
        hparams = bundle.config.hparams
        exact = {name: array.astype(np.float64) for name, array in bundle.arrays.items()}
        widths = (self._input_size, *hparams.rnn_layer_sizes)
        self._layers = [
            _Layer.fold(exact, number, width, hparams, self._dtype) for number, width in enumerate(widths[:-1])
        ]
        self._attention = _Attention.of(exact, hparams, self._dtype) if hparams.attn_length else None
        # The logits are large sums of small numbers: most of what single precision costs is lost here, and a product of
        # this size costs little in double precision.
        self._output_kernel, self._output_bias = exact["output.kernel"], exact["output.bias"]

    def initial_state(self, batch_size: int) -> State:
        """The state of `batch_size` melodies before their first step: zeros."""
        length, size = (self._attention.length, self._attention.size) if self._attention else (0, 0)
        return State(
            [np.zeros((batch_size, layer.size), self._dtype) for layer in self._layers],
            [np.zeros((batch_size, layer.size), self._dtype) for layer in self._layers],
            np.zeros((batch_size, size), self._dtype),
            np.zeros((batch_size, length, size), self._dtype),
            np.zeros((batch_size, length, size), self._dtype),
            oldest=0,
        )

    @property
    def attn_length(self) -> int:
        """A, rows of the attention's memory; 0 without attention."""
        return self._attention.length if self._attention else 0

    @property
    def bytes_per_melody(self) -> int:
        """About how much memory a melody takes while the network works on it."""
        cells = sum(layer.size for layer in self._layers)
        # c and h before and after a step, the sums of the gates, and what the encoding remembers to make the inputs.
        floats = 8 * cells + 4 * self._input_size
        if self._attention:  # its rows and their keys, and once more while melodies are chosen
            floats += 4 * self._attention.length * self._attention.size
        # The logits, in double precision, and what the draw makes of them.
        return self._dtype.itemsize * floats + 16 * 8 * len(self._output_bias)

    def step(self, inputs: Floats, state: State, weights: Floats | None = None) -> tuple[NDArray[np.float64], State]:
        """Feed one step to B melodies.

        Args:
            inputs: [B, D].
            state: of these melodies. It is spent: its memory lives on, changed, in the new state.
            weights: [B, A], filled with what the attention gives to each row of its memory, the oldest first.

        Returns:
            The logits [B, C], in double precision, and the new state.
        """
        top, state = self._advance(self._input_products(inputs), state, weights)
        return self._logits(top), state

    def run(self, inputs: Floats) -> tuple[NDArray[np.float64], State]:
        """Feed one melody whose inputs are all known, from the initial state.

        Args:
            inputs: [n, D].

        Returns:
            The logits [n, C], row p after input p was fed, and the state at the end (B = 1).
        """
        state = self.initial_state(1)
        products = self._input_products(inputs)
        tops = np.empty((len(inputs), self._layers[-1].size), self._dtype)
        for step in range(len(inputs)):
            tops[step], state = self._advance(products[step : step + 1], state)
        return self._logits(tops), state

    def _input_products(self, inputs: Floats) -> Floats:
        """What inputs [n, D] add to the first layer's sums, whatever the state: for a batch, or a melody's steps."""
        first = self._layers[0]
        kernel, inputs = first.kernel[: self._input_size], inputs.astype(self._dtype, copy=False)
        # Most inputs are one-hot: where no melody has a value, the kernel's row need not be read.
        used = np.flatnonzero(inputs.any(axis=0))
        if 2 * len(used) < self._input_size:
            kernel, inputs = kernel[used], inputs[:, used]
        products = _product(inputs, kernel)
        products += first.bias
        return products

    def _logits(self, top: Floats) -> NDArray[np.float64]:
        logits: NDArray[np.float64] = top.astype(np.float64, copy=False) @ self._output_kernel
        logits += self._output_bias
        return logits

    def _advance(self, products: Floats, state: State, weights: Floats | None = None) -> tuple[Floats, State]:
        """One step, from the first layer's input products to the top [B, H] under the logits."""
        cells, outputs = [], []
        attention = self._attention
        attended, oldest = state.attended, state.oldest
        below = attended
        for number, layer in enumerate(self._layers):
            fed = np.concatenate([below, state.outputs[number]], axis=1)
            sums = _product(fed, layer.kernel[self._input_size :] if number == 0 else layer.kernel)
            sums += products if number == 0 else layer.bias
            cell, below = layer.gate(sums, state.cells[number])
            cells.append(cell)
            outputs.append(below)
            if attention and not attention.around_stack and number == 0:
                below, attended = attention.advance(below, cells, outputs, state, weights)
            if layer.residual:
                below = below + sums[:, 4 * layer.size :]
        if attention:
            if attention.around_stack:
                below, attended = attention.advance(below, cells, outputs, state, weights)
            oldest = (oldest + 1) % attention.length
        return below, State(cells, outputs, attended, state.memory, state.keys, oldest)


def _product(rows: Floats, kernel: Floats) -> Floats:
    """Rows [B, X] @ kernel [X, Y], in half the time where B is small.

    BLAS copies a matrix into an order of its own before it multiplies, which for
    a few rows takes as long as the product. Small products it makes straight away.
    """
    batch_size, width = rows.shape
    columns = _SMALL_PRODUCT // max(1, batch_size * width)
    if not 1 < batch_size <= _FEW_MELODIES or columns >= kernel.shape[1]:
        product: Floats = rows @ kernel
        return product
    product = np.empty((batch_size, kernel.shape[1]), kernel.dtype)
    for first in range(0, kernel.shape[1], columns):
        part = slice(first, first + columns)
        np.matmul(rows, kernel[:, part], out=product[:, part])
    return product


@dataclass(frozen=True, slots=True)
class _Layer:
    """An LSTM layer whose sums before the gates are [what it is fed from below, h] @ kernel + bias.

    The columns are the gates i, f, o, j, each H wide. A layer with a residual
    connection has H more, which carry its input past the gates.
    """

    kernel: Floats
    bias: Floats
    size: int
    residual: bool

    @staticmethod
    def fold(
        arrays: Mapping[str, NDArray[np.float64]], number: int, input_width: int, hparams: Hparams, dtype: DTypeLike
    ) -> "_Layer":
        """A layer, with all that happens to its input multiplied into its kernel; the first one is fed [x, a]."""
        name, size = f"lstm.{number}", hparams.rnn_layer_sizes[number]
        scope = hparams.attn_scope if hparams.attn_length and number == 0 else None
        attended_width = arrays["attention.score"].size if scope else 0

        def dense(values: NDArray[np.float64], name: str) -> NDArray[np.float64]:
            product = values @ arrays[f"{name}.kernel"]
            product[-1] += arrays[f"{name}.bias"]
            return product

        # A column is a value, its rows say how it is made of [x, a, 1]: the last row is the bias.
        values = np.eye(input_width + attended_width + 1)
        x, a = values[:, :input_width], values[:, input_width:-1]
        if scope == "stack":
            x = dense(np.hstack([x, a]), "attention.input")
        if is_projected := f"{name}.projection.kernel" in arrays:
            x = dense(x, f"{name}.projection")
        skip = x
        if scope == "first_layer":
            x = dense(np.hstack([x, a]), "attention.input")
        gate_kernel = arrays[f"{name}.kernel"]
        if scope or is_projected:
            gates = x @ gate_kernel[:-size]
        else:  # the same, but in no time
            gates = np.vstack([gate_kernel[:-size], np.zeros(4 * size)])
        gates[-1] += arrays[f"{name}.bias"]
        gates[-1, 2 * size : 3 * size] += _FORGET_BIAS
        i, j, f, o = np.hsplit(np.vstack([gates[:-1], gate_kernel[-size:], gates[-1:]]), 4)
        columns = [i / 2, f / 2, o / 2, j]
        if hparams.residual_connections:
            columns.append(np.vstack([skip[:-1], np.zeros((size, size)), skip[-1:]]))
        kernel = np.hstack(columns).astype(dtype)
        return _Layer(kernel[:-1], kernel[-1], size, hparams.residual_connections)

    def gate(self, sums: Floats, cell: Floats) -> tuple[Floats, Floats]:
        """The layer's new c and h [B, H]. The sums are spent: new memory for all gates costs as much as the gates."""
        size = self.size
        # sigmoid(x) = tanh(x / 2) / 2 + 1/2, and the inner halving stands in the kernel: one tanh serves all gates.
        gates = sums[:, : 4 * size]
        np.tanh(gates, out=gates)
        sigmoids = gates[:, : 3 * size]
        sigmoids *= 0.5
        sigmoids += 0.5
        cell = sigmoids[:, size : 2 * size] * cell
        cell += sigmoids[:, :size] * gates[:, 3 * size :]
        output = np.tanh(cell)
        output *= sigmoids[:, 2 * size :]
        return cell, output


@dataclass(frozen=True, slots=True)
class _Attention:
    """What the attention does above the LSTM layers it wraps; what it does below them stands in their kernel."""

    query_kernel: Floats
    query_bias: Floats
    memory_kernel: Floats
    score: Floats
    output_kernel: Floats
    output_bias: Floats
    length: int
    around_stack: bool

    @staticmethod
    def of(arrays: Mapping[str, NDArray[np.float64]], hparams: Hparams, dtype: DTypeLike) -> "_Attention":
        """The attention of a model that has one."""
        return _Attention(
            query_kernel=arrays["attention.query.kernel"].astype(dtype),
            query_bias=arrays["attention.query.bias"].astype(dtype),
            memory_kernel=arrays["attention.memory.kernel"].astype(dtype),
            score=arrays["attention.score"].astype(dtype),
            output_kernel=arrays["attention.output.kernel"].astype(dtype),
            output_bias=arrays["attention.output.bias"].astype(dtype),
            length=hparams.attn_length,
            around_stack=hparams.attn_scope == "stack",
        )

    @property
    def size(self) -> int:
        """H, the width of a memory row."""
        return len(self.score)

    def advance(
        self,
        below: Floats,
        cells: list[Floats],
        outputs: list[Floats],
        state: State,
        told_weights: Floats | None = None,
    ) -> tuple[Floats, Floats]:
        """One step from the output `below` of the layers inside, whose new c and h are given.

        The weights [B, A] of the memory's rows, the oldest first, are written to
        `told_weights` where there is one.

        Returns:
            y [B, H], which also takes the place of the oldest row of the state's memory, and a [B, H].
        """
        inside = [part for layer in zip(cells, outputs, strict=True) for part in layer]
        query = np.concatenate(inside, axis=1) @ self.query_kernel
        query += self.query_bias
        attended = np.empty_like(query)
        block = max(1, _ATTENTION_BLOCK_BYTES // (self.length * self.size * query.itemsize))
        for first in range(0, len(query), block):
            rows = slice(first, first + block)
            features = state.keys[rows] + query[rows, np.newaxis]
            np.tanh(features, out=features)
            weights = features @ self.score
            weights -= weights.max(axis=1, keepdims=True)
            np.exp(weights, out=weights)
            weights /= weights.sum(axis=1, keepdims=True)
            if told_weights is not None:
                told_weights[rows] = np.roll(weights, -state.oldest, axis=1)
            attended[rows] = (weights[:, np.newaxis] @ state.memory[rows])[:, 0]
        output = np.concatenate([below, attended], axis=1) @ self.output_kernel
        output += self.output_bias
        state.memory[:, state.oldest] = output
        state.keys[:, state.oldest] = output @ self.memory_kernel
        return output, attended
