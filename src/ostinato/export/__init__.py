"""Models that run elsewhere: in a browser, on a phone, in other programs, without Python.

The scripts in `static` are the encodings, the network and the drawing once more, in JavaScript. Tests hold them to
what the Python modules do: the same inputs, probabilities and, for a seed, melodies.
"""

from ostinato.config import Config
from ostinato.encodings import OneHotEncoding


def formats_of(config: Config) -> list[str]:
    """What a model can be exported to, by the names of the flags."""
    return ["page", "js", "onnx", *(["magentajs"] if suits_magenta_js(config) else [])]


def suits_magenta_js(config: Config) -> bool:
    """Whether Magenta.js can play such a model: it knows LSTM layers and one-hot melodies."""
    plain = not config.hparams.attn_length and not config.hparams.residual_connections
    return plain and isinstance(config.encoding, OneHotEncoding)
