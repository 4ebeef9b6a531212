import contextlib
import dataclasses
import errno
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ostinato.bundle import Bundle, array_shapes, checkpoints, decode_bundle
from ostinato.config import preset
from ostinato.encodings import LookbackEncoding
from ostinato.errors import FormatError, OstinatoError, SettingsError
from ostinato.training.checkpoints import (
    Checkpoint,
    Origin,
    latest_checkpoint,
    only_job,
    read_checkpoint,
    require_same,
    require_same_origin,
    save_checkpoint,
    stored_run,
    train_folder,
    write_settings,
)
from ostinato.training.data import Position

CONFIG = preset("attention_rnn").with_hparams({"rnn_layer_sizes": (3,), "attn_length": 2})


def checkpoint(step: int = 7, **changes: Any) -> Checkpoint:
    chance = np.random.default_rng(abs(step))

    def arrays() -> dict[str, Any]:
        return {name: chance.random(shape, np.float32) for name, shape in array_shapes(CONFIG).items()}

    made = Checkpoint(CONFIG, arrays(), arrays(), arrays(), step, Position(2, 5), seed=2**32 - 1, history={"loss": 0.5})
    return dataclasses.replace(made, **changes)


def steps(run_dir: Path) -> list[int]:
    return [step for step, _ in checkpoints(train_folder(run_dir))]


def test_nothing_is_lost() -> None:
    before = checkpoint()
    after = Checkpoint.from_bytes(before.to_bytes(), "memory")
    assert (after.config, after.step, after.position) == (CONFIG, 7, Position(2, 5))
    assert (after.seed, after.history) == (2**32 - 1, {"loss": 0.5})
    for old, new in ((before.arrays, after.arrays), (before.means, after.means), (before.squares, after.squares)):
        assert old.keys() == new.keys()
        for name in old:
            np.testing.assert_array_equal(old[name], new[name])


def test_weights_and_their_average_stand_side_by_side() -> None:
    averaging = CONFIG.with_hparams({"weight_averaging": 0.9})
    weights = {name: np.full(shape, 2, np.float32) for name, shape in array_shapes(CONFIG).items()}
    data = checkpoint(config=averaging, weights=weights).to_bytes()
    after = Checkpoint.from_bytes(data, "memory")
    assert after.weights is not None
    for name, array in checkpoint().arrays.items():
        np.testing.assert_array_equal(after.arrays[name], array)
        np.testing.assert_array_equal(after.weights[name], weights[name])
    # What is played is the average.
    bundle, extra = decode_bundle(data, "memory")
    np.testing.assert_array_equal(bundle.arrays["output.bias"], checkpoint().arrays["output.bias"])
    np.testing.assert_array_equal(extra["training.weight.output.bias"], weights["output.bias"])
    for wrong in (checkpoint(config=averaging), checkpoint(weights=weights)):
        with pytest.raises(FormatError, match="this model has no training state"):
            Checkpoint.from_bytes(wrong.to_bytes(), "memory")


def test_a_checkpoint_from_before_averaging_was_there_is_read() -> None:
    settings = CONFIG.to_json()
    del settings["hparams"]["weight_averaging"]
    data = checkpoint().to_bytes()
    size = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:size])
    header["__metadata__"]["ostinato.config"] = json.dumps(settings)
    older = json.dumps(header).encode()
    after = Checkpoint.from_bytes(len(older).to_bytes(8, "little") + older + data[size:], "memory")
    assert (after.config, after.weights) == (CONFIG, None)


def test_generation_reads_a_checkpoint_as_a_bundle() -> None:
    bundle, extra = decode_bundle(checkpoint().to_bytes(), "memory")
    assert bundle.provenance == {"loss": 0.5, "step": 7, "epoch": 2, "batch": 5, "seed": 2**32 - 1}
    assert set(extra) == {f"training.{kind}.{name}" for kind in ("mean", "square") for name in array_shapes(CONFIG)}


def test_a_bundle_without_training_state_is_refused() -> None:
    bare = checkpoint(means={}, squares={})
    no_place = checkpoint(step=-1)
    for wrong in (bare, no_place):
        with pytest.raises(FormatError, match="this model has no training state"):
            Checkpoint.from_bytes(wrong.to_bytes(), "memory")


def test_moments_of_another_kind_are_refused() -> None:
    shapes = array_shapes(CONFIG)
    of_another_shape = {name: np.zeros(1, np.float32) for name in shapes}
    of_another_type = {name: np.zeros(shape, np.float64) for name, shape in shapes.items()}
    for wrong in (of_another_shape, of_another_type):
        with pytest.raises(FormatError, match="its training arrays differ from the model"):
            Checkpoint.from_bytes(checkpoint(means=wrong).to_bytes(), "memory")


WHOLE = checkpoint().to_bytes()


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_a_damaged_file_is_an_error_or_other_numbers(place: int, flip: int) -> None:
    data = bytearray(WHOLE)
    data[place] ^= flip
    with contextlib.suppress(FormatError):
        Checkpoint.from_bytes(bytes(data), "memory")


@given(st.integers(0, len(WHOLE) - 1))
def test_a_file_that_is_cut_off_is_an_error(size: int) -> None:
    with pytest.raises(FormatError, match="memory"):
        Checkpoint.from_bytes(WHOLE[:size], "memory")


def test_the_newest_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 10, 9):
        save_checkpoint(train_folder(tmp_path), checkpoint(step), keep=3)
    assert steps(tmp_path) == [2, 9, 10]
    assert latest_checkpoint(tmp_path) == tmp_path / "train" / "checkpoint-00000010.safetensors"
    found = stored_run(tmp_path)
    assert found is not None
    assert found.step == 10


