import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.bundle import array_shapes
from ostinato.config import Config, Hparams, preset
from ostinato.encodings import OneHotEncoding
from ostinato.errors import FormatError
from ostinato.training import network
from ostinato.training.network import MelodyNetwork, draw_dropout

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
    compiled = network._compiled(network.attend)
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


# The smallest there is: 14 inputs and 14 classes.
GOLDEN_CONFIGS = {
    "funkyb_attention": preset("attention_rnn").with_hparams({"rnn_layer_sizes": (64, 64)}),
    "gold_attention": preset("attention_rnn").with_hparams({"rnn_layer_sizes": (32, 32), "attn_scope": "first_layer"}),
    "gold_lookback": preset("lookback_rnn").with_hparams({"rnn_layer_sizes": (32, 32)}),
}


def published_name(variable: str) -> str:
    """TensorFlow's name of a variable, of 2017 or of later years, to ours."""
    name = variable.lower().replace("_", "")
    kind = "bias" if "bias" in name.rsplit("|", 1)[1] else "kernel"
    if "fullyconnected" in name:
        return f"output.{kind}"
    if "basiclstmcell" in name:
        return f"lstm.{1 if 'cell1|' in name else 0}.{kind}"
    if name.endswith("attnv"):
        return "attention.score"
    if name.endswith("attnw"):
        return "attention.memory.kernel"
    if "attnoutputprojection" in name:
        return f"attention.output.{kind}"
    return f"attention.query.{kind}" if "|attention|" in name else f"attention.input.{kind}"


def golden_arrays(folder: Path, name: str) -> dict[str, NDArray[np.float32]]:
    with np.load(folder / f"vars_{name}.npz") as variables:
        arrays = {published_name(variable): variables[variable] for variable in variables.files}
    if "attention.memory.kernel" in arrays:
        arrays["attention.memory.kernel"] = arrays["attention.memory.kernel"][0, 0]
    return arrays


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", GOLDEN_CONFIGS)
def test_probabilities_are_those_of_the_real_magenta(golden_public: Path, name: str) -> None:
    # In double precision, which is the same everywhere: what is left is what single precision took from Magenta's own,
    # up to 6.7e-6 along 396 steps. Our own paths of single precision are held against double precision.
    exact = MelodyNetwork(GOLDEN_CONFIGS[name], plain=True).eval()
    exact.load_arrays(golden_arrays(golden_public, name))
    paths = {plain: MelodyNetwork(GOLDEN_CONFIGS[name], plain=plain).eval() for plain in (True, False)}
    for model in paths.values():
        model.load_state_dict(exact.state_dict())
    exact.double()
    with np.load(golden_public / f"softmax_{name}.npz") as cases, torch.no_grad():
        for case in range(8):
            inputs = torch.from_numpy(cases[f"inputs_{case}"])[None]
            expected = torch.softmax(exact(inputs.double()), dim=2)[0].numpy()
            np.testing.assert_allclose(expected, cases[f"softmax_{case}"], rtol=0, atol=1e-5)
            # One rounding a step that is never forgotten, and those of the first step.
            tolerance = (len(expected) + 16) * 2**-24
            for plain, model in paths.items():
                probabilities = torch.softmax(model(inputs), dim=2)[0].numpy()
                np.testing.assert_allclose(probabilities, expected, rtol=0, atol=tolerance, err_msg=f"{plain=}")


