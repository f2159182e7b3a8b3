"""`heartline acts` as a user types it: JSON lines in, JSON lines out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.model, pytest.mark.timeout(120)]
ROOT = Path(__file__).parents[2]
TURNS = [
    {"id": "a", "speaker": "customer", "text": "Put me through to a manager, I'm sick of this"},
    {"id": 2, "speaker": "agent", "text": "im so sorry about that", "style": "asr"},
    {
        "id": "c",
        "speaker": "agent",
        "text": "So it's off for both of you, and it began with the storm.",
        "context": [
            {"speaker": "agent", "text": "What happened?"},
            {"speaker": "customer", "text": "We lost power in the storm, next door too."},
        ],
    },
    {"id": "d", "speaker": "customer", "text": "It's the blue one."},
    {"id": "e", "speaker": "customer", "text": "  "},
]


def run(*arguments: object, lines: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "server.cli", "acts", *map(str, arguments)],
        input=lines, capture_output=True, text=True, timeout=110,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "dumb"},
    )  # fmt: skip


def labelled(output: str) -> dict[Any, dict[str, float]]:
    rows = [json.loads(line) for line in output.splitlines()]
    return {row["id"]: {a["kind"]: a["confidence"] for a in row["acts"]} for row in rows}


def test_turns_from_a_file_are_labelled_in_order(tmp_path: Path) -> None:
    file = tmp_path / "turns.jsonl"
    file.write_text("\n".join(json.dumps(turn) for turn in TURNS) + "\n", "utf-8")
    done = run(file)
    assert done.returncode == 0, done.stderr
    found = labelled(done.stdout)
    assert list(found) == ["a", 2, "c", "d", "e"]
    assert {"escalation_request", "frustration"} <= set(found["a"])
    assert "apology" in found[2]
    assert "paraphrase" in found["c"]
    assert found["d"] == found["e"] == {}
    assert all(0 < c <= 1 for acts in found.values() for c in acts.values())


def test_standard_input_and_patterns_alone() -> None:
    done = run("--patterns-only", lines=json.dumps(TURNS[1]) + "\n\n")
    assert labelled(done.stdout) == {2: {"apology": 0.95}}


def test_a_broken_line_gets_one_sentence_with_its_number() -> None:
    done = run(lines=json.dumps(TURNS[0]) + '\n{"id": 1, "speaker": "robot", "text": "hi"}\n')
    assert done.returncode == 1
    assert done.stdout == ""
    said = " ".join(done.stderr.split())
    assert "standard input, line 2" in said
    assert "'robot'" in said
    assert "Traceback" not in said


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    done = run(tmp_path / "none.jsonl")
    assert done.returncode == 1
    assert "none.jsonl" in " ".join(done.stderr.split())
