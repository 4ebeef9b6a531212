import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import golden_files
from ostinato.bundle import (
    Bundle,
    array_shapes,
    checkpoint_path,
    decode_bundle,
    encode_bundle,
    held_out_loss,
    load_bundle,
    save_bundle,
    training_summary,
)
from ostinato.config import Config, preset
from ostinato.errors import DataError, FormatError, SettingsError
from ostinato.formats.generator_bundle_pb2 import GeneratorBundle
from ostinato.formats.tensorflow import tensorflow_pb2 as pb
from ostinato.formats.tensorflow.checkpoint import read_checkpoint_v2
from ostinato.formats.tensorflow.tfrecord import write_records
from tensorflow_files import checkpoint_v1, graph

GOLDEN = golden_files.SMALL.parent
SMALL = preset("basic_rnn").with_hparams({"rnn_layer_sizes": (3, 2)})


def random_bundle(config: Config = SMALL, provenance: dict[str, Any] | None = None) -> Bundle:
    rng = np.random.default_rng(2)
    arrays = {name: rng.standard_normal(shape, np.float32) for name, shape in array_shapes(config).items()}
    return Bundle(config, arrays, provenance or {})


def assert_same(found: Bundle, wanted: Bundle) -> None:
    assert found.config == wanted.config
    assert found.arrays.keys() == wanted.arrays.keys()
    for name, array in wanted.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array)


def write_checkpoint(folder: Path, step: int, config: Config = SMALL) -> Bundle:
    folder.mkdir(parents=True, exist_ok=True)
    bundle = random_bundle(config, {"step": step})
    checkpoint_path(folder, step).write_bytes(encode_bundle(bundle, {"training.mean.x": np.zeros(3, np.float32)}))
    return bundle


# What can be loaded


def test_a_run_dir_of_ours_gives_its_newest_checkpoint(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "train", 5)
    bundle = write_checkpoint(tmp_path / "train", 10)
    for path in (tmp_path, tmp_path / "train", checkpoint_path(tmp_path / "train", 10), str(tmp_path)):
        found = load_bundle(path)
        assert_same(found, bundle)
        assert found.provenance == {"step": 10}
    assert load_bundle(checkpoint_path(tmp_path / "train", 5)).provenance == {"step": 5}


@pytest.mark.parametrize("model", ["lookback", "attention"])
def test_a_run_dir_of_magentas(tmp_path: Path, model: str, caplog: pytest.LogCaptureFixture) -> None:
    shutil.copytree(GOLDEN / f"v2_checkpoint_{model}", tmp_path / "train")
    prefix = tmp_path / "train" / "model.ckpt-30"
    bundle = load_bundle(GOLDEN / f"gold_{model}.mag")
    for path in (tmp_path, tmp_path / "train", prefix, f"{prefix}.index", f"{prefix}.data-00000-of-00001"):
        found = load_bundle(path)
        assert_same(found, bundle)
        assert found.provenance["step"] == 30
    assert ("40 steps are assumed" in caplog.text) == (model == "attention")
    assert_same(load_bundle(tmp_path, config=f"{model}_rnn", hparams={"rnn_layer_sizes": (32, 32)}), bundle)


def test_the_length_of_the_attention_is_the_graphs_if_it_is_there(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN / "v2_checkpoint_attention", tmp_path, dirs_exist_ok=True)
    assert load_bundle(tmp_path, hparams={"attn_length": 12}).config.hparams.attn_length == 12
    (tmp_path / "model.ckpt-30.meta").write_bytes(graph([[1, 4 * 32 + 32 + 17 * 32]]).SerializeToString())
    found = load_bundle(tmp_path)
    assert found.config.hparams.attn_length == 17
    assert found.provenance["attn_length_from"] == "the graph"
    with pytest.raises(SettingsError, match="the model has attn_length=17, not 12"):
        load_bundle(tmp_path, hparams={"attn_length": 12})
    (tmp_path / "model.ckpt-30.meta").write_bytes(pb.MetaGraphDef().SerializeToString())
    assert load_bundle(tmp_path).config.hparams.attn_length == 40


def test_a_run_of_2016_whose_checkpoints_are_of_version_1(tmp_path: Path) -> None:
    variables = read_checkpoint_v2(GOLDEN / "v2_checkpoint_lookback" / "model.ckpt-30")
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "model.ckpt-30").write_bytes(checkpoint_v1(variables))
    (tmp_path / "train" / "checkpoint").write_text('model_checkpoint_path: "/home/x/run1/train/model.ckpt-30"\n')
    for path in (tmp_path, tmp_path / "train" / "model.ckpt-30"):
        found = load_bundle(path)
        assert_same(found, load_bundle(GOLDEN / "gold_lookback.mag"))
        assert found.provenance["step"] == 30


