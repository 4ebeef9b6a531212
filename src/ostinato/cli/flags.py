"""The flags that several commands share: on and off, reports, runners; what a melody is; which model.

Flags are written as Magenta's users write them. What only some commands need is
loaded when they ask for it.
"""

import argparse
import contextlib
import glob
import logging
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from ostinato.cli.terminal import progress_of_files, say
from ostinato.errors import DataError, SettingsError, did_you_mean, nearest_file, printable

if TYPE_CHECKING:
    from ostinato.bundle import Bundle
    from ostinato.dataset.melodies import Melodies
    from ostinato.music.extract import ExtractionSettings
    from ostinato.parallel import Processes


Flags = argparse.ArgumentParser | argparse._ArgumentGroup
"""Where flags are added: a command, or one of the groups of its help."""
USUAL = "usual flags"
"""The group that stands first: the five flags that most users want."""
MAGENTAS = "flags of Magenta's scripts"
"""The group that stands last: what nobody needs who does not come from Magenta."""
ACCOMPANIMENTS = ("block", "arpeggio", "bass")
"""As `ostinato.music.chords` has them, which would make every help slower."""

_BYTES_A_PROCESS = 40_000_000

_WORDS = {"true": True, "t": True, "yes": True, "1": True, "false": False, "f": False, "no": False, "0": False}


