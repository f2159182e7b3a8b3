"""Analyse the sample call and hold it against its truth: `python -m bench.analyze`.

Prints every planted overlap with the class it was given, when the raised voice was heard, the
word error rate, and how much faster than real time the analysis ran (median of three, warm).
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from asr.settings import AsrSettings
from audio.sources import open_recording
from bench.words import word_error_rate
from conversation.events import Channel
from reports.build import build_report
from reports.model import Report
from server.analyze import SAMPLE, analyze_recording
from server.hearing import Hearing, HearingSettings

_RUNS = 3
_SAME_EVENT_MS = 400
"""An event is the planted one when it begins this close to it."""


def main() -> None:
    """Run, print and write `bench/out/analyze.json`."""
    truth = json.loads(SAMPLE.with_name("truth.json").read_text("utf-8"))
    report, speed = _timed_analysis()
    found = _overlaps(truth, report)
    errors, words = word_error_rate(truth, report)
    late_ms = _raised_voice_late_ms(truth, report)
    rows = [
        ("overlap_class_accuracy", sum(found) / len(found), "share", len(found)),
        ("raised_voice_late_ms", late_ms, "ms", 1),
        ("wer", errors, "share", words),
        ("times_real_time", speed, "ratio", _RUNS),
    ]
    _write(rows)
    console = Console()
    for metric, value, unit, n in rows:
        shown = "not found" if value is None else f"{value:.3f} {unit}"
        console.print(f"{metric:24} {shown} (n = {n})", highlight=False)


def _timed_analysis() -> tuple[Report, float]:
    recording = open_recording(SAMPLE)
    settings = HearingSettings(asr=AsrSettings(partials_enabled=False))
    times_s = []
    with Hearing(settings) as hearing:
        for _ in range(_RUNS + 1):
            began_s = time.monotonic()
            events = analyze_recording(
                recording, hearing, call_id="bench", started_at="2026-01-01T00:00:00+00:00"
            )
            times_s.append(time.monotonic() - began_s)
    return build_report(events), recording.duration_ms / 1000 / statistics.median(times_s[1:])


def _overlaps(truth: dict[str, Any], report: Report) -> list[bool]:
    table = Table("Begin", "By", "Planted", "Found")
    right = []
    for planted in truth["overlaps"]:
        found = [
            str(event.overlap_class)
            for event in report.interruptions.events
            if event.by == planted["by"]
            and abs(event.begin_ms - planted["begin_ms"]) <= _SAME_EVENT_MS
        ]
        right.append(found == [planted["class"]])
        begin = f"{planted['begin_ms'] / 1000:.2f} s"
        table.add_row(begin, planted["by"], planted["class"], ", ".join(found) or "nothing")
    Console().print(table)
    return right


def _raised_voice_late_ms(truth: dict[str, Any], report: Report) -> int | None:
    (planted,) = truth["raised_voice"]
    begins = [e.begin_ms for e in report.raised_voice.events if e.channel is Channel.CUSTOMER]
    inside = [b for b in begins if planted["begin_ms"] - 500 <= b <= planted["end_ms"]]
    return min(inside) - planted["begin_ms"] if inside else None


def _write(rows: list[tuple[str, float | None, str, int]]) -> None:
    out = Path("bench/out")
    out.mkdir(parents=True, exist_ok=True)
    result = {
        "name": "analyze",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "rows": [
            {
                "system": "heartline",
                "condition": "sample_call",
                "metric": metric,
                "value": value,
                "unit": unit,
                "n": n,
            }
            for metric, value, unit, n in rows
        ],
    }
    (out / "analyze.json").write_text(json.dumps(result, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
