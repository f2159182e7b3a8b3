"""The TCP server for Asterisk's AudioSocket; off unless a port is set."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence

from server.adapters.audiosocket import AudioSocketDecoder
from server.calls import Calls
from server.stream_session import StreamSession

_READ_BYTES = 4_096
_MAX_CONNECTIONS = 1_000
_SILENT_S = 30.0
"""A connection that sends nothing for longer is gone."""


class _TcpPeer:
    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    async def send(self, messages: Sequence[str | bytes]) -> None:
        with contextlib.suppress(ConnectionError):
            for message in messages:
                self._writer.write(message if isinstance(message, bytes) else message.encode())
            await self._writer.drain()

    async def close(self, code: int, reason: str) -> None:
        self._writer.close()


@contextlib.asynccontextmanager
async def audiosocket_server(calls: Calls, listener: socket.socket | None) -> AsyncIterator[None]:
    """Take connections of a listening socket while the block runs; None is off."""
    if listener is None:
        yield
        return
    connections = 0

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        if connections >= _MAX_CONNECTIONS:
            writer.close()
            return
        connections += 1
        try:
            await _serve(reader, writer, calls)
        finally:
            connections -= 1
            writer.close()

    server = await asyncio.start_server(connected, sock=listener)
    async with server:
        yield


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, calls: Calls) -> None:
    decoder = AudioSocketDecoder(
        calls.expected.take, kind_11_hz=calls.ingest.audiosocket_kind_11_hz
    )
    session = StreamSession(decoder, calls, _TcpPeer(writer))
    keeping_time = asyncio.ensure_future(session.keep_time())
    try:
        while not session.over:
            async with asyncio.timeout(_SILENT_S):
                data = await reader.read(_READ_BYTES)
            if not data:
                break
            await session.feed(data)
    except (TimeoutError, ConnectionError):
        pass
    finally:
        keeping_time.cancel()
        await session.lost(orderly=False)
