import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from safetensors.numpy import save

from ostinato.bundle import (
    FORMAT_VERSION,
    Bundle,
    array_shapes,
    checkpoint_path,
    checkpoints,
    decode_bundle,
    encode_bundle,
)
from ostinato.config import PRESETS, Config, preset
from ostinato.errors import FormatError, SettingsError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def random_bundle(config: Config, provenance: dict[str, Any] | None = None) -> Bundle:
    rng = np.random.default_rng(0)
    arrays = {name: rng.standard_normal(shape, np.float32) for name, shape in array_shapes(config).items()}
    return Bundle(config, arrays, provenance or {})


# Counted by hand from the equations of an LSTM, 4 (X + H + 1) H a layer, and of the attention.
def test_shapes_of_a_plain_stack() -> None:
    config = preset("lookback_rnn").with_hparams({"rnn_layer_sizes": (5, 7)})
    assert array_shapes(config) == {
        "lstm.0.kernel": (126, 20),
        "lstm.0.bias": (20,),
        "lstm.1.kernel": (12, 28),
        "lstm.1.bias": (28,),
        "output.kernel": (7, 40),
        "output.bias": (40,),
    }


def test_shapes_of_attention_around_the_stack() -> None:
    shapes = array_shapes(preset("attention_rnn").with_hparams({"rnn_layer_sizes": (5, 7)}))
    assert {name: shape for name, shape in shapes.items() if name.startswith("attention")} == {
        "attention.input.kernel": (81, 74),
        "attention.input.bias": (74,),
        "attention.query.kernel": (24, 7),
        "attention.query.bias": (7,),
        "attention.memory.kernel": (7, 7),
        "attention.score": (7,),
        "attention.output.kernel": (14, 7),
        "attention.output.bias": (7,),
    }
    assert shapes["lstm.0.kernel"] == (79, 20)


def test_shapes_of_attention_around_the_first_layer() -> None:
    shapes = array_shapes(
        preset("attention_rnn").with_hparams({"rnn_layer_sizes": (5, 7), "attn_scope": "first_layer"})
    )
    assert shapes["attention.input.kernel"] == (79, 74)
    assert shapes["attention.query.kernel"] == (10, 5)
    assert shapes["attention.output.kernel"] == (10, 5)
    assert shapes["lstm.1.kernel"] == (12, 28)


def test_shapes_with_residual_connections() -> None:
    hparams = {"rnn_layer_sizes": (5, 5, 7), "residual_connections": True}
    shapes = array_shapes(preset("basic_rnn").with_hparams(hparams))
    assert shapes["lstm.0.projection.kernel"] == (38, 5)
    assert shapes["lstm.0.kernel"] == (10, 20)
    assert "lstm.1.projection.kernel" not in shapes
    assert shapes["lstm.2.projection.kernel"] == (5, 7)
    assert shapes["lstm.2.kernel"] == (14, 28)


def test_a_bundle_refuses_arrays_that_are_not_its_configs() -> None:
    bundle = random_bundle(preset("basic_rnn").with_hparams({"rnn_layer_sizes": (4,)}))
    arrays = dict(bundle.arrays)
    arrays["output.bias"] = np.zeros(39, np.float32)
    with pytest.raises(FormatError, match=r"layers \[4\] needs array output\.bias of shape \(38,\), found \(39,\)"):
        Bundle(bundle.config, arrays)
    del arrays["output.bias"], arrays["output.kernel"]
    with pytest.raises(FormatError, match=r"output\.bias .* found none \(2 arrays differ\)"):
        Bundle(bundle.config, arrays)


