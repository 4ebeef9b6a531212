import json
import logging
import math
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]

import tiny_examples
from ostinato.bundle import Bundle, checkpoint_path, checkpoints, load_bundle, save_bundle
from ostinato.config import Config, preset
from ostinato.errors import DataError, FormatError, OstinatoError, SettingsError
from ostinato.formats.tensorflow.sequence_example import Example, serialize_sequence_example
from ostinato.formats.tensorflow.tfrecord import write_records
from ostinato.music.melody import Melody
from ostinato.training.checkpoints import (
    Checkpoint,
    Origin,
    best_folder,
    latest_checkpoint,
    only_job,
    read_checkpoint,
    train_folder,
)
from ostinato.training.data import Examples, Position, load_examples
from ostinato.training.evaluation import Summary, evaluate
from ostinato.training.hardware import Processes
from ostinato.training.job import Best, EarlyStopping, TrainReport, TrainSettings, train
from ostinato.training.network import MelodyNetwork
from ostinato.training.step import Learner, Metrics

LOOKBACK = preset("lookback_rnn").with_hparams(
    {"batch_size": 4, "rnn_layer_sizes": (8,), "initial_learning_rate": 0.01}
)
ATTENTION = preset("attention_rnn").with_hparams(
    {"batch_size": 4, "rnn_layer_sizes": (8,), "attn_length": 4, "initial_learning_rate": 0.01}
)

BASIC = preset("basic_rnn").with_hparams({"batch_size": 4, "rnn_layer_sizes": (4,)})

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture
def examples(tmp_path: Path) -> Examples:
    return tiny_examples.examples(tmp_path, LOOKBACK, 11)


def learn(run_dir: Path, examples: Examples, steps: int, config: Config = LOOKBACK, **settings: Any) -> TrainReport:
    arguments = {"device": "cpu", "seed": 3, **settings}
    return train(run_dir, examples, config, TrainSettings(num_training_steps=steps, **arguments))


def newest(run_dir: Path) -> Checkpoint:
    path = latest_checkpoint(run_dir)
    assert path is not None
    return read_checkpoint(path)


def same(one: Checkpoint, other: Checkpoint) -> bool:
    return (one.step, one.position, one.seed) == (other.step, other.position, other.seed) and all(
        mine.keys() == its.keys() and all(np.array_equal(mine[name], its[name]) for name in mine)
        for mine, its in (
            (one.arrays, other.arrays),
            (one.means, other.means),
            (one.squares, other.squares),
            (one.weights or {}, other.weights or {}),
        )
    )


