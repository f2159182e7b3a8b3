"""Every way in which the native protocol refuses, by code and close code, on real sockets.

Assertions: A1, A14, A18 to A21.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

import server.ingest_socket
import server.running_call
from server.access import SignIn
from server.people.roles import LOCAL_PERSON
from server.runner import Running
from tests.server.live import (
    START,
    close_code,
    end_of,
    expect,
    finished,
    native,
    pcm,
    send_audio,
    serving,
    until,
)

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def server_() -> Iterator[Running]:
    with serving() as running:
        yield running


def refused(socket: ClientConnection) -> tuple[str, int | None]:
    error = expect(socket, "error")
    return error["code"], close_code(socket)


@pytest.mark.parametrize(
    ("first", "code", "close"),
    [
        ("{", "bad_start", 4400),
        ("[" * 10_000, "bad_start", 4400),
        ('{"type":"stop"}', "bad_start", 4400),
        (json.dumps({**START, "surprise": 1}), "bad_start", 4400),
        (json.dumps({**START, "call_id": "../etc"}), "bad_start", 4400),
        (json.dumps({**START, "call_id": "a\u2024b"}), "bad_start", 4400),
        (json.dumps({**START, "version": 9}), "unsupported_version", 4400),
        (json.dumps({**START, "encoding": "opus"}), "unsupported_format", 4415),
        (json.dumps({**START, "sample_rate": 0}), "unsupported_format", 4415),
        (json.dumps({**START, "channels": []}), "unsupported_format", 4415),
        (json.dumps({**START, "channels": ["agent"] * 7}), "unsupported_format", 4415),
        (json.dumps({**START, "call_id": "x", "resume_from_ms": 0}), "unknown_call", 4404),
        (b"\x00\x01", "bad_start", 4400),
    ],
)
def test_a_bad_start(server_: Running, first: str | bytes, code: str, close: int) -> None:
    with connect(server_.ingest_url) as socket:
        socket.send(first)
        assert refused(socket) == (code, close)


def after_start(
    server_: Running, act: Callable[[ClientConnection], None], **changes: Any
) -> tuple[str, int | None]:
    with native(server_, **changes) as (socket, _):
        act(socket)
        return refused(socket)


def test_half_a_sample_frame(server_: Running) -> None:
    assert after_start(server_, lambda s: s.send(b"\x00")) == ("bad_audio", 4422)


def test_too_large_a_message(server_: Running) -> None:
    assert after_start(server_, lambda s: s.send(bytes(65_540))) == ("too_large", 1009)
    assert after_start(server_, lambda s: s.send("x" * 65_540)) == ("too_large", 1009)


def test_a_message_of_many_fragments_is_summed(server_: Running) -> None:
    with native(server_) as (socket, _):
        with contextlib.suppress(ConnectionClosed):
            socket.send(iter([bytes(16_000)] * 9))
        assert close_code(socket) == 1009


def test_the_tenth_bad_message_ends_the_socket_and_nine_do_not(server_: Running) -> None:
    with native(server_) as (socket, _):
        for _ in range(9):
            socket.send('{"type":"dance"}')
            assert expect(socket, "error")["code"] == "bad_message"
        send_audio(socket, 0, 5_000)
        assert expect(socket, "ack")["position_ms"] >= 1_000
        socket.send('{"type":"dance"}')
        assert refused(socket) == ("bad_message", 4400)


def test_a_flood_of_text_is_told_when_to_come_back(server_: Running) -> None:
    with native(server_) as (socket, _):
        for _ in range(21):
            socket.send('{"type":"hold"}')
        error = expect(socket, "error")
        assert error["code"] == "rate_limited"
        assert 0 < error["retry_after_ms"] <= 1_000
        assert close_code(socket) == 4429


def test_audio_faster_than_the_limit_is_told_when_to_come_back() -> None:
    with serving(replay=False) as limited, native(limited, call_id="fast") as (socket, _):
        with contextlib.suppress(ConnectionClosed):
            send_audio(socket, 0, 10_000, 500)
        assert close_code(socket) == 4429
        with native(limited, call_id="fast", resume_from_ms=5_000) as (again, _):
            again.send(pcm()[:32_000])
            assert refused(again) == ("rate_limited", 4429)
        time.sleep(1)
        with native(limited, call_id="fast", resume_from_ms=5_000) as (again, _):
            send_audio(again, 5_000, 6_000)
            again.send('{"type":"stop"}')
            expect(again, "stopped")
        assert end_of(finished(limited, "fast")).reason == "ended"


def test_a_gap_that_is_longer_than_the_call_ends_it() -> None:
    with serving(replay=False) as limited:
        with native(limited, call_id="gap") as (socket, _):
            socket.send('{"type":"gap","ms":4000}')
            socket.send('{"type":"gap","ms":43200000}')
            assert refused(socket) == ("rate_limited", 4429)
        assert end_of(finished(limited, "gap")).reason == "rate_limited"


def test_no_start_message(server_: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.ingest_socket, "FIRST_MESSAGE_S", 0.2)
    with connect(server_.ingest_url) as socket:
        assert refused(socket) == ("start_timeout", 4408)


def test_a_newer_socket(server_: Running) -> None:
    with (
        native(server_, call_id="two") as (first, _),
        native(server_, call_id="two", resume_from_ms=0) as (_, started),
    ):
        assert started["epoch"] == 2
        assert refused(first) == ("superseded", 4409)


def test_another_format(server_: Running) -> None:
    with native(server_, call_id="format"), connect(server_.ingest_url) as socket:
        changed = {"encoding": "mulaw", "call_id": "format", "resume_from_ms": 0}
        socket.send(json.dumps({**START, **changed}))
        assert refused(socket) == ("format_changed", 4412)


def test_a_call_that_was_stopped(server_: Running) -> None:
    with native(server_, call_id="over") as (socket, _):
        socket.send('{"type":"stop"}')
        expect(socket, "stopped")
    for resume in ({}, {"resume_from_ms": 0}):
        with connect(server_.ingest_url) as socket:
            socket.send(json.dumps({**START, "call_id": "over", **resume}))
            assert refused(socket) == ("call_ended", 4410)


def test_a_source_that_comes_back_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.running_call.RunningCall.detach, "__defaults__", (0.1,))
    with serving() as late:
        with native(late, call_id="late") as (socket, _):
            send_audio(socket, 0, 1_000)
        assert end_of(finished(late, "late")).reason == "source_lost"
        with connect(late.ingest_url) as socket:
            socket.send(json.dumps({**START, "call_id": "late", "resume_from_ms": 1_000}))
            assert refused(socket) == ("unknown_call", 4404)


def test_no_credential_and_nothing_is_processed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.ingest_socket, "_CREDENTIAL_S", 0.3)
    with serving(anonymous=False) as closed:
        for first in (pcm()[:3_200], json.dumps(START), '{"type":"auth","ticket":"guess"}', None):
            with connect(closed.ingest_url) as socket:
                if first is not None:
                    socket.send(first)
                assert refused(socket) == ("unauthorized", 4401)
        assert closed.calls.journal.calls() == []


def test_a_peer_behind_a_proxy_is_not_on_this_machine(server_: Running) -> None:
    for name in ("X-Forwarded-For", "Forwarded", "Via"):
        with connect(server_.ingest_url, additional_headers={name: "203.0.113.7"}) as socket:
            socket.send(json.dumps(START))
            assert refused(socket) == ("unauthorized", 4401)


def test_a_wrong_key_is_refused_and_the_right_one_or_a_ticket_passes() -> None:
    with serving(anonymous=False) as closed:
        wrong = {"Authorization": "Bearer guess"}
        with connect(closed.ingest_url, additional_headers=wrong) as socket:
            assert refused(socket) == ("unauthorized", 4401)
        key = {"Authorization": f"Bearer {closed.user.key}"}
        with native(closed, headers=key) as (_, started):
            assert started["epoch"] == 1
        with connect(closed.ingest_url) as socket:
            ticket = {
                "type": "auth",
                "ticket": closed.access.new_ticket(SignIn(LOCAL_PERSON, None)),
            }
            socket.send(json.dumps(ticket))
            socket.send(json.dumps(START))
            assert expect(socket, "started")["position_ms"] == 0


def test_a_web_page_is_forbidden(server_: Running) -> None:
    with pytest.raises(InvalidStatus), connect(server_.ingest_url, origin=Origin("null")):
        pass


def test_no_room_for_another_call() -> None:
    with serving(max_calls=1) as full, native(full, call_id="one"):
        with connect(full.ingest_url) as socket:
            socket.send(json.dumps(START))
            assert refused(socket) == ("overloaded", 4503)
        with native(full, call_id="one", resume_from_ms=0) as (_, started):
            assert started["epoch"] == 2


def test_a_server_that_stops_sends_its_sources_away() -> None:
    with ExitStack() as stack:
        with serving() as stopping:
            socket, _ = stack.enter_context(native(stopping))
        assert refused(socket) == ("draining", 1012)


def test_a_call_of_twelve_hours(server_: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.running_call, "MAX_CALL_MS", 1_000)
    with native(server_, call_id="long") as (socket, _):
        send_audio(socket, 0, 1_500)
        until(lambda: server_.calls.running["long"].session.position_ms >= 1_000)
        send_audio(socket, 1_500, 1_600)
        assert refused(socket) == ("call_ended", 4410)
    assert end_of(finished(server_, "long")).reason == "too_long"


@pytest.mark.parametrize("step", ["accept", "settle"])
def test_our_own_fault_is_told_by_a_reference_alone(
    server_: Running, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with native(server_, call_id=f"fault-{step}") as (socket, _):
        session = server_.calls.running[f"fault-{step}"].session

        def fail(*_: Any) -> None:
            raise ValueError("what the caller said")

        monkeypatch.setattr(session, step, fail)
        send_audio(socket, 0, 100)
        until(lambda: f"fault-{step}" not in server_.calls.running)
        send_audio(socket, 100, 200)
        error = expect(socket, "error")
        assert error["code"] == "internal"
        assert "caller said" not in error["message"]
        assert "reference" in error["message"]
        assert close_code(socket) == 1011


def test_the_subprotocol_is_echoed_and_no_compression_is_negotiated(server_: Running) -> None:
    with connect(server_.ingest_url, subprotocols=[Subprotocol("heartline.v1")]) as socket:
        assert socket.subprotocol == "heartline.v1"
        assert socket.response is not None
        assert "Sec-WebSocket-Extensions" not in socket.response.headers
