"""Single-user sign-in: a one-time token in the address, and a cookie."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable

COOKIE = "heartline_session"
SECURE_COOKIE = f"__Host-{COOKIE}"
"""Under TLS: a browser takes it from this host alone (RFC 6265bis section 4.1.3.2)."""
TOKEN_LIFETIME_S = 600.0
LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})


class SingleUser:
    """Who may look, when there is only the person at this machine."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self.token = secrets.token_urlsafe(32)
        """256 bits, exchanged once for a session cookie; it stands in the address's fragment."""
        self.key = secrets.token_urlsafe(32)
        """256 bits for this machine's command line, kept in a file of the data folder."""
        self._token_until_s = now_s() + TOKEN_LIFETIME_S
        self._token_used = False
        self._sessions: set[str] = set()

    def exchange(self, token: str) -> str | None:
        """Return a session for the one-time token, None when it is wrong, late or used."""
        good = hmac.compare_digest(token.encode(), self.token.encode())
        if not good or self._token_used or self._now_s() > self._token_until_s:
            return None
        self._token_used = True
        session = secrets.token_urlsafe(32)
        self._sessions.add(session)
        return session

    def is_signed_in(self, session: str | None) -> bool:
        """Whether a cookie value is a session of ours."""
        return session is not None and session in self._sessions

    def is_key(self, authorization: str | None) -> bool:
        """Whether an `Authorization` header carries the command line's key."""
        scheme, _, key = (authorization or "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(key.encode(), self.key.encode())


def is_loopback_host(host: str) -> bool:
    """Whether a `Host` header names this machine; guards against rebinding of names."""
    name, _, port = host.rpartition(":")
    if not name or not port.isdigit():
        name = host
    return name in LOOPBACK_NAMES
