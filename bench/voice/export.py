"""Writes the model that ships: `python -m bench.voice.export voice.npz`, the learnt weights.

It joins Silero's network and ours in one, with every layer a product of matrices, so that the
windows of many channels are one matrix. As convolutions, which take a channel at a time, they cost
four times as much; outputs differ by less than 1e-6.

Inputs `window` (n, 576), 64 samples of context and 512 of the window at 16 kHz, and `state`
(n, STATE); outputs `probability` (n, 4), of each 8 ms, `next`, and `begin` (1, STATE), the state of
a line that nothing was heard of yet.
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
    SILERO,
    WINDOW,
    Features,
    Values,
    bank,
    odds,
)
from bench.voice.train import LEAST_WINDOWS, MOST_WINDOWS, run, unheard

_OUT = Path("audio/assets/voice_on_the_line.onnx")
_OPSET = 17
_BINS, _CELLS, _SILERO_FRAME = 129, 128, 256
"""Of Silero: bins of its spectrum, cells of its LSTM, samples of a frame."""
_ROWS, _WIDTH = 12, 16
"""A logarithm or a sigmoid of so many rows or values a channel fills whole vector registers, so
that each value is worked out alike in any company."""
_SILENT_WINDOWS = 32
"""A line is taken to have been silent for so long before it is heard, about 1 s: the model learnt
from lines on which somebody waits before speaking, and a call may begin in the middle of a word."""


class _Graph:
    """Nodes and constants, as they are added."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, Values] = {}

    def const(self, name: str, value: object, dtype: type = np.float32) -> str:
        self.constants[name] = np.ascontiguousarray(value, dtype=dtype)
        return name

    def counts(self, name: str, *values: int) -> str:
        return self.const(name, values, np.int64)

    def node(self, kind: str, inputs: list[str], *outputs: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(kind, inputs, list(outputs), **attributes))
        return outputs[0]

    def dense(self, value: str, matrix: Values, bias: Values, out: str) -> str:
        product = self.node(
            "MatMul", [value, self.const(f"{out}_matrix", matrix)], f"{out}_product"
        )
        return self.node("Add", [product, self.const(f"{out}_bias", bias)], out)

    def part(self, value: str, begin: int, end: int, out: str) -> str:
        """Cut along the second axis."""
        ends = [self.counts(f"at_{at}", at) for at in (begin, end)]
        return self.node("Slice", [value, *ends, self.counts("second", 1)], out)


def _taps(kernel: Values) -> Values:
    """Return a convolution's kernel (out, in, taps) as a matrix (taps x in, out)."""
    return np.concatenate([kernel[:, :, tap].T for tap in range(kernel.shape[2])])


def _frames(graph: _Graph, basis: Values) -> None:
    """Both networks' spectra of four frames, one product: `waves` and `own_waves`."""
    graph.node("Pad", ["window", graph.counts("reflected", 0, 0, 0, 64)], "padded", mode="reflect")
    graph.node("Reshape", ["padded", graph.counts("blocks", 0, FRAMES + 1, HOP)], "hops")
    begins = graph.part("hops", 0, FRAMES, "hops_begin")
    ends = graph.part("hops", 1, FRAMES + 1, "hops_end")
    graph.node("Concat", [begins, ends], "frames", axis=2)
    own = np.pad(bank()[0], ((0, _SILERO_FRAME - FRAME), (0, 0)))
    both = graph.const("transforms", np.concatenate([basis, own], axis=1))
    graph.node("MatMul", ["frames", both], "all_waves")
    sizes = graph.counts("both_waves", 2 * _BINS, own.shape[1])
    graph.node("Split", ["all_waves", sizes], "waves", "own_waves", axis=2)


def _power(graph: _Graph, waves: str, bins: int, out: str) -> str:
    graph.node("Mul", [waves, waves], f"{out}_squares")
    halves = graph.counts(f"{out}_halves", bins, bins)
    names = [f"{out}_real", f"{out}_imaginary"]
    graph.node("Split", [f"{out}_squares", halves], *names, axis=2)
    return graph.node("Add", names, out)


