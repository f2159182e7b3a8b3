"""What is still to be told: filled in the transaction of the events, emptied by their arrival.

A message is written when the event is, so that neither is there without the other; it goes when
its receiver has taken it. A process that dies in between leaves the row, and it is told again.
It is for the receivers of its call's tenant alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from conversation.events import EventLog
from server.store.promises import Notice
from server.store.tables import CALLS, EVENTS, OUTBOX, PRACTICE, WEBHOOKS
from server.store.tenancy import Job, acting_for, for_job
from server.webhooks.hooks import Hook, read_hooks
from server.webhooks.messages import (
    EVENT_TYPES,
    REPORT_READY,
    Told,
    body_of,
    messages_of,
    promise_message,
)

LEASE_MS = 60_000
"""How long a message belongs to the process that is sending it."""
GIVEN_UP_AFTER_MS = 5 * 86_400_000
"""Nothing has arrived for so long: the receiver is told no more (`protocols.md` section 10)."""
_BATCH = 32
_LOG = logging.getLogger("heartline.webhooks")


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A message on its way to one receiver."""

    id: str
    hook: Hook
    body: bytes
    attempts: int


def wall_ms() -> int:
    """Milliseconds since 1970 UTC."""
    return round(datetime.now(UTC).timestamp() * 1000)


