"""Writes the learnt weights as the model that ships: `python -m bench.voice.export voice.npz`.

Inputs `window` (n, 576), 64 samples of context and 512 of the window at 16 kHz, `silero` (n, 1),
its probability, and `state` (n, STATE); outputs `probability` (n, 4), of each 8 ms, and `next`.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bench.voice.features import (
    BANDS,
    FALL_DB,
    FAST_RISE_DB,
    FRAME,
    FRAMES,
    HOP,
    NOTHING_DB,
    RISE_DB,
    SILENCE,
    Values,
    bank,
)

_OUT = Path("audio/assets/voice_on_the_line.onnx")
_OPSET = 17
_ROWS, _WIDTH = 12, 16
"""A logarithm or a sigmoid of so many rows or values a channel fills whole vector registers, so
that each value is worked out alike in any company."""


def graph(weights: dict[str, Values]) -> onnx.ModelProto:
    """Return the model of `features.Features` and `train.run` in one."""
    units = weights["r"].shape[0]
    transform, bands = bank()
    bins = transform.shape[1] // 2
    constants: dict[str, Values] = {}
    nodes = []

    def const(name: str, value: object, dtype: type = np.float32) -> str:
        constants[name] = np.asarray(value, dtype=dtype)
        return name

    def node(kind: str, inputs: list[str], *outputs: str, **attributes: object) -> str:
        nodes.append(helper.make_node(kind, inputs, list(outputs), **attributes))
        return outputs[0]

    def dense(value: str, matrix: str, bias: str, out: str) -> None:
        """Multiply as a convolution: what is scored together gets the same bits as alone."""
        node("Unsqueeze", [value, two], f"{out}_in")
        kernel = const(matrix, weights[matrix].T[:, :, None])
        node("Conv", [f"{out}_in", kernel, const(bias, weights[bias])], f"{out}_out")
        node("Squeeze", [f"{out}_out", two], out)

    two = const("two_axis", [2], np.int64)
    # Frames of the window: a convolution with the windowed cosines and sines.
    node("Unsqueeze", ["window", const("one_axis", [1], np.int64)], "signal")
    kernel = const("kernel", transform.T[:, None, :])
    node("Conv", ["signal", kernel], "waves", kernel_shape=[FRAME], strides=[HOP])
    node("Mul", ["waves", "waves"], "squares")
    node("Split", ["squares", const("halves", [bins, bins], np.int64)], "real", "imaginary", axis=1)
    node("Add", ["real", "imaginary"], "power")
    to_bands = np.concatenate([bands.T, bands.T.sum(axis=0, keepdims=True)])
    node("Conv", ["power", const("to_bands", to_bands[:, :, None])], "in_bands", kernel_shape=[1])
    node("Add", ["in_bands", const("silence", SILENCE)], "heard")
    # Silero's odds share one logarithm with the levels.
    node("Clip", ["silero", const("least_sure", 1e-3), const("most_sure", 1 - 1e-3)], "sure")
    node("Sub", [const("one", 1.0), "sure"], "unsure")
    node("Div", ["sure", "unsure"], "ratio")
    node("Unsqueeze", ["ratio", two], "ratio_column")
    node("Expand", ["ratio_column", const("frames", [1, 1, FRAMES], np.int64)], "ratios")
    node("Concat", ["heard", "ratios", *["ratios"] * (_ROWS - BANDS - 2)], "all_heard", axis=1)
    node("Log", ["all_heard"], "logarithms")
    rows = const("rows", [BANDS + 1, 1, _ROWS - BANDS - 2], np.int64)
    node("Split", ["logarithms", rows], "logarithm", "log_ratios", "_rest", axis=1)
    node("Mul", ["logarithm", const("decibel", 10 / np.log(10))], "level")
    node("ReduceMax", ["log_ratios"], "log_ratio", axes=[2], keepdims=0)
    node("Div", ["log_ratio", const("three", 3.0)], "odds")
    sizes = const("sizes", [BANDS + 1, BANDS + 1, 1, units], np.int64)
    node("Split", ["state", sizes], "floor_was", "fast_was", "peak_was", "hidden_was", axis=1)
    node("ReduceMin", ["level"], "least", axes=[2], keepdims=0)
    node("Less", ["least", const("nothing", NOTHING_DB)], "is_nothing")
    node("Where", ["is_nothing", const("anything", -NOTHING_DB), "least"], "softest")
    node("Add", ["floor_was", const("rise", RISE_DB)], "floor_risen")
    node("Min", ["floor_risen", "softest"], "floor")
    node("Add", ["fast_was", const("fast_rise", FAST_RISE_DB)], "fast_risen")
    node("Min", ["fast_risen", "softest"], "fast")
    node("ReduceMax", ["level"], "most", axes=[2], keepdims=0)
    node("Sub", ["most", "fast"], "above_fast")
    node("Relu", ["above_fast"], "over_fast")
    node("Mul", ["over_fast", const("tenth", 0.1)], "lately")
    bands_and_whole = const("bands_and_whole", [BANDS, 1], np.int64)
    node("Split", ["level", bands_and_whole], "_", "whole", axis=1)
    node("ReduceMax", ["whole"], "loudest", axes=[2], keepdims=0)
    node("Sub", ["peak_was", const("fall", FALL_DB)], "peak_fallen")
    node("Max", ["peak_fallen", "loudest"], "peak")
    node("Unsqueeze", ["floor", two], "floor_column")
    node("Unsqueeze", ["peak", two], "peak_column")
    node("Sub", ["level", "floor_column"], "above")
    node("Relu", ["above"], "over")
    node("Sub", ["peak_column", "whole"], "under")
    node("Concat", ["over", "under"], "levels", axis=1)
    node("Mul", ["levels", "tenth"], "scaled")
    node("Transpose", ["scaled"], "by_frame", perm=[0, 2, 1])
    flat = const("flat", [0, FRAMES * (BANDS + 2)], np.int64)
    node("Reshape", ["by_frame", flat], "values")
    node("Concat", ["odds", "values", "lately"], "features", axis=1)
    # One step of the GRU, and a probability for each frame.
    gates = const("gate_sizes", [units, units, units], np.int64)
    dense("features", "w", "b", "gx")
    dense("hidden_was", "r", "rb", "gh")
    node("Split", ["gx", gates], "gx_z", "gx_r", "gx_n", axis=1)
    node("Split", ["gh", gates], "gh_z", "gh_r", "gh_n", axis=1)
    node("Add", ["gx_z", "gh_z"], "sum_z")
    node("Sigmoid", ["sum_z"], "z")
    node("Add", ["gx_r", "gh_r"], "sum_r")
    node("Sigmoid", ["sum_r"], "reset")
    node("Mul", ["reset", "gh_n"], "kept_n")
    node("Add", ["gx_n", "kept_n"], "sum_n")
    node("Tanh", ["sum_n"], "n")
    node("Sub", ["hidden_was", "n"], "change")
    node("Mul", ["z", "change"], "kept")
    node("Add", ["n", "kept"], "hidden")
    dense("hidden", "v", "c", "vh")
    node("Mul", ["odds", const("skip", weights["skip"])], "skipped")
    node("Add", ["vh", "skipped"], "logits")
    node("Concat", ["logits"] * (_WIDTH // FRAMES), "wide", axis=1)
    node("Sigmoid", ["wide"], "wide_probability")
    frames_and_rest = const("frames_and_rest", [FRAMES, _WIDTH - FRAMES], np.int64)
    node("Split", ["wide_probability", frames_and_rest], "probability", "_copies", axis=1)
    node("Concat", ["floor", "fast", "peak", "hidden"], "next", axis=1)
    state = 2 * (BANDS + 1) + 1 + units

    def value(name: str, width: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width])

    made = helper.make_graph(
        nodes,
        "voice_on_the_line",
        [value("window", HOP * (FRAMES - 1) + FRAME), value("silero", 1), value("state", state)],
        [value("probability", FRAMES), value("next", state)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def main() -> None:
    """Write the model and say its digest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    asked = parser.parse_args()
    content = graph(dict(np.load(asked.weights))).SerializeToString(deterministic=True)
    _OUT.write_bytes(content)
    print(f"{_OUT}: {len(content)} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main()
