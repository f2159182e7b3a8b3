"""Who is asking: the person at this machine, a signed-in user, or a machine with a key.

Every route says in `opt` what it needs: `action=Action.…`, `public=True`, or `vendor=True` for the
sockets of telephony systems, which have signatures of their own. With `scope` beside the action a
machine may come with an API key of that scope instead. One guard checks it; a route that
says nothing is refused. Whose calls an action extends to, the handlers ask themselves, of
`request.state["journal"]`: in it there is nothing but the asker's tenant.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler

from server.auth import COOKIE, SECURE_COOKIE, SingleUser, is_loopback_host
from server.people.accounts import Accounts
from server.people.audit import Audit
from server.people.keys import ApiKey, ApiKeys
from server.people.limits import AttemptLimiter
from server.people.roles import LOCAL_PERSON, Action, Person, reaches
from server.people.sessions import Sessions, csrf_token

CSRF_HEADER = "x-heartline-csrf"
TICKET_LIFETIME_S = 30.0
_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_SAME_SITE = frozenset({"same-origin", "none"})
_ANY = ASGIConnection[Any, Any, Any, Any]


class SignIn(msgspec.Struct, frozen=True):
    """How the asker proved who they are."""

    person: Person
    session: str | None
    """The browser session, when it is one."""


class Access:
    """Answers who is asking; one object a server."""

    def __init__(
        self,
        database: sa.Engine,
        local: SingleUser,
        audit: Audit,
        *,
        origins: frozenset[str] = frozenset(),
        now_s: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.accounts = Accounts(database)
        self.sessions = Sessions(
            database, self.accounts, lambda: round(self.now().timestamp() * 1000)
        )
        self.keys = ApiKeys(database)
        self.attempts = AttemptLimiter()
        self.audit = audit
        self.local = local
        self.now_s = now_s
        self.now = now
        self._origins = origins
        """Addresses under which people open the dashboards, when not only this machine does."""
        self._tickets: dict[str, tuple[float, SignIn]] = {}

    def cookie_name(self, connection: _ANY) -> str:
        """Return the name of the session's cookie: under TLS, ended here or by a proxy, another."""
        host = connection.headers.get("host", "")
        secure = connection.url.scheme in ("https", "wss") or f"https://{host}" in self._origins
        return SECURE_COOKIE if secure else COOKIE

    def sign_in_of(self, connection: _ANY) -> SignIn | None:
        """Return who is asking, None for a stranger."""
        cookie = connection.cookies.get(self.cookie_name(connection))
        authorization = connection.headers.get("authorization")
        if self.local.is_key(authorization):
            return SignIn(LOCAL_PERSON, None)
        if self.local.is_signed_in(cookie):
            return None if self.accounts.any() else SignIn(LOCAL_PERSON, cookie)
        if cookie is None:
            return None
        person = self.sessions.person(cookie)
        return None if person is None else SignIn(person, cookie)

    def sender(self, authorization: str) -> str | None:
        """Return for which tenant an `Authorization` header brings calls, None for none."""
        if self.local.is_key(authorization):
            return LOCAL_PERSON.tenant
        key = self.key_of(authorization, "ingest")
        return None if key is None else key.tenant

    def key_of(self, authorization: str, scope: str) -> ApiKey | None:
        """Return the API key that an `Authorization` header carries, if it has a scope."""
        scheme, _, key = authorization.partition(" ")
        now_ms = round(self.now().timestamp() * 1000)
        found = self.keys.recognise(key, now_ms) if scheme.lower() == "bearer" else None
        return found if found is not None and scope in found.scopes else None

    def is_current(self, sign_in: SignIn) -> bool:
        """Whether somebody who was let in still is; asked again while a socket is open."""
        if sign_in.person.id == LOCAL_PERSON.id:
            return sign_in.session is None or not self.accounts.any()
        if sign_in.session is None:
            return False
        return self.sessions.person(sign_in.session, used=False) == sign_in.person

    def new_ticket(self, sign_in: SignIn) -> str:
        """Return a ticket that opens one socket within 30 s."""
        now_s = self.now_s()
        self._tickets = {t: kept for t, kept in self._tickets.items() if kept[0] >= now_s}
        ticket = secrets.token_urlsafe(16)
        self._tickets[ticket] = (now_s + TICKET_LIFETIME_S, sign_in)
        return ticket

    def redeem(self, ticket: str) -> SignIn | None:
        """Use a ticket up; None when it is unknown, used or late, or its owner was shut out."""
        until_s, sign_in = self._tickets.pop(ticket, (-1.0, None))
        if sign_in is None or until_s < self.now_s() or not self.is_current(sign_in):
            return None
        return sign_in

    def check_origin(self, connection: _ANY) -> None:
        """Refuse names that are not this server's, and pages of other origins.

        Raises:
            PermissionDeniedException: the `Host` or `Origin` header names somebody else.
        """
        host = connection.headers.get("host", "")
        own = {f"http://{host}", f"https://{host}"} if is_loopback_host(host) else self._origins
        if not is_loopback_host(host) and not any(o.endswith(f"//{host}") for o in self._origins):
            raise PermissionDeniedException("This server does not answer to that name.")
        origins = connection.headers.getall("origin", [])
        if len(origins) > 1 or any(origin not in own for origin in origins):
            raise PermissionDeniedException("Requests from other origins are refused.")


def reads_origin(connection: _ANY, handler: BaseRouteHandler) -> None:
    """Guard of every route: names and origins first; telephony systems' sockets check their own."""
    if not handler.opt.get("vendor"):
        connection.app.state.access.check_origin(connection)


async def may_do(connection: _ANY, handler: BaseRouteHandler) -> None:
    """Guard of every route: who asks must have the action that the route names.

    Raises:
        NotAuthorizedException: nobody is signed in.
        PermissionDeniedException: the role lacks the action, or a change lacks its CSRF token.
    """
    if handler.opt.get("public") or handler.opt.get("vendor"):
        return
    access: Access = connection.app.state.access
    sign_in = await asyncio.to_thread(access.sign_in_of, connection)
    scope, action = handler.opt.get("scope"), handler.opt.get("action")
    if sign_in is None and scope is not None:
        header = connection.headers.get("authorization", "")
        key = await asyncio.to_thread(access.key_of, header, scope)
        if key is not None and isinstance(action, Action) and reaches(key.tenant, action):
            return
    if sign_in is None:
        connection.app.state.metrics.auth_failures["rest"] += 1
        raise NotAuthorizedException("Sign in first.")
    if not isinstance(action, Action) or not sign_in.person.may(action):
        raise PermissionDeniedException("Your role does not include this.")
    if connection.scope.get("method") in _CHANGING and sign_in.session is not None:
        site = connection.headers.get("sec-fetch-site", "none")
        token = connection.headers.get(CSRF_HEADER, "")
        good = secrets.compare_digest(token.encode(), csrf_token(sign_in.session).encode())
        if site not in _SAME_SITE or not good:
            raise PermissionDeniedException("The page is too old; load it again.")
    connection.state["sign_in"] = sign_in
    connection.state["journal"] = connection.app.state.calls.journal.of(sign_in.person.tenant)
