"""uvicorn's two protocols with the deadlines and buffer bounds that they lack.

uvicorn waits for ever for a request's bytes, and its keepalive closes a dead WebSocket in a way
that waits for a peer that reads nothing (`reliability.md` section 5).
"""

from __future__ import annotations

import asyncio
import socket
from asyncio import BaseTransport, Transport
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

REQUEST_S = 10.0
"""Time for a request's head, from the connection or its first byte; and again for its body."""
MAX_CONNECTIONS = 4_096
"""Connections at a time: 200 calls, 2,000 dashboards, and room for browsers."""
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n"
    b"Connection: close\r\n\r\n"
)
_BODY_BYTES_PER_S = 65_536
_SEND_BUFFER_BYTES = 65_536
_USER_TIMEOUT_MS = 10_000
_WRITE_HIGH_WATER_BYTES = 262_144
_CLOSE_S = 2.0


class HttpProtocol(HttpToolsProtocol):
    """HTTP with a deadline for receiving each request, and a bound on connections."""

    _deadline: asyncio.TimerHandle | None = None
    _body_bytes = 0

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._arm()
        if len(self.connections) > MAX_CONNECTIONS:
            transport.write(_FULL)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._disarm()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """A request's first byte: its head has to follow."""
        super().on_message_begin()
        self._body_bytes = 0
        self._arm()

    def on_headers_complete(self) -> None:
        """The head is there: its body has to follow."""
        super().on_headers_complete()
        self._arm()

    def on_body(self, body: bytes) -> None:
        """Each 64 KiB of body buys another second."""
        super().on_body(body)
        before, self._body_bytes = self._body_bytes, self._body_bytes + len(body)
        seconds = self._body_bytes // _BODY_BYTES_PER_S - before // _BODY_BYTES_PER_S
        if seconds and self._deadline is not None:
            self._arm(self._deadline.when() - self.loop.time() + seconds)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._disarm()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """The connection is no longer HTTP."""
        self._disarm()
        super().handle_websocket_upgrade()

    def _arm(self, seconds: float = REQUEST_S) -> None:
        self._disarm()
        self._deadline = self.loop.call_later(seconds, self.transport.abort)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """WebSockets whose dead or stuck peers are gone within 10 s and hold little memory."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.close_timeout = _CLOSE_S
        self._heard_since_ping = False

    def connection_made(self, transport: BaseTransport) -> None:
        """Bound the kernel's and the transport's buffers."""
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=_WRITE_HIGH_WATER_BYTES)
        connection = transport.get_extra_info("socket")
        if connection is None:
            return
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        user_timeout = getattr(socket, "TCP_USER_TIMEOUT", None)
        if user_timeout is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
            connection.setsockopt(socket.IPPROTO_TCP, user_timeout, _USER_TIMEOUT_MS)

    def data_received(self, data: bytes) -> None:
        """Take note that the peer lives."""
        self._heard_since_ping = True
        super().data_received(data)

    def send_receive_event_to_app(self) -> None:
        """Read on while one message waits.

        uvicorn stops at the first, which costs two system calls for each.
        """
        paused = self.read_paused
        self.read_paused = paused or self.queue.empty()
        super().send_receive_event_to_app()
        if self.queue.qsize() <= 1:
            self.read_paused = paused

    def send_keepalive_ping(self) -> None:
        """Ask for a sign of life."""
        self._heard_since_ping = False
        super().send_keepalive_ping()

    def keepalive_timeout(self) -> None:
        """Drop a peer that does not answer: it would not read a goodbye either.

        A peer that sends is alive, and its answer may stand behind audio that is not read yet
        because the analysis is behind.
        """
        if self._heard_since_ping or self.read_paused:
            self.pong_timer = None
            self.pending_ping_payload = None
            self.schedule_ping()
            return
        super().keepalive_timeout()
        self.transport.abort()
