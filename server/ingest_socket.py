"""The native ingest socket: a call's audio in, acknowledgements and the report's address out."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import Any

import msgspec
from litestar import WebSocket, websocket
from litestar.datastructures import State
from litestar.exceptions import WebSocketDisconnect

from server.calls import RunningCall
from server.ingest import IngestError, Stop, read_start

FIRST_MESSAGE_S = 10.0
_ACK_EVERY_S = 1.0
_TEXTS_PER_S = 20
"""Text messages a source may send within a second."""


@websocket("/v1/ingest", opt={"public": True})
async def ingest(socket: WebSocket[Any, Any, Any], state: State) -> None:
    """Take one call's audio; a socket that is lost may be followed by another."""
    if socket.headers.get("origin") is not None:
        await socket.close(4403, "Browsers may not send audio without signing in.")
        return
    await socket.accept()
    call: RunningCall | None = None
    epoch = 0
    try:
        async with asyncio.timeout(FIRST_MESSAGE_S):
            first = await socket.receive_data("text")
        call, epoch, items = await state.calls.attach(read_start(first or ""), socket)
        await send(
            socket,
            type="started",
            call_id=call.live.call_id,
            epoch=epoch,
            position_ms=call.decoder.position_ms,
        )
        await call.put(items)
        acknowledging = asyncio.ensure_future(_acknowledge(socket, call))
        try:
            stopped = await _receive(socket, call, epoch)
        finally:
            acknowledging.cancel()
        if stopped:
            await call.end("ended")
            url = f"/v1/calls/{call.live.call_id}/report.html"
            await send(socket, type="stopped", report=url)
            await socket.close()
    except IngestError as error:
        with contextlib.suppress(WebSocketDisconnect):
            await send(socket, type="error", code=error.code, message=str(error))
            await socket.close(error.close_code, error.code)
    except TimeoutError:
        await socket.close(4408, "start_timeout")
    except WebSocketDisconnect:
        pass
    finally:
        if call is not None:
            call.detach(epoch)


async def _receive(socket: WebSocket[Any, Any, Any], call: RunningCall, epoch: int) -> bool:
    """Read until the source stops (true), is lost, or another socket has taken over (false)."""
    loop = asyncio.get_running_loop()
    texts: deque[float] = deque(maxlen=_TEXTS_PER_S)
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect" or call.epoch != epoch:
            return False
        data = message.get("bytes")
        if isinstance(data, bytes):
            items = call.decoder.feed_bytes(data)
        else:
            if len(texts) == _TEXTS_PER_S and loop.time() - texts[0] < 1.0:
                raise IngestError(
                    "rate_limited", 4429, f"More than {_TEXTS_PER_S} text messages in a second."
                )
            texts.append(loop.time())
            items = call.decoder.feed_text(str(message.get("text")))
        await call.put([item for item in items if not isinstance(item, Stop)])
        if any(isinstance(item, Stop) for item in items):
            return True


async def _acknowledge(socket: WebSocket[Any, Any, Any], call: RunningCall) -> None:
    """Say about once a second what is analysed and committed."""
    acked_ms = call.acked_ms
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await asyncio.sleep(_ACK_EVERY_S)
            if call.acked_ms > acked_ms:
                acked_ms = call.acked_ms
                await send(socket, type="ack", position_ms=acked_ms)


async def send(socket: WebSocket[Any, Any, Any], **message: Any) -> None:
    """Send one JSON message."""
    await socket.send_text(msgspec.json.encode(message).decode())
