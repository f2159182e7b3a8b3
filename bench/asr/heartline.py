"""Heartline as a user has it: `heartline serve`, its ingest and its event sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from bench.asr.calls import SIDES, BuiltCall
from bench.asr.measures import State
from bench.asr.playing import LONGEST_WAIT_S, CallClock, Heard, Outcome, await_end, int16, pcm, play
from bench.asr.processes import Tree, started
from bench.results import OUT
from bench.speech_bank import RATE_HZ

_CROWDED_WAIT_S = 60.0
"""Longest wait for the end of several calls: what the ladder put off is decoded after them."""


class Heartline:
    """`heartline serve`, its ingest and its event sockets."""

    def __init__(self, name: str = "heartline", settings: Mapping[str, str] | None = None) -> None:
        self.name = name
        self._settings = dict(settings or {})

    def run(self, calls: Sequence[BuiltCall]) -> Outcome:
        """Start the server, play the calls at once, and end it."""
        with tempfile.TemporaryDirectory() as data, self._server(Path(data)) as (tree, port):
            key = (Path(data) / "cli.key").read_text("ascii").strip()
            wait_s = LONGEST_WAIT_S if len(calls) == 1 else _CROWDED_WAIT_S
            return play(tree, calls, len(calls), lambda clock, call: _heartline_call(
                clock, call, port, key, wait_s
            ))  # fmt: skip

    @contextlib.contextmanager
    def _server(self, data: Path) -> Iterator[tuple[Tree, int]]:
        log = OUT / "asr-logs" / f"{self.name}.log"
        command = [sys.executable, "-m", "server.cli", "serve", "--port", "0", "--data", str(data)]
        # What tests and other benchmarks set is no setting of the server.
        unset = {"HEARTLINE_SPEECH_BANK", "HEARTLINE_DATA"}
        wrapper = [
            sys.executable,
            "-c",
            "import os, sys; [os.environ.pop(k, None) for k in sys.argv[1].split(',')]; "
            "os.execv(sys.argv[2], sys.argv[2:])",
            ",".join(sorted(unset)),
        ]
        with started([*wrapper, *command], log, self._settings) as tree:
            yield tree, _port_in(log, tree)


def _port_in(log: Path, tree: Tree) -> int:
    until_s = time.monotonic() + 90
    while time.monotonic() < until_s and tree.process.poll() is None:
        found = re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text("utf-8", "replace"))
        if found:
            return int(found[1])
        time.sleep(0.2)
    raise SystemExit(f"`heartline serve` did not start; see {log}.")


async def _heartline_call(
    clock: CallClock, call: BuiltCall, port: int, key: str, wait_s: float
) -> Heard:
    events: list[tuple[float, dict[str, Any]]] = []
    async with connect(f"ws://127.0.0.1:{port}/v1/ingest", compression=None) as ingest:
        start = {"type": "start", "version": 1, "channels": SIDES}
        await ingest.send(json.dumps({**start, "encoding": "pcm_s16le", "sample_rate": RATE_HZ}))
        call_id = json.loads(await ingest.recv())["call_id"]
        ticket = await asyncio.to_thread(_ticket, port, key)
        url = f"ws://127.0.0.1:{port}/v1/calls/{call_id}/events"
        async with connect(url, compression=None, max_size=None) as viewer:
            await viewer.send(json.dumps({"type": "ticket", "ticket": ticket}))
            reading = asyncio.ensure_future(_read_events(clock, viewer, events))
            clock.ready()
            draining = asyncio.ensure_future(_drain(ingest))
            # A call that the server closes keeps what was heard; the rest counts as never heard.
            with contextlib.suppress(ConnectionClosed):
                async for index in clock.frames(call.seconds + call.tail_s):
                    sides = [pcm(call.samples[side], index) for side in SIDES]
                    await ingest.send(int16(np.stack(sides, axis=1)))
                await ingest.send(json.dumps({"type": "stop"}))
            await await_end(reading, wait_s)
            draining.cancel()
    return Heard(heartline_traces(events), events)


def _ticket(port: int, key: str) -> str:
    request = Request(
        f"http://127.0.0.1:{port}/v1/tickets",
        method="POST",
        headers={"Authorization": f"Bearer {key}"},
    )
    with urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
        return str(json.load(answer)["ticket"])


async def _read_events(
    clock: CallClock, viewer: ClientConnection, events: list[tuple[float, dict[str, Any]]]
) -> None:
    async for text in viewer:
        message = json.loads(text)
        if message["type"] == "event":
            events.append((clock.now(), message["event"]))
        elif message["type"] == "report":
            return


async def _drain(socket: ClientConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        async for _ in socket:
            pass


def heartline_traces(events: Sequence[tuple[float, dict[str, Any]]]) -> dict[str, list[State]]:
    """Return what the transcript showed after each event that changed it."""
    traces: dict[str, list[State]] = {side: [] for side in SIDES}
    lines: dict[str, dict[str, tuple[int, str | None, str, str]]] = {side: {} for side in SIDES}
    for at_s, event in events:
        if event["type"] not in ("partial_transcript", "final_transcript"):
            continue
        side = event["channel"]
        known = lines[side].get(event["utterance_id"])
        if event["type"] == "final_transcript":
            lines[side][event["utterance_id"]] = (event["start_ms"], event["text"] or "", "", "")
        elif known is None or known[1] is None:
            line = (event["start_ms"], None, event["stable"], event["tail"])
            lines[side][event["utterance_id"]] = line
        ordered = sorted(lines[side].values(), key=lambda line: line[0])
        final = " ".join(text for _, text, _, _ in ordered if text)
        committed = " ".join(s if t is None else t for _, t, s, _ in ordered)
        shown = " ".join(f"{s} {tail}" if t is None else t for _, t, s, tail in ordered)
        traces[side].append(State(at_s, committed, shown, final))
    return traces
