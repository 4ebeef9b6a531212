"""Bundles for Magenta: read back, and what TensorFlow made of them when scripts/check_magenta_bundle last ran."""

import hashlib
import json
from collections import Counter

import numpy as np
import pytest

import golden_files
from export_models import magenta_inputs, magenta_models, models, odd_bundles
from ostinato.bundle import Bundle, load_bundle
from ostinato.bundle.magenta import read_magenta_bundle
from ostinato.config import preset
from ostinato.errors import SettingsError
from ostinato.export import formats_of
from ostinato.export.magenta import magenta_bundle
from ostinato.formats.generator_bundle_pb2 import GeneratorBundle
from ostinato.formats.tensorflow import tensorflow_pb2 as pb
from ostinato.generation.network import Network
from ostinato.generation.sampling import softmax

GOLDEN = golden_files.SMALL.parent
RECORD = json.loads((GOLDEN / "magenta_export.json").read_text())
PLAYED = [name for name in models() if name not in ("ostinato", "lieder", "chansons", "chord_rnn")]


def written(bundle: Bundle) -> GeneratorBundle:
    return GeneratorBundle.FromString(magenta_bundle(bundle))


@pytest.mark.parametrize("name", magenta_models())
def test_tensorflow_ran_these_very_bytes(name: str) -> None:
    bundle = magenta_models()[name]
    message, recorded = written(bundle), RECORD["models"][name]
    found = [hashlib.sha256(data).hexdigest() for data in (*message.checkpoint_file, message.metagraph_file)]
    assert found == [recorded["checkpoint_sha256"], recorded["metagraph_sha256"]], (
        "the exported bytes are new: run them in TensorFlow with scripts/check_magenta_bundle --record"
    )
    likely = softmax(Network(bundle, np.float64).run(magenta_inputs(bundle))[0])
    assert np.abs(likely - np.array(recorded["softmax"])).max() < 1e-6


def test_what_ran_them() -> None:
    assert RECORD["made_by"] == {"TensorFlow": "2.15.1", "Magenta": "2.1.4"}
    assert RECORD["models"].keys() == magenta_models().keys()


@pytest.mark.parametrize("name", PLAYED)
def test_models_are_read_back(name: str) -> None:
    bundle = load_bundle(models()[name])
    message = written(bundle)
    assert message.generator_details.id == bundle.config.name
    found = read_magenta_bundle(message, "x.mag")
    assert found.config == preset(bundle.config.name).with_hparams({
        part: getattr(bundle.config.hparams, part) for part in ("rnn_layer_sizes", "attn_length", "attn_scope")
    })  # fmt: skip
    assert found.arrays.keys() == bundle.arrays.keys()
    for part, array in bundle.arrays.items():
        np.testing.assert_array_equal(found.arrays[part], array)
    assert "magenta" in formats_of(bundle.config)


def test_the_card_and_the_license_go_along() -> None:
    described = written(load_bundle(models()["lookback_rnn"])).bundle_details.description
    assert described.startswith("Fiddle tunes by Magenta's Lookback RNN")
    assert "; license: Apache-2.0; credits: transcribed into ABC by " in described


@pytest.mark.parametrize("name", magenta_models())
def test_the_graph_is_whole(name: str) -> None:
    graph = pb.MetaGraphDef.FromString(written(magenta_models()[name]).metagraph_file)
    nodes = {node.name: node for node in graph.graph_def.node}
    assert len(nodes) == len(graph.graph_def.node)
    for node in nodes.values():
        for tensor in node.input:
            assert tensor.removeprefix("^").partition(":")[0] in nodes, f"{node.name} reads {tensor}"
    kinds = Counter(node.op for node in nodes.values())
    # What goes round the loop: the step, the logits, and each part of the state.
    parts = len(graph.collection_def["final_state"].node_list.value)
    for kind in ("Merge", "Switch", "NextIteration", "Exit"):
        assert kinds[kind] == parts + 2
    assert kinds["LoopCond"] == 1
    # The collections are those of Magenta's own bundle, of as many tensors.
    theirs = pb.MetaGraphDef.FromString(
        GeneratorBundle.FromString((GOLDEN / "gold_attention.mag").read_bytes()).metagraph_file
    )
    for collection, found in graph.collection_def.items():
        for tensor in found.node_list.value:
            assert nodes[tensor.removesuffix(":0")].op
        if name == "attention_rnn":
            assert len(found.node_list.value) == len(theirs.collection_def[collection].node_list.value)
    assert set(graph.collection_def) == {"inputs", "temperature", "initial_state", "final_state", "softmax"}


@pytest.mark.parametrize("name", ["bars", "far_bars"])
def test_a_model_that_magenta_does_not_have(name: str) -> None:
    with pytest.raises(
        SettingsError,
        match=r"^--magenta: Magenta has no ostinato, only .*; write this model with --page, --js or --onnx$",
    ):
        magenta_bundle(odd_bundles()[name])


def test_a_model_with_settings_that_magenta_does_not_have() -> None:
    bundle = odd_bundles()["no_lookbacks"]
    assert "magenta" not in formats_of(bundle.config)
    with pytest.raises(SettingsError, match=r"^--magenta: Magenta's lookback_rnn has other pitches or lookbacks than "):
        magenta_bundle(bundle)
