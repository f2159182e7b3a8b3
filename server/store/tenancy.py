"""Whose rows a statement may touch: a connection works for one tenant, or does a named job.

Nobody writes the predicate by hand. On an engine of `for_tenant` every SELECT, UPDATE and DELETE
gets `tenant_id = …` for each table that it names, in its subqueries too, and every INSERT the
tenant of its rows. The few jobs that serve all tenants at once go through `for_job`, each with the
tables that it may touch. A statement that comes through neither is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, TypeGuard
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.sql import visitors

from server.people.tenants import DEFAULT_TENANT
from server.store.tables import (
    API_KEYS,
    AUDIT,
    CALLS,
    CHECKPOINTS,
    EVENTS,
    METADATA,
    OUTBOX,
    PROMISES,
    SESSIONS,
    USERS,
    WEBHOOKS,
)

_OPTION = "heartline_tenant"
_TABLES_OF: WeakKeyDictionary[Any, frozenset[sa.Table]] = WeakKeyDictionary()
"""Of statements that are there: those that are kept are looked through once."""


class Job(StrEnum):
    """What is done for all tenants at once."""

    RECOVERY = "recovery"
    """At the start: calls that a dead process left live."""
    SIGN_IN = "sign_in"
    """A name, a session or a key says who it is, and so of which tenant."""
    COMMIT = "commit"
    """Events of all calls are committed together; each row names its tenant."""
    PROMISE_CLOCK = "promise_clock"
    """Promises fall due."""
    DELIVERY = "delivery"
    """Messages go to their receivers."""
    AUDIT_CHAIN = "audit_chain"
    """The audit log is one chain; each row names its tenant."""
    READINESS = "readiness"
    """Whether the database can be written, on no row."""


MAY_TOUCH: dict[Job, frozenset[sa.Table]] = {
    Job.RECOVERY: frozenset({CALLS, CHECKPOINTS, EVENTS}),
    Job.SIGN_IN: frozenset({USERS, SESSIONS, API_KEYS}),
    Job.COMMIT: frozenset({EVENTS, CHECKPOINTS}),
    Job.PROMISE_CLOCK: frozenset({PROMISES}),
    Job.DELIVERY: frozenset({OUTBOX, WEBHOOKS, CALLS}),
    Job.AUDIT_CHAIN: frozenset({AUDIT}),
    Job.READINESS: frozenset({CALLS}),
}
"""All tables that a job reads or writes across tenants."""


class TenancyError(RuntimeError):
    """A statement says not for whom it is, or reaches for what its job does not include."""


def for_tenant(engine: sa.Engine, tenant: str = DEFAULT_TENANT) -> sa.Engine:
    """Return the same database, of which only a tenant's rows are there."""
    return engine.execution_options(**{_OPTION: tenant})


def for_job(engine: sa.Engine, job: Job) -> sa.Engine:
    """Return the same database for a job that serves all tenants."""
    return engine.execution_options(**{_OPTION: job})


@contextmanager
def acting_for(connection: sa.Connection, tenant: str) -> Iterator[None]:
    """Let a job's connection work for one tenant until the block ends."""
    before = connection.get_execution_options().get(_OPTION)
    connection.execution_options(**{_OPTION: tenant})
    try:
        yield
    finally:
        connection.execution_options(**{_OPTION: before})


def tenants_of(engine: sa.Engine) -> list[str]:
    """Return all tenants, the default one included."""
    found = {DEFAULT_TENANT}
    with for_job(engine, Job.SIGN_IN).connect() as connection:
        for table in (USERS, API_KEYS):
            found |= set(connection.scalars(sa.select(table.c.tenant_id).distinct()))
    return sorted(found)


def keep_apart(engine: sa.Engine) -> None:
    """Check and narrow from now on every statement that goes to a database."""
    sa.event.listen(engine, "before_execute", _narrow, retval=True)


def _narrow(
    _connection: sa.Connection, statement: Any, many: Any, one: Any, options: Any
) -> tuple[Any, Any, Any]:
    if not isinstance(statement, sa.Select | sa.CompoundSelect | sa.Insert | sa.Update | sa.Delete):
        return statement, many, one
    named = _tables_in(statement)
    if not named:
        return statement, many, one
    whose = options.get(_OPTION)
    if isinstance(whose, Job):
        if beyond := named - MAY_TOUCH[whose]:
            raise TenancyError(f"The job {whose} does not include {_names(beyond)}.")
        if isinstance(statement, sa.Insert) and not all("tenant_id" in r for r in many or [one]):
            raise TenancyError(f"The job {whose} inserts rows without a tenant.")
        return statement, many, one
    if whose is None:
        raise TenancyError(f"A statement on {_names(named)} says not for which tenant it is.")
    return _narrowed(statement, whose), many, one


def _narrowed(statement: Any, tenant: str) -> Any:
    if isinstance(statement, sa.Insert):
        return statement.values(tenant_id=tenant)

    def narrow_select(select: Any) -> None:
        for table in _own_tables(select):
            select._where_criteria += (table.c.tenant_id == tenant,)

    narrowed = visitors.cloned_traverse(statement, {}, {"select": narrow_select})
    if isinstance(narrowed, sa.Update | sa.Delete):
        return narrowed.where(narrowed.table.c.tenant_id == tenant)
    return narrowed


def _tables_in(statement: Any) -> frozenset[sa.Table]:
    found = _TABLES_OF.get(statement)
    if found is None:
        found = frozenset(element for element in visitors.iterate(statement) if _is_ours(element))
        _TABLES_OF[statement] = found
    return found


def _is_ours(element: Any) -> TypeGuard[sa.Table]:
    """Whether something is a table of ours, not one that the database keeps for itself."""
    return isinstance(element, sa.Table) and element.metadata is METADATA


def _own_tables(select: Any) -> set[sa.Table]:
    """Return the tables that a SELECT reads, without what its subqueries alone do."""
    found: set[sa.Table] = set()
    waiting = list(select.get_children())
    while waiting:
        element = waiting.pop()
        if isinstance(element, sa.Alias) and _is_ours(element.element):
            raise TenancyError("An alias of a table cannot be narrowed to a tenant.")
        if _is_ours(element):
            found.add(element)
        elif not isinstance(element, sa.SelectBase):
            waiting += element.get_children()
    return found


def _names(tables: Iterable[sa.Table]) -> str:
    return ", ".join(sorted(table.name for table in tables))
