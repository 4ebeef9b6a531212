"""The network as PyTorch modules: the readable definition, and where a faster path is chosen.

Shapes: B melodies, T steps, D input size, C classes, H cell size of a layer,
A rows of the attention's memory. Inside, time comes first, [T, B, .], so that
the values of one step stand together.

The parameters are the arrays of a bundle, by the same names, shapes and gate
order (i, j, f, o); `ostinato.bundle.array_shapes` lists them. The layout that a
faster path wants is made from them in each forward pass, in less than a
hundredth of its time: so optimizer state, checkpoints and bundles are the same
whatever device a run moves to.

Three paths compute the same network:

- the modules below, step by step: any device, any precision, any state;
- PyTorch's own LSTM over all steps, for layers that no attention stands around;
- `fast`, all layers and the attention at once: CPU, float32, from the zero
  state, without residual connections, where Numba is installed.
"""

import dataclasses
import functools
import importlib.util
import logging
import math
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ostinato.bundle import Bundle, array_shapes
from ostinato.config import Config
from ostinato.training.layers import (
    AttentionCell,
    Dense,
    Dropout,
    LSTMLayer,
    NetworkState,
    attend,
    compiled_attend,
    draw_dropout,
    with_forget_bias,
)

logger = logging.getLogger(__name__)


