"""The page of the tone coach, and the report on paper, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from asr.settings import AsrSettings
from conversation.events import EventLog
from reports.build import build_report
from reports.html import render_html
from server.hearing import Hearing, HearingSettings
from server.runner import running_server
from tests.e2e.browser import NEEDS_CHROMIUM, open_page

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120), NEEDS_CHROMIUM]
GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "sample.events.jsonl"


def test_a_flaw_is_marked_on_the_page_and_nothing_is_where_nothing_is_wrong(
    tmp_path: Path,
) -> None:
    with (
        Hearing(HearingSettings(asr=AsrSettings(enabled=False))) as hearing,
        running_server(hearing, tmp_path / "heartline.db") as server,
        open_page() as (page, errors),
    ):
        page.goto(server.address)
        page.wait_for_function("() => location.hash === ''")
        page.goto(f"http://127.0.0.1:{server.port}/tone")
        page.get_by_label("The customer's message").fill("I am really upset.")
        page.get_by_label("Your reply").fill("😀 You should have called us. <b>Regards</b>")
        page.get_by_role("button", name="Check").click()
        page.wait_for_selector("mark")
        assert page.locator("mark").all_text_contents() == ["You should have called"]
        assert "<b>Regards</b>" in (page.locator("#marked").text_content() or "")
        assert page.locator("#findings li").count() == 3
        page.get_by_label("Your reply").fill("I'm sorry you are upset. I'll call you at 5 pm.")
        page.get_by_role("button", name="Check").click()
        page.wait_for_function("() => !document.querySelector('mark')")
        assert page.locator("#findings").text_content() == "Nothing in it reads as a brush-off."
        assert errors == []


def test_the_report_prints_to_a_pdf_of_a_few_pages(tmp_path: Path) -> None:
    events = [EventLog.decode(line) for line in GOLDEN.read_bytes().splitlines()]
    file = tmp_path / "report.html"
    file.write_text(render_html(build_report(events)), "utf-8")
    with open_page() as (page, errors):
        page.goto(file.as_uri())
        pdf = page.pdf(format="A4")
        assert errors == []
    assert pdf.startswith(b"%PDF")
    pages = len(re.findall(rb"/Type\s*/Page\b", pdf))
    assert 1 <= pages <= 8
