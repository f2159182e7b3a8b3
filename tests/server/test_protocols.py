"""Peers that dribble, stall or read nothing are gone in time and hold little memory (A22, F18)."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import server.protocols
from server.runner import Running
from server.session import CallSession
from tests.server.live import close_code, expect, native, send_audio, serving

pytestmark = pytest.mark.server
DEADLINE_S = 0.6


@pytest.fixture(autouse=True)
def short_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.protocols, "REQUEST_S", DEADLINE_S)
    monkeypatch.setattr(
        server.protocols.HttpProtocol._arm, "__defaults__", (DEADLINE_S,), raising=False
    )


@pytest.fixture
def server_() -> Iterator[Running]:
    with serving() as running:
        yield running


def gone_after_s(connection: socket.socket, dribble: bytes = b"") -> float:
    """Send a byte every 50 ms until the server hangs up; return how long that took."""
    connection.settimeout(0.05)
    began_s = time.monotonic()
    sent = 0
    while time.monotonic() - began_s < 10:
        try:
            if sent < len(dribble):
                connection.sendall(dribble[sent : sent + 1])
                sent += 1
            if connection.recv(4_096) == b"":
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return time.monotonic() - began_s


@pytest.mark.parametrize(
    ("first", "dribble"),
    [
        (b"", b""),
        (b"GET / HTTP/1.1\r\n", b""),
        (b"GET / HTTP/1.1\r\n", b"X-Slow: " + b"a" * 1_000),
        (
            b"POST /v1/session HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9999\r\n\r\n",
            b"{" * 1_000,
        ),
    ],
    ids=["idle", "half a head", "dribbled head", "dribbled body"],
)
def test_a_request_that_does_not_come_in_time_is_dropped(
    server_: Running, first: bytes, dribble: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", server_.port)) as connection:
        connection.sendall(first)
        passed_s = gone_after_s(connection, dribble)
    assert DEADLINE_S * 0.9 <= passed_s < 5


def test_a_body_that_comes_fast_enough_is_heard_out(server_: Running) -> None:
    body = b"{" + b" " * 400_000 + b"}"
    head = (
        b"POST /v1/session HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server_.port)) as connection:
        connection.settimeout(10)
        connection.sendall(head)
        for at in range(0, len(body), 65_536):
            connection.sendall(body[at : at + 65_536])
            time.sleep(0.15)
        assert connection.recv(64).startswith(b"HTTP/1.1 400")


def test_an_upgraded_socket_has_no_deadline_of_a_request(server_: Running) -> None:
    with native(server_) as (call, _):
        time.sleep(DEADLINE_S * 2)
        send_audio(call, 0, 5_000)
        assert expect(call, "ack")["position_ms"] >= 0


def test_many_half_open_sockets_do_not_keep_a_call_out(server_: Running) -> None:
    half_open = []
    for _ in range(200):
        connection = socket.create_connection(("127.0.0.1", server_.port))
        connection.sendall(b"GET /v1/ingest HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        half_open.append(connection)
    with native(server_) as (call, _):
        send_audio(call, 0, 3_000)
        call.send('{"type":"stop"}')
        expect(call, "stopped")
    assert all(gone_after_s(connection) < 10 for connection in half_open)
    for connection in half_open:
        connection.close()


UPGRADE = (
    b"GET /v1/ingest HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\n\r\n"
)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    made = server.protocols.WebSocketProtocol.__init__

    def make(self: server.protocols.WebSocketProtocol, *given: Any, **named: Any) -> None:
        made(self, *given, **named)
        self.ping_interval = self.ping_timeout = 0.1

    monkeypatch.setattr(server.protocols.WebSocketProtocol, "__init__", make)


def test_a_connection_too_many_is_told_to_come_back(
    server_: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.protocols, "MAX_CONNECTIONS", 3)
    address = ("127.0.0.1", server_.port)
    held = [socket.create_connection(address) for _ in range(3)]
    time.sleep(0.2)
    with socket.create_connection(address) as one_more:
        one_more.settimeout(10)
        one_more.sendall(UPGRADE)
        assert one_more.recv(4_096).startswith(b"HTTP/1.1 503")
    for connection in held:
        connection.close()


@pytest.mark.usefixtures("impatient")
def test_a_peer_that_answers_no_ping_is_aborted(server_: Running) -> None:
    with socket.create_connection(("127.0.0.1", server_.port)) as peer:
        peer.settimeout(10)
        peer.sendall(UPGRADE)
        began_s = time.monotonic()
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while data := peer.recv(4_096):
                received += data
        assert received.startswith(b"HTTP/1.1 101")
        assert time.monotonic() - began_s < 5


@pytest.mark.usefixtures("impatient")
def test_a_source_whose_answer_waits_behind_its_audio_is_not_taken_for_dead(
    server_: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    push = CallSession.push

    def slow(self: CallSession, items: Any) -> Any:
        time.sleep(0.01)
        return push(self, items)

    monkeypatch.setattr(CallSession, "push", slow)
    with native(server_) as (call, _):
        for _ in range(2):
            send_audio(call, 0, 10_000)
        call.send('{"type":"stop"}')
        assert expect(call, "stopped")["report"]


def test_buffers_of_a_socket_are_bounded(server_: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    made = server.protocols.WebSocketProtocol.connection_made

    def look(self: server.protocols.WebSocketProtocol, transport: object) -> None:
        made(self, transport)  # type: ignore[arg-type]
        kernel = self.transport.get_extra_info("socket").getsockopt(
            socket.SOL_SOCKET, socket.SO_SNDBUF
        )
        seen.append((kernel, self.transport.get_write_buffer_limits()[1]))

    monkeypatch.setattr(server.protocols.WebSocketProtocol, "connection_made", look)
    with native(server_) as (call, _):
        call.send('{"type":"stop"}')
        expect(call, "stopped")
        assert close_code(call) == 1000
    ((kernel, high),) = seen
    assert kernel <= 2 * 65_536
    assert high == 262_144


def test_the_event_loop_is_uvloop_where_there_is_one(server_: Running) -> None:
    pytest.importorskip("uvloop")
    with native(server_):
        names = {thread.name for thread in threading.enumerate()}
    assert [name for name in names if name.startswith("uvloop")], names
