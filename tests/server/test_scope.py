"""Who sees which of 200 live calls, over REST and over sockets, as calls come and go (A13)."""

from __future__ import annotations

import asyncio
import json
import random
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from server.people.roles import Role
from server.runner import Running, running_server
from tests.server.live import START, hearing
from tests.server.test_access import PASSWORD, Browser

pytestmark = [pytest.mark.server, pytest.mark.model]
AGENTS, TEAMS, LIVE_CALLS = 20, 4, 200
OPENED, FOREIGN = 4, 3
"""Own calls that everybody opens, and calls of others that they try to open."""
_SEED = 11


class Centre:
    """Agents, one supervisor for each team, and their live calls."""

    def __init__(self, server: Running) -> None:
        self.server = server
        self.chance = random.Random(_SEED)
        people = server.access.accounts
        for n in range(AGENTS):
            people.add(f"agent{n}", Role.AGENT, PASSWORD, teams=[team_of(n)])
        for n in range(TEAMS):
            people.add(f"lead{n}", Role.SUPERVISOR, PASSWORD, teams=[f"team{n}"])
        self.key = server.access.keys.add("pbx", ["ingest"])
        self.owners = {f"live{n}": self.chance.randrange(AGENTS) for n in range(LIVE_CALLS)}

    def own(self, agent: int) -> set[str]:
        return {call_id for call_id, owner in self.owners.items() if owner == agent}

    def of_team(self, team: str) -> set[str]:
        return {call_id for call_id, owner in self.owners.items() if team_of(owner) == team}

    async def call(self, stack: AsyncExitStack, call_id: str) -> ClientConnection:
        owner = self.owners[call_id]
        socket = await stack.enter_async_context(
            connect(
                self.server.ingest_url,
                additional_headers={"Authorization": f"Bearer {self.key}"},
                compression=None,
            )
        )
        metadata = {"team": team_of(owner)}
        start = {**START, "call_id": call_id, "agent": f"agent{owner}", "metadata": metadata}
        await socket.send(json.dumps(start))
        assert json.loads(await socket.recv())["type"] == "started"
        return socket

    async def look(
        self, stack: AsyncExitStack, browser: Browser, call_id: str, **first: str
    ) -> tuple[ClientConnection, int | None]:
        """Open a call's events; return the socket, after its snapshot, or why it was closed."""
        url = f"ws://127.0.0.1:{self.server.port}/v1/calls/{call_id}/events"
        socket = await stack.enter_async_context(connect(url, compression=None))
        ticket = await asyncio.to_thread(browser.ticket)
        await socket.send(json.dumps({"type": "ticket", "ticket": ticket, **first}))
        try:
            assert json.loads(await socket.recv())["type"] == "hello"
            snapshot = json.loads(await socket.recv())
        except ConnectionClosed as closed:
            return socket, closed.rcvd.code if closed.rcvd else None
        assert snapshot["call_id"] == call_id
        return socket, None

    async def wall(self, browser: Browser) -> set[str]:
        """Return the calls on a supervisor's wall."""
        url = f"ws://127.0.0.1:{self.server.port}/v1/live"
        ticket = await asyncio.to_thread(browser.ticket)
        async with connect(url, compression=None, max_size=None) as socket:
            await socket.send(json.dumps({"type": "ticket", "ticket": ticket}))
            await socket.recv()
            cards: list[dict[str, Any]] = json.loads(await socket.recv())["cards"]
        return {card["call_id"] for card in cards}


def team_of(agent: int) -> str:
    return f"team{agent % TEAMS}"


async def next_hold(socket: ClientConnection) -> bool:
    """Wait for the hold that the source of the call was told to begin."""
    async with asyncio.timeout(20):
        while True:
            message = json.loads(await socket.recv())
            if message["type"] == "event" and message["event"]["type"] == "hold_started":
                return True


async def is_quiet(socket: ClientConnection) -> bool:
    """Whether nothing of the call comes, hold or end."""
    try:
        async with asyncio.timeout(0.2):
            while True:
                message = json.loads(await socket.recv())
                if message["type"] == "event":
                    return False
    except TimeoutError:
        return True


async def scenario(centre: Centre) -> None:
    names = [f"agent{n}" for n in range(AGENTS)] + [f"lead{n}" for n in range(TEAMS)]
    browsers = {n: await asyncio.to_thread(Browser, centre.server, n) for n in names}
    async with AsyncExitStack() as stack:
        sources = {c: await centre.call(stack, c) for c in centre.owners}
        seeing: dict[str, list[ClientConnection]] = {call_id: [] for call_id in sources}
        for agent in range(AGENTS):
            browser, own = browsers[f"agent{agent}"], centre.own(agent)
            assert await asyncio.to_thread(browser.calls) == own
            for call_id in centre.chance.sample(sorted(own), min(OPENED, len(own))):
                socket, refused = await centre.look(stack, browser, call_id)
                assert refused is None
                seeing[call_id].append(socket)
            foreign = sorted(set(sources) - own)
            for call_id in centre.chance.sample(foreign, FOREIGN):
                assert (await centre.look(stack, browser, call_id))[1] == 4404
                path = f"/v1/calls/{call_id}/report.json"
                assert (await asyncio.to_thread(browser.ask, "GET", path))[0] == 404
            assert (await centre.look(stack, browser, min(own), **{"as": "watch"}))[1] == 4404
        for n in range(TEAMS):
            browser, team = browsers[f"lead{n}"], centre.of_team(f"team{n}")
            assert await asyncio.to_thread(browser.calls) == team
            assert await centre.wall(browser) == team
            for call_id in centre.chance.sample(sorted(team), OPENED):
                socket, refused = await centre.look(stack, browser, call_id, **{"as": "watch"})
                assert refused is None
                seeing[call_id].append(socket)
            for call_id in centre.chance.sample(sorted(set(sources) - team), FOREIGN):
                assert (await centre.look(stack, browser, call_id, **{"as": "watch"}))[1] == 4404
        held = set(centre.chance.sample(sorted(sources), LIVE_CALLS // 2))
        for call_id in held:
            await sources[call_id].send('{"type":"hold"}')
        told = [next_hold(s) for call_id in held for s in seeing[call_id]]
        assert all(await asyncio.gather(*told))
        others = [is_quiet(s) for c in sources if c not in held for s in seeing[c]]
        assert all(await asyncio.gather(*others))


def test_everybody_sees_exactly_their_calls_among_two_hundred_live_ones(tmp_path: Path) -> None:
    with running_server(hearing(), tmp_path / "heartline.db") as server:
        asyncio.run(scenario(Centre(server)))
