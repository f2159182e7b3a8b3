"""Are the dashboards within their budgets? `python -m bench.dashboard`, or `make bench-dashboard`.

A real Chromium shows the built dashboards of a real server, whose calls are the golden logs. The
table has a row for each budget of the specification: script size, first useful paint at a quarter
of the processor's speed, the way from an event to the frame that shows it, frames of a wall of
200 calls, and the heap over a shift of eight hours, played fast.
"""

from __future__ import annotations

import gzip
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from playwright.sync_api import Browser, Page
from rich.console import Console

from bench.results import Row, is_quick, write_results
from conversation.events import CallStarted, Event
from server.app import STATIC
from tests.e2e.browser import new_page, open_browser
from tests.e2e.stage import Stage, staged_server
from tests.golden.files import events_of

_SLOWDOWN = 4
_LOADS = 5
_WALL_CALLS = 200
_SHIFT_S = 8 * 3600
_EVENTS_PER_STEP, _STEP_S = 50, 0.08
"""What the accelerated shift sends at once, and how often: far more than any call."""
_WATCH_FRAMES = """
window.frames_ms = []; window.tasks_ms = [];
let last = performance.now();
const step = () => {
  const now = performance.now();
  window.frames_ms.push(now - last);
  last = now;
  requestAnimationFrame(step);
};
requestAnimationFrame(step);
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.tasks_ms.push(entry.duration);
}).observe({type: "longtask"});
"""
_WATCH_EVENTS = """
window.delays_ms = [];
const Native = window.WebSocket;
window.WebSocket = class extends Native {
  constructor(...args) {
    super(...args);
    this.addEventListener("message", (message) => {
      const arrived = performance.now();
      if (JSON.parse(message.data).type !== "event") return;
      requestAnimationFrame(() => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => window.delays_ms.push(performance.now() - arrived);
        channel.port2.postMessage(null);
      });
    });
  }
};
"""
_WATCH_PAINT = """
const look = () => {
  const app = document.querySelector("heartline-app");
  const panel = app?.shadowRoot?.querySelector("hl-panel");
  const slot = panel?.shadowRoot?.querySelector("hl-cue-slot");
  const words = slot?.shadowRoot?.querySelector(".cue");
  if (words) requestAnimationFrame(() => { window.useful_ms ??= performance.now(); });
  else requestAnimationFrame(look);
};
look();
"""
_OUT = Console(stderr=True)


def script_size() -> list[Row]:
    """Measure all script that is built, compressed as a server would."""
    scripts = list((STATIC / "assets").glob("*.js"))
    size = sum(len(gzip.compress(path.read_bytes(), 9)) for path in scripts)
    return [Row("heartline", "all", "script_gzip_kb", size / 1000, "kB", len(scripts))]


@contextmanager
def staged() -> Iterator[Stage]:
    """Serve golden calls from a folder that is thrown away."""
    with tempfile.TemporaryDirectory() as folder, staged_server(Path(folder) / "a.db") as stage:
        yield stage


def first_paint(browser: Browser) -> list[Row]:
    """Open the panel of a call in progress, several times, on a slow processor.

    First as if the browser had never seen the dashboard, then with what it keeps of it.
    """
    condition = f"cpu_slowdown_{_SLOWDOWN}"
    return [
        Row("heartline", name, "useful_paint_ms", _useful_paint_ms(browser, cached), "ms", _LOADS)
        for name, cached in ((condition, False), (f"{condition}_again", True))
    ]


def _useful_paint_ms(browser: Browser, cached: bool) -> float:
    useful = []
    with staged() as stage:
        stage.begin("upset", 24)
        page, _ = new_page(browser)
        page.goto(stage.address())
        page.add_init_script(_WATCH_PAINT)
        page.get_by_test_id("cue").wait_for()
        session = page.context.new_cdp_session(page)
        session.send("Emulation.setCPUThrottlingRate", {"rate": _SLOWDOWN})
        session.send("Network.setCacheDisabled", {"cacheDisabled": not cached})
        for _ in range(_LOADS):
            page.goto("about:blank")
            page.goto(f"http://127.0.0.1:{stage.port}/")
            page.get_by_test_id("cue").wait_for()
            page.wait_for_timeout(200)
            useful.append(float(page.evaluate("window.useful_ms")))
        page.context.close()
    return statistics.median(useful)


