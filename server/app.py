"""The ASGI application: ingest and event sockets, calls, reports and the panel."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from litestar import Litestar, MediaType, Request, Response, get
from litestar.datastructures import State
from litestar.exceptions import NotFoundException, ValidationException
from litestar.params import FromPath, FromQuery
from litestar.static_files import create_static_files_router
from sqlalchemy.exc import SQLAlchemyError

from reports.build import build_report
from reports.html import render_html
from reports.model import encode
from reports.style import STYLE
from server.access import Access, may_do, reads_origin
from server.calls import Calls
from server.event_socket import call_events
from server.ingest_socket import ingest
from server.people.roles import GRANTS, LOCAL_PERSON, Action, Person, Reach
from server.sign_in import me, new_ticket, open_local_session, sign_in, sign_out
from server.store import CallFilter, CallRow
from server.store.retention import RetentionSettings, expire

_RETENTION_EVERY_S = 3_600.0
STATIC = Path(__file__).parent / "static"
_LOG = logging.getLogger("heartline")
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_CSP = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_REPORT_CSP = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'"


@get("/v1/calls", opt={"action": Action.LIST_CALLS})
async def list_calls(
    state: State,
    request: Request[Any, Any, Any],
    agent: FromQuery[str | None] = None,
    reason: FromQuery[str | None] = None,
    since: FromQuery[datetime | None] = None,
    until: FromQuery[datetime | None] = None,
    limit: FromQuery[int] = 200,
    cursor: FromQuery[str | None] = None,
) -> Response[list[CallRow]]:
    """List the asker's calls, newest first; the header `X-Next-Cursor` leads to the next page."""
    wanted = CallFilter(
        agent=agent, reason=reason, since_ms=_epoch_ms(since), until_ms=_epoch_ms(until)
    )
    wanted = _within_reach(wanted, request.state["sign_in"].person)
    find = state.calls.journal.find_calls
    try:
        page = await asyncio.to_thread(find, wanted, limit=limit, cursor=cursor)
    except ValueError as error:
        raise ValidationException(str(error)) from error
    headers = {} if page.next_cursor is None else {"X-Next-Cursor": page.next_cursor}
    return Response(page.calls, headers=headers)


def _epoch_ms(at: datetime | None) -> int | None:
    return None if at is None else round(at.timestamp() * 1000)


def _within_reach(wanted: CallFilter, person: Person) -> CallFilter:
    """Narrow what is asked for to what the person may see."""
    reach = GRANTS[person.role].get(Action.LIST_CALLS)
    if reach is Reach.ALL:
        return wanted
    if reach is Reach.TEAM:
        return msgspec.structs.replace(wanted, teams=person.teams)
    if person.agent is None or wanted.agent not in (None, person.agent):
        return msgspec.structs.replace(wanted, nobody=True)
    return msgspec.structs.replace(wanted, agent=person.agent)


@get("/v1/calls/{call_id:str}/report.json", opt={"action": Action.READ_CONTENT})
async def report_json(
    call_id: FromPath[str], state: State, request: Request[Any, Any, Any]
) -> Response[bytes]:
    """Return a finished call's report as JSON."""
    await _may_read(call_id, state, request)
    report = await asyncio.to_thread(_report, state.calls, call_id)
    return Response(encode(report), media_type=MediaType.JSON)


@get("/v1/calls/{call_id:str}/report.html", opt={"action": Action.READ_CONTENT})
async def report_html(
    call_id: FromPath[str], state: State, request: Request[Any, Any, Any]
) -> Response[str]:
    """Return a finished call's report as a page."""
    await _may_read(call_id, state, request)
    report = await asyncio.to_thread(_report, state.calls, call_id)
    headers = {"Content-Security-Policy": _REPORT_CSP}
    return Response(render_html(report), media_type=MediaType.HTML, headers=headers)


async def _may_read(call_id: str, state: State, request: Request[Any, Any, Any]) -> None:
    """Let only those read a call who may; whoever else looks is told that there is none.

    A look that needs a reason takes it from the query and writes it down.
    """
    person: Person = request.state["sign_in"].person
    reason = request.query_params.get("reason")
    row = await asyncio.to_thread(state.calls.journal.call, call_id)
    if row is None or not person.may_with(Action.READ_CONTENT, row.whose, reason):
        raise NotFoundException("There is no such call.")
    if person.id != LOCAL_PERSON.id:
        audit = state.access.audit
        await asyncio.to_thread(
            audit.add, person.id, "view_call", call_id, state.access.now(), reason or ""
        )


def _report(calls: Calls, call_id: str) -> Any:
    events = calls.journal.events(call_id)
    if not events:
        raise NotFoundException("There is no such call.")
    return build_report(events)


@get("/livez", opt={"public": True}, media_type=MediaType.TEXT)
async def livez() -> str:
    """Answer while the event loop runs."""
    return "ok"


@get("/readyz", opt={"public": True}, media_type=MediaType.TEXT)
async def readyz(state: State) -> Response[str]:
    """Answer whether calls can be taken now: models loaded and a recogniser alive."""
    ready = state.calls.ready
    return Response("ready" if ready else "not ready", status_code=200 if ready else 503)


@get("/", opt={"public": True}, media_type=MediaType.HTML)
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
    calls: Calls, access: Access, retention: RetentionSettings | None = None
) -> Litestar:
    """Build the application."""

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
        open_local_session, sign_in, sign_out, me, new_ticket, list_calls, report_json,
        report_html, livez, readyz, panel, ingest, call_events,
    ]  # fmt: skip
    if STATIC.is_dir():
        handlers.append(
            create_static_files_router(path="/", directories=[STATIC], opt={"public": True})
        )
    return Litestar(
        route_handlers=handlers,
        guards=[reads_origin, may_do],
        state=State({"calls": calls, "access": access}),
        after_request=_add_headers,
        lifespan=[lifespan],
        openapi_config=None,
        debug=False,
    )


__all__ = ["Request", "create_app"]
