import math

import numpy as np
import pytest
import torch
from torch import Tensor

from ostinato.config import Config, preset
from ostinato.training.fast import network as fast_network
from ostinato.training.fast.network import NO_STATE_GRADIENT, LSTMStage
from ostinato.training.hardware import threads_for
from ostinato.training.network import Dropout, MelodyNetwork

ATTENTION = preset("attention_rnn")
LOOKBACK = preset("lookback_rnn")


def pair(config: Config) -> tuple[MelodyNetwork, MelodyNetwork]:
    """The plain network in double precision and the fast one, with the same parameters, none of them zero."""
    torch.manual_seed(0)
    fast = MelodyNetwork(config)
    with torch.no_grad():
        for parameter in fast.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    plain = MelodyNetwork(config, plain=True).double()
    plain.load_state_dict(fast.state_dict())
    return plain, fast


def gradients(model: MelodyNetwork, inputs: Tensor, weights: Tensor) -> dict[str, Tensor]:
    """The logits, and the gradient of a weighted sum of them by inputs and parameters."""
    inputs = inputs.to(model.output.kernel.dtype).clone().requires_grad_()
    model.zero_grad()
    torch.manual_seed(1)
    logits = model(inputs)
    (logits * weights).sum().backward()
    found = {"logits": logits.detach(), "inputs": inputs.grad}
    found |= {name: parameter.grad for name, parameter in model.named_parameters()}
    return {name: value for name, value in found.items() if value is not None}


def assert_same(config: Config, batch: int, steps: int) -> None:
    plain, fast = pair(config)
    inputs = (torch.rand(batch, steps, config.encoding.input_size) < 0.1).float()
    weights = torch.randn(batch, steps, config.encoding.num_classes)
    expected, found = gradients(plain, inputs, weights), gradients(fast, inputs, weights)
    assert found.keys() == expected.keys() == {"logits", "inputs", *dict(plain.named_parameters())}
    for name, value in expected.items():
        off = (found[name].double() - value).norm()
        # Some gradients are zero: with one row to look at, the scores do not matter.
        assert off <= 1e-4 * value.norm() + 1e-7, f"{name} is off by {off:.1e} of {value.norm():.1e}"


@pytest.mark.parametrize(
    ("config", "sizes"),
    [
        (LOOKBACK, (16,)),
        (LOOKBACK, (16, 12)),
        (LOOKBACK, (33, 7, 20)),
        (ATTENTION, (16,)),
        (ATTENTION, (16, 12)),
        (ATTENTION.with_hparams({"attn_scope": "first_layer"}), (16, 12)),
        (ATTENTION.with_hparams({"attn_length": 5}), (33, 7, 20)),
        (ATTENTION.with_hparams({"attn_length": 5, "attn_scope": "first_layer"}), (33, 7, 20)),
        (ATTENTION.with_hparams({"attn_length": 1}), (1, 1)),
    ],
)
@pytest.mark.parametrize("keep_prob", [0.6, 1.0])
def test_outputs_and_gradients_are_those_of_the_plain_network(
    config: Config, sizes: tuple[int, ...], keep_prob: float
) -> None:
    config = config.with_hparams({"rnn_layer_sizes": sizes, "dropout_keep_prob": keep_prob})
    assert_same(config, batch=19, steps=13)


@pytest.mark.parametrize("scope", ["stack", "first_layer"])
def test_windows_that_slide_far(scope: str) -> None:
    assert_same(ATTENTION.with_hparams({"rnn_layer_sizes": (48, 32), "attn_scope": scope}), batch=17, steps=120)


@pytest.mark.parametrize(("batch", "steps"), [(1, 1), (1, 50), (16, 1), (2, 2)])
def test_the_smallest_batches(batch: int, steps: int) -> None:
    assert_same(ATTENTION.with_hparams({"rnn_layer_sizes": (8, 6)}), batch, steps)


