"""Writes the tuned layers and heads as an int8 ONNX file that the shell runs."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from bench.coaching.model import EPSILON, HEADS

OPSET = 17
IR_VERSION = 9
_LINEAR = ("q_w", "k_w", "v_w", "o_w", "up_w", "down_w")
_SMALL = ("q_b", "k_b", "v_b", "o_b", "ln1_g", "ln1_b", "up_b", "down_b", "ln2_g", "ln2_b")
"""A layer's parameters in the order in which they are written."""


class _Graph:
    """Collects nodes and constants; every method returns the name of its result."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: NDArray[Any] | float | Sequence[int]) -> str:
        array = np.asarray(value)
        array = array.astype(np.int64 if array.dtype.kind == "i" else np.float32)
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=name, **attributes))
        return name

    def linear(self, x: str, weight: NDArray[Any], bias: NDArray[Any]) -> str:
        return self.add("Add", self.add("MatMul", x, self.constant(weight)), self.constant(bias))

    def norm(self, x: str, gain: NDArray[Any], bias: NDArray[Any]) -> str:
        at = self.constant(gain), self.constant(bias)
        return self.add("LayerNormalization", x, *at, axis=-1, epsilon=EPSILON)

    def layer(self, p: dict[str, NDArray[Any]], x: str, hidden: str) -> str:
        width = p["q_b"].shape[0]
        split = self.constant([0, 0, HEADS, width // HEADS])

        def heads(name: str, order: Sequence[int]) -> str:
            y = self.linear(x, p[f"{name}_w"], p[f"{name}_b"])
            return self.add("Transpose", self.add("Reshape", y, split), perm=list(order))

        q, k, v = heads("q", (0, 2, 1, 3)), heads("k", (0, 2, 3, 1)), heads("v", (0, 2, 1, 3))
        scores = self.add("MatMul", q, k)
        scores = self.add("Mul", scores, self.constant(1 / np.sqrt(width / HEADS)))
        share = self.add("Softmax", self.add("Add", scores, hidden), axis=-1)
        mixed = self.add("Transpose", self.add("MatMul", share, v), perm=[0, 2, 1, 3])
        mixed = self.add("Reshape", mixed, self.constant([0, 0, width]))
        x = self.add("Add", x, self.linear(mixed, p["o_w"], p["o_b"]))
        x = self.norm(x, p["ln1_g"], p["ln1_b"])
        up = self.linear(x, p["up_w"], p["up_b"])
        bent = self.add("Erf", self.add("Mul", up, self.constant(1 / np.sqrt(2))))
        bent = self.add("Mul", up, self.add("Add", bent, self.constant(1.0)))
        bent = self.add("Mul", bent, self.constant(0.5))
        x = self.add("Add", x, self.linear(bent, p["down_w"], p["down_b"]))
        return self.norm(x, p["ln2_g"], p["ln2_b"])

    def hidden(self, mask: str, axes: Sequence[int]) -> str:
        """Return 0 where an int64 mask (n, t) is set and -1e9 elsewhere, with axes put in."""
        off = self.add("Sub", self.constant(1.0), self.add("Cast", mask, to=TensorProto.FLOAT))
        off = self.add("Mul", off, self.constant(-1e9))
        return self.add("Unsqueeze", off, self.constant(list(axes)))


def write_act_model(
    path: Path, tuned: dict[str, Any], scale: NDArray[Any], shift: NDArray[Any]
) -> None:
    """Write the model: states, mask, own -> probability and peak, both (n, acts).

    Args:
        path: File to write.
        tuned: Parameters as `fit` returns them.
        scale: Calibration, factor on the logits, (acts,).
        shift: Calibration, added after the factor, (acts,).
    """
    g = _Graph()
    x, hidden = "states", g.hidden("mask", (1, 2))
    for p in tuned["layers"]:
        x = g.layer(p, x, hidden)
    head = tuned["head"]
    look = g.add("MatMul", x, g.constant(head["look"]))
    look = g.add("Add", look, g.hidden("own", (2,)))
    say = g.add("MatMul", x, g.constant(head["say"]))
    said = g.add("Mul", g.add("Softmax", look, axis=1), say)
    z = g.add("ReduceSum", said, g.constant([1]), keepdims=0)
    z = g.add("Add", z, g.constant(head["say_b"]))
    z = g.add("Add", g.add("Mul", z, g.constant(scale)), g.constant(shift))
    g.nodes.append(helper.make_node("Sigmoid", [z], ["probability"]))
    g.nodes.append(helper.make_node("ArgMax", [said], ["peak"], axis=1, keepdims=0))
    width, acts = head["look"].shape
    graph = helper.make_graph(
        g.nodes,
        "acts",
        [
            helper.make_tensor_value_info("states", TensorProto.FLOAT, ["n", "t", width]),
            helper.make_tensor_value_info("mask", TensorProto.INT64, ["n", "t"]),
            helper.make_tensor_value_info("own", TensorProto.INT64, ["n", "t"]),
        ],
        [
            helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["n", acts]),
            helper.make_tensor_value_info("peak", TensorProto.INT64, ["n", acts]),
        ],
        g.constants,
    )
    made = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    onnx.checker.check_model(made)
    exact = [n.name for n in g.nodes if n.op_type == "MatMul" and n.output[0] in (look, say)]
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "acts.onnx"
        onnx.save(made, whole)
        quantize_dynamic(
            whole,
            path,
            op_types_to_quantize=["MatMul"],
            nodes_to_exclude=exact,
            per_channel=True,
            weight_type=QuantType.QInt8,
        )


def read_act_model(path: Path) -> dict[str, Any]:
    """Return the tuned parameters of a file that `write_act_model` wrote, in 32 bit floats.

    Weights come back as the 8 bits hold them; the calibration is left out.
    """
    constants = {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    names = {
        name.removesuffix("_quantized") for name in constants if not name.endswith("_zero_point")
    }
    numbered = sorted(int(name[1:]) for name in names if name[1:].isdigit())
    wide, flat = [], []
    for name in (f"c{number}" for number in numbered):
        if f"{name}_quantized" in constants:
            held, zero, scale = (
                constants[f"{name}_{k}"] for k in ("quantized", "zero_point", "scale")
            )
            wide.append((held.astype(np.float32) - zero.astype(np.float32)) * scale)
        elif constants[name].dtype == np.float32 and constants[name].ndim > 0:
            (wide if constants[name].ndim == 2 else flat).append(constants[name])
    *linear, look, say = wide
    *small, say_b, _, _ = flat
    layers = []
    for at in range(len(linear) // len(_LINEAR)):
        layer = dict(zip(_LINEAR, linear[at * len(_LINEAR) :], strict=False))
        layer |= dict(zip(_SMALL, small[at * len(_SMALL) :], strict=False))
        layers.append(layer)
    return {"layers": layers, "head": {"look": look, "say": say, "say_b": say_b}}
