"""The ASGI application: ingest and event sockets, calls, reports and the panel."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from litestar import Litestar, MediaType, Request, Response, get, post
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie, State
from litestar.exceptions import (
    NotAuthorizedException,
    NotFoundException,
    PermissionDeniedException,
    ValidationException,
)
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, JSONBody
from litestar.static_files import create_static_files_router
from sqlalchemy.exc import SQLAlchemyError

from conversation.rules import packaged_rules
from reports.disputes import report_without
from reports.html import render_html
from reports.model import Report, encode
from reports.page_assets import content_security_policy
from reports.wording import DISPUTE_WORDS
from server.auth import COOKIE, SingleUser, is_loopback_host
from server.calls import Calls
from server.event_socket import call_events, live_calls
from server.ingest_socket import ingest
from server.store.disputes import WITHDRAWN, add_dispute, disputes_of
from server.store.retention import RetentionSettings, expire

_RETENTION_EVERY_S = 3_600.0
STATIC = Path(__file__).parent / "static"
_LOG = logging.getLogger("heartline")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_CSP = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


class _Dispute(msgspec.Struct, forbid_unknown_fields=True):
    span: str
    verdict: str


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
async def open_browser_session(data: JSONBody[_Token], state: State) -> Response[None]:
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
async def report_json(call_id: FromPath[str], state: State) -> Response[bytes]:
    """Return a finished call's report as JSON."""
    report = await asyncio.to_thread(_report, state.calls, call_id)
    return Response(encode(report), media_type=MediaType.JSON)


@get("/v1/calls/{call_id:str}/report.html", guards=[_signed_in])
async def report_html(call_id: FromPath[str], state: State) -> Response[str]:
    """Return a finished call's report as a page."""
    report = await asyncio.to_thread(_report, state.calls, call_id)
    disputed = await asyncio.to_thread(disputes_of, state.calls.journal.engine, call_id)
    policy = f"{content_security_policy(served=True)}; frame-ancestors 'none'"
    page = render_html(report, served=True, disputed=disputed)
    return Response(page, media_type=MediaType.HTML, headers={"Content-Security-Policy": policy})


@post("/v1/calls/{call_id:str}/disputes", guards=[_signed_in], status_code=204)
async def dispute(call_id: FromPath[str], data: JSONBody[_Dispute], state: State) -> None:
    """Say that an interruption was none, or was needed; it leaves the counts at once."""
    if data.verdict not in (*DISPUTE_WORDS, WITHDRAWN):
        raise ValidationException(f"verdict is one of {', '.join(DISPUTE_WORDS)}, withdrawn.")
    report = await asyncio.to_thread(_report, state.calls, call_id)
    if data.span not in {event.id for event in report.interruptions.events}:
        raise NotFoundException("There is no such interruption in this call.")
    at = datetime.now(UTC).isoformat(timespec="seconds")
    engine = state.calls.journal.engine
    await asyncio.to_thread(add_dispute, engine, call_id, data.span, data.verdict, at)


def _report(calls: Calls, call_id: str) -> Report:
    events = calls.journal.events(call_id)
    if not events:
        raise NotFoundException("There is no such call.")
    return report_without(events, disputes_of(calls.journal.engine, call_id))


@get("/v1/rules", guards=[_signed_in])
async def list_rules(state: State) -> list[dict[str, Any]]:
    """List the cue rules that ship with Heartline, with reason, condition and limits."""
    off = state.calls.disabled_rules
    return [
        {**msgspec.to_builtins(rule), "enabled": rule.id not in off} for rule in packaged_rules()
    ]


@get("/livez", media_type=MediaType.TEXT)
async def livez() -> str:
    """Answer while the event loop runs."""
    return "ok"


@get("/readyz", media_type=MediaType.TEXT)
async def readyz(state: State) -> Response[str]:
    """Answer whether calls can be taken now: models loaded and a recogniser alive."""
    ready = state.calls.ready
    return Response("ready" if ready else "not ready", status_code=200 if ready else 503)


@get("/", media_type=MediaType.HTML)
async def panel() -> Response[str]:
    """Serve the panel."""
    index = STATIC / "index.html"
    if not index.is_file():
        return Response("The dashboard is not built; run `make dashboard`.", status_code=503)
    return Response(index.read_text("utf-8"), headers={"Content-Security-Policy": _CSP})


def _add_headers(response: Response[Any]) -> Response[Any]:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


async def _expire_hourly(calls: Calls, retention: RetentionSettings) -> None:
    while True:
        engine, now = calls.journal.engine, datetime.now(UTC)
        try:
            done = await asyncio.to_thread(expire, engine, retention, now=now)
        except SQLAlchemyError as error:
            _LOG.error("retention could not run: %s", type(error).__name__)
        else:
            if done is not None:
                _LOG.info("retention deleted %d calls, %d events", done.calls, done.events)
        await asyncio.sleep(_RETENTION_EVERY_S)


def create_app(
    calls: Calls, user: SingleUser, retention: RetentionSettings | None = None
) -> Litestar:
    """Build the application for one single-user server."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            if retention is not None:
                expiring = group.create_task(_expire_hourly(calls, retention))
            yield
            await calls.stop()
            if retention is not None:
                expiring.cancel()

    handlers: list[Any] = [
        open_browser_session, new_ticket, list_calls, report_json, report_html, livez, readyz,
        list_rules, dispute, panel, ingest, call_events, live_calls,
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
