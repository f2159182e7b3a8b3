"""Group commit: one thread writes events; what came during a commit goes into the next one."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

import sqlalchemy as sa

from server.store.checkpoints import CallMark, write_marks
from server.store.database import StoreError
from server.store.tables import EVENTS
from server.store.tenancy import Job, acting_for, for_job

QUEUE_EVENTS = 4_096
"""Events that may wait; beyond it the analysis waits (`reliability.md` section 4)."""
BATCH_EVENTS = 256
"""A transaction closes when it has about so many events."""
_COMMIT_EVERY_S = 0.02
"""Least time from the begin of one commit to that of the next, so that the events of many calls
share what a commit costs, while many are live; the first after a pause does not wait (our
choice)."""
_HOLD_S = 0.06
"""Longest time between two such begins, where `flush` does not say before that whoever submits has
submitted what there is for now (our choice)."""
_INSERT = sa.insert(EVENTS)

Rows = Sequence[dict[str, Any]]
Change = Callable[[sa.Connection], None]


class _Batch(NamedTuple):
    rows: Rows
    mark: CallMark | None
    future: Future[None]
    tenant: str = ""
    change: Change | None = None


class GroupWriter:
    """Writes batches in the order of `submit`; a batch is committed whole or not at all.

    Batches of all tenants go into one commit; their rows and marks say whose they are.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = for_job(engine, Job.COMMIT)
        self._changed = threading.Condition()
        self._waiting: deque[_Batch] = deque()
        self._waiting_events = 0
        self._closing = False
        self._began_s = 0.0
        self.gathers: Callable[[], bool] = lambda: False
        """Whether commits keep a distance now; set by who knows how many calls write."""
        self._flushed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal")
        self._thread.start()

    def submit(self, rows: Rows, mark: CallMark | None = None) -> Future[None]:
        """Queue a batch; the future is done once it is committed, at once for an empty one."""
        future: Future[None] = Future()
        if not rows and mark is None:
            future.set_result(None)
            return future
        with self._changed:
            self._changed.wait_for(lambda: self._waiting_events < QUEUE_EVENTS or self._closing)
            if self._closing:
                raise RuntimeError("The journal is closed.")
            self._waiting.append(_Batch(rows, mark, future))
            self._waiting_events += len(rows)
            self._changed.notify_all()
        return future

    def submit_change(self, tenant: str, change: Change) -> Future[None]:
        """Queue a change of a tenant's rows before all events that are submitted later.

        It never waits, so that an event loop may use it; the future has what it raises.
        """
        future: Future[None] = Future()
        with self._changed:
            if self._closing:
                raise RuntimeError("The journal is closed.")
            self._waiting.append(_Batch((), None, future, tenant, change))
            self._changed.notify_all()
        return future

    def flush(self) -> None:
        """Say that no more comes for now: what waits need not wait for more."""
        self._flushed.set()

    def close(self) -> None:
        """Commit what is queued and end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._flushed.set()
        self._thread.join()

    def _run(self) -> None:
        while batches := self._next():
            self._commit(batches)

    def _next(self) -> list[_Batch]:
        """Wait for events; empty when the journal is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
        if self.gathers() and not self._closing:
            # Not on the condition, which every batch would wake.
            time.sleep(max(0.0, self._began_s + _COMMIT_EVERY_S - time.monotonic()))
            self._flushed.wait(max(0.0, self._began_s + _HOLD_S - time.monotonic()))
        self._began_s = time.monotonic()
        with self._changed:
            self._flushed.clear()
            batches: list[_Batch] = []
            count = 0
            while self._waiting and count < BATCH_EVENTS:
                batches.append(self._waiting.popleft())
                count += len(batches[-1].rows)
            self._waiting_events -= count
            self._changed.notify_all()
        return batches

    def _commit(self, batches: list[_Batch]) -> None:
        try:
            self._write(batches)
        except (sa.exc.SQLAlchemyError, StoreError) as error:
            if len(batches) == 1:
                batches[0].future.set_exception(error)
                return
            # One bad batch must not take the others with it.
            for batch in batches:
                self._commit([batch])
            return
        for batch in batches:
            batch.future.set_result(None)

    def _write(self, batches: list[_Batch]) -> None:
        rows = [row for batch in batches for row in batch.rows]
        marks = [batch.mark for batch in batches if batch.mark is not None]
        with self._engine.begin() as connection:
            for batch in batches:
                if batch.change is not None:
                    with acting_for(connection, batch.tenant):
                        batch.change(connection)
            if rows:
                connection.execute(_INSERT, rows)
            if marks:
                write_marks(connection, marks)
