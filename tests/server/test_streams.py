"""What every telephony stream has in common: joining a call, being lost, being paused, its rate.

Assertions: F2, F15.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from socket import SHUT_RDWR
from time import sleep
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

import server.stream_session
from conversation.events import AudioGap, Channel, SourceNotice
from reports.build import build_report
from server.adapters.contract import IngestError
from server.adapters.pace import RateCheck
from server.ingest_socket import judge_rate
from server.opening import open_session
from server.runner import Running
from tests.server.live import (
    close_code,
    end_of,
    expect,
    finished,
    gaps_of,
    hearing,
    mulaw,
    reached,
    serving,
    started_of,
    ticket,
    until,
)

pytestmark = [pytest.mark.server, pytest.mark.model]


def start(call: str, **parameters: str) -> str:
    return json.dumps(
        {
            "event": "start",
            "sequenceNumber": "1",
            "start": {
                "callSid": call,
                "tracks": ["inbound", "outbound"],
                "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000},
                "customParameters": parameters,
            },
        }
    )


def media(number: int, track: str, at_ms: int, side: str, from_ms: int) -> str:
    payload = base64.b64encode(mulaw(side)[from_ms * 8 : from_ms * 8 + 160]).decode()
    fields = {"track": track, "timestamp": str(at_ms), "payload": payload}
    return json.dumps({"event": "media", "sequenceNumber": str(number), "media": fields})


@contextmanager
def twilio(server: Running, call: str, **parameters: str) -> Iterator[ClientConnection]:
    with connect(f"ws://127.0.0.1:{server.port}/v1/ingest/twilio") as socket:
        socket.send(start(call, **parameters))
        yield socket


def play(socket: ClientConnection, begin_ms: int, end_ms: int) -> None:
    """Play a stretch of the sample call; the stream's own clock begins at zero."""
    for number, at_ms in enumerate(range(0, end_ms - begin_ms, 20)):
        for i, (track, side) in enumerate((("inbound", "customer"), ("outbound", "agent"))):
            sequence = 2 + 2 * number + i
            socket.send(media(sequence, track, at_ms, side, begin_ms + at_ms))


def stop(socket: ClientConnection) -> None:
    socket.send('{"event":"stop"}')


def test_a_stream_that_comes_back_within_the_grace_is_the_same_call() -> None:
    with serving() as server:
        with twilio(server, "CA1") as socket:
            play(socket, 0, 2_000)
            reached(server, "CA1", 2_000)
            socket.socket.shutdown(SHUT_RDWR)
        until(lambda: not server.calls.running["CA1"].is_current(1))
        sleep(0.2)
        with twilio(server, "CA1") as socket:
            play(socket, 4_000, 6_000)
            stop(socket)
            events = finished(server, "CA1")
    assert end_of(events).reason == "ended"
    gaps = [e for e in events if isinstance(e, AudioGap)]
    assert {(e.channel, e.reason, e.clock) for e in gaps} == {
        (Channel.AGENT, "disconnect", "server"),
        (Channel.CUSTOMER, "disconnect", "server"),
    }
    (lost_ms,) = {e.end_ms - e.begin_ms for e in gaps}
    assert lost_ms % 10 == 0
    assert build_report(events).call.duration_ms == 4_000 + lost_ms


def test_a_stream_that_stays_away_is_a_partial_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.stream_session, "GRACE_S", 0.1)
    with serving() as running:
        with twilio(running, "CA2") as socket:
            play(socket, 0, 1_000)
            reached(running, "CA2", 1_000)
            socket.socket.shutdown(SHUT_RDWR)
        events = finished(running, "CA2")
    assert end_of(events).reason == "source_lost"
    assert "partial: the call ended with source_lost" in build_report(events).quality.warnings


def test_a_newer_stream_of_a_call_supersedes_the_older() -> None:
    with serving() as server, twilio(server, "CA3") as first:
        play(first, 0, 500)
        until(lambda: "CA3" in server.calls.running)
        with twilio(server, "CA3") as second:
            assert close_code(first) == 4409
            play(second, 500, 1_000)
            stop(second)
            assert end_of(finished(server, "CA3")).reason == "ended"


def test_an_id_that_was_used_before_is_another_call() -> None:
    with serving() as server:
        with twilio(server, "CA4") as socket:
            play(socket, 0, 200)
            stop(socket)
            finished(server, "CA4")
        with twilio(server, "CA4") as socket:
            play(socket, 0, 200)
            stop(socket)
            until(lambda: [row.live for row in server.calls.journal.calls()] == [False, False])
        rows = server.calls.journal.calls()
        vendor_ids = {
            started_of(server.calls.journal.events(row.call_id)).vendor_id for row in rows
        }
        assert vendor_ids == {"CA4"}