class Outbox:
    """The messages of one database; methods may be called from any thread."""

    def __init__(
        self,
        database: sa.Engine,
        *,
        source: str = "/",
        max_waiting: int = 100_000,
        now_ms: Callable[[], int] = wall_ms,
    ) -> None:
        self._database = database
        self._engine = for_job(database, Job.DELIVERY)
        self._source = source
        self._max_waiting = max_waiting
        self._now_ms = now_ms
        self.dropped = 0
        """Messages for which there was no room."""

    def follow_journal(self) -> None:
        """Fill the outbox from now on whenever events are written to this database."""
        sa.event.listen(self._database, "after_execute", self._after_execute)

    def _after_execute(
        self,
        connection: sa.Connection,
        statement: Any,
        many: Sequence[dict[str, Any]],
        one: dict[str, Any],
        _options: Any,
        _result: Any,
    ) -> None:
        if isinstance(statement, sa.Insert) and statement.table is EVENTS:
            rows = [row for row in (many or [one]) if row.get("type") in EVENT_TYPES]
            if rows:
                self._fill(connection, rows)

    def _fill(self, connection: sa.Connection, rows: Sequence[dict[str, Any]]) -> None:
        for tenant in {row["tenant_id"] for row in rows}:
            with acting_for(connection, tenant):
                told = [
                    message
                    for row in rows
                    if row["tenant_id"] == tenant and not _is_practice(connection, row["call_id"])
                    for message in messages_of(
                        row["call_id"],
                        EventLog.decode(row["payload"]),
                        _about(connection, row["call_id"]),
                    )
                ]
                self._enter(connection, told)

    def tell_of_promises(self, connection: sa.Connection, notices: Sequence[Notice]) -> None:
        """Enter what became of promises, in the transaction that found it."""
        for tenant in {notice.tenant for notice in notices}:
            with acting_for(connection, tenant):
                told = [
                    promise_message(notice, _about(connection, notice.promise.call_id))
                    for notice in notices
                    if notice.tenant == tenant
                ]
                self._enter(connection, told)

    def _enter(self, connection: sa.Connection, messages: Sequence[Told]) -> None:
        hooks = [hook for hook in read_hooks(connection) if not hook.disabled]
        if not hooks:
            return
        waiting = connection.scalar(sa.select(sa.func.count()).select_from(OUTBOX)) or 0
        for told in messages:
            if waiting >= self._max_waiting:
                self.dropped += 1
                _LOG.error("%d messages wait already: %s dropped", waiting, told.type)
                continue
            # A matter that was entered before, by a process that died, keeps its first message.
            known = sa.select(OUTBOX.c.hook_id).where(OUTBOX.c.id == told.id)
            there = set(connection.scalars(known))
            to = [hook for hook in hooks if told.type in hook.types and hook.id not in there]
            if to:
                connection.execute(sa.insert(OUTBOX), [self._row(told, hook) for hook in to])
            waiting += len(to)

    def _row(self, told: Told, hook: Hook) -> dict[str, Any]:
        now_ms = self._now_ms()
        at = datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="seconds")
        return {
            "id": told.id,
            "hook_id": hook.id,
            "call_id": told.data["call_id"],
            "type": told.type,
            "body": body_of(told, at=at, source=self._source),
            "due_ms": now_ms,
            "attempts": 0,
        }

    def take(self) -> list[Waiting]:
        """Return what is due, oldest first, for this process alone for a minute."""
        now_ms = self._now_ms()
        live = sa.select(CALLS.c.call_id).where(CALLS.c.live)
        due = (
            sa.select(OUTBOX)
            .where(
                OUTBOX.c.due_ms <= now_ms,
                sa.or_(OUTBOX.c.type != REPORT_READY, OUTBOX.c.call_id.not_in(live)),
            )
            .order_by(OUTBOX.c.due_ms)
            .limit(_BATCH)
        )
        with self._engine.connect() as connection:
            rows = connection.execute(due).mappings().all()
        if not rows:
            return []
        taken = []
        with self._engine.begin() as connection:
            hooks = {hook.id: hook for hook in read_hooks(connection)}
            for row in rows:
                mine = connection.execute(
                    sa.update(OUTBOX)
                    .where(_is(row["id"], row["hook_id"]), OUTBOX.c.due_ms == row["due_ms"])
                    .values(due_ms=now_ms + LEASE_MS)
                )
                hook = hooks.get(row["hook_id"])
                if mine.rowcount and hook is not None:
                    taken.append(
                        Waiting(id=row["id"], hook=hook, body=row["body"], attempts=row["attempts"])
                    )
        return taken

    def arrived(self, waiting: Waiting) -> None:
        """Forget a message that its receiver has."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(OUTBOX).where(_is(waiting.id, waiting.hook.id)))
            connection.execute(
                sa.update(WEBHOOKS)
                .where(WEBHOOKS.c.id == waiting.hook.id, WEBHOOKS.c.failing_since_ms.is_not(None))
                .values(failing_since_ms=None)
            )

    def failed(self, waiting: Waiting, wait_ms: int, *, for_good: bool = False) -> bool:
        """Try a message again later; return whether its receiver was given up.

        Args:
            waiting: The message.
            wait_ms: How long to wait.
            for_good: The receiver said that it wants no more.
        """
        now_ms, hook_id = self._now_ms(), waiting.hook.id
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(WEBHOOKS)
                .where(WEBHOOKS.c.id == hook_id, WEBHOOKS.c.failing_since_ms.is_(None))
                .values(failing_since_ms=now_ms)
            )
            query = sa.select(WEBHOOKS.c.failing_since_ms).where(WEBHOOKS.c.id == hook_id)
            since_ms = connection.scalar(query)
            given_up = since_ms is not None and now_ms - since_ms >= GIVEN_UP_AFTER_MS
            if for_good or given_up:
                connection.execute(
                    sa.update(WEBHOOKS).where(WEBHOOKS.c.id == hook_id).values(disabled=True)
                )
                connection.execute(sa.delete(OUTBOX).where(OUTBOX.c.hook_id == hook_id))
                return True
            connection.execute(
                sa.update(OUTBOX)
                .where(_is(waiting.id, hook_id))
                .values(attempts=waiting.attempts + 1, due_ms=now_ms + wait_ms)
            )
        return False

    def count(self) -> int:
        """Return how many messages wait, those that are tried again later included."""
        with self._engine.connect() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(OUTBOX)) or 0


def _is(message_id: str, hook_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(OUTBOX.c.id == message_id, OUTBOX.c.hook_id == hook_id)


def _is_practice(connection: sa.Connection, call_id: str) -> bool:
    """Whether nobody called: practice is the trainee's, and no other system hears of it."""
    query = sa.select(PRACTICE.c.call_id).where(PRACTICE.c.call_id == call_id)
    return connection.scalar(query) is not None


def _about(connection: sa.Connection, call_id: str) -> dict[str, Any]:
    query = sa.select(CALLS.c.agent, CALLS.c.team, CALLS.c.customer, CALLS.c.started_at)
    row = connection.execute(query.where(CALLS.c.call_id == call_id)).mappings().first()
    return {} if row is None else dict(row)
