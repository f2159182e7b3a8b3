"""A source that loses its socket, however often, has the call of one that never did (F1)."""

from __future__ import annotations

import json
from functools import cache
from socket import SHUT_RDWR
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from conversation.events import Event
from reports.build import build_report
from reports.model import encode
from server.adapters.contract import Item
from server.controls import Control
from server.ingest import IngestDecoder, Start, read_start
from server.opening import open_session
from server.session import CallSession
from tests.server.live import (
    BYTES_PER_MS,
    START,
    expect,
    finished,
    gaps_of,
    hearing,
    lines,
    native,
    pcm,
    send_audio,
    serving,
)

pytestmark = [pytest.mark.property, pytest.mark.model]
LENGTH_MS = 4_000


def session() -> CallSession:
    return open_session(
        call_id="c",
        channels=read_start(json.dumps(START)).channels,
        sample_rate_hz=8_000,
        source="ingest",
        started_at="2026-01-01T00:00:00+00:00",
        hearing=hearing(),
    )


def feed(call: CallSession, items: list[Item]) -> list[Event]:
    events: list[Event] = []
    for item in items:
        if isinstance(item, Control):
            events += call.control(item)
        else:
            events += call.push([item])  # type: ignore[list-item]
    return events


def audio(begin_ms: int, end_ms: int) -> bytes:
    return pcm()[begin_ms * BYTES_PER_MS : end_ms * BYTES_PER_MS]


@cache
def uncut() -> tuple[bytes, ...]:
    call, decoder = session(), IngestDecoder(read_start(json.dumps(START)))
    events = call.opening_events()
    for at_ms in range(0, LENGTH_MS, 100):
        events += feed(call, decoder.feed_bytes(audio(at_ms, at_ms + 100)))
    return tuple(lines(events + call.finish()))


def resumed(from_ms: int) -> Start:
    return read_start(json.dumps({**START, "resume_from_ms": from_ms}))


Cut = tuple[int, int, int]
"""Milliseconds sent before the socket is lost, how many of them did not arrive, and how far back
from there the source begins again."""
CUTS = st.lists(
    st.tuples(st.integers(0, 1_500), st.integers(0, 300), st.integers(0, 800)), max_size=5
)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(CUTS, st.lists(st.integers(1, 200), min_size=1, max_size=10))
def test_a_stream_that_is_split_cut_and_resumed_gives_the_events_of_the_uncut_one(
    cuts: list[Cut], sizes: list[int]
) -> None:
    call, decoder = session(), IngestDecoder(read_start(json.dumps(START)))
    events = call.opening_events()
    at_ms = arrived_ms = 0
    turn = 0

    def send(until_ms: int) -> list[Event]:
        nonlocal at_ms, turn
        sent: list[Event] = []
        while at_ms < until_ms:
            size_ms = min(sizes[turn % len(sizes)], until_ms - at_ms)
            sent += feed(call, decoder.feed_bytes(audio(at_ms, at_ms + size_ms)))
            at_ms += size_ms
            turn += 1
        return sent

    for sent_ms, missing_ms, back_ms in cuts:
        reached_ms = min(LENGTH_MS, at_ms + sent_ms)
        events += send(max(at_ms, reached_ms - missing_ms))
        arrived_ms = max(arrived_ms, at_ms)
        at_ms = max(0, arrived_ms - back_ms)
        events += feed(call, decoder.resume(resumed(at_ms)))
        assert decoder.position_ms == at_ms
    events += send(LENGTH_MS)
    assert tuple(lines(events + call.finish())) == uncut()


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(200, 2_400), st.integers(1, 1_500))
def test_a_stream_that_lost_audio_has_that_gap_and_no_other(cut_ms: int, lost_ms: int) -> None:
    call, decoder = session(), IngestDecoder(read_start(json.dumps(START)))
    events = call.opening_events()
    events += feed(call, decoder.feed_bytes(audio(0, cut_ms // 2)))
    events += feed(call, decoder.feed_bytes(audio(cut_ms // 2, cut_ms)))
    events += feed(call, decoder.resume(resumed(cut_ms + lost_ms)))
    for at_ms in range(cut_ms + lost_ms, LENGTH_MS, 100):
        events += feed(call, decoder.feed_bytes(audio(at_ms, min(at_ms + 100, LENGTH_MS))))
    events += call.finish()
    assert gaps_of(events) == [
        (side, cut_ms, cut_ms + lost_ms, "disconnect") for side in ("agent", "customer")
    ]
    assert build_report(events).call.duration_ms == LENGTH_MS


# --------------------------------------------------------------------------- real sockets


def report_of(server: Any, call_id: str) -> dict[str, Any]:
    """Return a report without what differs between any two calls: the id and the wall time."""
    report: dict[str, Any] = json.loads(encode(build_report(finished(server, call_id))))
    report["call"] |= {"id": "", "started_at": ""}
    return report


def lose(socket: ClientConnection) -> None:
    """Cut the connection without a goodbye."""
    try:
        socket.socket.shutdown(SHUT_RDWR)
    except OSError:
        socket.close()


def test_a_socket_cut_at_random_moments_gives_the_report_of_an_uninterrupted_call() -> None:
    random = np.random.default_rng(5)
    with serving() as server:
        with native(server, call_id="whole") as (socket, _):
            send_audio(socket, 0, 10_000)
            socket.send('{"type":"stop"}')
            expect(socket, "stopped")
        at_ms, cuts = 0, 0
        while True:
            resume: dict[str, Any] = {"resume_from_ms": at_ms} if cuts else {}
            with native(server, call_id="cut", **resume) as (socket, started):
                assert (started["epoch"], started["position_ms"]) == (cuts + 1, at_ms)
                end_ms = min(10_000, at_ms + int(random.integers(1, 1_200)))
                try:
                    send_audio(socket, at_ms, end_ms, int(random.integers(20, 200)))
                    if end_ms == 10_000:
                        socket.send('{"type":"stop"}')
                        expect(socket, "stopped")
                        break
                except ConnectionClosed:
                    pass
                lose(socket)
            cuts += 1
            at_ms = max(0, end_ms - int(random.integers(0, 900)))
            known_ms = server.calls.running["cut"].decoder
            assert known_ms is not None
            at_ms = min(at_ms, known_ms.newest_ms)
        assert cuts >= 10
        cut, whole = report_of(server, "cut"), report_of(server, "whole")
    assert cut == whole
    assert cut["quality"]["gaps"] == []
    assert cut["talk"]["agent_ms"] > 0


def test_an_ack_waits_for_the_end_of_the_utterance_that_is_open() -> None:
    call = session()
    decoder = IngestDecoder(read_start(json.dumps(START)))
    call.opening_events()
    trailing = 0
    for at_ms in range(0, 10_000, 100):
        feed(call, decoder.feed_bytes(audio(at_ms, at_ms + 100)))
        assert 0 <= call.acked_ms <= call.position_ms
        assert call.position_ms - call.acked_ms <= 15_000
        trailing = max(trailing, call.position_ms - call.acked_ms)
    assert trailing > 500
    for _ in range(20):
        feed(call, decoder.feed_bytes(bytes(100 * BYTES_PER_MS)))
    assert call.acked_ms == call.position_ms
