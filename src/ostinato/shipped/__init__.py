"""The models that come with the package, ready to play.

They stand beside this file as bundles, each with its model card in its
provenance, and were made by `scripts/train_shipped_models`,
`scripts/train_style_models` and `scripts/train_chord_model`.
"""

import os
from pathlib import Path

from ostinato.bundle import Bundle, load_bundle
from ostinato.errors import SettingsError, did_you_mean

BEST_MODEL = "ostinato"
"""What plays where no model is asked for."""
_FIDDLE_TUNES = "fiddle tunes"
STYLES = {
    BEST_MODEL: _FIDDLE_TUNES,
    "lieder": "German songs",
    "chansons": "French songs",
    "chord_rnn": "songs over chords",
    "lookback_rnn": _FIDDLE_TUNES,
    "attention_rnn": _FIDDLE_TUNES,
    "basic_rnn": _FIDDLE_TUNES,
    "mono_rnn": _FIDDLE_TUNES,
}
"""What each of them plays, in words, best first."""
SHIPPED_MODELS = tuple(STYLES)
"""Their names, in that order."""

_FOLDER = Path(__file__).parent


def shipped_path(name: str = BEST_MODEL) -> Path:
    """The bundle of a shipped model.

    Raises:
        SettingsError: if none is called that.
    """
    if name not in SHIPPED_MODELS:
        near = did_you_mean(name, SHIPPED_MODELS) or f"; there are {', '.join(SHIPPED_MODELS)}"
        raise SettingsError(f"no built-in model is called {name!r}{near}")
    return _FOLDER / f"{name}.mag"


def model_path(name: str | os.PathLike[str]) -> Path:
    """Where a model is: a built-in one by its name, unless there is a file of that name, or any by its path."""
    path = Path(name)
    return shipped_path(str(name)) if name in SHIPPED_MODELS and not path.exists() else path


def load_shipped(name: str = BEST_MODEL) -> Bundle:
    """A shipped model.

    Raises:
        SettingsError: if none is called that.
    """
    return load_bundle(shipped_path(name))
