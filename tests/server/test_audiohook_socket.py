"""AudioHook sessions against a real server: a whole conversation, who is let in, continuity.

Assertions: F2.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from reports.build import build_report
from server.runner import Running
from tests.server.audiohook_client import (
    KEY,
    NULL,
    OFFERS,
    SECRET,
    SESSION,
    Client,
    exchange,
    frames,
    send,
    session,
)
from tests.server.live import end_of, gaps_of, reached, serving, started_of, the_call, ticket, until

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with serving(audiohook_keys={KEY: SECRET}) as running:
        yield running


def test_a_whole_conversation_is_a_call_with_a_report() -> None:
    with serving(audiohook_keys={KEY: SECRET}) as server:
        with session(server) as (socket, client):
            assert exchange(socket, client, client.open())["type"] == "opened"
            send(socket, 0, 3_000)
            assert exchange(socket, client, client.message("ping"))["type"] == "pong"
            socket.send(client.message("paused"))
            paused = {"start": "PT3S", "discarded": "PT2S"}
            socket.send(client.message("resumed", paused))
            send(socket, 5_000, 9_000)
            closed = exchange(socket, client, client.message("close", {"reason": "end"}))
            assert closed["type"] == "closed"
        events = the_call(server)
    assert end_of(events).reason == "ended"
    assert started_of(events).source == "audiohook"
    assert set(gaps_of(events)) == {
        ("agent", 3_000, 5_000, "pause"),
        ("customer", 3_000, 5_000, "pause"),
    }
    report = build_report(events)
    assert report.call.duration_ms == 9_000
    assert report.call.channels == ("customer", "agent")


def refusal(socket: ClientConnection, client: Client) -> tuple[str, float]:
    began_s = time.monotonic()
    answer = exchange(socket, client, client.open())
    passed_s = time.monotonic() - began_s
    assert (
        exchange(socket, client, client.message("close", {"reason": "disconnect"}))["type"]
        == "closed"
    )
    return str(answer["parameters"].get("reason")), passed_s


@pytest.mark.parametrize(
    "changes",
    [
        {"signed": False},
        {"age_s": -11},
        {"age_s": 60},
        {"x-api-key": "other"},
        {"audiohook-session-id": "other"},
        {"signature": "sig1=:AAAA:"},
    ],
)
def test_unsigned_expired_and_altered_upgrades_are_refused_alike(
    server: Running, changes: dict[str, Any]
) -> None:
    session_id = str(changes.get("audiohook-session-id", SESSION))
    with session(server, **changes) as (socket, client):
        client.session = session_id
        reason, passed_s = refusal(socket, client)
    assert reason == "unauthorized"
    assert passed_s >= 0.45
    assert server.calls.running == {}


def test_a_replayed_upgrade_is_refused(server: Running) -> None:
    nonce = secrets.token_urlsafe(18)
    with session(server, nonce=nonce) as (socket, client):
        assert exchange(socket, client, client.open(conversationId=NULL))["type"] == "opened"
    with session(server, nonce=nonce) as (socket, client):
        assert refusal(socket, client)[0] == "unauthorized"


def test_a_probe_leaves_no_trace(server: Running) -> None:
    before = len(server.calls.journal.calls())
    with session(server) as (socket, client):
        exchange(socket, client, client.open(conversationId=NULL))
        send(socket, 0, 1_000)
        exchange(socket, client, client.message("close", {"reason": "end"}))
    assert len(server.calls.journal.calls()) == before


def test_a_client_that_misses_a_pong_reports_408_and_ends(server: Running) -> None:
    session_id = "30b0e395-0000-4570-ac13-9a62d8f514c1"
    with session(server, session_id) as (socket, client):
        exchange(socket, client, client.open())
        socket.send(client.message("error", {"code": 408, "message": "no pong"}))
        exchange(socket, client, client.message("close", {"reason": "error"}))
        socket.send(frames())
    until(lambda: session_id not in server.calls.running)
    assert end_of(server.calls.journal.events(session_id)).reason == "source_error"


def test_a_session_continued_over_another_socket_is_one_call(server: Running) -> None:
    first, second = "aaaaaaaa-84d3-4570-ac13-9a62d8f514c0", "bbbbbbbb-84d3-4570-ac13-9a62d8f514c0"
    with session(server, first) as (socket, client):
        exchange(socket, client, client.open())
        send(socket, 0, 2_000)
        exchange(socket, client, client.message("close", {"reason": "reconnect"}))
    with session(server, second) as (socket, client):
        client.sent_samples = 1_500 * 8
        continued = [{"id": first, "serverseq": 2, "clientseq": 2}]
        exchange(socket, client, client.open(continuedSessions=continued))
        send(socket, 1_500, 4_000)
        exchange(socket, client, client.message("close", {"reason": "end"}))
    until(lambda: first not in server.calls.running)
    events = server.calls.journal.events(first)
    assert gaps_of(events) == []
    assert build_report(events).call.duration_ms == 4_000


def test_a_socket_without_open_is_closed_by_the_server_only_in_time(server: Running) -> None:
    with session(server) as (socket, client):
        socket.send(client.message("ping"))
        answer = client.take(socket.recv(timeout=10))
        assert answer["parameters"]["reason"] == "error"
        socket.send(client.message("close", {"reason": "disconnect"}))
        assert client.take(socket.recv(timeout=10))["type"] == "closed"
        socket.close()
    with pytest.raises(ConnectionClosed):
        socket.recv(timeout=1)


def test_a_conversation_with_everything_in_it_is_answered_message_by_message() -> None:
    """Every message of the protocol once, numbered and echoed as `Client.take` demands."""
    with serving(audiohook_keys={KEY: SECRET}) as server, session(server) as (socket, client):

        def asked(kind: str) -> dict[str, Any]:
            message = client.take(socket.recv(timeout=10))
            assert message["type"] == kind
            return message

        opened = exchange(socket, client, client.open())
        assert (opened["type"], opened["parameters"]["media"]) == ("opened", [OFFERS[0]])
        send(socket, 0, 2_000)
        for rtt in ({}, {"rtt": "PT0.04S"}):
            pong = exchange(socket, client, client.message("ping", rtt))
            assert (pong["type"], pong["clientseq"]) == ("pong", client.seq)
        reached(server, SESSION, 2_000)
        address = f"ws://127.0.0.1:{server.port}/v1/calls/{SESSION}/events"
        with connect(address) as panel:
            panel.send(json.dumps({"type": "ticket", "ticket": ticket(server)}))
            panel.send('{"type":"pause_capture"}')
            assert asked("pause")["parameters"] == {}
            socket.send(client.message("paused"))
            send(socket, 2_000, 3_000)
            panel.send('{"type":"resume_capture"}')
            assert asked("resume")["parameters"] == {}
        client.sent_samples = 3_000 * 8
        socket.send(client.message("resumed", {"start": "PT2S", "discarded": "PT1S"}))
        send(socket, 3_000, 4_000)
        socket.send(client.message("discarded", {"start": "PT4S", "discarded": "PT0.5S"}))
        send(socket, 4_500, 6_000)
        updated = exchange(socket, client, client.message("update", {"language": "en-GB"}))
        assert (updated["type"], updated["parameters"]) == ("updated", {})
        limited = {"code": 429, "message": "slow down", "retryAfter": "PT2S"}
        socket.send(client.message("error", limited))
        closed = exchange(socket, client, client.message("close", {"reason": "end"}))
        assert (closed["type"], closed["parameters"]) == ("closed", {})
        socket.close()
        events = the_call(server)
    assert end_of(events).reason == "ended"
    missing = {gap[1:] for gap in gaps_of(events)}
    assert {gap for gap in missing if gap[2] != "pause"} == {(4_000, 4_500, "discard")}
    paused = sorted(gap[:2] for gap in missing if gap[2] == "pause")
    assert (paused[0][0], paused[-1][1]) == (2_000, 3_000)
    assert all(before[1] == after[0] for before, after in pairwise(paused))
    report = build_report(events)
    assert report.call.duration_ms == 6_000
    assert report.quality.direction_known


def test_a_wrong_number_ends_the_session_and_the_call_is_reported(server: Running) -> None:
    session_id = "cccccccc-84d3-4570-ac13-9a62d8f514c0"
    with session(server, session_id) as (socket, client):
        exchange(socket, client, client.open())
        send(socket, 0, 1_000)
        answer = exchange(socket, client, client.message("ping", seq=7))
        assert (answer["type"], answer["parameters"]["reason"]) == ("disconnect", "error")
        socket.send(client.message("close", {"reason": "disconnect"}, seq=2))
        assert client.take(socket.recv(timeout=10))["type"] == "closed"
    until(lambda: session_id not in server.calls.running)
    assert end_of(server.calls.journal.events(session_id)).reason == "disconnected"
