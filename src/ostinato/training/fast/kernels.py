"""What one thread does with its melodies in one step, compiled by Numba.

Each function takes the arrays of all T steps and all B melodies, a step `t`,
and the melodies `first` to `last` (not included) that are this thread's. None
allocates, none needs Python's lock, and none reads what another thread writes.

The loops are short and many on purpose: one idea and few arrays each, all of
them rows in the first-level cache, so that the compiler proves them free of
overlap and makes vector instructions of them.

Shapes: B melodies, T steps, A rows of the attention's memory, H cell size. Row
t + 1 of `states` and of a layer's `inputs` stands for the state after step t,
row 0 for the state before the first step. The memory of all steps is one array
[B, A + T, H], of which step t sees the rows t to t + A: the window slides, and
nothing is moved.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import llvmlite.binding as llvm  # type: ignore[import-untyped]
import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
_Function = TypeVar("_Function", bound=Callable[..., Any])

# Loops over rows of several arrays become vector code only behind a check that
# the rows do not overlap, and LLVM gives up on loops that need more than 8.
llvm.set_option("ostinato", "--runtime-memory-check-threshold=64")

# Sums may be reordered and divisions made products, but not-a-number stays
# what it is: training must see it and stop.
_FAST_MATH = {"contract", "arcp", "reassoc", "nsz", "afn"}


def _kernel(function: _Function) -> _Function:
    """Compile at the first call, and keep the machine code on disk for the next process."""
    compiler = functools.partial(njit, nogil=True, fastmath=_FAST_MATH, error_model="numpy")
    try:
        return cast(_Function, compiler(cache=True)(function))
    except RuntimeError:  # neither this folder nor the user's cache folder can be written to
        return cast(_Function, compiler()(function))


def _inline(function: _Function) -> _Function:
    return cast(_Function, njit(inline="always", fastmath=_FAST_MATH, error_model="numpy")(function))


ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)
# x P(x^2) / Q(x^2) nearest to tanh in relative error on [-8.2, 8.2], by weighted least squares: within 3e-8 there, half
# a rounding to float32, and beyond it tanh is within 2e-7 of its end. With a P one degree lower the error is ten times
# as large and always to one side, which over hundreds of steps adds up to twice the error of a probability.
_END = np.float32(8.2)
_P0, _P1, _P2 = np.float32(1), np.float32(0.12967654), np.float32(0.0029732109)
_P3, _P4, _P5 = np.float32(9.756965e-06), np.float32(-1.4304652e-08), np.float32(2.2354829e-11)
_Q1, _Q2, _Q3 = np.float32(0.46300965), np.float32(0.023976755), np.float32(0.0002354169)


@_inline
def tanh(x: np.float32) -> np.float32:
    """The hyperbolic tangent, as a quotient that vector instructions can take many at a time."""
    x = _END if x > _END else x
    x = -_END if x < -_END else x
    z = x * x
    p = _P0 + z * (_P1 + z * (_P2 + z * (_P3 + z * (_P4 + z * _P5))))
    return x * p / (ONE + z * (_Q1 + z * (_Q2 + z * _Q3)))


@_kernel
def lstm_forward(
    gates: Floats,
    states: Floats,
    column: int,
    inputs: Floats,
    out: Floats,
    mask: Mask,
    scale: np.float32,
    t: int,
    first: int,
    last: int,
) -> None:
    """One step of an LSTM layer after its matrix product.

    Args:
        gates: [T, B, 4H], in: i, j, f, o before their activations, the forget gate's 1 added; out: after.
        states: [T + 1, B, .], c of this layer at `column`, then h; row t in, row t + 1 out.
        column: where this layer's c begins.
        inputs: [T + 1, B, X + H], of this layer; out: h in the last H columns of row t + 1.
        out: [B, .], out: the layer's output, after dropout, in the first H columns.
        mask: [T, B, H], the outputs that dropout keeps, or of size 0 for all.
        scale: what kept outputs are multiplied by.
        t: the step.
        first: first melody.
        last: last melody, not included.
    """
    size = gates.shape[2] // 4
    width = inputs.shape[2] - size
    for b in range(first, last):
        gate = gates[t, b]
        i = gate[:size]
        j = gate[size : 2 * size]
        f = gate[2 * size : 3 * size]
        o = gate[3 * size :]
        # sigmoid(x) = 1/2 + tanh(x/2) / 2: one vector function for all four gates, and no exponential.
        for k in range(size):
            i[k] = HALF + HALF * tanh(HALF * i[k])
        for k in range(size):
            j[k] = tanh(j[k])
        for k in range(size):
            f[k] = HALF + HALF * tanh(HALF * f[k])
        for k in range(size):
            o[k] = HALF + HALF * tanh(HALF * o[k])
        c_before = states[t, b, column : column + size]
        c = states[t + 1, b, column : column + size]
        h = states[t + 1, b, column + size : column + 2 * size]
        for k in range(size):
            c[k] = i[k] * j[k] + f[k] * c_before[k]
        for k in range(size):
            h[k] = o[k] * tanh(c[k])
        above = inputs[t + 1, b, width:]
        for k in range(size):
            above[k] = h[k]
        if mask.size:
            kept = mask[t, b]
            y = out[b, :size]
            for k in range(size):
                y[k] = scale * h[k] if kept[k] else ZERO
        else:
            y = out[b, :size]
            for k in range(size):
                y[k] = h[k]


@_kernel
def lstm_backward(
    gates: Floats,
    states: Floats,
    column: int,
    d_inputs: Floats,
    d_out: Floats,
    d_states: Floats,
    d_cell: Floats,
    scratch: Floats,
    mask: Mask,
    scale: np.float32,
    t: int,
    first: int,
    last: int,
) -> None:
    """The gradient of `lstm_forward`, back to the arguments of the gates.

    Args:
        gates: [T, B, 4H], in: as `lstm_forward` left them; out: the gradient by their arguments.
        states: [T + 1, B, .], as `lstm_forward` left them.
        column: where this layer's c begins, in `states` and in `d_states`.
        d_inputs: [B, X + H], the gradient by this layer's inputs of step t + 1.
        d_out: [B, .], the gradient by the layer's output in its first H columns.
        d_states: [B, .], the gradient that the attention's query sends to c and h, or of size 0.
        d_cell: [B, H], in: the gradient by c of step t, from step t + 1; out: the same one step before.
        scratch: [B, H], overwritten.
        mask: as in `lstm_forward`.
        scale: as in `lstm_forward`.
        t: the step.
        first: first melody.
        last: last melody, not included.
    """
    size = gates.shape[2] // 4
    width = d_inputs.shape[1] - size
    for b in range(first, last):
        gate = gates[t, b]
        dh = scratch[b]
        dc = d_cell[b]
        dy = d_out[b, :size]
        d_next = d_inputs[b, width:]
        if mask.size:
            kept = mask[t, b]
            for k in range(size):
                dh[k] = d_next[k] + (scale * dy[k] if kept[k] else ZERO)
        else:
            for k in range(size):
                dh[k] = d_next[k] + dy[k]
        if d_states.size:
            by_c = d_states[b, column : column + size]
            by_h = d_states[b, column + size : column + 2 * size]
            for k in range(size):
                dc[k] += by_c[k]
            for k in range(size):
                dh[k] += by_h[k]
        c_before = states[t, b, column : column + size]
        c = states[t + 1, b, column : column + size]
        i = gate[:size]
        j = gate[size : 2 * size]
        f = gate[2 * size : 3 * size]
        o = gate[3 * size :]
        for k in range(size):
            bent = tanh(c[k])
            dc[k] += dh[k] * o[k] * (ONE - bent * bent)
            o[k] = dh[k] * bent * o[k] * (ONE - o[k])
        for k in range(size):
            by_i = dc[k] * j[k] * i[k] * (ONE - i[k])
            j[k] = dc[k] * i[k] * (ONE - j[k] * j[k])
            i[k] = by_i
        for k in range(size):
            by_f = dc[k] * c_before[k] * f[k] * (ONE - f[k])
            dc[k] *= f[k]
            f[k] = by_f


@_kernel
def attend_forward(
    queries: Floats,
    keys: Floats,
    memory: Floats,
    score: Floats,
    weights: Floats,
    outputs: Floats,
    inputs: Floats,
    t: int,
    first: int,
    last: int,
) -> None:
    """Look back over the window: a_t, the mean of the remembered rows by the softmax of their scores.

    Args:
        queries: [T, B, H], q.
        keys: [B, A + T, H], W_m times the rows of the memory.
        memory: [B, A + T, H], the rows.
        score: [H], v.
        weights: [T, B, A], out: the softmax.
        outputs: [T, B, 2H], out: a_t in the last H columns.
        inputs: [T + 1, B, .], out: a_t in the first H columns of row t + 1.
        t: the step.
        first: first melody.
        last: last melody, not included.
    """
    size = queries.shape[2]
    length = weights.shape[2]
    for b in range(first, last):
        query = queries[t, b]
        weight = weights[t, b]
        # Row by row, for a row is one piece of memory. Two passes, for no share is known before all scores are; the
        # first reads the keys alone, the second the memory alone.
        for row in range(length):
            key = keys[b, t + row]
            total = ZERO
            for k in range(size):
                total += score[k] * tanh(key[k] + query[k])
            weight[row] = total
        _softmax(weight)
        a = outputs[t, b, size:]
        for k in range(size):
            a[k] = ZERO
        for row in range(length):
            remembered = memory[b, t + row]
            share = weight[row]
            for k in range(size):
                a[k] += share * remembered[k]
        fed = inputs[t + 1, b, :size]
        for k in range(size):
            fed[k] = a[k]


@_inline
def _softmax(values: Floats) -> None:
    highest = values[0]
    for value in values:
        highest = value if value > highest else highest
    total = ZERO
    for index in range(values.shape[0]):
        values[index] = math.exp(values[index] - highest)
        total += values[index]
    for index in range(values.shape[0]):
        values[index] /= total


@_kernel
def attend_backward(
    queries: Floats,
    keys: Floats,
    memory: Floats,
    score: Floats,
    weights: Floats,
    d_outputs: Floats,
    d_inputs: Floats,
    d_attention: Floats,
    d_queries: Floats,
    d_keys: Floats,
    d_score: Floats,
    scratch: Floats,
    t: int,
    first: int,
    last: int,
) -> None:
    """The gradient of `attend_forward`, with the hyperbolic tangents computed again.

    Kept from the way forward they would be [T, B, A, H]: for 128 melodies of 256
    steps, 40 rows of 128, that is 671 MB to write and read again.

    What goes to the memory's rows is left to `remember_backward`.

    Args:
        queries: as `attend_forward` left them, and so the next four.
        keys: [B, A + T, H].
        memory: [B, A + T, H].
        score: [H].
        weights: [T, B, A].
        d_outputs: [B, 2H], the gradient by a_t from the output y_t, in its last H columns.
        d_inputs: [B, .], the gradient by a_t from step t + 1, in its first H columns.
        d_attention: [T, B, H], out: the whole gradient by a_t.
        d_queries: [T, B, H], out: the gradient by q_t.
        d_keys: [B, A + T, H], the gradient by the keys; this step's share is added.
        d_score: [B, H], the gradient by v; this step's share is added.
        scratch: [B, A], overwritten.
        t: the step.
        first: first melody.
        last: last melody, not included.
    """
    size = queries.shape[2]
    length = weights.shape[2]
    for b in range(first, last):
        da = d_attention[t, b]
        from_output = d_outputs[b, size:]
        from_next = d_inputs[b, :size]
        for k in range(size):
            da[k] = from_output[k] + from_next[k]
        query = queries[t, b]
        weight = weights[t, b]
        dq = d_queries[t, b]
        dv = d_score[b]
        by_weight = scratch[b]
        # The softmax's gradient of a row needs the mean over all rows: so a pass for that, then one for the rows.
        mean = ZERO
        for row in range(length):
            remembered = memory[b, t + row]
            total = ZERO
            for k in range(size):
                total += da[k] * remembered[k]
            by_weight[row] = total
            mean += weight[row] * total
        for k in range(size):
            dq[k] = ZERO
        for row in range(length):
            d_row = weight[row] * (by_weight[row] - mean)
            key = keys[b, t + row]
            d_key = d_keys[b, t + row]
            for k in range(size):
                bent = tanh(key[k] + query[k])
                dv[k] += d_row * bent
                d_sum = d_row * score[k] * (ONE - bent * bent)
                dq[k] += d_sum
                d_key[k] += d_sum


@_kernel
def remember_forward(
    rows: Floats,
    weights: Floats,
    keys: Floats,
    memory: Floats,
    out: Floats,
    mask: Mask,
    scale: np.float32,
    t: int,
    first: int,
    last: int,
) -> None:
    """Append y_t and its key to the memory, and hand y_t on.

    Args:
        rows: [B, 2H], y_t, then its key.
        weights: [T, B, A], for its shape.
        keys: [B, A + T, H], out: row A + t.
        memory: [B, A + T, H], out: row A + t.
        out: [B, .], out: y_t, after dropout, in the first H columns.
        mask: [T, B, H], the outputs that dropout keeps, or of size 0 for all.
        scale: what kept outputs are multiplied by.
        t: the step.
        first: first melody.
        last: last melody, not included.
    """
    size = keys.shape[2]
    row = weights.shape[2] + t
    for b in range(first, last):
        y = rows[b, :size]
        key = rows[b, size:]
        new_row = memory[b, row]
        new_key = keys[b, row]
        for k in range(size):
            new_row[k] = y[k]
        for k in range(size):
            new_key[k] = key[k]
        if mask.size:
            kept = mask[t, b]
            masked = out[b, :size]
            for k in range(size):
                masked[k] = scale * y[k] if kept[k] else ZERO
        else:
            masked = out[b, :size]
            for k in range(size):
                masked[k] = y[k]


@_kernel
def remember_backward(
    d_rows: Floats,
    weights: Floats,
    d_keys: Floats,
    d_attention: Floats,
    d_out: Floats,
    mask: Mask,
    scale: np.float32,
    t: int,
    first: int,
    last: int,
) -> None:
    """The gradient of `remember_forward`: by y_t as an output and as a row that A later steps looked at.

    Args:
        d_rows: [T, B, 2H], out: the gradient by y_t, its key left aside, then by its key.
        weights: [T, B, A], as `attend_forward` left them.
        d_keys: [B, A + T, H], the gradient by the keys, whole from row A + t on.
        d_attention: [T, B, H], the gradient by a of the steps after t.
        d_out: [B, .], the gradient by what was handed on, in the first H columns.
        mask: as in `remember_forward`.
        scale: as in `remember_forward`.
        t: the step.
        first: first melody.
        last: last melody, not included.
    """
    size = d_keys.shape[2]
    steps, _, length = weights.shape
    for b in range(first, last):
        dy = d_rows[t, b, :size]
        handed_on = d_out[b, :size]
        if mask.size:
            kept = mask[t, b]
            for k in range(size):
                dy[k] = scale * handed_on[k] if kept[k] else ZERO
        else:
            for k in range(size):
                dy[k] = handed_on[k]
        # Gathered from the steps that saw this row, which writes it once. Were each step to add to the rows that it
        # saw, it would write A of them.
        for later in range(t + 1, min(t + length, steps - 1) + 1):
            share = weights[later, b, length + t - later]
            da = d_attention[later, b]
            for k in range(size):
                dy[k] += share * da[k]
        by_key = d_rows[t, b, size:]
        d_key = d_keys[b, length + t]
        for k in range(size):
            by_key[k] = d_key[k]
