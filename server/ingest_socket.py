"""The native ingest socket: a call's audio in, acknowledgements and the report's address out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from litestar import WebSocket, websocket
from litestar.datastructures import State
from litestar.exceptions import WebSocketDisconnect

from conversation.events import CallEnded, SourceNotice
from server.access import Access
from server.adapters.contract import IngestError, Item
from server.adapters.pace import Rate, RateCheck, TextLimit, check_age
from server.calls import RunningCall
from server.ingest import read_start
from server.people.tenants import DEFAULT_TENANT

FIRST_MESSAGE_S = 10.0
_CREDENTIAL_S = 5.0
"""How long a source without a key in its headers may take to show one."""
_ACK_EVERY_S = 1.0
_SUBPROTOCOL = "heartline.v1"
_PROXY_HEADERS = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
GONE = (WebSocketDisconnect, OSError, RuntimeError)
"""What sending raises when the peer, or our own side, has closed the socket already."""


class NativeSource:
    """A native source's socket, as the call sees it."""

    def __init__(self, socket: WebSocket[Any, Any, Any]) -> None:
        self._socket = socket

    async def fail(self, error: IngestError) -> None:
        """Say why the source may not go on, and close the socket."""
        with contextlib.suppress(*GONE):
            await self.warn(error)
            await self._socket.close(error.close_code, error.code)

    async def warn(self, error: IngestError) -> None:
        """Say what was wrong; the socket stays open."""
        retry = {"retry_after_ms": error.retry_after_ms} if error.retry_after_ms else {}
        await send(self._socket, type="error", code=error.code, message=str(error), **retry)

    async def pause(self, paused: bool) -> None:
        """Nothing to tell: what comes meanwhile is thrown away."""

    async def drain(self) -> None:
        """Send the source away, to come back soon."""
        await self.fail(IngestError("draining", 1012, "This server is being restarted."))


@websocket("/v1/ingest", opt={"public": True})
async def ingest(socket: WebSocket[Any, Any, Any], state: State) -> None:
    """Take one call's audio; a socket that is lost may be followed by another."""
    if socket.headers.get("origin") is not None:
        await socket.close(4403, "Browsers may not send audio without signing in.")
        return
    offered = socket.scope["subprotocols"]
    await socket.accept(_SUBPROTOCOL if _SUBPROTOCOL in offered else None)
    source = NativeSource(socket)
    call: RunningCall | None = None
    epoch = 0
    try:
        tenant, first = await _first_message(socket, state)
        call, epoch, items = await state.calls.attach(read_start(first), source, tenant)
        away_ms = call.away_ms
        await send(
            socket,
            type="started",
            call_id=call.live.call_id,
            epoch=epoch,
            position_ms=call.decoder.position_ms if call.decoder else 0,
        )
        await call.put(items)
        acknowledging = asyncio.ensure_future(_acknowledge(socket, call))
        try:
            reader = _Reader(socket, source, call, epoch, replay=state.calls.ingest.replay)
            call.audio_limit.resumed(away_ms)
            stopped = await reader.read()
        finally:
            acknowledging.cancel()
        if stopped:
            await call.end("ended")
            url = f"/v1/calls/{call.live.call_id}/report"
            await send(socket, type="stopped", report=f"{url}.html")
            with contextlib.suppress(*GONE):
                await socket.close()
    except IngestError as error:
        state.calls.metrics.auth_failures["ingest"] += error.code == "unauthorized"
        await source.fail(error)
        if call is not None and error.ends_call:
            await call.leave(epoch, error.code)
    except WebSocketDisconnect:
        pass
    finally:
        if call is not None:
            call.detach(epoch)


