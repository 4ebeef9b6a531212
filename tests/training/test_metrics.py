import math

import numpy as np
import pytest
import torch

from ostinato.config import PRESETS
from ostinato.training.batches import IGNORED
from ostinato.training.metrics import Metrics, batch_loss, batch_totals, metrics_of, no_event_class

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
    assert classes == {"basic_rnn": 0, "mono_rnn": 0, "lookback_rnn": 0, "attention_rnn": 36, "ostinato": 0}
