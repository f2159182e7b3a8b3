"""What a page needs first, in one answer: who it belongs to, their live call, and a ticket."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from litestar import Request, get
from litestar.datastructures import State

from server.access import Access
from server.call_routes import within_reach
from server.people.roles import LOCAL_PERSON
from server.sign_in import Me, describe
from server.store import CallFilter


class Landing(msgspec.Struct, frozen=True, kw_only=True):
    """The first answer; a stranger gets one too, so that a page can ask without being refused."""

    me: Me | None
    users: bool
    """Whether people sign in by name and password here."""
    live: str | None
    """The newest live call within reach."""
    ticket: str | None
    """Opens one socket; pages of other origins cannot read it."""


@get("/v1/landing", opt={"public": True})
async def landing(state: State, request: Request[Any, Any, Any]) -> Landing:
    """Return what a page needs before anything else."""
    access: Access = state.access
    signed_in = await asyncio.to_thread(access.sign_in_of, request)
    if signed_in is None:
        users = await asyncio.to_thread(access.accounts.any)
        return Landing(me=None, users=users, live=None, ticket=None)
    wanted = within_reach(CallFilter(live=True), signed_in.person)
    journal = state.calls.journal.of(signed_in.person.tenant)
    page = await asyncio.to_thread(journal.find_calls, wanted, limit=1)
    return Landing(
        me=describe(signed_in),
        users=signed_in.person.id != LOCAL_PERSON.id,
        live=page.calls[0].call_id if page.calls else None,
        ticket=access.new_ticket(signed_in),
    )
