"""`ostinato bundle`: show, convert and write `.mag` bundles."""

import argparse
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ostinato.cli.flags import USUAL, add_boolean, chosen_model
from ostinato.errors import SettingsError, printable

if TYPE_CHECKING:
    from ostinato.bundle import Bundle

_KEYS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")

_logger = logging.getLogger(__name__)


EXAMPLE = "ostinato bundle show tests/golden/gold_attention.mag"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    actions = parser.add_subparsers(
        dest="action",
        required=True,
        metavar="show|convert|save",
        help="what to do; ostinato bundle save --help shows its flags",
    )

    show = actions.add_parser("show", help="print what a bundle, checkpoint or run_dir holds")
    show.add_argument("file", metavar="FILE", help="a .mag bundle, ours or Magenta's, a checkpoint or a run_dir")

    convert = actions.add_parser("convert", help="rewrite a bundle that holds a TensorFlow checkpoint as one of ours")
    convert.add_argument("old", metavar="OLD", help="the bundle to read")
    convert.add_argument("new", metavar="NEW", help="the bundle to write")

    save = actions.add_parser("save", help="write a bundle from a training run")

    for action in (convert, save):
        usual = action.add_argument_group(USUAL)
        if action is save:
            usual.add_argument("--run_dir", metavar="FOLDER", help="a training run, whose newest checkpoint is taken")
            usual.add_argument("--bundle_file", required=True, metavar="FILE", help="the bundle to write")
        usual.add_argument(
            "--bundle_description",
            default="",
            metavar="TEXT",
            help="what the bundle is, in words" if action is save else "what the bundle is, in place of its own words",
        )
        add_boolean(usual, "--half_precision", default=False, help="write 16 bits a number, for half the size")
        usual.add_argument("--force", action="store_true", help="overwrite a file that is there")

    other = save.add_argument_group("what else it may be written from")
    other.add_argument("--checkpoint_file", metavar="FILE", help="one checkpoint, instead of --run_dir")
    other.add_argument(
        "--config", metavar="NAME", help="the model's kind, where a checkpoint of Magenta's could be several"
    )
    other.add_argument(
        "--hparams",
        default="",
        metavar="LIST",
        help="what a checkpoint of Magenta's does not tell, such as attn_length=40",
    )
    details = save.add_argument_group("what its details say to programs that read it")
    details.add_argument("--generator_id", metavar="ID", help="the model's name; that of its kind if not given")
    details.add_argument("--generator_description", metavar="TEXT", help="a sentence on the model")


def run(args: argparse.Namespace) -> int:
    """Do what the flags say."""
    from ostinato.bundle import load_bundle

    if args.action == "show":
        print(shown(load_bundle(args.file), args.file))
        return 0
    if args.action == "convert":
        _require_free(args.new, args.force)
        write_bundle(load_bundle(args.old), args.new, args.bundle_description, half_precision=args.half_precision)
        return 0

    if (args.run_dir is None) == (args.checkpoint_file is None):
        raise SettingsError("give either --run_dir or --checkpoint_file: what to write a bundle of")
    _require_free(args.bundle_file, args.force)
    model = chosen_model(args, among=("run_dir", "checkpoint_file"))
    write_bundle(
        model.bundle,
        args.bundle_file,
        args.bundle_description,
        trained_in=model.path,
        half_precision=args.half_precision,
        generator_id=args.generator_id,
        generator_description=args.generator_description,
    )
    return 0


def write_bundle(
    bundle: "Bundle",
    bundle_file: str | os.PathLike[str],
    description: str = "",
    *,
    trained_in: str | os.PathLike[str] | None = None,
    half_precision: bool = False,
    generator_id: str | None = None,
    generator_description: str | None = None,
) -> None:
    """Write a bundle and say what was written; a file already there is replaced, as Magenta does.

    Args:
        bundle: the model.
        bundle_file: where the bundle shall stand.
        description: what it is, in words; what is known of its training is added.
        trained_in: the run_dir or checkpoint that it comes from; the run's evaluation tells the held-out loss.
        half_precision: write 16 bits a number.
        generator_id: what its details call the model; its config's name if None.
        generator_description: what they say of it.
    """
    from ostinato.bundle import save_bundle

    run_dir = None if trained_in is None else _run_dir(Path(trained_in))
    written = save_bundle(
        bundle,
        bundle_file,
        description,
        run_dir=run_dir,
        half_precision=half_precision,
        generator_id=generator_id,
        generator_description=generator_description,
    )
    _logger.info("%s: %s, %s", os.fspath(bundle_file), written.config.name, printable(_text(written, "description")))


def _run_dir(source: Path) -> Path:
    """The run_dir of a checkpoint, a train folder or itself."""
    folder = source if source.is_dir() else source.parent
    return folder.parent if folder.name == "train" else folder


def _require_free(path: str, force: bool) -> None:
    if Path(path).exists() and not force:
        raise SettingsError(f"{path}: there is such a file already; choose another name, or overwrite it with --force")


def shown(bundle: "Bundle", path: str) -> str:
    """What a bundle holds, a line each."""
    from ostinato.bundle import num_parameters
    from ostinato.export import formats_of

    config, hparams = bundle.config, bundle.config.hparams
    encoding = config.encoding
    attention = {"stack": "around all layers", "first_layer": "around the first layer"}[hparams.attn_scope]
    key = encoding.transpose_to_key
    lines = {
        "config": config.name,
        "layers": ", ".join(map(str, hparams.rnn_layer_sizes))
        + (", with residual connections" if hparams.residual_connections else ""),
        "attention": f"{hparams.attn_length} steps, {attention}" if hparams.attn_length else "none",
        "inputs": f"{encoding.input_size} a step",
        "classes": str(encoding.num_classes),
        "pitches": f"{encoding.min_pitch}..{encoding.max_pitch - 1}"
        + ("" if key is None else f", moved to the key of {_KEYS[key]}"),
        "parameters": f"{num_parameters(bundle):,}",
        "size": f"{Path(path).stat().st_size:,} bytes" if Path(path).is_file() else "",
        "exports to": ", ".join(formats_of(config)),
        "description": _text(bundle, "description"),
        **{
            name.replace("_", " "): _text(bundle, name)
            for name in sorted(bundle.provenance.keys() - {"description", "card"})
        },
        **_card_lines(bundle.provenance.get("card")),
    }
    return "\n".join(f"{name + ':':24}{printable(text)}" for name, text in lines.items() if text)


def _card_lines(card: object) -> dict[str, str]:
    """A model card, as what stands before and after each line's colon."""
    if not isinstance(card, dict):
        return {}
    lines: dict[str, str] = {}
    for name, value in card.items():
        if name == "held_out" and isinstance(value, dict):
            lines |= {f"card: {part}": _joined(figures) for part, figures in value.items()}
        else:
            lines[f"card: {name.replace('_', ' ')}"] = _joined(value)
    return lines


def _text(bundle: "Bundle", name: str) -> str:
    return _joined(bundle.provenance.get(name, ""))


def _joined(value: object) -> str:
    return ", ".join(f"{key} {of}" for key, of in value.items()) if isinstance(value, dict) else str(value)
