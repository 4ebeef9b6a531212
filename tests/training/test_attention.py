import logging

import numpy as np
import pytest
import torch

from ostinato.bundle import array_shapes
from ostinato.config import Config, Hparams
from ostinato.encodings import OneHotEncoding
from ostinato.training import attention, network
from ostinato.training.network import MelodyNetwork

# The smallest there is: 14 inputs and 14 classes.
TINY = OneHotEncoding(min_pitch=60, max_pitch=72, transpose_to_key=None)


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
    compiled = attention._CompiledAttend()
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
