"""One training step, and how well the network predicted.

Shapes: B melodies, T steps, D input size, C classes.

A step is the loss, its gradients, clipping, and Adam with decoupled weight
decay. Adam's moments are 0.9 and 0.999 and its epsilon 1e-8, TensorFlow's
defaults. TensorFlow adds epsilon before it corrects the bias of the squared
gradient's mean, PyTorch after; this only matters for gradients near 1e-8.

A batch is summed up as one vector of totals, [1 + 2C]: the cross entropy in
nats, then for each class how many labels there were, and how many of these got
the highest probability. With hparam loss=events the cross entropy is that
of the event, and any class that stands for it is a hit. Totals add up over
batches and over processes, and no metric needs more; so each is a mean over all
steps, however the melodies were batched. Steps labeled `IGNORED` count nowhere.

The names of the metrics are Magenta's. Its `event_accuracy` is over steps whose
label is not the class of no event, `no_event_accuracy` over the others (a
repeat counts as an event, no matter what it repeats); `per_class_accuracy` is the
mean over all classes, one that never occurs as 0; and as a step of a melody is
one event, `loss_per_step` and `perplexity_per_step` are the loss and perplexity.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grad_norm_
from torch.optim.adamw import adamw

from ostinato.config import Hparams
from ostinato.encodings import Encoding
from ostinato.music.melody import NO_EVENT
from ostinato.music.meter import Meter
from ostinato.training.checkpoints import Checkpoint
from ostinato.training.data import IGNORED, Batch
from ostinato.training.hardware import Processes, half_precision
from ostinato.training.network import MelodyNetwork


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
        """exp(loss): the number of classes among which it might as well guess."""
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

    In every encoding the repeats come after the classes of events.
    """
    events = encoding.stepper(1, Meter(4, 4)).class_events()[0]
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


def learning_rate(hparams: Hparams, step: int) -> float:
    """The learning rate of the step that follows `step` steps.

    Both schedules count their steps from the end of the warm-up, whose n-th
    step has n / warmup_steps of the initial rate: none is made at a rate of 0.
    """
    initial = hparams.initial_learning_rate
    since = step - hparams.warmup_steps
    if since < 0:
        return initial * (step + 1) / hparams.warmup_steps
    if hparams.lr_schedule == "cosine":
        gone = min(since / hparams.decay_steps, 1.0)
        last = initial * hparams.decay_rate
        return last + (initial - last) * (1 + math.cos(math.pi * gone)) / 2
    return float(initial * hparams.decay_rate ** (since // hparams.decay_steps))


def on_device(batch: Batch, device: torch.device) -> tuple[Tensor, Tensor, Tensor | None]:
    """Inputs, float32 [B, T, D], labels and right classes of a batch on the device."""
    inputs = batch.inputs.to(device, non_blocking=True).to(torch.float32)
    right = None if batch.right is None else batch.right.to(device, non_blocking=True)
    return inputs, batch.labels.to(device, non_blocking=True), right


class Learner:
    """A network and its optimizer between two steps.

    Attributes:
        step: steps made so far.
        position: where the training data continues.
        device: where it computes.
    """

    def __init__(self, start: Checkpoint, device: torch.device, processes: Processes) -> None:
        """Start from a checkpoint."""
        self.step, self.position, self.device = start.step, start.position, device
        self._start, self._processes = start, processes
        self._hparams = start.config.hparams
        self._network = MelodyNetwork(start.config)
        self._network.load_arrays(start.arrays if start.weights is None else start.weights)
        self._network.to(device).train()
        self._average: MelodyNetwork | None = None
        if self._hparams.weight_averaging:
            self._average = MelodyNetwork(start.config).requires_grad_(False)
            self._average.load_arrays(start.arrays)
            self._average.to(device)
        self._parameters = dict(self._network.named_parameters())
        self._means, self._squares = (
            {name: torch.from_numpy(moments[name].copy()).to(device) for name in self._parameters}
            for moments in (start.means, start.squares)
        )
        self._counts = {name: torch.tensor(float(start.step), device=device) for name in self._parameters}
        self._model: nn.Module = self._network
        if processes.count > 1:
            self._model = DistributedDataParallel(self._network)

    @property
    def next_learning_rate(self) -> float:
        """The learning rate of the next step."""
        return learning_rate(self._hparams, self.step)

    @property
    def network(self) -> MelodyNetwork:
        """The network to play and evaluate: with the averaged weights, or the one that learns."""
        return self._average or self._network

    def learn(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Make one step.

        Returns:
            This process's totals of the batch, as `batch_totals`, and the gradients' global norm
            before clipping, both on the device: reading them waits for it.
        """
        # What is random in a step depends on its number alone, so no generator's state has to be kept.
        chance = np.random.SeedSequence([self._start.seed, self.step, self._processes.rank])
        torch.manual_seed(int(chance.generate_state(1, np.uint64)[0]))
        inputs, labels, right = on_device(batch, self.device)
        with half_precision(self.device):
            logits = self._model(inputs)
        loss = batch_loss(logits, labels, right)
        for parameter in self._parameters.values():
            parameter.grad = None
        # The gradients of the processes are averaged; what is wanted is the sum over all steps by their number.
        (loss * (self._processes.count / max(batch.num_steps, 1))).backward()  # type: ignore[no-untyped-call]
        norm = clip_grad_norm_(self._parameters.values(), self._hparams.clip_norm)
        self._optimize()
        self.step += 1
        self.position = batch.next_position
        self._add_to_average()
        return batch_totals(loss, logits, labels, right), norm

    @torch.no_grad()
    def _optimize(self) -> None:
        """Move the weights by their gradients, as AdamW does; without weight decay it is Adam.

        PyTorch's own optimizer does no more, but loads its compiler at first, which takes 70 MB and a second.
        """
        for names, decay in (
            ([name for name in self._parameters if name.endswith("kernel")], self._hparams.weight_decay),
            ([name for name in self._parameters if not name.endswith("kernel")], 0.0),
        ):
            gradients = [gradient for name in names if (gradient := self._parameters[name].grad) is not None]
            adamw(
                [self._parameters[name] for name in names],
                gradients,
                [self._means[name] for name in names],
                [self._squares[name] for name in names],
                [],
                [self._counts[name] for name in names],
                fused=True,
                amsgrad=False,
                beta1=0.9,
                beta2=0.999,
                lr=self.next_learning_rate,
                weight_decay=decay,
                eps=1e-8,
                maximize=False,
            )

    @torch.no_grad()
    def _add_to_average(self) -> None:
        """Add the weights after this step to the average.

        After n steps that is (w_n + d w_{n-1} + ... + d^(n-1) w_1) over the sum of these factors, for d the
        weight_averaging: a moving average without the bias of what it began from, as Adam corrects its means.
        """
        if self._average is None:
            return
        kept = self._hparams.weight_averaging
        share = (1 - kept) / (1 - kept**self.step)
        for name, average in self._average.named_parameters():
            average.lerp_(self._parameters[name], share)

    def checkpoint(self, history: Mapping[str, Any]) -> Checkpoint:
        """The state of the job as it is now, with `history` for people to read."""
        means, squares = (
            {name: moment.to("cpu", copy=True).numpy() for name, moment in moments.items()}
            for moments in (self._means, self._squares)
        )
        start = self._start
        weights = None if self._average is None else self._network.arrays()
        return Checkpoint(
            start.config, self.network.arrays(), means, squares, self.step, self.position, start.seed, history, weights
        )
