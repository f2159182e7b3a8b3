"""How long calls are kept, and erasing them for good."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from server.store.database import StoreError
from server.store.promises import delete_promises
from server.store.tables import (
    CALL_FIGURES,
    CALL_REASONS,
    CALLS,
    CHECKPOINTS,
    DISPUTES,
    ERASURES,
    EVENTS,
    OUTBOX,
    PRACTICE,
    PROMISES,
)
from server.store.tenancy import for_tenant, tenants_of

_DAY_MS = 86_400_000
_ABOUT_A_CALL = (
    CALL_FIGURES,
    CALL_REASONS,
    CHECKPOINTS,
    DISPUTES,
    OUTBOX,
    PROMISES,
    PRACTICE,
    CALLS,
)
"""Everything but its events, the call itself last."""


class RetentionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Days until something is deleted (`reliability.md` section 6); a legal hold stops it."""

    events_days: int = 90
    """Transcripts and everything else that was heard; reports are built from it."""
    practice_days: int = 30
    """Practice, which is the trainee's own."""
    calls_days: int = 395
    """That there was a call, how long, and the counts of its reasons: 13 months."""


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """What an erasure took away; it is kept, the calls are not."""

    id: str
    erased_at: str
    scope: str
    """`call`, `customer`, `agent`, `all` or `retention`."""
    calls: int
    events: int


def set_legal_hold(engine: sa.Engine, call_id: str, *, on: bool) -> None:
    """Keep a call whatever the retention says, or stop keeping it.

    Raises:
        StoreError: there is no such call.
    """
    with engine.begin() as connection:
        done = connection.execute(
            sa.update(CALLS).where(CALLS.c.call_id == call_id).values(legal_hold=on)
        )
        if done.rowcount == 0:
            raise StoreError(f"There is no call {call_id}.")


def erase_call(engine: sa.Engine, call_id: str, *, now: datetime) -> Certificate:
    """Erase everything of one call.

    Raises:
        StoreError: there is no such call, it is live, or it is under a legal hold.
    """
    return _erase(engine, CALLS.c.call_id == call_id, "call", f"call {call_id}", now)


def erase_customer(engine: sa.Engine, customer: str, *, now: datetime) -> Certificate:
    """Erase all calls of one customer reference.

    Raises:
        StoreError: there is no such call, one is live, or one is under a legal hold.
    """
    return _erase(engine, CALLS.c.customer == customer, "customer", "such customer", now)


def erase_agent(engine: sa.Engine, agent: str, *, now: datetime) -> Certificate:
    """Erase all calls of one agent.

    Raises:
        StoreError: there is no such call, one is live, or one is under a legal hold.
    """
    return _erase(engine, CALLS.c.agent == agent, "agent", "call of theirs", now)


def erase_all(engine: sa.Engine, *, now: datetime) -> Certificate:
    """Erase all calls.

    Raises:
        StoreError: there is no call, one is live, or one is under a legal hold.
    """
    return _erase(engine, sa.true(), "all", "call", now)


def expire(database: sa.Engine, settings: RetentionSettings, *, now: datetime) -> list[Certificate]:
    """Delete exactly what is older than the settings allow; a certificate for each tenant."""
    engines = [for_tenant(database, tenant) for tenant in tenants_of(database)]
    found = (_expire(engine, settings, now) for engine in engines)
    done = [certificate for certificate in found if certificate is not None]
    if done:
        _overwrite(database)
    return done


def _expire(engine: sa.Engine, settings: RetentionSettings, now: datetime) -> Certificate | None:
    now_ms = round(now.timestamp() * 1000)
    old_events = now_ms - settings.events_days * _DAY_MS
    old_calls = now_ms - settings.calls_days * _DAY_MS
    free = sa.and_(~CALLS.c.legal_hold, ~CALLS.c.live)
    with engine.begin() as connection:
        old_practice = sa.and_(
            CALLS.c.call_id.in_(sa.select(PRACTICE.c.call_id)),
            CALLS.c.started_ms < now_ms - settings.practice_days * _DAY_MS,
        )
        stale = sa.select(CALLS.c.call_id).where(
            free, sa.or_(CALLS.c.started_ms < old_events, old_practice)
        )
        events = connection.execute(sa.delete(EVENTS).where(EVENTS.c.call_id.in_(stale))).rowcount
        connection.execute(sa.delete(OUTBOX).where(OUTBOX.c.call_id.in_(stale)))
        delete_promises(connection, stale)
        connection.execute(sa.delete(CALL_FIGURES).where(CALL_FIGURES.c.call_id.in_(stale)))
        gone = list(
            connection.scalars(
                sa.select(CALLS.c.call_id).where(
                    free, sa.or_(CALLS.c.started_ms < old_calls, old_practice)
                )
            )
        )
        _delete_calls(connection, gone)
        if not events and not gone:
            return None
        return _certify(connection, "retention", len(gone), events, now)


def _erase(
    engine: sa.Engine, which: sa.ColumnElement[bool], scope: str, what: str, now: datetime
) -> Certificate:
    with engine.begin() as connection:
        query = sa.select(CALLS.c.call_id, CALLS.c.live, CALLS.c.legal_hold).where(which)
        rows = connection.execute(query).all()
        if not rows:
            raise StoreError(f"There is no {what}.")
        for call_id, live, held in rows:
            if live or held:
                reason = "still live" if live else "under a legal hold"
                raise StoreError(f"Call {call_id} is {reason}, so nothing was erased.")
        call_ids = [row.call_id for row in rows]
        events = connection.execute(
            sa.delete(EVENTS).where(EVENTS.c.call_id.in_(call_ids))
        ).rowcount
        _delete_calls(connection, call_ids)
        certificate = _certify(connection, scope, len(call_ids), events, now)
    _overwrite(engine)
    return certificate


def _delete_calls(connection: sa.Connection, call_ids: Sequence[str]) -> None:
    for table in _ABOUT_A_CALL:
        connection.execute(sa.delete(table).where(table.c.call_id.in_(call_ids)))


def _certify(
    connection: sa.Connection, scope: str, calls: int, events: int, now: datetime
) -> Certificate:
    certificate = Certificate(
        id=f"er_{secrets.token_hex(8)}",
        erased_at=now.isoformat(timespec="seconds"),
        scope=scope,
        calls=calls,
        events=events,
    )
    connection.execute(sa.insert(ERASURES).values(msgspec.to_builtins(certificate)))
    return certificate


def _overwrite(engine: sa.Engine) -> None:
    """Leave no deleted byte in the files; PostgreSQL keeps them in its log until it is recycled."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("VACUUM")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        else:
            connection.exec_driver_sql("VACUUM FULL events")
