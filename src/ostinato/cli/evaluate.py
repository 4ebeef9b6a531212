"""`ostinato evaluate`: how well models predict melodies that they have not seen."""

import argparse
import json
import logging
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ostinato.cli.flags import USUAL, add_extraction, add_model, chosen_models, extraction_of, listed, melodies_in
from ostinato.cli.terminal import figures_table, progress, room, say, wrapped
from ostinato.errors import SettingsError, printable

if TYPE_CHECKING:
    from ostinato.bundle import Bundle
    from ostinato.dataset.melodies import Melodies
    from ostinato.evaluation.report import Contender, Report


_logger = logging.getLogger(__name__)


EXAMPLE = "ostinato evaluate --input=data/aird/midi --config=ostinato,lookback_rnn"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    usual = parser.add_argument_group(USUAL)
    usual.add_argument(
        "--input",
        required=True,
        metavar="FOLDER",
        help="melodies that the models have not learned from: a folder of music files, or TFRecord files of "
        "NoteSequences as a path, a glob, shards as NAME@10.tfrecord, or several with commas between",
    )
    usual.add_argument(
        "--ngram_training",
        metavar="FOLDER",
        help="also measure Witten-Bell n-gram models of the melodies in this folder or TFRecord file",
    )
    usual.add_argument("--json", metavar="FILE", help="write all figures, and the bits of each melody, to this file")
    usual.add_argument("--html", metavar="FILE", help="write a page with plots to this file")
    models = parser.add_argument_group("which models; all built-in ones if you name none")
    add_model(models, several=True)
    models.add_argument(
        "--ensemble",
        metavar="A+B",
        help="several models as one, by the mean of their probabilities: bundles with + between; several ensembles "
        "with commas between",
    )
    intervals = parser.add_argument_group("confidence intervals")
    intervals.add_argument("--num_resamples", type=int, default=1000, metavar="N", help="resamples to take them from")
    intervals.add_argument("--seed", type=int, default=0, metavar="N", help="decides the resamples")
    add_extraction(parser)


def run(args: argparse.Namespace) -> int:
    """Measure the models and tell how good they are."""
    # Products of this size gain nothing from a second thread, which would wait for them by spinning.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from ostinato.evaluation.likelihood import PredictedSteps
    from ostinato.evaluation.report import make_report

    _check(args)
    models = _models(args)
    settings = extraction_of(args)
    sources = melodies_in(args.input, settings)
    training = None if args.ngram_training is None else melodies_in(args.ngram_training, settings)
    steps = PredictedSteps.of([found.melody for found in sources.melodies])
    contenders = _contenders(models, sources, training, len(steps.melody))
    report = make_report(
        sources,
        steps,
        contenders,
        num_resamples=args.num_resamples,
        seed=args.seed,
        ngram_training=training,
    )
    _tell(report)
    _write(args, report)
    return 0


def _check(args: argparse.Namespace) -> None:
    """Refuse flags that cannot be before any work is done."""
    from ostinato.evaluation.report import MAX_RESAMPLES

    if not 1 <= args.num_resamples <= MAX_RESAMPLES:
        raise SettingsError(f"--num_resamples must be 1 to {MAX_RESAMPLES:,}, not {args.num_resamples:,}")
    if args.seed < 0:
        raise SettingsError(f"--seed must be at least 0, not {args.seed}")
    read = [args.input, args.ngram_training, *listed(args.bundle_file), *listed(args.checkpoint_file)]
    inputs = {Path(path).resolve() for path in read if path}
    for flag, output in (("--json", args.json), ("--html", args.html)):
        if output is None:
            continue
        if Path(output).resolve() in inputs or Path(output).is_dir():
            what = "a folder" if Path(output).is_dir() else "read, and would be overwritten"
            raise SettingsError(f"{flag}: {output} is {what}; choose another file")
    if args.json is not None and args.html is not None and Path(args.json).resolve() == Path(args.html).resolve():
        raise SettingsError(f"--json and --html are both {args.json}; give two files")
    if args.ngram_training is not None and Path(args.ngram_training).resolve() == Path(args.input).resolve():
        raise SettingsError("--ngram_training is --input: models that count what they predict tell nothing")


def _models(args: argparse.Namespace) -> list[tuple[str, list["Bundle"]]]:
    """The models that the flags ask for, all built-in ones if they name none: a name and the members of each."""
    from ostinato.bundle import load_bundle
    from ostinato.shipped import SHIPPED_MODELS, load_shipped, shipped_path

    models = [(chosen.name, [chosen.bundle]) for chosen in chosen_models(args)]
    for ensemble in listed(args.ensemble):
        members = [part.strip() for part in ensemble.split("+") if part.strip()]
        if len(members) < 2:
            raise SettingsError(f"--ensemble={ensemble} is one model; name several with + between, as a.mag+b.mag")
        models.append(("+".join(Path(member).stem for member in members), [load_bundle(path) for path in members]))
    return models or [(name, [load_shipped(name)]) for name in SHIPPED_MODELS if shipped_path(name).is_file()]


def _contenders(
    models: Sequence[tuple[str, Sequence["Bundle"]]], sources: "Melodies", training: "Melodies | None", num_steps: int
) -> list["Contender"]:
    from ostinato.bundle import num_parameters
    from ostinato.evaluation.likelihood import event_scores, fit_ngrams, ngram_scores
    from ostinato.evaluation.report import Contender

    melodies = [found.melody for found in sources.melodies]
    contenders = []
    with progress("steps", num_steps * len(models), unit_scale=True) as done:
        for name, bundles in models:
            about: dict[str, Any] = {
                "members": [
                    {"settings": bundle.config.to_json(), "parameters": num_parameters(bundle)} for bundle in bundles
                ]
            }
            kind = "model" if len(bundles) == 1 else "ensemble"
            contenders.append(Contender(name, kind, event_scores(bundles, melodies, progress=done), about=about))
    if training is not None:
        ngrams = fit_ngrams([found.melody for found in training.melodies])
        contenders += [
            Contender(f"n-gram, order {order}", "n-gram", scores, order=order)
            for order, scores in enumerate(ngram_scores(ngrams, melodies))
        ]
    if not contenders:
        raise SettingsError("no model comes with this installation; name one with --bundle_file, or --ngram_training")
    return contenders


def _tell(report: "Report") -> None:
    from ostinato.evaluation.report import summary, table_rows

    width = room()
    for line in summary(report):
        print(printable(line) if width is None else wrapped(printable(line), width=width))
    print()
    print(figures_table(table_rows(report), width))


def _write(args: argparse.Namespace, report: "Report") -> None:
    from ostinato.evaluation.report import to_json
    from ostinato.formats import atomic_writer

    if args.json is not None:
        with atomic_writer(args.json) as file:
            file.write(json.dumps(to_json(report), indent=1, allow_nan=False).encode() + b"\n")
        say(f"{args.json}: all figures")
    if args.html is not None:
        from ostinato.pages.reports import report_page

        with atomic_writer(args.html) as file:
            file.write(report_page(report, _command()).encode(errors="replace"))
        say(f"{args.html}: a page with plots")


def _command() -> str:
    """The line for the shell that this program was started with."""
    return shlex.join(["ostinato", *sys.argv[1:]])
