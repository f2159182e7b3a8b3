"""A real server whose calls are golden logs: sockets, journal and pages as always, no audio."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import uvicorn
from msgspec.structs import replace

from conversation.events import (
    CallStarted,
    Channel,
    CueCleared,
    CueFeedback,
    CueRaised,
    Event,
    NudgeSent,
    ProsodyFrame,
)
from server.access import Access, SignIn
from server.app import create_app
from server.auth import SingleUser
from server.calls import Calls, RunningCall
from server.hearing import Hearing, HearingSettings
from server.hub import LiveCall
from server.people.audit import Audit
from server.people.roles import LOCAL_PERSON, Whose
from server.settings import Settings
from server.store import Journal
from tests.golden.files import events_of

_Result = TypeVar("_Result")


class StageCall:
    """Stands in for a running call: what people say is journalled and published at once."""

    def __init__(self, call_id: str, journal: Journal, whose: Whose) -> None:
        self.live = LiveCall(call_id)
        self.whose = whose
        self.over = False
        self.entered = True
        self.native = False
        self._journal = journal
        self._seq = 0

    def waiting_s(self, now_s: float) -> float:
        """Nothing waits for an analysis."""
        return 0.0

    async def put(self, items: Sequence[Event]) -> None:
        """Take what an agent or a supervisor says, as of now, and show nudges as the core does."""
        now_ms = self.live.position_ms
        for item in items:
            self.tell([replace(item, at_ms=now_ms)], None)
            if isinstance(item, NudgeSent):
                self.tell([_nudge_cue(item, now_ms)], None)
            elif isinstance(item, CueFeedback) and item.verdict == "dismiss":
                cue = self.live.agent_view.cue
                if cue is not None and cue.id == item.cue_id:
                    gone = CueCleared(at_ms=now_ms, id=cue.id, rule=cue.rule, outcome="dismissed")
                    self.tell([gone], None)

    def tell(self, events: Sequence[Event], position_ms: int | None) -> None:
        """Journal events, then publish them."""
        self._journal.append(self.live.call_id, self._seq + 1, events)
        self._seq += len(events)
        newest_ms = max((event.at_ms for event in events), default=0)
        at_ms = max(self.live.position_ms, newest_ms) if position_ms is None else position_ms
        self.live.publish([*events, *(_level(channel, at_ms) for channel in Channel)], at_ms)

    async def drain(self) -> None:
        """Nobody brings its audio."""

    async def ended(self) -> None:
        """It ends when it is told to."""

    async def end(self, _reason: str) -> None:
        """End the call."""
        self.over = True
        self.live.finish()


HERE = SignIn(LOCAL_PERSON, None)
"""Whoever sits at this machine."""


def _level(channel: Channel, at_ms: int) -> ProsodyFrame:
    """How loud a channel is, for its meter; nothing else of the frame is shown."""
    return ProsodyFrame(
        at_ms=at_ms, channel=channel, begin_ms=max(0, at_ms - 240), end_ms=at_ms, usable_ms=240,
        level_db=-18.0, level_delta_db=None, alpha_db=0.0, slope_db_oct=0.0, f0_st=None,
        f0_delta_st=None, z_tilt=None, score=None, state="cold",
    )  # fmt: skip


def _nudge_cue(nudge: NudgeSent, at_ms: int) -> CueRaised:
    return CueRaised(
        at_ms=at_ms,
        id=f"cue-{nudge.nudge_id}",
        rule="nudge",
        text=nudge.text,
        priority=1,
        evidence_line="",
        ttl_ms=15_000,
    )


class Stage:
    """The server, and what happens in its calls."""

    def __init__(self, port: int, user: SingleUser, access: Access, calls: Calls) -> None:
        self.port = port
        self.access = access
        self.user = user
        self.calls = calls
        self.loop: asyncio.AbstractEventLoop | None = None
        self.ready = threading.Event()

    def address(self, screen: str = "") -> str:
        """Return where a screen is; the token in it signs in one browser, once."""
        return f"http://127.0.0.1:{self.port}/#t={self.user.token}&go={screen}"

    def do(self, work: Callable[[], _Result]) -> _Result:
        """Run something on the server's event loop and wait for it."""
        assert self.loop is not None

        async def run() -> _Result:
            return work()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(20)

    def begin(
        self,
        scene: str,
        until_s: float,
        call_id: str | None = None,
        agent: str | None = None,
        team: str | None = None,
    ) -> str:
        """Open a call that is a scene up to a moment; return its id."""
        name = call_id or scene
        events = list(events_of(scene))
        started = events[0]
        assert isinstance(started, CallStarted)
        who = agent or started.agent
        events[0] = replace(started, call_id=name, agent=who)
        self.calls.journal.open_call(name, started.started_at, who, team=team)
        call = StageCall(name, self.calls.journal, Whose(agent=who, team=team))
        until_ms = round(until_s * 1000)

        def publish() -> None:
            self.calls.running[name] = cast(RunningCall, call)
            call.tell([e for e in events if e.at_ms <= until_ms], until_ms)

        self.do(publish)
        return name

    def past(
        self,
        call_id: str,
        events: Sequence[Event],
        agent: str | None = None,
        *,
        team: str | None = None,
        started_at: str | None = None,
    ) -> None:
        """Enter a call that is over."""
        started = events[0]
        assert isinstance(started, CallStarted)
        at = started_at or started.started_at
        opening = replace(started, call_id=call_id, agent=agent or started.agent, started_at=at)
        self.calls.journal.open_call(call_id, at, opening.agent, team=team)
        self.calls.journal.append(call_id, 1, [opening, *events[1:]])
        self.calls.journal.end_call(call_id, events[-1].at_ms)

    def go_on(self, scene: str, from_s: float, until_s: float, call_id: str | None = None) -> None:
        """Let a call go on."""
        call = cast(StageCall, self.calls.running[call_id or scene])
        begin_ms, end_ms = round(from_s * 1000), round(until_s * 1000)
        events = [e for e in events_of(scene) if begin_ms < e.at_ms <= end_ms]
        self.do(lambda: call.tell(events, end_ms))

    def tell(self, call_id: str, *events: Event, position_ms: int | None = None) -> None:
        """Add events to a call as they are."""
        call = cast(StageCall, self.calls.running[call_id])
        self.do(lambda: call.tell(events, position_ms))

    def end(self, call_id: str) -> None:
        """End a call; its report is there."""
        call = cast(StageCall, self.calls.running[call_id])

        def finish() -> None:
            call.over = True
            self.calls.journal.end_call(call_id, call.live.position_ms)
            call.live.finish()
            del self.calls.running[call_id]

        self.do(finish)


@contextmanager
def staged_server(database: Path | str, port: int = 0) -> Iterator[Stage]:
    """Serve golden calls on loopback until the block ends."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    user, journal = SingleUser(), Journal(database)
    calls = Calls(Hearing(HearingSettings()), journal)
    calls.rule_source.adopt(Path(database).parent / "rules")
    access = Access(journal.database, user, Audit(journal.database, b"seal"))
    stage = Stage(listener.getsockname()[1], user, access, calls)
    config: dict[str, Any] = {"ws": "websockets-sansio", "log_config": None, "log_level": "warning"}
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(calls, access, Settings()),
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=2,
            **config,
        )
    )

    async def serve() -> None:
        stage.loop = asyncio.get_running_loop()
        stage.ready.set()
        await server.serve(sockets=[listener])

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="stage")
    thread.start()
    stage.ready.wait(20)
    while not server.started and thread.is_alive():
        threading.Event().wait(0.02)
    try:
        yield stage
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
        calls.close()
        journal.close()
