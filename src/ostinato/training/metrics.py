"""How well the network predicts: loss and accuracies, over real steps only.

Shapes: B melodies, T steps, C classes.

A batch is summed up as one vector of totals, [1 + 2C]: the cross entropy in
nats, then for each class how many labels there were, and how many of these were
given the highest probability. With hparam loss=events the cross entropy is that
of the event, and any class that stands for it is a hit. Totals add up over batches and over processes,
and no metric needs more; so each is a mean over all steps, however the melodies
were batched. Steps labeled `IGNORED` count nowhere.

The names are Magenta's. Its `event_accuracy` is over steps whose label is not
the class of no event, `no_event_accuracy` over the others (a repeat counts as
an event, whatever it repeats); `per_class_accuracy` is the mean over all
classes, one that never occurs as 0; and as a step of a melody is one event,
`loss_per_step` and `perplexity_per_step` are the loss and perplexity.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ostinato.encodings import Encoding
from ostinato.music.melody import NO_EVENT, STEPS_PER_BAR
from ostinato.training.batches import IGNORED


@dataclass(frozen=True, slots=True)
class Metrics:
    """Means over all steps that count; NaN where there are none.

    Attributes:
        loss: cross entropy, nats a step.
        accuracy: share of steps whose label was the most probable class.
        event_accuracy: the same over steps whose label is not no event.
        no_event_accuracy: the same over steps whose label is no event.
        per_class_accuracy: mean of the classes' own accuracies.
        num_steps: steps that count.
    """

    loss: float
    accuracy: float
    event_accuracy: float
    no_event_accuracy: float
    per_class_accuracy: float
    num_steps: int

    @property
    def perplexity(self) -> float:
        """exp(loss): among how many classes the network is as good as guessing."""
        return math.exp(self.loss) if self.loss < 700 else math.inf

    def tags(self) -> dict[str, float]:
        """The values by the names that Magenta's TensorBoard files have."""
        return {
            "loss": self.loss,
            "metrics/perplexity": self.perplexity,
            "metrics/accuracy": self.accuracy,
            "metrics/event_accuracy": self.event_accuracy,
            "metrics/no_event_accuracy": self.no_event_accuracy,
            "metrics/per_class_accuracy": self.per_class_accuracy,
            "metrics/loss_per_step": self.loss,
            "metrics/perplexity_per_step": self.perplexity,
        }


def no_event_class(encoding: Encoding) -> int:
    """The class that says no event by itself, not as a repeat.

    The repeats stand behind the events of their own, in every encoding.
    """
    events = encoding.stepper(1, STEPS_PER_BAR).class_events()[0]
    return int(np.flatnonzero(events == NO_EVENT)[0])


def batch_loss(logits: Tensor, labels: Tensor, right: Tensor | None = None) -> Tensor:
    """Cross entropy in nats, summed over the steps that count: of the labels, or of the events.

    Args:
        logits: [B, T, C].
        labels: [B, T].
        right: bool [B, T, >= C], the classes that stand for the event; None if the label alone is right.
    """
    if right is not None:
        # Where a step does not count all classes are right, which costs nothing and teaches nothing.
        counted = right[..., : logits.shape[2]] | (labels == IGNORED).unsqueeze(2)
        logits = logits.float()
        of_right = logits.masked_fill(~counted, -math.inf).logsumexp(dim=2)
        return (logits.logsumexp(dim=2) - of_right).sum()
    return functional.cross_entropy(
        logits.flatten(0, 1).float(), labels.flatten(), ignore_index=IGNORED, reduction="sum"
    )


@torch.no_grad()
def batch_totals(loss: Tensor, logits: Tensor, labels: Tensor, right: Tensor | None = None) -> Tensor:
    """The totals of a batch, float32 [1 + 2C], on its device.

    Args:
        loss: what `batch_loss` gave.
        logits: [B, T, C].
        labels: [B, T].
        right: as of `batch_loss`; a step is a hit if the most probable class is one of these.
    """
    num_classes = logits.shape[2]
    classes = torch.where(labels == IGNORED, num_classes, labels)  # what is ignored is one class more
    # As high as any: much faster than argmax, and the same but where two classes tie.
    if right is None:
        of_label = logits.gather(2, labels.clamp(min=0).unsqueeze(2)).squeeze(2)
    else:
        of_label = logits.masked_fill(~right[..., :num_classes], -math.inf).amax(dim=2)
    hit = (of_label >= logits.amax(dim=2)).float()
    counts = logits.new_zeros(2, num_classes + 1, dtype=torch.float32)
    counts[0].index_add_(0, classes.flatten(), torch.ones_like(hit).flatten())
    counts[1].index_add_(0, classes.flatten(), hit.flatten())
    return torch.cat([loss.detach().float().reshape(1), counts[:, :num_classes].flatten()])


def metrics_of(totals: NDArray[np.float64], no_event: int) -> Metrics:
    """The metrics of totals added up.

    Args:
        totals: [1 + 2C].
        no_event: what `no_event_class` gave.
    """
    labels, hits = totals[1:].reshape(2, -1)
    num_steps = labels.sum()
    is_event = np.arange(len(labels)) != no_event
    return Metrics(
        loss=_share(totals[0], num_steps),
        accuracy=_share(hits.sum(), num_steps),
        event_accuracy=_share(hits[is_event].sum(), labels[is_event].sum()),
        no_event_accuracy=_share(hits[no_event], labels[no_event]),
        per_class_accuracy=float(np.mean(hits / np.maximum(labels, 1))),
        num_steps=int(num_steps),
    )


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else math.nan
