"""What is left out while the analysis is behind: in order, visibly, and back again.

Assertions: F7, I8.
"""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPResponse
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.sync.client import ClientConnection, connect

from asr.ladder import LEVELS as RUNGS
from asr.ladder import Ladder
from asr.ladder import Load as WordLoad
from asr.settings import AsrSettings
from audio.chunks import AudioChunk
from conversation.events import AnalysisChanged, Channel, ProsodyFrame
from prosody.score import Load
from server.memory import memory_share
from server.metrics import Metrics
from server.runner import Running
from server.shed import LEVELS, ShedLadder, Signals, percentile_95
from tests.server.live import (
    START,
    close_code,
    expect,
    finished,
    hearing,
    native,
    send_audio,
    serving,
    ticket,
    until,
)
from tests.server.test_metrics import scrape, values

pytestmark = [pytest.mark.server, pytest.mark.unit]
CALM, NEAR, LATE, LOST = (Signals(lag_s=lag_s) for lag_s in (0.02, 0.13, 0.2, 4.0))
FULL = Signals(lag_s=0.02, memory_share=0.9)


def run(
    ladder: ShedLadder, signals: Signals, begin_s: float, end_s: float
) -> list[tuple[float, int]]:
    changes = []
    for quarter in range(round(4 * begin_s), round(4 * end_s)):
        if ladder.update(signals, quarter / 4):
            changes.append((quarter / 4, ladder.level))
    return changes


def test_pitch_goes_after_two_late_seconds_and_comes_back_after_ten_calm_ones() -> None:
    ladder = ShedLadder()
    assert run(ladder, LATE, 0, 30) == [(2, 4)]
    assert run(ladder, NEAR, 30, 60) == []
    assert run(ladder, CALM, 60, 69) == []
    assert run(ladder, NEAR, 69, 70) == []
    assert run(ladder, CALM, 70, 90) == [(80, 0)]


def test_a_level_that_was_left_too_early_is_kept_for_longer_each_time() -> None:
    ladder = ShedLadder()
    assert run(ladder, LATE, 0, 3) == [(2, 4)]
    assert run(ladder, CALM, 3, 20) == [(13, 0)]
    assert run(ladder, LATE, 20, 23) == [(22, 4)]
    assert run(ladder, CALM, 23, 60) == [(43, 0)]
    assert run(ladder, LATE, 60, 63) == [(62, 4)]
    assert run(ladder, CALM, 63, 110) == [(103, 0)]
    assert run(ladder, LATE, 170, 173) == [(172, 4)]
    assert run(ladder, CALM, 173, 190) == [(183, 0)]


def test_a_short_burst_sheds_nothing() -> None:
    ladder = ShedLadder()
    assert run(ladder, LOST, 0, 1.75) == []
    assert run(ladder, CALM, 1.75, 2) == []
    assert run(ladder, LOST, 2, 3.75) == []


@pytest.mark.parametrize("signals", [LOST, FULL])
def test_far_behind_or_short_of_memory_new_calls_are_refused_once_pitch_has_gone(
    signals: Signals,
) -> None:
    ladder = ShedLadder()
    assert run(ladder, signals, 0, 30) == [(2, 4), (2.25, 5)]
    assert run(ladder, CALM, 30, 60) == [(40, 4), (50, 0)]


def test_calls_are_taken_again_while_pitch_stays_away() -> None:
    ladder = ShedLadder()
    run(ladder, LOST, 0, 3)
    assert run(ladder, Signals(lag_s=0.19), 3, 60) == [(13, 4)]


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=400))
def test_levels_keep_their_order_whatever_comes(signals: list[tuple[float, float]]) -> None:
    ladder = ShedLadder()
    seen = [0]
    for n, (lag_s, share) in enumerate(signals):
        if ladder.update(Signals(lag_s=lag_s, memory_share=share), n / 4):
            seen.append(ladder.level)
        assert ladder.level == seen[-1]
    assert all(abs(LEVELS.index(a) - LEVELS.index(b)) == 1 for a, b in pairwise(seen))


def test_words_are_shed_before_voices_and_come_back_after_them() -> None:
    ladder = Ladder(AsrSettings())
    calm = WordLoad(busy_share=0.2, partial_age_ms=0, queue_age_ms=0)
    behind = WordLoad(busy_share=0.2, partial_age_ms=0, queue_age_ms=0, analysis_sheds=True)
    assert ladder.update(behind, 0)
    assert (ladder.level, ladder.rung) == (3, RUNGS.index(3))
    assert not any(ladder.update(behind, now_ms) for now_ms in range(250, 60_000, 250))
    levels = []
    for now_ms in range(60_000, 180_000, 250):
        if ladder.update(calm, now_ms):
            levels.append(ladder.level)
    assert levels == [2, 2, 1, 1, 0]


