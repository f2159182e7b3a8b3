"""What a page needs first, in one answer: who it belongs to, their live call, and a ticket."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from litestar import Request, get
from litestar.datastructures import State

from server.call_routes import within_reach
from server.people.roles import Action
from server.sign_in import Me, describe
from server.store import CallFilter


class Landing(msgspec.Struct, frozen=True, kw_only=True):
    """The first answer."""

    me: Me
    live: str | None
    """The newest live call within reach."""
    ticket: str
    """Opens one socket; pages of other origins cannot read it."""


@get("/v1/landing", opt={"action": Action.LIST_CALLS})
async def landing(state: State, request: Request[Any, Any, Any]) -> Landing:
    """Return what a page needs before anything else."""
    signed_in = request.state["sign_in"]
    wanted = within_reach(CallFilter(live=True), signed_in.person)
    page = await asyncio.to_thread(state.calls.journal.find_calls, wanted, limit=1)
    return Landing(
        me=describe(signed_in),
        live=page.calls[0].call_id if page.calls else None,
        ticket=state.access.new_ticket(signed_in),
    )
