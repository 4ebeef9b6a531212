import logging

import numpy as np
import pytest
import torch

from ostinato.bundle import array_shapes
from ostinato.config import Config, Hparams
from ostinato.encodings import OneHotEncoding
from ostinato.training import layers, network
from ostinato.training.layers import draw_dropout
from ostinato.training.network import MelodyNetwork

# The smallest there is: 14 inputs and 14 classes.
TINY = OneHotEncoding(min_pitch=60, max_pitch=72, transpose_to_key=None)


def test_one_cell_worked_by_hand() -> None:
    model = MelodyNetwork(Config("hand", TINY, Hparams(rnn_layer_sizes=(1,))), plain=True).eval()
    zeros = {name: np.zeros(shape, np.float32) for name, shape in array_shapes(model.config).items()}
    # tanh(j) = 1/2 and the other gates' arguments 0, but for the 1 of the forget gate.
    zeros["lstm.0.bias"][:] = 0, np.arctanh(0.5), 0, 0
    zeros["output.kernel"][0, :2] = 1, 2
    zeros["output.bias"][2] = 3
    model.load_arrays(zeros)
    logits, state = model.unroll(torch.zeros(1, 2, 14))
    # c_1 = 1/2 * 1/2; c_2 = c_1 sigmoid(1) + 1/4 = 0.25 * 0.7310586 + 0.25; h = tanh(c) / 2
    np.testing.assert_allclose(state.cells[0].detach(), [[0.43276465]], rtol=1e-6)
    h_1, h_2 = 0.5 * np.tanh(0.25), 0.5 * np.tanh(0.43276465)
    np.testing.assert_allclose(logits[0, :, :4].detach(), [[h_1, 2 * h_1, 3, 0], [h_2, 2 * h_2, 3, 0]], rtol=1e-6)


def test_residual_connections_carry_the_projected_input() -> None:
    hparams = Hparams(rnn_layer_sizes=(2, 2, 3), residual_connections=True)
    model = MelodyNetwork(Config("hand", TINY, hparams)).eval()
    arrays = {name: np.zeros(shape, np.float32) for name, shape in array_shapes(model.config).items()}
    # Shut cells give h = 0, and what is left is the sum over the inputs, then three times that sum plus 1.
    arrays["lstm.0.projection.kernel"][:, 0] = 1
    arrays["lstm.2.projection.kernel"][0] = 0, 0, 3
    arrays["lstm.2.projection.bias"][:] = 0, 0, 1
    arrays["output.kernel"][2, 0] = 1
    model.load_arrays(arrays)
    with torch.no_grad():
        assert model(torch.arange(14.0).view(1, 1, 14))[0, 0].tolist() == [3 * 91 + 1] + 13 * [0]


@pytest.mark.parametrize("residual", [False, True])
def test_pytorchs_lstm_computes_the_same(residual: bool) -> None:
    hparams = Hparams(rnn_layer_sizes=(3, 5, 5), residual_connections=residual, dropout_keep_prob=0.6)
    model = MelodyNetwork(Config("tiny", TINY, hparams))
    inputs = torch.randn(2, 9, 14)
    found = []
    for model.plain in (True, False):
        torch.manual_seed(3)
        model.zero_grad()
        logits, state = model.unroll(inputs)
        torch.autograd.backward(logits.square().sum())
        found.append((logits.detach(), state.cells, [parameter.grad for parameter in model.parameters()]))
    torch.testing.assert_close(found[1], found[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("keep_prob", [0.1, 0.5, 0.9, 0.9999999])
def test_dropout_keeps_its_share_and_the_expected_value(keep_prob: float) -> None:
    drop = draw_dropout((100, 100, 101), keep_prob, torch.device("cpu"))
    assert drop.kept.shape == (100, 100, 101)
    share = drop.kept.double().mean().item()
    assert share == pytest.approx(keep_prob, abs=0.002)
    assert drop(torch.ones(100, 100, 101)).double().mean().item() == pytest.approx(1, abs=0.02)
    assert drop.scale == pytest.approx(1 / keep_prob, rel=1e-3)


@pytest.mark.parametrize("plain", [True, False])
def test_attention_worked_by_hand(plain: bool) -> None:
    """All gates shut, so that y is what the attention makes of its own output's bias."""
    hparams = Hparams(rnn_layer_sizes=(1,), attn_length=2)
    model = MelodyNetwork(Config("hand", TINY, hparams), plain=plain).eval()
    arrays = {name: np.zeros(shape, np.float32) for name, shape in array_shapes(model.config).items()}
    arrays["attention.output.kernel"][:] = [[0], [1]]
    arrays["attention.output.bias"][:] = 1
    arrays["attention.memory.kernel"][:] = np.arctanh(0.5)
    arrays["attention.score"][:] = 2 * np.log(3)
    arrays["output.kernel"][0, 0] = 1
    model.load_arrays(arrays)
    with torch.no_grad():
        y = model(torch.zeros(1, 3, 14))[0, :, 0]
    # Memory 0, 0: a = 0, y = 1. Memory 0, 1: scores 0 and 2 log 3 * 1/2, weights 1/4 and 3/4, a = 3/4, y = 1.75.
    # Memory 1, 1.75: the second score is 2 log 3 tanh(1.75 arctanh 1/2), and 1.75 arctanh 1/2 = 0.9612855.
    second, first = 2 * np.log(3) * np.tanh(0.9612855), np.log(3)
    share = np.exp(second) / (np.exp(second) + np.exp(first))
    np.testing.assert_allclose(y, [1, 1.75, 1 + (1 - share) + 1.75 * share], rtol=1e-6)


def test_a_cell_that_cannot_be_compiled_runs_as_written(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_compiler(function: object) -> object:
        def fail(*args: object) -> None:
            raise RuntimeError("no compiler\nand more lines")

        return fail

    monkeypatch.setattr(torch, "compile", no_compiler)
    compiled = layers._compiled(layers.attend)
    model = MelodyNetwork(Config("tiny", TINY, Hparams(rnn_layer_sizes=(3,), attn_length=2)), plain=True).eval()
    inputs = torch.randn(2, 3, 14)
    with torch.no_grad():
        plain = model(inputs)
        monkeypatch.setattr(network, "attend", compiled)
        with caplog.at_level(logging.WARNING):
            assert torch.equal(model(inputs), plain)
    assert [record.getMessage() for record in caplog.records] == [
        "the attention cell cannot be compiled here and runs as written: no compiler"
    ]
