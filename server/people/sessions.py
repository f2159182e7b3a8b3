"""Browser sessions of users: opened by a password; time, sign-out or other rights end them."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable

import sqlalchemy as sa

from server.people.accounts import Accounts
from server.people.roles import Person
from server.store.tables import SESSIONS
from server.store.tenancy import Job, for_job, for_tenant

IDLE_MS = 30 * 60_000
LONGEST_MS = 12 * 3_600_000
"""A session ends after 30 minutes without use and after 12 hours (`reliability.md` A6)."""
_SEEN_EVERY_MS = 15_000
"""A use is written down at most so often."""


class Sessions:
    """Sessions in the database, under the hash of their token; `now_ms` is wall time since 1970."""

    def __init__(self, database: sa.Engine, accounts: Accounts, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._engine = for_job(database, Job.SIGN_IN)
        self._accounts = accounts
        self._now_ms = now_ms

    def open(self, person: Person) -> str:
        """Start a session and return its token, which only the browser keeps."""
        token = secrets.token_urlsafe(32)
        now_ms = self._now_ms()
        row = {
            "token_sha256": _digest(token),
            "user_id": person.id,
            "opened_ms": now_ms,
            "seen_ms": now_ms,
        }
        with for_tenant(self._database, person.tenant).begin() as connection:
            connection.execute(
                sa.delete(SESSIONS).where(SESSIONS.c.opened_ms < now_ms - LONGEST_MS)
            )
            connection.execute(sa.insert(SESSIONS).values(row))
        return token

    def person(self, token: str, *, used: bool = True) -> Person | None:
        """Return who a session belongs to, with the rights they have now; None when it is over.

        Args:
            token: what the browser sent.
            used: False for a mere check, which does not keep an idle session alive.
        """
        now_ms = self._now_ms()
        query = sa.select(SESSIONS).where(SESSIONS.c.token_sha256 == _digest(token))
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        if now_ms - row.seen_ms > IDLE_MS or now_ms - row.opened_ms > LONGEST_MS:
            self.close(token)
            return None
        person = self._accounts.get(row.user_id)
        if person is not None and used and now_ms - row.seen_ms > _SEEN_EVERY_MS:
            with self._engine.begin() as connection:
                connection.execute(
                    sa.update(SESSIONS)
                    .where(SESSIONS.c.token_sha256 == _digest(token))
                    .values(seen_ms=now_ms)
                )
        return person

    def close(self, token: str) -> None:
        """End a session."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(SESSIONS).where(SESSIONS.c.token_sha256 == _digest(token)))


def csrf_token(session_token: str) -> str:
    """Return what a page must send along with every change, derived from its own session."""
    return hmac.new(session_token.encode(), b"csrf", hashlib.sha256).hexdigest()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
