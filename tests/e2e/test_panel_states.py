"""Every state of the agent panel, in a real browser against a real server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from websockets.sync.client import ClientConnection, connect

from asr.settings import AsrSettings
from audio.sources import open_recording
from server.hearing import Hearing, HearingSettings
from server.runner import Running, running_server
from tests.e2e.browser import NEEDS_CHROMIUM, OUT, open_page

pytestmark = [pytest.mark.e2e, NEEDS_CHROMIUM]
SAMPLE = Path(__file__).parents[2] / "server" / "sample" / "call.flac"


@pytest.fixture(scope="module")
def hearing() -> Iterator[Hearing]:
    with Hearing(HearingSettings(asr=AsrSettings(enabled=False))) as loaded:
        yield loaded


@pytest.fixture
def page() -> Iterator[Page]:
    with open_page() as (opened, _):
        yield opened


def begin(socket: ClientConnection, *channels: str) -> None:
    start = {"type": "start", "version": 1, "encoding": "pcm_s16le", "sample_rate": 8000}
    socket.send(json.dumps({**start, "channels": channels}))
    assert json.loads(socket.recv(timeout=10))["type"] == "started"


def play(socket: ClientConnection, channels: int, begin_s: int, end_s: int) -> None:
    """Send a stretch of the sample call at four times its speed."""
    recording = open_recording(SAMPLE)
    sides = [recording.samples(c) for c in recording.channels][:channels]
    audio = np.stack(sides, axis=1)[begin_s * 8_000 : end_s * 8_000]
    pcm = (audio * 32_767).astype("<i2")
    for first in range(0, len(pcm), 800):
        socket.send(pcm[first : first + 800].tobytes())
        time.sleep(0.025)


def shot(page: Page, name: str) -> None:
    page.screenshot(path=OUT / f"panel-{name}.png")


def test_a_shift_waiting_a_call_a_pause_its_end_and_the_next_call(
    hearing: Hearing, tmp_path: Path, page: Page
) -> None:
    with running_server(hearing, tmp_path / "heartline.db") as server:
        page.goto(server.address)
        expect(page.get_by_text("Waiting for a call")).to_be_visible()
        shot(page, "waiting")
        first_call(server, page)
        expect(page.get_by_text("The call is over")).to_be_visible()
        href = page.get_by_test_id("report").get_attribute("href")
        shot(page, "over")
        with connect(server.ingest_url) as socket:
            begin(socket, "mixed")
            play(socket, 1, 10, 14)
            expect(page.get_by_test_id("connection")).to_have_text("Live", timeout=10_000)
            expect(page.get_by_text("Direction unknown: one channel only")).to_be_visible()
            expect(page.get_by_test_id("report")).to_have_count(0)
            shot(page, "mixed")
            socket.send('{"type":"stop"}')
            expect(page.get_by_test_id("connection")).to_have_text("Call ended", timeout=10_000)
        page.goto(f"http://127.0.0.1:{server.port}{href}")
        expect(page.get_by_role("heading", name="Call report")).to_be_visible()


def first_call(server: Running, page: Page) -> None:
    with connect(server.ingest_url) as socket:
        begin(socket, "agent", "customer")
        play(socket, 2, 26, 36)
        expect(page.get_by_test_id("connection")).to_have_text("Live", timeout=10_000)
        expect(page.get_by_test_id("cue")).to_contain_text("Let them finish", timeout=5_000)
        expect(page.get_by_text("This call is not transcribed")).to_be_visible()
        wall = page.context.new_page()
        wall.goto(f"http://127.0.0.1:{server.port}/#wall")
        expect(wall.locator("[data-call]")).to_have_count(1)
        wall.close()
        page.keyboard.press("p")
        expect(page.get_by_text("Capture is paused")).to_be_visible()
        shot(page, "paused")
        page.keyboard.press("p")
        expect(page.get_by_text("Capture is paused")).to_have_count(0)
        socket.send('{"type":"hold"}')
        play(socket, 2, 36, 42)
        expect(page.get_by_text("On hold")).to_be_visible()
        socket.send('{"type":"unhold"}')
        socket.send('{"type":"stop"}')


def test_a_lost_server_is_said_and_a_used_link_is_refused(
    hearing: Hearing, tmp_path: Path, page: Page
) -> None:
    with running_server(hearing, tmp_path / "heartline.db") as server:
        page.goto(server.address)
        expect(page.get_by_text("Waiting for a call")).to_be_visible()
        address = server.address
        page.context.clear_cookies()
        page.goto("about:blank")
        page.goto(address)
        expect(page.get_by_text("This link is no longer valid")).to_be_visible()
        shot(page, "refused")
    with running_server(hearing, tmp_path / "other.db") as server:
        page.goto(server.address)
        expect(page.get_by_text("Waiting for a call")).to_be_visible()
    expect(page.get_by_text("Connection lost")).to_be_visible(timeout=10_000)
    shot(page, "offline")


def test_feedback_on_a_cue_is_journalled_and_dismissing_takes_it_away(
    hearing: Hearing, tmp_path: Path, page: Page
) -> None:
    with running_server(hearing, tmp_path / "heartline.db") as server:
        page.goto(server.address)
        with connect(server.ingest_url) as socket:
            begin(socket, "agent", "customer")
            play(socket, 2, 26, 36)
            expect(page.get_by_test_id("cue")).to_be_visible(timeout=5_000)
            page.keyboard.press("u")
            page.keyboard.press("x")
            expect(page.get_by_test_id("cue")).to_have_count(0)
            socket.send('{"type":"stop"}')
            while json.loads(socket.recv(timeout=20))["type"] != "stopped":
                continue
        (row,) = server.calls.journal.calls()
        verdicts = [
            e.verdict  # type: ignore[attr-defined]
            for e in server.calls.journal.events(row.call_id)
            if type(e).__name__ == "CueFeedback"
        ]
    assert verdicts == ["up", "dismiss"]
