"""One training step: loss, gradients, clipping, Adam with decoupled weight decay.

Adam's moments are 0.9 and 0.999 and its epsilon 1e-8, TensorFlow's defaults.
TensorFlow adds epsilon before it corrects the bias of the squared gradient's
mean, PyTorch after: no matter but for gradients near 1e-8.
"""

import contextlib
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grad_norm_

from ostinato.config import Hparams
from ostinato.errors import OstinatoError, SettingsError
from ostinato.training.batches import Batch
from ostinato.training.checkpoints import Checkpoint
from ostinato.training.metrics import batch_loss, batch_totals
from ostinato.training.network import MelodyNetwork
from ostinato.training.processes import Processes

DEVICES = ("auto", "cpu", "cuda", "mps")


def pick_device(name: str, processes: Processes) -> torch.device:
    """The device that `--device` names; "auto" is a CUDA GPU where there is one, else the CPU.

    Raises:
        SettingsError: if there is no such device.
    """
    if name not in DEVICES:
        raise SettingsError(f"--device={name}: no device is called that; known are {', '.join(DEVICES)}")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if (name == "cuda" and not torch.cuda.is_available()) or (name == "mps" and not torch.backends.mps.is_available()):
        raise SettingsError(f"--device={name}: PyTorch finds no such device here; use --device=cpu, or auto")
    if name != "cuda":
        return torch.device(name)
    if processes.local_rank >= torch.cuda.device_count():
        raise SettingsError(
            f"{processes.local_count} processes on this machine, but {torch.cuda.device_count()} GPUs; "
            "start one process for each GPU"
        )
    return torch.device("cuda", processes.local_rank)


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


def half_precision(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """Matrix products in bfloat16 on a CUDA GPU; nothing changes elsewhere."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")


class Learner:
    """A network and its optimizer between two steps.

    Attributes:
        step: steps made.
        position: where the training data goes on.
        device: where it computes.
    """

    def __init__(self, start: Checkpoint, device: torch.device, processes: Processes) -> None:
        """Stand where a checkpoint stands."""
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
        kernels = [parameter for name, parameter in self._parameters.items() if name.endswith("kernel")]
        others = [parameter for name, parameter in self._parameters.items() if not name.endswith("kernel")]
        # Without weight decay AdamW is Adam.
        self._optimizer = torch.optim.AdamW(
            [{"params": kernels, "weight_decay": self._hparams.weight_decay}, {"params": others, "weight_decay": 0.0}],
            lr=self._hparams.initial_learning_rate,
            fused=True,
        )
        for name, parameter in self._parameters.items():
            self._optimizer.state[parameter] = {
                "step": torch.tensor(float(start.step), device=device),
                "exp_avg": torch.from_numpy(start.means[name].copy()).to(device),
                "exp_avg_sq": torch.from_numpy(start.squares[name].copy()).to(device),
            }
        self._model: nn.Module = self._network
        if processes.count > 1:
            self._model = DistributedDataParallel(self._network)

    @property
    def next_learning_rate(self) -> float:
        """The learning rate of the next step."""
        return learning_rate(self._hparams, self.step)

    @property
    def network(self) -> MelodyNetwork:
        """What is played and evaluated: the network of the averaged weights, or the one that learns."""
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
        self._optimizer.zero_grad()
        # The gradients of the processes are averaged; what is wanted is the sum over all steps by their number.
        (loss * (self._processes.count / max(batch.num_steps, 1))).backward()  # type: ignore[no-untyped-call]
        norm = clip_grad_norm_(self._parameters.values(), self._hparams.clip_norm)
        for group in self._optimizer.param_groups:
            group["lr"] = self.next_learning_rate
        self._optimizer.step()
        self.step += 1
        self.position = batch.next_position
        self._add_to_average()
        return batch_totals(loss, logits, labels, right), norm

    @torch.no_grad()
    def _add_to_average(self) -> None:
        """Take the step's weights into the average.

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
            {
                name: self._optimizer.state[parameter][moment].to("cpu", copy=True).numpy()
                for name, parameter in self._parameters.items()
            }
            for moment in ("exp_avg", "exp_avg_sq")
        )
        start = self._start
        weights = None if self._average is None else self._network.arrays()
        return Checkpoint(
            start.config, self.network.arrays(), means, squares, self.step, self.position, start.seed, history, weights
        )


@contextlib.contextmanager
def out_of_memory_explained(hparams: Hparams, device: torch.device) -> Iterator[None]:
    """Turn running out of memory in a block into an error that says what to lower."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:  # PyTorch raises plain RuntimeErrors on the CPU
        text = str(error).lower()
        if not isinstance(error, (MemoryError, torch.OutOfMemoryError)) and "alloc" not in text:
            raise
        raise OstinatoError(
            f"out of memory on {device}: lower the hparam batch_size, now {hparams.batch_size}, "
            f"or rnn_layer_sizes, now {list(hparams.rnn_layer_sizes)}, in a new --run_dir"
        ) from error
