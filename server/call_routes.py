"""Finished and live calls over HTTP: the list, and each call's report."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import MediaType, Request, Response, get, post
from litestar.datastructures import State
from litestar.exceptions import NotFoundException, ValidationException
from litestar.params import FromPath, FromQuery, JSONBody

from reports.html import render_html
from reports.model import Report, encode
from reports.page_assets import content_security_policy
from reports.wording import DISPUTE_WORDS
from server.people.roles import GRANTS, LOCAL_PERSON, Action, Person, Reach
from server.store import CallFilter, CallRow, Journal
from server.store.disputes import WITHDRAWN, add_dispute, disputes_of
from server.store.figures import forget_figures
from server.store.practice import practice_of
from server.stored_reports import beside_usual, stored_report


class Dispute(msgspec.Struct, forbid_unknown_fields=True):
    """What somebody says of a judged span."""

    span: str
    verdict: str
    """A key of `reports.wording.DISPUTE_WORDS`, or `withdrawn`."""


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
    person: Person = request.state["sign_in"].person
    wanted = msgspec.structs.replace(within_reach(wanted, person), person=person.id)
    find = request.state["journal"].find_calls
    try:
        page = await asyncio.to_thread(find, wanted, limit=limit, cursor=cursor)
    except ValueError as error:
        raise ValidationException(str(error)) from error
    headers = {} if page.next_cursor is None else {"X-Next-Cursor": page.next_cursor}
    return Response(page.calls, headers=headers)


def _epoch_ms(at: datetime | None) -> int | None:
    """Return milliseconds since 1970; a time without an offset is UTC."""
    if at is None:
        return None
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def within_reach(wanted: CallFilter, person: Person) -> CallFilter:
    """Narrow what is asked for to what the person may see."""
    reach = GRANTS[person.role].get(Action.LIST_CALLS)
    if reach is Reach.ALL:
        return wanted
    if reach is Reach.TEAM:
        return msgspec.structs.replace(wanted, teams=person.teams)
    if person.agent is None or wanted.agent not in (None, person.agent):
        return msgspec.structs.replace(wanted, nobody=True)
    return msgspec.structs.replace(wanted, agent=person.agent)


@get(
    "/v1/calls/{call_id:str}/report.json",
    opt={"action": Action.READ_CONTENT, "answer": Report},
    media_type=MediaType.JSON,
)
async def report_json(
    call_id: FromPath[str], state: State, request: Request[Any, Any, Any]
) -> Response[bytes]:
    """Return a finished call's report as JSON."""
    await may_read(call_id, state, request)
    report = await asyncio.to_thread(report_of, request.state["journal"], call_id)
    return Response(encode(report), media_type=MediaType.JSON)


@get(
    "/v1/calls/{call_id:str}/report.html",
    opt={"action": Action.READ_CONTENT},
    media_type=MediaType.HTML,
)
async def report_html(
    call_id: FromPath[str], state: State, request: Request[Any, Any, Any]
) -> Response[str]:
    """Return a finished call's report as a page."""
    await may_read(call_id, state, request)
    report = await asyncio.to_thread(report_of, request.state["journal"], call_id)
    disputed = await asyncio.to_thread(disputes_of, request.state["journal"].engine, call_id)
    policy = f"{content_security_policy(served=True)}; frame-ancestors 'none'"
    page = render_html(report, served=True, disputed=disputed)
    return Response(page, media_type=MediaType.HTML, headers={"Content-Security-Policy": policy})


@post("/v1/calls/{call_id:str}/disputes", opt={"action": Action.READ_CONTENT}, status_code=204)
async def dispute(
    call_id: FromPath[str],
    data: JSONBody[Dispute],
    state: State,
    request: Request[Any, Any, Any],
) -> None:
    """Say that an interruption was none, or was needed; it leaves the counts at once."""
    await may_read(call_id, state, request)
    if data.verdict not in (*DISPUTE_WORDS, WITHDRAWN):
        raise ValidationException(f"verdict is one of {', '.join(DISPUTE_WORDS)}, withdrawn.")
    journal: Journal = request.state["journal"]
    report = await asyncio.to_thread(report_of, journal, call_id)
    if data.span not in {event.id for event in report.interruptions.events}:
        raise NotFoundException("There is no such interruption in this call.")
    at = datetime.now(UTC).isoformat(timespec="seconds")
    await asyncio.to_thread(add_dispute, journal.engine, call_id, data.span, data.verdict, at)
    await asyncio.to_thread(forget_figures, journal.engine, call_id)


async def may_read(call_id: str, state: State, request: Request[Any, Any, Any]) -> None:
    """Let only those read a call who may; whoever else looks is told that there is none.

    A look that needs a reason takes it from the query and writes it down.
    """
    person: Person = request.state["sign_in"].person
    reason = request.query_params.get("reason")
    journal: Journal = request.state["journal"]
    row = await asyncio.to_thread(journal.call, call_id)
    practice = await asyncio.to_thread(practice_of, journal.engine, call_id)
    if practice is not None:
        if row is None or practice.person != person.id:
            raise NotFoundException("There is no such call.")
        return
    if row is None or not person.may_with(Action.READ_CONTENT, row.whose, reason):
        raise NotFoundException("There is no such call.")
    if person.id != LOCAL_PERSON.id:
        audit = state.access.audit
        await asyncio.to_thread(
            audit.add, person, "view_call", call_id, state.access.now(), reason or ""
        )


def report_of(journal: Journal, call_id: str) -> Report:
    """Build a call's report, with what is known since the call and beside the agent's own usual.

    Raises:
        NotFoundException: nothing is kept of it.
    """
    report = stored_report(journal, call_id)
    if report is None:
        raise NotFoundException("There is no such call.")
    return beside_usual(journal, report)


CALL_LIST_ROUTES = (list_calls, report_json, report_html, dispute)
