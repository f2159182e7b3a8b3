"""Signing in and out: by the one-time token of this machine, or by name and password."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import Cookie, State
from litestar.exceptions import NotAuthorizedException, TooManyRequestsException
from litestar.params import JSONBody

from server.access import Access, SignIn
from server.auth import SECURE_COOKIE
from server.people.roles import Action
from server.people.sessions import csrf_token

_WRONG = "The name or the password is wrong."


class Token(msgspec.Struct, forbid_unknown_fields=True):
    """The one-time token that stands in the printed address."""

    token: str


class Credentials(msgspec.Struct, forbid_unknown_fields=True):
    """What somebody types."""

    name: str
    password: str


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """Who a page belongs to, and what it may offer."""

    name: str
    role: str
    teams: tuple[str, ...]
    actions: tuple[str, ...]
    csrf: str | None
    """To be sent with every change."""


@post("/v1/session", status_code=204, opt={"public": True, "problems": (401,)})
async def open_local_session(
    data: JSONBody[Token], state: State, request: Request[Any, Any, Any]
) -> Response[None]:
    """Exchange the one-time token for a cookie; only while there is no user."""
    access: Access = state.access
    users = await asyncio.to_thread(access.accounts.any)
    session = None if users else access.local.exchange(data.token)
    if session is None:
        raise NotAuthorizedException("The token is wrong, used or too old; start heartline again.")
    return _with_cookie(access, request, session)


@get("/v1/sign-in", opt={"public": True})
async def ways_in(state: State) -> dict[str, bool]:
    """Return whether people sign in here, and whether a provider can vouch for them."""
    users = await asyncio.to_thread(state.access.accounts.any)
    return {"users": users, "provider": bool(state.get("provider"))}


@post("/v1/sign-in", status_code=204, opt={"public": True, "problems": (401, 429)})
async def sign_in(
    data: JSONBody[Credentials], state: State, request: Request[Any, Any, Any]
) -> Response[None]:
    """Open a session by name and password."""
    access: Access = state.access
    address = request.client.host if request.client else ""
    wait_s = access.attempts.wait_s(data.name, address, access.now_s())
    if wait_s > 0:
        raise TooManyRequestsException(
            "Too many attempts; wait a minute.", headers={"Retry-After": str(math.ceil(wait_s))}
        )
    person = await asyncio.to_thread(access.accounts.recognise, data.name, data.password)
    if person is None:
        state.metrics.auth_failures["sign_in"] += 1
        access.attempts.failed(data.name, address, access.now_s())
        raise NotAuthorizedException(_WRONG)
    session = await asyncio.to_thread(access.sessions.open, person)
    await asyncio.to_thread(access.audit.add, person, "sign_in", person.name, access.now())
    return _with_cookie(access, request, session)


@post("/v1/sign-out", status_code=204, opt={"public": True})
async def sign_out(state: State, request: Request[Any, Any, Any]) -> Response[None]:
    """End the session; its sockets close within two seconds."""
    access: Access = state.access
    name = access.cookie_name(request)
    session = request.cookies.get(name)
    if session is not None:
        await asyncio.to_thread(access.sessions.close, session)
    response: Response[None] = Response(None, status_code=204)
    response.delete_cookie(name)
    return response


@get("/v1/me", opt={"action": Action.WRITE_TONE})
async def me(request: Request[Any, Any, Any]) -> Me:
    """Return who is signed in."""
    return describe(request.state["sign_in"])


def describe(signed_in: SignIn) -> Me:
    """Return what a page may know of who it belongs to."""
    person = signed_in.person
    return Me(
        name=person.name,
        role=person.role,
        teams=person.teams,
        actions=tuple(action for action in Action if person.may(action)),
        csrf=None if signed_in.session is None else csrf_token(signed_in.session),
    )


@post("/v1/tickets", opt={"action": Action.LIST_CALLS}, status_code=200)
async def new_ticket(state: State, request: Request[Any, Any, Any]) -> dict[str, str]:
    """Return a ticket that opens one socket."""
    return {"ticket": state.access.new_ticket(request.state["sign_in"])}


def session_cookie(access: Access, request: Request[Any, Any, Any], session: str) -> Cookie:
    """Return the cookie that carries a session."""
    name = access.cookie_name(request)
    return Cookie(
        key=name,
        value=session,
        httponly=True,
        samesite="strict",
        path="/",
        secure=name == SECURE_COOKIE,
    )


def _with_cookie(access: Access, request: Request[Any, Any, Any], session: str) -> Response[None]:
    return Response(None, status_code=204, cookies=[session_cookie(access, request, session)])