def event_to_pixels(browser: Browser) -> list[Row]:
    """Measure from the arrival of each event to the end of the frame that shows it."""
    with staged() as stage:
        stage.begin("upset", 1)
        page, _ = new_page(browser)
        page.add_init_script(_WATCH_EVENTS)
        page.goto(stage.address())
        page.get_by_text("Listening").wait_for()
        for event in events_of("upset")[5:-1]:
            stage.tell("upset", event)
            time.sleep(0.05 + (event.at_ms % 17) / 1000)
        page.wait_for_timeout(300)
        delays = sorted(page.evaluate("window.delays_ms"))
        page.context.close()
    median, p95 = statistics.median(delays), statistics.quantiles(delays, n=20)[-1]
    return [
        Row("heartline", "panel", "event_to_pixels_p50_ms", median, "ms", len(delays)),
        Row("heartline", "panel", "event_to_pixels_p95_ms", p95, "ms", len(delays)),
    ]


def wall(browser: Browser, seconds: int) -> list[Row]:
    """Let 200 calls go on at once, every one changing every second."""
    with staged() as stage:
        for n in range(_WALL_CALLS):
            scene, at_s = (("calm", 4), ("upset", 20), ("trouble", 100))[n % 3]
            stage.begin(scene, at_s, f"call-{n}", f"Agent {n}")
        page, _ = new_page(browser, viewport={"width": 1440, "height": 900})
        page.goto(stage.address("wall"))
        page.locator("[data-call]").first.wait_for()
        page.mouse.move(500, 500)
        page.wait_for_timeout(2_000)
        page.evaluate(_WATCH_FRAMES)
        for second in range(seconds):
            began = time.monotonic()
            for n in range(_WALL_CALLS):
                scene, at_s = (("calm", 4), ("upset", 20), ("trouble", 100))[n % 3]
                stage.go_on(scene, at_s + second, at_s + second + 1, f"call-{n}")
            if second % 5 == 4:
                page.mouse.wheel(0, 900 if second % 10 == 4 else -900)
            page.wait_for_timeout(max(0, 1_000 * (1 - (time.monotonic() - began))))
        frames = page.evaluate("window.frames_ms.slice(2)")
        tasks = page.evaluate("window.tasks_ms")
        page.context.close()
    late = sum(frame > 50 for frame in frames)
    condition = f"wall_{_WALL_CALLS}_calls"
    return [
        Row("heartline", condition, "frames_over_50ms", late, "frames", len(frames)),
        Row("heartline", condition, "frame_max_ms", max(frames), "ms", len(frames)),
        Row("heartline", condition, "long_tasks", len(tasks), "tasks", seconds),
        Row("heartline", condition, "long_task_max_ms", max(tasks, default=0.0), "ms", seconds),
    ]


def _heap_mb(page: Page, session: Any) -> float:
    for _ in range(3):
        session.send("HeapProfiler.collectGarbage")
        page.wait_for_timeout(50)
    return float(session.send("Runtime.getHeapUsage")["usedSize"]) / 1e6


def shift(browser: Browser, shift_s: int) -> list[Row]:
    """Play conversation after conversation to one panel and compare its heap."""
    scene = events_of("upset")
    per_call_s = scene[-1].at_ms / 1000
    calls = round(shift_s / per_call_s)
    with staged() as stage:
        stage.begin("upset", 1)
        page, _ = new_page(browser)
        page.goto(stage.address())
        page.get_by_text("Listening").wait_for()
        session = page.context.new_cdp_session(page)
        before = 0.0
        for n in range(calls):
            if n == calls // 10:
                before = _heap_mb(page, session)
            _play_fast(stage, n)
        page.wait_for_timeout(1_000)
        after = _heap_mb(page, session)
        page.context.close()
    hours = f"shift_{shift_s / 3600:g}h"
    return [
        Row("heartline", hours, "heap_growth_mb", after - before, "MB", calls),
        Row("heartline", hours, "heap_mb", after, "MB", calls),
    ]


def _play_fast(stage: Stage, n: int) -> None:
    events: list[Event] = list(events_of("upset"))
    started = events[0]
    assert isinstance(started, CallStarted)  # noqa: S101 - every golden log begins so
    events[0] = replace(started, call_id=f"shift-{n}")
    for at in range(0, len(events), _EVENTS_PER_STEP):
        stage.tell("upset", *events[at : at + _EVENTS_PER_STEP])
        time.sleep(_STEP_S)


def main() -> None:
    """Measure everything and write the table."""
    rows = script_size()
    with open_browser() as browser:
        for what, measure in (
            ("First useful paint", lambda: first_paint(browser)),
            ("Event to pixels", lambda: event_to_pixels(browser)),
            ("A wall of 200 calls", lambda: wall(browser, 10 if is_quick() else 30)),
            ("A shift", lambda: shift(browser, _SHIFT_S // 8 if is_quick() else _SHIFT_S)),
        ):
            with _OUT.status(f"{what} ..."):
                rows += measure()
    write_results("dashboard", rows)


if __name__ == "__main__":
    main()
