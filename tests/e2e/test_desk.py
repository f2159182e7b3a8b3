"""Trends, changing rules, and what is stored about me: in a real browser against a real server."""

from __future__ import annotations

import re
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from server.people.roles import Role
from server.rule_edits import FILE
from tests.e2e.browser import NEEDS_CHROMIUM, axe_violations, new_page
from tests.e2e.stage import Stage
from tests.e2e.steps import PASSWORD, WAS_SIGNED_IN, go, sign_in, tab_to
from tests.golden.files import events_of

pytestmark = [pytest.mark.e2e, NEEDS_CHROMIUM]
SLOW_MS = 120_000
"""Replays and figures are worked out in a process of their own."""


@pytest.fixture
def page(page: Page) -> Page:
    page.add_init_script(WAS_SIGNED_IN)
    return page


def past_calls(stage: Stage, count: int, scene: str = "calm", agent: str = "ann") -> None:
    noon = datetime.now(UTC).replace(hour=12)
    for n in range(count):
        began = (noon - timedelta(days=1 + n % 6, minutes=n)).isoformat()
        stage.past(
            f"{agent}-{scene}-{n}", events_of(scene), agent, team="billing", started_at=began
        )


# --------------------------------------------------------------------------- rules


def test_a_rule_is_tried_on_past_calls_then_saved_then_put_back(stage: Stage, page: Page) -> None:
    past_calls(stage, 2, "upset")
    page.goto(stage.address("rules"))
    rule = page.locator("[data-rule=escalation_ask]")
    rule.get_by_role("button", name="Change").click()
    rule.get_by_label("Switched on").uncheck()
    expect(page.get_by_text("1 rule changed, not saved")).to_be_visible()
    expect(page.get_by_role("button", name="Save")).to_be_disabled()
    page.get_by_role("button", name="Try on past calls").click()
    row = page.locator("[data-trial=escalation_ask]")
    expect(row.locator("td").first).to_have_text("2", timeout=SLOW_MS)
    expect(row.locator("td").nth(1)).to_have_text("0")
    gone = page.get_by_role("link", name="ann-upset-0 at 0:57")
    expect(gone).to_have_attribute("href", "#replay/ann-upset-0")
    assert axe_violations(page) == []
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved. Calls that start from now on use it")).to_be_visible()
    expect(rule.get_by_text("changed", exact=True)).to_be_visible()
    folder = stage.calls.rule_source.folder
    assert folder is not None
    assert (folder / FILE).read_text("utf-8") == "[escalation_ask]\nenabled = false\n"
    page.get_by_label("Show", exact=True).select_option("changed")
    expect(page.locator("[data-rule]")).to_have_count(1)
    rule.get_by_role("button", name="Change").click()
    rule.get_by_label("Switched on").check()
    page.get_by_role("button", name="Try on past calls").click()
    expect(row.locator("td").nth(1)).to_have_text("2", timeout=SLOW_MS)
    page.get_by_role("button", name="Save").click()
    expect(page.locator("[data-rule]")).to_have_count(0)
    assert (folder / FILE).read_text("utf-8") == ""


def test_the_numbers_of_a_condition_are_changed_with_the_keyboard_alone(
    stage: Stage, page: Page
) -> None:
    page.goto(stage.address("rules"))
    page.get_by_role("searchbox").focus()
    page.keyboard.type("Let them finish")
    expect(page.locator("[data-rule]")).to_have_count(1)
    tab_to(page, "Change: Let them finish")
    page.keyboard.press("Enter")
    tab_to(page, "Number 1, after “(overlap.raw_ms >=”")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("1800")
    tab_to(page, "Try on past calls")
    page.keyboard.press("Enter")
    expect(page.get_by_text("There are no finished calls to try it on yet.")).to_be_visible(
        timeout=SLOW_MS
    )
    tab_to(page, "Save")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Saved. Calls that start from now on use it")).to_be_visible()
    found = {rule.id: rule for rule in stage.calls.rule_source.current().rules}
    assert "overlap.raw_ms >= 1800ms or" in found["talk_over"].when
    page.get_by_role("button", name="Change: Let them finish").click()
    page.get_by_role("button", name="changed from the packaged condition").click()
    expect(page.get_by_label("Number 1, after").first).to_have_value("1500")
    page.get_by_role("button", name="Discard").click()
    expect(page.get_by_text("not saved")).to_have_count(0)


