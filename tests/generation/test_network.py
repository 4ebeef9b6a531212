"""The NumPy network against numbers worked by hand, against Magenta's own, and against the PyTorch network."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import DTypeLike

import golden_files
from ostinato.bundle import Bundle, array_shapes, load_bundle
from ostinato.config import PRESETS, Config, Hparams
from ostinato.encodings import OneHotEncoding
from ostinato.generation.model import Model
from ostinato.generation.network import Floats, Network, State
from ostinato.generation.sampling import softmax

MakeBundle = Callable[..., Bundle]
OCTAVE = OneHotEncoding(min_pitch=60, max_pitch=72)  # 14 inputs, 14 classes


def golden_models() -> list[tuple[Path, Path]]:
    """The bundles with recorded probabilities at hand: their files, and those of the records."""
    names = ["gold_lookback", "gold_attention"]
    found = [(golden_files.SMALL.parent / f"{name}.mag", golden_files.SMALL / f"softmax_{name}.npz") for name in names]
    if large := golden_files.large_set():
        names.append("funkyb_attention")
        found += [(large / f"{name}.mag", large / f"softmax_{name}.npz") for name in names]
    return found


golden = pytest.mark.parametrize(
    ("mag", "recorded"), golden_models(), ids=[f"{npz.parent.name}-{mag.stem}" for mag, npz in golden_models()]
)


def magenta_states(state: State, scope: str | None) -> list[Floats]:
    """A state of one melody as Magenta's tensors, one after the other."""
    layers = [part[0] for pair in zip(state.cells, state.outputs, strict=True) for part in pair]
    oldest_first = np.roll(state.memory[0], -state.oldest, axis=0).ravel()
    if scope == "stack":
        return [np.concatenate([*layers, state.attended[0], oldest_first])]
    if scope == "first_layer":
        return [*layers[:2], state.attended[0], oldest_first, *layers[2:]]
    return layers


@golden
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-5), (np.float32, 2e-5)])
def test_probabilities_and_states_are_magentas(mag: Path, recorded: Path, dtype: DTypeLike, tolerance: float) -> None:
    bundle = load_bundle(mag)
    network = Network(bundle, dtype)
    hparams = bundle.config.hparams
    arrays = np.load(recorded)
    for case in range(len(arrays["names"])):
        logits, state = network.run(arrays[f"inputs_{case}"])
        assert np.abs(softmax(logits) - arrays[f"softmax_{case}"]).max() < tolerance
        for index, values in enumerate(magenta_states(state, hparams.attn_scope if hparams.attn_length else None)):
            np.testing.assert_allclose(values, arrays[f"final_state_{case}_{index}"], rtol=1e-4, atol=1e-4)


@golden
def test_a_model_gives_magentas_probabilities_and_log_likelihoods(mag: Path, recorded: Path) -> None:
    model = Model(load_bundle(mag))
    arrays = np.load(recorded)
    for case in range(len(arrays["names"])):
        events = arrays[f"events_{case}"].tolist()
        probabilities = model.probabilities(events)
        assert probabilities.dtype == np.float32
        assert np.abs(probabilities - arrays[f"softmax_{case}"]).max() < 1e-5
        assert abs(model.log_likelihood(events) - arrays[f"loglik_{case}"]) < 1e-3


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_an_lstm_cell_worked_by_hand() -> None:
    # One cell that sees nothing but its own h: gates i, j, f, o = (0.5, 1, -1, 0.25) h + (0.1, 0.2, 0.3, 0.4).
    config = Config("by hand", OCTAVE, Hparams(rnn_layer_sizes=(1,)))
    arrays = {name: np.zeros(shape, np.float32) for name, shape in array_shapes(config).items()}
    arrays["lstm.0.kernel"][-1] = [0.5, 1, -1, 0.25]
    arrays["lstm.0.bias"][:] = [0.1, 0.2, 0.3, 0.4]
    arrays["output.kernel"][0, 3] = 2
    arrays["output.bias"][:] = 7
    network = Network(Bundle(config, arrays))

    c1 = sigmoid(0.1) * math.tanh(0.2)
    h1 = sigmoid(0.4) * math.tanh(c1)
    # The forget gate's 0.3 has 1 added at run time.
    c2 = sigmoid(1.3 - h1) * c1 + sigmoid(0.1 + 0.5 * h1) * math.tanh(0.2 + h1)
    h2 = sigmoid(0.4 + 0.25 * h1) * math.tanh(c2)

    logits, state = network.run(np.ones((2, 14), np.float32))
    assert logits[:, 3].tolist() == pytest.approx([7 + 2 * h1, 7 + 2 * h2], abs=1e-6)
    assert logits[:, 0].tolist() == [7, 7]
    assert state.cells[0][0, 0] == pytest.approx(c2, abs=1e-6)


