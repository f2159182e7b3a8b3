"""What was promised, from the end of its call until it is kept.

                     the agent says               the clock says
    draft            confirmed -> open            7 days old -> lapsed
                     rejected -> rejected
    open             kept in time -> kept         past its due time -> late
                     kept after it -> late
                     cancelled -> cancelled
    late             kept -> late, with the time at which it was done
                     cancelled -> cancelled
    kept, cancelled  open -> open

`rejected` and `lapsed` are the end. Drafts are the agent's own; others see what was confirmed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from reports.model import PromisePart
from server.store.tables import PROMISES
from server.store.tenancy import Job, for_job

DRAFT, OPEN, KEPT, LATE, CANCELLED = "draft", "open", "kept", "late", "cancelled"
REJECTED, LAPSED = "rejected", "lapsed"
CONFIRMED = (OPEN, KEPT, LATE, CANCELLED)
"""What others than the agent may see."""
_SAID = {"draft": DRAFT, "confirmed": OPEN, "edited": OPEN, "rejected": REJECTED}
_MAY = {
    "confirmed": {DRAFT: OPEN},
    "rejected": {DRAFT: REJECTED},
    "kept": {OPEN: KEPT, LATE: LATE},
    "cancelled": {OPEN: CANCELLED, LATE: CANCELLED},
    "open": {KEPT: OPEN, CANCELLED: OPEN},
}
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_NEVER_MS = 1 << 62
LONGEST_PAGE = 200


class PromiseSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When somebody is reminded of a promise."""

    due_soon_hours: int = 4
    """Hours before the due time at which `due_soon` is sent; half a working day (our choice)."""
    lapse_days: int = 7
    """Days after which a draft that nobody confirmed lapses (`coaching.md` section 5)."""


class PromiseError(Exception):
    """A promise cannot be changed like that."""

    code = "bad_promise_change"


class Promised(msgspec.Struct, frozen=True, kw_only=True):
    """One promise on the due list."""

    id: str
    """`<call>.<promise>`."""
    call_id: str
    agent: str | None
    team: str | None
    what: str
    who: str
    due: str | None
    """The words that said when."""
    due_at: str | None
    """ISO 8601 with offset."""
    precision: str
    status: str
    """`draft`, `open`, `kept`, `late`, `cancelled`, `rejected` or `lapsed`."""
    done_at: str | None
    """When it was done, also when that was late."""


