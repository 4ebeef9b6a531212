"""Which outputs of a layer dropout keeps."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

_LEVELS = 1 << 16


@dataclass(frozen=True)
class Dropout:
    """One draw of a layer's dropout.

    Attributes:
        kept: bool [T, B, H], the outputs that stay.
        scale: what these are multiplied by, so that the expected output stays the same.
    """

    kept: Tensor
    scale: float

    def __call__(self, y: Tensor) -> Tensor:
        """The layer's output [T, B, H] after dropout."""
        return y * self.kept * self.scale

    def __getitem__(self, step: int) -> "Dropout":
        """The draw for one step, [B, H]."""
        return Dropout(self.kept[step], self.scale)


def draw(shape: tuple[int, ...], keep_prob: float, device: torch.device) -> Dropout:
    """Draw from the device's global generator, so that who restores its state draws the same again.

    The keep probability is rounded to 1/65536. On the CPU the global generator
    gives a seed, and 16 bits of a faster one decide about each output: as real
    numbers from the global one, the draws would take longer than the LSTM's gates.

    Args:
        shape: [T, B, H].
        keep_prob: above 0 and below 1.
        device: where the outputs are.
    """
    level = min(max(1, round(keep_prob * _LEVELS)), _LEVELS - 1)
    if device.type == "cpu":
        count = math.prod(shape)
        words = np.random.SFC64(int(torch.randint(1 << 62, ()))).random_raw(-(-count // 4))
        kept = torch.from_numpy(words.view(np.uint16)[:count].reshape(shape) < level)
    else:
        kept = torch.rand(shape, device=device) < level / _LEVELS
    return Dropout(kept, _LEVELS / level)
