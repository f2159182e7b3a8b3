"""The picture of a run for docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.results import Row

_BARS = (
    ("first_seen_p50_s", "first seen, p50"),
    ("first_seen_p95_s", "first seen, p95"),
    ("committed_p50_s", "committed, p50"),
    ("final_after_end_p50_s", "final after end, p50"),
)

_COLOURS = ("#0b6e69", "#8c8c8c", "#bdbdbd", "#b07d4f", "#dcb58f")
"""Ours first; two shades for a peer as it comes and tuned."""


def draw(rows: Sequence[Row], path: Path) -> Path:
    """Draw delays and processor use per system on one call as SVG; missing bars never came."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    one = [row for row in rows if row.condition == "one_call"]
    systems = [
        name
        for name in dict.fromkeys(row.system for row in one)
        if any(row.system == name and row.metric == _BARS[0][0] and row.value for row in one)
    ]
    values = {(row.system, row.metric): row.value for row in one}
    figure, (left, right) = pyplot.subplots(
        1, 2, figsize=(9, 3.6), gridspec_kw={"width_ratios": (4, 1)}, layout="constrained"
    )
    width = 0.84 / max(1, len(systems))
    for i, system in enumerate(systems):
        heights = [values.get((system, metric)) for metric, _ in _BARS]
        known = [(j + i * width, h) for j, h in enumerate(heights) if h is not None]
        colour = _COLOURS[i % len(_COLOURS)]
        bars = left.bar([at for at, _ in known], [h for _, h in known], width, color=colour)
        left.bar_label(bars, fmt="%.2g", fontsize=6, padding=1)
        cores = values.get((system, "cpu_s_per_audio_s")) or 0.0
        bars = right.bar([i], [cores], color=colour, label=system)
        right.bar_label(bars, fmt="%.2f", fontsize=6, padding=1)
    left.set_xticks([j + 0.42 - width / 2 for j in range(len(_BARS))], [name for _, name in _BARS])
    left.tick_params(axis="x", labelsize=8)
    left.set_ylabel("seconds after the word (log)")
    left.set_yscale("log")
    left.set_ylim(bottom=0.1)
    left.yaxis.set_major_formatter("{x:g}")
    right.set_xticks([])
    right.set_ylabel("cores per call")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=5, fontsize=7, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
    return path
