"""The event socket: what one dashboard is told of a call, and what its agent answers."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime
from typing import Any

import msgspec
from litestar import WebSocket, websocket
from litestar.datastructures import State
from litestar.exceptions import WebSocketDisconnect
from litestar.params import FromPath

from conversation.events import (
    AlertAcknowledged,
    CapturePaused,
    CaptureResumed,
    CueFeedback,
    HandRaised,
    NudgeSent,
    PromiseReviewed,
)
from conversation.redaction import redact_text
from server.access import Access
from server.calls import RunningCall
from server.ingest import Item
from server.ingest_socket import FIRST_MESSAGE_S, send
from server.people.roles import Action
from server.session import Control

_VERDICTS = frozenset({"up", "down", "justified", "dismiss", "snooze_5min", "snooze_call"})
_REVIEWS = frozenset({"confirmed", "edited", "rejected"})
_CUE_ID_CHARACTERS = 64
_CHECK_RIGHTS_EVERY_S = 1.0
"""How often an open socket is asked whether its owner may still look."""
_NUDGE_CHARACTERS, _WHAT_CHARACTERS = 60, 200


@websocket("/v1/calls/{call_id:str}/events", opt={"public": True})
async def call_events(
    socket: WebSocket[Any, Any, Any], call_id: FromPath[str], state: State
) -> None:
    """Send a call's events to one dashboard: ticket in, then hello, snapshot, events."""
    await socket.accept()
    try:
        async with asyncio.timeout(FIRST_MESSAGE_S):
            first = msgspec.json.decode(await socket.receive_data("text"), type=dict[str, Any])
    except (TimeoutError, msgspec.MsgspecError, WebSocketDisconnect):
        await socket.close(4401, "unauthorized")
        return
    access: Access = state.access
    ticket = str(first.get("ticket"))
    signed_in = await asyncio.to_thread(access.redeem, ticket)
    if first.get("type") != "ticket" or signed_in is None:
        await socket.close(4401, "unauthorized")
        return
    row = await asyncio.to_thread(state.calls.journal.call, call_id)
    action = Action.WATCH_LIVE if row is not None and row.live else Action.READ_CONTENT
    live = None
    if row is not None and signed_in.person.may_with(action, row.whose):
        live = await state.calls.find(call_id)
    if live is None:
        await socket.close(4404, "unknown_call")
        return
    await send(socket, type="hello", version=1)
    subscriber, snapshot = live.subscribe()
    try:
        await socket.send_text(snapshot.decode())
        if live.over:
            await socket.send_text(live.report_message().decode())
        async with asyncio.TaskGroup() as group:
            listener = group.create_task(_listen(socket, state.calls.running.get(call_id)))
            checked_s = access.now_s()
            while not listener.done():
                if access.now_s() - checked_s >= _CHECK_RIGHTS_EVERY_S:
                    checked_s = access.now_s()
                    if not await asyncio.to_thread(access.is_current, signed_in):
                        await socket.close(4403, "forbidden")
                        break
                if subscriber.overrun:
                    await socket.close(4408, "too slow")
                    break
                with contextlib.suppress(TimeoutError):
                    message = await asyncio.wait_for(subscriber.queue.get(), 1.0)
                    await socket.send_text(message.decode())
            listener.cancel()
    except* WebSocketDisconnect:
        pass
    finally:
        live.unsubscribe(subscriber)


async def _listen(socket: WebSocket[Any, Any, Any], call: RunningCall | None) -> None:
    """Take what the agent says of cues and of capture; anything else is ignored."""
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            text = await socket.receive_data("text")
            try:
                message = msgspec.json.decode(text, type=dict[str, Any])
            except msgspec.MsgspecError:
                continue
            item = _read(message)
            if call is not None and item is not None and not call.over:
                await call.put([item])


def _read(message: dict[str, Any]) -> Item | Control | None:
    kind = message.get("type")
    if kind == "feedback" and message.get("verdict") in _VERDICTS:
        cue_id = str(message.get("cue"))[:_CUE_ID_CHARACTERS]
        return CueFeedback(at_ms=0, cue_id=cue_id, verdict=str(message["verdict"]))
    if kind == "pause_capture":
        return CapturePaused(at_ms=0, mode="manual")
    if kind == "resume_capture":
        return CaptureResumed(at_ms=0)
    if kind == "raise_hand":
        return HandRaised(at_ms=0, raised=message.get("raised") is not False)
    if kind == "acknowledge":
        return AlertAcknowledged(at_ms=0, alert_id=_id(message.get("alert")))
    if kind == "nudge" and str(message.get("text", "")).strip():
        text = redact_text(str(message["text"]).strip()[:_NUDGE_CHARACTERS])
        return NudgeSent(at_ms=0, nudge_id=_id(message.get("nudge")), text=text)
    if kind == "promise" and message.get("verdict") in _REVIEWS:
        return _review(message)
    return None


def _review(message: dict[str, Any]) -> PromiseReviewed | None:
    """Read what the agent says of a promise; a due time that is none makes it no message."""
    what, due_at = message.get("what"), message.get("due_at")
    if due_at is not None:
        try:
            due_at = datetime.fromisoformat(str(due_at)).isoformat()
        except ValueError:
            return None
    return PromiseReviewed(
        at_ms=0,
        promise_id=_id(message.get("promise")),
        verdict=str(message["verdict"]),
        what=None if what is None else redact_text(str(what)[:_WHAT_CHARACTERS]),
        due_at=due_at,
    )


def _id(value: Any) -> str:
    return str(value)[:_CUE_ID_CHARACTERS]
