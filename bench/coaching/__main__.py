"""`make bench-coaching`: how well what is said is understood; writes `bench/out/coaching.json`."""

from __future__ import annotations

from bench.coaching import acts, cues, redaction
from bench.results import write_results

PARTS = (acts.rows, cues.rows, redaction.rows)
"""What is measured, each part a function that returns its rows."""

if __name__ == "__main__":
    write_results("coaching", [row for part in PARTS for row in part()], seed=acts.SEED)
