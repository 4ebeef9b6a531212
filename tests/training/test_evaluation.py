import json
import math
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]
from torch.utils.tensorboard import SummaryWriter

import golden_files
import tiny_examples
from ostinato.bundle import checkpoint_path, load_bundle
from ostinato.config import Config, preset
from ostinato.errors import OstinatoError, SettingsError
from ostinato.formats.tensorflow.sequence_example import Example, serialize_sequence_example
from ostinato.formats.tensorflow.tfrecord import write_records
from ostinato.music.melody import NO_EVENT, NOTE_OFF, Melody
from ostinato.training.data import Examples, load_examples
from ostinato.training.evaluation import (
    Stretch,
    evaluate,
    evaluate_run,
    piano_roll,
    wait_for_run,
    write_melodies,
    write_scalars,
)
from ostinato.training.job import TrainSettings, train
from ostinato.training.network import MelodyNetwork
from ostinato.training.step import Metrics


def test_a_stretch_is_a_mean_over_its_steps() -> None:
    stretch = Stretch(num_classes=2)
    # Loss, two labels of class 0, one of class 1, hits of each; then half as many.
    stretch.add(1, [0, 1], torch.tensor([3.0, 2, 1, 1, 1]), torch.tensor(2.0))
    stretch.read()
    stretch.add(2, [2], torch.tensor([1.5, 1, 0, 0, 0]), torch.tensor(4.0))
    stretch.read()
    assert stretch.totals.tolist() == [4.5, 3, 1, 1, 1]
    summary = stretch.summary(2, 0.01, stretch.totals, no_event=0, seconds_waited=0.0)
    assert (summary.step, summary.learning_rate, summary.gradient_norm) == (2, 0.01, 3.0)
    assert summary.metrics.loss == 4.5 / 4
    assert summary.metrics.accuracy == 2 / 4
    assert summary.events_per_second == pytest.approx(
        2 * summary.steps_per_second
    )  # 4 steps of melodies, 2 of training
    assert summary.share_waited == 0
    assert summary.tags()["learning_rate"] == 0.01


@pytest.mark.parametrize(("loss", "norm"), [(math.nan, 1.0), (math.inf, 1.0), (1.0, math.nan)])
def test_a_loss_that_is_no_number_names_step_and_records(loss: float, norm: float) -> None:
    stretch = Stretch(num_classes=1)
    stretch.add(41, [8], torch.tensor([1.0, 1, 1]), torch.tensor(1.0))
    stretch.add(42, [6, 0], torch.tensor([loss, 1, 1]), torch.tensor(norm))
    with pytest.raises(OstinatoError, match=r"step 42 .* records 1, 7 "):
        stretch.read()


def test_what_is_no_number_is_left_out_of_tensorboard(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path)) as writer:
        write_scalars(writer, {"loss": 0.5, "metrics/no_event_accuracy": math.nan}, 3)
    events = EventAccumulator(str(tmp_path)).Reload()
    assert events.Tags()["scalars"] == ["loss"]
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(3, np.float32(0.5))]


def test_a_melody_as_a_picture() -> None:
    # Two bars of 2 steps; C4, rest, E4 held on. 6 pixels a step and a semitone, two semitones of margin.
    picture = piano_roll(Melody([60, NOTE_OFF, 64, NO_EVENT], steps_per_bar=2))
    assert picture.shape == (9 * 6, 4 * 6, 3)
    paper, bar = picture[0, 1].tolist(), picture[0, 0].tolist()
    blue = picture[6 * 6 + 1, 3].tolist()
    assert len({tuple(paper), tuple(bar), tuple(blue)}) == 3
    assert picture[0, 12].tolist() == bar
    row_of_e, row_of_c = 2 * 6 + 3, 6 * 6 + 3
    steps_of_e = [picture[row_of_e, 6 * step + 3].tolist() == blue for step in range(4)]
    steps_of_c = [picture[row_of_c, 6 * step + 3].tolist() == blue for step in range(4)]
    assert (steps_of_e, steps_of_c) == ([False, False, True, True], [True, False, False, False])


def test_a_melody_without_notes_is_a_picture_too() -> None:
    assert piano_roll(Melody([NO_EVENT] * 3)).shape == (5 * 6, 3 * 6, 3)


def test_tensorboard_shows_sample_melodies(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path)) as writer:
        write_melodies(writer, [Melody([60, NO_EVENT]), Melody([62, NOTE_OFF])], 7)
    events = EventAccumulator(str(tmp_path)).Reload()
    assert events.Tags()["images"] == ["samples/1", "samples/2"]
    image = events.Images("samples/2")[0]
    assert (image.step, image.width, image.height) == (7, 12, 30)
    text = events.Tensors("samples/text_summary")[0].tensor_proto.string_val[0].decode()
    assert [line[:4] for line in text.splitlines()] == ["    ", "    "]


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
