"""`make bench-coaching`: how well what is said is understood; writes `bench/out/coaching.json`.

`PARTS=acts,cues,redaction` in the environment chooses what is measured; without it, all.
"""

from __future__ import annotations

import os

from bench.coaching import acts, cues, redaction
from bench.results import write_results

PARTS = {"acts": acts.rows, "cues": cues.rows, "redaction": redaction.rows}
"""What is measured, each part a function that returns its rows."""


def main() -> None:
    """Measure the chosen parts and write one file.

    Raises:
        SystemExit: a part is named that does not exist.
    """
    chosen = os.environ.get("PARTS") or ",".join(PARTS)
    names = [name.strip() for name in chosen.split(",")]
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise SystemExit(f"PARTS names {unknown[0]!r}; choose from {', '.join(PARTS)}.")
    write_results("coaching", [row for name in names for row in PARTS[name]()], seed=acts.SEED)


if __name__ == "__main__":
    main()
