"""Melodies to numbers and back: what the networks read and what they predict.

An encoding is written once. Dataset building and generation call the same code,
so they cannot drift apart.
"""

from ostinato.encodings.bar import BarEncoding
from ostinato.encodings.encoding import Encoding, Stepper
from ostinato.encodings.key import KeyEncoding
from ostinato.encodings.lookback import LookbackEncoding
from ostinato.encodings.one_hot import OneHotEncoding

__all__ = ["BarEncoding", "Encoding", "KeyEncoding", "LookbackEncoding", "OneHotEncoding", "Stepper"]
