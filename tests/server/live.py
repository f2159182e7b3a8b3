"""A real server on loopback for tests of what comes in, and a client for its native protocol."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from asr.settings import AsrSettings
from audio.g711 import encode_mulaw
from audio.sources import open_recording
from conversation.events import AudioGap, CallEnded, CallStarted, Event, EventLog
from server.adapters.settings import IngestSettings
from server.hearing import Hearing, HearingSettings
from server.runner import Running, running_server
from server.settings import Settings

SAMPLE = Path(__file__).parents[2] / "server" / "sample" / "call.flac"
START: dict[str, Any] = {
    "type": "start",
    "version": 1,
    "channels": ["agent", "customer"],
    "encoding": "pcm_s16le",
    "sample_rate": 8000,
}
BYTES_PER_MS = 32
"""Two channels of 16-bit samples at 8 kHz."""


@cache
def hearing() -> Hearing:
    """Voice activity and prosody, loaded once; no words."""
    loaded = Hearing(HearingSettings(asr=AsrSettings(enabled=False)))
    loaded.load()
    return loaded


@contextmanager
def serving(**settings: Any) -> Iterator[Running]:
    """Serve with `[ingest]` settings from a folder of its own."""
    with (
        TemporaryDirectory() as folder,
        running_server(
            hearing(),
            Path(folder) / "heartline.db",
            settings=Settings(ingest=IngestSettings(**settings)),
        ) as running,
    ):
        yield running


@cache
def sides() -> dict[str, np.ndarray]:
    """Ten seconds of the sample call, from 12 s on, float32 at 8 kHz."""
    recording = open_recording(SAMPLE)
    return {str(c): recording.samples(c)[12 * 8_000 : 22 * 8_000] for c in recording.channels}


@cache
def pcm() -> bytes:
    """The same, interleaved as 16-bit samples, agent first."""
    both = np.stack([sides()["agent"], sides()["customer"]], axis=1)
    return (both * 32_767).astype("<i2").tobytes()


@cache
def mulaw(side: str) -> bytes:
    """One side of the same as µ-law."""
    return encode_mulaw(sides()[side])


def send_audio(socket: ClientConnection, begin_ms: int, end_ms: int, block_ms: int = 100) -> None:
    """Send a stretch of the call."""
    audio = pcm()[begin_ms * BYTES_PER_MS : end_ms * BYTES_PER_MS]
    for at in range(0, len(audio), block_ms * BYTES_PER_MS):
        socket.send(audio[at : at + block_ms * BYTES_PER_MS])


def expect(socket: ClientConnection, kind: str) -> dict[str, Any]:
    """Return the next message of a kind."""
    while True:
        message: dict[str, Any] = json.loads(socket.recv(timeout=20))
        if message["type"] == kind:
            return message


@contextmanager
def native(
    server: Running, headers: dict[str, str] | None = None, **changes: Any
) -> Iterator[tuple[ClientConnection, dict[str, Any]]]:
    """Open a call over the native protocol."""
    with connect(server.ingest_url, additional_headers=headers) as socket:
        socket.send(json.dumps({**START, **changes}))
        yield socket, expect(socket, "started")


def close_code(socket: ClientConnection) -> int | None:
    """Read until the socket is closed; return why."""
    try:
        while True:
            socket.recv(timeout=20)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


def ticket(server: Running) -> str:
    """Return a ticket that opens one socket, as the command line gets it."""
    headers = {"Authorization": f"Bearer {server.user.key}", "Content-Type": "application/json"}
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        connection.request("POST", "/v1/tickets", headers=headers)
        answer: dict[str, str] = json.loads(connection.getresponse().read())
    return answer["ticket"]


def until(condition: Callable[[], bool], timeout_s: float = 15.0) -> None:
    """Wait for something that happens on another thread."""
    give_up = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > give_up:
            raise AssertionError("It did not happen in time.")
        time.sleep(0.02)


def finished(server: Running, call_id: str) -> list[Event]:
    """Return the events of a call once it has ended."""
    until(
        lambda: (
            call_id not in server.calls.running
            and any(r.call_id == call_id and not r.live for r in server.calls.journal.calls())
        )
    )
    return server.calls.journal.events(call_id)


def reached(server: Running, call_id: str, position_ms: int) -> None:
    """Wait until a call has been heard up to a time."""

    def heard() -> bool:
        call = server.calls.running.get(call_id)
        return call is not None and call.session.position_ms >= position_ms

    until(heard)


def the_call(server: Running) -> list[Event]:
    """Return the events of the only call there was, once it has ended."""
    until(lambda: len(server.calls.journal.calls()) == 1)
    (row,) = server.calls.journal.calls()
    return finished(server, row.call_id)


def lines(events: list[Event], *, but: type[Event] = CallStarted) -> list[bytes]:
    """Return events as they are stored, without those of one kind."""
    return [EventLog.encode(e) for e in events if not isinstance(e, but)]


def started_of(events: list[Event]) -> CallStarted:
    """Return the first event."""
    assert isinstance(events[0], CallStarted)
    return events[0]


def end_of(events: list[Event]) -> CallEnded:
    """Return how the call ended."""
    (ended,) = [e for e in events if isinstance(e, CallEnded)]
    return ended


def gaps_of(events: list[Event]) -> list[tuple[str, int, int, str]]:
    """Return what is missing."""
    return [
        (str(e.channel), e.begin_ms, e.end_ms, e.reason) for e in events if isinstance(e, AudioGap)
    ]
