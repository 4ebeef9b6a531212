"""`ostinato train`: train a model, or evaluate it beside its training."""

import argparse
import importlib.util
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Self

from ostinato.cli.flags import USUAL, add_boolean, add_magentas, model_named, settle_config
from ostinato.cli.terminal import bar, finish, say, shows_bars, sparkline, stopped_by_signals
from ostinato.config import PRESETS, Config, parse_hparams, preset
from ostinato.dataset.report import counted
from ostinato.errors import MissingExtraError, OstinatoError, SettingsError

if TYPE_CHECKING:
    from ostinato.bundle import Bundle
    from ostinato.music.melody import Melody
    from ostinato.training.evaluation import Summary
    from ostinato.training.hardware import Processes
    from ostinato.training.job import TrainReport
    from ostinato.training.step import Metrics

# With --melody_encoder_decoder alone Magenta trains with none of a config's hyperparameters.
_BARE_HPARAMS = {"batch_size": 64, "dropout_keep_prob": 1.0, "attn_length": 0, "clip_norm": 3.0}
_NUM_SAMPLES, _SAMPLE_STEPS = 4, 128  # sample melodies of 8 bars

_logger = logging.getLogger(__name__)


EXAMPLE = (
    "ostinato train --config=lookback_rnn --run_dir=run1 "
    "--sequence_example_file=examples/training_melodies.tfrecord --num_training_steps=2000"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    usual = parser.add_argument_group(USUAL)
    usual.add_argument(
        "--config", metavar="NAME", help=f"the model: {', '.join(PRESETS)}; a run that has begun knows its own"
    )
    usual.add_argument(
        "--run_dir", required=True, metavar="FOLDER", help="where the run is kept: FOLDER/train and FOLDER/eval"
    )
    usual.add_argument(
        "--sequence_example_file",
        required=True,
        metavar="FILES",
        help="examples made by ostinato dataset: a path, a glob, or several with commas between",
    )
    usual.add_argument(
        "--num_training_steps", type=int, default=0, metavar="N", help="steps of the run in all; 0: until stopped"
    )
    add_boolean(
        usual, "--eval", default=False, help="do not train but evaluate each checkpoint of the run, until the last step"
    )

    what = parser.add_argument_group("what to train")
    what.add_argument(
        "--hparams",
        default="",
        metavar="LIST",
        help="\"batch_size=64,rnn_layer_sizes=[64,64]\" or \"{'batch_size':64,'rnn_layer_sizes':[64,64]}\"; a run that "
        "has begun keeps its own",
    )
    what.add_argument(
        "--init_from",
        metavar="MODEL",
        help="begin a new run from this model instead of random values: a built-in one, a .mag bundle, ours or "
        "Magenta's, a checkpoint or a run_dir; the run takes its config and hparams, except for those of --hparams "
        "that change how it learns",
    )
    what.add_argument(
        "--lookback_distances", metavar="LIST", help="what the encoding looks back to, as given to ostinato dataset"
    )
    what.add_argument(
        "--seed", type=int, metavar="N", help="decides all that is random; a new one for each run if not given"
    )
    what.add_argument(
        "--device", default="auto", metavar="NAME", help="auto (a CUDA GPU, else the CPU), cpu, cuda or mps"
    )
    add_boolean(
        what, "--skip_corrupt", default=False, help="use a damaged file up to the damage instead of stopping there"
    )

    watch = parser.add_argument_group("how it is watched")
    watch.add_argument("--summary_frequency", type=int, default=10, metavar="N", help="steps between two summaries")
    watch.add_argument(
        "--eval_file",
        metavar="FILES",
        help="examples to evaluate on while it trains; FOLDER/best keeps the checkpoint that does best",
    )
    watch.add_argument(
        "--eval_every", type=int, default=100, metavar="N", help="steps between two evaluations on --eval_file"
    )
    watch.add_argument(
        "--patience",
        type=int,
        default=0,
        metavar="N",
        help="stop after N evaluations on --eval_file in a row that were no better than the best; 0: never",
    )
    watch.add_argument(
        "--sample_every",
        type=int,
        default=0,
        metavar="N",
        help="steps between two sets of sample melodies, as MIDI in FOLDER/samples and as pictures in TensorBoard; "
        "0: none",
    )
    watch.add_argument(
        "--checkpoint_seconds", type=float, default=60, metavar="SECONDS", help="time between two checkpoints"
    )
    watch.add_argument("--num_checkpoints", type=int, default=3, metavar="N", help="how many checkpoints to keep")

    magentas = add_magentas(parser)
    magentas.add_argument(
        "--num_eval_examples",
        type=int,
        default=0,
        metavar="N",
        help="evaluate on the first N examples only; 0: on all",
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    require_pytorch()
    settle_config(args)
    if args.num_eval_examples < 0:
        raise SettingsError(f"--num_eval_examples must be at least 0, not {args.num_eval_examples}")
    if args.lookback_distances is not None and args.config is None:
        raise SettingsError(f"--lookback_distances={args.lookback_distances} is for --config, which is missing")
    if args.eval:
        if args.eval_file is not None:
            raise SettingsError("--eval evaluates on --sequence_example_file; leave --eval_file out")
        return _evaluate(args)
    if args.patience and args.eval_file is None:
        raise SettingsError(f"--patience={args.patience} is for --eval_file, which is missing")
    return _train(args)


def require_pytorch() -> None:
    """Make PyTorch ready to be loaded.

    Raises:
        MissingExtraError: if it is not installed.
    """
    if any(importlib.util.find_spec(name) is None for name in ("torch", "tensorboard")):
        raise MissingExtraError("training", "train")
    # PyTorch's threads would spin while they wait for each other, some milliseconds in each operation as soon as
    # another program wants a core: a step then takes three times as long. Asleep, they lose nothing.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def _train(args: argparse.Namespace) -> int:
    from ostinato.bundle import load_bundle
    from ostinato.training.checkpoints import Origin, stored_run
    from ostinato.training.data import load_examples
    from ostinato.training.hardware import Processes, pick_device
    from ostinato.training.job import TrainSettings, train

    settings = TrainSettings(
        num_training_steps=args.num_training_steps,
        summary_frequency=args.summary_frequency,
        checkpoint_seconds=args.checkpoint_seconds,
        num_checkpoints=args.num_checkpoints,
        device=args.device,
        seed=args.seed,
        eval_every=args.eval_every,
        patience=args.patience,
        sample_every=args.sample_every,
    )
    stored = stored_run(args.run_dir)
    hparams = parse_hparams(args.hparams)
    origin = None
    if args.init_from is not None:
        if args.lookback_distances is not None:
            raise SettingsError("--lookback_distances are the model's own with --init_from; leave them out")
        path = model_named("--init_from", args.init_from)
        origin = Origin(path, load_bundle(path, config=args.config, hparams=hparams))
    if stored is not None:
        config = _as_asked(stored.config, args)
    elif origin is not None:
        config = origin.bundle.config.with_hparams(hparams)
    elif args.config is None:
        raise SettingsError(f"--config is missing: a new run needs one of {', '.join(PRESETS)}, or --init_from")
    else:
        config = _preset(args).with_hparams(hparams)
    processes = Processes.from_environment()
    processes.share_cores()
    device = pick_device(args.device, processes)
    examples = load_examples(args.sequence_example_file, config, skip_corrupt=args.skip_corrupt)
    held_out = None
    if args.eval_file is not None:
        held_out = load_examples(args.eval_file, config, skip_corrupt=args.skip_corrupt)
        held_out = held_out.first(args.num_eval_examples)
    line = LiveLine(num_training_steps=args.num_training_steps, begun=0 if stored is None else stored.step)

    def work() -> int:
        # A signal before all processes are there ends this one; after that it asks for a stop.
        with line, processes.joined(device), stopped_by_signals(patient=processes.count > 1) as signals:
            report = train(
                args.run_dir,
                examples,
                config,
                settings,
                held_out=held_out,
                origin=origin,
                processes=processes,
                stop=signals.stop,
                on_step=line.on_step,
                on_evaluation=line.on_evaluation,
                sample=_sampler(Path(args.run_dir) / "samples"),
            )
            line.done(report)
        if processes.rank == 0:
            _tell_end(report, args)
        return signals.exit_code

    return work() if processes.count == 1 else _one_of_several(work, processes, args.run_dir)


def _one_of_several(work: Callable[[], int], processes: "Processes", run_dir: str) -> NoReturn:
    """Do the work of one process among several, and end it; what went wrong is told in a line."""
    from ostinato.training.hardware import is_lost_connection

    try:
        exit_code = work()
    except Exception as error:
        _logger.debug("", exc_info=True)
        told, exit_code = f"{type(error).__name__}: {error}", 1
        if isinstance(error, OstinatoError):
            told, exit_code = str(error), error.exit_code
        elif is_lost_connection(error):
            told = (
                f"{run_dir}: process {processes.rank} stops, for another one of the job has ended; "
                "start the job again to go on from the last checkpoint"
            )
        print(f"ostinato train: {told}", file=sys.stderr)
    processes.leave(exit_code)
    raise AssertionError("it has left")


def _tell_end(report: "TrainReport", args: argparse.Namespace) -> None:
    if report.step == report.first_step and report.converged:
        say(f"{args.run_dir}: has got no better for long at step {report.step}; a larger --patience goes on")
    elif report.step == report.first_step and not report.stopped:
        say(f"{args.run_dir}: has made {counted(report.step, 'step')}; ask for more with --num_training_steps")
    else:
        ended = "stopped" if report.stopped else "no better for long" if report.converged else "trained"
        say(
            f"{args.run_dir}: {ended} at step {report.step}, "
            f"{counted(report.step - report.first_step, 'step')} in {report.seconds:.0f} s; "
            f"{report.share_waited:.1%} of the time was spent waiting for data"
        )
    if report.best is not None:
        folder = Path(args.run_dir) / "best"
        say(f"{folder}: the best, eval loss {report.best.loss:.4f} at step {report.best.step}")


def _sampler(folder: Path) -> "Callable[[Bundle], list[Melody]]":
    """What plays a model in the course of its training, always by the run's seed, and writes MIDI files."""

    def sample(bundle: "Bundle") -> "list[Melody]":
        from ostinato.formats import atomic_writer
        from ostinato.formats.midi.writer import note_sequence_to_midi
        from ostinato.generation.model import Model

        seed, step = bundle.provenance["seed"], bundle.provenance["step"]
        melodies = Model(bundle).generate(_SAMPLE_STEPS, num_outputs=_NUM_SAMPLES, seed=seed)
        for number, melody in enumerate(melodies, start=1):
            with atomic_writer(folder / f"step-{step:08d}_{number}.mid", sync=False) as file:
                file.write(note_sequence_to_midi(melody.to_note_sequence()))
        return melodies

    return sample


def _evaluate(args: argparse.Namespace) -> int:
    from ostinato.training.data import load_examples, require_records
    from ostinato.training.evaluation import evaluate_run, wait_for_run
    from ostinato.training.hardware import Processes, pick_device

    # First what can be told before there is a checkpoint.
    device = pick_device(args.device, Processes())
    parse_hparams(args.hparams)
    asked = None if args.config is None else _preset(args)
    if asked is None:
        require_records(args.sequence_example_file, skip_corrupt=args.skip_corrupt)
    else:
        examples = load_examples(args.sequence_example_file, asked, skip_corrupt=args.skip_corrupt)

    def on_evaluation(step: int, metrics: "Metrics") -> None:
        print(_evaluation_line(step, metrics), flush=True)

    with stopped_by_signals(patient=False) as signals:
        _logger.info("%s: waiting for checkpoints; Ctrl-C ends this", args.run_dir)
        stored = wait_for_run(args.run_dir, signals.stop)
        if stored is not None:
            config = _as_asked(stored, args)
            if asked is None or asked.encoding != config.encoding:
                examples = load_examples(args.sequence_example_file, config, skip_corrupt=args.skip_corrupt)
            evaluate_run(
                args.run_dir,
                examples.first(args.num_eval_examples),
                config,
                device=device,
                num_training_steps=args.num_training_steps,
                stop=signals.stop,
                on_evaluation=on_evaluation,
            )
    return signals.exit_code


def _preset(args: argparse.Namespace) -> Config:
    """The preset that --config names, or --melody_encoder_decoder, with the lookback distances that are asked for."""
    config = preset(args.config)
    if args.encoder_alone:
        config = config.with_hparams(_BARE_HPARAMS)
    return config if args.lookback_distances is None else config.with_lookback_distances(args.lookback_distances)


def _as_asked(stored: Config, args: argparse.Namespace) -> Config:
    """The stored config, if --config and --hparams say nothing else."""
    from ostinato.training.checkpoints import require_same

    asked = stored.with_hparams(parse_hparams(args.hparams))
    if args.config not in (None, stored.name):
        asked = _preset(args)
    elif args.lookback_distances is not None:
        asked = asked.with_lookback_distances(args.lookback_distances)
    require_same(stored, asked, args.run_dir)
    return stored


class LiveLine:
    """How a training goes: on a terminal a line that is kept up to date, else a line for each summary.

    Evaluations have a line each, or the curve of them stands in the line. Use it as a context manager.
    """

    def __init__(
        self, *, num_training_steps: int = 0, max_seconds: float = 0, begun: int = 0, draws_curve: bool = False
    ) -> None:
        """Begin the line.

        Args:
            num_training_steps: after which the training ends; 0 if it is not known.
            max_seconds: the time after which it ends at the latest; 0 if there is none.
            begun: steps made before.
            draws_curve: show evaluations as a curve in the line, and on no terminal nothing.
        """
        self._draws_curve = draws_curve
        self._on_terminal = sys.stdout.isatty() and shows_bars()
        limit = f" of at most {_clock(max_seconds)}" if max_seconds else ""
        bar_format = "{elapsed}" + limit + "{postfix}"
        if num_training_steps:
            bar_format = "{l_bar}{bar:16}| {n_fmt}/{total_fmt}{unit} [{elapsed}<{remaining}]{postfix}"
        self._bar = bar(total=num_training_steps or None, unit="steps", initial=begun, bar_format=bar_format)
        self._num_training_steps = num_training_steps
        self._loss = ""
        self._eval_losses: list[float] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def on_step(self, step: int, summary: "Summary | None") -> None:
        """Tell of a step."""
        if summary is not None:
            self._loss = f", loss {summary.metrics.loss:.3f}"
            if not self._on_terminal and not self._draws_curve:
                say(_line(summary))
        self._show(step)
        self._bar.update(step - self._bar.n)

    def on_evaluation(self, step: int, metrics: "Metrics") -> None:
        """Tell of an evaluation."""
        self._eval_losses.append(metrics.loss)
        if self._draws_curve:
            self._show(step)
            self._bar.refresh()
        else:
            say(_evaluation_line(step, metrics))

    def _show(self, step: int) -> None:
        told = self._loss if self._num_training_steps else f", step {step}{self._loss}"
        if self._eval_losses:
            told += f", held out {self._eval_losses[-1]:.3f}"
        if self._draws_curve and len(self._eval_losses) > 1:
            told += f" {sparkline(self._eval_losses)}"
        self._bar.set_postfix_str(told.removeprefix(", "), refresh=False)

    def done(self, report: "TrainReport") -> None:
        """End the line of a training that was not stopped: what it has made is all."""
        if not report.stopped:
            finish(self._bar)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60:02}:{int(seconds) % 60:02}"


def _evaluation_line(step: int, metrics: "Metrics") -> str:
    return (
        f"step {step}: eval loss {metrics.loss:.4f}, perplexity {metrics.perplexity:.3f}, "
        f"accuracy {metrics.accuracy:.4f}, event accuracy {metrics.event_accuracy:.4f}, "
        f"no-event accuracy {metrics.no_event_accuracy:.4f}, loss per step {metrics.loss:.4f}"
    )


def _line(summary: "Summary") -> str:
    metrics = summary.metrics
    return (
        f"step {summary.step}: learning rate {summary.learning_rate:.3g}, loss {metrics.loss:.4f}, "
        f"perplexity {metrics.perplexity:.3f}, accuracy {metrics.accuracy:.4f}; "
        f"{summary.steps_per_second:.3g} steps/s, {summary.events_per_second:,.0f} events/s"
    )
