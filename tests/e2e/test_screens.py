"""Every screen and every state, in a real browser against a real server."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from conversation.events import AudioGap, Channel
from reports.build import build_report
from reports.html import render_html
from tests.e2e.browser import NEEDS_CHROMIUM, axe_violations, new_page
from tests.e2e.stage import Stage, staged_server
from tests.e2e.steps import FOCUSED, go, tab_to
from tests.golden.files import events_of

pytestmark = [pytest.mark.e2e, NEEDS_CHROMIUM]

PLACES = """[...document.querySelector("heartline-app").shadowRoot.querySelector("hl-panel")
  .shadowRoot.querySelectorAll("hl-cue-slot, .floor, hl-gauges, hl-transcript, hl-checklist")]
  .map((part) => JSON.stringify(part.getBoundingClientRect()))"""


def requests_of(page: Page) -> list[str]:
    """Collect what a page asks for from now on."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    return asked


def test_the_life_of_a_cue_moves_nothing_else(stage: Stage, page: Page) -> None:
    stage.begin("upset", 20)
    page.goto(stage.address())
    expect(page.get_by_text("Listening")).to_be_visible()
    idle = page.evaluate(PLACES)
    stage.go_on("upset", 20, 24)
    cue = page.get_by_test_id("cue")
    expect(cue).to_have_attribute("data-rule", "talk_over")
    expect(cue).to_contain_text("They were mid-sentence")
    assert page.evaluate(PLACES) == idle
    fade = cue.evaluate("e => getComputedStyle(e).animationDuration")
    assert 0 < float(fade.removesuffix("s")) <= 0.15
    assert cue.locator(".say").evaluate("e => parseFloat(getComputedStyle(e).fontSize)") >= 28
    stage.go_on("upset", 24, 28)
    expect(page.get_by_test_id("resolved")).to_contain_text("They finished")
    expect(page.get_by_test_id("resolved")).to_have_count(0, timeout=1_500)
    assert page.evaluate(PLACES) == idle
    page.emulate_media(reduced_motion="reduce")
    stage.go_on("upset", 28, 36)
    expect(cue).to_have_attribute("data-rule", "customer_upset")
    assert cue.evaluate("e => getComputedStyle(e).animationName") == "none"
    stage.go_on("upset", 36, 73)
    stage.end("upset")
    expect(page.get_by_test_id("report")).to_be_visible()


def test_the_checklist_ticks_itself_and_shows_the_words(stage: Stage, page: Page) -> None:
    stage.begin("upset", 36)
    page.goto(stage.address())
    state = page.locator("[data-check=acknowledged]")
    expect(state).to_have_attribute("data-state", "due")
    expect(page.locator("[data-check=closed]")).to_have_attribute("data-state", "open")
    stage.go_on("upset", 36, 45)
    expect(state).to_have_attribute("data-state", "done")
    state.hover()
    expect(state.locator(".quote")).to_be_visible()
    expect(state.locator(".quote")).to_contain_text("I'm sorry")


def test_gauges_are_grey_until_they_are_known(stage: Stage, page: Page) -> None:
    stage.begin("upset", 4)
    page.goto(stage.address())
    pace = page.locator("[data-gauge=pace]")
    expect(pace).to_contain_text("–")
    expect(pace).to_have_class("card gauge unknown")
    stage.go_on("upset", 4, 16)
    expect(pace).to_contain_text("152")
    expect(pace).to_contain_text("usual 120–180")


