import json
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]

import golden_files
import tiny_examples
from ostinato.bundle import checkpoint_path, load_bundle
from ostinato.config import Config, preset
from ostinato.errors import SettingsError
from ostinato.formats.tensorflow.sequence_example import Example, serialize_sequence_example
from ostinato.formats.tensorflow.tfrecord import write_records
from ostinato.music.melody import Melody
from ostinato.training.data import Examples, load_examples
from ostinato.training.evaluation import evaluate, evaluate_run, wait_for_run
from ostinato.training.job import TrainSettings, train
from ostinato.training.network import MelodyNetwork
from ostinato.training.step import Metrics

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
CONFIG = preset("lookback_rnn").with_hparams({"batch_size": 4, "rnn_layer_sizes": (8,), "dropout_keep_prob": 0.1})


@pytest.fixture
def examples(tmp_path: Path) -> Examples:
    return tiny_examples.examples(tmp_path, CONFIG, 11)


def learn(run_dir: Path, examples: Examples, steps: int, config: Config = CONFIG, keep: int = 100) -> None:
    settings = TrainSettings(num_training_steps=steps, checkpoint_seconds=0, num_checkpoints=keep, device="cpu", seed=1)
    train(run_dir, examples, config, settings)


@pytest.mark.parametrize("batch_size", [128, 9])
@pytest.mark.parametrize("model", ["lookback", "attention"])
def test_loss_and_metrics_are_magentas(model: str, batch_size: int, golden_public: Path, tmp_path: Path) -> None:
    # Magenta's own training checkpoint, evaluated by Magenta on all melodies of the set.
    bundle = load_bundle(golden_public / f"v2_checkpoint_{model}" / "model.ckpt-30")
    config = bundle.config.with_hparams({"batch_size": batch_size})
    records = [
        serialize_sequence_example(Example(*config.encoding.encode(Melody(melody["squashed_events"]))))
        for melody in golden_files.json_lines(golden_public / f"melodies_{model}_rnn.jsonl.gz")
    ]
    write_records(tmp_path / "all.tfrecord", records)
    examples = load_examples(str(tmp_path / "all.tfrecord"), config)
    network = MelodyNetwork(config)
    network.load_arrays(bundle.arrays)
    metrics = evaluate(network, examples)
    expected = json.loads((golden_public / f"eval_{model}.json").read_text())
    assert (len(examples), metrics.num_steps) == (expected.pop("records"), expected.pop("frames"))
    assert metrics.tags() == pytest.approx(expected, rel=1e-6)


def test_no_dropout_and_nothing_left_out(examples: Examples) -> None:
    # In batches of 4, 4 and 3, and one by one: the mean is over steps, not over batches.
    network = MelodyNetwork(CONFIG, generator=torch.Generator().manual_seed(0))
    singly = MelodyNetwork(CONFIG.with_hparams({"batch_size": 1}))
    singly.load_arrays(network.arrays())
    once, again, by_one = evaluate(network, examples), evaluate(network, examples), evaluate(singly, examples)
    assert once == again
    assert once.num_steps == examples.lengths.sum()
    assert by_one.tags() == pytest.approx(once.tags(), abs=1e-5)
    assert network.training


def test_how_a_model_learns_changes_nothing_in_its_evaluation(examples: Examples) -> None:
    network = MelodyNetwork(CONFIG, generator=torch.Generator().manual_seed(0))
    changes = {"warmup_steps": 5, "lr_schedule": "cosine", "weight_decay": 0.5, "initial_learning_rate": 1}
    other = MelodyNetwork(CONFIG.with_hparams(changes))
    other.load_arrays(network.arrays())
    assert evaluate(other, examples) == evaluate(network, examples)


def test_each_checkpoint_is_evaluated_once_up_to_the_last_step(examples: Examples, tmp_path: Path) -> None:
    learn(tmp_path / "run", examples, 2)
    steps: list[int] = []

    def on_evaluation(step: int, metrics: Metrics) -> None:
        steps.append(step)
        if step == 2:  # the training job goes on
            learn(tmp_path / "run", examples, 4)

    count = evaluate_run(
        tmp_path / "run",
        examples,
        CONFIG,
        device=CPU,
        num_training_steps=4,
        poll_seconds=0.01,
        on_evaluation=on_evaluation,
    )
    assert steps == [0, 1, 2, 3, 4]
    assert count == 5
    scalars = EventAccumulator(str(tmp_path / "run" / "eval")).Reload()
    assert [event.step for event in scalars.Scalars("loss")] == steps
    assert {"metrics/perplexity", "metrics/no_event_accuracy", "metrics/loss_per_step"} <= set(
        scalars.Tags()["scalars"]
    )
    losses = [event.value for event in scalars.Scalars("loss")]
    assert losses == sorted(losses, reverse=True)


def test_a_checkpoint_that_is_deleted_before_its_turn_is_passed_over(examples: Examples, tmp_path: Path) -> None:
    learn(tmp_path / "run", examples, 3)
    steps: list[int] = []

    def on_evaluation(step: int, metrics: Metrics) -> None:
        steps.append(step)
        for later in (1, 2):
            checkpoint_path(tmp_path / "run" / "train", later).unlink(missing_ok=True)

    evaluate_run(tmp_path / "run", examples, CONFIG, device=CPU, num_training_steps=3, on_evaluation=on_evaluation)
    assert steps == [0, 3]


def test_until_stopped(examples: Examples, tmp_path: Path) -> None:
    learn(tmp_path / "run", examples, 1)
    stop = threading.Event()
    steps: list[int] = []

    def on_evaluation(step: int, metrics: Metrics) -> None:
        steps.append(step)
        if step == 1:
            stop.set()

    evaluate_run(tmp_path / "run", examples, CONFIG, device=CPU, stop=stop, on_evaluation=on_evaluation)
    assert steps == [0, 1]


def test_another_model_in_the_run_is_an_error(examples: Examples, tmp_path: Path) -> None:
    learn(tmp_path / "run", examples, 1)
    with pytest.raises(SettingsError, match="rnn_layer_sizes"):
        evaluate_run(
            tmp_path / "run", examples, CONFIG.with_hparams({"rnn_layer_sizes": (9,)}), device=CPU, num_training_steps=1
        )


def test_waiting_for_the_first_checkpoint(examples: Examples, tmp_path: Path) -> None:
    stop = threading.Event()
    trained = threading.Timer(0.1, learn, (tmp_path / "run", examples, 1))
    trained.start()
    assert wait_for_run(tmp_path / "run", stop, poll_seconds=0.01) == CONFIG
    trained.join()
    stop.set()
    assert wait_for_run(tmp_path / "none", stop) is None


def test_the_first_steps_are_left_out_if_the_run_does(examples: Examples) -> None:
    skipping = MelodyNetwork(CONFIG.with_hparams({"skip_first_n_losses": 10}))
    assert evaluate(skipping, examples).num_steps == np.maximum(examples.lengths - 10, 0).sum()