async def _first_message(socket: WebSocket[Any, Any, Any], state: State) -> tuple[str, str | bytes]:
    """Return for which tenant a source may send audio, and its first message.

    Raises:
        IngestError: `unauthorized` or `start_timeout`.
    """
    access: Access = state.access
    header = socket.headers.get("authorization")
    if header:
        tenant = await asyncio.to_thread(access.sender, header)
    else:
        users = await asyncio.to_thread(access.accounts.any)
        allowed = state.calls.ingest.anonymous and not is_proxied(socket) and not users
        tenant = DEFAULT_TENANT if allowed else None
    refused = IngestError(
        "unauthorized", 4401, "Send a key with the scope ingest as Authorization: Bearer KEY."
    )
    if header and tenant is None:
        raise refused
    if tenant is None:
        try:
            ticket = msgspec.json.decode(await _receive(socket, _CREDENTIAL_S), type=_Auth)
        except (TimeoutError, msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise refused from error
        signed_in = await asyncio.to_thread(access.redeem, ticket.ticket)
        if signed_in is None:
            raise refused
        tenant = signed_in.person.tenant
    try:
        return tenant, await _receive(socket, FIRST_MESSAGE_S)
    except TimeoutError as error:
        raise IngestError("start_timeout", 4408, "No start message came within 10 s.") from error


def is_proxied(socket: WebSocket[Any, Any, Any]) -> bool:
    """Whether a proxy says that the peer is not on this machine, as its address suggests."""
    return any(name in socket.headers for name in _PROXY_HEADERS)


class _Auth(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="auth"):
    ticket: str


async def _receive(socket: WebSocket[Any, Any, Any], timeout_s: float) -> str | bytes:
    async with asyncio.timeout(timeout_s):
        message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(detail="", code=1006)
    return content(message)


def content(message: Mapping[str, Any]) -> str | bytes:
    """Return what a received message holds."""
    text, data = message.get("text"), message.get("bytes")
    if isinstance(text, str):
        return text
    return data if isinstance(data, bytes) else b""


class _Reader:
    """Reads one socket until it is over."""

    def __init__(
        self,
        socket: WebSocket[Any, Any, Any],
        source: NativeSource,
        call: RunningCall,
        epoch: int,
        *,
        replay: bool,
    ) -> None:
        self._socket = socket
        self._source = source
        self._call = call
        self._epoch = epoch
        self._replay = replay
        self._texts = TextLimit()
        self._rate = RateCheck()

    async def read(self) -> bool:
        """Read until the source stops (true), is lost, or another socket takes over (false)."""
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return False
            if not self._call.is_current(self._epoch):
                return False
            try:
                items = self._take(content(message))
            except IngestError as error:
                if error.fatal:
                    raise
                await self._source.warn(error)
                continue
            await self._call.put([item for item in items if not isinstance(item, CallEnded)])
            if any(isinstance(item, CallEnded) for item in items):
                return True

    def _take(self, message: str | bytes) -> Sequence[Item | SourceNotice]:
        decoder = self._call.decoder
        assert decoder is not None  # noqa: S101 - native calls have one
        now_ms = _now_ms()
        if isinstance(message, str):
            self._texts.add(now_ms)
            before_ms = decoder.newest_ms
            items = decoder.feed_text(message, now_ms)
            if not self._replay and decoder.newest_ms > before_ms:
                check_age(decoder.newest_ms, now_ms - self._call.opened_ms)
            return items
        if self._replay:
            return decoder.feed_bytes(message)
        self._call.audio_limit.add(decoder.fresh_ms(message), now_ms)
        items = decoder.feed_bytes(message)
        return [*items, *judge_rate(self._rate, decoder.newest_ms, now_ms)]


def judge_rate(check: RateCheck, position_ms: int, now_ms: int) -> list[SourceNotice]:
    """Compare stream time with the clock; return a warning when they part.

    Raises:
        IngestError: the audio comes at half or twice the stated rate.
    """
    verdict = check.add(position_ms, now_ms)
    if verdict is Rate.WRONG:
        raise IngestError(
            "unsupported_format",
            4415,
            f"The audio comes at {check.factor:.2f} times its stated sample rate.",
            ends_call=True,
        )
    if verdict is Rate.RIGHT:
        return []
    detail = f"the audio came at {check.factor:.3f} times its stated sample rate"
    return [SourceNotice(at_ms=0, code="rate_mismatch", detail=detail)]


async def _acknowledge(socket: WebSocket[Any, Any, Any], call: RunningCall) -> None:
    """Say about once a second what is analysed, committed and no longer needed."""
    acked_ms = call.acked_ms
    with contextlib.suppress(*GONE):
        while True:
            await asyncio.sleep(_ACK_EVERY_S)
            if call.acked_ms > acked_ms:
                acked_ms = call.acked_ms
                await send(socket, type="ack", position_ms=acked_ms)


def _now_ms() -> int:
    return round(asyncio.get_running_loop().time() * 1000)


async def send(socket: WebSocket[Any, Any, Any], **message: Any) -> None:
    """Send one JSON message.

    Raises:
        WebSocketDisconnect: the peer is gone.
    """
    try:
        await socket.send_text(msgspec.json.encode(message).decode())
    except OSError as error:  # uvicorn's word for a peer that is gone
        raise WebSocketDisconnect(detail="", code=1006) from error
