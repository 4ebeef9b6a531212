"""A training job, from the last checkpoint of a run, or its first step, to the end or a stop.

With held-out melodies it evaluates the model during training, keeps the best
checkpoint, and ends when the model gets no better. The measure is the loss that
training lowers, in nats per step: one pass through the network. With the hparam
loss=events that is the loss of events, which is the bits of `ostinato evaluate`
times ln 2; otherwise it is over the encoding's classes, which ranks the
checkpoints of one run, but not models with different encodings.
"""

import contextlib
import datetime as dt
import logging
import math
import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.tensorboard import SummaryWriter

from ostinato.bundle import Bundle, checkpoints
from ostinato.config import Config
from ostinato.dataset.report import counted
from ostinato.errors import DataError, SettingsError
from ostinato.music.melody import Melody
from ostinato.training.checkpoints import (
    Checkpoint,
    Origin,
    best_folder,
    only_job,
    read_checkpoint,
    require_same,
    require_same_origin,
    save_checkpoint,
    stored_run,
    train_folder,
    write_settings,
)
from ostinato.training.data import Examples, Position, Prefetched, training_batches
from ostinato.training.evaluation import Stretch, Summary, evaluate, write_melodies, write_scalars
from ostinato.training.hardware import Processes, out_of_memory_explained, pick_device, require_memory_to_train
from ostinato.training.network import MelodyNetwork
from ostinato.training.step import Learner, Metrics, no_event_class

_logger = logging.getLogger(__name__)

