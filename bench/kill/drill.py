"""Calls, their dashboards, and a server process that is killed under them.

Sources send a recording at a steady pace, keep what was not acknowledged, and go on from there.
Viewers write down every event that a dashboard would have shown.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import msgspec
import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from audio.sources import open_recording
from conversation.conversation import Conversation
from conversation.events import (
    CallEnded,
    CallStarted,
    Event,
    Observation,
)
from server.analyze import SAMPLE
from server.event_recorder import KEY_FILE
from server.hub import UNSHOWN
from server.store import Journal

BLOCK_MS = 100
_RETRY_S = 0.25
_START_S = 150
_GONE = (OSError, ConnectionClosed, InvalidHandshake, TimeoutError, EOFError)
_START: dict[str, Any] = {
    "type": "start",
    "version": 1,
    "channels": ["agent", "customer"],
    "encoding": "pcm_s16le",
    "sample_rate": 8000,
}
_BYTES_PER_MS = 32


class Outcome(msgspec.Struct):
    """What a drill found."""

    delivered: int = 0
    """Events that viewers were shown."""
    missing: int = 0
    """Of those, events that are not in the journal afterwards, under their number."""
    forgotten: int = 0
    """Snapshots after a restart that were behind what their viewer had seen."""
    calls: int = 0
    ended: int = 0
    """Calls with one end, and in order."""
    replayed: int = 0
    """Calls whose journal follows from its observations, as if one process had written it."""
    gap_ms: int = 0
    """Audio that the reports of all calls call missing."""
    accepting_s: list[float] = []
    """From each start of the process to its readiness."""
    resumed_s: list[float] = []
    """From there to the answer to each source that went on."""
    exit_codes: list[int] = []
    """Of processes that were asked to end."""

    async def stopped(self, server: Server) -> None:
        """Ask the server to end."""
        self.exit_codes.append(await server.stop())


def recording(seconds: int) -> bytes:
    """Return the sample call, again and again, as interleaved 16-bit samples at 8 kHz."""
    call = open_recording(SAMPLE)
    both = np.stack([call.samples(c) for c in call.channels], axis=1)
    pcm = (both * 32_767).astype("<i2").tobytes()
    return (pcm * (seconds * 1_000 * _BYTES_PER_MS // len(pcm) + 1))[
        : seconds * 1_000 * _BYTES_PER_MS
    ]


def _free_port() -> int:
    """Return a port that no outgoing connection can take while the server is down."""
    for port in range(20_000 + os.getpid() % 5_000, 30_000):
        with socket.socket() as free, contextlib.suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("Every port from 20000 to 30000 is in use.")


class Server:
    """`heartline serve` as a process of its own, on one port and one database for all its lives."""

    def __init__(self, folder: Path, database: str | None, environment: dict[str, str]) -> None:
        self.folder = folder
        self.database = database
        self._environment = {**os.environ, **environment}
        if database is not None:
            self._environment["HEARTLINE_SERVER__DATABASE"] = database
        self.port = _free_port()
        self.ready_at_s = 0.0
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> float:
        """Start it and return the seconds until it takes calls."""
        began_s = time.monotonic()
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "server.cli", "serve", "--no-words",
            "--port", str(self.port), "--data", str(self.folder),
            env=self._environment,
            stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        while not await asyncio.to_thread(self._is_ready):
            if self.process.returncode is not None:
                raise RuntimeError(f"The server ended with {self.process.returncode}.")
            if time.monotonic() - began_s > _START_S:
                raise RuntimeError(f"The server did not start within {_START_S} s.")
            await asyncio.sleep(0.05)
        self.ready_at_s = time.monotonic()
        return self.ready_at_s - began_s

    async def kill(self) -> None:
        """End it as if the power had gone."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """Ask it to end, and return its exit code."""
        return await self._end(signal.SIGTERM)

    async def _end(self, how: signal.Signals) -> int:
        assert self.process is not None  # noqa: S101 - started before
        if self.process.returncode is None:
            self.process.send_signal(how)
        return await self.process.wait()

    @property
    def pid(self) -> int:
        """Of the process that runs now."""
        assert self.process is not None  # noqa: S101 - started before
        return self.process.pid

    def _is_ready(self) -> bool:
        url = f"http://127.0.0.1:{self.port}/readyz"
        with contextlib.suppress(URLError, OSError), urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
        return False

    def ticket(self) -> str:
        """Return a ticket that opens one socket."""
        key = (self.folder / KEY_FILE).read_text("ascii").strip()
        request = Request(
            f"http://127.0.0.1:{self.port}/v1/tickets",
            method="POST",
            headers={"Authorization": f"Bearer {key}"},
        )
        with urlopen(request, timeout=5) as answer:  # noqa: S310 - as above
            return str(json.load(answer)["ticket"])


class Source:
    """One call: sends its recording, and after a lost socket what was not acknowledged."""

    def __init__(
        self,
        server: Server,
        call_id: str,
        pcm: bytes,
        speed: float,
        block_ms: int = BLOCK_MS,
    ) -> None:
        self._server = server
        self._pcm = pcm
        self._speed = speed
        self._block_ms = block_ms
        self.call_id = call_id
        self.began_s = 0.0
        """When its first sample was spoken."""
        self.acked_ms = 0
        self.sent_ms = 0
        self.started = asyncio.Event()
        self.resumed_s: list[float] = []
        self.refused: list[str] = []
        self._stopping = False

    def stop(self) -> None:
        """End the call at the next block."""
        self._stopping = True

    async def run(self) -> None:
        """Send until told to stop, over as many sockets as it takes."""
        self.began_s = time.monotonic()
        while not self._stopping or self.started.is_set():
            try:
                async with connect(
                    f"ws://127.0.0.1:{self._server.port}/v1/ingest", compression=None
                ) as socket_:
                    if await self._talk(socket_):
                        return
            except _GONE:
                await asyncio.sleep(_RETRY_S)

    async def _talk(self, connection: ClientConnection) -> bool:
        start = {**_START, "call_id": self.call_id}
        if self.started.is_set():
            start["resume_from_ms"] = self.acked_ms
        await connection.send(json.dumps(start))
        answer = json.loads(await connection.recv())
        if answer["type"] != "started":
            self.refused.append(answer["code"])
            await asyncio.sleep(answer.get("retry_after_ms", 0) / 1_000)
            return answer["code"] == "call_ended"
        if self.started.is_set():
            self.resumed_s.append(time.monotonic() - self._server.ready_at_s)
        elif self._speed == 1.0:
            self.began_s = time.monotonic()
        self.started.set()
        self.sent_ms = answer["position_ms"]
        listening = asyncio.ensure_future(self._listen(connection))
        try:
            await self._send(connection)
            await connection.send('{"type":"stop"}')
            return await asyncio.wait_for(listening, 60)
        finally:
            listening.cancel()

    async def _send(self, connection: ClientConnection) -> None:
        while not self._stopping:
            begin = self.sent_ms * _BYTES_PER_MS % len(self._pcm)
            block = self._pcm[begin : begin + self._block_ms * _BYTES_PER_MS]
            spoken_ms = self.sent_ms + len(block) // _BYTES_PER_MS
            due_s = self.began_s + spoken_ms / 1_000 / self._speed
            # What was recorded while the socket was lost goes at three times the pace.
            least_s = self._block_ms / 1_000 / self._speed / 3
            await asyncio.sleep(max(least_s, due_s - time.monotonic()))
            await connection.send(block)
            self.sent_ms = spoken_ms

    async def _listen(self, connection: ClientConnection) -> bool:
        async for text in connection:
            message = json.loads(text)
            if message["type"] == "ack":
                self.acked_ms = message["position_ms"]
            elif message["type"] == "stopped":
                return True
            elif message["type"] == "error":
                self.refused.append(message["code"])
        return False


class Viewer:
    """One dashboard of a call: what it was shown, by number."""

    def __init__(self, server: Server, call_id: str) -> None:
        self._server = server
        self.call_id = call_id
        self.shown: list[tuple[int, Any]] = []
        self.snapshots: list[tuple[int, list[Any]]] = []
        self.seq = 0
        self.forgotten = 0
        self.over = False

    async def run(self) -> None:
        """Look until the report is there, over as many sockets as it takes."""
        while not self.over:
            try:
                await self._look()
            except _GONE:
                await asyncio.sleep(_RETRY_S)

    def take(self, seq: int, event: Any) -> None:
        """Note an event."""
        self.seq = seq
        self.shown.append((seq, event))

    async def _look(self) -> None:
        url = f"ws://127.0.0.1:{self._server.port}/v1/calls/{self.call_id}/events"
        ticket = await asyncio.to_thread(self._server.ticket)
        async with connect(url, compression=None, max_size=None) as connection:
            await connection.send(json.dumps({"type": "ticket", "ticket": ticket}))
            async for text in connection:
                message = json.loads(text)
                if message["type"] == "event":
                    self.take(message["seq"], message["event"])
                elif message["type"] == "snapshot":
                    self.forgotten += message["seq"] < self.seq
                    self.seq = message["seq"]
                    self.snapshots.append((self.seq, message["events"]))
                elif message["type"] == "report":
                    self.over = True
                    return


async def drill(
    server: Server,
    *,
    calls: int,
    kills: int,
    stops: int = 0,
    up_s: tuple[float, float],
    speed: float = 1.0,
    seed: int = 5,
    tell: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Run calls and viewers, kill the server under them, let them end, and compare.

    Args:
        server: not started yet.
        calls: calls at a time.
        kills: how often the server is killed.
        stops: how often it is asked to end after that, and started again.
        up_s: least and most seconds that it lives once every source has gone on.
        speed: pace of the sources; 1 is real time.
        seed: of the moments.
        tell: told of the progress.
    """
    random = np.random.default_rng(seed)
    outcome = Outcome(calls=calls)
    outcome.accepting_s.append(await server.start())
    pcm = await asyncio.to_thread(recording, 300)
    shift = len(pcm) // calls // (BLOCK_MS * _BYTES_PER_MS) * BLOCK_MS * _BYTES_PER_MS
    sources = [
        Source(server, f"call-{n}", pcm[n * shift :] + pcm[: n * shift], speed)
        for n in range(calls)
    ]
    viewers = [Viewer(server, source.call_id) for source in sources]
    try:
        async with asyncio.TaskGroup() as group:
            for source in sources:
                group.create_task(source.run())
            for source in sources:
                await source.started.wait()
            for viewer in viewers:
                group.create_task(viewer.run())
            for number in range(kills + stops):
                await asyncio.sleep(float(random.uniform(*up_s)))
                await (server.kill() if number < kills else outcome.stopped(server))
                outcome.accepting_s.append(await server.start())
                await _until(lambda n=number: all(len(s.resumed_s) > n for s in sources))
                tell(f"{number + 1} of {kills + stops}")
            await asyncio.sleep(up_s[0])
            for source in sources:
                source.stop()
    finally:
        await outcome.stopped(server)
    outcome.resumed_s = [s for source in sources for s in source.resumed_s]
    await asyncio.to_thread(_compare, server, viewers, outcome)
    return outcome


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in other coroutines
            await asyncio.sleep(0.02)


