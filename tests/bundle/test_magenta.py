import logging
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import golden_files
from ostinato.bundle import Bundle, array_shapes, load_bundle
from ostinato.bundle.magenta import (
    attention_length,
    is_model_variable,
    read_magenta_bundle,
    read_network,
    tensorflow_variables,
)
from ostinato.config import Config, preset
from ostinato.errors import FormatError
from ostinato.formats.generator_bundle_pb2 import GeneratorBundle
from ostinato.formats.tensorflow import tensorflow_pb2 as pb
from tensorflow_files import graph, magenta_bundle, shape_of

GOLDEN = golden_files.SMALL.parent

# How TensorFlow named the same arrays over the years, {} the layer's number.
# The first and the last are those of the golden bundles.
STACK_NAMES = {
    "0.12": {
        "lstm": "RNN/AttentionCellWrapper/MultiRNNCell/Cell{}/BasicLSTMCell/Linear/",
        "attention": "RNN/AttentionCellWrapper/",
        "kernel": "Matrix",
        "bias": "Bias",
        "parts": "Linear/ Attention/Linear/ Attention/AttnW Attention/AttnV AttnOutputProjection/Linear/",
    },
    "weights and biases": {
        "lstm": "rnn/attention_cell_wrapper/multi_rnn_cell/cell_{}/basic_lstm_cell/",
        "attention": "rnn/attention_cell_wrapper/",
        "kernel": "weights",
        "bias": "biases",
        "parts": " attention/ attention/attn_w attention/attn_v attn_output_projection/",
    },
    "scopes twice": {
        "lstm": "rnn/attention_cell_wrapper/attention_cell_wrapper/multi_rnn_cell/cell_{0}/cell_{0}/basic_lstm_cell/",
        "attention": "rnn/attention_cell_wrapper/attention_cell_wrapper/",
        "kernel": "weights",
        "bias": "biases",
        "parts": " attention/ attention/attn_w attention/attn_v attn_output_projection/",
    },
    "first layer": {
        "lstm": "rnn/multi_rnn_cell/cell_{}/{attention}basic_lstm_cell/",
        "attention": "rnn/multi_rnn_cell/cell_0/attention_cell_wrapper/",
        "kernel": "kernel",
        "bias": "bias",
        "parts": " attention/ attention/attn_w attention/attn_v attn_output_projection/",
    },
}
Arrays = dict[str, NDArray[np.float32]]


def random_bundle(config: Config) -> Bundle:
    rng = np.random.default_rng(1)
    return Bundle(
        config, {name: rng.standard_normal(shape, np.float32) for name, shape in array_shapes(config).items()}
    )


def tensorflow_names(bundle: Bundle, names: dict[str, str]) -> Arrays:
    """A bundle's arrays as TensorFlow called them."""
    own, query, memory, score, output = (names["attention"] + part for part in names["parts"].split(" "))
    places = {
        "attention.input": own,
        "attention.query": query,
        "attention.output": output,
    }
    first_layer = bundle.config.hparams.attn_scope == "first_layer"
    for layer in range(len(bundle.config.hparams.rnn_layer_sizes)):
        inside = "attention_cell_wrapper/" if first_layer and layer == 0 else ""
        places[f"lstm.{layer}"] = names["lstm"].format(layer, attention=inside)
    variables: Arrays = {
        memory: bundle.arrays["attention.memory.kernel"][None, None],
        score: bundle.arrays["attention.score"],
        "fully_connected/weights": bundle.arrays["output.kernel"],  # names that never changed
        "fully_connected/biases": bundle.arrays["output.bias"],
    }
    for ours, theirs in places.items():
        for part in ("kernel", "bias"):
            variables[theirs + names[part]] = bundle.arrays[f"{ours}.{part}"]
    return variables


def assert_same(found: Bundle, wanted: Bundle) -> None:
    assert found.config == wanted.config
    for name, array in wanted.arrays.items():
        assert found.arrays[name].dtype == np.float32
        np.testing.assert_array_equal(found.arrays[name], array)


