"""Signing in by name and password, in a real browser: each sees what is theirs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from server.people.roles import Role
from tests.e2e.browser import NEEDS_CHROMIUM, axe_violations, new_page
from tests.e2e.stage import Stage
from tests.e2e.steps import PASSWORD, WAS_SIGNED_IN, sign_in
from tests.server.live import until

pytestmark = [pytest.mark.e2e, NEEDS_CHROMIUM]


@pytest.fixture
def stage(stage: Stage) -> Stage:
    people = stage.access.accounts
    people.add("ann", Role.AGENT, PASSWORD)
    people.add("sue", Role.SUPERVISOR, PASSWORD, teams=["billing"])
    for name in ("ann", "bob"):
        stage.begin("calm", 30, call_id=f"of-{name}", agent=name, team="billing")
    return stage


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened, complaints = new_page(browser, viewport={"width": 1100, "height": 760})
    opened.add_init_script(WAS_SIGNED_IN)
    yield opened
    opened.context.close()
    # A browser writes a refused password to its console by itself.
    refused = ("/v1/sign-in", "401 (Unauthorized)")
    assert [c for c in complaints if not any(part in c for part in refused)] == []


def test_a_wrong_password_is_said_and_the_right_one_lets_in(stage: Stage, page: Page) -> None:
    sign_in(page, stage, "ann", password="something else altogether")
    expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
    assert axe_violations(page) == []
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def test_an_agent_is_offered_their_own_calls_and_no_wall(stage: Stage, page: Page) -> None:
    sign_in(page, stage, "ann")
    expect(page.get_by_role("row", name="ann")).to_be_visible()
    expect(page.get_by_role("row", name="bob")).to_have_count(0)
    expect(page.get_by_role("link", name="My call")).to_be_visible()
    expect(page.get_by_role("link", name="Live calls")).to_have_count(0)


def test_a_supervisor_sees_the_team_on_the_wall_and_signs_out(stage: Stage, page: Page) -> None:
    sign_in(page, stage, "sue")
    page.get_by_role("link", name="Live calls").click()
    for agent in ("ann", "bob"):
        expect(page.get_by_role("link", name=f"Open the call of {agent}")).to_be_visible()
    expect(page.get_by_role("link", name="My call")).to_have_count(0)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in to Heartline")).to_be_visible()


def test_the_first_sign_in_leads_to_why_and_how_and_the_call_is_heard_from_its_moments(
    stage: Stage, browser: Browser
) -> None:
    page, problems = new_page(browser, viewport={"width": 1100, "height": 760})
    sign_in(page, stage, "ann")
    expect(page.get_by_role("heading", name="Why and how")).to_be_visible()
    problems.clear()  # a page that nobody has signed in to yet is told so
    assert axe_violations(page) == []
    page.get_by_role("link", name="0:34").first.click()
    until(lambda: page.evaluate("document.querySelector('audio').currentTime") > 34)
    page.get_by_role("link", name="Let them finish").first.click()
    assert page.url.endswith("#cue-talk_over")
    page.get_by_role("link", name="To Heartline").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    assert problems == []
    page.context.close()
