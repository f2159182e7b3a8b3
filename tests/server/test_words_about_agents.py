"""No text of the screens or the report names a feeling of the agent (prosody.md section 1)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conversation.rules import packaged_rules

pytestmark = pytest.mark.unit
ROOT = Path(__file__).parents[2]
FEELINGS = re.compile(
    r"\b(ang(er|ry)|annoyed|calm|emotion\w*|frustrat\w+|irritated|mood|nervous|sad|stress\w*|upset)\b",
    re.IGNORECASE,
)
AGENT = re.compile(r"\b(agents?|you|your|you're)\b", re.IGNORECASE)
QUOTED = re.compile(r'"([^"\n]+)"|`([^`\n]+)`')


def texts() -> list[str]:
    files = [
        ROOT / "dashboard" / "src" / "strings.ts",
        *(ROOT / "reports").glob("*.py"),
    ]
    found = [a or b for file in files for a, b in QUOTED.findall(file.read_text("utf-8"))]
    return [*found, *(rule.text for rule in packaged_rules())]


def test_no_feeling_is_ascribed_to_the_agent() -> None:
    said = texts()
    assert len(said) > 300
    assert [text for text in said if AGENT.search(text) and FEELINGS.search(text)] == []


def test_the_search_would_find_one() -> None:
    text = "The agent sounds nervous"
    assert AGENT.search(text)
    assert FEELINGS.search(text)
