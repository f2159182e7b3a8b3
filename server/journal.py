"""Every event of every call, committed before anybody sees it (SQLite, WAL, full sync)."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from conversation.events import Event, EventLog

_SCHEMA = """
CREATE TABLE IF NOT EXISTS calls (
  call_id TEXT PRIMARY KEY, started_at TEXT NOT NULL, agent TEXT, live INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS events (
  call_id TEXT NOT NULL, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL, type TEXT NOT NULL,
  payload BLOB NOT NULL, PRIMARY KEY (call_id, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS disputes (
  call_id TEXT NOT NULL, span_id TEXT NOT NULL, verdict TEXT NOT NULL, at TEXT NOT NULL);
"""


class CallRow(msgspec.Struct, frozen=True, kw_only=True):
    """One call as listed."""

    call_id: str
    started_at: str
    agent: str | None
    live: bool
    duration_ms: int


class Journal:
    """The one writer of the database; methods may be called from any thread."""

    def __init__(self, path: Path | str) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("PRAGMA secure_delete=ON")
        self._db.executescript(_SCHEMA)
        self._db.execute("UPDATE calls SET live = 0")
        self._db.commit()

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._db.close()

    def open_call(self, call_id: str, started_at: str, agent: str | None) -> None:
        """Enter a new call.

        Raises:
            sqlite3.IntegrityError: the id is taken.
        """
        with self._lock, self._db:
            self._db.execute(
                "INSERT INTO calls VALUES (?, ?, ?, 1, 0)", (call_id, started_at, agent)
            )

    def append(self, call_id: str, first_seq: int, events: Sequence[Event]) -> None:
        """Commit events under consecutive numbers; when this returns they survive a crash."""
        if not events:
            return
        rows = [
            (
                call_id,
                first_seq + i,
                event.at_ms,
                event.__struct_config__.tag,
                EventLog.encode(event),
            )
            for i, event in enumerate(events)
        ]
        with self._lock, self._db:
            self._db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", rows)

    def end_call(self, call_id: str, duration_ms: int) -> None:
        """Mark a call as over."""
        with self._lock, self._db:
            self._db.execute(
                "UPDATE calls SET live = 0, duration_ms = ? WHERE call_id = ?",
                (duration_ms, call_id),
            )

    def dispute(self, call_id: str, span_id: str, verdict: str, at: str) -> None:
        """Add what somebody said of a judgement; nothing said before is overwritten.

        Args:
            call_id: The call.
            span_id: The judged span, such as an interruption's id.
            verdict: A key of `reports.disputes.VERDICTS`, or `withdrawn`.
            at: Wall time in ISO 8601 with offset.
        """
        with self._lock, self._db:
            row = (call_id, span_id, verdict, at)
            self._db.execute("INSERT INTO disputes VALUES (?, ?, ?, ?)", row)

    def disputes(self, call_id: str) -> dict[str, str]:
        """Return the newest verdict on each disputed span of a call."""
        with self._lock:
            rows = self._db.execute(
                "SELECT span_id, verdict FROM disputes WHERE call_id = ? ORDER BY rowid", (call_id,)
            ).fetchall()
        newest = dict(rows)
        return {span: verdict for span, verdict in newest.items() if verdict != "withdrawn"}

    def has_call(self, call_id: str) -> bool:
        """Whether this id was ever used."""
        with self._lock:
            row = self._db.execute("SELECT 1 FROM calls WHERE call_id = ?", (call_id,)).fetchone()
        return row is not None

    def events(self, call_id: str) -> list[Event]:
        """Return a call's events in order; empty for an unknown call."""
        with self._lock:
            rows: Iterable[tuple[bytes]] = self._db.execute(
                "SELECT payload FROM events WHERE call_id = ? ORDER BY seq", (call_id,)
            ).fetchall()
        return [EventLog.decode(row[0]) for row in rows]

    def calls(self) -> list[CallRow]:
        """Return all calls, newest first."""
        with self._lock:
            rows = self._db.execute(
                "SELECT call_id, started_at, agent, live, duration_ms FROM calls "
                "ORDER BY started_at DESC, rowid DESC"
            ).fetchall()
        return [
            CallRow(call_id=r[0], started_at=r[1], agent=r[2], live=bool(r[3]), duration_ms=r[4])
            for r in rows
        ]
