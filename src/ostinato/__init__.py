"""Ostinato: small recurrent networks that learn melodies from MIDI files and continue or invent them.

    import ostinato

    notes = ostinato.read("tune.mid")
    melodies = ostinato.extract_melodies(notes)
    inputs, labels = ostinato.encode("attention_rnn", melodies[0])
    model = ostinato.load()
    melody = model.generate(num_bars=8, primer="C4 E4 G4:8", seed=0)[0]
    melody.write("new.mid")

Names load when they are first used, so that importing the package costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ostinato.errors import OstinatoError
    from ostinato.formats.midi.reader import read_midi
    from ostinato.formats.midi.writer import write_midi
    from ostinato.formats.note_sequence_pb2 import NoteSequence
    from ostinato.front import encode, extract_melodies, generate, harmonize, list_models, load, read, write
    from ostinato.generation.model import Model
    from ostinato.music.extract import ExtractionSettings
    from ostinato.music.melody import Melody, MelodyList

__version__ = "0.1.0"

__all__ = [
    "ExtractionSettings",
    "Melody",
    "MelodyList",
    "Model",
    "NoteSequence",
    "OstinatoError",
    "__version__",
    "encode",
    "extract_melodies",
    "generate",
    "harmonize",
    "list_models",
    "load",
    "read",
    "read_midi",
    "write",
    "write_midi",
]

_HOMES = {
    "ExtractionSettings": "ostinato.music.extract",
    "Melody": "ostinato.music.melody",
    "MelodyList": "ostinato.music.melody",
    "Model": "ostinato.generation.model",
    "NoteSequence": "ostinato.formats.note_sequence_pb2",
    "OstinatoError": "ostinato.errors",
    "encode": "ostinato.front",
    "extract_melodies": "ostinato.front",
    "generate": "ostinato.front",
    "harmonize": "ostinato.front",
    "list_models": "ostinato.front",
    "load": "ostinato.front",
    "read": "ostinato.front",
    "read_midi": "ostinato.formats.midi.reader",
    "write": "ostinato.front",
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