class _Boolean(argparse.Action):
    """`--flag`, `--noflag` and `--flag=true|false`, which absl's flags accept, and `--no_flag`."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        negated = option_string in (f"--no{self.dest}", f"--no_{self.dest}")
        if values is None:
            value = True
        elif isinstance(values, str) and values.lower() in _WORDS and not negated:
            value = _WORDS[values.lower()]
        else:
            parser.error(f"{option_string} takes true or false, not {values!r}")
        setattr(namespace, self.dest, value is not negated)


def add_boolean(parser: Flags, name: str, *, default: bool | None, help: str) -> None:  # noqa: A002
    """Add a flag that is on or off: `--name`, `--noname` or `--no_name`, `--name=true`, `--name=false`.

    Args:
        parser: where to add it.
        name: the flag with its two dashes.
        default: the value when it is not given.
        help: what it does when on.
    """
    bare = name.removeprefix("--")
    parser.add_argument(
        name,
        f"--no{bare}",
        f"--no_{bare}",
        action=_Boolean,
        nargs="?",
        dest=bare,
        default=default,
        metavar="true|false",
        help=help,
    )


def add_runner(parser: argparse.ArgumentParser) -> None:
    """Add the group of --num_processes, --num_shards, --runner and --address."""
    group = parser.add_argument_group("large collections")
    group.add_argument(
        "--num_processes", type=int, metavar="N", help="processes that share the work; one for each core if not given"
    )
    group.add_argument(
        "--num_shards",
        type=int,
        metavar="N",
        help="write this many shards, NAME-00000-of-0000N.tfrecord and so on, which are read as NAME@N.tfrecord",
    )
    group.add_argument("--runner", metavar="NAME", help="dask shares the work among the machines of a Dask cluster")
    group.add_argument(
        "--address",
        metavar="ADDRESS",
        help="the Dask scheduler, such as tcp://10.0.0.1:8786; if not given, one is started here for the time of the "
        "work",
    )


@contextlib.contextmanager
def processes_of(args: argparse.Namespace) -> Iterator["Processes"]:
    """The processes that the flags of `add_runner` name, for the time of a block.

    Raises:
        SettingsError: if two flags contradict each other, or there is no such runner.
        DataError: if there is no such cluster.
    """
    if args.num_processes is not None and args.num_processes < 1:
        raise SettingsError(f"--num_processes must be at least 1, not {args.num_processes}")
    if args.runner is None and args.address is not None:
        raise SettingsError("--address names a Dask scheduler; add --runner=dask")
    if args.num_processes is not None:
        from ostinato.memory import require_memory

        needed = args.num_processes * _BYTES_A_PROCESS
        require_memory(needed, f"{args.num_processes:,} processes", "--num_processes", args.num_processes)
    if args.runner is None:
        yield args.num_processes
        return
    if args.runner != "dask":
        raise SettingsError(f"--runner={args.runner} is unknown; the only runner is dask, and Beam's are not supported")
    if args.address is not None and args.num_processes is not None:
        raise SettingsError("--num_processes starts workers here, but --address names some; leave one out")
    from ostinato.cluster import dask_cluster

    if args.log != "DEBUG":
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # it tells of every connection, by tracebacks
    with dask_cluster(args.address, args.num_processes) as cluster:
        say(f"Dask shows how the work goes on {cluster.dashboard}")
        yield cluster


def add_report(parser: Flags) -> None:
    """Add the flag for the report as JSON."""
    parser.add_argument("--json", metavar="FILE", help="write a report of what was read and left out to this file")


def write_report(path: str | None, *reports: Mapping[str, Any]) -> None:
    """Write a report where --json says, if it is given; several as a list."""
    if path is None:
        return
    import json

    from ostinato.formats import atomic_writer

    with atomic_writer(path) as file:
        # A file's name may be no text.
        file.write(
            json.dumps(reports[0] if len(reports) == 1 else reports, indent=1, allow_nan=False).encode(errors="replace")
            + b"\n"
        )
    say(f"{path}: the report")


_ALL = "all"  # of --tracks
_METER_WORDS = ("file", "auto")  # of --meter
_NAMED = 10  # files that are skipped or remarked on, the first that are named; all are counted

_logger = logging.getLogger(__name__)


def add_extraction(parser: argparse.ArgumentParser, *, as_played: bool = False) -> None:
    """Add the groups of flags that say what a melody is.

    Args:
        parser: where to add them.
        as_played: mend the meter, take the top line of polyphonic tracks, and look in the likeliest track alone,
            unless the flags say otherwise; if not, do as Magenta does.
    """
    from ostinato.music.extract import ExtractionSettings

    defaults = ExtractionSettings()
    group = parser.add_argument_group("which melodies")
    for flag, kind, what in (
        ("min_bars", int, "leave out melodies of fewer bars"),
        ("max_steps", int, "cut longer melodies to this many 16th notes"),
        ("min_unique_pitches", int, "leave out melodies with fewer different pitch classes"),
        ("gap_bars", float, "a rest of this many bars ends a melody"),
    ):
        group.add_argument(f"--{flag}", type=kind, default=getattr(defaults, flag), metavar="N", help=what)
    add_reading(parser, as_played=as_played)


def add_reading(parser: argparse.ArgumentParser, *, as_played: bool = False) -> None:
    """Add the group of those that say how tracks, chords and meters are read; see `add_extraction`."""
    from ostinato.music.extract import LIKELIEST, Polyphony

    group = parser.add_argument_group("how files are read")
    group.add_argument(
        "--tracks",
        default=LIKELIEST if as_played else _ALL,
        metavar="TRACKS",
        help=f"where to look for melodies: {_ALL}; {LIKELIEST}, the one track that is most likely the melody; track "
        "numbers, such as 0,2; or a regular expression to find in the track's name, such as 'vocal|lead'",
    )
    group.add_argument(
        "--meter",
        default="auto" if as_played else "file",
        metavar="METER",
        help="file: the meter as written; auto: corrected where the notes contradict it; or one for all, such as 3/4",
    )
    group.add_argument(
        "--polyphony",
        choices=get_args(Polyphony),
        help="where several notes sound at once, leave the track at that point, take the top note, or take the top "
        f"line, in which lower notes do not cut off a held one; {'line' if as_played else 'leave'} if not given",
    )
    group.add_argument(
        "--max_offgrid",
        type=float,
        metavar="SHARE",
        help="leave out melodies with a larger share of notes (0 to 1) between the 16ths; all stay if not given",
    )
    add_boolean(
        _magentas_group(parser),
        "--ignore_polyphonic_notes",
        default=False,
        help="Magenta's name for --polyphony=top",
    )
    parser.set_defaults(as_played=as_played)


def extraction_of(args: argparse.Namespace) -> "ExtractionSettings":
    """What the flags say.

    Raises:
        SettingsError: if one of them is out of its range.
    """
    from ostinato.music.extract import ExtractionSettings

    return ExtractionSettings(
        min_bars=args.min_bars,
        max_steps=args.max_steps,
        min_unique_pitches=args.min_unique_pitches,
        gap_bars=args.gap_bars,
        **reading_of(args),
    )


def reading_of(args: argparse.Namespace) -> dict[str, Any]:
    """What the flags of `add_reading` say, as fields of the settings.

    Raises:
        SettingsError: if two of them contradict each other.
    """
    if args.ignore_polyphonic_notes and args.polyphony not in (None, "top"):
        raise SettingsError(
            f"--ignore_polyphonic_notes is --polyphony=top; leave it or --polyphony={args.polyphony} out"
        )
    _warn_of_slips(args)
    absent = "top" if args.ignore_polyphonic_notes else "line" if args.as_played else "leave"
    return {
        "ignore_polyphonic_notes": args.ignore_polyphonic_notes,
        "polyphony": args.polyphony or absent,
        "tracks": _tracks_of(args.tracks),
        "meter": args.meter,
        "max_offgrid": args.max_offgrid,
    }


def _warn_of_slips(args: argparse.Namespace) -> None:
    """Name what is likely meant by a meter that is a word, or by tracks that are taken for an expression.

    Raises:
        SettingsError: if it is a meter.
    """
    from ostinato.music.extract import LIKELIEST

    if args.meter.isalpha() and args.meter not in _METER_WORDS and (near := did_you_mean(args.meter, _METER_WORDS)):
        raise SettingsError(f"--meter={args.meter} is unknown{near}")
    if args.tracks not in (_ALL, LIKELIEST) and (near := did_you_mean(args.tracks, (_ALL, LIKELIEST))):
        _logger.warning("--tracks=%s is taken for a regular expression%s", args.tracks, near)


def _tracks_of(text: str) -> tuple[int, ...] | str | None:
    """The tracks that --tracks names."""
    if text == _ALL:
        return None
    if re.fullmatch(r"\d{1,6}(,\d{1,6})*", text, re.ASCII):
        return tuple(map(int, text.split(",")))
    return text


def melodies_in(source: str, settings: "ExtractionSettings") -> "Melodies":
    """All melodies of a folder, a music file or TFRecord files, with progress, naming what could not be read.

    Raises:
        DataError: if there is none; it says why.
        FormatError: if a TFRecord file is damaged.
    """
    from ostinato.dataset.melodies import read_melodies

    with progress_of_files(source) as show:
        melodies = read_melodies(source, settings, progress=show)
    _tell("skipped", [(one.filename, one.reason) for one in melodies.skipped])
    _tell("remark on", [(one.filename, one.text) for one in melodies.remarks])
    return melodies


def _tell(what: str, files: Sequence[tuple[str, str]]) -> None:
    for name, text in files[:_NAMED]:
        _logger.warning("  %s %s: %s", what, printable(name), printable(text))
    if len(files) > _NAMED:
        _logger.warning("  and %d more; ostinato inspect names them all", len(files) - _NAMED)


# By Magenta's name of an encoding, the config that has it.
_ENCODERS = {"onehot": "basic_rnn", "lookback": "lookback_rnn", "key": "attention_rnn"}


def _magentas_group(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    found = (group for group in parser._action_groups if group.title == MAGENTAS)
    return next(found, None) or parser.add_argument_group(MAGENTAS)


def add_magentas(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add the group of the flags that all commands of Magenta's have; more may go into it."""
    group = _magentas_group(parser)
    group.add_argument(
        "--melody_encoder_decoder",
        choices=tuple(_ENCODERS),
        help="the encoding, in place of --config: onehot is basic_rnn's, lookback lookback_rnn's, key attention_rnn's",
    )
    group.add_argument("--generator_id", metavar="ID", help="what a bundle's details call the model")
    group.add_argument("--generator_description", metavar="TEXT", help="what they say of it")
    return group


