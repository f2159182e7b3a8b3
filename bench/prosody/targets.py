"""What raised-voice detection has to reach, held against what was measured."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table

from bench.results import Row

_TELEPHONE = ("levelled", "mulaw_agc")
_RECORDED = "recorded_mulaw_agc"
_NO_EFFORT = ("gain_steps", "hold_music", "hold_music_as_speech", "touch_tones")
_LEAKS = ("cross_talk_15db", "cross_talk_20db", "cross_talk_30db")


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
    Target("babble_15db", "auc", 0.97, at_least=True),
    *(Target(line, "recall", 0.9, at_least=True) for line in _TELEPHONE),
    *(Target(line, "false_per_min", 0.2) for line in _TELEPHONE),
    Target("babble_15db", "recall", 0.8, at_least=True),
    Target("babble_15db", "false_per_min", 0.9),
    *(Target(line, "start_p50_s", 1.8) for line in (*_TELEPHONE, "babble_15db")),
    *(Target(line, "start_p90_s", 2.5) for line in (*_TELEPHONE, "babble_15db")),
    Target("mulaw_agc", "recall_lost_by_cascade", 0.02),
    Target("mulaw_agc", "auc_gap_of_sexes", 0.02),
    Target("mulaw_agc", "f0_gross_error", 0.01),
    Target("babble_15db", "f0_gross_error", 0.06),
    *(Target(kind, "false_events", 0) for kind in (*_NO_EFFORT, *_LEAKS)),
    Target("1_call", "core_percent_per_channel", 1.0),
    Target("100_calls", "core_percent_per_channel", 1.0),
    Target("100_calls", "cores", 2.0),
    Target("1_call", "tick_p99_ms", 15.0),
    Target("100_calls", "tick_p99_ms", 15.0),
    Target("start", "first_minus_second_ms", 100.0),
    Target(_RECORDED, "auc", 0.98, at_least=True),
    Target(_RECORDED, "recall", 0.9, at_least=True),
    Target(_RECORDED, "false_per_min", 0.2),
    Target(_RECORDED, "start_p50_s", 1.8),
    Target(_RECORDED, "start_p90_s", 2.5),
    Target("recorded_calm", "false_per_hour", 2.0),
)
"""`prosody.md` sections 10 and 11, what must be reached; 100 calls are 200 channels in one process.
"""
_SYSTEMS = ("heartline", "always_on_f0", "level_only", "tilt_only", "swift_f0_only", "librosa_yin")
_LINES = ("levelled", "mulaw_agc", "babble_15db", _RECORDED, "recorded_babble_15db")
_FIGURES = ("auc", "recall", "false_per_min", "start_p50_s", "start_p90_s")
_CONFUSIONS = ("cheerful", "laughter", "coughs", "speakerphone", "noise_onset")


def print_targets(console: Console, rows: Sequence[Row]) -> None:
    """Print every target beside the figure of this run, then what stands beside our figures."""
    measured = {(r.system, r.condition, r.metric): r for r in rows}
    table = Table("Data", "Condition", "Metric", "Must be", "Measured", "n", "Holds")
    for target in TARGETS:
        row = measured.get(("heartline", target.condition, target.metric))
        bound = f"{'≥' if target.at_least else '≤'} {target.bound:g}"
        value = None if row is None else row.value
        found = ("–", "–", "not measured")
        if row is not None and value is not None:
            found = (f"{value:.4g}", str(row.n), "yes" if target.holds(value) else "NO")
        table.add_row(_data(target.condition), target.condition, target.metric, bound, *found)
    console.print(table)
    console.print(_beside(measured))
    console.print(_pitch_errors(measured))
    console.print(_confusions(measured))


def _beside(measured: dict[tuple[str, str, str], Row]) -> Table:
    table = Table("Line", "System", *_FIGURES, title="Beside simpler systems, each at its best")
    for line in _LINES:
        for system in _SYSTEMS:
            found = [measured.get((system, line, metric)) for metric in _FIGURES]
            if any(found):
                table.add_row(line, system, *map(_figure, found))
    return table


def _pitch_errors(measured: dict[tuple[str, str, str], Row]) -> Table:
    names = {"heartline": "swift_f0", "librosa_yin": "librosa_yin", "librosa_pyin": "librosa_pyin"}
    table = Table("Line", *names.values(), title="Gross errors of imposed pitch")
    for line in ("raw", "mulaw_agc", "babble_15db"):
        found = [measured.get((system, line, "f0_gross_error")) for system in names]
        table.add_row(line, *map(_figure, found))
    return table


def _confusions(measured: dict[tuple[str, str, str], Row]) -> Table:
    table = Table("Kind", "Events", "Voices", title="Happy, laughing and the like: no target")
    for kind in _CONFUSIONS:
        row = measured.get(("heartline", kind, "false_events"))
        table.add_row(kind, _figure(row), "–" if row is None else str(row.n))
    return table


def _figure(row: Row | None) -> str:
    return "–" if row is None or row.value is None else f"{row.value:.3g}"


def _data(condition: str) -> str:
    if condition == "recorded_calm":
        return "recorded calls as they are"
    return "recorded talkers, imposed effort" if condition == _RECORDED else "generated test voices"
