"""Is anything lost when the server is killed? `python -m bench.kill`, or `make bench-kill`.

Twenty calls at real time, each with a dashboard, on SQLite and on PostgreSQL; the server is killed
twenty times under them (`QUICK=1`: eight calls, four kills). Every event that a dashboard was
shown has to be in the journal afterwards, under its number. About seven minutes.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from rich.console import Console

from bench.kill.drill import Outcome, Server, drill
from bench.results import Row, is_quick, write_results
from tests.server.databases import postgres_programs, running_postgres

_SEED = 5
_CALLS, _KILLS = (8, 4) if is_quick() else (20, 20)
_UP_S = (1.5, 4.0)
_AT_MOST = {
    "shown_and_missing": 0.0,
    "snapshots_behind": 0.0,
    "audio_missing": 0.0,
    "accepting_after_p95": 3.0,
    "resumed_after_accepting_p95": 1.0,
}
"""What is promised (G1 and G8)."""
_OUT = Console(stderr=True)


def main() -> int:
    """Run it on each database that is there; exit 1 when anything is missing."""
    rows: list[Row] = []
    failed = False
    for name in ("sqlite", "postgresql"):
        outcome = _run(name)
        if outcome is None:
            _OUT.print("PostgreSQL is not installed here, so it is left out.")
            continue
        found = _rows(name, outcome)
        _OUT.print(f"{name}: " + ", ".join(f"{row.metric} {row.value}" for row in found))
        rows += found
        whole = outcome.ended == outcome.replayed == outcome.calls
        failed |= bool(outcome.missing or outcome.forgotten or outcome.gap_ms) or not whole
    write_results("kill", rows, seed=_SEED)
    return int(failed)


def _run(name: str) -> Outcome | None:
    programs = postgres_programs()
    if name == "postgresql" and programs is None:
        return None
    with (
        tempfile.TemporaryDirectory() as folder,
        running_postgres(programs) if name == "postgresql" and programs else nullcontext() as url,
    ):
        server = Server(Path(folder), f"{url}/postgres" if url else None, {})
        tell = _OUT.print
        return asyncio.run(
            drill(
                server,
                calls=_CALLS,
                kills=_KILLS,
                up_s=_UP_S,
                seed=_SEED,
                tell=lambda text: tell(f"{name}: {text}"),
            )
        )


def _rows(name: str, outcome: Outcome) -> list[Row]:
    condition = f"{_CALLS} calls, {_KILLS} kills, {name}"
    figures: list[tuple[str, float, str, int]] = [
        ("events_shown", outcome.delivered, "events", outcome.calls),
        ("shown_and_missing", outcome.missing, "events", outcome.delivered),
        ("snapshots_behind", outcome.forgotten, "snapshots", _KILLS * _CALLS),
        ("calls_ended_in_order", outcome.ended, "calls", outcome.calls),
        ("calls_equal_to_their_replay", outcome.replayed, "calls", outcome.calls),
        ("audio_missing", outcome.gap_ms, "ms", outcome.calls),
    ]
    for metric, seconds in (
        ("accepting_after", outcome.accepting_s),
        ("resumed_after_accepting", outcome.resumed_s),
    ):
        for percent in (50, 95, 100):
            value = float(np.percentile(seconds, percent))
            figures.append((f"{metric}_p{percent}", value, "s", len(seconds)))
    return [
        Row("heartline", condition, metric, v, unit, n, at_most=_AT_MOST.get(metric))
        for metric, v, unit, n in figures
    ]


if __name__ == "__main__":
    sys.exit(main())
