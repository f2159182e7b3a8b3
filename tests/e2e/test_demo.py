"""The demo in real time in a real browser: cues in time, words while they are spoken."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.e2e.browser import NEEDS_CHROMIUM, OUT, open_page

ROOT = Path(__file__).parents[2]
TRUTH = json.loads((ROOT / "server" / "sample" / "truth.json").read_text("utf-8"))
CUE_WITHIN_MS = 1_300
WATCH = """
const Native = window.WebSocket;
window.WebSocket = class extends Native {
  constructor(...args) {
    super(...args);
    this.addEventListener("message", (event) => {
      const message = JSON.parse(event.data);
      if (message.type !== "position") return;
      const start = Date.now() - message.at_ms;
      window.start = Math.min(window.start ?? start, start);
    });
  }
};
window.seen = [];
let last = "";
setInterval(() => {
  const deep = (root, selector) => {
    const found = root.querySelector(selector);
    if (found) return found;
    for (const node of root.querySelectorAll("*")) {
      const inner = node.shadowRoot ? deep(node.shadowRoot, selector) : null;
      if (inner) return inner;
    }
    return null;
  };
  const cue = deep(document, '[data-testid="cue"]');
  const rule = cue ? cue.getAttribute("data-rule") || "" : "";
  const words = deep(document, '[data-testid="transcript"]');
  const length = words ? words.textContent.length : 0;
  if (rule !== last) { window.seen.push({at: Date.now(), rule}); last = rule; }
  (window.lengths ||= []).push({at: Date.now(), length});
}, 20);
"""

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.alone,
    pytest.mark.timeout(300),
    NEEDS_CHROMIUM,
]


def follow_the_call(
    page: Page, process: subprocess.Popen[str], errors: list[str]
) -> dict[str, Any]:
    """Watch the panel until the demo is over; return what was on screen and when."""
    shot = False
    while process.poll() is None:
        page.wait_for_timeout(100)
        rule = page.evaluate("window.seen.at(-1)?.rule ?? ''")
        if rule == "talk_over" and not shot:
            page.screenshot(path=OUT / "agent-panel.png")
            shot = True
        if page.evaluate("window.over ?? false"):
            break
        if page.get_by_test_id("report").count():
            break
    complaints = list(errors)
    page.screenshot(path=OUT / "agent-panel-end.png")
    seen = {
        "cues": page.evaluate("window.seen"),
        "lengths": page.evaluate("window.lengths"),
        "start": page.evaluate("window.start"),
        "errors": complaints,
    }
    (OUT / "seen.json").write_text(json.dumps(seen["cues"]), "utf-8")
    return seen


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run the demo beside a browser once for all tests of this module."""
    out = tmp_path_factory.mktemp("demo")
    process = subprocess.Popen(
        [sys.executable, "-m", "server.cli", "demo", "--no-browser", "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    with process, open_page() as (page, errors):
        address = re.search(r"http\S+", process.stdout.readline())
        assert address is not None
        page.add_init_script(WATCH)
        page.goto(address[0])
        result = follow_the_call(page, process, errors)
        process.stdout.read()
    started = json.loads((out / "events.jsonl").read_text("utf-8").splitlines()[0])
    assert started["type"] == "call_started"
    events = [json.loads(line) for line in (out / "events.jsonl").read_text("utf-8").splitlines()]
    report = json.loads((out / "report.json").read_text("utf-8"))
    return {
        **result,
        "report": report,
        "events": events,
        "code": process.returncode,
    }


def test_the_demo_exits_when_the_call_is_over(seen: dict[str, Any]) -> None:
    assert seen["code"] == 0


def on_screen_ms(seen: dict[str, Any], rule: str) -> list[int]:
    """Stream times at which a cue appeared in the browser.

    Stream time 0 is the earliest wall time that any position message allows: audio up to a
    position cannot be known before it was sent.
    """
    return [round(c["at"] - seen["start"]) for c in seen["cues"] if c["rule"] == rule]


def test_let_them_finish_is_on_screen_in_time_for_each_interruption(
    seen: dict[str, Any],
) -> None:
    planted = [o for o in TRUTH["overlaps"] if (o["by"], o["class"]) == ("agent", "successful")]
    shown = on_screen_ms(seen, "talk_over")
    delays = [at - overlap["begin_ms"] for at, overlap in zip(shown, planted, strict=True)]
    print(f"on screen {delays} ms after the onset")
    assert len(delays) == 2
    assert all(0 <= delay <= CUE_WITHIN_MS for delay in delays)


def test_no_cue_for_a_backchannel_a_collision_or_a_smooth_overlap(seen: dict[str, Any]) -> None:
    raised = [
        e["at_ms"] for e in seen["events"] if e["type"] == "cue_raised" and e["rule"] == "talk_over"
    ]
    for overlap in TRUTH["overlaps"]:
        if overlap["class"] in ("backchannel", "collision", "terminal_overlap"):
            assert not any(0 <= at - overlap["begin_ms"] <= 3_000 for at in raised), overlap


def test_words_appear_while_they_are_spoken(seen: dict[str, Any]) -> None:
    lengths = [sample["length"] for sample in seen["lengths"]]
    changes = sum(a != b for a, b in pairwise(lengths))
    assert changes >= 60
    assert any(e["type"] == "partial_transcript" for e in seen["events"])


def test_the_browser_console_has_no_error_and_no_request_failed(seen: dict[str, Any]) -> None:
    assert seen["errors"] == []


def test_no_run_of_card_digits_is_journalled_or_reported(seen: dict[str, Any]) -> None:
    everything = re.sub(r"[^0-9a-z]", "", json.dumps([seen["events"], seen["report"]]).lower())
    assert "453914880343" not in everything
    assert "fourfivethreenine" not in everything
