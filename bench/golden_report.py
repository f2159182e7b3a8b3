"""Pins the golden report of the sample call: `python -m bench.golden_report [--hear]`.

The pinned event log stays as it is unless `--hear` analyses the call anew, as after a change of
hearing or core. Review the difference of the report before it is committed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from asr.settings import AsrSettings
from audio.sources import open_recording
from conversation.events import ClockAdvanced, Event, EventLog, ProsodyFrame
from reports.build import build_report
from reports.model import encode
from server.analyze import SAMPLE, analyze_recording
from server.hearing import Hearing, HearingSettings

FOLDER = Path("tests/data/golden")
STARTED = "2026-01-01T00:00:00+00:00"


def main() -> None:
    """Write `tests/data/golden/sample.events.jsonl` and `sample.report.json`."""
    log = FOLDER / "sample.events.jsonl"
    if "--hear" in sys.argv[1:]:
        log.write_bytes(b"".join(EventLog.encode(event) + b"\n" for event in _hear()))
    events = [EventLog.decode(line) for line in log.read_bytes().splitlines()]
    (FOLDER / "sample.report.json").write_bytes(encode(build_report(events)))


def _hear() -> list[Event]:
    with Hearing(HearingSettings(asr=AsrSettings(partials_enabled=False))) as hearing:
        events = analyze_recording(
            open_recording(SAMPLE), hearing, call_id="sample", started_at=STARTED
        )
    # A report reads neither; without them the pinned log is a tenth of its size.
    return [event for event in events if not isinstance(event, ProsodyFrame | ClockAdvanced)]


if __name__ == "__main__":
    main()
