"""A disputed interruption leaves the counts at once, stays on the page, and can come back."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from reports.build import build_report
from reports.disputes import report_without
from reports.html import render_html
from tests.e2e.stage import Stage, staged_server
from tests.golden.files import events_of

pytestmark = pytest.mark.server


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged_server(tmp_path / "heartline.db") as running:
        running.begin("upset", 73)
        running.end("upset")
        yield running


def ask(stage: Stage, method: str, path: str, body: Any = None) -> tuple[int, str]:
    headers = {
        "Content-Type": "application/json",
        "Authorization": f"Bearer {stage.user.key}",
    }
    content = None if body is None else json.dumps(body)
    with closing(http.client.HTTPConnection("127.0.0.1", stage.port, timeout=10)) as connection:
        connection.request(method, path, content, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def counts(stage: Stage) -> tuple[int, int]:
    report = json.loads(ask(stage, "GET", "/v1/calls/upset/report.json")[1])
    agent = report["interruptions"]["by"]["agent"]
    (line,) = [p for p in report["scorecard"] if p["behaviour"] == "let_finish"]
    return agent["successful"], line["opportunities"] - line["delivered"]


def test_a_dispute_leaves_the_counts_and_a_withdrawal_brings_it_back(stage: Stage) -> None:
    span = build_report(events_of("upset")).interruptions.events[0].id
    path = "/v1/calls/upset/disputes"
    assert counts(stage) == (1, 1)
    assert ask(stage, "POST", path, {"span": span, "verdict": "was_needed"})[0] == 204
    assert counts(stage) == (0, 0)
    page = ask(stage, "GET", "/v1/calls/upset/report.html")[1]
    assert "Disputed: Was needed. Not in the counts." in page
    assert f"id='{span}'" in page
    assert ask(stage, "POST", path, {"span": span, "verdict": "withdrawn"})[0] == 204
    assert counts(stage) == (1, 1)


def test_what_is_no_interruption_or_no_verdict_is_refused(stage: Stage) -> None:
    path = "/v1/calls/upset/disputes"
    span = build_report(events_of("upset")).interruptions.events[0].id
    assert ask(stage, "POST", path, {"span": "o-999", "verdict": "was_needed"})[0] == 404
    assert ask(stage, "POST", path, {"span": span, "verdict": "<b>"})[0] == 400
    assert ask(stage, "POST", "/v1/calls/none/disputes", {"span": span, "verdict": "x"})[0] == 404


def test_without_disputes_the_report_is_the_same() -> None:
    events = events_of("upset")
    assert report_without(events, ()) == build_report(events)


def test_a_file_on_disk_has_no_buttons_and_a_served_page_has() -> None:
    report = build_report(events_of("upset"))
    assert "<button" not in render_html(report)
    assert "data-verdict='not_an_interruption'" in render_html(report, served=True)


def test_the_rules_are_listed_with_reason_and_limits(stage: Stage) -> None:
    status, text = ask(stage, "GET", "/v1/rules")
    rules = json.loads(text)
    assert status == 200
    assert all({"id", "text", "why", "when", "enabled", "cooldown_ms"} <= set(r) for r in rules)
    assert "talk_over" in {rule["id"] for rule in rules}