def settle_config(args: argparse.Namespace) -> None:
    """Let --melody_encoder_decoder say the config, and note in `args.encoder_alone` whether nothing else did.

    Raises:
        SettingsError: if --config has another encoding.
    """
    encoder = args.melody_encoder_decoder
    args.encoder_alone = encoder is not None and args.config is None
    if args.encoder_alone:
        args.config = _ENCODERS[encoder]
    elif encoder is not None:
        from ostinato.config import PRESETS

        config = PRESETS.get(args.config)
        if config is None or type(config.encoding) is not type(PRESETS[_ENCODERS[encoder]].encoding):
            raise SettingsError(
                f"--melody_encoder_decoder={encoder} is not the encoding of --config={args.config}; leave one out"
            )


# By flag, what it names; in the order in which the models are taken.
_SOURCES = {
    "bundle_file": ("FILE", "a bundle, ours or Magenta's"),
    "checkpoint_file": ("FILE", "a checkpoint"),
    "run_dir": ("FOLDER", "the newest checkpoint of a training run"),
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """A model that the flags name.

    Attributes:
        name: what to call it.
        path: where it is.
        bundle: the model.
    """

    name: str
    path: Path
    bundle: "Bundle"


def add_model(parser: Flags, *, several: bool = False) -> None:
    """Add the flags that name a model: --config, and those of files.

    Args:
        parser: of the command, or a group.
        several: let each flag name a comma list.
    """
    more = "; several with commas between" if several else ""
    parser.add_argument(
        "--config",
        metavar="NAMES" if several else "NAME",
        help=f"a built-in model (ostinato models lists them){more}"
        + ("" if several else "; or the kind of a checkpoint of Magenta's"),
    )
    for flag, (metavar, what) in _SOURCES.items():
        parser.add_argument(
            f"--{flag}", default="", metavar=f"{metavar}S" if several else metavar, help=f"{what}{more}"
        )


def chosen_model(args: argparse.Namespace, *, among: Sequence[str] = tuple(_SOURCES)) -> Chosen:
    """The one model that the flags name: the best built-in one if they name none.

    Args:
        args: the command's.
        among: the flags that name a model here.

    Raises:
        SettingsError: if they name several, or hparams that the model does not have.
    """
    paths = [Path(path) for flag in among if (path := getattr(args, flag))]
    if len(paths) > 1:
        flags = [f"--{flag}" for flag in among]
        raise SettingsError(f"give one of {', '.join(flags[:-1])} and {flags[-1]}; there are {len(paths)}")
    if paths:
        return _load(paths[0], args.config, getattr(args, "hparams", ""))
    from ostinato.shipped import BEST_MODEL, shipped_path

    name = args.config or BEST_MODEL
    chosen = _load(shipped_path(name), None, getattr(args, "hparams", ""))
    return Chosen(f"the built-in model {name}", chosen.path, chosen.bundle)


def chosen_models(args: argparse.Namespace) -> list[Chosen]:
    """All models that the flags name, those that come with Ostinato first, each once."""
    from ostinato.shipped import shipped_path

    shipped, paths = listed(args.config), model_paths(args)
    # A file's name alone is easier to read, where it tells the models apart.
    names = Counter([*shipped, *(path.stem for path in paths)])
    models = [Chosen(name, path, _load(path, None, "").bundle) for name in shipped for path in [shipped_path(name)]]
    for path in paths:
        name = path.stem if names[path.stem] == 1 else os.fspath(path)
        models.append(Chosen(name, path, _load(path, None, "").bundle))
    return models


def model_paths(args: argparse.Namespace) -> list[Path]:
    """The files and folders that the flags name, each once."""
    return [Path(path) for path in dict.fromkeys(part for flag in _SOURCES for part in listed(getattr(args, flag)))]


def model_named(flag: str, name: str) -> Path:
    """Where the model is that a flag names: a built-in one by its name, or any by its path.

    Raises:
        DataError: if there is none; it says which built-in ones there are.
    """
    from ostinato.shipped import SHIPPED_MODELS, model_path

    path = model_path(name)
    # A checkpoint of Magenta's is several files that begin with its path.
    if not path.exists() and not any(path.parent.glob(f"{glob.escape(path.name)}.*")):
        near = did_you_mean(name, SHIPPED_MODELS) or nearest_file(path)
        raise DataError(
            f"{flag}={name}: there is no such bundle, checkpoint or run_dir"
            + (near or f"; built-in models are {', '.join(SHIPPED_MODELS)}")
        )
    return path


def listed(text: str | None) -> list[str]:
    """The parts of a comma list, each once."""
    return list(dict.fromkeys(part.strip() for part in (text or "").split(",") if part.strip()))


def _load(path: Path, config: str | None, hparams_text: str) -> Chosen:
    """The model at `path`; hparams that say otherwise than it does are refused."""
    from ostinato.bundle import load_bundle
    from ostinato.config import parse_hparams

    hparams = parse_hparams(hparams_text)
    bundle = load_bundle(path, config=config, hparams=hparams)
    # Of its training Magenta keeps nothing that could be compared; what shapes the network has been.
    if bundle.provenance.get("made_by") != "Magenta":
        stored, asked = bundle.config.hparams, bundle.config.with_hparams(hparams).hparams
        for name in hparams:
            if getattr(asked, name) != getattr(stored, name):
                raise SettingsError(
                    f"--hparams: {name}={getattr(asked, name)!r}, but {path} was trained with "
                    f"{getattr(stored, name)!r}; leave it out"
                )
    return Chosen(bundle.config.name, path, bundle)
