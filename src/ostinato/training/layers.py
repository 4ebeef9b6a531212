"""The layers that the network is made of, step by step and readable.

Shapes: B melodies, T steps, H cell size.
"""

import torch
from torch import Tensor, nn

from ostinato.training.dropout import Dropout


class Dense(nn.Module):
    """y = x K + b, the kernel on the right as TensorFlow has it."""

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.empty(rows, columns))
        self.bias = nn.Parameter(torch.empty(columns))

    def forward(self, x: Tensor) -> Tensor:
        """[..., rows] to [..., columns]."""
        y: Tensor = x @ self.kernel + self.bias
        return y


class LSTMLayer(nn.Module):
    """One LSTM layer, and with residual connections what carries its input to its output."""

    def __init__(self, input_size: int, size: int, *, projected: bool, residual: bool) -> None:
        super().__init__()
        self.residual = residual
        self.projection = Dense(input_size, size) if projected else None
        width = size if projected else input_size
        self.size = size
        self.kernel = nn.Parameter(torch.empty(width + size, 4 * size))
        self.bias = nn.Parameter(torch.empty(4 * size))

    def cell(self, x: Tensor, c: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """One step of the bare LSTM: x [B, .], c and h [B, H] to the next c and h."""
        i, j, f, o = (torch.cat([x, h], dim=1) @ self.kernel + self.bias).chunk(4, dim=1)
        c = c * torch.sigmoid(f + 1) + torch.sigmoid(i) * torch.tanh(j)
        return c, torch.tanh(c) * torch.sigmoid(o)

    def project(self, x: Tensor) -> Tensor:
        """The layer's input as wide as the layer, where a residual connection asks for that."""
        return x if self.projection is None else self.projection(x)

    def sequence(self, x: Tensor, c: Tensor, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """All steps of the bare LSTM: x [T, B, .] to every h [T, B, H], the last c and the last h."""
        hs = []
        for x_t in x:
            c, h = self.cell(x_t, c, h)
            hs.append(h)
        return torch.stack(hs), c, h

    def fused_sequence(self, x: Tensor, c: Tensor, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """As `sequence`, by PyTorch's own LSTM."""
        # PyTorch's gates are i, f, j, o, with a bias for each kernel.
        order = (0, 2, 1, 3)
        kernel = torch.cat([self.kernel.chunk(4, dim=1)[gate] for gate in order], dim=1).t()
        bias = torch.cat([with_forget_bias(self.bias).chunk(4)[gate] for gate in order])
        width = x.shape[2]
        parts = [kernel[:, :width], kernel[:, width:], bias, torch.zeros_like(bias)]
        # cuDNN wants them one after the other in one piece of memory.
        flat = torch.cat([part.flatten() for part in parts])
        pieces = torch.split(flat, [part.numel() for part in parts])
        weights = [piece.view(part.shape) for piece, part in zip(pieces, parts, strict=True)]
        hs, last_h, last_c = torch.lstm(x, [h[None], c[None]], weights, True, 1, 0.0, self.training, False, False)
        return hs, last_c[0], last_h[0]

    def output(self, h: Tensor, x: Tensor, drop: Dropout | None) -> Tensor:
        """What the layer hands on: residual connection, then dropout."""
        y = h + x if self.residual else h
        return y if drop is None else drop(y)


def with_forget_bias(bias: Tensor) -> Tensor:
    """A layer's bias [4H] with the 1 that the forget gate has at run time."""
    i, j, f, o = bias.chunk(4)
    return torch.cat([i, j, f + 1, o])
