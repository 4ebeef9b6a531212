"""`ostinato learn`: from a folder of tunes to a model that makes such tunes, in one command."""

import argparse
import contextlib
import datetime as dt
import hashlib
import json
import logging
import math
import shlex
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ostinato.bundle import Bundle, load_bundle, save_bundle
from ostinato.cli.dataset import transpositions_of
from ostinato.cli.flags import (
    USUAL,
    add_extraction,
    add_report,
    extraction_of,
    melodies_in,
    model_named,
    write_report,
)
from ostinato.cli.terminal import say, stopped_by_signals, terminal_width, text_table
from ostinato.cli.train import LiveLine, require_pytorch
from ostinato.config import preset
from ostinato.dataset.records import DatasetSettings, distinct, eval_ratio_for, is_for_eval, split_melodies
from ostinato.dataset.report import chords_words, counted, off_grid_words
from ostinato.errors import DataError, OstinatoError, SettingsError, printable
from ostinato.formats import atomic_writer
from ostinato.music.extract import ExtractionSettings
from ostinato.music.meter import Meter
from ostinato.music.quantize import total_off_grid
from ostinato.shipped import BEST_MODEL
from ostinato.training.recipe import FEW_MELODIES, MANY_MELODIES, Recipe, num_held_out, recipe_for

if TYPE_CHECKING:
    from ostinato.dataset.melodies import Melodies, SourceMelody
    from ostinato.music.melody import Melody
    from ostinato.training.evaluation import Summary
    from ostinato.training.job import TrainReport
    from ostinato.training.step import Metrics

_SCRATCH = "scratch"
_MINUTES = 10.0
_NUM_MELODIES, _NUM_BARS = 10, 8  # of those that it makes at the end
_ALL_KEYS = tuple(range(-5, 7))
_RUN = "run"  # in the work_dir
_TABLE_ROWS = 14  # of the table of what is learned from, its head counted
_NAMED_BARS = 3  # melodies of one track whose bars are named

_logger = logging.getLogger(__name__)


EXAMPLE = "ostinato learn data/aird/midi --output=my.mag --minutes=5"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    parser.add_argument("folder", metavar="FOLDER", help="MIDI, MusicXML or ABC files, also in folders within it")
    usual = parser.add_argument_group(USUAL)
    usual.add_argument("--output", metavar="FILE", help="the bundle to write, such as my.mag")
    usual.add_argument(
        "--minutes",
        type=float,
        metavar="N",
        help=f"how long to train at most; {_MINUTES:g} if not given, or any time with --num_training_steps",
    )
    usual.add_argument(
        "--dry_run", action="store_true", help="show what it would learn from and what it cannot use, and stop there"
    )
    usual.add_argument(
        "--from",
        dest="origin",
        metavar="MODEL",
        help="begin from this model: a built-in one, a bundle, a checkpoint or a run_dir; or from "
        f"{_SCRATCH}. If not given, from {BEST_MODEL}, or with {MANY_MELODIES} melodies or more from {_SCRATCH}",
    )
    usual.add_argument("--html", metavar="FILE", help="the page to write; beside the bundle if not given")
    how = parser.add_argument_group("how it learns")
    how.add_argument(
        "--num_training_steps", type=int, default=0, metavar="N", help="stop after this many steps; 0: any"
    )
    how.add_argument(
        "--transpose",
        metavar="LOW..HIGH",
        help="learn each melody in each of these transpositions, in semitones; if not given, in "
        f"{_ALL_KEYS[0]}..{_ALL_KEYS[-1]}, or as it is if the model moves all melodies to one key",
    )
    how.add_argument(
        "--seed", type=int, default=0, metavar="N", help="decides all that is random, also what is held out"
    )
    how.add_argument(
        "--device", default="auto", metavar="NAME", help="auto (a CUDA GPU, else the CPU), cpu, cuda or mps"
    )
    what = parser.add_argument_group("what else to write")
    what.add_argument("--work_dir", metavar="FOLDER", help="keep the training run here")
    what.add_argument(
        "--progress", metavar="FILE", help="write how it goes to this file while it trains, a line of JSON each time"
    )
    add_report(what)
    what.add_argument(
        "--force", action="store_true", help="overwrite a bundle that is there, even one of the same tunes and settings"
    )
    add_extraction(parser, as_played=True)


