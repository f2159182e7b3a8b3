"""Pictures of every screen, for review and for the guides: `make screenshots`.

Each screen is shown light, dark, narrow and as it prints, the report also as a PDF. `--guide`
renews the pictures of `docs/guide`, which are the light ones.
"""

from __future__ import annotations

import argparse
import base64
import random
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
from msgspec.structs import replace
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize

from asr.settings import AsrSettings
from audio.sources import open_recording
from conversation.events import CallStarted, Event
from reports.build import build_report
from reports.html import render_html
from server.analyze import analyze_recording
from server.hearing import Hearing, HearingSettings
from tests.e2e.browser import OUT, new_page, open_browser
from tests.e2e.stage import Stage, staged_server
from tests.golden.files import events_of

GUIDE = Path(__file__).parents[2] / "docs" / "guide"
SAMPLE = Path(__file__).parents[2] / "server" / "sample" / "call.flac"
INTER = (
    Path(__file__).parents[2] / "dashboard" / "node_modules" / "@fontsource-variable" / "inter"
    / "files" / "inter-latin-wght-normal.woff2"
)  # fmt: skip
WIDE: ViewportSize = {"width": 1280, "height": 820}
NARROW: ViewportSize = {"width": 360, "height": 780}
IN_GUIDE = (
    "panel", "panel-nudge", "panel-paused", "panel-narrow", "wall", "wall-table", "call", "calls",
    "report", "report-close-up", "report-scorecard", "panel-dark",
    "trends", "rules-trial", "my-data",
)  # fmt: skip
_MONTH_CALLS = 120
Shot = Callable[[str], None]


@cache
def sample_call() -> list[Event]:
    """Analyse the sample call."""
    with Hearing(HearingSettings(asr=AsrSettings(partials_enabled=False))) as hearing:
        return analyze_recording(
            open_recording(SAMPLE),
            hearing,
            call_id="sample",
            started_at="2026-01-05T09:00:00+00:00",
        )


def shoot_panel(stage: Stage, page: Page, shot: Shot) -> None:
    """Take the agent panel through a call."""
    page.goto(stage.address())
    page.get_by_text("Waiting for a call").wait_for()
    shot("panel-waiting")
    stage.begin("upset", 11.5)
    page.get_by_text("Listening").wait_for()
    stage.go_on("upset", 11.5, 12)
    shot("panel-listening")
    stage.go_on("upset", 12, 24)
    page.get_by_test_id("cue").wait_for()
    shot("panel")
    stage.go_on("upset", 24, 61)
    page.get_by_test_id("nudge").wait_for()
    shot("panel-nudge")
    page.keyboard.press("p")
    page.get_by_text("Capture is paused").wait_for()
    shot("panel-paused")
    page.keyboard.press("p")
    stage.go_on("upset", 61, 73)
    stage.end("upset")
    page.get_by_test_id("report").wait_for()
    shot("panel-over")


def shoot_wall(stage: Stage, page: Page, shot: Shot) -> None:
    """Take the wall of twenty calls, and one of them."""
    names = (
        "Amara Diallo", "Ben Okafor", "Chloe Martin", "Dev Patel", "Elif Kaya", "Femi Ojo",
        "Greta Lind", "Hana Sato", "Ines Costa", "Jonas Weber", "Kofi Mensah", "Lena Fischer",
        "Marta Nowak", "Nia Evans", "Omar Haddad", "Priya Nair",
    )  # fmt: skip
    stage.begin("trouble", 152, "w-1", "Mateo Ruiz")
    stage.begin("upset", 54, "w-2", "Dana Whitfield")
    stage.begin("upset", 36, "w-3", "Rosa Lindqvist")
    stage.begin("upset", 59, "w-4", "Tom Ashby")
    for n, name in enumerate(names):
        stage.begin("calm", 6 + n * 0.8, f"w-q{n}", name)
    page.goto(f"http://127.0.0.1:{stage.port}/#wall")
    page.locator("[data-call=w-1]").wait_for()
    shot("wall")
    page.get_by_role("button", name="Table").click()
    page.get_by_role("table").wait_for()
    shot("wall-table")
    page.get_by_role("button", name="Cards").click()
    page.goto(f"http://127.0.0.1:{stage.port}/#call/w-2")
    page.get_by_text("Of course.").wait_for()
    page.get_by_role("textbox", name="Nudge").fill("Offer to bring me in")
    shot("call")
    heard = sample_call()
    for n, name in enumerate(("Rosa Lindqvist", "Emma Hart", "Tom Ashby", "Emma Hart")):
        begun = heard[0]
        assert isinstance(begun, CallStarted)
        earlier = replace(begun, started_at=f"2026-01-0{2 + n}T{10 + n}:2{n}:00+00:00")
        stage.past(f"past-{n}", [earlier, *heard[1:]], name)
    page.goto(f"http://127.0.0.1:{stage.port}/#calls")
    page.get_by_label("State").select_option("over")
    page.locator("tbody tr").first.wait_for()
    shot("calls")


