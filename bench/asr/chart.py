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
        1, 2, figsize=(9, 3.4), gridspec_kw={"width_ratios": (3, 1)}, layout="constrained"
    )
    width = 0.8 / max(1, len(systems))
    for i, system in enumerate(systems):
        heights = [values.get((system, metric)) for metric, _ in _BARS]
        at = [j + i * width for j, height in enumerate(heights) if height is not None]
        left.bar(at, [h for h in heights if h is not None], width, label=system)
    left.set_xticks([j + 0.4 - width / 2 for j in range(len(_BARS))], [name for _, name in _BARS])
    left.tick_params(axis="x", labelsize=8)
    left.set_ylabel("seconds after the word (log)")
    left.set_yscale("log")
    left.legend(fontsize=7)
    cores = [values.get((system, "cpu_s_per_audio_s")) or 0.0 for system in systems]
    right.bar(range(len(systems)), cores, color=[f"C{i}" for i in range(len(systems))])
    right.set_xticks([])
    right.set_ylabel("cores per call")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
    return path