def test_an_attention_worked_by_hand() -> None:
    # One cell, two rows of memory. The LSTM's h is always H = sigmoid(0) tanh(sigmoid(0) tanh(1)) at step 1;
    # a row y = h + 2 a; the score of a row is 3 tanh(row): query 0.
    config = Config("by hand", OCTAVE, Hparams(rnn_layer_sizes=(1,), attn_length=2))
    arrays = {name: np.zeros(shape, np.float32) for name, shape in array_shapes(config).items()}
    arrays["lstm.0.bias"][1] = 1
    arrays["attention.memory.kernel"][:] = 1
    arrays["attention.score"][:] = 3
    arrays["attention.output.kernel"][:, 0] = [1, 2]
    arrays["output.kernel"][0, 0] = 1
    network = Network(Bundle(config, arrays))

    c, rows, expected, expected_weights = 0.0, [0.0, 0.0], [], []
    for _ in range(5):
        c = sigmoid(1) * c + 0.5 * math.tanh(1)
        h = 0.5 * math.tanh(c)
        weights = [math.exp(3 * math.tanh(row)) for row in rows]
        attended = sum(weight * row for weight, row in zip(weights, rows, strict=True)) / sum(weights)
        rows = [rows[1], h + 2 * attended]
        expected.append(rows[1])
        expected_weights.append([weight / sum(weights) for weight in weights])

    logits, state = network.run(np.zeros((5, 14), np.float32))
    assert logits[:, 0].tolist() == pytest.approx(expected, abs=1e-6)
    assert state.attended[0, 0] == pytest.approx(attended, abs=1e-6)

    # The same a step at a time, of two melodies; the weights are told with the oldest row first.
    state = network.initial_state(2)
    for step in range(5):
        told = np.empty((2, 2), np.float32)
        logits, state = network.step(np.zeros((2, 14), np.float32), state, told)
        assert logits[:, 0].tolist() == pytest.approx([expected[step]] * 2, abs=1e-6)
        np.testing.assert_allclose(told, [expected_weights[step]] * 2, atol=1e-6)


def varied(config: Config, **hparams: object) -> Config:
    return config.with_hparams({"rnn_layer_sizes": (8, 8), **hparams})


ATTENTIONS: list[dict[str, object]] = [
    {"attn_length": 0},
    {"attn_length": 5, "attn_scope": "stack"},
    {"attn_length": 5, "attn_scope": "first_layer"},
]


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("attention", ATTENTIONS, ids=["none", "stack", "first_layer"])
@pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
def test_it_equals_the_pytorch_network_at_every_step(
    random_bundle: MakeBundle, name: str, attention: dict[str, object], residual: bool
) -> None:
    config = varied(PRESETS[name], residual_connections=residual, **attention)
    # The more inputs, the smaller each kernel's values: float32 holds huge logits less exactly.
    check_against_pytorch(random_bundle(config, scale=min(0.3, 3 / math.sqrt(config.encoding.input_size))))


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_it_equals_the_pytorch_network_of_any_sizes(random_bundle: MakeBundle, data: st.DataObject) -> None:
    hparams = {
        "rnn_layer_sizes": tuple(data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))),
        "residual_connections": data.draw(st.booleans()),
        **data.draw(st.sampled_from(ATTENTIONS)),
    }
    check_against_pytorch(
        random_bundle(Config("any", OCTAVE).with_hparams(hparams), data.draw(st.integers(0, 99)), 0.3)
    )