@pytest.mark.parametrize("era", STACK_NAMES)
def test_attention_under_the_names_of_all_years(era: str) -> None:
    scope = "first_layer" if era.startswith("first") else "stack"
    sizes = (6, 4)
    config = preset("attention_rnn").with_hparams({"rnn_layer_sizes": sizes, "attn_length": 9, "attn_scope": scope})
    bundle = random_bundle(config)
    size = 6 if scope == "first_layer" else 4
    # Early graphs have the state in one tensor, later ones a tensor for each part of it.
    states = [[1, 2 * (6 + 4) + size + 9 * size]]
    if era != "0.12":
        states = [[16, 6], [16, 6], [16, size], [16, 9 * size], [16, 4], [16, 4]]
    message = magenta_bundle("attention_rnn", tensorflow_names(bundle, STACK_NAMES[era]), states)
    found = read_magenta_bundle(message, "x.mag")
    assert_same(found, bundle)
    assert found.provenance == {
        "made_by": "Magenta",
        "generator_description": "Melody RNN: attention_rnn",
        "description": "as if trained",
    }


@pytest.mark.parametrize(
    ("kernel", "bias"),
    [
        ("RNN/MultiRNNCell/Cell{}/BasicLSTMCell/Linear/Matrix", "RNN/MultiRNNCell/Cell{}/BasicLSTMCell/Linear/Bias"),
        ("RNN/MultiRNNCell/Cell{}/LSTMCell/W_0", "RNN/MultiRNNCell/Cell{}/LSTMCell/B"),
        ("rnn/multi_rnn_cell/cell_{}/basic_lstm_cell/weights", "rnn/multi_rnn_cell/cell_{}/basic_lstm_cell/biases"),
        ("rnn/multi_rnn_cell/cell_{}/basic_lstm_cell/kernel", "rnn/multi_rnn_cell/cell_{}/basic_lstm_cell/bias"),
    ],
)
@pytest.mark.parametrize("name", ["basic_rnn", "mono_rnn", "lookback_rnn"])
def test_plain_stacks_under_the_names_of_all_years(name: str, kernel: str, bias: str) -> None:
    bundle = random_bundle(preset(name).with_hparams({"rnn_layer_sizes": (6, 5, 4)}))
    variables = {
        "fully_connected/weights": bundle.arrays["output.kernel"],
        "fully_connected/biases": bundle.arrays["output.bias"],
    }
    for layer in range(3):
        variables[kernel.format(layer)] = bundle.arrays[f"lstm.{layer}.kernel"]
        variables[bias.format(layer)] = bundle.arrays[f"lstm.{layer}.bias"]
    assert_same(read_magenta_bundle(magenta_bundle(name, variables), "x.mag"), bundle)


def test_residual_connections() -> None:
    hparams = {
        "rnn_layer_sizes": (6, 6, 4),
        "residual_connections": True,
        "attn_length": 3,
        "attn_scope": "first_layer",
    }
    bundle = random_bundle(preset("attention_rnn").with_hparams(hparams))
    cell = "rnn/multi_rnn_cell/cell_{}/"
    projected = cell + "input_projection_wrapper/"
    attention = projected.format(0) + "attention_cell_wrapper/"
    names = {
        "lstm.0.projection.": projected.format(0),
        "lstm.2.projection.": projected.format(2),
        "lstm.0.": attention + "basic_lstm_cell/",
        "lstm.1.": cell.format(1) + "basic_lstm_cell/",
        "lstm.2.": projected.format(2) + "basic_lstm_cell/",
        "attention.input.": attention,
        "attention.query.": attention + "attention/",
        "attention.output.": attention + "attn_output_projection/",
    }
    variables: Arrays = {
        attention + "attention/attn_w": bundle.arrays["attention.memory.kernel"][None, None],
        attention + "attention/attn_v": bundle.arrays["attention.score"],
        "fully_connected/weights": bundle.arrays["output.kernel"],
        "fully_connected/biases": bundle.arrays["output.bias"],
    }
    for ours, theirs in names.items():
        for part in ("kernel", "bias"):
            variables[theirs + part] = bundle.arrays[ours + part]
    states = [[1, width] for width in (6, 6, 6, 3 * 6, 6, 6, 4, 4)]
    assert_same(read_magenta_bundle(magenta_bundle("attention_rnn", variables, states), "x.mag"), bundle)


