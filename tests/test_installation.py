"""Tests that need an extra are left out where it is not installed; `make test` installs all, and says so."""

import importlib.util
import os


def test_nothing_is_left_out_for_want_of_an_install() -> None:
    extras = [
        "apache_beam",
        "axe_playwright_python",
        "hatchling",
        "httpx2",
        "jsonschema",
        "mido",
        "msgspec",
        "music21",
        "numba",
        "playwright",
        "pretty_midi",
        "rtmidi",
        "starlette",
    ]
    extras += ["symusic", "tensorboard", "tinysoundfont", "torch", "uvicorn"]
    missing = [name for name in extras if importlib.util.find_spec(name) is None]
    assert not missing or not os.environ.get("OSTINATO_WHOLE_INSTALL"), f"make test installs {missing}"
