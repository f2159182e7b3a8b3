"""The audit log: who did or looked at what, each row sealed to the one before."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from datetime import datetime
from pathlib import Path

import msgspec
import sqlalchemy as sa

from server.people.roles import Person
from server.people.tenants import DEFAULT_TENANT
from server.store.tables import AUDIT
from server.store.tenancy import Job, for_job

_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), 127)}


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One row."""

    seq: int
    at: str
    actor: str
    action: str
    subject: str
    note: str
    tenant: str = DEFAULT_TENANT


_SEALED = ("seq", "at", "actor", "action", "subject", "note")
"""Fields of an entry in the order in which they are sealed, the tenant aside."""


class Audit:
    """Appends and verifies; `secret` seals the rows and stays out of the database.

    It is one chain for all tenants, so that nobody can cut out what concerns one of them.
    """

    def __init__(self, database: sa.Engine, secret: bytes) -> None:
        self._engine = for_job(database, Job.AUDIT_CHAIN)
        self._secret = secret
        self._lock = threading.Lock()

    def add(
        self,
        actor: str | Person,
        action: str,
        subject: str,
        now: datetime,
        note: str = "",
        *,
        tenant: str = DEFAULT_TENANT,
    ) -> None:
        """Write down that `actor` did `action` to `subject`, in the tenant of a person."""
        if isinstance(actor, Person):
            tenant, actor = actor.tenant, actor.id
        with self._lock, self._engine.begin() as connection:
            last = connection.execute(
                sa.select(AUDIT.c.seq, AUDIT.c.mac).order_by(AUDIT.c.seq.desc()).limit(1)
            ).first()
            entry = Entry(
                seq=1 if last is None else last.seq + 1,
                at=now.isoformat(timespec="seconds"),
                actor=_clean(actor, 64),
                action=_clean(action, 64),
                subject=_clean(subject, 256),
                note=_clean(note, 256),
                tenant=tenant,
            )
            row = msgspec.to_builtins(entry)
            row["tenant_id"] = row.pop("tenant")
            row["mac"] = self._mac(entry, "" if last is None else last.mac)
            connection.execute(sa.insert(AUDIT), row)

    def entries(self, *, actor: str | None = None, limit: int = 200) -> list[Entry]:
        """Return rows, newest first, of everybody or of one actor."""
        query = sa.select(AUDIT).order_by(AUDIT.c.seq.desc()).limit(limit)
        if actor is not None:
            query = query.where(AUDIT.c.actor == actor)
        with self._engine.connect() as connection:
            return [_entry(row) for row in connection.execute(query).mappings()]

    def first_broken(self) -> int | None:
        """Return the number of the first row that was changed or is missing, None when whole."""
        before, expected = "", 1
        with self._engine.connect() as connection:
            for row in connection.execute(sa.select(AUDIT).order_by(AUDIT.c.seq)).mappings():
                entry = _entry(row)
                sealed = hmac.compare_digest(row["mac"], self._mac(entry, before))
                if entry.seq != expected or not sealed:
                    return expected
                before, expected = row["mac"], expected + 1
        return None

    def _mac(self, entry: Entry, before: str) -> str:
        # As before there were tenants, so that earlier rows stay whole.
        fields = {name: getattr(entry, name) for name in _SEALED}
        others = [] if entry.tenant == DEFAULT_TENANT else [entry.tenant]
        sealed = msgspec.json.encode([before, fields, *others])
        return hmac.new(self._secret, sealed, hashlib.sha256).hexdigest()


def read_secret(folder: Path) -> bytes:
    """Return the data folder's own secret, made on first use, readable by its owner alone."""
    path = folder / "audit.key"
    if not path.is_file():
        path.touch(mode=0o600)
        path.write_bytes(secrets.token_bytes(32))
    return path.read_bytes()


def _clean(text: str, longest: int) -> str:
    return text.translate(_CONTROL)[:longest]


def _entry(row: sa.RowMapping) -> Entry:
    return Entry(**{name: row[name] for name in _SEALED}, tenant=row["tenant_id"])
