"""Trends over HTTP: a team's without names, an agent's for that agent and their coach."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from litestar import Request, get
from litestar.datastructures import State
from litestar.exceptions import (
    NotFoundException,
    ServiceUnavailableException,
    ValidationException,
)
from litestar.params import FromQuery

from reports.trends import Trend, agent_trend, team_trend
from server.aside import AsideError, MakeFigures, database_of
from server.people.roles import GRANTS, Action, Person, Reach
from server.store import CallFilter, Journal
from server.store.calls import LONGEST_PAGE
from server.store.figures import read_figures
from server.store.tables import CALLS

DAYS = (7, 30, 90)
"""Fixed, so that nobody can subtract one time from another and be left with one person."""
_MOST_CALLS = 5_000
_AT_ONCE = 200
"""Calls whose figures one job works out."""
_EVERYTHING = "This machine"


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Something whose trend may be asked for."""

    kind: str
    """`own`, `agent` or `team`."""
    name: str


@get("/v1/trends/scopes", opt={"action": Action.READ_TRENDS})
async def scopes(request: Request[Any, Any, Any]) -> list[Scope]:
    """List whose trends the asker may see; what concerns themselves comes first."""
    person: Person = request.state["sign_in"].person
    return await asyncio.to_thread(_scopes, request.state["journal"].engine, person)


@get("/v1/trends", opt={"action": Action.READ_TRENDS})
async def trends(
    state: State,
    request: Request[Any, Any, Any],
    kind: FromQuery[str],
    name: FromQuery[str] = "",
    days: FromQuery[int] = 30,
) -> Trend:
    """Return how calls went over the last 7, 30 or 90 days."""
    if days not in DAYS:
        raise ValidationException(f"days is one of {', '.join(map(str, DAYS))}, not {days}.")
    person: Person = request.state["sign_in"].person
    journal: Journal = request.state["journal"]
    offered = await asyncio.to_thread(_scopes, journal.engine, person)
    found = next((s for s in offered if s.kind == kind and (kind == "own" or s.name == name)), None)
    if found is None:
        raise NotFoundException("There are no such trends for you.")
    now: datetime = state.access.now().astimezone()
    wanted = _filter(found, person, now, days)
    ids = await asyncio.to_thread(_call_ids, journal, wanted)
    figures = await asyncio.to_thread(read_figures, journal.engine, ids)
    missing = [call_id for call_id in ids if call_id not in figures]
    for at in range(0, len(missing), _AT_ONCE):
        job = MakeFigures(database_of(journal.engine), journal.tenant, missing[at : at + _AT_ONCE])
        try:
            await state.aside.run(job)
        except AsideError as error:
            raise ServiceUnavailableException(str(error)) from error
    if missing:
        figures |= await asyncio.to_thread(read_figures, journal.engine, missing)
    title = found.name or person.name
    follow = team_trend if kind == "team" else agent_trend
    if kind != "own":
        audit, at_time = state.access.audit, state.access.now()
        await asyncio.to_thread(audit.add, person, f"view_{kind}_trend", title, at_time)
    return await asyncio.to_thread(follow, list(figures.values()), title, now, days)


def _scopes(engine: sa.Engine, person: Person) -> list[Scope]:
    grants = GRANTS[person.role]
    teams, agents = grants[Action.READ_TRENDS], grants.get(Action.READ_AGENT_TRENDS)
    found: list[Scope] = []
    if teams is Reach.OWN:
        return [Scope(kind="own", name=person.agent or person.name)]
    if agents is Reach.ALL:
        found.append(Scope(kind="own", name=_EVERYTHING))
    with engine.connect() as connection:
        if teams is Reach.TEAM:
            names = sorted(person.teams)
        else:
            query = sa.select(CALLS.c.team).where(CALLS.c.team.is_not(None)).distinct()
            names = sorted(str(team) for team in connection.scalars(query))
        found += [Scope(kind="team", name=team) for team in names]
        if agents is not None:
            query = sa.select(CALLS.c.agent).where(CALLS.c.agent.is_not(None)).distinct()
            if agents is Reach.TEAM:
                query = query.where(CALLS.c.team.in_(person.teams))
            found += [
                Scope(kind="agent", name=agent)
                for agent in sorted(str(agent) for agent in connection.scalars(query))
            ]
    return found


def _filter(scope: Scope, person: Person, now: datetime, days: int) -> CallFilter:
    since_ms = round((now - timedelta(days=days + 1)).timestamp() * 1000)
    everything = CallFilter(since_ms=since_ms, live=False)
    if scope.kind == "team":
        return msgspec.structs.replace(everything, team=scope.name)
    if scope.kind == "agent":
        own_teams = GRANTS[person.role][Action.READ_AGENT_TRENDS] is Reach.TEAM
        teams = person.teams if own_teams else None
        return msgspec.structs.replace(everything, agent=scope.name, teams=teams)
    if GRANTS[person.role][Action.READ_TRENDS] is Reach.ALL:
        return everything
    if person.agent is None:
        return msgspec.structs.replace(everything, nobody=True)
    return msgspec.structs.replace(everything, agent=person.agent)


def _call_ids(journal: Journal, wanted: CallFilter) -> list[str]:
    """Return finished calls, newest first, at most so many."""
    found: list[str] = []
    cursor = None
    while len(found) < _MOST_CALLS:
        page = journal.find_calls(wanted, limit=LONGEST_PAGE, cursor=cursor)
        found += [row.call_id for row in page.calls]
        cursor = page.next_cursor
        if cursor is None:
            break
    return found


TREND_ROUTES = (scopes, trends)
