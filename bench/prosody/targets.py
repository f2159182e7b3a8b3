"""What raised-voice detection has to reach, held against what was measured."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table

from bench.results import Row

_TELEPHONE = ("levelled", "mulaw_agc", "recorded_mulaw_agc")


class Target(msgspec.Struct, frozen=True):
    """A figure of ours and the bound that it has to keep."""

    condition: str
    metric: str
    bound: float
    at_least: bool = False

    def holds(self, value: float) -> bool:
        """Whether a value keeps the bound."""
        return value >= self.bound if self.at_least else value <= self.bound


TARGETS = (
    Target("mulaw_agc", "auc", 0.98, at_least=True),
    Target("recorded_mulaw_agc", "auc", 0.98, at_least=True),
    Target("babble_15db", "auc", 0.97, at_least=True),
    *(Target(line, "recall", 0.9, at_least=True) for line in _TELEPHONE),
    *(Target(line, "false_per_min", 0.2) for line in _TELEPHONE),
    Target("babble_15db", "recall", 0.8, at_least=True),
    Target("babble_15db", "false_per_min", 0.9),
    *(Target(line, "start_p50_s", 1.8) for line in (*_TELEPHONE, "babble_15db")),
    *(Target(line, "start_p90_s", 2.5) for line in (*_TELEPHONE, "babble_15db")),
    Target("mulaw_agc", "f0_gross_error", 0.01),
    Target("babble_15db", "f0_gross_error", 0.06),
    Target("1_call", "core_percent_per_channel", 1.0),
    Target("100_calls", "core_percent_per_channel", 1.0),
    Target("1_call", "tick_p99_ms", 15.0),
    Target("100_calls", "tick_p99_ms", 15.0),
    Target("start", "first_minus_second_ms", 100.0),
)
"""`prosody.md` sections 10 and 11, what must be reached; 100 calls are 200 channels in one process.
"""


def print_targets(console: Console, rows: Sequence[Row]) -> None:
    """Print every target beside the figure of this run; one without a figure is not measured."""
    measured = {(r.condition, r.metric): r for r in rows if r.system == "heartline"}
    table = Table("Condition", "Metric", "Must be", "Measured", "n", "Holds")
    for target in TARGETS:
        row = measured.get((target.condition, target.metric))
        bound = f"{'≥' if target.at_least else '≤'} {target.bound:g}"
        value = None if row is None else row.value
        found = ("–", "–", "not measured")
        if row is not None and value is not None:
            found = (f"{value:.4g}", str(row.n), "yes" if target.holds(value) else "NO")
        table.add_row(target.condition, target.metric, bound, *found)
    console.print(table)