_SEEDS = 1 << 63  # PyTorch takes no larger ones


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How a run is trained; the config says what is learned.

    Attributes:
        num_training_steps: steps of the run in total; 0 goes on until stopped.
        summary_frequency: steps from one summary to the next.
        checkpoint_seconds: from one checkpoint to the next; 0 writes one after every step.
        num_checkpoints: how many checkpoints to keep.
        device: "auto", "cpu", "cuda" or "mps".
        seed: decides everything random; None takes a new one for each run. A run keeps its seed.
        max_seconds: how long a call of `train` may train; 0 is no limit.
        eval_every: steps from one evaluation on held-out melodies to the next, if there are any.
        patience: how many evaluations in a row may be no better than the best before training ends; 0 is no limit.
        sample_every: steps from one set of sample melodies to the next; 0 is never.
    """

    num_training_steps: int = 0
    summary_frequency: int = 10
    checkpoint_seconds: float = 60
    num_checkpoints: int = 3
    device: str = "auto"
    seed: int | None = None
    max_seconds: float = 0
    eval_every: int = 100
    patience: int = 0
    sample_every: int = 0

    def __post_init__(self) -> None:
        for name, least in (
            ("num_training_steps", 0),
            ("summary_frequency", 1),
            ("checkpoint_seconds", 0),
            ("num_checkpoints", 1),
            ("seed", 0),
            ("max_seconds", 0),
            ("eval_every", 1),
            ("patience", 0),
            ("sample_every", 0),
        ):
            value = getattr(self, name)
            if value is not None and not value >= least:
                raise SettingsError(f"--{name}={value}: must be at least {least}")
        if self.seed is not None and self.seed >= _SEEDS:
            raise SettingsError(f"--seed={self.seed}: must be below {_SEEDS}")


@dataclass(frozen=True, slots=True)
class Best:
    """The evaluation that did best.

    Attributes:
        loss: on the held-out melodies, in nats per step, to 4 digits: a smaller difference does not count.
        step: of the run.
    """

    loss: float
    step: int


class EarlyStopping:
    """The evaluations of a run on held-out melodies.

    Everything it needs to continue is in `run_dir/best/`: the best checkpoint, with
    its `loss`, its `step` and the data in `held_out` of its provenance.

    Attributes:
        best: the best of them, including those before this job; None before the first.
        last_step: of this job's last evaluation; before the first, the step where it began.
    """

    def __init__(
        self, run_dir: str | os.PathLike[str], examples: Examples, *, first_step: int, eval_every: int, patience: int
    ) -> None:
        """Continue from what the run has found before.

        Args:
            run_dir: the run; TensorBoard files go to `run_dir/eval`.
            examples: held out, made for the config of the run.
            first_step: steps that the run has made before.
            eval_every: steps from one evaluation to the next.
            patience: evaluations in a row that may be no better than the best; 0 for no limit.
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
            _logger.warning("%s: measured on other held-out data; the search for the best starts again", found[-1][1])
            return None
        return Best(held_out["loss"], held_out["step"])

    def evaluate(self, learner: Learner, history: Mapping[str, Any]) -> Metrics:
        """Evaluate the model as it is, and keep its checkpoint if it is the best so far.

        Args:
            learner: the job between two steps.
            history: what its checkpoint should say about the run.
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
        """Whether the model, after this many steps, has got no better for too long."""
        if self._patience == 0 or self.best is None:
            return False
        return (step - self.best.step) // self._eval_every >= self._patience

    def close(self) -> None:
        """Close the TensorBoard file."""
        self._writer.close()


@dataclass(frozen=True, slots=True)
class TrainReport:
    """How a call of `train` ended.

    Attributes:
        first_step: steps that the run had made before.
        step: steps that it has made by now.
        stopped: whether it was stopped before it was done.
        last: the last summary, if there was one.
        seconds: how long it trained.
        share_waited: share of that time that the step waited for data.
        best: the best evaluation on held-out melodies, whose checkpoint `run_dir/best` holds; None without any.
        converged: whether it ended because the model got no better on them.
    """

    first_step: int
    step: int
    stopped: bool
    last: Summary | None
    seconds: float
    share_waited: float
    best: Best | None = None
    converged: bool = False


def train(
    run_dir: str | os.PathLike[str],
    examples: Examples,
    config: Config,
    settings: TrainSettings,
    *,
    held_out: Examples | None = None,
    origin: Origin | None = None,
    processes: Processes | None = None,
    stop: threading.Event | None = None,
    on_step: Callable[[int, Summary | None], None] | None = None,
    on_evaluation: Callable[[int, Metrics], None] | None = None,
    sample: Callable[[Bundle], Sequence[Melody]] | None = None,
) -> TrainReport:
    """Train a model, or continue the training of one.

    Checkpoints, TensorBoard files and `settings.json` go to `run_dir/train`. A
    run that was stopped or killed continues from its newest checkpoint. On the CPU
    it ends bit for bit where it would have ended otherwise.

    With held-out melodies the model is evaluated at the beginning, every
    `eval_every` steps and at the end; `run_dir/best` keeps the best checkpoint,
    and `patience` ends the training once the model gets no better.

    Args:
        run_dir: the run's folder.
        examples: what to learn from.
        config: the model; if the run exists, it must be the stored one.
        settings: how long, how fast, where.
        held_out: melodies that the model does not learn from, to evaluate it on.
        origin: the model to start from; random values if None. If the run exists, it must be the same one.
        processes: this process among those of the job, already connected; None if it is alone.
        stop: once it is set, training ends after the current step, with a checkpoint.
        on_step: called after each step, in process 0, with its number, and with a summary if one was made.
        on_evaluation: called after each evaluation, in process 0, with the step.
        sample: called every `sample_every` steps, in process 0, with the model as it is; TensorBoard shows the melodies
            that it returns.

    Raises:
        SettingsError: if the config, the seed or the origin contradicts the run, there is no such device, or the CPU's
            memory does not hold the model and its batches.
        FormatError: if the origin's arrays do not fit the config.
        DataError: if no step of the examples counts.
        OstinatoError: if another job is training this run, the loss is not a number, or the memory or disk is full.
    """
    processes = processes or Processes()
    device = pick_device(settings.device, processes)
    for some in (examples, held_out):
        if some is not None and some.lengths.max() <= config.hparams.skip_first_n_losses:
            raise DataError(
                f"hparam skip_first_n_losses is {config.hparams.skip_first_n_losses}, but the longest example has "
                f"{some.lengths.max()} steps: none would count"
            )
    if device.type == "cpu":
        require_memory_to_train(config, len(examples), int(examples.lengths.max()), processes)
    with contextlib.ExitStack() as block:
        block.enter_context(torch.random.fork_rng([device] if device.type == "cuda" else []))
        start = None
        if processes.rank == 0:
            block.enter_context(only_job(run_dir))
            start = _start(run_dir, config, settings, origin)
        if processes.count > 1:
            sent = processes.broadcast(None if start is None else start.to_bytes())
            start = Checkpoint.from_bytes(sent, "process 0's checkpoint")
        assert start is not None
        if 0 < settings.num_training_steps <= start.step:
            return TrainReport(start.step, start.step, False, None, 0.0, 0.0)
        writer = watch = None
        if processes.rank == 0:
            _greet(run_dir, start, examples, settings, device, processes)
            # What a killed job wrote after its last checkpoint is about to be written again.
            writer = SummaryWriter(str(train_folder(run_dir)), purge_step=start.step + 1)
            block.callback(writer.close)
            if held_out is not None:
                watch = EarlyStopping(
                    run_dir,
                    held_out,
                    first_step=start.step,
                    eval_every=settings.eval_every,
                    patience=settings.patience,
                )
                block.callback(watch.close)
        with out_of_memory_explained(config.hparams, device):
            learner = Learner(start, device, processes)
            job = _Job(run_dir, examples, settings, learner, start, processes, writer, watch)
            callbacks = _Callbacks(on_step, on_evaluation, sample)
            return job.run(stop or threading.Event(), callbacks)


def _start(
    run_dir: str | os.PathLike[str], config: Config, settings: TrainSettings, origin: Origin | None
) -> Checkpoint:
    """The checkpoint to start from: the newest, or the first one of a new run."""
    stored = stored_run(run_dir)
    if stored is not None:
        require_same(stored.config, config, run_dir)
        if settings.seed not in (None, stored.seed):
            raise SettingsError(
                f"{os.fspath(run_dir)}: this run began with --seed={stored.seed}, not {settings.seed}; "
                "leave that out to continue the run, or choose another --run_dir"
            )
        if origin is not None:
            require_same_origin(stored, origin, run_dir)
        return stored
    seed = secrets.randbits(32) if settings.seed is None else settings.seed
    if origin is None:
        arrays, history = MelodyNetwork(config, generator=torch.Generator().manual_seed(seed)).arrays(), {}
    else:
        arrays, history = dict(Bundle(config, origin.bundle.arrays).arrays), {"init_from": origin.told()}
    zeros = {name: np.zeros_like(array) for name, array in arrays.items()}
    weights = arrays if config.hparams.weight_averaging else None
    start = Checkpoint(config, arrays, zeros, zeros, 0, Position(), seed, history, weights)
    save_checkpoint(train_folder(run_dir), start, settings.num_checkpoints)
    return start


def _greet(
    run_dir: str | os.PathLike[str],
    start: Checkpoint,
    examples: Examples,
    settings: TrainSettings,
    device: torch.device,
    processes: Processes,
) -> None:
    """Say what is about to happen, and write it to the run's folder."""
    data = examples.told()
    what = {**asdict(settings), "seed": start.seed, "device": str(device), "num_processes": processes.count}
    origin = start.history.get("init_from")
    write_settings(run_dir, {"config": start.config.to_json(), "init_from": origin, "training": what, "data": data})
    hparams = start.config.hparams
    source = f" that starts from {origin.get('file')}" if isinstance(origin, dict) else ""
    _logger.info(
        f"{f'continuing after step {start.step}' if start.step else f'a new run{source}'}: {start.config.name}, layers "
        f"{list(hparams.rnn_layer_sizes)}, batches of {hparams.batch_size}, seed {start.seed}, on {device}"
        f"{f' in {processes.count} processes' if processes.count > 1 else ''}; "
        f"{counted(data['num_melodies'], 'melody', 'melodies')} of {counted(data['num_steps'], 'step')}"
    )
    before = start.history.get("data")
    if isinstance(before, dict) and {**before, "files": data["files"]} != data:
        _logger.warning(f"the data differ from those this run was trained on before: {before}, now {data}")


