"""Ostinato: small recurrent networks that learn melodies from MIDI files and continue or invent them.

    import ostinato

    notes = ostinato.read_midi("tune.mid")
    melodies = ostinato.extract_melodies(notes)
    inputs, labels = ostinato.encode("attention_rnn", melodies[0])
    model = ostinato.load()
    melody = model.generate(num_steps=128, primer=[60], seed=0)[0]
    ostinato.write_midi(melody.to_note_sequence(qpm=120), "new.mid")

Names load when they are first used, so that importing the package costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

    from ostinato.errors import OstinatoError
    from ostinato.formats.midi.reader import read_midi
    from ostinato.formats.midi.writer import write_midi
    from ostinato.formats.note_sequence_pb2 import NoteSequence
    from ostinato.generation.model import Model
    from ostinato.music.extract import extract_melodies
    from ostinato.music.melody import Melody

__version__ = "0.1.0"

__all__ = [
    "Melody",
    "Model",
    "NoteSequence",
    "OstinatoError",
    "__version__",
    "encode",
    "extract_melodies",
    "load",
    "read_midi",
    "write_midi",
]

_HOMES = {
    "Melody": "ostinato.music.melody",
    "Model": "ostinato.generation.model",
    "NoteSequence": "ostinato.formats.note_sequence_pb2",
    "OstinatoError": "ostinato.errors",
    "extract_melodies": "ostinato.music.extract",
    "read_midi": "ostinato.formats.midi.reader",
    "write_midi": "ostinato.formats.midi.writer",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ostinato' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def encode(config: str, melody: "Melody | Iterable[int]") -> "tuple[NDArray[np.float32], NDArray[np.int64]]":
    """A melody as the numbers a model trains on, after moving it to the model's range and key.

    Args:
        config: basic_rnn, mono_rnn, lookback_rnn, attention_rnn or ostinato.
        melody: n events.

    Returns:
        Inputs, float32 [n - 1, D], and labels, int64 [n - 1].

    Raises:
        SettingsError: if there is no such config, or the events are no melody.
    """
    from ostinato.config import preset
    from ostinato.music.melody import Melody

    encoding = preset(config).encoding
    squashed, _ = encoding.squash(melody if isinstance(melody, Melody) else Melody(melody))
    return encoding.encode(squashed)


def load(path: "str | os.PathLike[str] | None" = None) -> "Model":
    """A trained model, ready to play.

    Args:
        path: a .mag bundle, ours or Magenta's, a checkpoint, a run_dir, or the name of a model that comes with Ostinato
            (`ostinato models` lists them); None for the best of these.

    Raises:
        OstinatoError: if it is none of these, or damaged.
    """
    from ostinato.bundle import load_bundle
    from ostinato.generation.model import Model
    from ostinato.shipped import BEST_MODEL, model_path

    return Model(load_bundle(model_path(BEST_MODEL if path is None else path)))
