"""The ASGI application: ingest and event sockets, calls, reports and the panel."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import logging
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
from litestar import Litestar, MediaType, Request, Response, get, post, websocket
from litestar.connection import ASGIConnection, WebSocket
from litestar.datastructures import Cookie, State
from litestar.exceptions import (
    NotAuthorizedException,
    NotFoundException,
    PermissionDeniedException,
    WebSocketDisconnect,
)
from litestar.handlers import BaseRouteHandler
from litestar.static_files import create_static_files_router

from conversation.events import CapturePaused, CaptureResumed, CueFeedback
from reports.build import build_report
from reports.html import render_html
from reports.model import encode
from reports.style import STYLE
from server.auth import COOKIE, SingleUser, is_loopback_host
from server.calls import Calls, RunningCall
from server.ingest import IngestDecoder, IngestError, Stop

STATIC = Path(__file__).parent / "static"
_LOG = logging.getLogger("heartline")
_VERDICTS = frozenset({"up", "down", "justified", "dismiss", "snooze_5min", "snooze_call"})
_FIRST_MESSAGE_S = 10.0
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_CSP = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_REPORT_CSP = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'"


class _Token(msgspec.Struct, forbid_unknown_fields=True):
    token: str


def _loopback_only(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Refuse names that are not this machine, and pages of other origins."""
    host = connection.headers.get("host", "")
    if not is_loopback_host(host):
        raise PermissionDeniedException("This server answers to loopback names only.")
    origin = connection.headers.get("origin")
    if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
        raise PermissionDeniedException("Requests from other origins are refused.")