def test_a_coach_tries_a_change_and_cannot_save_it(stage: Stage, page: Page) -> None:
    people = stage.access.accounts
    people.add("cora", Role.COACH, PASSWORD, teams=["billing"])
    people.add("ann", Role.AGENT, PASSWORD)
    past_calls(stage, 1, "upset")
    sign_in(page, stage, "cora", "rules")
    rule = page.locator("[data-rule=escalation_ask]")
    rule.get_by_role("button", name="Change").click()
    page.get_by_label("Per call").fill("7")
    page.get_by_label("Per call").blur()
    expect(page.get_by_text("an admin saves them")).to_be_visible()
    expect(page.get_by_role("button", name="Save")).to_have_count(0)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Password")).to_be_visible()
    sign_in(page, stage, "ann", "rules")
    expect(page.locator("[data-rule=talk_over]")).to_be_visible()
    expect(page.get_by_role("button", name="Change")).to_have_count(0)


# --------------------------------------------------------------------------- trends


def test_an_agents_trend_waits_for_twenty_calls_and_then_shows_days(
    stage: Stage, page: Page
) -> None:
    past_calls(stage, 19)
    page.goto(stage.address("trends"))
    expect(page.get_by_text("Figures need 20 calls; there are 19")).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_role("img", name="Calls")).to_be_visible()
    expect(page.get_by_role("img", name="Interruptions in ten minutes")).to_have_count(0)
    past_calls(stage, 3, "upset")
    page.get_by_role("button", name="7 days").click()
    expect(page.get_by_role("img", name="Interruptions in ten minutes")).to_be_visible(
        timeout=SLOW_MS
    )
    expect(page.get_by_role("status")).to_have_text("22 calls")
    expect(page.get_by_role("row", name="Let them finish").first).to_contain_text(" of ")
    page.get_by_text("As a table").click()
    expect(page.get_by_role("columnheader", name="Given")).to_be_visible()
    page.get_by_role("button", name="90 days").click()
    expect(page.get_by_role("button", name="90 days")).to_have_attribute("aria-pressed", "true")
    page.get_by_text("As a table").click()
    expect(page.get_by_role("columnheader", name="Week from")).to_be_visible()


def test_a_small_team_is_told_why_there_is_nothing_and_a_coach_sees_their_agents(
    stage: Stage, page: Page
) -> None:
    people = stage.access.accounts
    people.add("sue", Role.SUPERVISOR, PASSWORD, teams=["billing"])
    people.add("cora", Role.COACH, PASSWORD, teams=["billing"])
    past_calls(stage, 20)
    sign_in(page, stage, "sue", "trends")
    expect(page.get_by_text("need 5 agents with 20 calls each")).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_role("img")).to_have_count(0)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Password")).to_be_visible()
    sign_in(page, stage, "cora", "trends")
    page.get_by_label("Whose").select_option("ann")
    expect(page.get_by_role("status")).to_have_text("20 calls", timeout=SLOW_MS)
    expect(page.get_by_text("as their coach")).to_be_visible()


# --------------------------------------------------------------------------- my data


def test_my_data_is_counted_taken_away_and_erased_on_request(
    stage: Stage, page: Page, tmp_path: Path
) -> None:
    people = stage.access.accounts
    people.add("ann", Role.AGENT, PASSWORD, teams=["billing"])
    people.add("ada", Role.ADMIN, PASSWORD)
    past_calls(stage, 3, "upset")
    sign_in(page, stage, "ann", "data")
    expect(page.get_by_text("ann, agent, billing")).to_be_visible()
    expect(page.get_by_text("3 calls, ")).to_be_visible()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download my data").click()
    archive = tmp_path / "mine.zip"
    waiting.value.save_as(archive)
    with zipfile.ZipFile(archive) as packed:
        assert packed.testzip() is None
        assert "calls/ann-upset-0.jsonl" in packed.namelist()
    page.get_by_role("button", name="Ask to erase my calls").click()
    expect(page.get_by_text("Ask to have 3 calls erased?")).to_be_visible()
    page.get_by_role("button", name="Yes, ask").click()
    expect(page.get_by_text("waiting for a decision")).to_be_visible()
    expect(page.get_by_role("button", name="Ask to erase my calls")).to_be_disabled()
    expect(page.get_by_text("Requests to decide")).to_have_count(0)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Password")).to_be_visible()
    sign_in(page, stage, "ada", "data")
    request = page.locator("[data-request]")
    request.get_by_role("button", name="Erase").click()
    expect(page.get_by_text("Erase all calls of ann for good?")).to_be_visible()
    assert axe_violations(page) == []
    request.get_by_role("button", name="Erase for good").click()
    expect(page.get_by_text("certificate er_")).to_be_visible()
    assert stage.calls.journal.calls() == []
    assert [e.action for e in stage.access.audit.entries(limit=9)].count("erase_on_request") == 1


