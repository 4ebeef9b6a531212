import math
from pathlib import Path

import numpy as np
import pytest
import torch

import tiny_examples
from ostinato.config import PRESETS, Config, Hparams, preset
from ostinato.training.checkpoints import Checkpoint
from ostinato.training.data import IGNORED, Position, training_batches
from ostinato.training.hardware import Processes
from ostinato.training.network import MelodyNetwork
from ostinato.training.step import Learner, Metrics, batch_loss, batch_totals, learning_rate, metrics_of, no_event_class

CPU = torch.device("cpu")
CONFIG = preset("basic_rnn").with_hparams(
    {"rnn_layer_sizes": (6,), "initial_learning_rate": 0.01, "dropout_keep_prob": 1.0}
)
# Two melodies of three steps, three classes, of which 0 is no event. Probabilities of 1/2, 1/4 and 1/4.
LOG = math.log
HALF = [LOG(2), 0.0, 0.0]
LOGITS = torch.tensor([[HALF, HALF, HALF], [HALF, HALF, [LOG(2), LOG(4), LOG(2)]]])
LABELS = torch.tensor([[0, 1, IGNORED], [0, 2, 1]])


def test_by_hand() -> None:
    loss = batch_loss(LOGITS, LABELS)
    # -log p of the labels: 1/2, 1/4, 1/2, 1/4, 1/2.
    assert loss.item() == pytest.approx(3 * LOG(2) + 2 * LOG(4))
    totals = batch_totals(loss, LOGITS, LABELS).numpy().astype(np.float64)
    assert totals[1:].tolist() == [2, 2, 1, 2, 1, 0]
    metrics = metrics_of(totals, no_event=0)
    assert metrics.loss == pytest.approx(7 * LOG(2) / 5)
    assert metrics.accuracy == pytest.approx(3 / 5)
    assert metrics.event_accuracy == pytest.approx(1 / 3)
    assert metrics.no_event_accuracy == 1
    assert metrics.per_class_accuracy == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert metrics.num_steps == 5
    assert metrics.perplexity == pytest.approx(2**1.4)


def test_the_loss_of_events_adds_the_classes_that_stand_for_them() -> None:
    right = torch.tensor(
        [
            [[True, False, False], [False, True, True], [False, False, False]],
            [[True, False, True], [False, False, True], [True, True, False]],
        ]
    )
    loss = batch_loss(LOGITS, LABELS, right)
    # -log p of the events: 1/2, 1/4 + 1/4, 1/2 + 1/4, 1/4, 1/4 + 1/2; the third step does not count.
    assert loss.item() == pytest.approx(2 * LOG(2) + 2 * LOG(4 / 3) + LOG(4))
    totals = batch_totals(loss, LOGITS, LABELS, right).numpy().astype(np.float64)
    assert totals[1:].tolist() == [2, 2, 1, 2, 1, 0]
    gradient = LOGITS.clone().requires_grad_()
    batch_loss(gradient, LABELS, right).backward()  # type: ignore[no-untyped-call]
    assert gradient.grad is not None
    assert gradient.grad[0, 2].tolist() == [0, 0, 0]
    # At the first step p is 1/2, 1/4, 1/4 and the first class is right: p less 1 there.
    assert gradient.grad[0, 0].tolist() == pytest.approx([-1 / 2, 1 / 4, 1 / 4])


def test_the_loss_of_events_is_that_of_labels_where_only_these_are_right() -> None:
    only_labels = torch.nn.functional.one_hot(LABELS.clamp(min=0), 3).bool()
    torch.testing.assert_close(batch_loss(LOGITS, LABELS, only_labels), batch_loss(LOGITS, LABELS))
    plain, events = (batch_totals(torch.zeros(()), LOGITS, LABELS, right) for right in (None, only_labels))
    torch.testing.assert_close(plain, events)


def test_totals_add_up_over_batches() -> None:
    whole = batch_totals(batch_loss(LOGITS, LABELS), LOGITS, LABELS)
    halves = [
        batch_totals(batch_loss(logits, labels), logits, labels)
        for logits, labels in ((LOGITS[:1], LABELS[:1]), (LOGITS[1:], LABELS[1:]))
    ]
    torch.testing.assert_close(halves[0] + halves[1], whole)