def test_a_run_that_made_no_step_has_nothing_to_go_on_from(tmp_path: Path) -> None:
    assert stored_run(tmp_path) is None
    assert latest_checkpoint(tmp_path) is None
    save_checkpoint(train_folder(tmp_path), checkpoint(0), keep=3)
    assert stored_run(tmp_path) is None


def test_a_full_disk_leaves_the_earlier_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(train_folder(tmp_path), checkpoint(1), keep=1)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OstinatoError, match=r"checkpoint-00000002.*No space left.*checkpoint-00000001.* is safe"):
        save_checkpoint(train_folder(tmp_path), checkpoint(2), keep=1)
    monkeypatch.undo()
    assert [path.name for path in train_folder(tmp_path).iterdir()] == ["checkpoint-00000001.safetensors"]
    assert read_checkpoint(train_folder(tmp_path) / "checkpoint-00000001.safetensors").step == 1


def test_a_damaged_newest_checkpoint_says_what_to_do(tmp_path: Path) -> None:
    save_checkpoint(train_folder(tmp_path), checkpoint(1), keep=3)
    newest = save_checkpoint(train_folder(tmp_path), checkpoint(2), keep=3)
    newest.write_bytes(newest.read_bytes()[:-1])
    with pytest.raises(
        FormatError, match=r"checkpoint-00000002.*delete this file to continue from the checkpoint before"
    ):
        stored_run(tmp_path)
    newest.unlink()
    found = stored_run(tmp_path)
    assert found is not None
    assert found.step == 1


def test_contradictions_are_named() -> None:
    require_same(CONFIG, CONFIG, "run1")
    with pytest.raises(SettingsError, match=r"^run1: .* hparam rnn_layer_sizes \[3\], not \[4\]"):
        require_same(CONFIG, CONFIG.with_hparams({"rnn_layer_sizes": (4,)}), "run1")
    with pytest.raises(SettingsError, match="config attention_rnn, not basic_rnn"):
        require_same(CONFIG, preset("basic_rnn"), "run1")
    lookback = preset("lookback_rnn")
    with pytest.raises(SettingsError, match="encoding"):
        require_same(lookback, dataclasses.replace(lookback, encoding=LookbackEncoding(min_pitch=36)), "run1")


def test_an_origin_is_told_by_its_arrays(tmp_path: Path) -> None:
    basic = preset("basic_rnn").with_hparams({"rnn_layer_sizes": (1,)})
    zeros = {name: np.zeros(shape, np.float32) for name, shape in array_shapes(basic).items()}
    origin = Origin(tmp_path / "old.mag", Bundle(basic, zeros, {"made_by": "Magenta", "step": 30}))
    # Name, shape and little endian floats of each array, by name.
    written = b"".join(
        f"{name} {shape} ".encode() + bytes(4 * int(np.prod(shape)))
        for name, shape in (
            ("lstm.0.bias", (4,)),
            ("lstm.0.kernel", (39, 4)),
            ("output.bias", (38,)),
            ("output.kernel", (1, 38)),
        )
    )
    assert origin.told() == {
        "file": "old.mag",
        "sha256": hashlib.sha256(written).hexdigest(),
        "training": "made by Magenta, trained for 30 steps",
    }
    (tmp_path / "run1").mkdir()
    unknown = Origin(f"{tmp_path}/run1/", Bundle(basic, zeros))
    assert unknown.told() == {"file": "run1", "sha256": origin.told()["sha256"]}


def test_a_run_has_one_origin() -> None:
    origin, other = (Origin(f"{step}.mag", Bundle(CONFIG, checkpoint(step).arrays)) for step in (1, 2))
    begun = checkpoint(history={"init_from": origin.told()})
    require_same_origin(begun, origin, "run1")
    require_same_origin(begun, dataclasses.replace(origin, path="renamed.mag"), "run1")
    with pytest.raises(SettingsError, match=r"^run1: .* from 1\.mag, arrays of SHA-256 .* not from --init_from=2\.mag"):
        require_same_origin(begun, other, "run1")
    for history in ({}, {"init_from": "words"}):
        with pytest.raises(SettingsError, match=r"^run1: .* from random values, not from --init_from=1\.mag"):
            require_same_origin(checkpoint(history=history), origin, "run1")


def test_settings_are_there_to_read(tmp_path: Path) -> None:
    write_settings(tmp_path, {"config": CONFIG.to_json()})
    text = (tmp_path / "train" / "settings.json").read_text()
    assert json.loads(text) == {"config": CONFIG.to_json()}


def test_a_second_job_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    with only_job(tmp_path), pytest.raises(OstinatoError, match="another training job"), only_job(tmp_path):
        pass
    with only_job(tmp_path):
        pass


def test_the_lock_of_a_killed_job_does_not_hold(tmp_path: Path) -> None:
    program = f"""
import os, signal
from ostinato.training.checkpoints import only_job
with only_job({str(tmp_path)!r}):
    open({str(tmp_path / "train" / ".checkpoint-00000001.safetensors.1.2.tmp")!r}, "x").close()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", program]).returncode < 0
    assert [path.name for path in train_folder(tmp_path).glob(".*")] == [".checkpoint-00000001.safetensors.1.2.tmp"]
    with only_job(tmp_path):
        assert list(train_folder(tmp_path).glob(".*")) == []
