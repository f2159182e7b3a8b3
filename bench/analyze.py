"""Time the offline analysis of the sample call: `python -m bench.analyze` (three runs, median)."""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path

from asr.settings import AsrSettings
from audio.sources import open_recording
from server.analyze import analyze_recording
from server.cli import SAMPLE
from server.hearing import Hearing, HearingSettings

_RUNS = 3


def main() -> None:
    """Print and write how many times faster than real time the whole path runs, warm."""
    recording = open_recording(SAMPLE)
    settings = HearingSettings(asr=AsrSettings(partials_enabled=False))
    times_s = []
    with Hearing(settings) as hearing:
        for _ in range(_RUNS + 1):
            began_s = time.monotonic()
            analyze_recording(
                recording, hearing, call_id="bench", started_at="2026-01-01T00:00:00+00:00"
            )
            times_s.append(time.monotonic() - began_s)
    speed = recording.duration_ms / 1000 / statistics.median(times_s[1:])
    row = {"system": "heartline", "condition": "sample_call", "metric": "times_real_time"}
    out = Path("bench/out")
    out.mkdir(parents=True, exist_ok=True)
    result = {"name": "analyze", "rows": [{**row, "value": round(speed, 2), "n": _RUNS}]}
    (out / "analyze.json").write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    print(f"analyze: {speed:.1f} x real time (median of {_RUNS} warm runs)")


if __name__ == "__main__":
    main()