def _silero(graph: _Graph) -> None:
    """Silero's layers, from `cells_was` to its probability, `silero`, and `cells`."""
    model = onnx.load(SILERO)
    known = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    kernels = [known[f"model.encoder.{i}.reparam_conv.weight"] for i in range(4)]
    biases = [known[f"model.encoder.{i}.reparam_conv.bias"] for i in range(4)]
    _frames(graph, known["model.stft.forward_basis_buffer"][:, 0].T)
    graph.node("Sqrt", [_power(graph, "waves", _BINS, "silero_power")], "magnitude")
    nothing = graph.counts("a_frame_each_side", 0, 1, 0, 0, 1, 0)
    graph.node("Pad", ["magnitude", nothing], "wide_magnitude")
    taps = [graph.part("wide_magnitude", i, i + FRAMES, f"tap_{i}") for i in range(3)]
    graph.node("Concat", taps, "taps", axis=2)
    graph.dense("taps", _taps(kernels[0]), biases[0], "layer_0")
    graph.node("Relu", ["layer_0"], "active_0")
    # Every second frame, of three each: of 0 1 2 3 and nothing around them, (-1 0 1) and (1 2 3).
    graph.node("Pad", ["active_0", nothing], "wide_0")
    pair = [graph.part("wide_0", 0, 3, "early"), graph.part("wide_0", 2, 5, "late")]
    graph.node("Concat", pair, "strided", axis=1)
    triples = graph.counts("triples", 0, 2, 3 * kernels[1].shape[1])
    graph.node("Reshape", ["strided", triples], "strided_rows")
    graph.dense("strided_rows", _taps(kernels[1]), biases[1], "layer_1")
    graph.node("Relu", ["layer_1"], "active_1")
    # One frame of the two, and then itself: taps that would meet nothing are left out.
    graph.node("Reshape", ["active_1", graph.counts("a_row", 0, 2 * kernels[1].shape[0])], "row_1")
    graph.dense("row_1", _taps(kernels[2][:, :, 1:]), biases[2], "layer_2")
    graph.node("Relu", ["layer_2"], "active_2")
    graph.dense("active_2", _taps(kernels[3][:, :, 1:2]), biases[3], "layer_3")
    graph.node("Relu", ["layer_3"], "active_3")
    # The LSTM; its gates come as input, forget, cell, output.
    rnn = [known[f"model.decoder.rnn.{name}"] for name in ("weight_ih", "weight_hh")]
    gates = [known[f"model.decoder.rnn.{name}"] for name in ("bias_ih", "bias_hh")]
    order = np.r_[0 : 2 * _CELLS, 3 * _CELLS : 4 * _CELLS, 2 * _CELLS : 3 * _CELLS]
    graph.node("Concat", ["active_3", "output_was"], "lstm_in", axis=1)
    matrix, bias = np.concatenate(rnn, axis=1).T[:, order], (gates[0] + gates[1])[order]
    graph.dense("lstm_in", matrix, bias, "gates")
    sizes = graph.counts("three_and_one", 3 * _CELLS, _CELLS)
    graph.node("Split", ["gates", sizes], "open", "cell", axis=1)
    graph.node("Sigmoid", ["open"], "opened")
    thirds = graph.counts("thirds", _CELLS, _CELLS, _CELLS)
    graph.node("Split", ["opened", thirds], "input", "forget", "output", axis=1)
    graph.node("Tanh", ["cell"], "cell_in")
    graph.node("Mul", ["input", "cell_in"], "cell_new")
    graph.node("Mul", ["forget", "cell_was"], "cell_kept")
    graph.node("Add", ["cell_new", "cell_kept"], "cell_now")
    graph.node("Tanh", ["cell_now"], "cell_out")
    graph.node("Mul", ["output", "cell_out"], "output_now")
    graph.node("Relu", ["output_now"], "output_active")
    last = known["model.decoder.decoder.2.weight"][0], known["model.decoder.decoder.2.bias"]
    wide = np.repeat(last[0], _WIDTH, axis=1), np.repeat(last[1], _WIDTH)
    graph.node("Sigmoid", [graph.dense("output_active", *wide, "silero_logits")], "silero_wide")
    one = graph.counts("one_and_rest", 1, _WIDTH - 1)
    graph.node("Split", ["silero_wide", one], "silero", "_silero_copies", axis=1)


