"""A model as numbers and settings: where training and generation meet.

`bundle` is what a bundle is and its file, `magenta` turns TensorFlow's variables
into one, `files` opens whatever a user points at and writes `.mag` bundles.
"""

from ostinato.bundle.bundle import (
    FORMAT_VERSION,
    TRAINING_PREFIX,
    Bundle,
    array_shapes,
    checkpoint_path,
    checkpoints,
    decode_bundle,
    encode_bundle,
)
from ostinato.bundle.files import load_bundle, num_parameters, save_bundle

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
    "save_bundle",
]
