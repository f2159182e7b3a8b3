"""How late words and cues arrive over a live call: `python -m bench.stream_delay RECORDING`.

Starts `heartline serve`, plays the recording to it at speed 1 with `heartline stream --events`,
and prints the delay of final transcripts after the end of their speech, minute by minute, with
the drift of a straight line through them.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

_MINUTE_MS = 60_000


def main() -> None:
    """Stream the recording and print the delays."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recording", type=Path)
    recording: Path = parser.parse_args().recording
    with tempfile.TemporaryDirectory() as name:
        lines = _stream(recording.resolve(), Path(name))
    finals = [
        (line["event"]["end_ms"], line["elapsed_ms"] - line["event"]["end_ms"])
        for line in lines
        if line["event"]["type"] == "final_transcript"
    ]
    partials = [
        line["elapsed_ms"] - line["event"]["audio_end_ms"]
        for line in lines
        if line["event"]["type"] == "partial_transcript"
    ]
    _print(finals, partials)


def _stream(recording: Path, folder: Path) -> list[dict[str, dict[str, int]]]:
    heartline = [sys.executable, "-m", "server.cli"]
    server = subprocess.Popen(
        [*heartline, "serve", "--port", "0", "--data", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None  # noqa: S101 - a pipe was asked for
    try:
        address = re.search(r"http://[\w.:]+", server.stdout.readline())
        if address is None:
            raise SystemExit("The server did not start.")
        events = folder / "events.jsonl"
        command = [*heartline, "stream", str(recording), "--server", address[0]]
        subprocess.run(
            [*command, "--data", str(folder), "--events", str(events), "--speed", "1"], check=True
        )
        return [json.loads(line) for line in events.read_text("utf-8").splitlines()]
    finally:
        server.terminate()
        server.wait()


def _print(finals: list[tuple[int, int]], partials: list[int]) -> None:
    by_minute = defaultdict(list)
    for end_ms, delay_ms in finals:
        by_minute[end_ms // _MINUTE_MS].append(delay_ms)
    table = Table("Minute", "Finals", "Median delay", "Longest delay")
    for minute, delays in sorted(by_minute.items()):
        table.add_row(
            str(minute + 1),
            str(len(delays)),
            f"{statistics.median(delays):.0f} ms",
            f"{max(delays)} ms",
        )
    console = Console()
    console.print(table)
    slope, _ = statistics.linear_regression(*zip(*finals, strict=True))
    console.print(f"finals    {len(finals)}, drift {slope * _MINUTE_MS:+.1f} ms per minute")
    console.print(
        f"partials  {len(partials)}, median {statistics.median(partials):.0f} ms after their audio"
    )


if __name__ == "__main__":
    main()
