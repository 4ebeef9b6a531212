"""Evaluation in the course of training: keep what did best on melodies held out, and tell when it gets no better.

The criterion is the loss that training lowers, in nats a step: one pass through
the network. With the hparam loss=events that is of events, so the bits that
`ostinato evaluate` tells times ln 2; else it is over the encoding's classes,
which ranks the checkpoints of one run, but not models of different encodings.

All that a run needs to go on is in `run_dir/best/`: the checkpoint that did
best, whose provenance `held_out` tells its `loss`, its `step` and the data.
"""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from ostinato.bundle import checkpoints
from ostinato.training.checkpoints import best_folder, read_checkpoint, save_checkpoint
from ostinato.training.evaluate import evaluate
from ostinato.training.examples import Examples
from ostinato.training.learning import Learner
from ostinato.training.metrics import Metrics
from ostinato.training.summaries import write_scalars

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Best:
    """The evaluation that did best.

    Attributes:
        loss: on the held-out melodies, nats a step, to 4 digits: what is better only after them is no better.
        step: of the run.
    """

    loss: float
    step: int


class EarlyStopping:
    """The evaluations of a run on melodies held out.

    Attributes:
        best: the best of them, those before this job too; None before the first.
        last_step: of this job's last evaluation; before it has made one, where it began.
    """

    def __init__(
        self, run_dir: str | os.PathLike[str], examples: Examples, *, first_step: int, eval_every: int, patience: int
    ) -> None:
        """Go on from what the run has found before.

        Args:
            run_dir: the run; TensorBoard files go to `run_dir/eval`.
            examples: held out, made for the run's config.
            first_step: steps that the run has made before.
            eval_every: steps from one evaluation to the next.
            patience: evaluations in a row that may be no better than the best; 0 for any number.
        """
        self._folder = best_folder(run_dir)
        self._examples, self._eval_every, self._patience = examples, eval_every, patience
        self._data = examples.told()
        self._writer = SummaryWriter(str(Path(run_dir) / "eval"), purge_step=first_step + 1)
        self.best = self._stored()
        self.last_step = first_step

    def _stored(self) -> Best | None:
        """The best of earlier jobs, if it was measured on the same melodies."""
        found = checkpoints(self._folder)
        if not found:
            return None
        held_out = read_checkpoint(found[-1][1]).history.get("held_out")
        if not isinstance(held_out, dict) or held_out.get("data") != self._data:
            _logger.warning("%s: measured on other held-out data; the best is looked for anew", found[-1][1])
            return None
        return Best(held_out["loss"], held_out["step"])

    def evaluate(self, learner: Learner, history: Mapping[str, Any]) -> Metrics:
        """Evaluate the model as it is, and keep its checkpoint if none was better.

        Args:
            learner: the job between two steps.
            history: what its checkpoint is to tell of the run.
        """
        metrics = evaluate(learner.network, self._examples)
        self.last_step = learner.step
        write_scalars(self._writer, metrics.tags(), learner.step)
        self._writer.flush()
        loss = round(metrics.loss, 4)
        if self.best is None or loss < self.best.loss:
            self.best = Best(loss, learner.step)
            held_out = {"loss": loss, "step": learner.step, "data": self._data}
            save_checkpoint(self._folder, learner.checkpoint({**history, "held_out": held_out}), keep=1)
        return metrics

    def is_over(self, step: int) -> bool:
        """Whether the model has got no better for so long that it will not, after so many steps."""
        if self._patience == 0 or self.best is None:
            return False
        return (step - self.best.step) // self._eval_every >= self._patience

    def close(self) -> None:
        """End the TensorBoard file."""
        self._writer.close()
