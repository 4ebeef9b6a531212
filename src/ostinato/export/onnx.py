"""A model's network as ONNX, built node by node: one step of B melodies, or one melody from its beginning.

Shapes: B melodies, T steps, D input size, C classes, H_i cells of layer i, A memory rows of width H. All are float32.

The step:

| input, output                      | shape       | meaning                                               |
|------------------------------------|-------------|-------------------------------------------------------|
| `inputs`                           | [B, D]      | what the encoding tells after an event                |
| `c{i}`, `h{i}` → `new_c{i}`, `new_h{i}` | [B, H_i] | of layer i, from the input up; zeros at the beginning |
| `attended` → `new_attended`        | [B, H]      | with attention: a of the last step, zeros at first    |
| `memory` → `new_memory`            | [B, A, H]   | with attention: its last outputs, oldest first; zeros at first |
| → `logits`                         | [B, C]      | of what may follow; their softmax is the probabilities |

The whole sequence, of a melody whose inputs are all known:

| input, output   | shape     | meaning                  |
|-----------------|-----------|--------------------------|
| `sequence`      | [B, T, D] | the inputs of T steps    |
| → `all_logits`  | [B, T, C] | after each               |

The metadata hold `ostinato.config` and `ostinato.card` as JSON: the encoding and the settings, and what is known of the
model; and `license`.
"""

import json
from typing import TYPE_CHECKING, Any

import numpy as np

import ostinato
from ostinato.bundle import Bundle
from ostinato.errors import MissingExtraError
from ostinato.export.javascript import model_card
from ostinato.export.step import StepGraph

if TYPE_CHECKING:
    import onnx

OPSET = 17
"""The version of ONNX's operators; those used here are in all from 13 on."""
_IR_VERSION = 8
_FORGET_BIAS = np.float32(1)


def onnx_files(bundle: Bundle) -> dict[str, bytes]:
    """Both forms of a model's network, as the bytes of ONNX files.

    Returns:
        "step" and "sequence".

    Raises:
        MissingExtraError: if the package onnx is not installed.
    """
    try:
        import onnx
    except ImportError:
        raise MissingExtraError("--onnx", "onnx") from None
    made = {}
    for name, model in (("step", _Step(bundle).model()), ("sequence", _sequence(bundle))):
        onnx.checker.check_model(model, full_check=True)
        made[name] = model.SerializeToString()
    return made


class _Step(StepGraph):
    """The graph of a step as it grows."""

    def __init__(self, bundle: Bundle) -> None:
        from onnx import helper

        super().__init__(bundle)
        self.nodes: list[onnx.NodeProto] = []
        self._helper = helper
        self._count = 0
        self.constants: dict[str, Any] = {name: np.asarray(array, np.float32) for name, array in bundle.arrays.items()}
        self.constants["one"] = _FORGET_BIAS
        self.dense("output", self.top("inputs"), output="logits")

    def _add(self, kind: str, *inputs: str, output: str = "", outputs: int = 1, **attributes: Any) -> Any:
        names = [output] if output else [f"t{self._count + i}" for i in range(outputs)]
        self._count += len(names)
        self.nodes.append(self._helper.make_node(kind, list(inputs), names, **attributes))
        return names[0] if len(names) == 1 else names

    def old(self, state: str) -> str:
        return state

    def apply(self, kind: str, *inputs: str, output: str = "") -> str:
        added: str = self._add(kind, *inputs, output=output)
        return added

    def dense(self, array: str, *parts: str, output: str = "") -> str:
        whole = parts[0] if len(parts) == 1 else self._add("Concat", *parts, axis=-1)
        added: str = self._add("Gemm", whole, f"{array}.kernel", f"{array}.bias", output=output)
        return added

    def gates(self, sums: str) -> list[str]:
        take, new, forget, give = self._add("Split", sums, outputs=4, axis=-1)
        return [take, new, self.apply("Add", forget, "one"), give]

    def attend(self, below: str, inside: list[str]) -> str:
        self.constants |= {
            "axis_1": np.array([1], np.int64),
            "second": np.array([1], np.int64),
            "end": np.array([np.iinfo(np.int64).max], np.int64),
            "score": self.bundle.arrays["attention.score"].reshape(-1, 1),
        }
        query = self._add("Unsqueeze", self.dense("attention.query", *inside), "axis_1")
        keys = self._add("MatMul", "memory", "attention.memory.kernel")
        scores = self._add("MatMul", self._add("Tanh", self._add("Add", keys, query)), "score")
        weights = self._add("Softmax", scores, axis=1)
        weighted = self._add("Mul", weights, "memory")
        attended = self._add("ReduceSum", weighted, "axis_1", output="new_attended", keepdims=0)
        output = self.dense("attention.output", below, attended)
        rest = self._add("Slice", "memory", "second", "end", "axis_1")
        row = self._add("Unsqueeze", output, "axis_1")
        self._add("Concat", rest, row, output="new_memory", axis=1)
        return output

    def values(self, prefix: str = "") -> "list[onnx.ValueInfoProto]":
        """The state, as inputs or outputs."""
        float32 = self._helper.np_dtype_to_tensor_dtype(np.dtype(np.float32))
        return [
            self._helper.make_tensor_value_info(prefix + name, float32, ["B", *shape])
            for name, shape in self.state.items()
        ]

    def initializers(self) -> "list[onnx.TensorProto]":
        from onnx import numpy_helper

        used = {name for node in self.nodes for name in node.input}
        return [
            numpy_helper.from_array(np.asarray(array), name) for name, array in self.constants.items() if name in used
        ]

    def model(self) -> "onnx.ModelProto":
        """The step by itself."""
        encoding = self.bundle.config.encoding
        helper = self._helper
        float32 = helper.np_dtype_to_tensor_dtype(np.dtype(np.float32))
        inputs = helper.make_tensor_value_info("inputs", float32, ["B", encoding.input_size])
        logits = helper.make_tensor_value_info("logits", float32, ["B", encoding.num_classes])
        graph = helper.make_graph(
            self.nodes, "step", [inputs, *self.values()], [logits, *self.values("new_")], self.initializers()
        )
        return _model(self.bundle, graph)