@pytest.mark.parametrize("name", PRESETS)
def test_a_bundle_comes_back_as_it_was(name: str) -> None:
    bundle = random_bundle(preset(name), {"step": 7, "words": "größer"})
    moments = {"training.mean.output.bias": np.ones(3)}
    found, extra = decode_bundle(encode_bundle(bundle, moments), "x")
    assert found.config == bundle.config
    assert found.provenance == bundle.provenance
    assert extra.keys() == moments.keys()
    np.testing.assert_array_equal(extra["training.mean.output.bias"], np.ones(3))
    for array in bundle.arrays:
        np.testing.assert_array_equal(found.arrays[array], bundle.arrays[array])


def test_the_card_of_an_early_bundle_says_license() -> None:
    card = {"seed": 1, "licence": "Apache-2.0", "credits": "nobody"}
    found, _ = decode_bundle(encode_bundle(random_bundle(preset("basic_rnn"), {"step": 3, "card": card})), "early.mag")
    assert found.provenance == {"step": 3, "card": {"seed": 1, "license": "Apache-2.0", "credits": "nobody"}}


def test_the_bytes_of_a_file() -> None:
    config = preset("basic_rnn").with_hparams({"rnn_layer_sizes": (1,)})
    bundle = random_bundle(config, {"step": 1})
    data = encode_bundle(bundle)
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    metadata = header["__metadata__"]
    assert metadata["ostinato.format"] == "1"
    assert json.loads(metadata["ostinato.provenance"]) == {"step": 1}
    assert json.loads(metadata["ostinato.config"])["encoding"]["kind"] == "one_hot"
    assert header["output.bias"]["dtype"] == "F32"
    assert header["output.bias"]["shape"] == [38]
    begin, end = header["output.bias"]["data_offsets"]
    stored = np.frombuffer(data[8 + length + begin : 8 + length + end], "<f4")
    np.testing.assert_array_equal(stored, bundle.arrays["output.bias"])


def small_file(changes: dict[str, str | None], dtype: type[np.generic] = np.float32) -> bytes:
    config = preset("basic_rnn").with_hparams({"rnn_layer_sizes": (1,)})
    arrays = {name: np.zeros(shape, dtype) for name, shape in array_shapes(config).items()}
    metadata = {
        "ostinato.format": "1",
        "ostinato.config": json.dumps(config.to_json()),
        "ostinato.provenance": "{}",
        **changes,
    }
    return save(arrays, {name: text for name, text in metadata.items() if text is not None})


def test_half_precision_is_half_the_size_and_11_bits() -> None:
    bundle = random_bundle(preset("lookback_rnn"))
    written = encode_bundle(bundle, half_precision=True)
    read, _ = decode_bundle(written, "x")
    for name, array in bundle.arrays.items():
        # Rounded to the nearest of 11 significant bits.
        np.testing.assert_allclose(read.arrays[name], array, rtol=2**-11, atol=2**-25)
    numbers = sum(array.size for array in bundle.arrays.values())
    assert len(encode_bundle(bundle)) - len(written) == pytest.approx(2 * numbers, abs=256)
    too_large = {name: np.full_like(array, 70_000) for name, array in bundle.arrays.items()}
    with pytest.raises(SettingsError, match="too large for half precision"):
        encode_bundle(Bundle(bundle.config, too_large), half_precision=True)


def test_eight_bits_have_a_scale_for_each_column() -> None:
    bundle = random_bundle(preset("lookback_rnn"))
    kernel = np.zeros_like(bundle.arrays["output.kernel"])
    # 127 of them in the first column make 254, so one is 2: 3 is 1.5 of it, which rounds to the even 2, and -5 is -2.5.
    kernel[:4, 0] = [254, 3, -5, -254]
    kernel[0, 1] = 1
    written = encode_bundle(Bundle(bundle.config, {**bundle.arrays, "output.kernel": kernel}), eight_bits=True)
    read, _ = decode_bundle(written, "x")
    assert read.arrays["output.kernel"][:5, 0].tolist() == [254, 4, -4, -254, 0]
    assert read.arrays["output.kernel"][0, 1:3].tolist() == [1, 0]
    assert all(array.dtype == np.float32 for array in read.arrays.values())
    for name, array in bundle.arrays.items():
        if array.ndim == 1:
            np.testing.assert_array_equal(read.arrays[name], array.astype(np.float16))
        elif name != "output.kernel":
            off = np.abs(read.arrays[name] - array) / np.abs(array).max(axis=0)
            assert off.max() <= 0.5 / 127 * 1.0001
    assert len(encode_bundle(bundle)) > 3.8 * len(written)