def check_against_pytorch(bundle: Bundle) -> None:
    torch = pytest.importorskip("torch")
    from ostinato.training.network import MelodyNetwork

    inputs = np.random.default_rng(1).normal(0, 1, (3, 13, bundle.config.encoding.input_size)).astype(np.float32)
    pytorch = MelodyNetwork(bundle.config, plain=True).eval()
    pytorch.load_arrays(bundle.arrays)
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-9)):
        with torch.no_grad():
            expected = pytorch.to(dtype)(torch.from_numpy(inputs).to(dtype)).softmax(dim=2).numpy()
        network = Network(bundle, expected.dtype)
        state = network.initial_state(3)
        for step in range(inputs.shape[1]):
            logits, state = network.step(inputs[:, step], state)
            np.testing.assert_allclose(softmax(logits), expected[:, step], atol=tolerance, rtol=0)
        for melody, melody_inputs in enumerate(inputs):
            np.testing.assert_allclose(softmax(network.run(melody_inputs)[0]), expected[melody], atol=tolerance, rtol=0)


def test_selected_rows_go_on_by_themselves(random_bundle: MakeBundle) -> None:
    bundle = random_bundle(varied(PRESETS["attention_rnn"], attn_length=3))
    network = Network(bundle, np.float64)
    inputs = np.random.default_rng(2).normal(0, 1, (6, 4, 74))
    state = network.initial_state(4)
    for step in range(5):
        logits, state = network.step(inputs[step], state)
    chosen = state.select(np.array([2, 0, 2]))
    network.step(inputs[5], state)  # changes nothing in what was selected
    logits, _ = network.step(inputs[5, [3, 0, 1]], chosen)
    for row, (melody, last) in enumerate([(2, 3), (0, 0), (2, 1)]):
        alone, _ = network.run(np.concatenate([inputs[:5, melody], inputs[5:, last]]))
        np.testing.assert_allclose(logits[row], alone[-1], atol=1e-10)


def test_a_large_batch_equals_single_melodies(random_bundle: MakeBundle) -> None:
    # So large that the attention goes through it in several blocks.
    bundle = random_bundle(PRESETS["attention_rnn"].with_hparams({"rnn_layer_sizes": (32,)}))
    network = Network(bundle, np.float64)
    inputs = np.random.default_rng(3).normal(0, 1, (4, 300, 74))
    state = network.initial_state(300)
    for step in range(4):
        logits, state = network.step(inputs[step], state)
    for row in (0, 101, 102, 299):
        np.testing.assert_allclose(logits[row], network.run(inputs[:, row])[0][-1], atol=1e-10)


def test_huge_values_saturate_without_a_warning(random_bundle: MakeBundle) -> None:
    network = Network(random_bundle(varied(PRESETS["attention_rnn"]), scale=1e4))
    logits, _ = network.run(np.full((3, 74), 1e4, np.float32))
    assert np.isfinite(softmax(logits)).all()


def test_the_attention_tells_its_weights(random_bundle: MakeBundle) -> None:
    # So large that the attention goes through it in several blocks.
    network = Network(random_bundle(PRESETS["attention_rnn"].with_hparams({"rnn_layer_sizes": (32,)})))
    assert network.attn_length == 40
    inputs = np.random.default_rng(4).normal(0, 1, (60, 300, 74)).astype(np.float32)
    told, untold = network.initial_state(300), network.initial_state(300)
    weights = np.empty((300, 40), np.float32)
    for step in inputs:
        logits, told = network.step(step, told, weights)
        expected, untold = network.step(step, untold)
        np.testing.assert_array_equal(logits, expected)
        np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
    assert Network(random_bundle(varied(PRESETS["lookback_rnn"]))).attn_length == 0
