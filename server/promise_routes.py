"""The due list: what was promised, by when, and what became of it.

Agents see and answer their own promises; supervisors see what their team's agents confirmed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, patch
from litestar.exceptions import NotFoundException, ValidationException
from litestar.params import FromPath, FromQuery, JSONBody

from server.people.roles import GRANTS, Action, Person, Reach
from server.store.promises import (
    CONFIRMED,
    DRAFT,
    LATE,
    OPEN,
    Change,
    Promised,
    PromiseError,
    PromiseFilter,
    change,
    find,
)
from server.store.promises import (
    get as get_promise,
)

_ASKED: dict[str, tuple[str, ...] | None] = {
    "due": (OPEN, LATE),
    "draft": (DRAFT,),
    "confirmed": CONFIRMED,
    "all": None,
}
What = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an agent says of a promise."""

    status: str | None = None
    """`confirmed`, `rejected`, `kept`, `cancelled` or `open`."""
    what: What | None = None
    due_at: Annotated[str, msgspec.Meta(max_length=40)] | None = None
    """Another due time, ISO 8601 with offset."""


@get("/v1/promises", opt={"action": Action.READ_PROMISES})
async def list_promises(
    request: Request[Any, Any, Any],
    show: FromQuery[str] = "due",
    limit: FromQuery[int] = 200,
    cursor: FromQuery[str | None] = None,
) -> Response[list[Promised]]:
    """List promises by due time: `show` is `due`, `draft`, `confirmed` or `all`."""
    if show not in _ASKED:
        raise ValidationException(f"show is one of {', '.join(_ASKED)}.")
    wanted = _within_reach(request.state["sign_in"].person, _ASKED[show])
    if wanted is None:
        return Response([])
    engine = request.state["journal"].engine
    try:
        page, after = await asyncio.to_thread(find, engine, wanted, limit=limit, after=cursor)
    except PromiseError as error:
        raise ValidationException(str(error)) from error
    headers = {} if after is None else {"X-Next-Cursor": after}
    return Response(page, headers=headers)


def _within_reach(person: Person, statuses: Sequence[str] | None) -> PromiseFilter | None:
    """Narrow what is asked for to what the person may see; None is nothing."""
    reach = GRANTS[person.role].get(Action.READ_PROMISES)
    if reach is Reach.ALL:
        return PromiseFilter(statuses=None if statuses is None else tuple(statuses))
    if reach is Reach.TEAM:
        shown = tuple(s for s in CONFIRMED if statuses is None or s in statuses)
        return PromiseFilter(teams=person.teams, statuses=shown)
    if person.agent is None:
        return None
    return PromiseFilter(agent=person.agent, statuses=None if statuses is None else tuple(statuses))


@patch("/v1/promises/{promise_id:str}", opt={"action": Action.ANSWER_PROMISES})
async def answer_promise(
    promise_id: FromPath[str],
    data: JSONBody[Answer],
    request: Request[Any, Any, Any],
) -> Promised:
    """Confirm, correct, reject, keep, cancel or open again a promise of one's own."""
    engine = request.state["journal"].engine
    promise = await asyncio.to_thread(get_promise, engine, promise_id)
    person: Person = request.state["sign_in"].person
    if promise is None or not _is_own(person, promise):
        raise NotFoundException("There is no such promise.")
    said = Change(status=data.status, what=data.what, due_at=data.due_at)
    try:
        return await asyncio.to_thread(change, engine, promise_id, said, now=datetime.now(UTC))
    except PromiseError as error:
        raise ValidationException(str(error)) from error


def _is_own(person: Person, promise: Promised) -> bool:
    if GRANTS[person.role].get(Action.ANSWER_PROMISES) is Reach.ALL:
        return True
    return person.agent is not None and promise.agent == person.agent


PROMISE_ROUTES = (list_promises, answer_promise)