def test_padding_counts_nowhere() -> None:
    ignored = torch.full((2, 3), IGNORED)
    totals = batch_totals(batch_loss(LOGITS, ignored), LOGITS, ignored)
    assert totals.tolist() == [0] * 7
    metrics = metrics_of(totals.numpy().astype(np.float64), no_event=0)
    assert metrics.num_steps == 0
    assert all(math.isnan(value) for value in (metrics.loss, metrics.accuracy, metrics.no_event_accuracy))


def test_a_huge_loss_has_an_infinite_perplexity() -> None:
    assert Metrics(1000.0, 0, 0, 0, 0, 1).perplexity == math.inf


def test_the_names_are_magentas() -> None:
    assert Metrics(0.0, 0.5, 0.25, 1.0, 0.125, 3).tags() == {
        "loss": 0.0,
        "metrics/perplexity": 1.0,
        "metrics/accuracy": 0.5,
        "metrics/event_accuracy": 0.25,
        "metrics/no_event_accuracy": 1.0,
        "metrics/per_class_accuracy": 0.125,
        "metrics/loss_per_step": 0.0,
        "metrics/perplexity_per_step": 1.0,
    }


def test_the_class_of_no_event() -> None:
    classes = {name: no_event_class(config.encoding) for name, config in PRESETS.items()}
    assert classes == {
        "basic_rnn": 0,
        "mono_rnn": 0,
        "lookback_rnn": 0,
        "attention_rnn": 36,
        "ostinato": 0,
        "chord_rnn": 0,
    }


def fresh(config: Config = CONFIG) -> Checkpoint:
    arrays = MelodyNetwork(config, generator=torch.Generator().manual_seed(1)).arrays()
    zeros = {name: np.zeros_like(array) for name, array in arrays.items()}
    return Checkpoint(config, arrays, zeros, zeros, step=0, position=Position(), seed=0)


def test_the_learning_rate_falls_in_stairs() -> None:
    hparams = Hparams(initial_learning_rate=0.5, decay_steps=10, decay_rate=0.5)
    assert [learning_rate(hparams, step) for step in (0, 9, 10, 19, 20, 35)] == [0.5, 0.5, 0.25, 0.25, 0.125, 0.0625]


def test_the_learning_rate_rises_in_a_line_before_it_falls() -> None:
    hparams = Hparams(initial_learning_rate=0.5, warmup_steps=4, decay_steps=10, decay_rate=0.5)
    rates = [learning_rate(hparams, step) for step in (0, 1, 2, 3, 4, 13, 14, 24)]
    assert rates == [0.125, 0.25, 0.375, 0.5, 0.5, 0.5, 0.25, 0.125]


def test_the_learning_rate_falls_along_half_a_cosine() -> None:
    hparams = Hparams(initial_learning_rate=1.0, warmup_steps=2, lr_schedule="cosine", decay_steps=4, decay_rate=0.2)
    # From 1 to 0.2; a quarter of the way down the cosine is 0.70710678, so 0.2 + 0.4 * 1.70710678.
    expected = [0.5, 1, 1, 0.882842712, 0.6, 0.317157288, 0.2, 0.2, 0.2]
    assert [learning_rate(hparams, step) for step in (*range(8), 1000)] == pytest.approx(expected, rel=1e-8)


def test_weight_decay_is_of_the_kernels_alone_and_no_part_of_the_gradient(tmp_path: Path) -> None:
    config = CONFIG.with_hparams({"attn_length": 2})
    examples = tiny_examples.examples(tmp_path, config, 4)
    after = {}
    for weight_decay in (0.0, 0.5):
        start = fresh(config.with_hparams({"weight_decay": weight_decay}))
        learner = Learner(start, CPU, Processes())
        learner.learn(next(training_batches(examples, batch_size=4, seed=0, start=Position())))
        after[weight_decay] = learner.checkpoint({})
    for name, array in start.arrays.items():
        # The step's learning rate is 0.01: of each kernel 0.01 * 0.5 goes.
        gone = 0.005 * array if name.endswith("kernel") else np.zeros_like(array)
        np.testing.assert_allclose(after[0.0].arrays[name] - after[0.5].arrays[name], gone, atol=1e-7, err_msg=name)
        np.testing.assert_array_equal(after[0.0].means[name], after[0.5].means[name])
    assert start.arrays["attention.score"].any()