@pytest.mark.parametrize(
    ("config", "steps", "bound"),
    [
        (LOOKBACK.with_hparams({"rnn_layer_sizes": (48,), "dropout_keep_prob": 1.0}), 150, 0.1),
        (ATTENTION.with_hparams({"rnn_layer_sizes": (32,), "dropout_keep_prob": 1.0}), 150, 0.2),
    ],
    ids=["lookback", "attention"],
)
def test_a_few_melodies_are_learned_by_heart(config: Config, steps: int, bound: float, tmp_path: Path) -> None:
    examples = tiny_examples.examples(tmp_path, config, 4, longest=24)
    report = learn(tmp_path / "run", examples, steps, config, summary_frequency=steps // 10)
    assert report.last is not None
    assert report.last.metrics.loss < bound
    assert report.last.metrics.accuracy > 0.97


def test_at_first_the_network_guesses(examples: Examples, tmp_path: Path) -> None:
    report = learn(tmp_path / "run", examples, 1)
    assert report.last is not None
    assert report.last.metrics.loss == pytest.approx(math.log(40), abs=0.3)


AVERAGING = LOOKBACK.with_hparams({"weight_averaging": 0.8})


@pytest.mark.parametrize("config", [LOOKBACK, ATTENTION, AVERAGING], ids=["lookback", "attention", "averaging"])
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(config: Config, tmp_path: Path) -> None:
    # With dropout, over the ends of epochs (3 batches each).
    examples = tiny_examples.examples(tmp_path, config, 11)
    learn(tmp_path / "whole", examples, 8, config)
    for steps in (1, 5, 8):
        report = learn(tmp_path / "parts", examples, steps, config)
    assert (report.first_step, report.step, report.stopped) == (5, 8, False)
    assert same(newest(tmp_path / "parts"), newest(tmp_path / "whole"))


def test_another_seed_is_another_run(examples: Examples, tmp_path: Path) -> None:
    for seed in (None, 1, 2):
        learn(tmp_path / str(seed), examples, 1, seed=seed)
    one, two = newest(tmp_path / "1"), newest(tmp_path / "2")
    assert not np.array_equal(one.arrays["lstm.0.kernel"], two.arrays["lstm.0.kernel"])
    assert newest(tmp_path / "None").seed not in (1, 2)


def test_training_leaves_the_callers_random_numbers_alone(examples: Examples, tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    learn(tmp_path / "run", examples, 2)
    assert torch.rand(1) == expected


def test_a_stop_ends_after_the_running_step_and_loses_nothing(examples: Examples, tmp_path: Path) -> None:
    learn(tmp_path / "whole", examples, 6)
    stop = threading.Event()

    def on_step(step: int, summary: Summary | None) -> None:
        if step == 4:
            stop.set()

    endless = TrainSettings(num_training_steps=0, device="cpu", seed=3)
    report = train(tmp_path / "run", examples, LOOKBACK, endless, stop=stop, on_step=on_step)
    assert (report.step, report.stopped) == (4, True)
    assert newest(tmp_path / "run").step == 4
    learn(tmp_path / "run", examples, 6)
    assert same(newest(tmp_path / "run"), newest(tmp_path / "whole"))


def test_a_run_that_is_done_stays_as_it_is(examples: Examples, tmp_path: Path) -> None:
    learn(tmp_path / "run", examples, 2)
    before = sorted(path.name for path in train_folder(tmp_path / "run").iterdir())
    report = learn(tmp_path / "run", examples, 2)
    assert (report.first_step, report.step) == (2, 2)
    assert sorted(path.name for path in train_folder(tmp_path / "run").iterdir()) == before


def test_checkpoints_and_what_they_tell(examples: Examples, tmp_path: Path) -> None:
    learn(tmp_path / "run", examples, 5, checkpoint_seconds=0, num_checkpoints=2)
    assert [step for step, _ in checkpoints(train_folder(tmp_path / "run"))] == [4, 5]
    history = newest(tmp_path / "run").history
    steps = int(examples.lengths.sum())
    assert history["data"] == {
        "files": ["lookback_rnn.tfrecord"],
        "num_melodies": 11,
        "num_steps": steps,
        "upbeats": 0.0,
    }
    assert history["metrics"]["loss"] > 0
    settings = json.loads((train_folder(tmp_path / "run") / "settings.json").read_text())
    assert settings["config"] == LOOKBACK.to_json()
    assert settings["training"]["seed"] == 3


def test_the_first_checkpoint_is_there_before_the_first_step(examples: Examples, tmp_path: Path) -> None:
    learn(tmp_path / "run", examples, 1)
    assert [step for step, _ in checkpoints(train_folder(tmp_path / "run"))] == [0, 1]


def test_a_run_begins_from_a_model(tmp_path: Path) -> None:
    # Without dropout, all in one batch: the first loss is the model's own, and Adam begins afresh.
    path = GOLDEN / "gold_attention.mag"
    bundle = load_bundle(path)
    config = bundle.config.with_hparams(
        {"batch_size": 11, "dropout_keep_prob": 1.0, "initial_learning_rate": 0.02, "lr_schedule": "cosine"}
    )
    examples = tiny_examples.examples(tmp_path, config, 11)
    network = MelodyNetwork(config)
    network.load_arrays(bundle.arrays)
    own_loss = evaluate(network, examples).loss
    losses: list[float] = []

    def on_step(step: int, summary: Summary | None) -> None:
        assert summary is not None
        losses.append(summary.metrics.loss)

    def tune(steps: int) -> TrainReport:
        settings = TrainSettings(num_training_steps=steps, summary_frequency=1, device="cpu", seed=3)
        return train(tmp_path / "run", examples, config, settings, origin=Origin(path, bundle), on_step=on_step)

    assert tune(6).step == 6
    first = read_checkpoint(checkpoint_path(train_folder(tmp_path / "run"), 0))
    assert all(np.array_equal(first.arrays[name], array) for name, array in bundle.arrays.items())
    assert not any(moment.any() for moments in (first.means, first.squares) for moment in moments.values())
    assert (first.step, first.position) == (0, Position())
    # The same call goes on with the run.
    report = tune(12)
    assert (report.first_step, report.step) == (6, 12)
    assert losses[0] == pytest.approx(own_loss, rel=1e-5)
    assert losses[-1] < 0.8 * losses[0]
    # And a bundle made from it says so.
    saved = save_bundle(load_bundle(tmp_path / "run"), tmp_path / "mine.mag")
    assert saved.provenance["init_from"]["file"] == "gold_attention.mag"
    assert len(saved.provenance["init_from"]["sha256"]) == 64
    assert saved.provenance["init_from"]["training"] == "made by Magenta with TensorFlow 2.15.1"
    settings = json.loads((train_folder(tmp_path / "run") / "settings.json").read_text())
    assert settings["init_from"] == saved.provenance["init_from"]


def test_a_model_of_another_shape_is_no_beginning(examples: Examples, tmp_path: Path) -> None:
    origin = Origin("gold_lookback.mag", load_bundle(GOLDEN / "gold_lookback.mag"))
    with pytest.raises(FormatError, match=r"layers \[8\] needs array"):
        train(tmp_path / "run", examples, LOOKBACK, TrainSettings(1, device="cpu"), origin=origin)


def test_a_run_keeps_its_settings(examples: Examples, tmp_path: Path) -> None:
    learn(tmp_path / "run", examples, 1)
    with pytest.raises(SettingsError, match=r"hparam batch_size 4, not 8"):
        learn(tmp_path / "run", examples, 2, LOOKBACK.with_hparams({"batch_size": 8}))
    with pytest.raises(SettingsError, match="--seed=3, not 4"):
        learn(tmp_path / "run", examples, 2, seed=4)
    assert learn(tmp_path / "run", examples, 2, seed=None).step == 2


def test_a_second_job_is_refused(examples: Examples, tmp_path: Path) -> None:
    with only_job(tmp_path / "run"), pytest.raises(OstinatoError, match="another training job"):
        learn(tmp_path / "run", examples, 1)


def test_other_data_are_told(examples: Examples, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    learn(tmp_path / "run", examples, 4)
    fewer = tiny_examples.examples(tmp_path, LOOKBACK, 3)
    with caplog.at_level(logging.WARNING):
        assert learn(tmp_path / "run", fewer, 6).step == 6
    assert "the data differ" in caplog.text


def test_tensorboard_reads_the_curves(examples: Examples, tmp_path: Path) -> None:
    learn(tmp_path / "run", examples, 5, summary_frequency=2)
    scalars = EventAccumulator(str(train_folder(tmp_path / "run"))).Reload()
    tags = {"loss", "metrics/perplexity", "metrics/accuracy", "metrics/event_accuracy", "learning_rate"}
    assert tags <= set(scalars.Tags()["scalars"])
    assert [event.step for event in scalars.Scalars("loss")] == [2, 4, 5]
    assert [event.value for event in scalars.Scalars("learning_rate")] == [pytest.approx(0.01)] * 3


def test_what_a_killed_job_wrote_too_far_is_written_over(examples: Examples, tmp_path: Path) -> None:
    learn(tmp_path / "run", examples, 2, summary_frequency=1)
    learn(tmp_path / "run", examples, 5, summary_frequency=1)
    (train_folder(tmp_path / "run") / "checkpoint-00000005.safetensors").unlink()
    # TensorBoard reads files by name. It has the second and a count: within a second the tenth is before the ninth.
    time.sleep(1)
    learn(tmp_path / "run", examples, 4, summary_frequency=1)
    scalars = EventAccumulator(str(train_folder(tmp_path / "run"))).Reload()
    assert [event.step for event in scalars.Scalars("loss")] == [1, 2, 3, 4]


def held_out_run(
    run_dir: Path, examples: Examples, held_out: Examples, config: Config = LOOKBACK, **settings: Any
) -> tuple[TrainReport, dict[int, float]]:
    """Train with held-out melodies; what the evaluations found, by step."""
    losses: dict[int, float] = {}

    def on_evaluation(step: int, metrics: Metrics) -> None:
        losses[step] = metrics.loss

    arguments = {"device": "cpu", "seed": 3, **settings}
    report = train(
        run_dir, examples, config, TrainSettings(**arguments), held_out=held_out, on_evaluation=on_evaluation
    )
    return report, losses


def stored_best(run_dir: Path) -> Checkpoint:
    ((_, path),) = checkpoints(best_folder(run_dir))
    return read_checkpoint(path)


@pytest.mark.parametrize("config", [LOOKBACK, AVERAGING], ids=["plain", "averaging"])
def test_the_model_that_did_best_on_held_out_melodies_is_kept(
    config: Config, examples: Examples, tmp_path: Path
) -> None:
    held_out = tiny_examples.examples(tmp_path, config, 5, seed=1)
    run_dir = tmp_path / "run"
    report, losses = held_out_run(run_dir, examples, held_out, config, num_training_steps=7, eval_every=2)
    assert list(losses) == [0, 2, 4, 6, 7]
    assert report.best is not None
    assert losses[report.best.step] == min(losses.values())
    assert report.best.loss == round(min(losses.values()), 4)
    best = stored_best(run_dir)
    assert best.step == report.best.step
    assert best.history["held_out"] == {"loss": report.best.loss, "step": best.step, "data": held_out.told()}
    network = MelodyNetwork(config)
    network.load_arrays(load_bundle(best_folder(run_dir)).arrays)
    assert evaluate(network, held_out).loss == losses[best.step]
    scalars = EventAccumulator(str(run_dir / "eval")).Reload()
    assert [event.step for event in scalars.Scalars("loss")] == list(losses)
    # Evaluation changes nothing in the training.
    learn(tmp_path / "without", examples, 7, config)
    assert same(newest(run_dir), newest(tmp_path / "without"))


def test_training_ends_when_the_model_gets_no_better(tmp_path: Path, examples: Examples) -> None:
    # A model that learns its few melodies by heart does worse and worse on others.
    config = LOOKBACK.with_hparams({"rnn_layer_sizes": (48,), "dropout_keep_prob": 1.0, "initial_learning_rate": 0.03})
    held_out = tiny_examples.examples(tmp_path, config, 5, seed=1)
    settings = {"num_training_steps": 400, "eval_every": 3, "patience": 3}
    report, losses = held_out_run(tmp_path / "run", examples, held_out, config, **settings)
    assert (report.converged, report.stopped) == (True, False)
    assert report.best is not None
    assert report.step == report.best.step + 9 == max(losses)
    # The same command once more finds nothing to do.
    again, losses = held_out_run(tmp_path / "run", examples, held_out, config, **settings)
    assert (again.step, again.converged, losses) == (report.step, True, {})
    # In parts it ends where it does as a whole.
    for steps in (3, report.step - 6, 400):
        parts, _ = held_out_run(
            tmp_path / "parts", examples, held_out, config, **{**settings, "num_training_steps": steps}
        )
    assert (parts.step, parts.best) == (report.step, report.best)
    assert same(newest(tmp_path / "parts"), newest(tmp_path / "run"))


def test_the_best_on_other_melodies_is_no_measure(
    tmp_path: Path, examples: Examples, caplog: pytest.LogCaptureFixture
) -> None:
    held_out_run(tmp_path / "run", examples, tiny_examples.examples(tmp_path, LOOKBACK, 5), num_training_steps=2)
    other = tiny_examples.examples(tmp_path, LOOKBACK, 4)
    report, losses = held_out_run(tmp_path / "run", examples, other, num_training_steps=4)
    assert "measured on other held-out data" in caplog.text
    assert list(losses) == [2, 4]
    assert report.best is not None
    assert report.best.loss == round(min(losses.values()), 4)


def test_time_ends_the_training_with_an_evaluation(tmp_path: Path, examples: Examples) -> None:
    held_out = tiny_examples.examples(tmp_path, LOOKBACK, 5, seed=1)
    report, losses = held_out_run(tmp_path / "run", examples, held_out, max_seconds=0.3)
    assert (report.stopped, report.converged) == (False, False)
    assert 0.3 <= report.seconds < 5
    assert list(losses)[-1] == report.step > 0


def learner(step: int, *, certain: bool) -> Learner:
    """A job after some steps: certain that no event follows, or guessing."""
    arrays = MelodyNetwork(BASIC, generator=torch.Generator().manual_seed(0)).arrays()
    if certain:
        arrays["output.bias"][0] = 20
    zeros = {name: np.zeros_like(array) for name, array in arrays.items()}
    start = Checkpoint(BASIC, arrays, zeros, zeros, step, Position(), seed=0)
    return Learner(start, torch.device("cpu"), Processes())


def watch(folder: Path, *, count: int = 5, patience: int = 2, first_step: int = 0) -> EarlyStopping:
    examples = tiny_examples.examples(folder, BASIC, count)
    return EarlyStopping(folder / "run", examples, first_step=first_step, eval_every=10, patience=patience)


@pytest.mark.usefixtures("one_thread")
def test_patience_counts_the_evaluations_since_the_best(tmp_path: Path) -> None:
    watched = watch(tmp_path)
    assert not watched.is_over(1000)  # nothing is known yet
    losses = [watched.evaluate(learner(step, certain=step != 10), {}).loss for step in (0, 10, 20, 30)]
    assert losses[1] < losses[0] == losses[2]
    assert watched.best == Best(round(losses[1], 4), 10)
    assert watched.last_step == 30
    assert [watched.is_over(step) for step in (10, 20, 29, 30)] == [False, False, False, True]
    watched.close()
    endless = watch(tmp_path, patience=0)
    assert endless.best == watched.best
    assert not endless.is_over(1000)
    endless.close()


@pytest.mark.usefixtures("one_thread")
def test_an_equal_loss_is_no_better(tmp_path: Path) -> None:
    watched = watch(tmp_path)
    for step in (0, 10):
        watched.evaluate(learner(step, certain=False), {})
    assert watched.best is not None
    assert watched.best.step == 0
    watched.close()


@pytest.mark.usefixtures("one_thread")
def test_what_was_found_is_kept_for_the_same_melodies(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = watch(tmp_path)
    first.evaluate(learner(0, certain=False), {"seconds": 1.5})
    first.close()
    same = watch(tmp_path, first_step=7)
    assert (same.best, same.last_step) == (first.best, 7)
    same.close()
    assert not caplog.text
    other = watch(tmp_path, count=6)
    assert other.best is None
    assert "other held-out data" in caplog.text
    other.close()


def test_sample_melodies_are_shown(tmp_path: Path, examples: Examples) -> None:
    steps = []

    def sample(bundle: Bundle) -> list[Melody]:
        steps.append(bundle.provenance["step"])
        assert bundle.provenance["seed"] == 3
        return [Melody([60, 62])]

    settings = TrainSettings(num_training_steps=5, sample_every=2, device="cpu", seed=3)
    train(tmp_path / "run", examples, LOOKBACK, settings, sample=sample)
    assert steps == [2, 4]
    shown = EventAccumulator(str(train_folder(tmp_path / "run"))).Reload().Images("samples/1")
    assert [image.step for image in shown] == [2, 4]
    learn(tmp_path / "without", examples, 5)
    assert same(newest(tmp_path / "run"), newest(tmp_path / "without"))


def test_a_loss_that_is_no_number_stops_with_the_last_good_checkpoint(tmp_path: Path) -> None:
    good = [
        serialize_sequence_example(Example(*LOOKBACK.encoding.encode(melody))) for melody in tiny_examples.melodies(2)
    ]
    bad = Example(np.full((5, 121), np.nan, np.float32), np.zeros(5, np.int64))
    write_records(tmp_path / "bad.tfrecord", [good[0], serialize_sequence_example(bad), good[1]])
    examples = load_examples(str(tmp_path / "bad.tfrecord"), LOOKBACK)
    config = LOOKBACK.with_hparams({"batch_size": 1})
    with pytest.raises(OstinatoError, match=r"the loss at step \d is nan.* records 2 "):
        learn(tmp_path / "run", examples, 20, config, checkpoint_seconds=0)
    assert all(np.isfinite(array).all() for array in newest(tmp_path / "run").arrays.values())


def test_skipping_all_steps_is_an_error(examples: Examples, tmp_path: Path) -> None:
    config = LOOKBACK.with_hparams({"skip_first_n_losses": 100})
    with pytest.raises(DataError, match="skip_first_n_losses is 100"):
        learn(tmp_path / "run", examples, 1, config)


@pytest.mark.parametrize(
    "wrong",
    [
        {"num_training_steps": -1},
        {"summary_frequency": 0},
        {"checkpoint_seconds": -1},
        {"checkpoint_seconds": math.nan},
        {"num_checkpoints": 0},
        {"seed": -1},
        {"seed": 1 << 63},
        {"max_seconds": -1},
        {"eval_every": 0},
        {"patience": -1},
        {"sample_every": -1},
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=f"--{next(iter(wrong))}"):
        TrainSettings(**wrong)


def test_two_processes_follow_one(tmp_path: Path) -> None:
    """The losses of 20 steps, as torchrun trains and alone; then the run goes on in one process."""
    config = LOOKBACK.with_hparams({"dropout_keep_prob": 1.0, "batch_size": 3})
    examples = tiny_examples.examples(tmp_path, config, 10)
    learn(tmp_path / "one", examples, 20, config, summary_frequency=1)
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "ostinato"),
        *("train", "--config=lookback_rnn", f"--run_dir={tmp_path / 'two'}", "--device=cpu", "--seed=3"),
        f"--sequence_example_file={examples.files[0]}",
        "--hparams=batch_size=3,rnn_layer_sizes=[8],initial_learning_rate=0.01,dropout_keep_prob=1.0",
        *("--num_training_steps=20", "--summary_frequency=1", f"--eval_file={examples.files[0]}", "--eval_every=10"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as job:
        try:
            output, _ = job.communicate(timeout=120)
        finally:
            job.terminate()  # not kill: it has to end its processes
    assert job.returncode == 0, output
    losses = {
        run: [event.value for event in EventAccumulator(str(train_folder(tmp_path / run))).Reload().Scalars("loss")]
        for run in ("one", "two")
    }
    assert len(losses["two"]) == 20
    assert [output.count(f"step {step}: eval loss") for step in (0, 10, 20)] == [1, 1, 1]
    np.testing.assert_allclose(losses["two"], losses["one"], atol=1e-4)
    assert learn(tmp_path / "two", examples, 21, config).step == 21


def test_a_killed_process_ends_the_job_with_a_line_and_it_goes_on(tmp_path: Path) -> None:
    config = LOOKBACK.with_hparams({"batch_size": 3})
    examples = tiny_examples.examples(tmp_path, config, 10)
    run_dir = tmp_path / "run"
    command = [
        *(sys.executable, "-m", "ostinato", "train", "--config=lookback_rnn", f"--run_dir={run_dir}", "--device=cpu"),
        *(f"--sequence_example_file={examples.files[0]}", "--quiet", "--seed=3", "--checkpoint_seconds=0"),
        "--hparams=batch_size=3,rnn_layer_sizes=[8],initial_learning_rate=0.01",
    ]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    environment = os.environ | meeting | {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    first, second = (
        subprocess.Popen(
            command, env=environment | {"RANK": rank, "LOCAL_RANK": rank}, stderr=subprocess.PIPE, text=True
        )
        for rank in "01"
    )
    with first, second:
        try:
            while not any(step for step, _ in checkpoints(train_folder(run_dir))):
                assert first.poll() is None is second.poll()
                time.sleep(0.05)
            second.kill()
            _, told = first.communicate(timeout=60)
        finally:
            first.kill()
            second.kill()
    assert told == (
        f"ostinato train: {run_dir}: process 0 stops, for another one of the job has ended; "
        "start the job again to go on from the last checkpoint\n"
    )
    assert first.returncode == 1
    (*_, (step, _)) = checkpoints(train_folder(run_dir))
    assert learn(run_dir, examples, step + 1, config).step == step + 1
