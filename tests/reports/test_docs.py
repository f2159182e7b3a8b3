"""What the guides quote of the sample call is said there, and the formats they name exist."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from reports.exports import EXPORTS
from reports.rollup import MIN_AGENTS, MIN_CALLS
from server.export_routes import PLACES

pytestmark = pytest.mark.unit
ROOT = Path(__file__).parents[2]
LEARN = (ROOT / "server" / "pages" / "learn.md").read_text("utf-8")
EXPORTS_GUIDE = (ROOT / "docs" / "exports.md").read_text("utf-8")
TRUTH = json.loads((ROOT / "server" / "sample" / "truth.json").read_text("utf-8"))


def said_at(clock: str) -> str:
    minutes, seconds = clock.split(":")
    at_ms = (int(minutes) * 60 + int(seconds)) * 1000
    return " ".join(
        t["text"] for t in TRUTH["turns"] if at_ms - 1_000 <= t["begin_ms"] < at_ms + 1_500
    )


def test_every_quotation_of_the_sample_call_is_in_it() -> None:
    words = re.sub(r"\s+", " ", " ".join(turn["text"] for turn in TRUTH["turns"])).lower()
    every = [" ".join(q.split()).strip(" .,").lower() for q in re.findall(r'"([^"]+)"', LEARN)]
    quoted = [quotation for quotation in every if len(quotation) >= 12]
    invented = {"i understand your frustration"}
    assert len(quoted) >= 8
    assert [q for q in quoted if q not in words and q not in invented] == []


def test_the_times_of_the_examples_are_right() -> None:
    assert "Can you give me your account details" in said_at("0:34")
    assert "still telling you" in said_at("0:39")
    assert "You should have called" in said_at("0:44")
    assert "I am so sorry" in said_at("1:17")
    assert "by Friday at noon" in said_at("1:40")
    assert "Are you still there" in said_at("1:05")
    assert "Thank you for your patience" in said_at("2:09")


def test_the_guide_names_every_export_and_download() -> None:
    assert all(f"`{name}`" in EXPORTS_GUIDE for name in EXPORTS)
    assert all(f"`{path}`" in EXPORTS_GUIDE for path in PLACES)
    assert (MIN_AGENTS, MIN_CALLS) == (5, 20)


def test_claims_are_marked_as_claims() -> None:
    assert "*claims of theirs*, not measurements" in LEARN
