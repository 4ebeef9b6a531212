"""`ostinato models`: the models that come with Ostinato."""

import argparse
import json
import textwrap

from ostinato.cli.flags import USUAL
from ostinato.cli.terminal import terminal_width, text_table
from ostinato.errors import SettingsError

EXAMPLE = "ostinato models lieder"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="show all that is known of this model")
    parser.add_argument_group(USUAL).add_argument("--json", action="store_true", help="print the same of all as JSON")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from ostinato.bundle import num_parameters
    from ostinato.cli.bundle import shown
    from ostinato.shipped import BEST_MODEL, SHIPPED_MODELS, STYLES, load_shipped, shipped_path

    if args.name is not None and args.json:
        raise SettingsError("give a name or --json, not both")
    if args.name is not None:
        print(shown(load_shipped(args.name), str(shipped_path(args.name))))
        return 0
    bundles = {name: load_shipped(name) for name in SHIPPED_MODELS}
    if args.json:
        print(json.dumps({name: bundle.provenance.get("card", {}) for name, bundle in bundles.items()}, indent=1))
        return 0
    rows = [["model", "plays", "layers", "numbers", "validation", "test"]]
    for name, bundle in bundles.items():
        held_out = bundle.provenance.get("card", {}).get("held_out", {})
        figures = [
            f"{held_out[part]['bits_per_step']:.3f}" if part in held_out else "-" for part in ("validation", "test")
        ]
        layers = ", ".join(map(str, bundle.config.hparams.rnn_layer_sizes))
        rows.append([name, STYLES[name], layers, f"{num_parameters(bundle):,}", *figures])
    print(text_table(rows, words=2))
    about = (
        "validation and test: bits a 16th note on held-out tunes of the model's own style, with the chords if it hears "
        "them; fewer is better.",
        f"ostinato generate --config=NAME plays one, {BEST_MODEL} if you name none; ostinato models NAME shows more.",
    )
    print("", *(textwrap.fill(line, terminal_width(), break_on_hyphens=False) for line in about), sep="\n")
    return 0