@pytest.mark.parametrize("count", [1, 3])
def test_any_number_of_threads_gives_the_same(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.get_num_threads", lambda: count)
    assert threads_for(25) == count
    assert_same(ATTENTION.with_hparams({"rnn_layer_sizes": (8, 6)}), batch=25, steps=11)


def test_the_same_batch_gives_the_same_bits() -> None:
    _, model = pair(ATTENTION.with_hparams({"rnn_layer_sizes": (24, 16)}))
    inputs, weights = torch.randn(32, 30, 74), torch.randn(32, 30, 40)
    first, second = gradients(model, inputs, weights), gradients(model, inputs, weights)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_two_forward_passes_before_their_gradients() -> None:
    _, model = pair(ATTENTION.with_hparams({"rnn_layer_sizes": (8,), "dropout_keep_prob": 1.0}))
    inputs = [torch.randn(4, 6, 74), torch.randn(3, 9, 74)]
    alone = []
    for value in inputs:
        model.zero_grad()
        model(value).square().sum().backward()
        alone.append([parameter.grad for parameter in model.parameters()])
    model.zero_grad()
    losses = [model(value).square().sum() for value in inputs]
    with torch.no_grad():
        model(torch.randn(5, 20, 74))  # takes buffers of its own
    for loss in losses:
        loss.backward()
    both = [parameter.grad for parameter in model.parameters()]
    for first, second, total in zip(*alone, both, strict=True):
        assert first is not None
        assert second is not None
        torch.testing.assert_close(first + second, total, rtol=1e-4, atol=1e-4)


def test_buffers_are_used_again() -> None:
    _, model = pair(ATTENTION.with_hparams({"rnn_layer_sizes": (8,)}))
    model(torch.randn(4, 6, 74)).sum().backward()
    at_rest = len(fast_network._buffers_at_rest)
    for _ in range(3):
        model(torch.randn(4, 6, 74)).sum().backward()
        with torch.no_grad():
            model(torch.randn(4, 6, 74))
    assert len(fast_network._buffers_at_rest) == at_rest


def test_a_second_gradient_of_one_forward_pass_is_refused() -> None:
    _, model = pair(LOOKBACK.with_hparams({"rnn_layer_sizes": (8,)}))
    loss = model(torch.randn(2, 3, 121)).sum()
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="run it forward again"):
        loss.backward()


def test_not_a_number_is_not_hidden() -> None:
    _, model = pair(ATTENTION.with_hparams({"rnn_layer_sizes": (8, 8)}))
    model.eval()
    for name in ("lstm.0.kernel", "lstm.1.kernel", "attention.query.kernel", "attention.score"):
        kernel = model.get_parameter(name).data
        value = kernel.flatten()[0].item()
        kernel.view(-1)[0] = math.nan
        assert model(torch.ones(3, 4, 74)).isnan().any(), name
        kernel.view(-1)[0] = value
    assert not model(torch.ones(3, 4, 74)).isnan().any()


def test_what_the_kernels_do_not_do_takes_another_path(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError

    monkeypatch.setattr(fast_network, "run", refuse)
    inputs = torch.randn(2, 3, 121)
    small = LOOKBACK.with_hparams({"rnn_layer_sizes": (4,)})
    with pytest.raises(AssertionError):
        MelodyNetwork(small)(inputs)
    MelodyNetwork(small).double()(inputs.double())
    MelodyNetwork(small, plain=True)(inputs)
    MelodyNetwork(small.with_hparams({"residual_connections": True}))(inputs)
    model = MelodyNetwork(small)
    model(inputs, model.zero_state(inputs))


def test_one_cell_forward_and_back_by_hand() -> None:
    buffers = fast_network._Buffers()
    states = torch.zeros(2, 1, 2)
    bias = torch.tensor([0, math.atanh(0.5), 0, 0])
    layer = LSTMStage(buffers, 1, torch.zeros(2, 4), bias, states, 0, None)
    out, d_out = np.zeros((1, 1), np.float32), np.ones((1, 1), np.float32)
    layer.forward([out], 0, 1)(0)
    # Every gate is half open: c = 1/2 * 1/2, h = tanh(c) / 2.
    np.testing.assert_allclose(states[1, 0], [0.25, 0.12245933], rtol=1e-6)
    np.testing.assert_allclose(out, [[0.12245933]], rtol=1e-6)
    layer.start_backward()
    layer.backward([d_out], NO_STATE_GRADIENT, 0, 1)(0)
    _, by_bias = layer.gradients(0, 1)
    # dc = (1 - tanh(c)^2) / 2 = 0.4700074; di = dc j / 4, dj = dc (1 - j^2) / 2, df = dc c_0 / 4, do = tanh(c) / 4.
    np.testing.assert_allclose(by_bias, [0.05875093, 0.17625278, 0, 0.06122966], rtol=1e-5)


def test_dropout_stands_between_a_layer_and_what_is_above() -> None:
    buffers = fast_network._Buffers()
    states = torch.zeros(2, 1, 4)
    drop = Dropout(torch.tensor([[[True, False]]]), 4.0)
    layer = LSTMStage(buffers, 1, torch.zeros(2, 8), torch.zeros(8), states, 0, drop)
    layer.bias[2:4] = math.atanh(0.5)
    out = np.ones((1, 2), np.float32)
    layer.forward([out], 0, 1)(0)
    np.testing.assert_allclose(states[1, 0], [0.25, 0.25, 0.12245933, 0.12245933], rtol=1e-6)
    np.testing.assert_allclose(out, [[4 * 0.12245933, 0]], rtol=1e-6)
    layer.start_backward()
    layer.backward([np.ones((1, 2), np.float32)], NO_STATE_GRADIENT, 0, 1)(0)
    np.testing.assert_allclose(
        layer.gradients(0, 1)[1], [4 * 0.05875093, 0, 4 * 0.17625278, 0, 0, 0, 4 * 0.06122966, 0], rtol=1e-5
    )