@pytest.mark.parametrize(
    "arrays",
    [
        {"output.bias.scale": np.ones(40, np.float32)},  # scales what is not of 8 bits
        {"nothing.scale": np.ones(40, np.float32)},
        {"output.kernel": np.ones((4, 40), np.int8), "output.kernel.scale": np.ones(40, np.float16)},
        {"output.kernel": np.ones((4, 40), np.int8), "output.kernel.scale": np.ones(39, np.float32)},
        {"output.kernel": np.ones((4, 40), np.int8)},
    ],
)
def test_scales_of_nothing_are_refused(arrays: "dict[str, NDArray[Any]]") -> None:
    metadata = {"ostinato.format": "1", "ostinato.config": json.dumps(preset("lookback_rnn").to_json())}
    bundle = random_bundle(preset("lookback_rnn"))
    data = save({**bundle.arrays, **arrays}, {**metadata, "ostinato.provenance": "{}"})
    with pytest.raises(FormatError, match=r"^x: "):
        decode_bundle(data, "x")


def test_half_precision_is_read_as_single() -> None:
    bundle, _ = decode_bundle(small_file({}, np.float16), "x")
    assert all(array.dtype == np.float32 for array in bundle.arrays.values())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not an Ostinato checkpoint"),
        (b"\xff" * 16, "not an Ostinato checkpoint"),
        (struct.pack("<Q", 2) + b"{}", "not an Ostinato checkpoint"),
        (struct.pack("<Q", 4000) + b"[" * 4000, "RecursionError"),
        (small_file({})[:-1], "not an Ostinato checkpoint"),
        (small_file({}, np.int32), "does not hold real numbers"),
        (small_file({"ostinato.format": str(FORMAT_VERSION + 1)}), "newer Ostinato"),
        (small_file({"ostinato.format": "one"}), "not an Ostinato checkpoint"),
        (small_file({"ostinato.config": None}), "ostinato.config"),
        (small_file({"ostinato.config": "{}"}), "no settings of a model"),
        (small_file({"ostinato.config": "[" * 4000}), "RecursionError"),
        (small_file({"ostinato.provenance": "[]"}), "the provenance is not a table"),
    ],
)
def test_what_is_no_bundle_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=f"^song.safetensors: .*{message}"):
        decode_bundle(data, "song.safetensors")


def test_checkpoints_are_found_by_their_step(tmp_path: Path) -> None:
    assert checkpoint_path(tmp_path, 30).name == "checkpoint-00000030.safetensors"
    for step in (123_456_789, 5, 40):
        checkpoint_path(tmp_path, step).touch()
    (tmp_path / "checkpoint-x.safetensors").touch()
    (tmp_path / "settings.json").touch()
    assert checkpoints(tmp_path) == [(step, checkpoint_path(tmp_path, step)) for step in (5, 40, 123_456_789)]
    assert checkpoints(tmp_path / "missing") == []


def test_arrays_need_not_be_contiguous() -> None:
    bundle = random_bundle(preset("basic_rnn").with_hparams({"rnn_layer_sizes": (3,)}))
    turned: dict[str, NDArray[np.float32]] = {name: np.asfortranarray(array) for name, array in bundle.arrays.items()}
    found, _ = decode_bundle(encode_bundle(Bundle(bundle.config, turned)), "x")
    np.testing.assert_array_equal(found.arrays["lstm.0.kernel"], bundle.arrays["lstm.0.kernel"])
