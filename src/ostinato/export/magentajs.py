"""A model as Magenta.js's MusicRNN loads it: https://github.com/magenta/magenta-js, tried with 1.23.1.

It knows LSTM layers and melodies whose only input is the last event. Its LSTM cell is TensorFlow's, whose kernel stands
as ours does and whose forget gate gets its 1 at run time too; its classes are ours: no event, note-off, then pitches.
"""

import json

import numpy as np

from ostinato.bundle import Bundle
from ostinato.errors import SettingsError
from ostinato.export import suits_magenta_js
from ostinato.export.javascript import model_card, static

_SHARD_BYTES = 1 << 22  # as TensorFlow.js's converter cuts


def magentajs_files(bundle: Bundle) -> dict[str, bytes]:
    """The files of the folder whose address `new MusicRNN(address)` takes, by their names.

    Raises:
        SettingsError: if Magenta.js knows no such model.
    """
    config = bundle.config
    if not suits_magenta_js(config):
        raise SettingsError(
            f"--magentajs: Magenta.js has no {config.name}, only plain LSTMs that are told the last event, as "
            "basic_rnn and mono_rnn are; write this model with --page or --js"
        )
    names = {
        **{
            f"rnn/multi_rnn_cell/cell_{i}/basic_lstm_cell/{part}": f"lstm.{i}.{part}"
            for i in range(len(config.hparams.rnn_layer_sizes))
            for part in ("kernel", "bias")
        },
        "fully_connected/weights": "output.kernel",
        "fully_connected/biases": "output.bias",
    }
    arrays = {name: bundle.arrays[ours] for name, ours in names.items()}
    data = b"".join(array.astype("<f4").tobytes() for array in arrays.values())
    shards = [data[start : start + _SHARD_BYTES] for start in range(0, len(data), _SHARD_BYTES)]
    paths = [f"group1-shard{number}of{len(shards)}" for number in range(1, len(shards) + 1)]
    weights = [
        {"name": name, "shape": list(array.shape), "dtype": np.dtype(np.float32).name} for name, array in arrays.items()
    ]
    pitches = {"minPitch": config.encoding.min_pitch, "maxPitch": config.encoding.max_pitch - 1}
    settings = {"type": "MusicRNN", "dataConverter": {"type": "MelodyConverter", "args": pitches}}
    return {
        "config.json": _json(settings),
        "weights_manifest.json": _json([{"paths": paths, "weights": weights}]),
        **dict(zip(paths, shards, strict=True)),
        "MODEL_CARD.md": model_card(bundle).encode(),
        "LICENSE": static("LICENSE").encode(),
    }


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1).encode() + b"\n"
