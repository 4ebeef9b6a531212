"""The step of a network as a graph, worked out at once by NumPy."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from export_models import odd_bundles
from ostinato.bundle import Bundle
from ostinato.export.step import StepGraph
from ostinato.generation.network import Network

Array = NDArray[np.float64]


def sigmoid(x: Array) -> Array:
    halves: Array = np.tanh(x / 2) / 2 + 0.5
    return halves


FUNCTIONS: dict[str, Callable[..., Array]] = {
    "Add": np.add,
    "Mul": np.multiply,
    "Sigmoid": sigmoid,
    "Tanh": np.tanh,
}


class Numbers(StepGraph):
    """A graph whose tensors are numbers as soon as they are added."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle)
        self.arrays = {name: array.astype(np.float64) for name, array in bundle.arrays.items()}
        self.tensors: dict[str, Array] = {name: np.zeros([1, *shape]) for name, shape in self.state.items()}

    def put(self, numbers: Array, output: str = "") -> str:
        name = output or f"t{len(self.tensors)}"
        self.tensors[name] = numbers
        return name

    def old(self, state: str) -> str:
        return state

    def apply(self, kind: str, *inputs: str, output: str = "") -> str:
        return self.put(FUNCTIONS[kind](*(self.tensors[name] for name in inputs)), output)

    def dense(self, array: str, *parts: str, output: str = "") -> str:
        whole = np.concatenate([self.tensors[name] for name in parts], axis=1)
        return self.put(whole @ self.arrays[f"{array}.kernel"] + self.arrays[f"{array}.bias"], output)

    def gates(self, sums: str) -> list[str]:
        take, new, forget, give = np.split(self.tensors[sums], 4, axis=1)
        return [self.put(gate) for gate in (take, new, forget + 1, give)]

    def attend(self, below: str, inside: list[str]) -> str:
        (memory,) = self.tensors["memory"]
        query = self.tensors[self.dense("attention.query", *inside)]
        features = np.tanh(memory @ self.arrays["attention.memory.kernel"] + query)
        weights = np.exp(features @ self.arrays["attention.score"])
        attended = self.put(weights[None] @ memory / weights.sum(), "new_attended")
        output = self.dense("attention.output", below, attended)
        self.put(np.concatenate([memory[1:], self.tensors[output]])[None], "new_memory")
        return output

    def next_step(self) -> None:
        self.tensors = {name: self.tensors[f"new_{name}"] for name in self.state}


@pytest.mark.parametrize("name", odd_bundles())
def test_the_steps_are_those_of_our_network(name: str) -> None:
    bundle = odd_bundles()[name]
    inputs = np.random.default_rng(2).normal(0, 1, (12, bundle.config.encoding.input_size))
    graph = Numbers(bundle)
    wanted, _ = Network(bundle, np.float64).run(inputs)
    for row, logits in zip(inputs, wanted, strict=True):
        top = graph.top(graph.put(row[None]))
        np.testing.assert_allclose(graph.tensors[graph.dense("output", top)][0], logits, atol=1e-9)
        graph.next_step()
