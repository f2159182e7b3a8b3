"""The nearest open package beside ours: call-ai-metrics 0.1.0, in an environment of its own.

    python -m venv DIR && DIR/bin/pip install call-ai-metrics==0.1.0
    CALL_AI_METRICS=DIR/bin/python make bench-floor

It judges whole recordings, so its predictions are given the time at which its overlap begins, which
favours it. Without the variable it is not run and has no rows.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from bench.floor.line import LINE_HZ, Channels
from bench.floor.score import Prediction

_ASK = """
import json, sys
from call_ai_metrics import analyze
for path in sys.argv[1:]:
    report = analyze(path, speakers=["agent", "customer"])
    print(json.dumps([
        [str(e.by), float(e.time_s)] for e in report.interruption_events
    ]))
"""


def peer_python() -> str | None:
    """Return the interpreter that has the package, None when none is named."""
    return os.environ.get("CALL_AI_METRICS") or None


def peer_predictions(python: str, calls: list[Channels]) -> list[list[Prediction]]:
    """Return what the package calls an interruption, call by call.

    Raises:
        RuntimeError: the package failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, channels in enumerate(calls):
            path = Path(folder) / f"{number}.wav"
            stereo = np.stack([channels["agent"], channels["customer"]], axis=1)
            soundfile.write(path, stereo, LINE_HZ, subtype="PCM_16")
            paths.append(str(path))
        done = subprocess.run(
            [python, "-c", _ASK, *paths], capture_output=True, text=True, check=False
        )
    if done.returncode != 0:
        raise RuntimeError(f"call-ai-metrics failed: {done.stderr.strip()[-300:]}")
    return [
        [
            Prediction(by, round(start_s * 1000), round(start_s * 1000))
            for by, start_s in json.loads(line)
        ]
        for line in done.stdout.splitlines()
    ]
