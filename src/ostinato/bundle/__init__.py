"""A model as numbers and settings: where training and generation meet.

`model` is what a bundle is and its file, `magenta` turns TensorFlow's variables
into one, `files` opens whatever a user points at and writes `.mag` bundles,
`held_out` finds a run's loss on melodies it did not learn from.
"""

from ostinato.bundle.files import load_bundle, num_parameters, printable, save_bundle
from ostinato.bundle.model import (
    FORMAT_VERSION,
    TRAINING_PREFIX,
    Bundle,
    array_shapes,
    checkpoint_path,
    checkpoints,
    decode_bundle,
    encode_bundle,
)

__all__ = [
    "FORMAT_VERSION",
    "TRAINING_PREFIX",
    "Bundle",
    "array_shapes",
    "checkpoint_path",
    "checkpoints",
    "decode_bundle",
    "encode_bundle",
    "load_bundle",
    "num_parameters",
    "printable",
    "save_bundle",
]
