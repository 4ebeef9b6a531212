"""How well a model does, during training and on melodies that it has not learned from.

A few numbers for each stretch of steps, sample melodies and TensorBoard files;
and an evaluation, once or during the training.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from ostinato.bundle import checkpoints
from ostinato.config import Config
from ostinato.errors import OstinatoError
from ostinato.music.melody import Melody
from ostinato.music.notes import note_spans, text_roll
from ostinato.training.checkpoints import Checkpoint, latest_checkpoint, read_checkpoint, require_same, train_folder
from ostinato.training.data import Examples, evaluation_batches
from ostinato.training.hardware import fastest_products, half_precision, out_of_memory_explained
from ostinato.training.network import MelodyNetwork
from ostinato.training.step import Metrics, batch_loss, batch_totals, metrics_of, no_event_class, on_device

_STEP_WIDTH, _ROW_HEIGHT = 6, 6  # pixels of a 16th note and of a semitone
_MARGIN = 2  # semitones above the highest note and below the lowest
_PAPER, _BARS, _NOTES, _ONSETS = (251, 250, 247), (201, 195, 182), (42, 111, 151), (22, 64, 89)  # red, green, blue


@dataclass(frozen=True, slots=True)
class Summary:
    """What is reported about a stretch of steps.

    Attributes:
        step: the last of them.
        learning_rate: of that step.
        metrics: means over the stretch, with dropout.
        gradient_norm: mean global norm before clipping.
        steps_per_second: over the stretch, including checkpoints and evaluations.
        events_per_second: real steps of melodies, without padding.
        share_waited: share of the time that the step waited for data.
    """

    step: int
    learning_rate: float
    metrics: Metrics
    gradient_norm: float
    steps_per_second: float
    events_per_second: float
    share_waited: float

    def tags(self) -> dict[str, float]:
        """The values by their names in TensorBoard."""
        return {
            **self.metrics.tags(),
            "learning_rate": self.learning_rate,
            "gradient_norm": self.gradient_norm,
            "steps_per_second": self.steps_per_second,
            "events_per_second": self.events_per_second,
            "share_waited": self.share_waited,
        }


class Stretch:
    """The steps since the last summary, added up as they are read from the device."""

    def __init__(self, num_classes: int) -> None:
        self.totals: NDArray[np.float64] = np.zeros(1 + 2 * num_classes)
        self.norms = 0.0
        self.num_steps = 0
        self.began = time.perf_counter()
        self._unread: list[tuple[int, Sequence[int], Tensor, Tensor]] = []

    def add(self, step: int, records: Sequence[int], totals: Tensor, norm: Tensor) -> None:
        """Add a step without reading from the device."""
        self._unread.append((step, records, totals, norm))

    def read(self) -> None:
        """Read the steps that were added.

        Raises:
            OstinatoError: if the loss or gradient of a step is not a number.
        """
        for step, records, totals, norm in self._unread:
            values = totals.cpu().numpy().astype(np.float64)
            gradient_norm = float(norm)
            if not np.isfinite(values[0] + gradient_norm):
                raise OstinatoError(
                    f"the loss at step {step} is {values[0]}, the norm of its gradient {gradient_norm}: training has "
                    "diverged, or the data are bad; the last checkpoint is from before that. Look at "
                    f"records {', '.join(str(record + 1) for record in sorted(records))} (counted from 1 through "
                    "all files), or lower the hparam initial_learning_rate in a new --run_dir"
                )
            self.totals += values
            self.norms += gradient_norm
            self.num_steps += 1
        self._unread.clear()

    def summary(
        self, step: int, learning_rate: float, totals: NDArray[np.float64], no_event: int, seconds_waited: float
    ) -> Summary:
        """The summary of the stretch so far.

        Args:
            step: the last of its steps.
            learning_rate: of that step.
            totals: its totals, over all processes.
            no_event: the class of no event.
            seconds_waited: for data.
        """
        seconds = time.perf_counter() - self.began
        metrics = metrics_of(totals, no_event)
        return Summary(
            step,
            learning_rate,
            metrics,
            gradient_norm=self.norms / self.num_steps,
            steps_per_second=self.num_steps / seconds,
            events_per_second=metrics.num_steps / seconds,
            share_waited=seconds_waited / seconds,
        )


def write_scalars(writer: SummaryWriter, values: Mapping[str, float], step: int) -> None:
    """Write a step's values for TensorBoard; NaN, for lack of such steps, is left out."""
    for tag, value in values.items():
        if not np.isnan(value):
            writer.add_scalar(tag, value, step)


def write_melodies(writer: SummaryWriter, melodies: Sequence[Melody], step: int) -> None:
    """Write sample melodies for TensorBoard: each as a picture, and all as text."""
    for number, melody in enumerate(melodies, start=1):
        writer.add_image(f"samples/{number}", piano_roll(melody), step, dataformats="HWC")
    # Markdown shows lines that are indented as they are.
    writer.add_text("samples", "\n".join(f"    {text_roll(melody)}" for melody in melodies), step)