def test_adams_first_step_moves_each_parameter_by_the_learning_rate(tmp_path: Path) -> None:
    # Bias corrected, its first step is g / |g| whatever the gradient and its clipping.
    examples = tiny_examples.examples(tmp_path, CONFIG, 4)
    start = fresh()
    learner = Learner(start, CPU, Processes())
    totals, norm = learner.learn(next(training_batches(examples, batch_size=4, seed=0, start=Position())))
    assert totals[1:39].sum() == examples.lengths.sum()
    assert norm > 0
    after = learner.checkpoint({})
    assert (after.step, after.position) == (1, Position(1))
    moved = {name: np.abs(after.arrays[name] - start.arrays[name]) for name in start.arrays}
    assert max(array.max() for array in moved.values()) == pytest.approx(0.01, rel=1e-4)
    clear = np.abs(after.means["output.bias"]) > 1e-5
    np.testing.assert_allclose(moved["output.bias"][clear], 0.01, rtol=2e-3)
    assert clear.any()


def test_gradients_are_clipped_by_their_global_norm(tmp_path: Path) -> None:
    examples = tiny_examples.examples(tmp_path, CONFIG, 4)
    start = fresh()
    clipped = Checkpoint(
        CONFIG.with_hparams({"clip_norm": 0.01}), start.arrays, start.means, start.squares, 0, Position(), 0
    )
    learner = Learner(clipped, CPU, Processes())
    _, norm = learner.learn(next(training_batches(examples, batch_size=4, seed=0, start=Position())))
    assert norm > 0.01
    # Adam's first mean is a tenth of the gradient.
    gradients = [10 * mean for mean in learner.checkpoint({}).means.values()]
    assert np.sqrt(sum(np.square(gradient).sum() for gradient in gradients)) == pytest.approx(0.01, rel=1e-3)


def test_the_average_of_weights_forgets_them_step_by_step(tmp_path: Path) -> None:
    # After three steps at 0.5: (w_3 + w_2 / 2 + w_1 / 4) / 1.75. What it began from counts nothing.
    examples = tiny_examples.examples(tmp_path, CONFIG, 4)
    batch = next(training_batches(examples, batch_size=4, seed=0, start=Position()))
    start = fresh(CONFIG.with_hparams({"weight_averaging": 0.5}))
    learner, plain = Learner(start, CPU, Processes()), Learner(fresh(), CPU, Processes())
    before = learner.network.arrays()
    assert all(np.array_equal(before[name], array) for name, array in start.arrays.items())
    made = []
    for _ in range(3):
        learner.learn(batch)
        plain.learn(batch)
        made.append(learner.checkpoint({}))
    for name, alone in plain.checkpoint({}).arrays.items():
        w_1, w_2, w_3 = (after.weights[name] for after in made if after.weights is not None)
        np.testing.assert_array_equal(w_3, alone, err_msg="training itself is as without")
        np.testing.assert_array_equal(made[0].arrays[name], w_1)
        np.testing.assert_allclose(made[2].arrays[name], (w_3 + w_2 / 2 + w_1 / 4) / 1.75, rtol=1e-5, atol=1e-7)
        np.testing.assert_array_equal(learner.network.arrays()[name], made[2].arrays[name])


def test_a_checkpoint_is_a_copy(tmp_path: Path) -> None:
    examples = tiny_examples.examples(tmp_path, CONFIG, 4)
    batch = next(training_batches(examples, batch_size=4, seed=0, start=Position()))
    learner = Learner(fresh(), CPU, Processes())
    learner.learn(batch)
    kept = learner.checkpoint({})
    learner.learn(batch)
    later = learner.checkpoint({})
    for before, after in ((kept.arrays, later.arrays), (kept.means, later.means), (kept.squares, later.squares)):
        assert not np.array_equal(before["output.bias"], after["output.bias"])
