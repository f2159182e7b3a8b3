"""A real server on loopback: who gets in, how audio comes in, what dashboards and reports show."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import cache
from pathlib import Path
from socket import SHUT_RDWR
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from asr.settings import AsrSettings
from audio.sources import open_recording
from conversation.events import AudioGap, CallEnded, Event, EventLog
from server.access import SignIn
from server.hearing import Hearing, HearingSettings
from server.people.roles import LOCAL_PERSON
from server.runner import Running, running_server

pytestmark = [pytest.mark.server, pytest.mark.model]
HERE = SignIn(LOCAL_PERSON, None)
SAMPLE = Path(__file__).parents[2] / "server" / "sample" / "call.flac"
BLOCK = 800 * 4
START: dict[str, Any] = {
    "type": "start",
    "version": 1,
    "channels": ["agent", "customer"],
    "encoding": "pcm_s16le",
    "sample_rate": 8000,
}


@pytest.fixture(scope="module")
def hearing() -> Iterator[Hearing]:
    with Hearing(HearingSettings(asr=AsrSettings(enabled=False))) as loaded:
        yield loaded


@pytest.fixture
def server(hearing: Hearing, tmp_path: Path) -> Iterator[Running]:
    with running_server(hearing, tmp_path / "heartline.db") as running:
        yield running


@cache
def pcm() -> bytes:
    """Ten seconds of the sample call, 12 s to 22 s, as interleaved samples."""
    recording = open_recording(SAMPLE)
    both = np.stack([recording.samples(c) for c in recording.channels], axis=1)
    return (both[12 * 8_000 : 22 * 8_000] * 32_767).astype("<i2").tobytes()


def send_audio(socket: ClientConnection, begin_ms: int = 0, end_ms: int = 10_000) -> None:
    audio = pcm()[begin_ms * 32 : end_ms * 32]
    for at in range(0, len(audio), BLOCK):
        socket.send(audio[at : at + BLOCK])


def expect(socket: ClientConnection, kind: str) -> dict[str, Any]:
    while True:
        message: dict[str, Any] = json.loads(socket.recv(timeout=20))
        if message["type"] == kind:
            return message


@contextmanager
def open_call(server: Running, **changes: Any) -> Iterator[tuple[ClientConnection, dict[str, Any]]]:
    with connect(server.ingest_url) as socket:
        socket.send(json.dumps({**START, **changes}))
        yield socket, expect(socket, "started")


def stop(socket: ClientConnection) -> dict[str, Any]:
    socket.send('{"type":"stop"}')
    return expect(socket, "stopped")


def close_code(socket: ClientConnection) -> int | None:
    try:
        while True:
            socket.recv(timeout=20)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


def whole_call(server: Running, call_id: str) -> list[Event]:
    with open_call(server, call_id=call_id) as (socket, _):
        send_audio(socket)
        stop(socket)
    return server.calls.journal.events(call_id)


def request(
    server: Running, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    given = {"Content-Type": "application/json", **headers}
    content = json.dumps(body) if body is not None else None
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        connection.request(method, path, content, given)
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, found, answer.read()


def sign_in(server: Running) -> dict[str, str]:
    status, headers, _ = request(server, "POST", "/v1/session", {"token": server.user.token})
    assert status == 204
    return {"Cookie": headers["set-cookie"].partition(";")[0]}


@contextmanager
def event_socket(server: Running, call_id: str) -> Iterator[ClientConnection]:
    with connect(f"ws://127.0.0.1:{server.port}/v1/calls/{call_id}/events") as socket:
        socket.send(json.dumps({"type": "ticket", "ticket": server.access.new_ticket(HERE)}))
        yield socket


# --------------------------------------------------------------------------- who gets in


def test_the_token_of_the_address_opens_the_calls_once(server: Running) -> None:
    assert request(server, "GET", "/v1/calls")[0] == 401
    cookie = sign_in(server)
    assert request(server, "GET", "/v1/calls", **cookie)[0] == 200
    assert request(server, "POST", "/v1/session", {"token": server.user.token})[0] == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/calls"), ("POST", "/v1/tickets"), ("GET", "/v1/calls/c/report.json")],
)
def test_nothing_is_shown_to_who_is_not_signed_in(server: Running, method: str, path: str) -> None:
    assert request(server, method, path)[0] == 401
    assert request(server, method, path, Authorization="Bearer guess")[0] == 401


def test_the_key_of_the_command_line_gives_tickets(server: Running) -> None:
    status, _, body = request(
        server, "POST", "/v1/tickets", Authorization=f"Bearer {server.user.key}"
    )
    assert status == 200
    assert server.access.redeem(json.loads(body)["ticket"]) == HERE


def test_other_names_and_other_origins_are_refused(server: Running) -> None:
    cookie = sign_in(server)
    assert request(server, "GET", "/v1/calls", Host="evil.example", **cookie)[0] == 403
    origin = {"Origin": "https://evil.example"}
    assert request(server, "GET", "/v1/calls", **origin, **cookie)[0] == 403
    assert request(server, "GET", "/", Host="evil.example")[0] == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1"])
def test_a_web_page_cannot_send_audio(server: Running, origin: str) -> None:
    with (
        pytest.raises(InvalidStatus),
        connect(server.ingest_url, origin=Origin(origin)),
    ):
        pass


def test_every_answer_forbids_framing_sniffing_and_referrers(server: Running) -> None:
    _, headers, _ = request(server, "GET", "/livez")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    _, headers, _ = request(server, "GET", "/")
    assert "frame-ancestors 'none'" in headers.get("content-security-policy", "")


def test_events_need_a_fresh_ticket_and_a_known_call(server: Running) -> None:
    url = f"ws://127.0.0.1:{server.port}/v1/calls/nothing/events"
    with connect(url) as socket:
        socket.send('{"type":"ticket","ticket":"guess"}')
        assert close_code(socket) == 4401
    with connect(url) as socket:
        socket.send("not json")
        assert close_code(socket) == 4401
    with event_socket(server, "nothing") as socket:
        assert close_code(socket) == 4404


# --------------------------------------------------------------------------- a call


def test_a_call_is_acknowledged_reported_and_shown_without_a_hole(server: Running) -> None:
    with (
        open_call(server, agent="ann") as (socket, started),
        event_socket(server, call_id := started["call_id"]) as dashboard,
    ):
        assert (started["epoch"], started["position_ms"]) == (1, 0)
        assert expect(dashboard, "hello")["version"] == 1
        seq = expect(dashboard, "snapshot")["seq"]
        send_audio(socket)
        assert expect(socket, "ack")["position_ms"] >= 1_000
        report = stop(socket)["report"]
        seen = []
        while (message := json.loads(dashboard.recv(timeout=20)))["type"] != "report":
            seen += [message["seq"]] if message["type"] == "event" else []
    assert seen == list(range(seq + 1, seq + 1 + len(seen)))
    assert report == f"/v1/calls/{call_id}/report.html"
    cookie = sign_in(server)
    status, headers, page = request(server, "GET", report, **cookie)
    assert (status, b"<html" in page) == (200, True)
    assert "default-src 'none'" in headers["content-security-policy"]
    decoded = json.loads(request(server, "GET", f"/v1/calls/{call_id}/report.json", **cookie)[2])
    assert decoded["call"]["agent"] == "ann"
    assert decoded["call"]["duration_ms"] == 10_000
    (row,) = json.loads(request(server, "GET", "/v1/calls", **cookie)[2])
    assert (row["call_id"], row["live"]) == (call_id, False)


@pytest.mark.parametrize(
    ("first", "code", "close"),
    [
        ("{", "bad_start", 4400),
        ('{"type":"stop"}', "bad_start", 4400),
        (json.dumps({**START, "version": 9}), "unsupported_version", 4400),
        (json.dumps({**START, "encoding": "opus"}), "unsupported_format", 4415),
        (json.dumps({**START, "call_id": "x", "resume_from_ms": 0}), "unknown_call", 4404),
        (b"\x00\x01", "bad_start", 4400),
    ],
)
def test_a_bad_first_message_is_answered_by_code(
    server: Running, first: str | bytes, code: str, close: int
) -> None:
    with connect(server.ingest_url) as socket:
        socket.send(first)
        assert expect(socket, "error")["code"] == code
        assert close_code(socket) == close


def test_a_flood_of_text_is_stopped(server: Running) -> None:
    with open_call(server) as (socket, _):
        for _ in range(21):
            socket.send('{"type":"gap","ms":10}')
        assert expect(socket, "error")["code"] == "rate_limited"
        assert close_code(socket) == 4429


def test_a_server_says_whether_it_lives_and_can_take_calls(server: Running) -> None:
    assert request(server, "GET", "/livez")[0] == 200
    assert request(server, "GET", "/readyz")[0] == 200


def test_half_a_sample_ends_the_socket_and_keeps_what_came_before(server: Running) -> None:
    with open_call(server) as (socket, started):
        send_audio(socket, 0, 2_000)
        socket.send(b"\x00")
        assert expect(socket, "error")["code"] == "bad_audio"
        assert close_code(socket) == 4422
    going_on = {"call_id": started["call_id"], "resume_from_ms": 2_000}
    with open_call(server, **going_on) as (again, resumed):
        assert (resumed["epoch"], resumed["position_ms"]) == (2, 2_000)
        stop(again)
    assert server.calls.journal.events(started["call_id"])[-1].at_ms >= 2_000


def test_a_call_that_lost_its_socket_is_the_same_call_as_one_that_did_not(
    server: Running,
) -> None:
    with open_call(server) as (socket, started):
        send_audio(socket, 0, 4_300)
        expect(socket, "ack")
        socket.socket.shutdown(SHUT_RDWR)
    going_on = {"call_id": started["call_id"], "resume_from_ms": 3_000}
    with open_call(server, **going_on) as (again, resumed):
        assert resumed["epoch"] == 2
        send_audio(again, 3_000, 10_000)
        stop(again)
    cut = server.calls.journal.events(started["call_id"])
    uncut = whole_call(server, "uncut")
    assert [EventLog.encode(e) for e in cut[1:]] == [EventLog.encode(e) for e in uncut[1:]]


def test_a_second_socket_supersedes_the_first(server: Running) -> None:
    with (
        open_call(server) as (first, started),
        open_call(server, call_id=started["call_id"], resume_from_ms=0) as (second, resumed),
    ):
        assert resumed["epoch"] == 2
        assert close_code(first) == 4409
        send_audio(second, 0, 1_000)
        stop(second)


def test_an_id_is_used_for_one_call(server: Running) -> None:
    whole_call(server, "mine")
    with connect(server.ingest_url) as socket:
        socket.send(json.dumps({**START, "call_id": "mine"}))
        assert expect(socket, "error")["code"] == "call_ended"
        assert close_code(socket) == 4410
    with event_socket(server, "mine") as dashboard:
        assert expect(dashboard, "report")["url"] == "/v1/calls/mine/report.html"
    row = server.calls.journal.call("mine")
    assert row is not None
    assert (row.live, row.duration_ms > 0) == (False, True)


def test_nothing_said_during_a_pause_is_kept(server: Running) -> None:
    with open_call(server) as (socket, started):
        send_audio(socket, 0, 2_000)
        socket.send('{"type":"pause"}')
        send_audio(socket, 2_000, 8_000)
        socket.send('{"type":"resume"}')
        send_audio(socket, 8_000, 10_000)
        stop(socket)
    events = [json.loads(EventLog.encode(e)) for e in journal(server, started["call_id"])]
    spoken = [e for e in events if e["type"] == "speech_started"]
    assert spoken
    assert not [e for e in spoken if 2_000 < e["start_ms"] < 7_990]
    lost = [e for e in events if e["type"] == "audio_gap" and e["channel"] == "agent"]
    assert {e["reason"] for e in lost} == {"pause"}
    assert sum(e["end_ms"] - e["begin_ms"] for e in lost) == 6_000


def journal(server: Running, call_id: str) -> list[Event]:
    return server.calls.journal.events(call_id)


def test_a_call_of_an_earlier_run_can_still_be_looked_at(hearing: Hearing, tmp_path: Path) -> None:
    path = tmp_path / "heartline.db"
    with running_server(hearing, path) as first:
        whole_call(first, "kept")
    with running_server(hearing, path) as second, event_socket(second, "kept") as dashboard:
        snapshot = expect(dashboard, "snapshot")
        assert snapshot["events"][0]["type"] == "call_started"
        assert expect(dashboard, "report")["url"] == "/v1/calls/kept/report.html"


def test_a_call_goes_on_in_the_server_after_the_one_that_stopped(
    hearing: Hearing, tmp_path: Path
) -> None:
    path = tmp_path / "heartline.db"
    with ExitStack() as stack, running_server(hearing, path) as first:
        socket, started = stack.enter_context(open_call(first))
        send_audio(socket, 0, 5_000)
        acked_ms = expect(socket, "ack")["position_ms"]
        first_epoch = started["epoch"]
    with running_server(hearing, path) as second:
        assert [row.live for row in second.calls.journal.calls()] == [True]
        going_on = {"call_id": started["call_id"], "resume_from_ms": acked_ms}
        with (
            open_call(second, **going_on) as (again, resumed),
            event_socket(second, started["call_id"]) as dashboard,
        ):
            assert (resumed["epoch"], resumed["position_ms"]) == (first_epoch + 1, acked_ms)
            assert expect(dashboard, "snapshot")["events"][0]["type"] == "call_started"
            send_audio(again, acked_ms, 10_000)
            stop(again)
        events = journal(second, started["call_id"])
    assert [e.reason for e in events if isinstance(e, CallEnded)] == ["ended"]
    assert not [e for e in events if isinstance(e, AudioGap)]
    assert events[-1].at_ms >= 9_990
