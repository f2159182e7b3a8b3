"""Every event of every call, committed before anybody sees it."""

from __future__ import annotations

import copy
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from conversation.events import (
    CallStarted,
    CueRaised,
    Event,
    EventLog,
    OverlapEnded,
    PromiseMade,
    PromiseReviewed,
)
from reports.model import PRACTICE_SOURCE
from reports.promises import promises_of
from server.people.tenants import DEFAULT_TENANT
from server.store.calls import CallFilter, CallPage, CallRow, select_call, select_calls
from server.store.checkpoints import (
    CallMark,
    CallSource,
    Mark,
    Unfinished,
    close_checkpoint,
    end_abandoned,
    open_checkpoint,
    raise_epoch,
    unfinished_calls,
)
from server.store.database import StoreError, open_database
from server.store.promises import enter
from server.store.tables import CALL_REASONS, CALLS, EVENTS, PRACTICE
from server.store.tenancy import Job, for_job, for_tenant
from server.store.writer import GroupWriter


class CallIdTaken(StoreError):
    """A call of this id was opened before."""

    code = "call_id_taken"


class Journal:
    """The record of a tenant's calls; methods may be called from any thread.

    Events that `append` or the future of `submit` has confirmed survive the death of the process
    and, with SQLite's full sync or PostgreSQL's defaults, of the machine.
    """

    def __init__(self, where: Path | str, *, serving: bool = True) -> None:
        """Open the record; whoever serves calls takes up those that a dead process left live.

        Raises:
            StoreError: the database cannot be used.
        """
        self.database = open_database(where)
        """The same for no tenant yet."""
        self.tenant = DEFAULT_TENANT
        self.engine = for_tenant(self.database, self.tenant)
        """The database of this tenant's rows."""
        if serving:
            with for_job(self.database, Job.RECOVERY).begin() as connection:
                end_abandoned(connection)
        self._writer = GroupWriter(self.database)

    def of(self, tenant: str) -> Journal:
        """Return the record of another tenant's calls, written by the same thread."""
        other = copy.copy(self)
        other.tenant, other.engine = tenant, for_tenant(self.database, tenant)
        return other

    def gather_while(self, many: Callable[[], bool]) -> None:
        """Let the events of many calls share commits for as long as `many` says so."""
        self._writer.gathers = many

    def flush(self) -> None:
        """Say that the events of many calls that were coming are all submitted."""
        self._writer.flush()

    def close(self) -> None:
        """Commit what is queued and close the database, for all tenants."""
        self._writer.close()
        self.database.dispose()

    def open_call(
        self,
        call_id: str,
        started_at: str,
        agent: str | None,
        *,
        team: str | None = None,
        customer: str | None = None,
        source: CallSource | None = None,
    ) -> None:
        """Enter a new call that started at a wall time in ISO 8601 with offset.

        Without a `source` it cannot go on in another process.

        Raises:
            CallIdTaken: the id was used before.
        """
        self.begin_call(
            call_id, started_at, agent, team=team, customer=customer, source=source
        ).result()

    def begin_call(
        self,
        call_id: str,
        started_at: str,
        agent: str | None,
        *,
        team: str | None = None,
        customer: str | None = None,
        source: CallSource | None = None,
    ) -> Future[None]:
        """Queue what `open_call` does; the future is done, or raises, when that is committed.

        Calls that begin at once share a commit, and events that are submitted later come later.
        """
        row = {
            "call_id": call_id,
            "started_at": started_at,
            "started_ms": round(datetime.fromisoformat(started_at).timestamp() * 1000),
            "agent": agent,
            "team": team,
            "customer": customer,
            "live": True,
            "duration_ms": 0,
            "legal_hold": False,
        }

        def enter(connection: sa.Connection) -> None:
            try:
                connection.execute(sa.insert(CALLS).values(row))
            except sa.exc.IntegrityError as error:
                raise CallIdTaken("This call_id was used before.") from error
            if source is not None:
                open_checkpoint(connection, call_id, source)

        return self._writer.submit_change(self.tenant, enter)

    def unfinished(self) -> list[Unfinished]:
        """Return the calls of all tenants that were live when their process died."""
        with for_job(self.database, Job.RECOVERY).connect() as connection:
            return unfinished_calls(connection)

    def raise_epoch(self, call_id: str, epoch: int) -> Future[None]:
        """Queue a note that a newer socket brings a call's audio; the future is done with it."""
        note = partial(raise_epoch, call_id=call_id, epoch=epoch)
        return self._writer.submit_change(self.tenant, note)

    def submit(
        self, call_id: str, first_seq: int, events: Sequence[Event], mark: Mark | None = None
    ) -> Future[None]:
        """Queue events under consecutive numbers; the future is done once they are committed.

        `mark` says how far the call has come with them.
        """
        rows = []
        for seq, event in enumerate(events, first_seq):
            payload = EventLog.encode(event)
            rows.append(
                {
                    "tenant_id": self.tenant,
                    "call_id": call_id,
                    "seq": seq,
                    "at_ms": event.at_ms,
                    "type": str(event.__struct_config__.tag),
                    "payload": payload,
                    "crc32": zlib.crc32(payload),
                }
            )
        call_mark = None if mark is None else CallMark(self.tenant, call_id, mark)
        return self._writer.submit(rows, call_mark)

    def append(self, call_id: str, first_seq: int, events: Sequence[Event]) -> None:
        """Commit events under consecutive numbers; when this returns they survive a crash.

        Raises:
            StoreError: they cannot be written; none of them is.
        """
        if not events:
            return
        try:
            self.submit(call_id, first_seq, events).result()
        except sa.exc.SQLAlchemyError as error:
            raise StoreError(
                f"{len(events)} events of call {call_id} from number {first_seq} on cannot be "
                f"written ({type(error).__name__})."
            ) from error

    def end_call(self, call_id: str, duration_ms: int) -> None:
        """Mark a call as over, note why somebody would look at it, and list its promises."""
        events = self.events(call_id, types=_ENDING_TYPES)
        counts = _reasons(events)
        with self.engine.begin() as connection:
            connection.execute(
                sa.update(CALLS)
                .where(CALLS.c.call_id == call_id)
                .values(live=False, duration_ms=duration_ms)
            )
            close_checkpoint(connection, call_id)
            connection.execute(sa.delete(CALL_REASONS).where(CALL_REASONS.c.call_id == call_id))
            if counts:
                connection.execute(
                    sa.insert(CALL_REASONS),
                    [
                        {"call_id": call_id, "reason": reason, "count": count}
                        for reason, count in sorted(counts.items())
                    ],
                )
            self._list_promises(connection, call_id, events)

    def _list_promises(
        self, connection: sa.Connection, call_id: str, events: Sequence[Event]
    ) -> None:
        """Put what was promised on the due list; in practice nobody was promised anything."""
        row = select_call(connection, call_id)
        started = events[0] if events else None
        if row is None or not isinstance(started, CallStarted) or started.source == PRACTICE_SOURCE:
            return
        made_ms = round(datetime.fromisoformat(row.started_at).timestamp() * 1000)
        enter(connection, call_id, row.agent, row.team, promises_of(events), made_ms)

    def has_call(self, call_id: str) -> bool:
        """Whether this id was ever used."""
        with self.engine.connect() as connection:
            query = sa.select(CALLS.c.call_id).where(CALLS.c.call_id == call_id)
            return connection.execute(query).first() is not None

    def call(self, call_id: str) -> CallRow | None:
        """Return one call as listed, None when there is none."""
        with self.engine.connect() as connection:
            return select_call(connection, call_id)

    def events(self, call_id: str, *, since_seq: int = 0, types: Sequence[str] = ()) -> list[Event]:
        """Return a call's events after `since_seq` in order; empty for an unknown call.

        `types` are wire names of the event types that are wanted; empty asks for all.

        Raises:
            StoreError: a row is not what was written.
        """
        query = (
            sa.select(EVENTS.c.seq, EVENTS.c.payload, EVENTS.c.crc32)
            .where(EVENTS.c.call_id == call_id, EVENTS.c.seq > since_seq)
            .order_by(EVENTS.c.seq)
        )
        if types:
            query = query.where(EVENTS.c.type.in_(types))
        with self.engine.connect() as connection:
            rows = connection.execute(query).all()
        for seq, payload, crc32 in rows:
            if zlib.crc32(payload) != crc32:
                raise StoreError(
                    f"Event {seq} of call {call_id} is damaged in the database; restore a backup."
                )
        return [EventLog.decode(payload) for _, payload, _ in rows]

    def agent_events(self, agent: str, since: str, types: Sequence[str]) -> list[Event]:
        """Return events of some types from an agent's calls that began since, call by call.

        Args:
            agent: who took the calls.
            since: earliest start, ISO 8601 with offset.
            types: wire names of the event types.
        """
        since_ms = round(datetime.fromisoformat(since).timestamp() * 1000)
        query = (
            sa.select(EVENTS.c.payload)
            .join(CALLS, CALLS.c.call_id == EVENTS.c.call_id)
            .where(CALLS.c.agent == agent, CALLS.c.started_ms >= since_ms)
            .where(CALLS.c.call_id.not_in(sa.select(PRACTICE.c.call_id)))
            .where(EVENTS.c.type.in_(types))
            .order_by(CALLS.c.started_ms, CALLS.c.call_id, EVENTS.c.seq)
        )
        with self.engine.connect() as connection:
            return [EventLog.decode(payload) for payload in connection.scalars(query)]

    def calls(self) -> list[CallRow]:
        """Return all calls in which somebody called, newest first."""
        found: list[CallRow] = []
        cursor = None
        while True:
            page = self.find_calls(CallFilter(), limit=200, cursor=cursor)
            found += page.calls
            cursor = page.next_cursor
            if cursor is None:
                return found

    def find_calls(
        self, wanted: CallFilter, *, limit: int = 50, cursor: str | None = None
    ) -> CallPage:
        """Return one page of calls, newest first.

        Raises:
            ValueError: the cursor is not one that a page gave, or the limit is out of range.
        """
        with self.engine.connect() as connection:
            return select_calls(connection, wanted, limit=limit, cursor=cursor)


_ENDING_TYPES = tuple(
    str(kind.__struct_config__.tag)
    for kind in (CallStarted, CueRaised, OverlapEnded, PromiseMade, PromiseReviewed)
)
"""What is looked at when a call ends; a long call has many more events."""


def _reasons(events: Sequence[Event]) -> Counter[str]:
    """Count the cues that were shown and the kinds of overlap as judged after the call."""
    counts = Counter(event.rule for event in events if isinstance(event, CueRaised))
    overlaps = {e.id: e for e in events if isinstance(e, OverlapEnded) and e.revision == 0}
    judged = {e.id: e for e in events if isinstance(e, OverlapEnded) and e.revision > 0}
    counts.update(str(event.overlap_class) for event in (judged or overlaps).values())
    return counts
