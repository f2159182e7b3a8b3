"""Practice over HTTP: a case is chosen, a call reserved, and the trainee types or speaks.

The call of a run is an ordinary one: its events and report are where those of any call are, and
a source that brings audio under its id is heard as ever. It is the trainee's alone: in no list,
figure or view of anybody else, and erased at once when they say so.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, delete, get, post
from litestar.datastructures import State
from litestar.exceptions import ClientException, NotFoundException, ValidationException
from litestar.params import FromPath, JSONBody

from reports.model import PracticePart
from server.call_routes import may_read, report_of
from server.people.roles import LOCAL_PERSON, Action, Person
from server.practice.desk import Case, Desk, NoSuchRun, Reply
from server.practice.drill import drill
from server.practice.scenario import Scenario, ScenarioError, load_scenario, shipped
from server.practice.typed_run import ROLES
from server.store import Journal, StoreError
from server.store.practice import runs_of

_ASKS = {"action": Action.PRACTISE}
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=2_000)]


class Begin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A shipped scenario, or an interruption of one's own call."""

    scenario: str | None = None
    call_id: str | None = None
    event_id: str | None = None
    role: str = "agent"
    """`agent`, or `customer` to be on the other side."""


class Turn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the trainee says."""

    text: Text


class End(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the trainee noticed."""

    feelings: Text | None = None
    """What the customer felt, in words of the trainee, with commas."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One of the trainee's own runs."""

    call_id: str
    scenario: str
    role: str


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """A shipped scenario."""

    id: str
    title: str
    goals: tuple[str, ...]


class Practice(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to practise, and what was."""

    scenarios: tuple[Choice, ...]
    runs: tuple[Run, ...]


@get("/v1/practice", opt=_ASKS)
async def list_practice(request: Request[Any, Any, Any]) -> Practice:
    """List the shipped scenarios, and the asker's own runs."""
    person: Person = request.state["sign_in"].person
    rows = await asyncio.to_thread(runs_of, request.state["journal"].engine, person.id)
    cases = [load_scenario(name)[0] for name in shipped()]
    return Practice(
        scenarios=tuple(Choice(id=c.id, title=c.title, goals=c.goals) for c in cases),
        runs=tuple(
            Run(call_id=row.call_id, scenario=row.part.scenario, role=row.part.role) for row in rows
        ),
    )


@post("/v1/practice", opt=_ASKS)
async def begin(data: JSONBody[Begin], state: State, request: Request[Any, Any, Any]) -> Case:
    """Begin a run and return its case; the first turn opens the call."""
    if data.role not in ROLES:
        raise ValidationException(f"role is {' or '.join(ROLES)}.")
    scenario = await _scenario(data, state, request)
    person: Person = request.state["sign_in"].person
    desk: Desk = state.desk
    settings = state.calls.conversation_settings
    now = datetime.now(UTC)
    return await asyncio.to_thread(desk.begin, person, scenario, data.role, settings, now)


async def _scenario(data: Begin, state: State, request: Request[Any, Any, Any]) -> Scenario:
    drilled = data.call_id is not None and data.event_id is not None
    if (data.scenario is None) is not drilled:
        raise ValidationException("Give a scenario, or call_id and event_id of your own call.")
    try:
        if data.scenario is not None:
            if data.scenario not in shipped():
                raise ValidationException(f"There is no such scenario; {', '.join(shipped())}.")
            return load_scenario(data.scenario)[0]
        journal: Journal = request.state["journal"]
        row = await asyncio.to_thread(journal.call, str(data.call_id))
        person: Person = request.state["sign_in"].person
        await may_read(str(data.call_id), state, request)
        own = person.agent is not None and row is not None and row.agent == person.agent
        if not own and person.id != LOCAL_PERSON.id:
            raise NotFoundException("There is no such call.")
        report = await asyncio.to_thread(report_of, journal, str(data.call_id))
        return drill(report, str(data.event_id))[0]
    except ScenarioError as error:
        raise ValidationException(str(error)) from error


@post("/v1/practice/{call_id:str}/turns", opt=_ASKS, status_code=200)
async def take_turn(
    call_id: FromPath[str], data: JSONBody[Turn], state: State, request: Request[Any, Any, Any]
) -> Reply:
    """Say something; the other side answers."""
    person: Person = request.state["sign_in"].person
    try:
        return await asyncio.to_thread(state.desk.take, person, call_id, data.text)
    except NoSuchRun as error:
        raise NotFoundException(str(error)) from error


@post("/v1/practice/{call_id:str}/end", opt=_ASKS, status_code=200)
async def end(
    call_id: FromPath[str], data: JSONBody[End], state: State, request: Request[Any, Any, Any]
) -> PracticePart:
    """End the run; its report is where that of any call is."""
    person: Person = request.state["sign_in"].person
    try:
        return await asyncio.to_thread(state.desk.end, person, call_id, data.feelings)
    except NoSuchRun as error:
        raise NotFoundException(str(error)) from error


@delete("/v1/practice/{call_id:str}", opt=_ASKS)
async def erase(call_id: FromPath[str], state: State, request: Request[Any, Any, Any]) -> None:
    """Erase a run of one's own for good."""
    person: Person = request.state["sign_in"].person
    try:
        await asyncio.to_thread(state.desk.delete, person, call_id, datetime.now(UTC))
    except NoSuchRun as error:
        raise NotFoundException(str(error)) from error
    except StoreError as error:
        raise ClientException(str(error), status_code=409) from error


PRACTICE_ROUTES = (list_practice, begin, take_turn, end, erase)