class MelodyNetwork(nn.Module):
    """LSTM layers, with or without attention, and a linear layer to the classes.

    Dropout is on the output of each layer, in training only. Its masks are
    drawn from the global generator of the inputs' device, one whole mask per
    layer before the first step, in the order of the layers: who restores
    that generator's state (`torch.get_rng_state`) gets the same masks again,
    whichever path computes the network.

    Attributes:
        config: what the network is built from.
        plain: compute by the readable definition where a faster path is at hand.
    """

    def __init__(self, config: Config, *, generator: torch.Generator | None = None, plain: bool = False) -> None:
        """Build the network with fresh parameters.

        Args:
            config: encoding and hyperparameters.
            generator: draws the initial parameters; the global generator if None.
            plain: never take a faster path.
        """
        super().__init__()
        self.config = config
        self.plain = plain
        hparams, encoding = config.hparams, config.encoding
        sizes = hparams.rnn_layer_sizes
        layers = []
        width = encoding.input_size
        for index, size in enumerate(sizes):
            projected = hparams.residual_connections and (index == 0 or sizes[index - 1] != size)
            layers.append(LSTMLayer(width, size, projected=projected, residual=hparams.residual_connections))
            width = size
        self.lstm = nn.ModuleList(layers)
        self.attention: AttentionCell | None = None
        # How many layers the attention stands around.
        self.layers_inside = 0
        if hparams.attn_length:
            self.layers_inside = len(sizes) if hparams.attn_scope == "stack" else 1
            # Around the first layer alone, the attention reads that layer's projected input.
            projected = hparams.residual_connections and hparams.attn_scope == "first_layer"
            input_size = sizes[0] if projected else encoding.input_size
            self.attention = AttentionCell(input_size, sizes[: self.layers_inside])
        self.output = Dense(sizes[-1], encoding.num_classes)
        self._initialize(generator)
        assert {name: tuple(p.shape) for name, p in self.named_parameters()} == array_shapes(config)

    @torch.no_grad()
    def _initialize(self, generator: torch.Generator | None) -> None:
        """TensorFlow's default initial values: Glorot uniform, and zero for the biases."""
        for name in array_shapes(self.config):
            parameter = self.get_parameter(name)
            if name.endswith("bias"):
                parameter.zero_()
            else:
                limit = math.sqrt(6 / (parameter.shape[0] + parameter.shape[-1]))
                parameter.uniform_(-limit, limit, generator=generator)

    @property
    def layers(self) -> list[LSTMLayer]:
        """The LSTM layers, from the input up."""
        return [cast(LSTMLayer, layer) for layer in self.lstm]

    def forward(self, inputs: Tensor, state: NetworkState | None = None) -> Tensor:
        """Logits of the event after each step.

        Args:
            inputs: [B, T, D].
            state: what to go on from; all zero if None.

        Returns:
            [B, T, C].
        """
        if state is None and not self.plain and self._can_run_fast(inputs):
            x = inputs.transpose(0, 1).contiguous()
            logits: Tensor = self.output(self._run_fast(x))
            return logits.transpose(0, 1)
        return self.unroll(inputs, state)[0]

    def unroll(self, inputs: Tensor, state: NetworkState | None = None) -> tuple[Tensor, NetworkState]:
        """As `forward`, and the state after the last step."""
        x = inputs.transpose(0, 1).contiguous()
        drops = self._draw(x)
        state = self.zero_state(inputs) if state is None else state
        cells, hiddens = list(state.cells), list(state.hiddens)
        if self.attention is not None:
            x, state = self._attend(self.attention, x, state, drops)
            cells[: self.layers_inside], hiddens[: self.layers_inside] = state.cells, state.hiddens
        for index in range(self.layers_inside, len(cells)):
            layer = self.layers[index]
            x = layer.project(x)
            sequence = layer.sequence if self.plain else layer.torch_sequence
            h, cells[index], hiddens[index] = sequence(x, cells[index], hiddens[index])
            x = layer.output(h, x, drops[index])
        logits = self.output(x).transpose(0, 1)
        return logits, dataclasses.replace(state, cells=tuple(cells), hiddens=tuple(hiddens))

    def zero_state(self, inputs: Tensor) -> NetworkState:
        """The state before the first step, for `inputs` [B, ...]."""
        batch, hparams = inputs.shape[0], self.config.hparams
        zeros = tuple(inputs.new_zeros(batch, size) for size in hparams.rnn_layer_sizes)
        if self.attention is None:
            return NetworkState(zeros, zeros)
        size = hparams.rnn_layer_sizes[self.layers_inside - 1]
        memory = inputs.new_zeros(batch, hparams.attn_length, size)
        return NetworkState(zeros, zeros, inputs.new_zeros(batch, size), memory)

    def _draw(self, x: Tensor) -> list[Dropout | None]:
        """For each layer what dropout keeps of its outputs, given x [T, B, D]."""
        keep_prob = self.config.hparams.dropout_keep_prob
        sizes = self.config.hparams.rnn_layer_sizes
        if not self.training or keep_prob == 1:
            return [None] * len(sizes)
        return [draw_dropout((*x.shape[:2], size), keep_prob, x.device) for size in sizes]

    def _attend(
        self, attention: AttentionCell, x: Tensor, state: NetworkState, drops: Sequence[Dropout | None]
    ) -> tuple[Tensor, NetworkState]:
        """The attention cell over all steps: x [T, B, D] to y [T, B, H], and the state of what is inside.

        `first_layer` is the bare LSTM inside the attention, and projection,
        residual connection and dropout outside; in `stack` each layer has its own
        three inside the attention.
        """
        around_stack = self.config.hparams.attn_scope == "stack"
        inside, bottom = self.layers[: self.layers_inside], self.layers[0]
        if not around_stack:
            x = bottom.project(x)
        assert state.memory is not None
        state = dataclasses.replace(state, cells=state.cells[: len(inside)], hiddens=state.hiddens[: len(inside)])
        keys = state.memory @ attention.memory["kernel"]
        ys = []
        step = compiled_attend() if x.device.type == "cuda" and not self.plain else attend
        for t, x_t in enumerate(x):
            drops_t = [drop[t] if around_stack and drop is not None else None for drop in drops[: len(inside)]]
            y_t, state, keys = step(attention, inside, around_stack, x_t, state, keys, drops_t)
            ys.append(y_t)
        y = torch.stack(ys)
        if not around_stack:
            y = bottom.output(y, x, drops[0])
        return y, state

    def _can_run_fast(self, inputs: Tensor) -> bool:
        """Whether `fast` computes this network on these inputs."""
        return (
            inputs.device.type == "cpu"
            and inputs.dtype == self.output.kernel.dtype == torch.float32
            and not torch.is_autocast_enabled("cpu")
            and not self.config.hparams.residual_connections
            and _has_numba()
        )

    def _run_fast(self, x: Tensor) -> Tensor:
        """The output of the last layer [T, B, H] from x [T, B, D], by `fast`."""
        from ostinato.training.fast import network as fast  # Numba takes half a second to load

        drops = self._draw(x)
        width, layers, attention = x.shape[2], self.layers, self.attention
        bottom = layers[0]
        x_kernel, from_below = bottom.kernel[:width], bottom.kernel[width:width]
        bias: Tensor = bottom.bias
        folded: tuple[Tensor, ...] = ()
        drop_attention = None
        if attention is not None:
            # u = [x, a] W_in + b_in goes only into the layer's kernel.
            x_rows, a_rows = attention.input.kernel[:width], attention.input.kernel[width:]
            bias = bias + attention.input.bias @ x_kernel
            x_kernel, from_below = x_rows @ x_kernel, a_rows @ x_kernel
            # y and its key from one product.
            y_and_key = torch.cat([torch.eye(len(attention.score)), attention.memory["kernel"]], dim=1)
            folded = (
                attention.query.kernel,
                attention.query.bias,
                attention.output.kernel @ y_and_key,
                attention.output.bias @ y_and_key,
                attention.score,
            )
            if self.config.hparams.attn_scope == "first_layer":
                drop_attention, drops[0] = drops[0], None
        pairs = [(torch.cat([from_below, bottom.kernel[width:]]), with_forget_bias(bias))]
        pairs += [(layer.kernel, with_forget_bias(layer.bias)) for layer in layers[1:]]
        plan = fast.Plan(self.layers_inside, self.config.hparams.attn_length, drops, drop_attention)
        return fast.run(plan, fast.FoldedWeights(x_kernel.contiguous(), pairs, folded), x)

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """A copy of the parameters, by the names and shapes of `array_shapes(config)`."""
        return {
            name: self.get_parameter(name).detach().to("cpu", torch.float32, copy=True).numpy()
            for name in array_shapes(self.config)
        }

    @torch.no_grad()
    def load_arrays(self, arrays: Mapping[str, NDArray[np.float32]]) -> None:
        """Take parameters as `arrays` gives them.

        Raises:
            FormatError: if names or shapes are not those of `array_shapes(config)`.
        """
        for name, array in Bundle(self.config, arrays).arrays.items():
            self.get_parameter(name).copy_(torch.from_numpy(np.array(array)))


@functools.cache
def _has_numba() -> bool:
    """Whether the kernels can be compiled; says so once where not."""
    if importlib.util.find_spec("numba") is not None:
        return True
    logger.warning("Numba is not installed: training takes the plain path, which is slower (pip install numba)")
    return False
