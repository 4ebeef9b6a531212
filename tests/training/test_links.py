import math

import numpy as np
import torch

from ostinato.training import dropout, fused
from ostinato.training.links import NO_STATES, Layer


def test_one_cell_forward_and_back_by_hand() -> None:
    buffers = fused._Buffers()
    states = torch.zeros(2, 1, 2)
    bias = torch.tensor([0, math.atanh(0.5), 0, 0])
    layer = Layer(buffers.take, 1, torch.zeros(2, 4), bias, states, 0, None)
    out, d_out = np.zeros((1, 1), np.float32), np.ones((1, 1), np.float32)
    layer.forward([out], 0, 1)(0)
    # Every gate is half open: c = 1/2 * 1/2, h = tanh(c) / 2.
    np.testing.assert_allclose(states[1, 0], [0.25, 0.12245933], rtol=1e-6)
    np.testing.assert_allclose(out, [[0.12245933]], rtol=1e-6)
    layer.start_backward()
    layer.backward([d_out], NO_STATES, 0, 1)(0)
    _, by_bias = layer.gradients(0, 1)
    # dc = (1 - tanh(c)^2) / 2 = 0.4700074; di = dc j / 4, dj = dc (1 - j^2) / 2, df = dc c_0 / 4, do = tanh(c) / 4.
    np.testing.assert_allclose(by_bias, [0.05875093, 0.17625278, 0, 0.06122966], rtol=1e-5)


def test_dropout_stands_between_a_layer_and_what_is_above() -> None:
    buffers = fused._Buffers()
    states = torch.zeros(2, 1, 4)
    drop = dropout.Dropout(torch.tensor([[[True, False]]]), 4.0)
    layer = Layer(buffers.take, 1, torch.zeros(2, 8), torch.zeros(8), states, 0, drop)
    layer.bias[2:4] = math.atanh(0.5)
    out = np.ones((1, 2), np.float32)
    layer.forward([out], 0, 1)(0)
    np.testing.assert_allclose(states[1, 0], [0.25, 0.25, 0.12245933, 0.12245933], rtol=1e-6)
    np.testing.assert_allclose(out, [[4 * 0.12245933, 0]], rtol=1e-6)
    layer.start_backward()
    layer.backward([np.ones((1, 2), np.float32)], NO_STATES, 0, 1)(0)
    np.testing.assert_allclose(
        layer.gradients(0, 1)[1], [4 * 0.05875093, 0, 4 * 0.17625278, 0, 0, 0, 4 * 0.06122966, 0], rtol=1e-5
    )