def shoot_desk(stage: Stage, page: Page, shot: Shot) -> None:
    """Take a month of calls as trends, a rule that is being changed, and the stored data."""
    a_month_of_calls(stage)
    page.goto(f"http://127.0.0.1:{stage.port}/#trends")
    page.get_by_role("region", name="Figures").wait_for(timeout=120_000)
    shot("trends")
    page.goto(f"http://127.0.0.1:{stage.port}/#rules")
    page.locator("[data-rule]").first.wait_for()
    shot("rules")
    page.get_by_role("searchbox").fill("Let them finish")
    page.get_by_role("button", name="Change: Let them finish").click()
    page.get_by_label("Number 1, after").first.fill("2500")
    page.get_by_label("Number 2, after").first.fill("1600")
    page.get_by_label("Number 2, after").first.blur()
    page.get_by_label("Calls").select_option("10")
    page.get_by_role("button", name="Try on past calls").click()
    page.locator("[data-trial]").wait_for(timeout=120_000)
    shot("rules-trial")
    page.goto(f"http://127.0.0.1:{stage.port}/#data")
    page.get_by_text("What is stored", exact=True).wait_for()
    shot("my-data")


def a_month_of_calls(stage: Stage) -> None:
    """Enter four weeks of finished calls of six agents, up to yesterday."""
    agents = ("Amara Diallo", "Ben Okafor", "Chloe Martin", "Dev Patel", "Elif Kaya", "Femi Ojo")
    scenes = ("upset", "trouble", "calm", "upset", "trouble")
    spread = random.Random(7)
    now = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0)
    for n in range(_MONTH_CALLS):
        began = now - timedelta(days=2 + spread.randrange(26), minutes=-11 * (n % 40))
        stage.past(
            f"month-{n}",
            events_of(scenes[(n * n + n // 20) % len(scenes)]),
            agents[n % len(agents)],
            team="Billing",
            started_at=began.isoformat(),
        )
    for n, agent in enumerate(agents[:3]):
        began = now - timedelta(days=1, minutes=-20 * n)
        stage.past(
            f"yesterday-{n}", sample_call(), agent, team="Billing", started_at=began.isoformat()
        )


def shoot_gallery(stage: Stage, page: Page, shot: Shot) -> None:
    """Take the whole of the gallery."""
    page.goto(f"http://127.0.0.1:{stage.port}/#gallery")
    page.locator("hl-alerts").last.wait_for()
    size = page.viewport_size or WIDE
    height = page.evaluate(
        "document.querySelector('heartline-app').shadowRoot.querySelector('main').scrollHeight"
    )
    page.set_viewport_size({"width": size["width"], "height": height + 60})
    shot("gallery")
    page.set_viewport_size(size)


@cache
def as_with_inter() -> str:
    """Give a report the first font of its list, as on a computer that has it: files carry none."""
    font = base64.b64encode(INTER.read_bytes()).decode()
    return (
        '@font-face { font-family: "Inter Variable"; font-weight: 100 900; '
        f"src: url(data:font/woff2;base64,{font}); }}"
    )


def shoot_report(stage: Stage, page: Page, shot: Shot) -> None:
    """Take the report of the sample call, heard by real models, as the server shows it."""
    stage.past("sample", sample_call(), "Emma Hart")
    page.goto(f"http://127.0.0.1:{stage.port}/v1/calls/sample/report.html")
    page.get_by_role("heading", name="Call report").wait_for()
    page.add_style_tag(content=as_with_inter())
    page.evaluate("document.fonts.load('16px \"Inter Variable\"')")
    shot("report")
    page.evaluate("document.querySelector('#interruptions').scrollIntoView()")
    shot("report-close-up")
    page.evaluate("document.querySelector('#empathy').scrollIntoView()")
    shot("report-scorecard")


def shoot(browser: Browser, out: Path) -> list[Path]:
    """Take every picture and return where they are."""
    taken: list[Path] = []
    for suffix, size, scheme in (
        ("", WIDE, "light"), ("-dark", WIDE, "dark"), ("-narrow", NARROW, "light"),
    ):  # fmt: skip
        page, complaints = new_page(browser, viewport=size, color_scheme=scheme, bypass_csp=True)

        # Without the policy of the report a browser looks for an icon that is not there.
        page.route("**/favicon.ico", lambda route: route.fulfill(status=204))

        def shot(name: str, page: Page = page, suffix: str = suffix) -> None:
            page.mouse.move(640, 5)
            page.wait_for_timeout(400)
            path = out / f"{name}{suffix}.png"
            page.screenshot(path=path)
            taken.append(path)
            if not suffix:
                printed = out / f"{name}-print.png"
                page.emulate_media(media="print")
                page.screenshot(path=printed, full_page=True)
                page.emulate_media(media="screen")
                taken.append(printed)

        with tempfile.TemporaryDirectory() as folder, staged_server(Path(folder) / "a.db") as stage:
            shoot_panel(stage, page, shot)
            shoot_report(stage, page, shot)
            shoot_wall(stage, page, shot)
            shoot_desk(stage, page, shot)
            shoot_gallery(stage, page, shot)
            page.context.close()
        if complaints:
            raise SystemExit(f"The browser complained: {complaints[0]}")
    return [*taken, printed(browser, out)]


def keep_small(picture: Path, place: Path) -> None:
    """Keep a picture in its 256 most frequent colours: what is left out are edges of letters."""
    with Image.open(picture) as opened:
        pixels = np.asarray(opened.convert("RGB"), dtype=np.int32)
    shape = pixels.shape[:2]
    colours, which, counts = np.unique(
        pixels.reshape(-1, 3), axis=0, return_inverse=True, return_counts=True
    )
    kept = colours[np.argsort(-counts)[:256]]
    nearest = np.square(colours[:, None] - kept[None]).sum(axis=2).argmin(axis=1)
    few = Image.fromarray(nearest[which.reshape(-1)].astype(np.uint8).reshape(shape))
    few.putpalette(kept.astype(np.uint8).tobytes())
    few.save(place, optimize=True)


def printed(browser: Browser, out: Path) -> Path:
    """Print the report on A4."""
    page, _ = new_page(browser, viewport={"width": 794, "height": 1123})
    page.set_content(render_html(build_report(sample_call())))
    page.pdf(path=out / "report.pdf", format="A4", prefer_css_page_size=True)
    page.context.close()
    return out / "report.pdf"


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--guide", action="store_true", help="renew the pictures of docs/guide")
    options = parser.parse_args()
    out = OUT / "screens"
    out.mkdir(parents=True, exist_ok=True)
    with open_browser("--hide-scrollbars") as browser:
        taken = shoot(browser, out)
    if options.guide:
        for name in IN_GUIDE:
            keep_small(out / f"{name}.png", GUIDE / f"{name}.png")
    print(f"{len(taken)} pictures in {out}")


if __name__ == "__main__":
    main()
