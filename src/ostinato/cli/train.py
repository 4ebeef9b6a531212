"""`ostinato train`: train a model, or evaluate it beside its training."""

import argparse
import contextlib
import importlib.util
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING

from ostinato.cli.flags import add_boolean
from ostinato.cli.progress import progress
from ostinato.config import PRESETS, Config, parse_hparams, preset
from ostinato.errors import MissingExtraError, SettingsError

if TYPE_CHECKING:
    from ostinato.training.metrics import Metrics
    from ostinato.training.summaries import Summary

SUMMARY = "train a model on examples, or with --eval evaluate it beside its training"

_logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    parser.add_argument(
        "--config", metavar="NAME", help=f"the model: {', '.join(PRESETS)}; a run that has begun knows its own"
    )
    parser.add_argument(
        "--run_dir", required=True, metavar="FOLDER", help="the run: FOLDER/train and FOLDER/eval are written"
    )
    parser.add_argument(
        "--sequence_example_file",
        required=True,
        metavar="FILES",
        help="examples made by `ostinato dataset`: a path, a glob, or several with commas between",
    )
    parser.add_argument(
        "--hparams",
        default="",
        metavar="LIST",
        help="\"{'batch_size':64,'rnn_layer_sizes':[64,64]}\" or \"batch_size=64,rnn_layer_sizes=[64,64]\"; "
        "a run that has begun keeps its own",
    )
    parser.add_argument(
        "--init_from",
        metavar="MODEL",
        help="begin a new run from this model instead of random values: a .mag bundle, ours or Magenta's, a checkpoint "
        "or a run_dir; its config and hparams are the run's, but for what --hparams changes in how it learns",
    )
    parser.add_argument(
        "--num_training_steps", type=int, default=0, metavar="N", help="steps of the run in all; 0: until stopped"
    )
    parser.add_argument("--summary_frequency", type=int, default=10, metavar="N", help="steps between two summaries")
    parser.add_argument(
        "--checkpoint_seconds", type=float, default=60, metavar="SECONDS", help="between two checkpoints"
    )
    parser.add_argument("--num_checkpoints", type=int, default=3, metavar="N", help="how many checkpoints to keep")
    parser.add_argument("--device", default="auto", help="auto (a CUDA GPU, else the CPU), cpu, cuda or mps")
    parser.add_argument(
        "--seed", type=int, metavar="N", help="decides all that is random; a new one each run if absent"
    )
    add_boolean(parser, "--eval", default=False, help="evaluate each checkpoint of the run, until the last step")
    add_boolean(
        parser, "--skip_corrupt", default=False, help="use the whole records before a damaged one instead of stopping"
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    if any(importlib.util.find_spec(name) is None for name in ("torch", "tensorboard")):
        raise MissingExtraError("training", "train")
    # PyTorch's threads would spin while they wait for each other, some milliseconds in each operation as soon as
    # another program wants a core: a step then takes three times as long. Asleep, they lose nothing.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return _evaluate(args) if args.eval else _train(args)


def _train(args: argparse.Namespace) -> int:
    from ostinato.bundle import load_bundle
    from ostinato.training.checkpoints import Origin, stored_run
    from ostinato.training.examples import load_examples
    from ostinato.training.learning import pick_device
    from ostinato.training.loop import TrainSettings, train
    from ostinato.training.processes import Processes

    settings = TrainSettings(
        num_training_steps=args.num_training_steps,
        summary_frequency=args.summary_frequency,
        checkpoint_seconds=args.checkpoint_seconds,
        num_checkpoints=args.num_checkpoints,
        device=args.device,
        seed=args.seed,
    )
    stored = stored_run(args.run_dir)
    hparams = parse_hparams(args.hparams)
    origin = None
    if args.init_from is not None:
        origin = Origin(args.init_from, load_bundle(args.init_from, config=args.config, hparams=hparams))
    if stored is not None:
        config = _as_asked(stored.config, args)
    elif origin is not None:
        config = origin.bundle.config.with_hparams(hparams)
    elif args.config is None:
        raise SettingsError(f"--config is missing: a new run needs one of {', '.join(PRESETS)}, or --init_from")
    else:
        config = preset(args.config).with_hparams(hparams)
    processes = Processes.from_environment()
    processes.share_cores()
    device = pick_device(args.device, processes)
    examples = load_examples(args.sequence_example_file, config, skip_corrupt=args.skip_corrupt)
    begun = 0 if stored is None else stored.step
    bar = progress(total=args.num_training_steps or None, unit="steps", initial=begun)

    def on_step(step: int, summary: "Summary | None") -> None:
        bar.update(step - bar.n)
        if summary is not None:
            bar.write(_line(summary), file=sys.stdout)
            sys.stdout.flush()

    # A signal before all processes are there ends this one; after that it asks for a stop.
    with bar, processes.joined(device), _stopped_by_signals(patient=processes.count > 1) as signals:
        report = train(
            args.run_dir,
            examples,
            config,
            settings,
            origin=origin,
            processes=processes,
            stop=signals.stop,
            on_step=on_step,
        )
    if processes.rank == 0:
        if report.step == report.first_step and not report.stopped:
            print(f"{args.run_dir}: has made {report.step} steps; ask for more with --num_training_steps")
        else:
            print(
                f"{args.run_dir}: {'stopped' if report.stopped else 'trained'} at step {report.step}, "
                f"{report.step - report.first_step} steps in {report.seconds:.0f} s; "
                f"{report.share_waited:.1%} of the time was spent waiting for data"
            )
    return signals.exit_code


def _evaluate(args: argparse.Namespace) -> int:
    from ostinato.training.evaluate import evaluate_run, wait_for_run
    from ostinato.training.examples import load_examples, require_records
    from ostinato.training.learning import pick_device
    from ostinato.training.processes import Processes

    # First what can be told before there is a checkpoint.
    device = pick_device(args.device, Processes())
    parse_hparams(args.hparams)
    asked = None if args.config is None else preset(args.config)
    if asked is None:
        require_records(args.sequence_example_file, skip_corrupt=args.skip_corrupt)
    else:
        examples = load_examples(args.sequence_example_file, asked, skip_corrupt=args.skip_corrupt)

    def on_evaluation(step: int, metrics: "Metrics") -> None:
        print(
            f"step {step}: eval loss {metrics.loss:.4f}, perplexity {metrics.perplexity:.3f}, "
            f"accuracy {metrics.accuracy:.4f}, event accuracy {metrics.event_accuracy:.4f}, "
            f"no-event accuracy {metrics.no_event_accuracy:.4f}, loss per step {metrics.loss:.4f}",
            flush=True,
        )

    with _stopped_by_signals(patient=False) as signals:
        _logger.info("%s: waiting for checkpoints; Ctrl-C ends this", args.run_dir)
        stored = wait_for_run(args.run_dir, signals.stop)
        if stored is not None:
            config = _as_asked(stored, args)
            if asked is None or asked.encoding != config.encoding:
                examples = load_examples(args.sequence_example_file, config, skip_corrupt=args.skip_corrupt)
            evaluate_run(
                args.run_dir,
                examples,
                config,
                device=device,
                num_training_steps=args.num_training_steps,
                stop=signals.stop,
                on_evaluation=on_evaluation,
            )
    return signals.exit_code


def _as_asked(stored: Config, args: argparse.Namespace) -> Config:
    """The stored config, if --config and --hparams say nothing else."""
    from ostinato.training.checkpoints import require_same

    asked = stored.with_hparams(parse_hparams(args.hparams))
    if args.config not in (None, stored.name):
        asked = preset(args.config)
    require_same(stored, asked, args.run_dir)
    return stored


def _line(summary: "Summary") -> str:
    metrics = summary.metrics
    return (
        f"step {summary.step}: learning rate {summary.learning_rate:.3g}, loss {metrics.loss:.4f}, "
        f"perplexity {metrics.perplexity:.3f}, accuracy {metrics.accuracy:.4f}; "
        f"{summary.steps_per_second:.3g} steps/s, {summary.events_per_second:,.0f} events/s"
    )


@dataclass(slots=True)
class _Signals:
    """What came while the work went on."""

    stop: threading.Event = field(default_factory=threading.Event)
    exit_code: int = 0


@contextlib.contextmanager
def _stopped_by_signals(*, patient: bool) -> Iterator[_Signals]:
    """For the time of a block, let Ctrl-C and SIGTERM ask for a stop; a second Ctrl-C ends it at once.

    Args:
        patient: pass over any second signal: torchrun sends its own after the terminal's.
    """
    signals = _Signals()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if signals.stop.is_set() and number == signal.SIGINT and not patient:
            raise KeyboardInterrupt
        signals.stop.set()
        signals.exit_code = signals.exit_code or 128 + number  # as a shell tells it
        _logger.info("stopping after this step")

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