def test_the_95th_percentile_leaves_one_in_twenty_out() -> None:
    assert percentile_95([]) == 0.0
    assert percentile_95([0.1] * 19 + [9.0]) == 0.1
    assert percentile_95([0.1] * 18 + [9.0, 9.0]) == 9.0


def test_memory_is_held_against_the_tightest_limit_of_the_control_groups(tmp_path: Path) -> None:
    own = tmp_path / "own"
    root = tmp_path / "root"
    inner = root / "system" / "heartline"
    inner.mkdir(parents=True)
    own.write_text("0::/system/heartline\n")
    assert memory_share(root, own) == 0.0
    for folder, limit, used, cached in ((inner, "max", 50, 0), (inner.parent, "100", 95, 15)):
        (folder / "memory.max").write_text(f"{limit}\n")
        (folder / "memory.current").write_text(f"{used}\n")
        (folder / "memory.stat").write_text(f"anon 1\ninactive_file {cached}\nslab 2\n")
    assert memory_share(root, own) == 0.8
    (inner / "memory.max").write_text("40\n")
    assert memory_share(root, own) == 1.25
    own.write_text("4:memory:/older\n")
    assert memory_share(root, own) == 0.0
    assert memory_share(root, tmp_path / "none") == 0.0


def chunk(begin_ms: int) -> AudioChunk:
    return AudioChunk(Channel.AGENT, begin_ms * 8, np.zeros(800, np.float32), 8_000)


def test_lag_is_that_of_calls_that_keep_pace_with_the_clock() -> None:
    metrics = Metrics()
    live, replay = metrics.call("ingest"), metrics.call("ingest")
    for n in range(40):
        live.arrived([chunk(100 * n)], 10 + n / 10)
        replay.arrived([chunk(1_000 * n)], 10 + n / 10)
    live.published([], 3_000, 13.2, 13.2)
    replay.published([], 30_100, 13.8, 13.8)
    assert metrics.lags_of_late(13.9) == [pytest.approx(13.2 - 12.9)]
    assert metrics.lags_of_late(14.3) == []
    assert live.waiting_s(14.0) == pytest.approx(1.0)
    assert replay.waiting_s(14.0) == 0.0
    live.published([], None, 14.0, 14.0)
    assert live.waiting_s(14.0) == pytest.approx(1.0)
    live.published([], 4_000, 14.1, 14.1)
    assert live.waiting_s(20.0) == 0.0


def test_shedding_is_told_on_screen_and_kept_and_no_new_call_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("server.shed._UP_S", 0.2)
    monkeypatch.setattr("server.shed._DOWN_S", 0.2)
    with serving() as server:
        calls, metrics_key = server.calls, server.user.key
        address = f"ws://127.0.0.1:{server.port}/v1/calls/c1/events"
        with native(server, call_id="c1") as (source, _), connect(address) as screen:
            screen.send(json.dumps({"type": "ticket", "ticket": ticket(server)}))
            send_audio(source, 0, 3_000)
            until(lambda: calls.running["c1"].session.position_ms > 2_000)
            monkeypatch.setattr("server.calls.memory_share", lambda: 0.9)
            until(lambda: calls.overloaded)
            assert hearing().prosody_load is Load.SHED
            assert told_level(screen) in (4, 5)
            answer = get(server, "/readyz")
            assert (answer.status, answer.getheader("Retry-After")) == (503, "5")
            assert values(scrape(server, metrics_key)[1])["heartline_shed_level", ()] == 5
            refused = refusal(server, call_id="c2")
            assert (refused["code"], refused["retry_after_ms"]) == ("overloaded", 5_000)
            send_audio(source, 3_000, 9_000)
            until(lambda: calls.running["c1"].session.position_ms > 8_000)
            monkeypatch.setattr("server.calls.memory_share", lambda: 0.0)
            until(lambda: get(server, "/readyz").status == 200, 60)
            until(lambda: hearing().prosody_load is not Load.SHED, 60)
            while told_level(screen) > 0:
                pass
            with native(server, call_id="c2"):
                source.send('{"type":"stop"}')
                assert close_code(source) == 1000
        events = finished(server, "c1")
    levels = [event.level for event in events if isinstance(event, AnalysisChanged)]
    assert set(levels) >= {5, 0}
    assert levels[-1] == 0
    assert any("degraded" in e.flags for e in events if isinstance(e, ProsodyFrame))


def told_level(screen: ClientConnection) -> int:
    """Return the next level that a dashboard is told of."""
    while True:
        event = expect(screen, "event")["event"]
        if event["type"] == "analysis_changed":
            return int(event["level"])


def get(server: Running, path: str) -> HTTPResponse:
    """Ask for a page."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def refusal(server: Running, **changes: object) -> dict[str, Any]:
    """Try to open a call; return why it was refused."""
    with connect(server.ingest_url) as socket:
        socket.send(json.dumps({**START, **changes}))
        message = expect(socket, "error")
        assert close_code(socket) == 4503
        return message