CUDNN = "cudnn_lstm{}/rnn/multi_rnn_cell/cell_{}/cudnn_compatible_lstm_cell/"


def cudnn_lstm(bundle: Bundle, layer: int, place: str) -> Arrays:
    bias = bundle.arrays[f"lstm.{layer}.bias"].copy()
    size = bias.size // 4
    bias[2 * size : 3 * size] += 1  # cuDNN has no forget bias of its own: i, j, f, o
    return {place + "kernel": bundle.arrays[f"lstm.{layer}.kernel"], place + "bias": bias}


def test_layers_trained_with_cudnn() -> None:
    bundle = random_bundle(preset("lookback_rnn").with_hparams({"rnn_layer_sizes": (6, 6)}))
    variables: Arrays = {
        "fully_connected/weights": bundle.arrays["output.kernel"],
        "fully_connected/biases": bundle.arrays["output.bias"],
        **cudnn_lstm(bundle, 0, CUDNN.format("", 0)),
        **cudnn_lstm(bundle, 1, CUDNN.format("", 1)),
    }
    found = read_magenta_bundle(magenta_bundle("lookback_rnn", variables), "x.mag")
    assert found.config == bundle.config
    for name, array in bundle.arrays.items():
        np.testing.assert_allclose(found.arrays[name], array, atol=1e-6)


def test_layers_of_several_sizes_trained_with_cudnn_and_residual_connections() -> None:
    hparams = {"rnn_layer_sizes": (6, 6, 4), "residual_connections": True}
    bundle = random_bundle(preset("basic_rnn").with_hparams(hparams))
    variables: Arrays = {}
    for number, ours in enumerate(["lstm.0.projection", "lstm.2.projection", "output"]):
        place = f"fully_connected{f'_{number}' if number else ''}/"
        variables[place + "weights"] = bundle.arrays[f"{ours}.kernel"]
        variables[place + "biases"] = bundle.arrays[f"{ours}.bias"]
    for layer in range(3):
        variables |= cudnn_lstm(bundle, layer, CUDNN.format(f"_{layer}" if layer else "", 0))
    found = read_magenta_bundle(magenta_bundle("basic_rnn", variables), "x.mag")
    assert found.config == bundle.config
    for name, array in bundle.arrays.items():
        np.testing.assert_allclose(found.arrays[name], array, atol=1e-6)


def stored_variables(path: Path) -> Arrays:
    with np.load(path) as file:
        return {name.replace("|", "/"): file[name] for name in file.files}


def test_a_golden_bundle_of_the_latest_magenta() -> None:
    bundle = load_bundle(GOLDEN / "gold_attention.mag")
    hparams = {"rnn_layer_sizes": (32, 32), "attn_length": 40, "attn_scope": "first_layer"}
    assert bundle.config == preset("attention_rnn").with_hparams(hparams)
    assert bundle.provenance == {
        "made_by": "Magenta",
        "tensorflow_version": "2.15.1",
        "generator_description": "Melody RNN with lookback encoding and attention.",
        "description": "golden attention_rnn 30 steps",
    }
    variables = stored_variables(GOLDEN / "vars_gold_attention.npz")
    cell = "rnn/multi_rnn_cell/cell_0/attention_cell_wrapper/"
    for ours, theirs in {
        "lstm.0.kernel": cell + "basic_lstm_cell/kernel",
        "lstm.1.bias": "rnn/multi_rnn_cell/cell_1/basic_lstm_cell/bias",
        "attention.input.kernel": cell + "kernel",
        "attention.query.kernel": cell + "attention/kernel",
        "attention.score": cell + "attention/attn_v",
        "attention.output.bias": cell + "attn_output_projection/bias",
        "output.kernel": "fully_connected/weights",
    }.items():
        np.testing.assert_array_equal(bundle.arrays[ours], variables[theirs])
    np.testing.assert_array_equal(bundle.arrays["attention.memory.kernel"], variables[cell + "attention/attn_w"][0, 0])


