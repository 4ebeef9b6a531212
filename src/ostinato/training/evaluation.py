"""How well a model predicts melodies that it has not learned from, once or beside its training."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.utils.tensorboard import SummaryWriter

from ostinato.bundle import checkpoints
from ostinato.config import Config
from ostinato.training.checkpoints import Checkpoint, latest_checkpoint, read_checkpoint, require_same, train_folder
from ostinato.training.data import Examples, evaluation_batches
from ostinato.training.hardware import half_precision, out_of_memory_explained
from ostinato.training.network import MelodyNetwork
from ostinato.training.step import Metrics, batch_loss, batch_totals, metrics_of, no_event_class, on_device
from ostinato.training.summaries import write_scalars


@torch.no_grad()
def evaluate(network: MelodyNetwork, examples: Examples) -> Metrics:
    """Metrics over all examples, the last partial batch included, without dropout.

    Args:
        network: the model, on the device to compute on; its mode is as before afterwards.
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
    """The settings of a run, as soon as it has a checkpoint; None if told to stop before."""
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
    its turn is passed over.

    Args:
        run_dir: the run's folder.
        examples: what to evaluate on, made for the config.
        config: the run's.
        device: where to compute.
        num_training_steps: ends once a checkpoint of this step was evaluated; 0 is until stopped.
        stop: ends the evaluation, once it is set, after the running one.
        poll_seconds: how often to look for new checkpoints.
        on_evaluation: called after each evaluation with the checkpoint's step.

    Returns:
        How many checkpoints were evaluated.

    Raises:
        SettingsError: if a checkpoint has another config.
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
                with out_of_memory_explained(config.hparams, device):
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
    """A checkpoint, or None where the training job has deleted it meanwhile."""
    try:
        return read_checkpoint(path)
    except FileNotFoundError:
        return None
