"""Group commit: one thread writes events; what came during a commit goes into the next one."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import sqlalchemy as sa

from server.store.tables import EVENTS

QUEUE_EVENTS = 4_096
"""Events that may wait; beyond it the analysis waits (`reliability.md` section 4)."""
BATCH_EVENTS = 256
"""A transaction closes when it has about so many events; it never waits for more."""

Rows = Sequence[dict[str, Any]]


class GroupWriter:
    """Writes batches in the order of `submit`; a batch is committed whole or not at all."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._changed = threading.Condition()
        self._waiting: deque[tuple[Rows, Future[None]]] = deque()
        self._waiting_events = 0
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="journal")
        self._thread.start()

    def submit(self, rows: Rows) -> Future[None]:
        """Queue a batch; the future is done once it is committed, at once for an empty one."""
        future: Future[None] = Future()
        if not rows:
            future.set_result(None)
            return future
        with self._changed:
            self._changed.wait_for(lambda: self._waiting_events < QUEUE_EVENTS or self._closing)
            if self._closing:
                raise RuntimeError("The journal is closed.")
            self._waiting.append((rows, future))
            self._waiting_events += len(rows)
            self._changed.notify_all()
        return future

    def close(self) -> None:
        """Commit what is queued and end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while batches := self._next():
            self._commit(batches)

    def _next(self) -> list[tuple[Rows, Future[None]]]:
        """Wait for events; empty when the journal is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            batches, count = [], 0
            while self._waiting and count < BATCH_EVENTS:
                rows, future = self._waiting.popleft()
                batches.append((rows, future))
                count += len(rows)
            self._waiting_events -= count
            self._changed.notify_all()
        return batches

    def _commit(self, batches: list[tuple[Rows, Future[None]]]) -> None:
        try:
            self._insert([row for rows, _ in batches for row in rows])
        except sa.exc.SQLAlchemyError as error:
            if len(batches) == 1:
                batches[0][1].set_exception(error)
                return
            # One bad batch must not take the others with it.
            for batch in batches:
                self._commit([batch])
            return
        for _, future in batches:
            future.set_result(None)

    def _insert(self, rows: list[dict[str, Any]]) -> None:
        with self._engine.begin() as connection:
            connection.execute(sa.insert(EVENTS), rows)
