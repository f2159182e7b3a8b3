"""What anybody was shown outlives `kill -9` of the server (F3). Long form: `make bench-kill`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from standardwebhooks import Webhook

from bench.kill.drill import Server, Source, drill, recording
from server.people.audit import read_secret
from server.store import open_database
from server.store.tables import OUTBOX
from server.store.tenancy import for_tenant
from server.webhooks.hooks import Hooks
from server.webhooks.messages import secret_of
from tests.server.receiver import Receiver, receiving

pytestmark = [pytest.mark.server, pytest.mark.model]


def test_what_a_dashboard_was_shown_is_there_after_the_server_was_killed_under_its_calls(
    database: Path | str, tmp_path: Path
) -> None:
    url = database if isinstance(database, str) else None
    server = Server(tmp_path, url, {"HEARTLINE_INGEST__REPLAY": "true"})
    stops = 1 if url is None else 0
    outcome = asyncio.run(drill(server, calls=4, kills=1, stops=stops, up_s=(1.5, 2.0), speed=3))
    assert outcome.delivered > 100
    assert (outcome.missing, outcome.forgotten, outcome.gap_ms) == (0, 0, 0)
    assert (outcome.ended, outcome.replayed) == (4, 4)
    assert len(outcome.resumed_s) >= 4 * (1 + stops)
    assert outcome.exit_codes == [0] * (stops + 1)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(90):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.05)


def test_what_other_systems_still_wait_for_is_told_after_a_kill_and_what_they_have_is_not(
    database: Path | str, tmp_path: Path
) -> None:
    url = database if isinstance(database, str) else None
    environment = {"HEARTLINE_WEBHOOKS__PRIVATE_NETWORKS": '["127.0.0.0/8"]'}
    server = Server(tmp_path, url, environment)
    engine = open_database(database)
    with receiving() as receiver:
        hook = Hooks(engine).add(
            f"http://127.0.0.1:{receiver.port}/",
            ["heartline.call.started", "heartline.call.ended"],
        )
        receiver.answers = [204, 503]
        asyncio.run(_kill_between(server, engine, receiver))
    engine.dispose()
    secret = secret_of(read_secret(tmp_path), hook.id)
    for _, headers, body in receiver.taken:
        Webhook(secret).verify(body, headers)
    told = [json.loads(body)["type"].removeprefix("heartline.call.") for body in receiver.bodies]
    assert told == ["started", "ended", "ended"]
    first, again = (headers["webhook-id"] for _, headers, _ in receiver.taken[1:])
    assert first == again, "a receiver can tell that it has it already"
    assert receiver.bodies[1] == receiver.bodies[2]


async def _kill_between(server: Server, engine: sa.Engine, receiver: Receiver) -> None:
    def attempts() -> list[int]:
        with for_tenant(engine).connect() as connection:
            return list(connection.scalars(sa.select(OUTBOX.c.attempts)))

    await server.start()
    source = Source(server, "told", await asyncio.to_thread(recording, 2), 1.0)
    running = asyncio.ensure_future(source.run())
    await until(lambda: len(receiver.taken) == 1)
    source.stop()
    await running
    await until(lambda: attempts() == [1])
    await server.kill()
    assert attempts() == [1]
    await server.start()
    await until(lambda: attempts() == [])
    await server.stop()
