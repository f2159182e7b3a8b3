"""Listing and searching calls."""

from __future__ import annotations

import base64
import binascii

import msgspec
import sqlalchemy as sa

from server.people.roles import Whose
from server.people.tenants import DEFAULT_TENANT
from server.store.tables import CALL_REASONS, CALLS, PRACTICE

LONGEST_PAGE = 200


class CallRow(msgspec.Struct, frozen=True, kw_only=True):
    """One call as listed."""

    call_id: str
    started_at: str
    agent: str | None
    team: str | None = None
    customer: str | None = None
    live: bool
    duration_ms: int
    legal_hold: bool = False
    reasons: dict[str, int] = {}
    """How often each cue was shown and each kind of interruption happened."""
    tenant_id: str = DEFAULT_TENANT
    """Whose the call is."""

    @property
    def whose(self) -> Whose:
        """To whom the call belongs."""
        return Whose(agent=self.agent, team=self.team, tenant=self.tenant_id)


class CallFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls are asked for; None asks for all."""

    since_ms: int | None = None
    """Started at or after, milliseconds since 1970 UTC."""
    until_ms: int | None = None
    """Started before."""
    agent: str | None = None
    team: str | None = None
    customer: str | None = None
    reason: str | None = None
    """A cue rule or a class of interruption that happened in the call."""
    live: bool | None = None
    teams: tuple[str, ...] | None = None
    """Only calls of these teams; an empty tuple finds none."""
    person: str | None = None
    """Who asks: practice of others is left out; None leaves out all practice."""
    nobody: bool = False
    """Finds none: the asker has no calls."""


class CallPage(msgspec.Struct, frozen=True):
    """Some calls, newest first, and where the next ones begin."""

    calls: list[CallRow]
    next_cursor: str | None


def select_calls(
    connection: sa.Connection, wanted: CallFilter, *, limit: int, cursor: str | None
) -> CallPage:
    """Return one page.

    Raises:
        ValueError: the cursor is not one that a page gave, or the limit is out of range.
    """
    if not 1 <= limit <= LONGEST_PAGE:
        raise ValueError(f"A page has 1 to {LONGEST_PAGE} calls, not {limit}.")
    query = sa.select(CALLS).order_by(CALLS.c.started_ms.desc(), CALLS.c.call_id.desc())
    for column, value in (
        (CALLS.c.agent, wanted.agent),
        (CALLS.c.team, wanted.team),
        (CALLS.c.customer, wanted.customer),
        (CALLS.c.live, wanted.live),
    ):
        if value is not None:
            query = query.where(column == value)
    practice = sa.select(PRACTICE.c.call_id)
    if wanted.person is not None:
        practice = practice.where(PRACTICE.c.person != wanted.person)
    query = query.where(CALLS.c.call_id.not_in(practice))
    if wanted.nobody:
        query = query.where(sa.false())
    if wanted.teams is not None:
        query = query.where(CALLS.c.team.in_(wanted.teams))
    if wanted.since_ms is not None:
        query = query.where(CALLS.c.started_ms >= wanted.since_ms)
    if wanted.until_ms is not None:
        query = query.where(CALLS.c.started_ms < wanted.until_ms)
    if wanted.reason is not None:
        matching = sa.select(CALL_REASONS.c.call_id).where(CALL_REASONS.c.reason == wanted.reason)
        query = query.where(CALLS.c.call_id.in_(matching))
    if cursor is not None:
        started_ms, call_id = _read_cursor(cursor)
        query = query.where(
            sa.tuple_(CALLS.c.started_ms, CALLS.c.call_id)
            < sa.tuple_(sa.literal(started_ms), sa.literal(call_id))
        )
    rows = connection.execute(query.limit(limit + 1)).mappings().all()
    reasons = _reasons(connection, [row["call_id"] for row in rows[:limit]])
    calls = [_row(row, reasons) for row in rows[:limit]]
    more = len(rows) > limit
    last = rows[limit - 1] if more else None
    return CallPage(calls, _cursor(last["started_ms"], last["call_id"]) if last else None)


def select_call(connection: sa.Connection, call_id: str) -> CallRow | None:
    """Return one call, None when there is none."""
    query = sa.select(CALLS).where(CALLS.c.call_id == call_id)
    row = connection.execute(query).mappings().first()
    return None if row is None else _row(row, _reasons(connection, [call_id]))


def _row(row: sa.RowMapping, reasons: dict[str, dict[str, int]]) -> CallRow:
    fields = set(CallRow.__struct_fields__) - {"reasons"}
    return CallRow(
        **{name: row[name] for name in row if name in fields},
        reasons=reasons.get(row["call_id"], {}),
    )


def _reasons(connection: sa.Connection, call_ids: list[str]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    query = sa.select(CALL_REASONS).where(CALL_REASONS.c.call_id.in_(call_ids))
    for row in connection.execute(query.order_by(CALL_REASONS.c.reason)):
        found.setdefault(row.call_id, {})[row.reason] = row._mapping["count"]
    return found


def _cursor(started_ms: int, call_id: str) -> str:
    return base64.urlsafe_b64encode(f"{started_ms}/{call_id}".encode()).decode()


def _read_cursor(cursor: str) -> tuple[int, str]:
    try:
        started_ms, _, call_id = base64.urlsafe_b64decode(cursor).decode().partition("/")
        if abs(int(started_ms)) >= 2**63:
            raise ValueError("more than a database counts to")
        return int(started_ms), call_id
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise ValueError("The cursor is not one that a page of calls gave.") from error
