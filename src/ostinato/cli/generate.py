"""`ostinato generate`: make melodies with a trained model and write them as MIDI files."""

import argparse
import ast
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ostinato.cli.flags import add_boolean
from ostinato.errors import SettingsError

if TYPE_CHECKING:
    from ostinato.bundle import Bundle
    from ostinato.music.melody import Melody

SUMMARY = "make new melodies with a trained model, as MIDI files"

_QPM = 120.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    parser.add_argument("--run_dir", metavar="FOLDER", help="play the newest checkpoint of this training run")
    parser.add_argument("--checkpoint_file", metavar="FILE", help="or this checkpoint")
    parser.add_argument("--bundle_file", metavar="FILE", help="or this bundle, ours or Magenta's")
    parser.add_argument(
        "--config", metavar="NAME", help="the model's kind, where a checkpoint of Magenta's is another's"
    )
    parser.add_argument("--hparams", default="", metavar="LIST", help="not needed: the model knows its own")
    parser.add_argument("--output_dir", default="generated", metavar="FOLDER", help="where the MIDI files go")
    parser.add_argument("--num_outputs", type=int, default=10, metavar="N", help="how many melodies")
    parser.add_argument(
        "--num_steps",
        type=int,
        default=128,
        metavar="N",
        help="length of each in 16th notes, the primer included",
    )
    parser.add_argument(
        "--primer_melody",
        default="",
        metavar="EVENTS",
        help='how each begins, as "[60, -2, 64, -1]": a pitch, -2 for no event, -1 for note-off; '
        "without a primer, with a random note",
    )
    parser.add_argument("--primer_midi", default="", metavar="FILE", help="or as this MIDI file's longest melody")
    parser.add_argument("--primer_track", type=int, metavar="N", help="or as the melody of this track of --primer_midi")
    parser.add_argument(
        "--qpm", type=float, metavar="QPM", help=f"tempo, in quarters a minute; the primer MIDI's, or {_QPM:g}"
    )
    parser.add_argument(
        "--temperature",
        type=float,
        default=1.0,
        metavar="T",
        help="below 1 for likelier melodies, above 1 for wilder ones",
    )
    parser.add_argument("--beam_size", type=int, default=1, metavar="N", help="melodies that a beam search keeps")
    parser.add_argument("--branch_factor", type=int, default=1, metavar="N", help="continuations it tries of each")
    parser.add_argument(
        "--steps_per_iteration", type=int, default=1, metavar="N", help="16th notes between two choices"
    )
    parser.add_argument(
        "--seed", type=int, metavar="N", help="for the same melodies again; a new one each time if absent"
    )
    add_boolean(
        parser, "--save_generator_bundle", default=False, help="write the model to --bundle_file, and make no melodies"
    )
    parser.add_argument("--bundle_description", default="", metavar="TEXT", help="what that bundle is, in words")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    # Products of this size gain nothing from a second thread, which would wait for them by spinning.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if args.save_generator_bundle:
        return _save_bundle(args)
    sources = [path for path in (args.run_dir, args.checkpoint_file, args.bundle_file) if path]
    if len(sources) != 1:
        raise SettingsError(
            f"give one of --run_dir, --checkpoint_file and --bundle_file: what to play; there are {len(sources)}"
        )
    primer = _primer(args)
    model_path = sources[0]
    bundle = _load(args, model_path)

    from ostinato.formats.midi import note_sequence_to_midi
    from ostinato.generation.generator import Model
    from ostinato.music.render import text_roll

    seed = secrets.randbits(32) if args.seed is None else args.seed
    melodies = Model(bundle).generate(
        args.num_steps,
        primer.events,
        temperature=args.temperature,
        num_outputs=args.num_outputs,
        seed=seed,
        beam_size=args.beam_size,
        branch_factor=args.branch_factor,
        steps_per_iteration=args.steps_per_iteration,
    )
    qpm = primer.qpm if args.qpm is None else args.qpm
    files = [
        note_sequence_to_midi(melody.to_note_sequence(qpm, time_signature=primer.time_signature)) for melody in melodies
    ]
    for path, melody in zip(_write_new(Path(args.output_dir), files), melodies, strict=True):
        print(f"{path}  {text_roll(melody)}")
    print(f"{len(melodies)} melodies of {bundle.config.name} in {args.output_dir}; the same again with --seed={seed}")
    return 0


