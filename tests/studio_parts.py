"""A studio with small models, to be asked without a network."""

from pathlib import Path

import numpy as np
from starlette.testclient import TestClient

from ostinato.bundle import Bundle, array_shapes, save_bundle
from ostinato.config import Config, Hparams, preset
from ostinato.encodings import BarEncoding
from ostinato.studio.models import Models
from ostinato.studio.server import create_app
from ostinato.studio.workers import Workers

PORT = 8765
HOME = f"http://localhost:{PORT}"
ATTENTION_LENGTH = 6


def small_bundles(folder: Path) -> dict[str, Path]:
    """Untrained models: "plain" repeats and knows its loss, "watchful" has attention, "finite" foretells the end."""
    plain = preset("lookback_rnn").with_hparams({"rnn_layer_sizes": (8,)})
    watchful = preset("attention_rnn").with_hparams({"rnn_layer_sizes": (8,), "attn_length": ATTENTION_LENGTH})
    finite = Config("finite", BarEncoding(tells_beat=True, foretells_end=True), Hparams(rnn_layer_sizes=(8,)))
    random = np.random.default_rng(0)
    paths = {}
    for name, config in {"plain": plain, "watchful": watchful, "finite": finite}.items():
        shapes = array_shapes(config)
        arrays = {part: random.normal(0, 0.5, shape).astype(np.float32) for part, shape in shapes.items()}
        card = {"held_out": {"validation": {"bits_per_step": 1.44269}}}
        provenance = {"card": card} if name == "plain" else {}
        paths[name] = folder / f"{name}.mag"
        save_bundle(Bundle(config, arrays, provenance), paths[name], f"a {name} model")
    return paths


def small_models(folder: Path) -> Models:
    """All of them, of which "plain" is the default."""
    return Models(small_bundles(folder), "plain")


def studio_client(models: Models, workers: Workers | None = None) -> TestClient:
    """What asks a studio; it is to be entered."""
    app = create_app(models, port=PORT, workers=workers)
    return TestClient(app, base_url=HOME, raise_server_exceptions=False)