def piano_roll(melody: Melody) -> NDArray[np.uint8]:
    """A melody as a picture: time from left to right, pitch from bottom to top, a line at each bar.

    Returns:
        Red, green and blue, [height, width, 3]; 6 pixels per step and per semitone.
    """
    spans = note_spans(melody)
    highest = max((pitch for pitch, _, _ in spans), default=0) + _MARGIN
    lowest = min((pitch for pitch, _, _ in spans), default=0) - _MARGIN
    picture = np.empty(((highest - lowest + 1) * _ROW_HEIGHT, len(melody) * _STEP_WIDTH, 3), np.uint8)
    picture[:] = _PAPER
    first_bar = -melody.start_step % melody.steps_per_bar
    picture[:, first_bar * _STEP_WIDTH :: melody.steps_per_bar * _STEP_WIDTH] = _BARS
    for pitch, start, end in spans:
        rows = slice((highest - pitch) * _ROW_HEIGHT, (highest - pitch + 1) * _ROW_HEIGHT)
        picture[rows, start * _STEP_WIDTH : end * _STEP_WIDTH] = _NOTES
        picture[rows, start * _STEP_WIDTH : start * _STEP_WIDTH + 2] = _ONSETS  # so that repeated notes differ
    return picture


@torch.no_grad()
def evaluate(network: MelodyNetwork, examples: Examples) -> Metrics:
    """Metrics over all examples, including the last partial batch, without dropout.

    Args:
        network: the model, on the device to compute on; its mode is restored afterwards.
        examples: at least one.
    """
    config = network.config
    device = next(network.parameters()).device
    totals = np.zeros(1 + 2 * config.encoding.num_classes)
    training = network.training
    network.eval()
    try:
        for batch in evaluation_batches(
            examples, batch_size=config.hparams.batch_size, skip_first_n_losses=config.hparams.skip_first_n_losses
        ):
            inputs, labels, right = on_device(batch, device)
            with half_precision(device):
                logits = network(inputs)
            totals += batch_totals(batch_loss(logits, labels, right), logits, labels, right).cpu().numpy()
    finally:
        network.train(training)
    return metrics_of(totals, no_event_class(config.encoding))


def wait_for_run(run_dir: str | os.PathLike[str], stop: threading.Event, *, poll_seconds: float = 1.0) -> Config | None:
    """The settings of a run, as soon as it has a checkpoint; None if stopped before that."""
    while not stop.is_set():
        path = latest_checkpoint(run_dir)
        if path is not None and (checkpoint := _read(path)) is not None:
            return checkpoint.config
        stop.wait(poll_seconds)
    return None


def evaluate_run(
    run_dir: str | os.PathLike[str],
    examples: Examples,
    config: Config,
    *,
    device: torch.device,
    num_training_steps: int = 0,
    stop: threading.Event | None = None,
    poll_seconds: float = 1.0,
    on_evaluation: Callable[[int, Metrics], None] | None = None,
) -> int:
    """Evaluate each checkpoint of a run, as its training job writes them.

    TensorBoard files go to `run_dir/eval`. A checkpoint that is deleted before
    its turn is skipped.

    Args:
        run_dir: the run's folder.
        examples: what to evaluate on, made for the config.
        config: the run's.
        device: where to compute.
        num_training_steps: ends after evaluating a checkpoint of this step; 0 goes on until stopped.
        stop: once it is set, the evaluation in progress is the last.
        poll_seconds: how often to look for new checkpoints.
        on_evaluation: called after each evaluation with the checkpoint's step.

    Returns:
        How many checkpoints were evaluated.

    Raises:
        SettingsError: if a checkpoint has a different config.
        FormatError: if a checkpoint is damaged.
        OstinatoError: if memory is full.
    """
    stop = stop or threading.Event()
    network = MelodyNetwork(config).to(device)
    seen: set[Path] = set()
    evaluated = 0
    writer = SummaryWriter(str(Path(run_dir) / "eval"))
    try:
        while not stop.is_set():
            for step, path in checkpoints(train_folder(run_dir)):
                if path in seen or stop.is_set():
                    continue
                seen.add(path)
                checkpoint = _read(path)
                if checkpoint is None:
                    continue
                require_same(config, checkpoint.config, run_dir)
                network.load_arrays(checkpoint.arrays)
                with out_of_memory_explained(config.hparams, device), fastest_products(device):
                    metrics = evaluate(network, examples)
                evaluated += 1
                write_scalars(writer, metrics.tags(), step)
                writer.flush()
                if on_evaluation is not None:
                    on_evaluation(step, metrics)
                if 0 < num_training_steps <= step:
                    return evaluated
            stop.wait(poll_seconds)
    finally:
        writer.close()
    return evaluated


def _read(path: Path) -> Checkpoint | None:
    """A checkpoint, or None if the training job has deleted it meanwhile."""
    try:
        return read_checkpoint(path)
    except FileNotFoundError:
        return None