@dataclass(frozen=True, slots=True)
class _Primer:
    """How each melody begins, and its tempo and metre."""

    events: "Melody | list[int] | None" = None
    qpm: float = _QPM
    time_signature: tuple[int, int] | None = None


def _primer(args: argparse.Namespace) -> _Primer:
    """The primer that the flags ask for; one that can't be is refused by the name of its flag or file."""
    from ostinato.generation.generator import checked_primer

    if args.primer_melody and args.primer_midi:
        raise SettingsError("give either --primer_melody or --primer_midi, not both")
    if args.primer_track is not None and not args.primer_midi:
        raise SettingsError("--primer_track is a track of --primer_midi, which is missing")
    if args.primer_melody:
        primer, source = _Primer(_events(args.primer_melody)), "--primer_melody"
    elif args.primer_midi:
        primer, source = _midi_primer(args.primer_midi, args.primer_track), args.primer_midi
    else:
        return _Primer()
    assert primer.events is not None
    try:
        checked_primer(primer.events, args.num_steps)
    except SettingsError as error:
        raise SettingsError(f"{source}: {error}") from None
    return primer


def _events(text: str) -> list[int]:
    """The list that --primer_melody is written as."""
    try:
        events = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        events = None
    if not isinstance(events, (list, tuple)):
        raise SettingsError(f'--primer_melody={text!r} is no list of events; write it as "[60, -2, 64, -1]"')
    return list(events)


def _midi_primer(path: str, track: int | None) -> _Primer:
    from ostinato.formats.midi import read_midi
    from ostinato.music.primer import longest_melody

    sequence = read_midi(path)
    sequence.filename = path  # what errors call it
    found = longest_melody(sequence, track)
    name = f" {found.track_name!r}" if found.track_name else ""
    print(
        f"{path}: {len(found.melody)} steps of track {found.track}{name}, "
        f"{found.numerator}/{found.denominator} at {found.qpm:g} quarters a minute"
    )
    return _Primer(found.melody, found.qpm, (found.numerator, found.denominator))


def _load(args: argparse.Namespace, path: str) -> "Bundle":
    """The model at `path`; hparams that say otherwise than it does are refused."""
    from ostinato.bundle import load_bundle
    from ostinato.config import parse_hparams

    hparams = parse_hparams(args.hparams)
    bundle = load_bundle(path, config=args.config, hparams=hparams)
    # Of its training Magenta keeps nothing that could be compared; what shapes the network has been.
    if bundle.provenance.get("made_by") != "Magenta":
        stored, asked = bundle.config.hparams, bundle.config.with_hparams(hparams).hparams
        for name in hparams:
            if getattr(asked, name) != getattr(stored, name):
                raise SettingsError(
                    f"--hparams: {name}={getattr(asked, name)!r}, but {path} was trained with "
                    f"{getattr(stored, name)!r}; leave it out"
                )
    return bundle


def _save_bundle(args: argparse.Namespace) -> int:
    """Do as Magenta's flag says: write the model of --run_dir or --checkpoint_file to --bundle_file."""
    from ostinato.cli.bundle import write_bundle

    if bool(args.run_dir) == bool(args.checkpoint_file):
        raise SettingsError("--save_generator_bundle takes its model from either --run_dir or --checkpoint_file")
    if not args.bundle_file:
        raise SettingsError("--save_generator_bundle needs --bundle_file: the bundle to write")
    source = args.run_dir or args.checkpoint_file
    write_bundle(_load(args, source), args.bundle_file, args.bundle_description, trained_in=source)
    return 0


def _write_new(folder: Path, files: Sequence[bytes]) -> list[Path]:
    """Write new files YYYY-MM-DD_HHMMSS_01.mid and so on, all or none.

    Where a name is taken, from earlier or by another process, all take the next second's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    digits = len(str(len(files)))
    moment = datetime.now()
    while True:
        written: list[Path] = []
        try:
            for number, data in enumerate(files, start=1):
                path = folder / f"{moment:%Y-%m-%d_%H%M%S}_{number:0{digits}}.mid"
                # Not synced to disk one by one: it takes longer than to make the melodies, which a seed gives again.
                with path.open("xb") as file:
                    written.append(path)
                    file.write(data)
        except BaseException as error:
            for path in written:
                path.unlink()
            if not isinstance(error, FileExistsError):
                raise
            moment += timedelta(seconds=1)
        else:
            return written
