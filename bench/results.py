"""Writes what a benchmark measured: one table on the terminal, one JSON file beside it."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

OUT = Path("bench/out")
_VERSIONS = ("heartline", "numpy", "onnxruntime", "ctranslate2", "faster-whisper", "librosa")


class Row(msgspec.Struct, frozen=True):
    """One figure of one system under one condition."""

    system: str
    condition: str
    metric: str
    value: float | None
    """None when it could not be measured."""
    unit: str
    n: int
    at_most: float | None = None
    """What the figure may be at most, where that was promised; it stands beside the value."""


def is_quick() -> bool:
    """Whether the environment asks for a run of a few minutes (`QUICK=1`)."""
    return os.environ.get("QUICK", "") not in ("", "0")


def write_results(name: str, rows: Sequence[Row], *, seed: int | None = None) -> Path:
    """Print the table and write `bench/out/<name>.json`; returns its path."""
    table = Table("System", "Condition", "Metric", "Value", "Target", "Unit", "n")
    for row in rows:
        value = "–" if row.value is None else f"{row.value:.4g}"
        target = "" if row.at_most is None else f"≤ {row.at_most:g} {_verdict(row)}"
        table.add_row(row.system, row.condition, row.metric, value, target, row.unit, str(row.n))
    Console().print(table)
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / f"{name}.json"
    result = {
        "name": name,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "versions": {package: _version(package) for package in _VERSIONS},
        "seed": seed,
        "rows": [_figures(row) for row in rows],
    }
    path.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    return path


def _figures(row: Row) -> dict[str, object]:
    figures: dict[str, object] = msgspec.to_builtins(row)
    if row.at_most is None:
        del figures["at_most"]
    return figures


def _verdict(row: Row) -> str:
    if row.value is None or row.at_most is None:
        return "not measured"
    return "met" if row.value <= row.at_most else "missed"


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
