"""Models that run elsewhere: in a browser, on a phone, in other programs, without Python.

The scripts in `static` are the encodings, the network and the drawing once more, in JavaScript. Tests hold them to
what the Python modules do: the same inputs, probabilities and, for a seed, melodies.
"""

from ostinato.config import PRESETS, Config
from ostinato.encodings import OneHotEncoding

MAGENTA = ("basic_rnn", "mono_rnn", "lookback_rnn", "attention_rnn")
"""What Magenta calls the kinds of model that it knows."""


def formats_of(config: Config) -> list[str]:
    """What a model can be exported to, by the names of the flags."""
    others = {"magentajs": suits_magenta_js(config), "magenta": suits_magenta(config)}
    return ["page", "js", "onnx", *(name for name, suits in others.items() if suits)]


def suits_magenta_js(config: Config) -> bool:
    """Whether Magenta.js can play such a model: it knows LSTM layers and one-hot melodies."""
    plain = not config.hparams.attn_length and not config.hparams.residual_connections
    return plain and isinstance(config.encoding, OneHotEncoding)


def suits_magenta(config: Config) -> bool:
    """Whether Magenta can play such a model: it knows four encodings, by their names."""
    return config.name in MAGENTA and config.encoding == PRESETS[config.name].encoding
