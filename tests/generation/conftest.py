"""Small models of any kind, with random arrays."""

from collections.abc import Callable

import numpy as np
import pytest

from ostinato.bundle import Bundle, array_shapes
from ostinato.config import Config

MakeBundle = Callable[..., Bundle]


def random_bundle(config: Config, seed: int = 0, scale: float = 0.5) -> Bundle:
    random = np.random.default_rng(seed)
    return Bundle(
        config,
        {name: random.normal(0, scale, shape).astype(np.float32) for name, shape in array_shapes(config).items()},
    )


@pytest.fixture(name="random_bundle", scope="session")
def _random_bundle() -> MakeBundle:
    """Makes a bundle of a config with normally distributed arrays: (config, seed=0, scale=0.5)."""
    return random_bundle