def test_a_config_that_contradicts_the_file_is_refused() -> None:
    path = GOLDEN / "gold_lookback.mag"
    assert load_bundle(path, config="lookback_rnn").config.name == "lookback_rnn"
    with pytest.raises(SettingsError, match="the model's config is lookback_rnn, not attention_rnn; leave"):
        load_bundle(path, config="attention_rnn")


def test_hparams_that_contradict_the_file_are_refused() -> None:
    path = GOLDEN / "gold_lookback.mag"
    load_bundle(path, hparams={"batch_size": 64, "rnn_layer_sizes": (32, 32), "attn_scope": "first_layer"})
    with pytest.raises(SettingsError, match=r"the model has rnn_layer_sizes=\(32, 32\), not \(64, 64\); leave"):
        load_bundle(path, hparams={"rnn_layer_sizes": [64, 64]})


def test_a_checkpoint_of_another_config_is_refused() -> None:
    with pytest.raises(FormatError, match="a network of 121 inputs and 40 classes is not basic_rnn"):
        load_bundle(GOLDEN / "v2_checkpoint_lookback", config="basic_rnn")
    with pytest.raises(SettingsError, match="no config is called 'drum_kit'"):
        load_bundle(GOLDEN / "v2_checkpoint_lookback", config="drum_kit")


def test_a_network_that_fits_no_config_is_refused(tmp_path: Path) -> None:
    bundle = random_bundle()
    cell = "rnn/multi_rnn_cell/cell_0/basic_lstm_cell/"
    variables = {
        cell + "kernel": np.zeros((15, 12), np.float32),
        cell + "bias": np.zeros(12, np.float32),
        "fully_connected/weights": bundle.arrays["output.kernel"],
        "fully_connected/biases": bundle.arrays["output.bias"],
    }
    (tmp_path / "model.ckpt-1").write_bytes(checkpoint_v1(variables))
    with pytest.raises(FormatError, match="12 inputs and 38 classes fits none of basic_rnn, mono_rnn"):
        load_bundle(tmp_path / "model.ckpt-1")


# What cannot


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing\.mag: there is no such bundle, checkpoint or run_dir"):
        load_bundle(tmp_path / "nothing.mag")
    with pytest.raises(DataError, match="no checkpoint in this run_dir or its train folder; train a model first"):
        load_bundle(tmp_path)
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-9"')
    with pytest.raises(DataError, match=r"checkpoint: it names model\.ckpt-9, which is not there"):
        load_bundle(tmp_path)


def damaged_lookback(**changes: object) -> bytes:
    bundle = GeneratorBundle.FromString((GOLDEN / "gold_lookback.mag").read_bytes())
    for name, value in changes.items():
        bundle.ClearField(name)
        if value is not None:
            bundle.MergeFrom(GeneratorBundle(**{name: value}))  # type: ignore[arg-type]
    return bundle.SerializeToString()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"MThd\0\0\0\6", "this is not a bundle or checkpoint, or it is damaged or cut off"),
        (np.random.default_rng(0).bytes(4096), "not a bundle or checkpoint"),
        (damaged_lookback()[:90_000], "this is not a bundle or checkpoint, or it is damaged or cut off"),
        (damaged_lookback(checkpoint_file=None), "a bundle has one checkpoint_file, but this one has none"),
        (damaged_lookback(checkpoint_file=[b"a", b"b"]), "one checkpoint_file, but this one has 2"),
        (damaged_lookback(checkpoint_file=[b"a"]), "not a TensorFlow checkpoint"),
        (damaged_lookback(metagraph_file=None), "metagraph_file is missing"),
        (damaged_lookback(metagraph_file=None, bundle_details=None), "metagraph_file is missing"),
        (damaged_lookback(generator_details=None), "does not say which model it holds"),
        (damaged_lookback(generator_details={"id": "polyphony"}), "a bundle of the model 'polyphony'"),
        (damaged_lookback(generator_details={"id": "a\nb" * 9999}), "a bundle of the model"),
        (encode_bundle(random_bundle())[:-1], "not an Ostinato checkpoint or bundle"),
    ],
)
def test_damaged_files_are_refused_in_one_line(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "x.mag"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=rf"x\.mag: .*{message}") as raised:
        load_bundle(path)
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 2010