def test_a_golden_bundle_of_2017(golden_public: Path) -> None:
    bundle = load_bundle(golden_public / "funkyb_attention.mag")
    hparams = {"rnn_layer_sizes": (64, 64), "attn_length": 40, "attn_scope": "stack"}
    assert bundle.config == preset("attention_rnn").with_hparams(hparams)
    assert bundle.provenance["tensorflow_version"] == "0.12.1"
    assert sum(array.size for array in bundle.arrays.values()) == 110_358


def test_the_length_of_the_attention_from_a_training_graph() -> None:
    message = GeneratorBundle.FromString((GOLDEN / "gold_attention.mag").read_bytes())
    metagraph = pb.MetaGraphDef.FromString(message.metagraph_file)
    network = read_network(stored_variables(GOLDEN / "vars_gold_attention.npz"), "x")
    assert attention_length(metagraph, network, "x") == 40
    del metagraph.collection_def["initial_state"]  # which training graphs do not have
    assert attention_length(metagraph, network, "x") == 40
    assert attention_length(pb.MetaGraphDef(), network, "x") is None


def test_the_length_of_the_attention_of_2017_without_its_state(golden_public: Path) -> None:
    message = GeneratorBundle.FromString((golden_public / "funkyb_attention.mag").read_bytes())
    metagraph = pb.MetaGraphDef.FromString(message.metagraph_file)
    del metagraph.collection_def["initial_state"]
    network = read_network(stored_variables(golden_public / "vars_funkyb_attention.npz"), "x")
    assert attention_length(metagraph, network, "x") == 40


@pytest.mark.parametrize(
    ("states", "message"),
    [
        ([[1, 32], [1, 32]], "an attention over -3 steps"),
        ([[1, 32 * 6 + 1]], "a state of 193 values, which fits no attention over layers"),
        ([[1, 32 * 5]], "an attention over 0 steps"),
        ([[1, -1]], "fits no attention"),
        ([[1] * 9], "does not say how long the attention is"),
        ([[1, 32 * 5 + 32 * 5000]], "the attention has length 5000; at most 4096"),
        ([[1, 1 << 60]], "the attention has length [0-9]+; at most 4096"),
    ],
)
def test_states_that_no_attention_has(tmp_path: Path, states: list[list[int]], message: str) -> None:
    bundle = GeneratorBundle.FromString((GOLDEN / "gold_attention.mag").read_bytes())
    bundle.metagraph_file = graph(states).SerializeToString()
    (tmp_path / "x.mag").write_bytes(bundle.SerializeToString())
    with pytest.raises(FormatError, match=message):
        load_bundle(tmp_path / "x.mag")


def test_a_state_that_the_graph_does_not_have() -> None:
    network = read_network(stored_variables(GOLDEN / "vars_gold_attention.npz"), "x")
    metagraph = graph([[1, 64]])
    metagraph.collection_def["initial_state"].node_list.value[:] = ["elsewhere:0"]
    assert attention_length(metagraph, network, "x") is None
    for output in ("1", "-1", "x", "", "9" * 5000):
        metagraph.collection_def["initial_state"].node_list.value[:] = [f"zeros_0:{output}"]
        assert attention_length(metagraph, network, "x") is None


def gold_lookback() -> GeneratorBundle:
    return GeneratorBundle.FromString((GOLDEN / "gold_lookback.mag").read_bytes())


@pytest.mark.parametrize(
    ("generator", "message"),
    [
        ("drum_kit", "a bundle of the model 'drum_kit', but Ostinato only plays Melody RNN: basic_rnn, mono_rnn"),
        ("performance_with_dynamics", "a bundle of the model 'performance_with_dynamics'"),
        ("polyphony", "a bundle of the model 'polyphony'"),
        ("", "does not say which model it holds"),
        ("attention_rnn", "a network of 121 inputs and 40 classes is not attention_rnn, which has 74 and 40"),
    ],
)
def test_other_models_are_refused(generator: str, message: str) -> None:
    bundle = gold_lookback()
    bundle.generator_details.id = generator
    with pytest.raises(FormatError, match=f"^x.mag: .*{message}"):
        read_magenta_bundle(bundle, "x.mag")


