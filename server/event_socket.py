"""The event sockets: what dashboards are told of calls, and what people answer.

`/v1/calls/{call_id}/events` carries one call, `/v1/live` the cards of all live calls. On both the
client's first message is its ticket; then come hello, a snapshot, and numbered events. A gap in
`seq` means: open the socket again, the snapshot brings everything up to date.
"""

from __future__ import annotations

import asyncio
import contextlib
import unicodedata
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
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
from server.access import Access, SignIn
from server.calls import Calls
from server.controls import Control
from server.hub import SHOWN_TYPES, Audience, LiveCall, Snapshot, Subscriber
from server.ingest_socket import FIRST_MESSAGE_S, send
from server.people.roles import Action, Person
from server.rights import CHECK_EVERY_S, Rights
from server.store import Journal

WALL_EVERY_S = 1.0
"""How often the wall is told what changed; dashboards.md allows 2 s."""
NUDGE_CHARACTERS = 60
_VERDICTS = frozenset({"up", "down", "justified", "dismiss", "snooze_5min", "snooze_call"})
_REVIEWS = frozenset({"confirmed", "edited", "rejected"})
_SAID_BY = {
    Audience.AGENT: frozenset(
        {"feedback", "pause_capture", "resume_capture", "raise_hand", "promise"}
    ),
    Audience.WATCH: frozenset({"acknowledge", "nudge"}),
}
"""Kinds of message that each audience may send."""
_ID_CHARACTERS = 64
_PROMISE_CHARACTERS = 200

Message = dict[str, Any]


@websocket("/v1/calls/{call_id:str}/events", opt={"public": True})
async def call_events(
    socket: WebSocket[Any, Any, Any], call_id: FromPath[str], state: State
) -> None:
    """Send a call's events to one dashboard.

    The ticket message may say `"as": "watch"` for a supervisor's view, and `"snapshot": "view"`
    for the state instead of the events that led to it.
    """
    admitted = await _admit(socket, state)
    if admitted is None:
        return
    first, signed_in = admitted
    audience = Audience.WATCH if first.get("as") == "watch" else Audience.AGENT
    live = await _reached(state, call_id, signed_in.person, audience)
    if live is None:
        await socket.close(4404, "unknown_call")
        return
    await send(socket, type="hello", version=1)
    subscriber, snapshot = live.subscribe(audience)
    try:
        if first.get("snapshot") == "view":
            told = snapshot.as_view()
        else:
            journal = state.calls.journal.of(signed_in.person.tenant)
            told = await asyncio.to_thread(_told, journal, call_id, snapshot)
        await socket.send_text(told.decode())
        if live.over:
            await socket.send_text(live.report_message().decode())
        async with asyncio.TaskGroup() as group:
            calls: Calls = state.calls

            async def take(message: Message) -> None:
                await _put(calls, call_id, audience, message)

            async def listen() -> None:
                await _listen(socket, take)
                subscriber.hang_up()

            listener = group.create_task(listen())
            with state.rights.watching(signed_in):
                await _tell(socket, subscriber, partial(state.rights.hold, signed_in))
            state.metrics.dropped["dashboard"] += subscriber.overrun
            listener.cancel()
    except* WebSocketDisconnect:
        pass
    finally:
        live.unsubscribe(subscriber)


def _told(journal: Journal, call_id: str, snapshot: Snapshot) -> bytes:
    """Tell a snapshot as events; the call does not keep them, for it may last all day."""
    return snapshot.as_events(journal.events(call_id, types=SHOWN_TYPES))


async def _tell(
    socket: WebSocket[Any, Any, Any],
    subscriber: Subscriber,
    may_look: Callable[[], Awaitable[bool]],
) -> None:
    """Send what there is until the dashboard hangs up, falls behind or may no longer look."""
    while True:
        if not await may_look():
            await socket.close(4403, "forbidden")
            return
        if subscriber.queue.empty():
            try:
                async with asyncio.timeout(CHECK_EVERY_S):
                    message = await subscriber.queue.get()
            except TimeoutError:
                continue
        else:
            message = subscriber.queue.get_nowait()
        if subscriber.overrun:
            await socket.close(4408, "too slow")
            return
        if message is None:
            return
        await socket.send_text(message.decode())


@websocket("/v1/live", opt={"public": True})
async def live_calls(socket: WebSocket[Any, Any, Any], state: State) -> None:
    """Send the cards of all live calls: all at first, then once a second those that changed.

    Nothing is queued: a supervisor who reads slowly gets fewer updates, each of them current.
    """
    admitted = await _admit(socket, state)
    if admitted is None:
        return
    _, signed_in = admitted
    if not signed_in.person.may(Action.NUDGE):
        await socket.close(4403, "forbidden")
        return
    await send(socket, type="hello", version=1)
    calls: Calls = state.calls
    calls.metrics.walls += 1
    rights: Rights = state.rights

    async def take(message: Message) -> None:
        call_id = str(message.get("call_id"))
        if await _reached(state, call_id, signed_in.person, Audience.WATCH) is not None:
            await _put(calls, call_id, Audience.WATCH, message)

    try:
        with rights.watching(signed_in):
            async with asyncio.TaskGroup() as group:
                listener = group.create_task(_listen(socket, take))
                known: dict[str, bytes] = {}
                seq = 0
                while True:
                    if not await rights.hold(signed_in):
                        await socket.close(4403, "forbidden")
                        break
                    now_s = asyncio.get_running_loop().time()
                    cards = {
                        call_id: call.live.card(call.whose.team, now_s)
                        for call_id, call in calls.running.items()
                        if call.entered
                        and not call.over
                        and signed_in.person.may_with(Action.WATCH_LIVE, call.whose)
                    }
                    changed = [
                        msgspec.Raw(card) for c, card in cards.items() if known.get(c) != card
                    ]
                    gone = [call_id for call_id in known if call_id not in cards]
                    if seq == 0 or changed or gone:
                        kind = "event" if seq else "snapshot"
                        await _send_raw(socket, type=kind, seq=seq, cards=changed, gone=gone)
                        seq += 1
                    known = cards
                    # All walls are told at once, so that each card is made once.
                    until_s = WALL_EVERY_S - now_s % WALL_EVERY_S
                    await asyncio.wait([listener], timeout=until_s)
                    if listener.done():
                        break
                listener.cancel()
    except* WebSocketDisconnect:
        pass
    finally:
        calls.metrics.walls -= 1