def _compare(server: Server, viewers: list[Viewer], outcome: Outcome) -> None:
    journal = Journal(server.database or server.folder / "heartline.db", serving=False)
    try:
        for viewer in viewers:
            events = journal.events(viewer.call_id)
            shown = [_json(e) for e in events if not isinstance(e, UNSHOWN)]
            stored = {json.dumps(e, sort_keys=True) for e in shown}
            outcome.delivered += len(viewer.shown) + sum(len(s) for _, s in viewer.snapshots)
            outcome.forgotten += viewer.forgotten
            for seq, event in viewer.shown:
                outcome.missing += not (seq <= len(shown) and shown[seq - 1] == event)
            for _, snapshot in viewer.snapshots:
                outcome.missing += sum(
                    json.dumps(event, sort_keys=True) not in stored for event in snapshot
                )
            ends = [e.reason for e in events if isinstance(e, CallEnded)]
            outcome.ended += ends == ["ended"]
            outcome.replayed += _follows(events)
            outcome.gap_ms += sum(
                e["end_ms"] - e["begin_ms"] for e in shown if e["type"] == "audio_gap"
            )
    finally:
        journal.close()


def _follows(events: list[Event]) -> bool:
    started = events[0]
    if not isinstance(started, CallStarted):
        return False
    core = Conversation.for_call(started)
    observations = [e for e in events if isinstance(e, Observation)]
    derived: list[Event] = [d for o in observations for d in core.receive(o)]
    derived += core.final_pass(observations)
    return derived == [e for e in events if not isinstance(e, Observation)]


def _json(event: Event) -> Any:
    return json.loads(msgspec.json.encode(event))
