"""`ostinato models`: the models that come with Ostinato."""

import argparse
import json

from ostinato.cli.flags import USUAL
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
    print(f"{'model':15}{'plays':14}{'layers':>10}{'numbers':>12}{'bits a step, validation':>26}{'test':>8}")
    for name, bundle in bundles.items():
        layers = ", ".join(map(str, bundle.config.hparams.rnn_layer_sizes))
        held_out = bundle.provenance.get("card", {}).get("held_out", {})
        validation, test = (
            f"{held_out[part]['bits_per_step']:.3f}" if part in held_out else "-" for part in ("validation", "test")
        )
        numbers = f"{num_parameters(bundle):,}"
        default = "  if you ask for none" if name == BEST_MODEL else ""
        print(f"{name:15}{STYLES[name]:14}{layers:>10}{numbers:>12}{validation:>26}{test:>8}{default}")
    print(
        "\nBits are those of held-out tunes of the model's own style. A test was made of the tune books' models only."
    )
    print("ostinato generate --config=NAME plays one; ostinato models NAME shows its card.")
    return 0
