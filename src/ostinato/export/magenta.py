"""A model as a bundle that Magenta itself plays: https://github.com/magenta/magenta, tried with 2.1.4.

It holds a checkpoint with the variables as Magenta names them, and a graph for one melody, which TensorFlow runs as it
stands. Magenta finds its way in the graph by collections. Shapes: T steps, D input size, C classes, H_i cells of layer
i, A memory rows of width H. All are float32.

| collection      | shape       | meaning                                                                        |
|-----------------|-------------|--------------------------------------------------------------------------------|
| `inputs`        | [1, T, D]   | after each event: first all of a primer's, then one at a time                  |
| `temperature`   | []          | what the logits are divided by                                                 |
| `initial_state` | [1, H_i], … | zeros, in whose place goes the `final_state` of the steps before: c and h of   |
|                 |             | each layer, then with attention a [1, H] and its memory [1, A H]               |
| `final_state`   | the same    | after T steps                                                                  |
| `softmax`       | [1, T, C]   | the probabilities of what may follow                                           |

The steps are a loop of TensorFlow's first kind, as in Magenta's own bundles. What enters it passes an Enter. What a
step leaves to the next goes from a Merge to a Switch, through the step, and by a NextIteration back to the Merge, until
the Switch lets it out to an Exit.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

import ostinato
from ostinato.bundle import Bundle
from ostinato.bundle.magenta import tensorflow_name, tensorflow_variables
from ostinato.errors import SettingsError
from ostinato.export import MAGENTA, suits_magenta
from ostinato.export.javascript import card_lines, title
from ostinato.export.step import StepGraph
from ostinato.formats.generator_bundle_pb2 import GeneratorBundle
from ostinato.formats.tensorflow import tensorflow_pb2 as pb
from ostinato.formats.tensorflow.checkpoint import encode_checkpoint_v1

_GRAPH_VERSION = 24  # of 2017; before it, the shape of a scalar meant that the shape is not known
_FLOAT = pb.AttrValue(type=pb.DT_FLOAT)
_INT = pb.AttrValue(type=pb.DT_INT32)
_STRING = pb.AttrValue(type=pb.DT_STRING)
_LOOP = pb.AttrValue(s=b"steps")


def magenta_bundle(bundle: Bundle) -> bytes:
    """The bytes of the bundle.

    Raises:
        SettingsError: if Magenta knows no such model.
    """
    config = bundle.config
    if not suits_magenta(config):
        why = f"Magenta has no {config.name}, only {', '.join(MAGENTA)}"
        if config.name in MAGENTA:
            why = f"Magenta's {config.name} has other pitches or lookbacks than this model, and no setting for them"
        raise SettingsError(f"--magenta: {why}; write this model with --page, --js or --onnx")
    card = "; ".join(f"{name}: {line}" for name, line in card_lines(bundle).items())
    message = GeneratorBundle(
        generator_details={"id": config.name, "description": f"Melody RNN of Ostinato {ostinato.__version__}"},
        bundle_details={"description": f"{title(bundle)} ({card})"},
        checkpoint_file=[encode_checkpoint_v1(tensorflow_variables(bundle))],
        metagraph_file=_Graph(bundle).message.SerializeToString(deterministic=True),
    )
    return message.SerializeToString(deterministic=True)


class _Graph(StepGraph):
    """The graph of a model as it grows, node by node; the first output of a node goes by the node's name."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle)
        self.message = pb.MetaGraphDef()
        self.message.graph_def.versions.producer = _GRAPH_VERSION
        self._entered: dict[str, str] = {}
        self._add_variables(tensorflow_variables(bundle))
        self._add_loop()

    def _add(self, kind: str, *inputs: str, output: str = "", **attributes: pb.AttrValue) -> str:
        nodes = self.message.graph_def.node
        node = nodes.add(name=output or f"{kind}_{len(nodes)}", op=kind, input=inputs)
        for name, value in attributes.items():
            node.attr[name].CopyFrom(value)
        return node.name

    def _constant(self, value: object, kind: pb.AttrValue = _INT, *after: str) -> str:
        """A tensor of whole numbers, or of another kind."""
        if kind is _STRING:
            array = np.array(value, object)
            tensor = pb.TensorProto(string_val=[text.encode() for text in array.ravel()])
        else:
            array = np.array(value, "<f4" if kind is _FLOAT else "<i4")
            tensor = pb.TensorProto(tensor_content=array.tobytes())
        tensor.dtype = kind.type
        tensor.tensor_shape.CopyFrom(_shape(array.shape).shape)
        return self._add("Const", *after, dtype=kind, value=pb.AttrValue(tensor=tensor))

    def _collect(self, collection: str, tensor: str) -> None:
        self.message.collection_def[collection].node_list.value.append(f"{tensor}:0")

    # --- variables, and how they are restored ---

    def _add_variables(self, variables: Mapping[str, NDArray[np.float32]]) -> None:
        for name, array in variables.items():
            self._add("VariableV2", output=name, dtype=_FLOAT, shape=_shape(array.shape))
            self._add("Identity", name, output=f"{name}/read", T=_FLOAT)
        types = pb.AttrValue(list=pb.AttrValue.ListValue(type=[pb.DT_FLOAT] * len(variables)))
        path = self._constant("model", _STRING)
        names, whole = self._constant(list(variables), _STRING), self._constant([""] * len(variables), _STRING)
        saved = self._add("SaveV2", path, names, whole, *(f"{name}/read" for name in variables), dtypes=types)
        restored = self._add("RestoreV2", path, names, whole, dtypes=types)
        assigned = [self._add("Assign", name, f"{restored}:{i}", T=_FLOAT) for i, name in enumerate(variables)]
        saver = self.message.saver_def
        saver.filename_tensor_name = f"{path}:0"
        saver.save_tensor_name = f"{self._add('Identity', path, f'^{saved}', T=_STRING)}:0"
        saver.restore_op_name = self._add("NoOp", *(f"^{name}" for name in assigned))
        saver.version = pb.SaverDef.V2

    # --- the loop along the steps ---

    def _add_loop(self) -> None:
        encoding = self.bundle.config.encoding
        inputs = self._add("Placeholder", output="inputs", dtype=_FLOAT, shape=_shape([1, -1, encoding.input_size]))
        temperature = self._add("Placeholder", output="temperature", dtype=_FLOAT, shape=_shape([]))
        rows = self.apply("Reshape", inputs, self._constant([-1, encoding.input_size]))
        num_steps = self._gather(self.apply("Shape", rows), self._constant(0), _INT)

        first = {"step": self._constant(0), "logits": self._zeros([0, encoding.num_classes])}
        first |= {part: self._zeros([1, math.prod(shape)]) for part, shape in self.state.items()}
        kinds = {part: _INT if part == "step" else _FLOAT for part in first}
        for part, tensor in first.items():
            entered = self._add("Enter", tensor, T=kinds[part], frame_name=_LOOP)
            self._add("Merge", entered, f"next_{part}", output=f"now_{part}", T=kinds[part], N=pb.AttrValue(i=2))
        more = self._add("LoopCond", self._add("Less", "now_step", self._inside(num_steps, _INT), T=_INT))
        for part, kind in kinds.items():
            self._add("Switch", f"now_{part}", more, output=f"old_{part}", T=kind)
            self._add("Exit", f"old_{part}", output=f"last_{part}", T=kind)
            self._add("NextIteration", f"new_{part}", output=f"next_{part}", T=kind)

        row = self._gather(self._inside(rows), self.old("step"), _FLOAT)
        logits = self.dense("output", self.top(self.apply("Reshape", row, self._number([1, encoding.input_size]))))
        self._concat(0, self.old("logits"), logits, output="new_logits")
        self._add("Add", self.old("step"), self._number(1), output="new_step", T=_INT)

        # TensorFlow warns of a softmax whose shape it cannot foresee.
        all_logits = self.apply("Reshape", "last_logits", self._constant([-1, encoding.num_classes]))
        softmax = self.apply("Softmax", self.apply("RealDiv", all_logits, temperature))
        softmax = self.apply("Reshape", softmax, self._constant([1, -1, encoding.num_classes]), output="softmax")
        for tensor in (inputs, temperature, softmax):
            self._collect(tensor, tensor)
        for part in self.state:
            self._collect("initial_state", first[part])
            self._collect("final_state", f"last_{part}")

    def _zeros(self, shape: list[int]) -> str:
        shapes = pb.AttrValue(list=pb.AttrValue.ListValue(shape=[_shape(shape).shape]))
        return self._add("Fill", self._constant(shape), self._constant(0, _FLOAT), T=_FLOAT, _output_shapes=shapes)

    def _gather(self, table: str, row: str, kind: pb.AttrValue) -> str:
        return self._add("Gather", table, row, Tparams=kind, Tindices=_INT)

    # --- in the loop ---

    def _inside(self, tensor: str, kind: pb.AttrValue = _FLOAT) -> str:
        """A tensor from outside the loop, the same in each step."""
        if tensor not in self._entered:
            same = pb.AttrValue(b=True)
            self._entered[tensor] = self._add("Enter", tensor, T=kind, frame_name=_LOOP, is_constant=same)
        return self._entered[tensor]

    def _number(self, value: object, kind: pb.AttrValue = _INT) -> str:
        return self._constant(value, kind, "^now_step")  # what waits for the loop is in it

    def _weight(self, array: str) -> str:
        return self._inside(f"{tensorflow_name(array, self.bundle)}/read")

    def _concat(self, axis: int, *parts: str, output: str = "") -> str:
        count = pb.AttrValue(i=len(parts))
        return self._add("ConcatV2", *parts, self._number(axis), output=output, T=_FLOAT, N=count)

    def old(self, state: str) -> str:
        return f"old_{state}:1"

    def apply(self, kind: str, *inputs: str, output: str = "") -> str:
        return self._add(kind, *inputs, output=output, T=_FLOAT)

    def dense(self, array: str, *parts: str, output: str = "") -> str:
        whole = parts[0] if len(parts) == 1 else self._concat(1, *parts)
        product = self.apply("MatMul", whole, self._weight(f"{array}.kernel"))
        return self.apply("Add", product, self._weight(f"{array}.bias"), output=output)

    def gates(self, sums: str) -> list[str]:
        split = self._add("Split", self._number(1), sums, T=_FLOAT, num_split=pb.AttrValue(i=4))
        forget = self.apply("Add", f"{split}:2", self._number(1, _FLOAT))
        return [split, f"{split}:1", forget, f"{split}:3"]

    def attend(self, below: str, inside: list[str]) -> str:
        length, size = self.state["memory"]
        memory = self.apply("Reshape", self.old("memory"), self._number([length, size]))  # there is one melody
        kernel = self.apply("Reshape", self._weight("attention.memory.kernel"), self._number([size, size]))
        features = self.apply("Add", self.apply("MatMul", memory, kernel), self.dense("attention.query", *inside))
        weighed = self.apply("Mul", self.apply("Tanh", features), self._weight("attention.score"))
        scores = self.apply("Reshape", self.apply("Sum", weighed, self._number(1)), self._number([1, length]))
        attended = self.apply("MatMul", self.apply("Softmax", scores), memory, output="new_attended")
        output = self.dense("attention.output", below, attended)
        begin, whole = self._number([0, size]), self._number([1, -1])
        rest = self._add("Slice", self.old("memory"), begin, whole, T=_FLOAT, Index=_INT)
        self._concat(1, rest, output, output="new_memory")
        return output


def _shape(sizes: Sequence[int]) -> pb.AttrValue:
    dimensions = [pb.TensorShapeProto.Dim(size=size) for size in sizes]
    return pb.AttrValue(shape=pb.TensorShapeProto(dim=dimensions))