def test_a_side_that_is_not_streamed_is_missing_and_not_silent() -> None:
    with serving() as server, twilio(server, "CA5") as socket:
        for number, at_ms in enumerate(range(0, 1_000, 20)):
            socket.send(media(2 + number, "inbound", at_ms, "customer", at_ms))
        stop(socket)
        events = finished(server, "CA5")
    assert gaps_of(events) == [("agent", 0, 1_000, "loss")]


def test_more_calls_than_there_is_room_for_are_refused() -> None:
    with serving(max_calls=1) as server, twilio(server, "CA6") as first:
        play(first, 0, 200)
        until(lambda: "CA6" in server.calls.running)
        with twilio(server, "CA7") as second:
            assert close_code(second) == 4503


def test_a_stream_that_never_begins_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.stream_session, "_OPEN_S", 0.2)
    with (
        serving() as running,
        connect(f"ws://127.0.0.1:{running.port}/v1/ingest/twilio") as socket,
    ):
        socket.send('{"event":"connected"}')
        assert close_code(socket) == 4408


def test_the_agents_pause_is_passed_on_to_a_client_that_can_stop() -> None:
    session = "30b0e395-84d3-4570-ac13-9a62d8f514c0"
    headers = {"audiohook-organization-id": "o", "audiohook-session-id": session}
    opened = {
        "version": "2",
        "id": session,
        "type": "open",
        "seq": 1,
        "serverseq": 0,
        "position": "PT0S",
        "parameters": {
            "organizationId": "o",
            "conversationId": "c",
            "media": [
                {
                    "type": "audio",
                    "format": "PCMU",
                    "channels": ["external", "internal"],
                    "rate": 8000,
                }
            ],
        },
    }
    with serving() as server:
        audiohook = f"ws://127.0.0.1:{server.port}/v1/ingest/audiohook"
        panel = f"ws://127.0.0.1:{server.port}/v1/calls/{session}/events"
        with connect(audiohook, additional_headers=headers) as socket:
            socket.send(json.dumps(opened))
            assert json.loads(socket.recv(timeout=10))["type"] == "opened"
            socket.send(bytes(1_600))
            with connect(panel) as agent:
                agent.send(json.dumps({"type": "ticket", "ticket": ticket(server)}))
                expect(agent, "snapshot")
                agent.send('{"type":"pause_capture"}')
                assert json.loads(socket.recv(timeout=10))["type"] == "pause"
                agent.send('{"type":"resume_capture"}')
                assert json.loads(socket.recv(timeout=10))["type"] == "resume"


# --------------------------------------------------------------------------- the rate


def judged(factor: float, seconds: int = 30) -> list[Any]:
    check = RateCheck()
    notices: list[Any] = []
    for ms in range(0, seconds * 1_000, 20):
        notices += judge_rate(check, round(ms * factor), ms)
    return notices


def test_audio_at_a_slightly_wrong_rate_is_a_warning_in_the_report() -> None:
    assert judged(1.001) == []
    notice, *_ = judged(1.05)
    call = open_session(
        call_id="c",
        channels=(Channel.AGENT, Channel.CUSTOMER),
        sample_rate_hz=8_000,
        source="twilio",
        started_at="2026-01-01T00:00:00+00:00",
        hearing=hearing(),
    )
    events = call.opening_events()
    assert isinstance(notice, SourceNotice)
    events += call.control(notice)
    events += call.finish()
    (warning,) = build_report(events).quality.warnings
    assert warning.startswith("rate_mismatch: the audio came at 1.05")


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_audio_at_half_or_twice_its_rate_ends_the_call_within_ten_seconds(factor: float) -> None:
    assert judged(factor, seconds=9) == []
    with pytest.raises(IngestError) as refused:
        judged(factor, seconds=11)
    assert refused.value.code == "unsupported_format"


def test_a_message_that_cannot_be_ends_the_call_with_its_code() -> None:
    with serving() as server:
        with twilio(server, "CA8") as socket:
            play(socket, 0, 400)
            socket.send("{")
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=10)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4400
            assert closed.value.rcvd.reason.startswith("bad_message")
        events = finished(server, "CA8")
    assert end_of(events).reason == "bad_message"