def test_parts_that_are_missing_or_damaged_are_named() -> None:
    bundle = gold_lookback()
    bundle.metagraph_file = b""
    with pytest.raises(FormatError, match=r"x\.mag: its metagraph_file.* is missing"):
        read_magenta_bundle(bundle, "x.mag")
    bundle.metagraph_file = b"\xff"
    with pytest.raises(FormatError, match=r"x\.mag: its graph is not a MetaGraphDef"):
        read_magenta_bundle(bundle, "x.mag")
    bundle.metagraph_file = bytes(9 << 20)
    with pytest.raises(FormatError, match=r"x\.mag: its graph has 9437184 bytes"):
        read_magenta_bundle(bundle, "x.mag")
    bundle = gold_lookback()
    bundle.checkpoint_file[0] = b""
    with pytest.raises(FormatError, match=r"x\.mag: not a TensorFlow checkpoint"):
        read_magenta_bundle(bundle, "x.mag")


CELL = "rnn/multi_rnn_cell/cell_0/basic_lstm_cell/"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({CELL + "w_f_diag": (32,)}, f"a Melody RNN has no variable {CELL}w_f_diag"),
        ({"RNN/MultiRNNCell/Cell0/BasicLSTMCell/Linear/Matrix": (153, 128)}, r"a second lstm\.0\.kernel"),
        ({CELL + "kernel": (153, 127)}, r"layer 0 has a kernel of shape \[153, 127\], which is not an LSTM's"),
        ({CELL + "kernel": (128,)}, r"layer 0 has a kernel of shape \[128\]"),
        ({CELL + "kernel": (32, 128)}, r"layer 0 has a kernel of shape \[32, 128\]"),
        ({CELL + "kernel": None}, "no LSTM layer 0"),
        ({CELL + "bias": None}, r"needs array lstm\.0\.bias of shape \(128,\), found none"),
        ({CELL + "bias": (3,)}, r"needs array lstm\.0\.bias of shape \(128,\), found \(3,\)"),
        ({"fully_connected/biases": None}, "its output layer has no bias"),
        ({"fully_connected/biases": ()}, "its output layer has no bias"),
        ({"fully_connected/weights": None}, r"needs array output\.kernel"),
        ({"fully_connected_1/biases": (40,)}, None),
        ({f"fully_connected_{'9' * 5000}/biases": (40,)}, "a Melody RNN has no variable"),
        ({f"RNN/Cell{'9' * 5000}/BasicLSTMCell/Bias": (40,)}, r"a second lstm\.0\.bias"),
        ({"rnn/multi_rnn_cell/cell_5/basic_lstm_cell/bias": (8,)}, r"array lstm\.5\.bias of shape none"),
        ({"rnn/multi_rnn_cell/cell_1/attention_cell_wrapper/bias": (8,)}, "a Melody RNN has no variable"),
        (
            {
                "rnn/multi_rnn_cell/cell_0/attention_cell_wrapper/bias": (8,),
                "rnn/attention_cell_wrapper/attn_output_projection/bias": (8,),
            },
            "two attentions",
        ),
        ({"rnn/multi_rnn_cell/cell_0/input_projection_wrapper/kernel": (8,)}, "projection of layer 0 is not a matrix"),
    ],
)
def test_variables_that_no_melody_rnn_has(changes: dict[str, tuple[int, ...] | None], message: str | None) -> None:
    variables = stored_variables(GOLDEN / "vars_gold_lookback.npz")
    for name, shape in changes.items():
        if shape is None:
            del variables[name]
        else:
            variables[name] = np.zeros(shape, np.float32)
    with pytest.raises(FormatError, match="^x: " + (f".*{message}" if message else "")):
        read_network(variables, "x").bundle(preset("lookback_rnn"), 0, {}, "x")


def test_variables_beside_the_network_are_passed_over_by_name(caplog: pytest.LogCaptureFixture) -> None:
    variables = stored_variables(GOLDEN / "vars_gold_lookback.npz")
    variables["OptimizeLoss/learning_rate"] = np.zeros((), np.float32)
    with caplog.at_level(logging.INFO):
        read_network(variables, "x")
    assert "OptimizeLoss/learning_rate" in caplog.text