def test_final_state_is_that_of_the_real_magenta(golden_public: Path) -> None:
    model = MelodyNetwork(GOLDEN_CONFIGS["gold_attention"]).eval()
    model.load_arrays(golden_arrays(golden_public, "gold_attention"))
    with np.load(golden_public / "softmax_gold_attention.npz") as cases, torch.no_grad():
        _, state = model.unroll(torch.from_numpy(cases["inputs_2"])[None])
        assert state.attention is not None
        assert state.memory is not None
        # c and h of the first layer, a, the memory from its oldest row, c and h of the second layer.
        found = (state.cells[0], state.hiddens[0], state.attention, state.memory, state.cells[1], state.hiddens[1])
        for index, tensor in enumerate(found):
            np.testing.assert_allclose(tensor.flatten(), cases[f"final_state_2_{index}"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("hparams", [{"attn_length": 3}, {"attn_length": 3, "attn_scope": "first_layer"}, {}])
def test_gradients_in_double_precision(hparams: dict[str, object], residual: bool) -> None:
    config = Config("tiny", TINY, Hparams(rnn_layer_sizes=(3, 2), dropout_keep_prob=0.5)).with_hparams(
        {**hparams, "residual_connections": residual}
    )
    torch.manual_seed(0)
    model = MelodyNetwork(config, plain=True).double()
    names = [name for name, _ in model.named_parameters()]
    values = [torch.randn_like(parameter).mul_(0.5).requires_grad_() for parameter in model.parameters()]
    inputs = torch.randn(2, 5, 14, dtype=torch.float64)

    def logits(*parameters: Tensor) -> Tensor:
        torch.manual_seed(1)  # the same masks each time
        found = torch.func.functional_call(model, dict(zip(names, parameters, strict=True)), (inputs,))
        assert isinstance(found, Tensor)
        return found

    assert torch.autograd.gradcheck(logits, values, fast_mode=True)


@pytest.mark.parametrize("changes", [{"attn_length": 3}, {"attn_length": 3, "attn_scope": "first_layer"}, {}])
def test_a_melody_in_two_pieces_gives_the_same_as_in_one(changes: dict[str, object]) -> None:
    config = Config("tiny", TINY, Hparams(rnn_layer_sizes=(3, 5))).with_hparams(changes)
    model = MelodyNetwork(config).eval()
    inputs = torch.randn(2, 9, 14)
    with torch.no_grad():
        whole, end = model.unroll(inputs)
        first, state = model.unroll(inputs[:, :4])
        second, end_of_second = model.unroll(inputs[:, 4:], state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)
    torch.testing.assert_close(end_of_second.hiddens, end.hiddens)
    torch.testing.assert_close(end_of_second.memory, end.memory)


def test_initial_values_are_glorots_and_follow_the_generator() -> None:
    config = preset("attention_rnn")
    arrays = [MelodyNetwork(config, generator=torch.Generator().manual_seed(seed)).arrays() for seed in (7, 7, 8)]
    for name, array in arrays[0].items():
        np.testing.assert_array_equal(array, arrays[1][name])
        if name.endswith("bias"):
            assert not array.any()
        else:
            assert not np.array_equal(array, arrays[2][name])
    kernel = arrays[0]["lstm.0.kernel"]
    limit = np.sqrt(6 / (74 + 128 + 512))
    assert 0.99 * limit < np.abs(kernel).max() <= limit
    assert abs(float(kernel.mean())) < 0.01 * limit


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"attn_length": 3, "residual_connections": True, "attn_scope": "first_layer"},
        {"attn_length": 3, "residual_connections": True},
    ],
)
def test_arrays_have_the_published_names_and_come_back(changes: dict[str, object]) -> None:
    config = preset("lookback_rnn").with_hparams({"rnn_layer_sizes": (6, 4), **changes})
    model, other = MelodyNetwork(config), MelodyNetwork(config)
    arrays = model.arrays()
    assert {name: array.shape for name, array in arrays.items()} == array_shapes(config)
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float32)}
    other.load_arrays(arrays)
    inputs = torch.randn(2, 3, 121)
    with torch.no_grad():
        assert torch.equal(model.eval()(inputs), other.eval()(inputs))
    before = arrays["lstm.0.kernel"].copy()
    with torch.no_grad():
        model.get_parameter("lstm.0.kernel").zero_()
    np.testing.assert_array_equal(arrays["lstm.0.kernel"], before)


def test_arrays_of_another_shape_are_refused() -> None:
    model = MelodyNetwork(Config("tiny", TINY, Hparams(rnn_layer_sizes=(3,))))
    arrays = model.arrays()
    arrays["output.bias"] = np.zeros(1, np.float32)
    with pytest.raises(FormatError, match=r"output\.bias of shape \(14,\), found \(1,\)"):
        model.load_arrays(arrays)


@pytest.mark.parametrize("plain", [True, False])
def test_dropout_follows_the_state_of_the_global_generator(plain: bool) -> None:
    model = MelodyNetwork(Config("tiny", TINY, Hparams(rnn_layer_sizes=(8,))), plain=plain)
    inputs = torch.randn(3, 4, 14)
    before = torch.get_rng_state()
    first, second = model(inputs), model(inputs)
    torch.set_rng_state(before)
    assert torch.equal(model(inputs), first)
    assert not torch.equal(first, second)
    model.eval()
    assert torch.equal(model(inputs), model(inputs))


def test_without_numba_the_plain_path_runs_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model = MelodyNetwork(Config("tiny", TINY, Hparams(rnn_layer_sizes=(3,), attn_length=2))).eval()
    inputs = torch.randn(2, 3, 14)
    with torch.no_grad():
        fused = model(inputs)
        network._has_numba.cache_clear()
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        with caplog.at_level(logging.WARNING):
            torch.testing.assert_close(model(inputs), fused)
            model(inputs)
    network._has_numba.cache_clear()
    assert [record.getMessage() for record in caplog.records] == [
        "Numba is not installed, so training uses the plain path, which is slower (pip install numba)"
    ]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", ["lookback_rnn", "attention_rnn"])
def test_a_gpu_computes_the_same(name: str) -> None:
    config = preset(name).with_hparams({"rnn_layer_sizes": (32, 32), "dropout_keep_prob": 1.0})
    model = MelodyNetwork(config)
    inputs = torch.randn(4, 50, config.encoding.input_size)
    model(inputs).square().mean().backward()
    expected = [parameter.grad for parameter in model.parameters()]
    model.zero_grad()
    model.to("cuda")(inputs.cuda()).square().mean().backward()
    found = [None if parameter.grad is None else parameter.grad.cpu() for parameter in model.parameters()]
    torch.testing.assert_close(found, expected, rtol=1e-2, atol=1e-5)