def test_my_data_without_calls_and_a_request_that_is_declined_without_a_mouse(
    stage: Stage, page: Page
) -> None:
    people = stage.access.accounts
    people.add("ann", Role.AGENT, PASSWORD)
    people.add("ada", Role.ADMIN, PASSWORD)
    sign_in(page, stage, "ann", "data")
    row = page.locator("dt", has_text=re.compile("^Calls$")).locator("+ dd")
    expect(row).to_have_text("None")
    expect(page.get_by_role("button", name="Ask to erase my calls")).to_be_disabled()
    expect(page.get_by_text("Whether you muted cues")).to_be_visible()
    past_calls(stage, 1)
    page.reload()
    expect(row).to_contain_text("1 call")
    tab_to(page, "Ask to erase my calls")
    page.keyboard.press("Enter")
    tab_to(page, "Yes, ask")
    page.keyboard.press("Enter")
    expect(page.get_by_text("waiting for a decision")).to_be_visible()
    tab_to(page, "Sign out")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Password")).to_be_visible()
    sign_in(page, stage, "ada", "data")
    expect(page.locator("[data-request]")).to_be_visible()
    tab_to(page, "Decline")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nobody waits for a decision.")).to_be_visible()
    expect(page.get_by_text("declined")).to_be_visible()
    assert len(stage.calls.journal.calls()) == 1


# --------------------------------------------------------------------------- all three


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_is_wider_than_a_narrow_window(
    stage: Stage, browser: Browser, scheme: str
) -> None:
    page, complaints = new_page(
        browser,
        viewport={"width": 1280, "height": 860},
        color_scheme=scheme,
        reduced_motion="reduce",
    )
    past_calls(stage, 20)
    page.goto(stage.address("trends"))
    expect(page.get_by_role("region", name="Figures")).to_be_visible(timeout=SLOW_MS)
    assert axe_violations(page) == []
    screens = [("rules", "[data-rule]"), ("data", "section"), ("trends", "section")]
    for screen, ready in screens:
        go(page, stage, screen)
        page.locator(ready).first.wait_for(timeout=SLOW_MS)
        if screen == "rules":
            page.get_by_role("button", name="Change").first.click()
            page.get_by_label("Switched on").click()
            expect(page.get_by_text("1 rule changed, not saved")).to_be_visible()
        if screen == "data":
            page.get_by_role("button", name="Ask to erase my calls").click()
        assert axe_violations(page) == [], screen
        page.set_viewport_size({"width": 360, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, screen
        assert axe_violations(page) == [], f"{screen} at 360 px"
        page.set_viewport_size({"width": 1280, "height": 860})
    page.context.close()
    assert complaints == []


def test_a_hostile_name_is_text(stage: Stage, page: Page) -> None:
    name = "<img src=x onerror=window.pwned=1>\u202eevil"
    past_calls(stage, 2, "upset", name)
    page.goto(stage.address("trends"))
    expect(page.get_by_label("Whose").locator("option").last).to_have_text(name)
    go(page, stage, "rules")
    page.locator("[data-rule=escalation_ask]").get_by_role("button", name="Change").click()
    page.get_by_label("Switched on").uncheck()
    page.get_by_role("button", name="Try on past calls").click()
    expect(page.get_by_role("link", name="<img src=x").first).to_be_visible(timeout=SLOW_MS)
    for screen, part in (("calls", "tbody tr"), ("data", "section"), ("gallery", "hl-alerts")):
        go(page, stage, screen)
        expect(page.locator(part).first).to_be_visible()
        assert page.evaluate("window.pwned") is None, screen
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), screen
    assert page.evaluate("window.pwned") is None
