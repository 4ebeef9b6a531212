"""Models and melodies for the tests of exports, and Node to run what is written."""

import contextlib
import functools
import http.server
import json
import math
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import golden_files
from ostinato.bundle import Bundle, array_shapes
from ostinato.config import Config, Hparams, preset
from ostinato.encodings import BarEncoding, KeyEncoding, LookbackEncoding
from ostinato.music.melody import Melody
from ostinato.music.meter import parse_meter
from ostinato.shipped import SHIPPED_MODELS, shipped_path

SECONDS = 300  # that anything may take on a busy machine
_METERS = ("4/4", "3/4", "6/8", "2/4", "9/8", "5/4", "2/2", "33/16")


def golden_bundles() -> dict[str, Path]:
    """Magenta's bundles at hand: the two here, or those of the large golden set."""
    folder = golden_files.large_set() or golden_files.SMALL.parent
    return {path.stem: path for path in sorted(folder.glob("*.mag"))}


def models() -> dict[str, Path]:
    """The built-in models and Magenta's bundles."""
    return {**{name: shipped_path(name) for name in SHIPPED_MODELS}, **golden_bundles()}


def odd_bundles() -> dict[str, Bundle]:
    """Small untrained models of settings that no trained one has."""
    random = np.random.default_rng(0)
    configs = {
        "residual": preset("lookback_rnn").with_hparams({"rnn_layer_sizes": (9, 9, 7), "residual_connections": True}),
        "attention_stack": Config(
            "attention_rnn", KeyEncoding(), Hparams(rnn_layer_sizes=(6, 5), attn_length=7, attn_scope="stack")
        ),
        "attention_first_layer": Config(
            "attention_rnn",
            KeyEncoding(lookback_distances="1,3 bars"),
            Hparams(rnn_layer_sizes=(6, 5), attn_length=7, attn_scope="first_layer", residual_connections=True),
        ),
        "attention_residual": Config(
            "attention_rnn",
            KeyEncoding(steps_per_bar=12),
            Hparams(rnn_layer_sizes=(6, 5), attn_length=7, residual_connections=True),
        ),
        "no_lookbacks": Config("lookback_rnn", LookbackEncoding(lookback_distances=()), Hparams(rnn_layer_sizes=(6,))),
        "bars": Config("ostinato", BarEncoding(lookback_distances="1,2,40 bars"), Hparams(rnn_layer_sizes=(6,))),
        "far_bars": Config(
            "ostinato",
            BarEncoding(60, 72, 7, "2,40 bars", 3, tells_matches=True, foretells_end=True),
            Hparams(rnn_layer_sizes=(6,)),
        ),
    }
    return {
        name: Bundle(
            config,
            {part: random.normal(0, 0.5, shape).astype(np.float32) for part, shape in array_shapes(config).items()},
        )
        for name, config in configs.items()
    }


def melodies(count: int, most_steps: int) -> list[Melody]:
    """Golden melodies, many of which repeat themselves, in all kinds of meters."""
    lines = [
        line["events"]
        for folder in golden_files.sets()
        for line in golden_files.json_lines(folder / "melodies_mono_rnn.jsonl.gz")
    ]
    made = []
    for number in range(count):
        events = lines[number % len(lines)]
        start = 16 * (number // len(lines))
        part = events[start:] or events
        meter = parse_meter(_METERS[number % len(_METERS)])
        # Its first bars again, and so on: repeats at all distances.
        bars = meter.steps_per_bar * (1 + number % 4)
        whole = part[: bars * 2] + part[:bars] + part
        made.append(Melody(whole[: most_steps - number % 5], meter=meter))
    return made


def node(program: str, folder: Path, *arguments: str | Path) -> Any:
    """Run a module in a folder, and read the JSON that it prints."""
    path = shutil.which("node")
    if path is None:
        assert not os.environ.get("OSTINATO_WHOLE_INSTALL"), "install Node: apt-get install nodejs"
        pytest.skip("there is no Node here")
    done = subprocess.run(
        [path, "--input-type=module", "--eval", program, *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine; the address."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def npm_packages(name: str, folder: Path) -> None:
    """Put npm's packages into a folder, as `npm`; without this one the test is skipped."""
    packages = Path(__file__).parent.parent / ".npm"
    if not (packages / name).is_dir():
        assert not os.environ.get("OSTINATO_WHOLE_INSTALL"), f"fetch {name}: scripts/fetch_npm"
        pytest.skip(f"{name} is not here; scripts/fetch_npm fetches it")
    (folder / "npm").symlink_to(packages)


def magenta_models() -> dict[str, Bundle]:
    """Small models of Magenta's four kinds, the same on every machine: what TensorFlow made of them is recorded."""
    changes: dict[str, dict[str, Any]] = {
        "basic_rnn": {"rnn_layer_sizes": (5, 4)},
        "mono_rnn": {"rnn_layer_sizes": (4,)},
        "lookback_rnn": {"rnn_layer_sizes": (4, 4, 3), "residual_connections": True},
        "attention_rnn": {"rnn_layer_sizes": (5, 4), "attn_length": 3},
        "attention_rnn, first layer": {
            "rnn_layer_sizes": (4, 3),
            "attn_length": 3,
            "attn_scope": "first_layer",
            "residual_connections": True,
        },
    }
    made = {}
    for name, hparams in changes.items():
        config = preset(name.partition(",")[0]).with_hparams(hparams)
        arrays = {}
        for number, (part, shape) in enumerate(array_shapes(config).items()):
            # Numbers from -1 to 1 in no order, exact in single precision.
            numbers = (np.arange(math.prod(shape)) * 389 + number * 57) % 1021 % 257
            arrays[part] = ((numbers - 128) / 128).astype(np.float32).reshape(shape)
        made[name] = Bundle(config, arrays)
    return made


def magenta_inputs(bundle: Bundle) -> NDArray[np.float32]:
    """[9, D]: what such a model hears of a tune that repeats itself."""
    return bundle.config.encoding.inputs(Melody([60, -2, 64, -1, 60, -2, 64, -1, 72]))