async def _reached(
    state: State, call_id: str, person: Person, audience: Audience
) -> LiveCall | None:
    """Return a call if the person may see it like this; None as if there were no such call."""
    journal = state.calls.journal.of(person.tenant)
    row = await asyncio.to_thread(journal.call, call_id)
    if row is None:
        return None
    needed = [Action.WATCH_LIVE if row.live else Action.READ_CONTENT]
    if audience is Audience.WATCH:
        needed.append(Action.NUDGE)
    elif row.live:
        needed.append(Action.COACH_SELF)
    if not all(person.may_with(action, row.whose) for action in needed):
        return None
    live: LiveCall | None = await state.calls.find(call_id, journal)
    return live


async def _admit(socket: WebSocket[Any, Any, Any], state: State) -> tuple[Message, SignIn] | None:
    """Accept a socket whose first message is a good ticket; return that message and its owner."""
    await socket.accept()
    try:
        async with asyncio.timeout(FIRST_MESSAGE_S):
            first = msgspec.json.decode(await socket.receive_data("text"), type=Message)
    except (TimeoutError, msgspec.MsgspecError, WebSocketDisconnect):
        first = {}
    access: Access = state.access
    signed_in = await asyncio.to_thread(access.redeem, str(first.get("ticket")))
    if first.get("type") != "ticket" or signed_in is None:
        state.metrics.auth_failures["ticket"] += 1
        await socket.close(4401, "unauthorized")
        return None
    return first, signed_in


async def _send_raw(socket: WebSocket[Any, Any, Any], **message: Any) -> None:
    await socket.send_text(msgspec.json.encode(message).decode())


async def _listen(
    socket: WebSocket[Any, Any, Any], take: Callable[[Message], Awaitable[None]]
) -> None:
    """Take what people say; what is not a message of theirs is ignored."""
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            text = await socket.receive_data("text")
            with contextlib.suppress(msgspec.MsgspecError):
                await take(msgspec.json.decode(text, type=Message))


async def _put(calls: Calls, call_id: str, audience: Audience, message: Message) -> None:
    call = calls.running.get(call_id)
    item = _read(message) if message.get("type") in _SAID_BY[audience] else None
    if call is not None and item is not None and not call.over:
        await call.put([item])


def _read(message: Message) -> Control | None:
    """Read what an agent or a supervisor says; None when it is no message of theirs."""
    kind = message.get("type")
    if kind == "feedback" and message.get("verdict") in _VERDICTS:
        cue_id = _text(message.get("cue"), _ID_CHARACTERS)
        return CueFeedback(at_ms=0, cue_id=cue_id, verdict=str(message["verdict"]))
    if kind == "pause_capture":
        return CapturePaused(at_ms=0, mode="manual")
    if kind == "resume_capture":
        return CaptureResumed(at_ms=0)
    if kind == "raise_hand":
        return HandRaised(at_ms=0, raised=message.get("raised") is not False)
    if kind == "promise" and message.get("verdict") in _REVIEWS:
        return _review(message)
    if kind == "acknowledge":
        alert_id = _text(message.get("alert"), _ID_CHARACTERS)
        return AlertAcknowledged(at_ms=0, alert_id=alert_id, taken=message.get("taken") is True)
    if kind == "nudge" and (text := _text(message.get("text"), NUDGE_CHARACTERS)):
        nudge_id = _text(message.get("nudge"), _ID_CHARACTERS)
        return NudgeSent(at_ms=0, nudge_id=nudge_id, text=redact_text(text))
    return None


def _review(message: Message) -> PromiseReviewed | None:
    """Read what the agent says of a promise; a due time that is none makes it no message."""
    due_at = message.get("due_at")
    if due_at is not None:
        try:
            due_at = datetime.fromisoformat(str(due_at)).isoformat()
        except ValueError:
            return None
    return PromiseReviewed(
        at_ms=0,
        promise_id=_text(message.get("promise"), _ID_CHARACTERS),
        verdict=str(message["verdict"]),
        what=redact_text(_text(message.get("what"), _PROMISE_CHARACTERS)) or None,
        due_at=due_at,
    )


def _text(value: object, characters: int) -> str:
    """Return short printable text: control and direction marks are dropped."""
    if not isinstance(value, str):
        return ""
    kept = "".join(c for c in value if unicodedata.category(c) not in ("Cc", "Cf"))
    return kept.strip()[:characters]