def test_the_agent_needs_no_mouse(stage: Stage, page: Page) -> None:
    stage.begin("upset", 58)
    page.goto(stage.address())
    expect(page.get_by_test_id("connection")).to_have_text("Live")
    before = len(stage.calls.journal.events("upset"))
    page.keyboard.press("h")
    expect(page.get_by_role("button", name="Lower hand")).to_be_visible()
    page.keyboard.press("p")
    expect(page.get_by_text("Capture is paused")).to_be_visible()
    page.keyboard.press("p")
    expect(page.get_by_text("Capture is paused")).to_have_count(0)
    page.keyboard.press("m")
    expect(page.get_by_text("Cues are muted")).to_be_visible()
    page.keyboard.press("m")
    page.keyboard.press("q")
    expect(page.get_by_role("button", name="Quiet mode")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("q")
    tab_to(page, "Edit")
    page.keyboard.press("Enter")
    tab_to(page, "What", "Shift+Tab")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("Ring about the bill, p")
    tab_to(page, "By when")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Ring about the bill, p")).to_be_visible()
    said = [type(e).__name__ for e in stage.calls.journal.events("upset")[before:]]
    assert said == ["HandRaised", "CapturePaused", "CaptureResumed", "PromiseReviewed"]


def test_feedback_goes_out_with_every_key_and_button(stage: Stage, page: Page) -> None:
    stage.begin("upset", 24)
    page.goto(stage.address())
    expect(page.get_by_test_id("cue")).to_be_visible()
    for key in "udjsS":
        page.keyboard.press(key)
    page.get_by_text("Shortcut keys").click()
    page.keyboard.press("u")
    names = ("Helpful", "Not helpful", "I had to", "Snooze 5 min", "Snooze this call", "Dismiss")
    for name in names:
        page.get_by_role("button", name=name, exact=True).click()
    expect(page.get_by_test_id("cue")).to_have_count(0)
    verdicts = [
        e.verdict  # type: ignore[attr-defined]
        for e in stage.calls.journal.events("upset")
        if type(e).__name__ == "CueFeedback"
    ]
    every = ["up", "down", "justified", "snooze_5min", "snooze_call"]
    assert verdicts == [*every, *every, "dismiss"]


def test_the_panel_says_what_it_does_not_know(stage: Stage, page: Page) -> None:
    stage.begin("trouble", 40)
    page.goto(stage.address())
    expect(page.get_by_text("On hold", exact=True)).to_be_visible()
    stage.go_on("trouble", 40, 134.2)
    expect(page.get_by_text("No audio from the customer for 7 s")).to_be_visible()
    stage.go_on("trouble", 134.2, 151)
    expect(page.get_by_test_id("cue")).to_have_attribute("data-rule", "vulnerable")
    expect(page.get_by_text("No audio from the customer")).to_have_count(0)
    stage.go_on("trouble", 151, 157)
    expect(page.get_by_text("Overloaded: transcript paused, timing cues on")).to_be_visible()
    expect(page.get_by_text("No audio is arriving for")).to_be_visible(timeout=6_000)
    gap = AudioGap(
        at_ms=159_000, channel=Channel.AGENT, begin_ms=158_000, end_ms=159_000, reason="loss"
    )
    stage.tell("trouble", gap)
    expect(page.get_by_text("No audio is arriving for")).to_have_count(0)


def test_a_lost_connection_is_said_and_the_state_comes_back_whole(
    tmp_path: Path, page: Page
) -> None:
    with staged_server(tmp_path / "a.db") as stage:
        stage.begin("upset", 24)
        page.goto(stage.address())
        expect(page.get_by_test_id("cue")).to_be_visible()
        page.context.set_offline(True)
        for feed in stage.calls.running["upset"].live._feeds.values():
            for subscriber in feed.subscribers:
                subscriber.overrun = True
        stage.go_on("upset", 24, 25)
        expect(page.get_by_text("Connection lost")).to_be_visible(timeout=5_000)
        stage.go_on("upset", 25, 60)
        page.context.set_offline(False)
        expect(page.get_by_test_id("connection")).to_have_text("Live", timeout=10_000)
        expect(page.get_by_test_id("nudge")).to_contain_text("I can join whenever you like")
        expect(page.get_by_test_id("transcript")).to_contain_text("you were promised the old price")
        page.goto("about:blank")


def test_the_transcript_stops_scrolling_when_its_reader_scrolls(stage: Stage, page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    stage.begin("upset", 50)
    page.goto(stage.address())
    words = page.get_by_test_id("transcript")
    expect(words).to_contain_text("speak to a manager")
    assert words.evaluate("e => e.scrollTop + e.clientHeight >= e.scrollHeight - 2")
    words.evaluate("e => { e.scrollTop = 0 }")
    expect(page.get_by_role("button", name="Back to now")).to_be_visible()
    stage.go_on("upset", 50, 66)
    expect(words).to_contain_text("That sorts it")
    assert words.evaluate("e => e.scrollTop") == 0
    page.get_by_role("button", name="Back to now").click()
    expect(page.get_by_role("button", name="Back to now")).to_have_count(0)
    assert words.evaluate("e => e.scrollTop + e.clientHeight >= e.scrollHeight - 2")


def wall_of_twenty(stage: Stage) -> None:
    stage.begin("trouble", 152, "c-now", "Mateo Ruiz")
    stage.begin("upset", 54, "c-soon", "Dana Whitfield")
    for n in range(18):
        stage.begin("calm", 8 + n % 10, f"c-{n}", f"Agent {n}")


def test_the_wall_puts_need_first_and_moves_only_when_a_need_changes(
    stage: Stage, page: Page
) -> None:
    wall_of_twenty(stage)
    page.goto(stage.address("wall"))
    expect(page.get_by_test_id("wall-count")).to_have_text("20 live · 2 need someone")
    assert page.title() == "(2) Heartline"
    place = "e => e.closest('.item').dataset.index"
    card = page.locator("[data-call=c-3]")
    assert page.locator("[data-call=c-now]").evaluate(place) == "0"
    assert page.locator("[data-call=c-soon]").evaluate(place) == "1"
    before = card.evaluate(place)
    stage.go_on("calm", 11, 17.9, "c-3")
    expect(card).to_contain_text("Lovely, thanks.")
    assert card.evaluate(place) == before
    stage.go_on("trouble", 100, 119, "c-3")
    expect(card).to_contain_text("Agent asks for help", timeout=3_000)
    assert int(card.evaluate(place)) <= 1
    stage.end("c-3")
    expect(page.get_by_test_id("wall-count")).to_have_text("19 live · 2 need someone")


def test_the_wall_is_filtered_searched_and_walked_with_keys(stage: Stage, page: Page) -> None:
    wall_of_twenty(stage)
    page.goto(stage.address("wall"))
    cards = page.locator("[data-call]")
    expect(cards.first).to_be_visible()
    page.keyboard.press("n")
    expect(cards).to_have_count(2)
    page.keyboard.press("n")
    page.keyboard.press("/")
    page.keyboard.type("husband")
    expect(cards).to_have_count(1)
    page.get_by_role("searchbox").fill("")
    page.get_by_label("Reason", exact=True).select_option("raised_voice")
    expect(cards).to_have_count(1)
    page.get_by_label("Reason", exact=True).select_option("")
    page.get_by_label("Duration").select_option("5")
    expect(page.get_by_text("No call matches these filters")).to_be_visible()
    page.get_by_label("Duration").select_option("0")
    page.get_by_role("heading", name="Live calls").click()
    page.keyboard.press("v")
    expect(page.get_by_role("table")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(FOCUSED) == "Open the call of Dana Whitfield"
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Dana Whitfield")).to_be_visible()


def test_alerts_are_taken_acknowledged_and_muted(stage: Stage, page: Page) -> None:
    wall_of_twenty(stage)
    page.goto(stage.address("wall"))
    vulnerable = page.locator("[data-alert=sup_vulnerable]")
    expect(vulnerable).to_contain_text("Safeguarding procedure")
    vulnerable.get_by_role("button", name="Take it").click()
    expect(vulnerable).to_contain_text("Taken", timeout=3_000)
    expect(page).to_have_title("(1) Heartline")
    escalation = page.locator("[data-alert=sup_escalation]")
    escalation.get_by_role("button", name="Mute rule").click()
    expect(escalation).to_have_count(0)
    page.get_by_role("button", name="Unmute").click()
    escalation.get_by_role("button", name="Acknowledge").click()
    expect(escalation).to_contain_text("Acknowledged", timeout=3_000)
    expect(page).to_have_title("Heartline", timeout=3_000)


def test_a_supervisor_watches_and_nudges_and_the_agent_sees_both(
    stage: Stage, page: Page, browser: Browser
) -> None:
    stage.begin("upset", 45)
    page.goto(stage.address())
    expect(page.get_by_test_id("connection")).to_have_text("Live")
    other = page.context.new_page()
    go(other, stage, "call/upset")
    expect(other.get_by_text("Frustration in words")).to_be_visible()
    expect(page.get_by_test_id("watchers")).to_have_text("A supervisor is watching this call")
    field = other.get_by_role("textbox", name="Nudge")
    field.fill("Offer to bring me in, and thank her for her patience with all of this")
    assert len(field.input_value()) == 60
    field.press("Enter")
    expect(other.get_by_text("✓ Sent")).to_be_visible()
    nudge = page.get_by_test_id("nudge")
    expect(nudge).to_contain_text("Offer to bring me in")
    expect(nudge).to_contain_text("From your supervisor")
    page.keyboard.press("x")
    expect(nudge).to_have_count(0)
    other.close()
    expect(page.get_by_test_id("watchers")).to_have_count(0)


def test_past_calls_are_found_replayed_and_reported(stage: Stage, page: Page) -> None:
    stage.begin("upset", 73)
    stage.end("upset")
    stage.begin("calm", 9)
    page.goto(stage.address("calls"))
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_label("State").select_option("over")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Replay: Dana Whitfield").click()
    expect(page.get_by_test_id("connection")).to_have_text("Replay")
    page.get_by_label("Position").fill("24000")
    expect(page.get_by_test_id("cue")).to_contain_text("Let them finish")
    page.get_by_role("button", name="Pause").click()
    go(page, stage, "calls")
    page.get_by_role("link", name="Report: Dana Whitfield").click()
    expect(page.get_by_role("heading", name="Call report")).to_be_visible()
    page.get_by_role("button", name="Was needed").click()
    expect(page.get_by_text("Disputed: Was needed")).to_be_visible()
    assert axe_violations(page) == []
    page.get_by_role("button", name="Withdraw").click()
    expect(page.get_by_text("Disputed: Was needed")).to_have_count(0)


def test_the_rules_say_why(stage: Stage, page: Page) -> None:
    page.goto(stage.address("rules"))
    rule = page.locator("[data-rule=talk_over]")
    expect(rule).to_contain_text("Let them finish")
    expect(rule).to_contain_text("People who are cut off repeat themselves")
    rule.get_by_text("When").click()
    expect(rule).to_contain_text("overlap.by == agent")
    assert axe_violations(page) == []


def test_hostile_text_is_text_on_every_screen(stage: Stage, page: Page) -> None:
    stage.begin("hostile", 24)
    page.goto(stage.address())
    words = page.get_by_test_id("transcript")
    expect(words).to_contain_text("<script>window.pwned=1</script><img src=x")
    expect(words).to_contain_text("x" * 10_000)
    turned = page.locator("hl-transcript p", has_text="txet desrever")
    expect(turned).to_contain_text("abc \u202etxet desrever\u202c")
    assert turned.evaluate("e => getComputedStyle(e).unicodeBidi") == "isolate"
    expect(page.get_by_test_id("nudge")).to_contain_text("<script>window.pwned=1</script>")
    wide = "document.documentElement.scrollWidth <= innerWidth"
    assert page.evaluate(wide)
    for screen in ("wall", "call/hostile"):
        go(page, stage, screen)
        expect(page.get_by_text("<a href=javascript:alert(1)>click</a>").first).to_be_visible()
        assert page.evaluate(wide)
    go(page, stage, "wall")
    expect(page.get_by_role("listitem").first).to_contain_text("<b>Eve</b>")
    page.keyboard.press("v")
    expect(page.get_by_role("table")).to_contain_text("<a href=javascript:alert(1)>click</a>")
    assert page.evaluate(wide)
    stage.end("hostile")
    go(page, stage, "calls")
    expect(page.locator("tbody tr")).to_contain_text("<b>Eve</b>")
    go(page, stage, "replay/hostile")
    page.get_by_label("Position").fill("14000")
    expect(page.locator("hl-promises")).to_contain_text("<img src=x onerror=window.pwned=1>")
    assert page.evaluate(wide)
    page.goto(f"http://127.0.0.1:{stage.port}/v1/calls/hostile/report.html")
    expect(page.locator("#transcript")).to_contain_text("<img src=x onerror=window.pwned=1>")
    assert page.evaluate("window.pwned") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_screen(stage: Stage, browser: Browser, scheme: str) -> None:
    page, complaints = new_page(
        browser,
        viewport={"width": 1280, "height": 860},
        color_scheme=scheme,
        reduced_motion="reduce",
    )
    stage.begin("trouble", 152)
    stage.begin("upset", 60)
    page.goto(stage.address())
    expect(page.get_by_test_id("connection")).to_have_text("Live")
    assert axe_violations(page) == []
    stage.past("done", events_of("upset"), "Dana Whitfield")
    screens = [
        ("wall", "[data-call=trouble]"),
        ("call/upset", "hl-transcript"),
        ("calls", "tbody tr"),
        ("replay/done", "hl-transcript"),
    ]
    for screen, ready in screens:
        go(page, stage, screen)
        expect(page.locator(ready).first).to_be_visible()
        assert axe_violations(page) == [], screen
    page.set_viewport_size({"width": 360, "height": 800})
    for screen in ("", "wall", "calls", "replay/done"):
        go(page, stage, screen)
        expect(page.locator("main h1").first).to_be_attached()
        assert axe_violations(page) == [], f"{screen} at 360 px"
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.context.close()
    assert complaints == []


def test_the_policy_has_no_unsafe_inline_and_nothing_leaves_the_server(
    stage: Stage, page: Page
) -> None:
    asked = requests_of(page)
    stage.begin("upset", 24)
    answer = page.goto(stage.address())
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    expect(page.get_by_test_id("cue")).to_be_visible()
    assert all(url.startswith(f"http://127.0.0.1:{stage.port}/") for url in asked)


def test_a_report_on_disk_asks_for_nothing_and_reads_without_scripts(
    tmp_path: Path, browser: Browser
) -> None:
    path = tmp_path / "report.html"
    path.write_text(render_html(build_report(events_of("upset"))), "utf-8")
    for scripts in (True, False):
        page, complaints = new_page(browser, java_script_enabled=scripts)
        asked = requests_of(page)
        page.goto(path.as_uri())
        expect(page.get_by_role("heading", name="Interruptions", exact=True)).to_be_visible()
        expect(page.locator("#transcript")).to_contain_text("nobody ever listens")
        picture = page.locator(".scroll svg").first
        before = picture.bounding_box()
        page.get_by_text("4×").click()
        after = picture.bounding_box()
        assert before is not None
        assert after is not None
        assert after["width"] > 3.5 * before["width"]
        assert asked == [path.as_uri()]
        assert complaints == []
        if scripts:
            assert axe_violations(page) == []
        page.context.close()


def test_a_report_plays_along_with_a_recording_from_the_readers_disk(
    tmp_path: Path, page: Page
) -> None:
    events = events_of("upset")
    report = build_report(events)
    path, recording = tmp_path / "report.html", tmp_path / "call.wav"
    path.write_text(render_html(report), "utf-8")
    with wave.open(str(recording), "wb") as silence:
        silence.setparams((1, 1, 8_000, 0, "NONE", ""))
        silence.writeframes(b"\x80" * (8 * report.call.duration_ms))
    asked = requests_of(page)
    page.goto(path.as_uri())
    page.get_by_label("Play along with a recording").set_input_files(recording)
    expect(page.get_by_text("Stays on this computer.")).to_be_visible()
    event = report.interruptions.events[0]
    page.locator(f"#{event.id} h3 a").click()
    began_s = event.begin_ms / 1000
    expect(page.locator(".transcript li.playing").first).to_be_attached(timeout=20_000)
    heard_s = page.evaluate("document.querySelector('audio').currentTime")
    assert began_s - 1.6 < heard_s < began_s + 5
    expect(page.locator(".playhead")).to_be_attached()
    assert axe_violations(page) == []
    other = tmp_path / "other.wav"
    with wave.open(str(other), "wb") as silence:
        silence.setparams((1, 1, 8_000, 0, "NONE", ""))
        silence.writeframes(b"\x80" * 8_000)
    page.get_by_label("Play along with a recording").set_input_files(other)
    expect(page.get_by_text("not as long as the call")).to_be_visible()
    assert [url for url in asked if not url.startswith(("file:", "blob:"))] == []
