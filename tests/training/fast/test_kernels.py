import numpy as np

from ostinato.training.fast import kernels


def test_tanh_is_near_enough_and_never_beyond_one() -> None:
    # A forward step of one LSTM cell whose input and output gates are wide open gives tanh(tanh(j)).
    j = np.linspace(-12, 12, 4001, dtype=np.float32)
    gates = np.full((1, 1, 4 * len(j)), 100, np.float32)
    gates[0, 0, len(j) : 2 * len(j)] = j
    states = np.zeros((2, 1, 2 * len(j)), np.float32)
    out, inputs = np.zeros((1, len(j)), np.float32), np.zeros((2, 1, len(j)), np.float32)
    no_mask = np.empty((0, 0, 0), np.bool_)
    kernels.lstm_forward(gates, states, 0, inputs, out, no_mask, np.float32(1), 0, 0, 1)
    cell = states[1, 0, : len(j)]
    # Half a rounding of 2**-24 for the quotient's own error, and eight for computing it and the gate that it passes.
    np.testing.assert_allclose(cell, np.tanh(j.astype(np.float64)), rtol=8.5 * 2**-24, atol=0)
    assert np.abs(cell).max() <= 1
    np.testing.assert_allclose(out[0], np.tanh(np.tanh(j.astype(np.float64))), rtol=17 * 2**-24, atol=0)
    np.testing.assert_array_equal(inputs[1, 0], out[0])