# Each stands in the large golden set, with what the real Magenta made of it.
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("corrupt_checkpoint_byte", "wrong checksum"),
        ("empty", "the file is empty"),
        ("lookback_weights_as_attention", "is not attention_rnn"),
        ("no_checkpoint", "one checkpoint_file"),
        ("no_details", "does not say which model"),
        ("no_metagraph", "is missing"),
        ("random", "not a bundle or checkpoint"),
        ("truncated", "damaged or cut off"),
        ("unknown_id", "'polyphony'"),
    ],
)
def test_the_golden_bad_bundles(golden_public: Path, name: str, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        load_bundle(golden_public / "bad_inputs" / "other" / f"{name}.mag")


def test_a_bundle_that_could_not_be_played_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    bundle = random_bundle()
    bundle.arrays["lstm.1.bias"][2] = np.nan
    path.write_bytes(encode_bundle(bundle))
    with pytest.raises(FormatError, match=r"array lstm\.1\.bias holds values that are not finite numbers"):
        load_bundle(path)
    hparams = {"rnn_layer_sizes": (3, 2), "attn_length": 10**12}
    path.write_bytes(encode_bundle(random_bundle(preset("attention_rnn").with_hparams(hparams))))
    with pytest.raises(FormatError, match="the attention has length 1000000000000; at most 4096 can be played"):
        load_bundle(path)


def test_a_bundle_of_ours_whose_parts_disagree_is_refused(tmp_path: Path) -> None:
    save_bundle(random_bundle(), tmp_path / "x.mag")
    message = GeneratorBundle.FromString((tmp_path / "x.mag").read_bytes())
    message.generator_details.id = "mono_rnn"
    (tmp_path / "x.mag").write_bytes(message.SerializeToString())
    with pytest.raises(FormatError, match="say 'mono_rnn', but its checkpoint holds a basic_rnn model"):
        load_bundle(tmp_path / "x.mag")


def test_a_file_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.mag"
    with path.open("wb") as file:
        file.truncate(2 << 30)
    with pytest.raises(
        FormatError, match="2147483648 bytes is too large; a bundle or checkpoint has at most 1073741824"
    ):
        load_bundle(path)


# Bundles of ours


def test_a_bundle_is_written_as_documented(tmp_path: Path) -> None:
    bundle = random_bundle(provenance={"step": 300, "data": {"files": ["train.tfrecord"], "num_melodies": 12}})
    path = tmp_path / "new" / "x.mag"
    written = save_bundle(bundle, path, "mine")
    message = GeneratorBundle.FromString(path.read_bytes())
    text = "mine (trained for 300 steps on 12 melodies of train.tfrecord)"
    assert message.generator_details.id == "basic_rnn"
    assert message.bundle_details.description == text
    inner, extra = decode_bundle(message.checkpoint_file[0], "x")
    assert_same(inner, bundle)
    assert extra == {}
    notes = json.loads(message.metagraph_file)
    assert notes["format"] == "ostinato"
    assert notes["format_version"] == 1
    assert notes["checkpoint_format"] == "safetensors"
    assert Config.from_json(notes["config"]) == SMALL
    # 4 (38 + 3 + 1) 3 and 4 (3 + 2 + 1) 2 of the layers, (2 + 1) 38 of the output.
    assert notes["parameters"] == 504 + 48 + 114
    assert notes["arrays"]["lstm.1.kernel"] == [5, 8]
    found = load_bundle(path)
    assert_same(found, bundle)
    assert found.provenance == written.provenance == {**bundle.provenance, "description": text}
    assert list(path.parent.iterdir()) == [path]


def test_writing_again_adds_nothing_to_the_description(tmp_path: Path) -> None:
    first = save_bundle(random_bundle(provenance={"step": 3}), tmp_path / "x.mag", "mine")
    second = save_bundle(load_bundle(tmp_path / "x.mag"), tmp_path / "y.mag")
    assert first.provenance == second.provenance
    assert load_bundle(tmp_path / "y.mag").provenance == first.provenance


@pytest.mark.parametrize("name", ["gold_lookback", "gold_attention"])
def test_a_converted_bundle_is_the_same_model(tmp_path: Path, name: str) -> None:
    bundle = load_bundle(GOLDEN / f"{name}.mag")
    save_bundle(bundle, tmp_path / "new.mag")
    found = load_bundle(tmp_path / "new.mag")
    assert_same(found, bundle)
    model = name.removeprefix("gold_")
    assert found.provenance["description"] == (f"golden {model}_rnn 30 steps (made by Magenta with TensorFlow 2.15.1)")


def test_the_held_out_loss_goes_into_the_description(tmp_path: Path) -> None:
    event = pb.Event(step=10, summary={"value": [{"tag": "loss", "simple_value": 0.5}]})
    write_records(tmp_path / "eval" / "events.out.tfevents.1", [event.SerializeToString()])
    written = save_bundle(random_bundle(provenance={"step": 10}), tmp_path / "x.mag", run_dir=tmp_path)
    assert written.provenance["held_out"] == {"loss": 0.5, "step": 10}
    assert written.provenance["description"] == "Trained for 10 steps, held-out loss 0.5"


@pytest.mark.parametrize(
    ("provenance", "summary"),
    [
        ({}, ""),
        ({"step": 7}, "trained for 7 steps"),
        (
            {"step": 7, "data": {"files": ["a", "b", "c"], "num_melodies": 5}, "held_out": {"loss": 1.5, "step": 6}},
            "trained for 7 steps on 5 melodies of a and 2 more files, held-out loss 1.5 at step 6",
        ),
        ({"made_by": "Magenta", "step": 30}, "made by Magenta, trained for 30 steps"),
        ({"data": [], "held_out": "x"}, ""),
        ({"step": 1, "data": {"files": []}}, "trained for 1 steps"),
    ],
)
def test_what_is_known_of_the_training_in_words(provenance: dict[str, Any], summary: str) -> None:
    assert training_summary(provenance) == summary


# Cost and safety


def test_protobuf_is_loaded_only_for_a_mag(tmp_path: Path) -> None:
    checkpoint_path(tmp_path, 1).write_bytes(encode_bundle(random_bundle()))
    code = (
        "import sys; from ostinato.bundle import load_bundle; "
        f"load_bundle({os.fspath(tmp_path)!r}); print('google.protobuf' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_few_hundred_mutations_load_or_are_refused_cleanly() -> None:
    script = Path(__file__).parents[2] / "benchmarks" / "fuzz_bundle.py"
    done = subprocess.run(
        [sys.executable, script, "--mutations=400", "--seed=1"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == {"mutations": 400, "failures": 0}


def loss_event(step: int, tag: str, value: float) -> bytes:
    return pb.Event(step=step, summary={"value": [{"tag": tag, "simple_value": value}]}).SerializeToString()


def write_events(run_dir: Path, name: str, events: list[bytes]) -> None:
    # TensorBoard's files begin with an event that holds their version and no summary.
    write_records(run_dir / "eval" / f"events.out.tfevents.{name}", [b"\x1a\x0dbrain.Event:2", *events])


def test_the_loss_at_a_step_or_before_it(tmp_path: Path) -> None:
    write_events(
        tmp_path,
        "1",
        [loss_event(10, "loss", 2.5), loss_event(10, "metrics/accuracy", 0.25), loss_event(20, "loss", 1.25)],
    )
    write_events(tmp_path, "2", [loss_event(30, "loss", 0.123456)])
    assert held_out_loss(tmp_path, 20) == {"loss": 1.25, "step": 20}
    assert held_out_loss(tmp_path, 29) == {"loss": 1.25, "step": 20}
    assert held_out_loss(tmp_path, 99) == {"loss": 0.1235, "step": 30}
    assert held_out_loss(tmp_path, 9) is None


def test_a_run_that_was_not_evaluated(tmp_path: Path) -> None:
    assert held_out_loss(tmp_path, 20) is None
    write_events(tmp_path, "1", [])
    assert held_out_loss(tmp_path, 20) is None


def test_a_file_that_is_being_written(tmp_path: Path) -> None:
    write_events(tmp_path, "1", [loss_event(10, "loss", 2.5), b"\xff", loss_event(20, "loss", 1.5)])
    path = tmp_path / "eval" / "events.out.tfevents.1"
    path.write_bytes(path.read_bytes()[:-3])
    assert held_out_loss(tmp_path, 20) == {"loss": 2.5, "step": 10}


def test_what_pytorch_writes(tmp_path: Path) -> None:
    tensorboard = pytest.importorskip("torch.utils.tensorboard")
    with tensorboard.SummaryWriter(str(tmp_path / "eval")) as writer:
        writer.add_scalar("loss", 0.75, 40)
    assert held_out_loss(tmp_path, 40) == {"loss": 0.75, "step": 40}