@dataclass(frozen=True, slots=True)
class _Tunes:
    """What a folder gives to learn from.

    Attributes:
        found: all its melodies, and what was left out.
        distinct: those that equal no earlier one up to transposition.
    """

    found: "Melodies"
    distinct: "list[SourceMelody]"

    @property
    def num_melodies(self) -> int:
        return len(self.distinct)

    @property
    def pieces(self) -> list[str]:
        """Identities of those with a melody, in order."""
        return list(dict.fromkeys(one.identity for one in self.distinct))

    @property
    def meter(self) -> Meter:
        """That of most of the melodies."""
        return Counter(one.melody.meter for one in self.distinct).most_common(1)[0][0]


@dataclass(frozen=True, slots=True)
class _Origin:
    """The model to begin from: its name or path as it is told, and the model."""

    name: str
    path: Path
    bundle: Bundle


def run(args: argparse.Namespace) -> int:
    """Go all the way, and say at each stage what was done."""
    if not args.dry_run:
        require_pytorch()
    began = time.monotonic()
    output, seconds = _checked_output(args), _seconds(args)
    asked = None if args.transpose is None else transpositions_of(args.transpose)
    extraction = extraction_of(args)
    origin = None if args.origin in (None, _SCRATCH) else _origin(args.origin)
    tunes = _read_tunes(args.folder, extraction)
    if args.origin is None:
        origin = _chosen_origin(tunes)
    config = preset(BEST_MODEL) if origin is None else origin.bundle.config
    with_chords = sum(bool(one.melody.chords) for one in tunes.distinct)
    if chords := chords_words(with_chords, tunes.num_melodies, config.encoding, "--from=chord_rnn"):
        say(chords)
    settings = DatasetSettings(
        config.encoding,
        extraction,
        eval_ratio=eval_ratio_for(tunes.pieces, num_held_out(tunes.num_melodies, len(tunes.pieces)), args.seed),
        seed=args.seed,
        transpositions=asked or ((0,) if config.encoding.transpose_to_key is not None else _ALL_KEYS),
        dedupe=True,
    )
    # A dry run is asked for the table.
    (print if args.dry_run else say)(_table(tunes, settings, terminal_width()))
    training, held_out = _split(tunes, settings)
    write_report(args.json, _report(tunes, settings))
    recipe = recipe_for(config, tunes.num_melodies - len(held_out), from_model=origin is not None)
    asked_for = _fingerprint((training, held_out), recipe, origin, (seconds, args.num_training_steps, args.seed))
    if args.dry_run:
        say("Nothing was trained, as --dry_run says")
        return 0
    if output.exists() and not args.force:
        if _learned_as(output) != asked_for:
            raise _is_there(output)
        say(
            f"{output}: this model has learned from these melodies with these settings already; "
            "nothing was changed (--force trains it anew)"
        )
        return 0
    with _work_folder(args.work_dir) as work:
        report, exit_code = _train(args, recipe, origin, (training, held_out), work / _RUN, seconds)
        best = load_bundle(work / _RUN / "best")
    before = None if origin is None else _figures(origin.bundle, held_out)
    after = _figures(best, held_out)
    _tell_figures(before, after, report)
    name, num_steps = Path(args.folder).resolve().name, sum(map(len, training))
    data = {"files": [name], "num_files": tunes.found.read, "num_melodies": len(training), "num_steps": num_steps}
    data["upbeats"] = round(sum(melody.has_upbeat for melody in training) / len(training), 3)
    card = {
        "data": f"{tunes.found.read} files of {name}: {len(training)} melodies of {num_steps} steps to learn from, "
        f"{len(held_out)} of {sum(map(len, held_out))} steps held out",
        "split": f"by piece, the hash of its id with seed {args.seed}",
        "began_from": "random values" if origin is None else origin.name,
        "settings": best.config.to_json()["hparams"],
        "steps": report.step,
        "best_step": best.provenance["step"],
        "training_seconds": round(report.seconds, 1),
        "wall_seconds": round(time.monotonic() - began, 1),
        "seed": args.seed,
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "held_out": {"validation": after} | ({} if before is None else {"before": before}),
    }
    if exit_code == 0:  # one that was interrupted may be trained anew
        card["asked_for"] = asked_for
    if origin is not None and isinstance(earlier := origin.bundle.provenance.get("card"), dict):
        # Whoever is thanked for what a model learned from is thanked for what is made of it.
        card |= {name: earlier[name] for name in ("license", "credits") if name in earlier}
    saved = save_bundle(
        Bundle(best.config, best.arrays, {**best.provenance, "data": data, "card": card}),
        output,
        f"Learned from {name}; {after['bits_per_step']:.3f} bits a 16th step on held-out tunes",
    )
    say(f"{output}: the model; ostinato bundle show {shlex.quote(str(output))} tells all about it")
    _play(saved, tunes.meter, output, args)
    return exit_code


