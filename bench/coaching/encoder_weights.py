"""Takes the sentence encoder's weights out of its ONNX file, to train its upper layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

Arrays = dict[str, NDArray[np.float32]]
LAYERS = 6
LINEAR = ("q", "k", "v", "o", "up", "down")


def load_weights(path: Path) -> tuple[Arrays, list[Arrays]]:
    """Return the embeddings' weights and those of each layer, in 32 bit floats.

    The file holds int8 weights with a scale that are multiplied out before each product, so the
    result is exactly what the shipped encoder computes with.
    """
    graph: Any = onnx.load(path).graph
    values = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in values:
            values[node.output[0]] = values[node.input[0]].astype(np.float32)
        elif node.op_type == "Mul" and all(name in values for name in node.input):
            values[node.output[0]] = values[node.input[0]] * values[node.input[1]]
    linear = [n.input[1] for n in graph.node if n.op_type == "MatMul" and n.input[1] in values]
    names = {
        "word": "embeddings.word_embeddings.weight",
        "type": "embeddings.token_type_embeddings.weight",
        "position": "embeddings.position_embeddings.weight",
        "gain": "embeddings.LayerNorm.weight",
        "bias": "embeddings.LayerNorm.bias",
    }
    embeddings = {k: _float(values[f"inner.{name}"]) for k, name in names.items()}
    layers = []
    for index in range(LAYERS):
        at = f"inner.encoder.layer.{index}"
        layer = {
            f"{k}_w": _float(values[linear[index * len(LINEAR) + i]]) for i, k in enumerate(LINEAR)
        }
        for k, name in {
            "q_b": "attention.self.query.bias",
            "k_b": "attention.self.key.bias",
            "v_b": "attention.self.value.bias",
            "o_b": "attention.output.dense.bias",
            "up_b": "intermediate.dense.bias",
            "down_b": "output.dense.bias",
            "ln1_g": "attention.output.LayerNorm.weight",
            "ln1_b": "attention.output.LayerNorm.bias",
            "ln2_g": "output.LayerNorm.weight",
            "ln2_b": "output.LayerNorm.bias",
        }.items():
            layer[k] = _float(values[f"{at}.{name}"])
        layers.append(layer)
    return embeddings, layers


def _float(value: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(value, np.float32)
