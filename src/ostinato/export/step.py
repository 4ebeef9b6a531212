"""The step of a model's network as a graph of operations, for the formats that are written as graphs."""

from abc import ABC, abstractmethod

from ostinato.bundle import Bundle


class StepGraph(ABC):
    """A graph as it grows, in which the name of a tensor stands for it.

    The methods without a body add an operation as a format writes it, and return its result.

    Attributes:
        bundle: the model.
        state: the shapes without the batch of what a step leaves to the next: `c{i}` and `h{i}` of layer i, from the
            input up; with attention `attended`, a of the last step, and `memory`, its last outputs, oldest first.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        hparams = bundle.config.hparams
        self.state = {f"{part}{i}": [size] for i, size in enumerate(hparams.rnn_layer_sizes) for part in "ch"}
        if hparams.attn_length:
            size = bundle.arrays["attention.score"].size
            self.state |= {"attended": [size], "memory": [hparams.attn_length, size]}

    @abstractmethod
    def old(self, state: str) -> str:
        """A part of the state before the step."""

    @abstractmethod
    def apply(self, kind: str, *inputs: str, output: str = "") -> str:
        """Add, Mul, Sigmoid or Tanh, as they are called everywhere; `output` names the result."""

    @abstractmethod
    def dense(self, array: str, *parts: str, output: str = "") -> str:
        """The parts, side by side, through a kernel and a bias."""

    @abstractmethod
    def gates(self, sums: str) -> list[str]:
        """The sums of an LSTM's gates i, j, f and o apart, with the forget gate's bias of 1 in f."""

    @abstractmethod
    def attend(self, below: str, inside: list[str]) -> str:
        """Look back, and put the output, which is returned, in the place of the memory's oldest row."""

    def top(self, below: str) -> str:
        """One step of all layers from the inputs [B, D]: what the output layer reads. The state goes to `new_*`."""
        arrays, hparams = self.bundle.arrays, self.bundle.config.hparams
        scope = hparams.attn_scope if hparams.attn_length else None
        for i in range(len(hparams.rnn_layer_sizes)):
            if scope == "stack" and i == 0:
                below = self.dense("attention.input", below, self.old("attended"))
            if f"lstm.{i}.projection.kernel" in arrays:
                below = self.dense(f"lstm.{i}.projection", below)
            skip = below
            if scope == "first_layer" and i == 0:
                below = self.dense("attention.input", below, self.old("attended"))
            below = self._cell(i, below)
            if scope == "first_layer" and i == 0:
                below = self._attention(below, 1)
            if hparams.residual_connections:
                below = self.apply("Add", below, skip)
        if scope == "stack":
            below = self._attention(below, len(hparams.rnn_layer_sizes))
        return below

    def _cell(self, i: int, below: str) -> str:
        take, new, forget, give = self.gates(self.dense(f"lstm.{i}", below, self.old(f"h{i}")))
        kept = self.apply("Mul", self.apply("Sigmoid", forget), self.old(f"c{i}"))
        taken = self.apply("Mul", self.apply("Sigmoid", take), self.apply("Tanh", new))
        cell = self.apply("Add", kept, taken, output=f"new_c{i}")
        return self.apply("Mul", self.apply("Sigmoid", give), self.apply("Tanh", cell), output=f"new_h{i}")

    def _attention(self, below: str, num_inside: int) -> str:
        return self.attend(below, [f"new_{part}{i}" for i in range(num_inside) for part in "ch"])