def _levels(graph: _Graph) -> None:
    """`features.Features`: from `own_waves`, `silero`, floors and peak to `features`."""
    node, const = graph.node, graph.const
    transform, bands = bank()
    _power(graph, "own_waves", transform.shape[1] // 2, "power")
    to_bands = np.concatenate([bands, bands.sum(axis=1, keepdims=True)], axis=1)
    graph.dense("power", to_bands, np.full(BANDS + 1, SILENCE), "heard")
    # Silero's odds share one logarithm with the levels.
    node("Clip", ["silero", const("least_sure", 1e-3), const("most_sure", 1 - 1e-3)], "sure")
    node("Sub", [const("one", 1.0), "sure"], "unsure")
    node("Div", ["sure", "unsure"], "ratio")
    node("Unsqueeze", ["ratio", graph.counts("third", 2)], "ratio_column")
    node("Expand", ["ratio_column", graph.counts("many", 1, FRAMES, _ROWS - BANDS - 1)], "ratios")
    node("Concat", ["heard", "ratios"], "all_heard", axis=2)
    node("Log", ["all_heard"], "logarithms")
    columns = graph.counts("columns", BANDS + 1, _ROWS - BANDS - 1)
    node("Split", ["logarithms", columns], "logarithm", "log_ratios", axis=2)
    node("Mul", ["logarithm", const("decibel", 10 / np.log(10))], "level")
    node("ReduceMax", ["log_ratios"], "log_ratio", axes=[2], keepdims=0)
    node("Mul", [graph.part("log_ratio", 0, 1, "log_odds"), const("third_part", 1 / 3)], "odds")
    node("ReduceMin", ["level"], "least", axes=[1], keepdims=0)
    node("Less", ["least", const("nothing", NOTHING_DB)], "is_nothing")
    node("Where", ["is_nothing", const("anything", -NOTHING_DB), "least"], "softest")
    node("Add", ["floor_was", const("rise", RISE_DB)], "floor_risen")
    node("Min", ["floor_risen", "softest"], "floor")
    node("Add", ["fast_was", const("fast_rise", FAST_RISE_DB)], "fast_risen")
    node("Min", ["fast_risen", "softest"], "fast")
    node("ReduceMax", ["level"], "most", axes=[1], keepdims=0)
    node("Sub", ["most", "fast"], "above_fast")
    node("Relu", ["above_fast"], "over_fast")
    node("Mul", ["over_fast", const("tenth", 0.1)], "lately")
    node("Split", ["level", graph.counts("bands_and_whole", BANDS, 1)], "_bands", "whole", axis=2)
    node("ReduceMax", ["whole"], "loudest", axes=[1], keepdims=0)
    node("Sub", ["peak_was", const("fall", FALL_DB)], "peak_fallen")
    node("Max", ["peak_fallen", "loudest"], "peak")
    node("Unsqueeze", ["floor", "second"], "floor_row")
    node("Unsqueeze", ["peak", "second"], "peak_row")
    node("Sub", ["level", "floor_row"], "above")
    node("Relu", ["above"], "over")
    node("Sub", ["peak_row", "whole"], "under")
    node("Concat", ["over", "under"], "levels", axis=2)
    node("Mul", ["levels", "tenth"], "scaled")
    node("Reshape", ["scaled", graph.counts("flat", 0, FRAMES * (BANDS + 2))], "values")
    node("Concat", ["odds", "values", "lately"], "features", axis=1)


def _voice(graph: _Graph, weights: dict[str, Values]) -> None:
    """`train.run`: one step of the GRU, and a probability for each frame."""
    node = graph.node
    units = weights["r"].shape[0]
    node("Concat", ["features", "mean_was"], "features_and_mean", axis=1)
    from_both = np.concatenate([weights["w"], weights["m"]])
    graph.dense("features_and_mean", from_both, weights["b"], "gx")
    graph.dense("hidden_was", weights["r"], weights["rb"], "gh")
    sizes = graph.counts("two_and_one", 2 * units, units)
    node("Split", ["gx", sizes], "gx_zr", "gx_n", axis=1)
    node("Split", ["gh", sizes], "gh_zr", "gh_n", axis=1)
    node("Add", ["gx_zr", "gh_zr"], "sum_zr")
    node("Sigmoid", ["sum_zr"], "zr")
    node("Split", ["zr", graph.counts("units", units, units)], "z", "reset", axis=1)
    node("Mul", ["reset", "gh_n"], "kept_n")
    node("Add", ["gx_n", "kept_n"], "sum_n")
    node("Tanh", ["sum_n"], "n")
    node("Sub", ["hidden_was", "n"], "change")
    node("Mul", ["z", "change"], "kept")
    node("Add", ["n", "kept"], "hidden")
    copies = _WIDTH // FRAMES
    node("Concat", ["hidden", "mean_was"], "hidden_and_mean", axis=1)
    both = np.concatenate([weights["v"], weights["mv"]])
    wide = np.tile(both, (1, copies)), np.tile(weights["c"], copies)
    graph.dense("hidden_and_mean", *wide, "vh")
    node("Mul", ["odds", graph.const("skip", weights["skip"])], "skipped")
    node("Add", ["vh", "skipped"], "logits")
    node("Sigmoid", ["logits"], "wide_probability")
    frames_and_rest = graph.counts("frames_and_rest", FRAMES, _WIDTH - FRAMES)
    node("Split", ["wide_probability", frames_and_rest], "probability", "_copies", axis=1)
    node("ReduceMean", ["probability"], "speech", axes=[1], keepdims=1)
    node("Add", ["spoken_was", "speech"], "spoken_sum")
    node("Min", ["spoken_sum", graph.const("most_windows", MOST_WINDOWS)], "spoken")
    node("Max", ["spoken", graph.const("least_windows", LEAST_WINDOWS)], "rests_on")
    node("Div", ["speech", "rests_on"], "part")
    node("Sub", ["hidden", "mean_was"], "off_mean")
    node("Mul", ["part", "off_mean"], "towards")
    node("Add", ["mean_was", "towards"], "mean")


def _begin(weights: dict[str, Values]) -> Values:
    """Return the state (1, STATE) of a line on which all was silent; Silero begins with nothing."""
    front, silent = Features(1), np.zeros((1, WINDOW), dtype=np.float32)
    heard = [front.push(silent, odds(np.zeros(1, np.float32))) for _ in range(_SILENT_WINDOWS)]
    _, state = run(dict(weights), np.stack(heard, axis=1), unheard(1))
    levels = [front.floor[0], front.fast[0], front.peak[0]]
    return np.concatenate([np.zeros((1, 2 * _CELLS)), *levels, *state], axis=1)


def model(weights: dict[str, Values]) -> onnx.ModelProto:
    """Return Silero's network, `features.Features` and `train.run` in one."""
    graph = _Graph()
    units = weights["r"].shape[0]
    parts = {
        "output": _CELLS,
        "cell": _CELLS,
        "floor": BANDS + 1,
        "fast": BANDS + 1,
        "peak": 1,
        "hidden": units,
        "mean": units,
        "spoken": 1,
    }
    sizes = graph.counts("state_sizes", *parts.values())
    graph.node("Split", ["state", sizes], *(f"{name}_was" for name in parts), axis=1)
    _silero(graph)
    _levels(graph)
    _voice(graph, weights)
    now = ["output_now", "cell_now", "floor", "fast", "peak", "hidden", "mean", "spoken"]
    graph.node("Concat", now, "next", axis=1)
    graph.node("Identity", [graph.const("silent", _begin(weights))], "begin")

    def value(name: str, width: int, rows: str | int = "n") -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [rows, width])

    state = sum(parts.values())
    made = helper.make_graph(
        graph.nodes,
        "voice_on_the_line",
        [value("window", WINDOW), value("state", state)],
        [value("probability", FRAMES), value("next", state), value("begin", state, 1)],
        [numpy_helper.from_array(array, name) for name, array in graph.constants.items()],
    )
    whole = helper.make_model(made, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)
    onnx.checker.check_model(whole, full_check=True)
    return whole


def main() -> None:
    """Write the model and say its digest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    asked = parser.parse_args()
    content = model(dict(np.load(asked.weights))).SerializeToString(deterministic=True)
    _OUT.write_bytes(content)
    print(f"{_OUT}: {len(content)} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main()
