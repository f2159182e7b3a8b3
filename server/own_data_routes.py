"""What is stored about me, over HTTP: look, take away, ask for erasure; and deciding on that."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any, Literal

import msgspec
from litestar import Request, get, post
from litestar.datastructures import State
from litestar.exceptions import NotFoundException, ValidationException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from litestar.response import Stream

from server.own_data import OwnData, export, own_data, pieces
from server.people.roles import LOCAL_PERSON, Action, Person
from server.store import StoreError
from server.store.erasure_requests import (
    DECLINED,
    DONE,
    OPEN,
    ErasureRequest,
    ask_erasure,
    erasure_requests,
    settle_request,
)
from server.store.retention import RetentionSettings, erase_agent, erase_all


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of a request."""

    verdict: Literal["erase", "decline"]


def own_data_routes(retention: RetentionSettings) -> tuple[HTTPRouteHandler, ...]:
    """Return the routes, for calls that are kept so long."""

    @get("/v1/me/data", opt={"action": Action.READ_OWN_DATA})
    async def my_data(request: Request[Any, Any, Any]) -> OwnData:
        """Count what is stored about the asker."""
        engine = request.state["journal"].engine
        return await asyncio.to_thread(own_data, engine, _person(request), retention)

    @get("/v1/me/data.zip", opt={"action": Action.READ_OWN_DATA}, media_type="application/zip")
    async def my_export(state: State, request: Request[Any, Any, Any]) -> Stream:
        """Return everything that is stored about the asker, in an archive."""
        person, access = _person(request), state.access
        engine, now = request.state["journal"].engine, access.now()
        archive = await asyncio.to_thread(export, engine, access.audit, person, retention, now)
        await asyncio.to_thread(access.audit.add, person, "export_own_data", person.name, now)
        name = f"heartline-my-data-{now.date().isoformat()}.zip"
        return Stream(
            pieces(archive),
            media_type="application/zip",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    return (my_data, my_export, ask, list_requests, decide)


@post("/v1/me/erasure", opt={"action": Action.READ_OWN_DATA})
async def ask(state: State, request: Request[Any, Any, Any]) -> ErasureRequest:
    """Ask to have one's calls erased; whoever answers for the server decides."""
    person, access = _person(request), state.access
    if person.agent is None and person.id != LOCAL_PERSON.id:
        raise ValidationException("No calls carry your name, so there is nothing to erase.")
    asked = await asyncio.to_thread(
        ask_erasure,
        request.state["journal"].engine,
        user_id=person.id,
        name=person.name,
        agent=person.agent,
        at=access.now().isoformat(timespec="seconds"),
    )
    await asyncio.to_thread(access.audit.add, person, "ask_erasure", asked.id, access.now())
    return asked


@get("/v1/erasure-requests", opt={"action": Action.DECIDE_ERASURE})
async def list_requests(request: Request[Any, Any, Any]) -> list[ErasureRequest]:
    """List what people asked to have erased, newest first."""
    return await asyncio.to_thread(erasure_requests, request.state["journal"].engine)


@post(
    "/v1/erasure-requests/{request_id:str}",
    opt={"action": Action.DECIDE_ERASURE},
    status_code=200,
)
async def decide(
    request_id: FromPath[str],
    data: JSONBody[Decision],
    state: State,
    request: Request[Any, Any, Any],
) -> ErasureRequest:
    """Erase what was asked for, for good, or decline it."""
    access, engine = state.access, request.state["journal"].engine
    asked = await asyncio.to_thread(erasure_requests, engine)
    found = next((r for r in asked if r.id == request_id and r.state == OPEN), None)
    if found is None:
        raise NotFoundException("There is no such open request.")
    now: datetime = access.now()
    certificate = None
    if data.verdict == "erase":
        try:
            if found.user_id == LOCAL_PERSON.id:
                done = await asyncio.to_thread(erase_all, engine, now=now)
            else:
                done = await asyncio.to_thread(erase_agent, engine, found.agent or "", now=now)
        except StoreError as error:
            raise ValidationException(str(error)) from error
        certificate = done.id
    state_now = DONE if data.verdict == "erase" else DECLINED
    at = now.isoformat(timespec="seconds")
    await asyncio.to_thread(settle_request, engine, request_id, state_now, at, certificate)
    what = "erase_on_request" if certificate else "decline_erasure"
    actor = _person(request)
    await asyncio.to_thread(access.audit.add, actor, what, found.id, now, certificate or "")
    return msgspec.structs.replace(found, state=state_now, decided_at=at, certificate=certificate)


def _person(request: Request[Any, Any, Any]) -> Person:
    person: Person = request.state["sign_in"].person
    return person