class Change(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said of a promise."""

    status: str | None = None
    """`confirmed`, `rejected`, `kept`, `cancelled` or `open`."""
    what: str | None = None
    """A better wording."""
    due_at: str | None = None
    """Another due time, ISO 8601 with offset."""


NOTICE_KINDS = ("confirmed", "due_soon", "overdue", "kept", "cancelled")
"""What others may be told of a confirmed promise."""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Something that others may be told: `kind` is the end of a webhook's type."""

    kind: str
    """One of `NOTICE_KINDS`."""
    promise: Promised
    tenant: str


class PromiseFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which promises are asked for; None asks for all."""

    agent: str | None = None
    teams: tuple[str, ...] | None = None
    statuses: tuple[str, ...] | None = None
    call_id: str | None = None


def enter(
    connection: sa.Connection,
    call_id: str,
    agent: str | None,
    team: str | None,
    parts: Iterable[PromisePart],
    made_ms: int,
) -> None:
    """Put a finished call's promises on the list; those that are there already stay as they are."""
    there = set(
        connection.scalars(sa.select(PROMISES.c.promise_id).where(PROMISES.c.call_id == call_id))
    )
    rows = [
        {
            "call_id": call_id,
            "promise_id": part.id,
            "agent": agent,
            "team": team,
            "what": part.what,
            "who": part.who,
            "due": part.due,
            "due_at": part.due_at,
            "due_ms": _ms(part.due_at),
            "precision": part.precision,
            "status": _SAID[part.status],
            "made_ms": made_ms + part.start_ms,
            "done_ms": None,
            "told": None,
        }
        for part in parts
        if part.id not in there
    ]
    if rows:
        connection.execute(sa.insert(PROMISES), rows)


def find(
    engine: sa.Engine, wanted: PromiseFilter, *, limit: int = LONGEST_PAGE, after: str | None = None
) -> tuple[list[Promised], str | None]:
    """Return promises by due time, those without one last, and the id that the next page follows.

    Raises:
        PromiseError: `after` is no promise, or the limit is out of range.
    """
    if not 1 <= limit <= LONGEST_PAGE:
        raise PromiseError(f"A page has 1 to {LONGEST_PAGE} promises, not {limit}.")
    due_ms = sa.func.coalesce(PROMISES.c.due_ms, _NEVER_MS)
    order = (due_ms, PROMISES.c.call_id, PROMISES.c.promise_id)
    query = sa.select(PROMISES).order_by(*order).limit(limit + 1)
    for column, value in ((PROMISES.c.agent, wanted.agent), (PROMISES.c.call_id, wanted.call_id)):
        if value is not None:
            query = query.where(column == value)
    if wanted.teams is not None:
        query = query.where(PROMISES.c.team.in_(wanted.teams))
    if wanted.statuses is not None:
        query = query.where(PROMISES.c.status.in_(wanted.statuses))
    with engine.connect() as connection:
        if after is not None:
            last = connection.execute(sa.select(*order).where(_is(after))).first()
            if last is None:
                raise PromiseError("The cursor is not one that a page of promises gave.")
            query = query.where(sa.tuple_(*order) > sa.tuple_(*map(sa.literal, last)))
        rows = connection.execute(query).mappings().all()
    page = [_promised(row) for row in rows[:limit]]
    return page, page[-1].id if len(rows) > limit else None


def get(engine: sa.Engine, promise_id: str) -> Promised | None:
    """Return one promise by its id, None when there is none."""
    with engine.connect() as connection:
        row = connection.execute(sa.select(PROMISES).where(_is(promise_id))).mappings().first()
    return None if row is None else _promised(row)


def change(engine: sa.Engine, promise_id: str, said: Change, *, now: datetime) -> Promised:
    """Take the agent's word on a promise and return it as it is now.

    Raises:
        PromiseError: there is no such promise, or its status does not allow that.
    """
    with engine.begin() as connection:
        row = connection.execute(sa.select(PROMISES).where(_is(promise_id))).mappings().first()
        if row is None:
            raise PromiseError("There is no such promise.")
        values = _edited(row, said)
        if said.status is not None:
            values |= _moved({**row, **values}, said.status, _ms_of(now))
        if values:
            connection.execute(sa.update(PROMISES).where(_is(promise_id)).values(values))
    return _promised({**row, **values})


def tick(
    engine: sa.Engine,
    settings: PromiseSettings,
    *,
    now: datetime,
    tell: Callable[[sa.Connection, Sequence[Notice]], None],
) -> None:
    """Let time pass for all tenants: promises become late, drafts lapse, what is new is told once.

    Args:
        engine: the database.
        settings: how long before and after.
        now: wall time.
        tell: puts notices where they are delivered from, in the same transaction.
    """
    now_ms = _ms_of(now)
    soon_ms = now_ms + settings.due_soon_hours * _HOUR_MS
    old_ms = now_ms - settings.lapse_days * _DAY_MS
    status, due_ms, told = PROMISES.c.status, PROMISES.c.due_ms, PROMISES.c.told
    untold = sa.func.coalesce(told, "")
    overdue = sa.and_(status == OPEN, due_ms < now_ms)
    news: tuple[tuple[str, sa.ColumnElement[bool], dict[str, str]], ...] = (
        ("confirmed", sa.and_(status == OPEN, told.is_(None)), {}),
        ("overdue", overdue, {"status": LATE}),
        ("due_soon", sa.and_(status == OPEN, due_ms < soon_ms, told == "confirmed"), {}),
        ("kept", sa.and_(status == KEPT, untold != "kept"), {}),
        ("cancelled", sa.and_(status == CANCELLED, untold != "cancelled"), {}),
    )
    with for_job(engine, Job.PROMISE_CLOCK).begin() as connection:
        for kind, which, values in news:
            rows = connection.execute(
                sa.update(PROMISES).where(which).values(told=kind, **values).returning(*PROMISES.c)
            )
            found = [
                Notice(kind=kind, promise=_promised(row), tenant=row["tenant_id"])
                for row in rows.mappings()
            ]
            if found:
                tell(connection, sorted(found, key=lambda notice: notice.promise.id))
        connection.execute(
            sa.update(PROMISES)
            .where(status == DRAFT, PROMISES.c.made_ms < old_ms)
            .values(status=LAPSED)
        )


def outcomes_of(engine: sa.Engine, call_id: str) -> dict[str, str]:
    """Return what became of a call's confirmed promises, by the promise's id within the call."""
    query = sa.select(PROMISES.c.promise_id, PROMISES.c.status).where(
        PROMISES.c.call_id == call_id, PROMISES.c.status.in_(CONFIRMED)
    )
    with engine.connect() as connection:
        return {row.promise_id: row.status for row in connection.execute(query)}


def delete_promises(
    connection: sa.Connection, which: Sequence[str] | sa.Select[tuple[str]]
) -> None:
    """Delete the promises of calls."""
    connection.execute(sa.delete(PROMISES).where(PROMISES.c.call_id.in_(which)))


def _edited(row: sa.RowMapping, said: Change) -> dict[str, object]:
    if said.what is None and said.due_at is None:
        return {}
    if row["status"] not in (DRAFT, OPEN, LATE):
        raise PromiseError(f"A promise that is {row['status']} cannot be edited.")
    values: dict[str, object] = {}
    if said.what is not None:
        values["what"] = said.what
    if said.due_at is not None:
        due_ms = _ms(said.due_at)
        if due_ms is None:
            raise PromiseError(f"due_at must be ISO 8601 with an offset, not {said.due_at!r}.")
        values |= {"due_at": said.due_at, "due_ms": due_ms, "precision": "minute"}
        values["told"] = "confirmed" if row["told"] else None
        if row["status"] == LATE and row["done_ms"] is None:
            values["status"] = OPEN
    return values


def _moved(row: dict[str, object], wanted: str, now_ms: int) -> dict[str, object]:
    was = str(row["status"])
    if wanted not in _MAY:
        raise PromiseError(f"status is one of {', '.join(_MAY)}, not {wanted!r}.")
    if was not in _MAY[wanted]:
        raise PromiseError(f"A promise that is {was} cannot become {wanted}.")
    status = _MAY[wanted][was]
    if wanted == "kept":
        due_ms = row["due_ms"]
        if isinstance(due_ms, int) and now_ms > due_ms:
            status = LATE
        return {"status": status, "done_ms": now_ms}
    return {"status": status, "done_ms": None}


def _is(promise_id: str) -> sa.ColumnElement[bool]:
    call_id, _, number = promise_id.rpartition(".")
    return sa.and_(PROMISES.c.call_id == call_id, PROMISES.c.promise_id == number)


def _promised(row: Mapping[str, Any] | sa.RowMapping) -> Promised:
    done_ms = row["done_ms"]
    done_at = None
    if isinstance(done_ms, int):
        done_at = datetime.fromtimestamp(done_ms / 1000, UTC).isoformat(timespec="seconds")
    fields: dict[str, Any] = {name: row[name] for name in Promised.__struct_fields__ if name in row}
    return Promised(
        **fields, id=f"{row['call_id']}.{row['promise_id']}", done_at=done_at
    )  # fmt: skip


def _ms(at: str | None) -> int | None:
    """Return milliseconds since 1970 UTC, None for what is no time with offset."""
    try:
        read = None if at is None else datetime.fromisoformat(at)
    except ValueError:
        return None
    return None if read is None or read.tzinfo is None else _ms_of(read)


def _ms_of(at: datetime) -> int:
    return round(at.timestamp() * 1000)
