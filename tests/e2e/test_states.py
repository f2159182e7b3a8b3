"""The smaller states of the screens: each thing that the design names is reached and looked at."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from conversation.events import (
    ChannelQuality,
    PromiseMade,
    RecognitionChanged,
    SpeechStarted,
)
from reports.build import build_report
from reports.html import render_html
from tests.e2e.browser import NEEDS_CHROMIUM, axe_violations, new_page
from tests.e2e.stage import Stage, staged_server
from tests.e2e.steps import tab_to
from tests.golden.files import events_of
from tests.golden.script import A, C

pytestmark = [pytest.mark.e2e, NEEDS_CHROMIUM]

NO_SOUND = """window.sounds = 0;
for (const name of ["AudioContext", "Audio"]) {
  const Native = window[name];
  window[name] = class extends Native { constructor(...a) { super(...a); window.sounds += 1; } };
}"""
TOO_WIDE = """(selector) => [...document.querySelectorAll(selector)]
  .filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.outerHTML.slice(0, 120))"""


# --------------------------------------------------------------------------- the agent's panel


def test_the_idle_slot_says_whose_turn_it_is_and_the_panel_is_silent(
    stage: Stage, page: Page
) -> None:
    page.add_init_script(NO_SOUND)
    page.goto(stage.address())
    expect(page.get_by_test_id("connection")).to_have_text("Ready")
    for name in ("Raise hand", "Pause capture"):
        expect(page.get_by_role("button", name=name)).to_be_disabled()
    assert axe_violations(page) == []
    stage.begin("upset", 2)
    expect(page.get_by_text("You are speaking")).to_be_visible()
    stage.go_on("upset", 2, 4.6)
    expect(page.get_by_text("Nobody is speaking")).to_be_visible()
    stage.go_on("upset", 4.6, 8)
    expect(page.get_by_text("Customer is speaking")).to_be_visible()
    meter = page.get_by_role("img", name="Audio level, customer: 4 / 5")
    expect(meter.locator(".on")).to_have_count(4)
    expect(page.get_by_role("img", name="Audio level, agent: 0 / 5")).to_be_visible()
    stage.go_on("upset", 8, 22.5)
    expect(page.get_by_text("Both are speaking")).to_be_visible()
    stage.go_on("upset", 22.5, 23)
    expect(page.get_by_test_id("cue")).to_be_visible()
    assert page.evaluate("window.sounds") == 0
    assert page.evaluate("document.querySelectorAll('audio, video').length") == 0


def test_a_cue_whose_time_is_up_leaves_without_a_tick(stage: Stage, page: Page) -> None:
    stage.begin("trouble", 137)
    page.goto(stage.address())
    cue = page.get_by_test_id("cue")
    expect(cue).to_have_attribute("data-rule", "dead_air")
    expect(cue).to_contain_text("Nobody has spoken for 8 s")
    stage.go_on("trouble", 137, 144.5)
    expect(page.get_by_text("Listening")).to_be_visible()
    expect(page.get_by_test_id("resolved")).to_have_count(0)


def test_muted_and_quiet_keep_what_must_be_seen(stage: Stage, page: Page) -> None:
    stage.begin("trouble", 137)
    page.goto(stage.address())
    cue, live = page.get_by_test_id("cue"), page.locator("hl-cue-slot .words")
    expect(cue).to_be_visible()
    expect(live).to_have_attribute("aria-live", "polite")
    page.keyboard.press("m")
    expect(cue).to_have_count(0)
    expect(page.get_by_text("Nobody else sees this.")).to_be_visible()
    stage.go_on("trouble", 137, 151)
    expect(cue).to_have_attribute("data-rule", "vulnerable")
    expect(live).to_have_attribute("aria-live", "polite")
    page.keyboard.press("q")
    expect(live).to_have_attribute("aria-live", "off")
    assert cue.evaluate("e => getComputedStyle(e).animationName") == "none"
    names = [type(e).__name__ for e in stage.calls.journal.events("trouble")]
    assert not any("mute" in name.lower() or "quiet" in name.lower() for name in names)


def test_words_are_stable_or_tentative_marked_and_redacted(stage: Stage, page: Page) -> None:
    stage.begin("upset", 24)
    page.goto(stage.address())
    said = page.locator(".line.customer").last
    expect(said).to_contain_text("nobody ever listens, I was told")
    tail = said.locator(".tail")
    expect(tail).to_have_text("was told")
    colour = "e => getComputedStyle(e).color"
    assert tail.evaluate(colour) != said.locator("p").evaluate(colour)
    hidden = said.get_by_role("img", name="Hidden: account")
    expect(hidden).to_have_text("▒▒▒▒")
    chips = page.locator("hl-transcript .line").nth(1).locator(".chip")
    expect(chips).to_have_text(["problem", "called before"])


def test_promises_are_confirmed_edited_and_dropped(stage: Stage, page: Page) -> None:
    stage.begin("upset", 58)
    page.goto(stage.address())
    first = page.locator("[data-promise=p1]")
    expect(first).to_contain_text("tomorrow, four o'clock")
    expect(first).to_contain_text("heard")
    first.get_by_role("button", name="Confirm").click()
    expect(first).to_contain_text("confirmed")
    expect(first.get_by_role("button")).to_have_count(0)
    other = PromiseMade(
        at_ms=58_500, id="p2", text="", what="Send the form", due=None, confidence=0.8,
        start_ms=57_000,
    )  # fmt: skip
    stage.tell("upset", other)
    second = page.locator("[data-promise=p2]")
    expect(second).to_contain_text("no time yet")
    second.get_by_role("button", name="Edit").click()
    page.get_by_label("By when").fill("2026-01-07T16:00")
    page.get_by_role("button", name="Cancel").click()
    expect(second).to_contain_text("no time yet")
    second.get_by_role("button", name="Not a promise").click()
    expect(second).to_have_count(0)
    verdicts = [
        e.verdict  # type: ignore[attr-defined]
        for e in stage.calls.journal.events("upset")
        if type(e).__name__ == "PromiseReviewed"
    ]
    assert verdicts == ["confirmed", "rejected"]


def test_a_figure_outside_its_usual_range_says_so_in_a_shape_and_a_word(
    stage: Stage, page: Page
) -> None:
    stage.begin("trouble", 150)
    page.goto(stage.address())
    for name, range_ in (
        ("share", "above usual, usual 35–65 %"),
        ("pace", "above usual, usual 120–180 words/min"),
    ):
        gauge = page.locator(f"[data-gauge={name}] .range")
        expect(gauge).to_have_text(range_)
        expect(gauge.locator("svg")).to_be_visible()
    expect(page.locator("[data-gauge=interruptions] .range")).to_have_text("usual 0–2")
    expect(page.locator("[data-gauge=silence] .range")).to_have_text("usual 0–8 s")


def test_late_words_leaks_and_a_lost_recogniser_are_said(stage: Stage, page: Page) -> None:
    stage.begin("calm", 3.9)
    page.goto(stage.address())
    expect(page.get_by_text("Listening")).to_be_visible()
    stage.tell("calm", SpeechStarted(at_ms=4_300, channel=C, start_ms=4_100), position_ms=7_400)
    expect(page.get_by_text("Transcript 3 s behind")).to_be_visible()
    stage.tell("calm", RecognitionChanged(at_ms=7_500, level=3, available=False))
    expect(page.get_by_text("No words now: the recogniser cannot be had")).to_be_visible()
    expect(page.get_by_text("Transcript 3 s behind")).to_have_count(0)
    stage.tell("calm", RecognitionChanged(at_ms=7_600, level=0))
    stage.tell("calm", ChannelQuality(at_ms=7_700, channel=A, bleed_grade="C"))
    expect(page.get_by_text("nobody is said to interrupt")).to_be_visible()
    assert axe_violations(page) == []


def test_card_data_pauses_capture_with_a_banner_and_a_notice(stage: Stage, page: Page) -> None:
    stage.begin("trouble", 11)
    page.goto(stage.address())
    expect(page.get_by_role("alert")).to_contain_text("Nothing is heard or kept until you resume")
    expect(page.get_by_text("Recording masked: card data")).to_be_visible()
    assert axe_violations(page) == []
    stage.go_on("trouble", 11, 16.5)
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_text("Recording masked: card data")).to_have_count(0)


def test_a_strip_of_360_pixels_holds_the_longest_cue_and_every_control(
    stage: Stage, page: Page
) -> None:
    page.set_viewport_size({"width": 360, "height": 780})
    stage.begin("trouble", 151)
    page.goto(stage.address())
    say = page.get_by_test_id("cue").locator(".say")
    expect(say).to_have_text("Slow down: safeguarding steps")
    assert say.evaluate("e => parseFloat(getComputedStyle(e).fontSize)") >= 28
    slot = page.locator("hl-cue-slot").bounding_box()
    assert slot is not None
    for part in (say, page.locator("hl-cue-slot .why"), *page.locator("[data-verdict]").all()):
        box = part.bounding_box()
        assert box is not None
        assert box["x"] >= slot["x"]
        assert box["x"] + box["width"] <= slot["x"] + slot["width"]
        assert box["y"] >= slot["y"]
        assert box["y"] + box["height"] <= slot["y"] + slot["height"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_replay_is_played_stopped_and_searched_with_the_keyboard(
    stage: Stage, page: Page
) -> None:
    stage.past("done", events_of("upset"))
    page.goto(stage.address("replay/done"))
    expect(page.get_by_test_id("connection")).to_have_text("Replay")
    assert axe_violations(page) == []
    tab_to(page, "Pause")
    page.keyboard.press("Enter")
    tab_to(page, "Position")
    page.keyboard.press("Home")
    for _ in range(24):
        page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("cue")).to_contain_text("Let them finish")
    page.keyboard.press("End")
    expect(page.get_by_text("The call is over")).to_be_visible()
    page.get_by_label("Speed").select_option("16")
    tab_to(page, "Play", "Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The call is over")).to_have_count(0)
    expect(page.get_by_text("The call is over")).to_be_visible(timeout=15_000)


# --------------------------------------------------------------------------- the wall, one call


def test_a_quiet_wall_says_so_and_an_empty_one_waits(stage: Stage, page: Page) -> None:
    page.goto(stage.address("wall"))
    expect(page.get_by_text("No live calls")).to_be_visible()
    expect(page.get_by_text("No open alerts")).to_be_visible()
    assert axe_violations(page) == []
    for n in range(3):
        stage.begin("calm", 8 + n, f"c-{n}", f"Agent {n}")
    expect(page.get_by_test_id("wall-count")).to_have_text("3 live · all quiet")
    card = page.locator("[data-call=c-0]")
    expect(card).to_contain_text("All quiet")
    expect(card).to_contain_text("up to date")
    expect(card).to_contain_text(re.compile(r"no update for \d s"), timeout=8_000)
    expect(page).to_have_title("Heartline")


def test_a_card_says_what_the_call_needs_and_nothing_of_the_agents_habits(
    stage: Stage, page: Page
) -> None:
    stage.begin("upset", 24.6, "words", "Rosa Lindqvist")
    stage.begin("upset", 54, "needs", "Dana Whitfield")
    stage.begin("trouble", 12, "paused", "Mateo Ruiz")
    stage.begin("trouble", 30, "held", "Ben Okafor")
    page.goto(stage.address("wall"))
    card = page.locator("[data-call=needs]")
    expect(card.locator(".top")).to_have_text(re.compile(r"Dana Whitfield\s+0:54\s+Soon"))
    expect(card.locator(".why p").first).to_have_text("Asked for a manager, no offer yet 4s ago")
    expect(card.locator(".said")).to_contain_text("I would still like to speak to a manager")
    expect(card.get_by_role("img", name="Who spoke in the last 60 seconds")).to_be_visible()
    expect(card).to_contain_text("cooler")
    expect(card).to_contain_text("1 customer cue")
    # The age of a reason is never what an ellipsis takes away.
    for age in card.locator(".ago").all():
        own, whole = age.bounding_box(), card.bounding_box()
        assert own is not None
        assert whole is not None
        assert own["x"] + own["width"] <= whole["x"] + whole["width"]
    for habit in ("Let them finish", "interrupt", "cut in", "words/min"):
        expect(card).not_to_contain_text(habit)
    expect(
        page.locator("[data-call=words]").get_by_role("img", name="Hidden: account")
    ).to_have_text("▒▒▒▒")
    expect(page.locator("[data-call=paused]")).to_contain_text("Capture is paused")
    expect(page.locator("[data-call=held]")).to_contain_text("On hold")


def test_a_card_moves_gently_and_not_at_all_with_reduced_motion(stage: Stage, page: Page) -> None:
    stage.begin("calm", 8, "c-1")
    page.goto(stage.address("wall"))
    item = page.locator(".item").first
    moves = "e => parseFloat(getComputedStyle(e).transitionDuration)"
    assert 0.1 <= item.evaluate(moves) <= 0.4
    page.emulate_media(reduced_motion="reduce")
    assert item.evaluate(moves) == 0


def test_two_hundred_calls_are_a_few_cards_at_a_time(stage: Stage, page: Page) -> None:
    for n in range(200):
        stage.begin("calm", 6, f"c-{n:03}", f"Agent {n:03}", team=("billing", "sales")[n % 2])
    page.goto(stage.address("wall"))
    expect(page.get_by_test_id("wall-count")).to_have_text("200 live · all quiet")
    cards = page.locator("[data-call]")
    assert cards.count() <= 30
    page.locator(".list").evaluate("e => { e.scrollTop = e.scrollHeight }")
    expect(page.locator(".item[data-index='199']")).to_be_visible()
    assert cards.count() <= 30
    page.get_by_label("Team").select_option("sales")
    page.locator(".list").evaluate("e => { e.scrollTop = 0 }")
    expect(page.locator(".item[data-index='0'] .name")).to_be_visible()
    names = [int(name.removeprefix("Agent ")) for name in page.locator(".name").all_inner_texts()]
    assert names
    assert all(n % 2 for n in names)
    page.get_by_label("Agent", exact=True).select_option("Agent 007")
    expect(cards).to_have_count(1)


def test_a_wall_without_its_server_says_that_it_is_not_current(
    tmp_path: Path, browser: Browser
) -> None:
    page, _ = new_page(browser)
    with staged_server(tmp_path / "a.db") as stage:
        stage.begin("calm", 8)
        page.goto(stage.address("wall"))
        expect(page.get_by_test_id("wall-count")).to_have_text("1 live · all quiet")
    expect(page.get_by_role("alert")).to_contain_text("Connection lost", timeout=8_000)
    page.context.close()


def test_a_supervisor_needs_no_mouse(stage: Stage, page: Page) -> None:
    stage.begin("upset", 54)
    page.goto(stage.address("wall"))
    expect(page.locator("[data-alert=sup_escalation]")).to_be_visible()
    tab_to(page, "Take it")
    page.keyboard.press("Enter")
    expect(page.locator("[data-alert=sup_escalation]")).to_contain_text("Taken", timeout=3_000)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Dana Whitfield")).to_be_visible()
    figures = page.locator("dl")
    expect(figures).to_contain_text("Agent's share of talk46 %")
    expect(figures).to_contain_text("Pace, agent152 words/min")
    tab_to(page, "Nudge")
    page.keyboard.type("I am with you")
    page.keyboard.press("Enter")
    expect(page.get_by_text("✓ Sent")).to_be_visible()
    stage.end("upset")
    expect(page.get_by_test_id("report")).to_be_visible()
    expect(page.get_by_role("textbox", name="Nudge")).to_have_count(0)
    tab_to(page, "Live calls")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No live calls")).to_be_visible()


# --------------------------------------------------------------------------- calls, the report


def test_the_list_of_calls_has_a_word_for_every_state(stage: Stage, browser: Browser) -> None:
    page, _ = new_page(browser, viewport={"width": 1280, "height": 860})
    page.goto(stage.address("calls"))
    expect(page.get_by_text("No calls yet")).to_be_visible()
    stage.past("over-1", events_of("upset"), "Dana Whitfield")
    stage.past("over-2", events_of("calm"), "Ife Adeyemi")
    stage.begin("calm", 9, "now-1", "Ben Okafor")
    live = page.locator("[data-call=now-1]")
    expect(live).to_contain_text("Live", timeout=8_000)
    expect(live.get_by_role("link", name="Watch: Ben Okafor")).to_be_visible()
    assert axe_violations(page) == []
    page.get_by_label("What happened").select_option("successful")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("took the floor")
    page.get_by_label("What happened").select_option("")
    page.get_by_role("searchbox").fill("nobody of that name")
    expect(page.get_by_text("No call matches")).to_be_visible()
    page.get_by_role("searchbox").fill("")
    page.set_viewport_size({"width": 360, "height": 780})
    for link in page.get_by_role("link", name=re.compile("^(Report|Replay|Watch): ")).all():
        expect(link).to_be_visible()
        box = link.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 360, "nothing is found only by scrolling sideways"
    assert axe_violations(page) == []
    page.route("**/v1/calls", lambda route: route.abort())
    expect(page.get_by_role("alert")).to_have_text(
        "The server did not answer. Try again.", timeout=8_000
    )
    page.context.close()


def test_a_coach_reads_disputes_and_withdraws_without_a_mouse(stage: Stage, page: Page) -> None:
    stage.past("done", events_of("upset"), "Dana Whitfield")
    page.goto(stage.address("calls"))
    tab_to(page, "Report: Dana Whitfield")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Call report")).to_be_visible()
    counts = page.locator("#interruptions table").first.locator("tbody tr").first
    expect(counts.locator("td").nth(1)).to_have_text("1")
    tab_to(page, "Not an interruption")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Disputed: Not an interruption. Not in the counts.")).to_be_visible()
    expect(counts.locator("td").nth(1)).to_have_text("0")
    tab_to(page, "Withdraw")
    page.keyboard.press("Enter")
    expect(counts.locator("td").nth(1)).to_have_text("1")


def test_the_timeline_zooms_says_its_words_and_leads_to_them(stage: Stage, page: Page) -> None:
    stage.past("done", events_of("upset"), "Dana Whitfield")
    page.goto(stage.address())
    expect(page.get_by_text("Waiting for a call")).to_be_visible()
    page.goto(f"http://127.0.0.1:{stage.port}/v1/calls/done/report.html")
    picture = page.locator(".scroll svg").first
    width = "e => e.getBoundingClientRect().width"
    before = picture.evaluate(width)
    region = page.get_by_role("region", name="Timeline of the whole call")
    region.focus()
    page.keyboard.press("+")
    assert picture.evaluate(width) == pytest.approx(1.5 * before, rel=0.01)
    page.keyboard.press("-")
    assert picture.evaluate(width) == pytest.approx(before, rel=0.01)
    region.hover()
    page.keyboard.down("Control")
    page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    page.wait_for_function(
        "w => document.querySelector('.scroll svg').getBoundingClientRect().width > 1.2 * w",
        arg=before,
    )
    bar = picture.locator("a:has(.lane-customer)").first
    expect(bar.locator("title")).to_contain_text("My bill went up by forty pounds")
    line = page.locator(f"[id='{(bar.get_attribute('href') or '')[1:]}']")
    expect(line).not_to_be_in_viewport()
    bar.click()
    expect(line).to_be_in_viewport()
    expect(line).to_contain_text("My bill went up by forty pounds")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_report_reads_on_a_narrow_page_and_in_the_dark(
    stage: Stage, browser: Browser, scheme: str
) -> None:
    page, complaints = new_page(
        browser, viewport={"width": 360, "height": 780}, color_scheme=scheme
    )
    stage.past("done", events_of("upset"), "Dana Whitfield")
    stage.past("gaps", events_of("trouble"), "Mateo Ruiz")
    page.goto(stage.address())
    expect(page.get_by_text("Waiting for a call")).to_be_visible()
    for name in ("done", "gaps"):
        page.goto(f"http://127.0.0.1:{stage.port}/v1/calls/{name}/report.html")
        score = page.locator(".score")
        expect(score).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert page.evaluate(TOO_WIDE, "#empathy .wide, .score, .wide") == []
        given = score.locator("tbody tr").first.locator("td")
        first, second = given.nth(0).bounding_box(), given.nth(1).bounding_box()
        assert first is not None
        assert second is not None
        assert second["y"] >= first["y"] + first["height"] - 1, "one below the other"
        expect(given.nth(1)).to_contain_text(re.compile(r"needed \d+, given \d+"))
        assert axe_violations(page) == [], name
    notes = page.locator(".notes")
    expect(notes).to_contain_text("s of audio are missing")
    above = "(a, b) => a.getBoundingClientRect().bottom <= b.getBoundingClientRect().top"
    summary = page.locator(".summary").element_handle()
    assert notes.evaluate(above, summary), "what cannot be trusted is said first"
    page.context.close()
    assert complaints == []


def test_on_paper_there_is_nothing_to_press(tmp_path: Path, page: Page) -> None:
    path = tmp_path / "report.html"
    path.write_text(render_html(build_report(events_of("upset")), served=True), "utf-8")
    page.goto(path.as_uri())
    page.emulate_media(media="print")
    for gone in ("nav", ".home", ".dispute button", ".player", ".timeline > input + label"):
        expect(page.locator(gone).first).to_be_hidden()
    for kept in ("#interruptions", "#empathy .score", "#talk", "#promises", "#transcript"):
        expect(page.locator(kept)).to_be_visible()
    page.set_viewport_size({"width": 680, "height": 900})
    assert page.evaluate(TOO_WIDE, ".wide, .scroll") == []


# --------------------------------------------------------------------------- the design page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_design_page_shows_every_part_and_axe_finds_nothing(
    stage: Stage, browser: Browser, scheme: str
) -> None:
    page, complaints = new_page(
        browser,
        viewport={"width": 1280, "height": 860},
        color_scheme=scheme,
        reduced_motion="reduce",
    )
    page.goto(stage.address("gallery"))
    for part in (
        "hl-cue-slot", "hl-lanes", "hl-gauges", "hl-status", "hl-checklist", "hl-promises",
        "hl-transcript", "hl-alerts", "hl-rule-editor",
    ):  # fmt: skip
        expect(page.locator(part).first).to_be_visible()
    assert axe_violations(page, "landmark-unique") == []
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.context.close()
    assert complaints == []