def test_the_optimizers_variables_are_not_the_models() -> None:
    kernel = "rnn/multi_rnn_cell/cell_0/basic_lstm_cell/kernel"
    assert is_model_variable(kernel)
    assert is_model_variable("global_step")
    assert not any(map(is_model_variable, [f"{kernel}/Adam", f"{kernel}/Adam_1", "beta1_power", "train/beta2_power"]))


def test_double_precision_too_large_for_single_is_refused_as_infinite(tmp_path: Path) -> None:
    bundle = random_bundle(preset("basic_rnn").with_hparams({"rnn_layer_sizes": (2,)}))
    place = "rnn/multi_rnn_cell/cell_0/basic_lstm_cell/"
    variables = {
        place + "kernel": bundle.arrays["lstm.0.kernel"],
        place + "bias": np.full(8, 1e300),
        "fully_connected/weights": bundle.arrays["output.kernel"],
        "fully_connected/biases": bundle.arrays["output.bias"],
    }
    (tmp_path / "x.mag").write_bytes(magenta_bundle("basic_rnn", variables).SerializeToString())
    with pytest.raises(FormatError, match=r"array lstm\.0\.bias holds values that are not finite numbers"):
        load_bundle(tmp_path / "x.mag")


def test_a_graph_whose_shapes_are_without_end_is_read_at_once() -> None:
    metagraph = graph([[1, 1]])
    node = metagraph.graph_def.node[0]
    node.attr["_output_shapes"].list.shape[0].CopyFrom(shape_of([2**62] * 100_000))
    network = read_network(stored_variables(GOLDEN / "vars_gold_attention.npz"), "x")
    assert attention_length(metagraph, network, "x") is None


# --- our arrays under Magenta's names ---


@pytest.mark.parametrize("name", ["gold_lookback", "gold_attention"])
def test_golden_variables_go_back_under_their_names(name: str) -> None:
    found = tensorflow_variables(load_bundle(GOLDEN / f"{name}.mag"))
    stored = stored_variables(GOLDEN / f"vars_{name}.npz")
    assert found.keys() == stored.keys()
    for variable, array in stored.items():
        np.testing.assert_array_equal(found[variable], array)


def test_the_names_of_residual_layers() -> None:
    # As Magenta 2.1.4 names the variables of make_rnn_cell([6, 6, 5], attn_length=4, residual_connections=True).
    hparams = {
        "rnn_layer_sizes": (6, 6, 5),
        "attn_length": 4,
        "attn_scope": "first_layer",
        "residual_connections": True,
    }
    bundle = random_bundle(preset("attention_rnn").with_hparams(hparams))
    cells = "rnn/multi_rnn_cell/cell_"
    around = f"{cells}0/input_projection_wrapper/attention_cell_wrapper/"
    scopes = {f"{cells}0/input_projection_wrapper/", around, f"{around}basic_lstm_cell/", f"{around}attention/"}
    scopes |= {f"{around}attn_output_projection/", f"{cells}1/basic_lstm_cell/"}
    scopes |= {f"{cells}2/input_projection_wrapper/", f"{cells}2/input_projection_wrapper/basic_lstm_cell/"}
    others = {f"{around}attention/attn_w", f"{around}attention/attn_v", "fully_connected/weights"}
    assert set(tensorflow_variables(bundle)) == {
        *(scope + part for scope in scopes for part in ("kernel", "bias")),
        *others,
        "fully_connected/biases",
    }


@pytest.mark.parametrize("scope", ["stack", "first_layer"])
@pytest.mark.parametrize("residual", [False, True])
def test_what_is_named_is_read_back(scope: str, residual: bool) -> None:
    hparams = {"rnn_layer_sizes": (6, 5), "attn_length": 4, "attn_scope": scope, "residual_connections": residual}
    bundle = random_bundle(preset("attention_rnn").with_hparams(hparams))
    found = read_network(tensorflow_variables(bundle), "x")
    assert_same(found.bundle(bundle.config, 4, {}, "x"), bundle)