def _sequence(bundle: Bundle) -> "onnx.ModelProto":
    """The step in a Scan along time, from a state of zeros."""
    from onnx import helper, numpy_helper

    step = _Step(bundle)
    encoding = bundle.config.encoding
    float32 = helper.np_dtype_to_tensor_dtype(np.dtype(np.float32))
    body = helper.make_graph(
        step.nodes,
        "step",
        [*step.values(), helper.make_tensor_value_info("inputs", float32, ["B", encoding.input_size])],
        [*step.values("new_"), helper.make_tensor_value_info("logits", float32, ["B", encoding.num_classes])],
    )
    nodes = [helper.make_node("Shape", ["sequence"], ["batch"], start=0, end=1)]
    constants = [*step.initializers()]
    for name, shape in step.state.items():
        constants.append(numpy_helper.from_array(np.array(shape, np.int64), f"{name}.shape"))
        nodes.append(helper.make_node("Concat", ["batch", f"{name}.shape"], [f"{name}.whole_shape"], axis=0))
        zero = numpy_helper.from_array(np.zeros(1, np.float32))
        nodes.append(helper.make_node("ConstantOfShape", [f"{name}.whole_shape"], [f"{name}.first"], value=zero))
    nodes.append(
        helper.make_node(
            "Scan",
            [*(f"{name}.first" for name in step.state), "sequence"],
            [*(f"{name}.last" for name in step.state), "all_logits"],
            body=body,
            num_scan_inputs=1,
            scan_input_axes=[1],
            scan_output_axes=[1],
        )
    )
    return _model(
        bundle,
        helper.make_graph(
            nodes,
            "sequence",
            [helper.make_tensor_value_info("sequence", float32, ["B", "T", encoding.input_size])],
            [helper.make_tensor_value_info("all_logits", float32, ["B", "T", encoding.num_classes])],
            constants,
        ),
    )


def _model(bundle: Bundle, graph: "onnx.GraphProto") -> "onnx.ModelProto":
    from onnx import helper

    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=_IR_VERSION,
        producer_name="Ostinato",
        producer_version=ostinato.__version__,
        doc_string=model_card(bundle),
    )
    card = bundle.provenance.get("card", {})
    told = {
        "ostinato.config": json.dumps(bundle.config.to_json()),
        "ostinato.card": json.dumps(card),
        "license": str(card.get("license", "")) if isinstance(card, dict) else "",
    }
    helper.set_model_props(model, told)
    return model