def _signed_in(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    user: SingleUser = connection.app.state.user
    by_key = user.is_key(connection.headers.get("authorization"))
    if not by_key and not user.is_signed_in(connection.cookies.get(COOKIE)):
        raise NotAuthorizedException("Open the address that heartline printed.")


@post("/v1/session", status_code=204)
async def open_browser_session(data: _Token, state: State) -> Response[None]:
    """Exchange the one-time token for a cookie."""
    session = state.user.exchange(data.token)
    if session is None:
        raise NotAuthorizedException("The token is wrong, used or too old; start heartline again.")
    cookie = Cookie(key=COOKIE, value=session, httponly=True, samesite="strict", path="/")
    return Response(None, status_code=204, cookies=[cookie])


@post("/v1/tickets", guards=[_signed_in], status_code=200)
async def new_ticket(state: State) -> dict[str, str]:
    """Return a ticket that opens one socket."""
    return {"ticket": state.user.new_ticket()}


@get("/v1/calls", guards=[_signed_in])
async def list_calls(state: State) -> list[dict[str, Any]]:
    """List calls, newest first."""
    rows = await asyncio.to_thread(state.calls.journal.calls)
    return [msgspec.to_builtins(row) for row in rows]


@get("/v1/calls/{call_id:str}/report.json", guards=[_signed_in])
async def report_json(call_id: str, state: State) -> Response[bytes]:
    """Return a finished call's report as JSON."""
    report = await asyncio.to_thread(_report, state.calls, call_id)
    return Response(encode(report), media_type=MediaType.JSON)


@get("/v1/calls/{call_id:str}/report.html", guards=[_signed_in])
async def report_html(call_id: str, state: State) -> Response[str]:
    """Return a finished call's report as a page."""
    report = await asyncio.to_thread(_report, state.calls, call_id)
    headers = {"Content-Security-Policy": _REPORT_CSP}
    return Response(render_html(report), media_type=MediaType.HTML, headers=headers)


def _report(calls: Calls, call_id: str) -> Any:
    events = calls.journal.events(call_id)
    if not events:
        raise NotFoundException("There is no such call.")
    return build_report(events)


@get("/livez", media_type=MediaType.TEXT)
async def livez() -> str:
    """Answer while the event loop runs."""
    return "ok"


@get("/", media_type=MediaType.HTML)
async def panel() -> Response[str]:
    """Serve the panel."""
    index = STATIC / "index.html"
    if not index.is_file():
        return Response("The dashboard is not built; run `make dashboard`.", status_code=503)
    return Response(index.read_text("utf-8"), headers={"Content-Security-Policy": _CSP})


# --------------------------------------------------------------------------- sockets


@websocket("/v1/ingest")
async def ingest(socket: WebSocket[Any, Any, Any], state: State) -> None:
    """Take one call's audio over the native protocol."""
    if socket.headers.get("origin") is not None:
        await socket.close(4403, "Browsers may not send audio without signing in.")
        return
    await socket.accept()
    decoder = IngestDecoder()
    call: RunningCall | None = None
    runner: asyncio.Task[None] | None = None
    acked_ms = 0
    reason = "source_lost"
    try:
        async with asyncio.timeout(_FIRST_MESSAGE_S):
            first = await socket.receive_data("text")
        decoder.feed_text(first)
        assert decoder.start is not None  # noqa: S101 - feed_text raised otherwise
        call = _open(state.calls, decoder)
        runner = asyncio.ensure_future(call.run(state.calls.analysis_thread))
        await _send(socket, type="started", call_id=call.live.call_id, epoch=1, position_ms=0)
        while reason == "source_lost":
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                break
            data, text = message.get("bytes"), message.get("text")
            items = (
                decoder.feed_bytes(data)
                if isinstance(data, bytes)
                else decoder.feed_text(str(text))
            )
            if any(isinstance(item, Stop) for item in items):
                reason = "ended"
            heard = [item for item in items if not isinstance(item, Stop)]
            if heard:
                await call.put(list(heard))
            if runner.done():
                runner.result()
            if call.acked_ms - acked_ms >= 1_000:
                acked_ms = call.acked_ms
                await _send(socket, type="ack", position_ms=acked_ms)
    except IngestError as error:
        await _send(socket, type="error", code=error.code, message=str(error))
        await socket.close(error.close_code, error.code)
    except TimeoutError:
        await socket.close(4408, "start_timeout")
    except WebSocketDisconnect:
        reason = "source_lost"
    finally:
        if call is not None and runner is not None:
            await call.end(reason)
            await runner
            state.calls.running.pop(call.live.call_id, None)
    if call is not None and reason == "ended":
        url = f"/v1/calls/{call.live.call_id}/report.html"
        with contextlib.suppress(WebSocketDisconnect):
            await _send(socket, type="stopped", report=url)
            await socket.close()


def _open(calls: Calls, decoder: IngestDecoder) -> RunningCall:
    assert decoder.start is not None  # noqa: S101 - the caller fed the start message
    try:
        return calls.open(decoder.start)
    except sqlite3.IntegrityError as error:
        raise IngestError("call_ended", 4410, "This call_id was used before.") from error


async def _send(socket: WebSocket[Any, Any, Any], **message: Any) -> None:
    await socket.send_text(msgspec.json.encode(message).decode())


@websocket("/v1/calls/{call_id:str}/events")
async def call_events(socket: WebSocket[Any, Any, Any], call_id: str, state: State) -> None:
    """Send a call's events to one dashboard."""
    await socket.accept()
    try:
        async with asyncio.timeout(_FIRST_MESSAGE_S):
            first = msgspec.json.decode(await socket.receive_data("text"), type=dict[str, Any])
    except (TimeoutError, msgspec.MsgspecError, WebSocketDisconnect):
        await socket.close(4401, "unauthorized")
        return
    if first.get("type") != "ticket" or not state.user.redeem(str(first.get("ticket"))):
        await socket.close(4401, "unauthorized")
        return
    live = state.calls.live.get(call_id)
    if live is None:
        await socket.close(4404, "unknown_call")
        return
    await _send(socket, type="hello", version=1)
    subscriber, snapshot = live.subscribe()
    try:
        await socket.send_text(snapshot.decode())
        if live.over:
            await socket.send_text(live.report_message().decode())
        async with asyncio.TaskGroup() as group:
            listener = group.create_task(_listen(socket, state.calls.running.get(call_id)))
            while not listener.done():
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
            kind = message.get("type")
            if call is None:
                continue
            if kind == "feedback" and message.get("verdict") in _VERDICTS:
                cue_id, verdict = str(message.get("cue"))[:64], str(message["verdict"])
                await call.put([CueFeedback(at_ms=0, cue_id=cue_id, verdict=verdict)])
            elif kind == "pause_capture":
                await call.put([CapturePaused(at_ms=0, mode="manual")])
            elif kind == "resume_capture":
                await call.put([CaptureResumed(at_ms=0)])


def _add_headers(response: Response[Any]) -> Response[Any]:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def create_app(calls: Calls, user: SingleUser) -> Litestar:
    """Build the application for one single-user server."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        yield
        for call in list(calls.running.values()):
            await call.end("server_stopped")

    handlers: list[Any] = [
        open_browser_session, new_ticket, list_calls, report_json, report_html, livez, panel,
        ingest, call_events,
    ]  # fmt: skip
    if STATIC.is_dir():
        handlers.append(create_static_files_router(path="/", directories=[STATIC]))
    return Litestar(
        route_handlers=handlers,
        guards=[_loopback_only],
        state=State({"calls": calls, "user": user}),
        after_request=_add_headers,
        lifespan=[lifespan],
        openapi_config=None,
        debug=False,
    )


__all__ = ["Request", "create_app"]