def _checked_output(args: argparse.Namespace) -> Path:
    """Where the bundle goes, once it is clear that it can, or may be there already."""
    if args.dry_run:
        return Path(args.output or "")
    if args.output is None:
        raise SettingsError("--output is missing: the bundle to write, such as --output=my.mag")
    output = Path(args.output)
    if output.is_dir():
        raise SettingsError(f"--output={output} is a folder; name a file in it, such as {output / 'my.mag'}")
    if output.exists() and not args.force and _learned_as(output) is None:
        raise _is_there(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    return output


def _is_there(output: Path) -> SettingsError:
    return SettingsError(f"{output}: there is such a file already; choose another name, or overwrite it with --force")


def _learned_as(output: Path) -> str | None:
    """What an earlier run that went to its end was asked for; None of any other file."""
    try:
        card = load_bundle(output).provenance.get("card")
    except (OSError, OstinatoError):
        return None
    found = card.get("asked_for") if isinstance(card, dict) else None
    return found if isinstance(found, str) else None


def _fingerprint(
    melodies: "tuple[Sequence[Melody], Sequence[Melody]]",
    recipe: Recipe,
    origin: _Origin | None,
    limits: tuple[float, int, int],
) -> str:
    """What is equal for the same melodies and settings: a hash."""
    digest = hashlib.sha256(json.dumps([recipe.config.to_json(), *limits], sort_keys=True).encode())
    for name, array in sorted(origin.bundle.arrays.items()) if origin else ():
        digest.update(name.encode() + array.tobytes())
    for some in melodies:
        digest.update(b"|")
        for melody in some:
            digest.update(f"{melody.meter} {melody.ends} {melody.events} {melody.chords};".encode())
    return digest.hexdigest()


def _rows(tunes: _Tunes, settings: DatasetSettings) -> "Iterator[tuple[list[SourceMelody], bool]]":
    """The melodies of each track that is learned from, in order, and whether they are held out."""
    for _, found in groupby(tunes.distinct, key=lambda one: (one.filename, one.identity, one.track)):
        its = list(found)
        yield its, is_for_eval(its[0].identity, settings.eval_ratio, settings.seed)


def _table(tunes: _Tunes, settings: DatasetSettings, width: int) -> str:
    """Which files, tracks and bars are learned from, the first of them."""
    rows = [["file", "track", "", "bars", "notes", "meter", "off grid"]]
    for its, is_held_out in _rows(tunes, settings):
        first = its[0]
        bars = [f"{one.first_bar}-{one.last_bar}" for one in its]
        rows.append(
            [
                printable(first.filename),
                f"{first.track} {printable(first.track_name)}".strip(),
                "held out" if is_held_out else "",
                ", ".join(bars[:_NAMED_BARS])
                + (f" and {len(bars) - _NAMED_BARS} more" if len(bars) > _NAMED_BARS else ""),
                str(sum(len(one.melody.pitches) for one in its)),
                str(first.melody.meter),
                f"{total_off_grid(one.rhythm for one in its).share:.0%}",
            ]
        )
    more = len(rows) - _TABLE_ROWS
    shown = rows if more <= 1 else rows[:_TABLE_ROWS]
    table = text_table(shown, words=3, width=width)
    return table if more <= 1 else f"{table}\nand {more} more; ostinato inspect shows them all"


def _report(tunes: _Tunes, settings: DatasetSettings) -> dict[str, Any]:
    """What was read, what is learned from and what was left out, as JSON values."""
    return {
        **tunes.found.to_json(),
        "learned_from": [
            {
                "file": one.filename,
                "track": one.track,
                "track_name": one.track_name,
                "first_bar": one.first_bar,
                "last_bar": one.last_bar,
                "held_out": is_held_out,
            }
            for its, is_held_out in _rows(tunes, settings)
            for one in its
        ],
    }


def _seconds(args: argparse.Namespace) -> float:
    """How long to train at most; 0 is without end."""
    for name, least in (("num_training_steps", 0), ("seed", 0)):
        if getattr(args, name) < least:
            raise SettingsError(f"--{name}={getattr(args, name)}: must be at least {least}")
    if args.minutes is None:
        return 0.0 if args.num_training_steps else 60 * _MINUTES
    if not 0 < args.minutes < math.inf:
        raise SettingsError(f"--minutes={args.minutes:g}: must be above 0")
    return float(60 * args.minutes)


def _origin(name: str) -> _Origin:
    """The model that --from names."""
    path = model_named("--from", name)
    try:
        return _Origin(name, path, load_bundle(path))
    except DataError as error:
        raise DataError(f"--from={name}: {error}") from None


def _chosen_origin(tunes: _Tunes) -> _Origin | None:
    """The model to begin from where none is named: what few tunes can't teach, it knows already."""
    if tunes.num_melodies >= MANY_MELODIES:
        say(f"Learning from {_SCRATCH}: {tunes.num_melodies} melodies teach a new model enough (--from=MODEL)")
        return None
    origin = _origin(BEST_MODEL)
    say(f"Beginning from {BEST_MODEL}, which comes with Ostinato and has learned other tunes (--from={_SCRATCH})")
    if tunes.num_melodies < FEW_MELODIES:
        say(
            f"With fewer than {FEW_MELODIES} melodies the model is changed with care: in small steps, and no longer "
            "than it helps with those held out. More tunes would teach it more"
        )
    return origin


@contextlib.contextmanager
def _work_folder(chosen: str | None) -> Iterator[Path]:
    """A new folder for what is made on the way."""
    if chosen is None:
        with tempfile.TemporaryDirectory(prefix="ostinato-learn-") as temporary:
            yield Path(temporary)
        return
    folder = Path(chosen)
    if (folder / _RUN).exists():
        raise SettingsError(f"--work_dir={folder}: there is a run in it already; choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    yield folder


def _read_tunes(folder: str, extraction: ExtractionSettings) -> _Tunes:
    """Find the melodies of a folder, and say what was left out.

    Raises:
        DataError: if there are not two pieces with a melody, one to learn from and one to measure on.
    """
    found = melodies_in(folder, extraction)
    say(f"{folder}: read {found.read:,} of {counted(found.files, 'music file')}")
    tunes = _Tunes(found, distinct(found.melodies))
    left_out = found.left_out()
    if duplicates := len(found.melodies) - tunes.num_melodies:
        equal = ("melody that equals an earlier one", "melodies that equal an earlier one")
        left_out.append(f"{counted(duplicates, *equal)} up to transposition")
    if len(tunes.pieces) < 2:
        raise DataError(
            f"{folder}: it takes two pieces with a melody, one to learn from and one to measure on, and there is one; "
            f"add tunes, or see what was left out: {'; '.join(left_out) or 'nothing'}"
        )
    melodies = counted(tunes.num_melodies, "melody", "melodies")
    say(f"Found {melodies} in {len(tunes.pieces)} of {counted(found.tunes, 'piece')}")
    if off_grid := off_grid_words(found.rhythm):
        say(off_grid)
    if left_out:
        say("Left out or changed:", *(f"  {line}" for line in left_out))
    return tunes


def _split(tunes: _Tunes, settings: DatasetSettings) -> "tuple[list[Melody], list[Melody]]":
    """The melodies to learn from and those held out, as they are encoded."""
    training, held_out = split_melodies(tunes.found.melodies, settings)
    if not held_out:  # melodies that differ in their pieces, and are one in the model's range
        raise DataError("the pieces held out hold no melody of their own; choose another --seed")
    transposed = f" in {len(settings.transpositions)} transpositions" if len(settings.transpositions) > 1 else ""
    say(
        f"{counted(len(training), 'melody', 'melodies')}{transposed} to learn from; {len(held_out)}, of other pieces, "
        "held out to measure on"
    )
    return training, held_out


def _train(
    args: argparse.Namespace,
    recipe: Recipe,
    origin: _Origin | None,
    melodies: "tuple[list[Melody], list[Melody]]",
    run_dir: Path,
    seconds: float,
) -> "tuple[TrainReport, int]":
    """Train until time or steps are over, it gets no better, or Ctrl-C; returns how it went, and the exit code."""
    from ostinato.training import checkpoints
    from ostinato.training.data import examples_of_melodies
    from ostinato.training.job import TrainSettings, train

    settings = TrainSettings(
        num_training_steps=args.num_training_steps,
        device=args.device,
        seed=args.seed,
        max_seconds=seconds,
        eval_every=recipe.eval_every,
        patience=recipe.patience,
    )
    limits = [f"{seconds / 60:g} min"] if seconds else []
    limits += [counted(args.num_training_steps, "step")] if args.num_training_steps else []
    say(f"Training for at most {' or '.join(limits)}; Ctrl-C ends it and keeps the best so far")
    line = LiveLine(num_training_steps=args.num_training_steps, max_seconds=seconds, draws_curve=True)
    progress = _Progress(args.progress)
    training, held_out = (examples_of_melodies(some, recipe.config, args.folder) for some in melodies)
    with line, stopped_by_signals(patient=False) as signals:
        report = train(
            run_dir,
            training,
            recipe.config,
            settings,
            held_out=held_out,
            origin=None if origin is None else checkpoints.Origin(origin.path, origin.bundle),
            stop=signals.stop,
            on_step=_both(line.on_step, progress.on_step),
            on_evaluation=_both(line.on_evaluation, progress.on_evaluation),
        )
        line.done(report)
    return report, signals.exit_code


class _Progress:
    """How a training goes, for programs: a line of JSON for each summary and each evaluation.

    Of a line `step` is the number of steps, `seconds` how long it has trained, and `loss` the mean of the last steps or
    `held_out` that of the held-out melodies, both in nats a step.
    """

    def __init__(self, path: str | None) -> None:
        self._path = None if path is None else Path(path)
        self._began = time.monotonic()
        if self._path is not None:
            self._path.write_text("")

    def on_step(self, step: int, summary: "Summary | None") -> None:
        if summary is not None:
            self._write(step, loss=summary.metrics.loss)

    def on_evaluation(self, step: int, metrics: "Metrics") -> None:
        self._write(step, held_out=metrics.loss)

    def _write(self, step: int, **losses: float) -> None:
        if self._path is None:
            return
        told = {"step": step, "seconds": time.monotonic() - self._began, **losses}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({name: round(value, 4) for name, value in told.items()}) + "\n")


def _both(*calls: Callable[[int, Any], None]) -> Callable[[int, Any], None]:
    def call(step: int, told: Any) -> None:
        for each in calls:
            each(step, told)

    return call


def _figures(bundle: Bundle, melodies: "Sequence[Melody]") -> dict[str, Any]:
    """How well a model predicts melodies, for its card."""
    from ostinato.evaluation.likelihood import event_scores

    scores = event_scores([bundle], melodies)
    return {
        "bits_per_step": round(float(scores.bits.mean()), 4),
        "accuracy": round(float(scores.hits.mean()), 4),
        "num_melodies": len(melodies),
        "num_steps": len(scores.bits),
    }


def _tell_figures(before: dict[str, Any] | None, after: dict[str, Any], report: "TrainReport") -> None:
    assert report.best is not None
    ended = "stopped" if report.stopped else "no better for long" if report.converged else "done"
    say(f"{ended} at step {report.step} after {report.seconds:.0f} s; the best was step {report.best.step}")
    if before is not None and report.best.step == 0:
        say("No step made it better on the held-out melodies: the model stays as it was")
    was = "" if before is None else f", {before['bits_per_step']:.3f} before"
    say(
        f"On the held-out melodies: {after['bits_per_step']:.3f} bits a 16th step{was} (fewer is better); "
        f"{after['accuracy']:.0%} of the events are what it held likeliest"
    )


def _play(bundle: Bundle, meter: Meter, output: Path, args: argparse.Namespace) -> None:
    """Make melodies in the meter of most tunes, as MIDI files and as a page."""
    from ostinato.formats.midi.writer import note_sequence_to_midi
    from ostinato.generation.model import Model
    from ostinato.pages.piano_roll import melodies_page

    melodies = Model(bundle).generate(num_bars=_NUM_BARS, num_outputs=_NUM_MELODIES, seed=args.seed, meter=meter)
    folder = output.with_name(f"{output.stem}_melodies")
    folder.mkdir(exist_ok=True)
    for number, melody in enumerate(melodies, start=1):
        with atomic_writer(folder / f"{number:02}.mid", sync=False) as file:
            file.write(note_sequence_to_midi(melody.to_note_sequence()))
    say(f"{folder}: {len(melodies)} melodies that it made")
    command = shlex.join(
        [
            *("ostinato", "generate", f"--bundle_file={output}", f"--num_bars={_NUM_BARS}", f"--meter={meter}"),
            *(f"--num_outputs={_NUM_MELODIES}", f"--seed={args.seed}"),
        ]
    )
    page = Path(args.html or output.with_suffix(".html"))
    name = Path(args.folder).resolve().name
    text = melodies_page(
        melodies,
        title=f"Learned from {name}",
        command=command,
        note=str(bundle.provenance["description"]),
    )
    with atomic_writer(page) as file:
        file.write(text.encode())
    say(f"{page}: a page to see and hear them\nMore of them: {command}")
