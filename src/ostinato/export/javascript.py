"""A model as a folder for web pages and Node: weights, one ES module, an example, the model card and the license."""

import functools
import json
import re
from importlib import resources
from typing import Any

from ostinato.bundle import Bundle, encode_bundle, num_parameters, training_summary
from ostinato.errors import SettingsError

_MODULES = (
    "random",
    "music",
    "encodings",
    "network",
    "model",
    "midi",
    "worker",
    "remote",
)  # each needs only those before it
_IN_WORKER = ("random", "music", "encodings", "network", "model", "worker")
BITS = (8, 16)
"""How large a number of the weights may be."""


def javascript_files(bundle: Bundle, bits: int = 8) -> dict[str, bytes]:
    """The files of the folder, by their names.

    Args:
        bundle: the model.
        bits: 8 or 16, of each number of the weights.

    Raises:
        SettingsError: if there are no such bits, or half precision does not hold a weight.
    """
    return {
        "model.safetensors": weights(bundle, bits),
        "ostinato.js": module_script().encode(),
        "ostinato.d.ts": static("ostinato.d.ts").encode(),
        "ostinato-worker.js": static("ostinato-worker.js").encode(),
        "index.html": static("example.html").encode(),
        "package.json": json.dumps({"type": "module", "types": "ostinato.d.ts", "main": "ostinato.js"}).encode()
        + b"\n",
        "MODEL_CARD.md": model_card(bundle).encode(),
        "LICENSE": static("LICENSE").encode(),
    }


def weights(bundle: Bundle, bits: int) -> bytes:
    """The model as the scripts read it: safetensors, which `load_bundle` opens too.

    Raises:
        SettingsError: if there are no such bits, or half precision does not hold a weight.
    """
    if bits not in BITS:
        raise SettingsError(f"--bits={bits} is none of {', '.join(map(str, BITS))}")
    return encode_bundle(_without_paths(bundle), half_precision=bits == 16, eight_bits=bits == 8)


def _without_paths(bundle: Bundle) -> Bundle:
    """The bundle without what its training says of this machine: what is written here goes out to the world."""
    kept = {
        name: bundle.provenance[name]
        for name in ("card", "description", "made_by", "step")
        if name in bundle.provenance
    }
    data = bundle.provenance.get("data")
    if isinstance(data, dict) and "upbeats" in data:
        kept["data"] = {"upbeats": data["upbeats"]}
    return Bundle(bundle.config, bundle.arrays, kept)


def module_script() -> str:
    """The scripts as one ES module."""
    return _joined(_MODULES) + static("load-in-worker.js")


def worker_script() -> str:
    """The scripts that a worker needs, as one that is no module: a page from a disk has workers of no other kind."""
    return "{\n" + _without_exports(_joined(_IN_WORKER)) + "serve(self);\n}\n"


def page_scripts(*names: str) -> str:
    """Some of the scripts, in one that is no module."""
    return _without_exports(_joined(names))


def _joined(names: tuple[str, ...]) -> str:
    """Scripts in a row, whose names are no longer imported by one from the other."""
    return "".join(re.sub(r"^import [^;]*;\n+", "", static(f"{name}.js"), flags=re.MULTILINE) + "\n" for name in names)


def _without_exports(script: str) -> str:
    return re.sub(r"^export ", "", script, flags=re.MULTILINE)


@functools.cache
def static(name: str) -> str:
    """A file beside the scripts."""
    return resources.files("ostinato.export").joinpath("static", name).read_text(encoding="utf-8")


def title(bundle: Bundle) -> str:
    """A model's name or description, in one line."""
    return _line(bundle.provenance.get("description") or bundle.config.name)


def card_lines(bundle: Bundle) -> dict[str, str]:
    """What is known of a model, each in one line, by what it is."""
    known: dict[str, Any] = dict(bundle.provenance)
    card = _table(known.get("card"))
    lines = {
        "kind": bundle.config.name,
        "numbers": f"{num_parameters(bundle):,}",
        "training": training_summary({name: known[name] for name in ("made_by", "step", "held_out") if name in known}),
        **{name.replace("_", " "): told for name, told in card.items() if name != "held_out"},
        **{f"held-out tunes, {part}": told for part, told in _table(card.get("held_out")).items()},
    }
    return {name: _line(told) for name, told in lines.items() if told}


def model_card(bundle: Bundle) -> str:
    """What is known of a model, as Markdown."""
    lines = card_lines(bundle)
    of_model = "" if "license" in lines else "What license the weights have is for those to say who made the model. "
    return "\n".join([
        f"# {title(bundle)}",
        "",
        *(f"- {name}: {line}" for name, line in lines.items()),
        "",
        f"{of_model}The scripts are Ostinato's, under the Apache License 2.0.",
        "",
    ])  # fmt: skip


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _line(value: object) -> str:
    told = ", ".join(f"{name} {of}" for name, of in value.items()) if isinstance(value, dict) else str(value)
    return " ".join(told.split())