@dataclass(frozen=True, slots=True)
class _Callbacks:
    """The functions that a job calls to say how it goes; see `train`."""

    on_step: Callable[[int, Summary | None], None] | None
    on_evaluation: Callable[[int, Metrics], None] | None
    sample: Callable[[Bundle], Sequence[Melody]] | None


class _Job:
    """One call of `train`, once all is set up."""

    def __init__(
        self,
        run_dir: str | os.PathLike[str],
        examples: Examples,
        settings: TrainSettings,
        learner: Learner,
        start: Checkpoint,
        processes: Processes,
        writer: SummaryWriter | None,
        watch: EarlyStopping | None,
    ) -> None:
        self._run_dir, self._examples, self._settings = run_dir, examples, settings
        self._learner, self._start, self._processes = learner, start, processes
        self._writer, self._watch = writer, watch
        self._no_event = no_event_class(start.config.encoding)
        self._num_classes = start.config.encoding.num_classes
        self._last: Summary | None = None
        self._began = time.perf_counter()

    def run(self, stop: threading.Event, callbacks: _Callbacks) -> TrainReport:
        learner, settings, hparams = self._learner, self._settings, self._start.config.hparams
        saved, saved_step = self._began, learner.step
        order = training_batches(
            self._examples,
            batch_size=hparams.batch_size,
            seed=self._start.seed,
            start=self._start.position,
            skip_first_n_losses=hparams.skip_first_n_losses,
            rank=self._processes.rank,
            num_processes=self._processes.count,
        )
        with Prefetched(order) as batches:
            if self._watch is not None and self._watch.best is None:
                self._evaluate(callbacks)
            stretch, waited = Stretch(self._num_classes), 0.0
            while not self._done() and not self._processes.in_any(stop.is_set() or self._timed_out() or self._over()):
                rate = learner.next_learning_rate
                batch = next(batches)
                stretch.add(learner.step + 1, batch.records, *learner.learn(batch))
                save = time.perf_counter() - saved >= settings.checkpoint_seconds
                summarize = learner.step % settings.summary_frequency == 0 or self._done()
                evaluate = self._watch is not None and learner.step % settings.eval_every == 0
                # Reading waits for the device, and lets it run dry; on the CPU nothing is lost.
                if save or summarize or evaluate or learner.device.type == "cpu":
                    stretch.read()
                summary = None
                if summarize:
                    summary = self._summarize(stretch, rate, batches.seconds_waited - waited)
                    stretch, waited = Stretch(self._num_classes), batches.seconds_waited
                if evaluate:
                    self._evaluate(callbacks)
                if settings.sample_every and learner.step % settings.sample_every == 0:
                    self._sample(callbacks)
                if save:
                    self._save()
                    saved, saved_step = time.perf_counter(), learner.step
                if callbacks.on_step is not None and self._processes.rank == 0:
                    callbacks.on_step(learner.step, summary)
            stretch.read()
            stopped = not (self._done() or self._timed_out() or self._over())
            if learner.step > saved_step:
                self._save()
            # Who asks for a stop does not wait for an evaluation.
            if self._watch is not None and not stopped and learner.step != self._watch.last_step:
                self._evaluate(callbacks)
            seconds = self._seconds()
            share_waited = batches.seconds_waited / seconds
        best = None if self._watch is None else self._watch.best
        return TrainReport(
            self._start.step, learner.step, stopped, self._last, seconds, share_waited, best, converged=self._over()
        )

    def _seconds(self) -> float:
        return time.perf_counter() - self._began

    def _done(self) -> bool:
        return 0 < self._settings.num_training_steps <= self._learner.step

    def _timed_out(self) -> bool:
        return 0 < self._settings.max_seconds <= self._seconds()

    def _over(self) -> bool:
        return self._watch is not None and self._watch.is_over(self._learner.step)

    def _summarize(self, stretch: Stretch, rate: float, seconds_waited: float) -> Summary:
        totals = self._processes.summed(torch.from_numpy(stretch.totals)).numpy()
        summary = stretch.summary(self._learner.step, rate, totals, self._no_event, seconds_waited)
        if self._writer is not None:
            write_scalars(self._writer, summary.tags(), summary.step)
        self._last = summary
        return summary

    def _evaluate(self, callbacks: _Callbacks) -> None:
        assert self._watch is not None
        metrics = self._watch.evaluate(self._learner, self._history())
        if callbacks.on_evaluation is not None:
            callbacks.on_evaluation(self._learner.step, metrics)

    def _sample(self, callbacks: _Callbacks) -> None:
        if callbacks.sample is None or self._writer is None:
            return
        provenance = {**self._history(), "step": self._learner.step, "seed": self._start.seed}
        bundle = Bundle(self._start.config, self._learner.network.arrays(), provenance)
        write_melodies(self._writer, callbacks.sample(bundle), self._learner.step)

    def _save(self) -> None:
        if self._processes.rank != 0:
            return
        checkpoint = self._learner.checkpoint(self._history())
        path = save_checkpoint(train_folder(self._run_dir), checkpoint, self._settings.num_checkpoints)
        _logger.debug("saved %s", path)
        if self._writer is not None:
            self._writer.flush()

    def _history(self) -> dict[str, Any]:
        """What a checkpoint should say about the run so far."""
        before = self._start.history.get("seconds")
        history: dict[str, Any] = {
            **self._start.history,
            "written": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "seconds": round(self._seconds() + (before if isinstance(before, int | float) else 0), 1),
            "data": self._examples.told(),
        }
        if self._last is not None:
            metrics = asdict(self._last.metrics)
            # JSON has no NaN, the accuracy over no steps.
            history["metrics"] = {name: value for name, value in metrics.items() if not math.isnan(value)}
        return history
