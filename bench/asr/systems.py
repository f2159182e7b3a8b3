"""The systems under test, each as a user has it: a server, audio in, text out, over sockets.

Frames of 20 ms go out at absolute times of the monotonic clock, both sides of all calls from one
zero; servers that know one channel get two connections. After the last sample 3 s of silence
follow, then the end; what a peer shows when its socket closes counts as final.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.request import Request, urlopen

import msgspec
import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from asr.models import resolve_model
from bench.asr.calls import SIDES, BuiltCall, Samples
from bench.asr.measures import State
from bench.asr.peers import WHISPER_LIVE, WHISPER_LIVE_KIT, PeerUnavailable, ensure
from bench.asr.processes import Tree, free_port, started, wait_for_port
from bench.results import OUT
from bench.speech_bank import RATE_HZ

FRAME_S = 0.02
_FRAME = round(RATE_HZ * FRAME_S)
_TAIL_S = 3.0
_LONGEST_WAIT_S = 15.0
_CONNECT_S = 90.0
_LEAD_S = 0.5
"""Between the last connection and the first frame."""


class Heard(msgspec.Struct):
    """What a viewer was sent of one call."""

    traces: dict[str, list[State]]
    events: list[tuple[float, dict[str, Any]]] = []
    """Heartline only: receive time and event."""


class Outcome(msgspec.Struct):
    """One run of one system."""

    heard: list[Heard]
    cpu_s: float | None
    peak_mib: float | None


class System(Protocol):
    """A server that can be run."""

    name: str

    def run(self, calls: Sequence[BuiltCall]) -> Outcome:
        """Start the server, play the calls at once, and end it.

        Raises:
            PeerUnavailable: it cannot be installed or does not run.
        """


class Clock:
    """Zero of a run, settled once everyone is connected."""

    def __init__(self, connections: int) -> None:
        self._zero: float | None = None
        self._set = asyncio.Event()
        self._missing = connections
        self.everyone = asyncio.Event()
        """Every connection is ready for audio."""

    def ready(self) -> None:
        """Say that one more connection is."""
        self._missing -= 1
        if self._missing == 0:
            self.everyone.set()

    def start(self) -> None:
        """Begin in half a second."""
        self._zero = time.monotonic() + _LEAD_S
        self._set.set()

    def now(self) -> float:
        """Return seconds since zero."""
        return 0.0 if self._zero is None else time.monotonic() - self._zero

    async def frames(self, seconds: float) -> AsyncIterator[int]:
        """Give the index of each frame when its last sample would have been spoken."""
        await self._set.wait()
        for index in range(round(seconds / FRAME_S)):
            delay = (index + 1) * FRAME_S - self.now()
            if delay > 0:
                await asyncio.sleep(delay)
            yield index


class Heartline:
    """`heartline serve`, its ingest and its event sockets."""

    def __init__(self, name: str = "heartline", settings: Mapping[str, str] | None = None) -> None:
        self.name = name
        self._settings = dict(settings or {})

    def run(self, calls: Sequence[BuiltCall]) -> Outcome:
        """Start the server, play the calls at once, and end it."""
        with tempfile.TemporaryDirectory() as data, self._server(Path(data)) as (tree, port):
            key = (Path(data) / "cli.key").read_text("ascii").strip()
            return _play(
                tree, calls, len(calls), lambda clock, call: _heartline_call(clock, call, port, key)
            )

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


class WhisperLiveKit:
    """`wlk` with LocalAgreement over faster-whisper; one connection per side."""

    def __init__(self, name: str, options: Sequence[str] = ()) -> None:
        self.name = name
        self._options = tuple(options)

    def run(self, calls: Sequence[BuiltCall]) -> Outcome:
        """Start the server, play the calls at once, and end it."""
        folder, port = ensure(WHISPER_LIVE_KIT), free_port()
        command = [
            str(folder / "bin" / "wlk"),
            *("--host", "127.0.0.1", "--port", str(port), "--language", "en", "--pcm-input"),
            *("--backend-policy", "localagreement", "--backend", "faster-whisper"),
            *("--model_dir", str(resolve_model("tiny.en").folder), "--warmup-file", ""),
            *("--log-level", "WARNING", *self._options),
        ]
        with started(command, OUT / "asr-logs" / f"{self.name}.log", _OFFLINE) as tree:
            _listening(port, tree)
            return _play(tree, calls, 2 * len(calls), lambda clock, call: _both_sides(
                lambda side: _whisper_live_kit_side(clock, call, side, port)
            ))  # fmt: skip


class WhisperLive:
    """WhisperLive's server on faster-whisper; one connection per side."""

    def __init__(self, name: str, same_output_threshold: int) -> None:
        self.name = name
        self._threshold = same_output_threshold

    def run(self, calls: Sequence[BuiltCall]) -> Outcome:
        """Start the server, play the calls at once, and end it."""
        folder, port = ensure(WHISPER_LIVE), free_port()
        program = (
            "import sys; from whisper_live.server import TranscriptionServer; "
            "TranscriptionServer().run('127.0.0.1', port=int(sys.argv[1]), "
            "backend='faster_whisper', faster_whisper_custom_model_path=sys.argv[2], "
            "max_clients=32)"
        )
        model = str(resolve_model("tiny.en").folder)
        command = [str(folder / "bin" / "python"), "-c", program, str(port), model]
        with started(command, OUT / "asr-logs" / f"{self.name}.log", _OFFLINE) as tree:
            _listening(port, tree)
            return _play(tree, calls, 2 * len(calls), lambda clock, call: _both_sides(
                lambda side: _whisper_live_side(clock, call, side, port, self._threshold)
            ))  # fmt: skip


_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}


def _listening(port: int, tree: Tree) -> None:
    try:
        wait_for_port(port, tree)
    except TimeoutError as error:
        raise PeerUnavailable(str(error)) from error


def _port_in(log: Path, tree: Tree) -> int:
    until_s = time.monotonic() + 90
    while time.monotonic() < until_s and tree.process.poll() is None:
        found = re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text("utf-8", "replace"))
        if found:
            return int(found[1])
        time.sleep(0.2)
    raise SystemExit(f"`heartline serve` did not start; see {log}.")


def _play(
    tree: Tree,
    calls: Sequence[BuiltCall],
    connections: int,
    one: Callable[[Clock, BuiltCall], Awaitable[Heard]],
) -> Outcome:
    """Play calls at once; processor time counts from just before the first frame to the end."""

    async def all_of_them() -> tuple[list[Heard], float | None]:
        clock = Clock(connections)
        playing = asyncio.gather(*(one(clock, call) for call in calls))
        everyone = asyncio.ensure_future(clock.everyone.wait())
        await asyncio.wait(
            [playing, everyone], timeout=_CONNECT_S, return_when=asyncio.FIRST_COMPLETED
        )
        if not everyone.done():
            everyone.cancel()
            if not playing.done():
                playing.cancel()
                raise TimeoutError
        before = tree.cpu_s()
        clock.start()
        heard = list(await playing)
        after = tree.cpu_s()
        return heard, None if before is None or after is None else after - before

    try:
        heard, cpu_s = asyncio.run(all_of_them())
    except (OSError, ConnectionClosed, TimeoutError) as error:
        raise PeerUnavailable(f"{type(error).__name__} while the call was played") from error
    return Outcome(heard, cpu_s, tree.peak_mib)


async def _both_sides(one: Callable[[str], Awaitable[list[State]]]) -> Heard:
    traces = await asyncio.gather(*(one(side) for side in SIDES))
    return Heard(dict(zip(SIDES, traces, strict=True)))


def _pcm(samples: Samples, index: int) -> Samples:
    frame = samples[index * _FRAME : (index + 1) * _FRAME]
    return np.pad(frame, (0, _FRAME - len(frame))) if len(frame) < _FRAME else frame


def _int16(samples: Samples) -> bytes:
    return bytes(np.clip(np.rint(samples * 32767), -32768, 32767).astype("<i2").tobytes())


# ---------------------------------------------------------------------- heartline


async def _heartline_call(clock: Clock, call: BuiltCall, port: int, key: str) -> Heard:
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
                async for index in clock.frames(call.seconds + _TAIL_S):
                    sides = [_pcm(call.samples[side], index) for side in SIDES]
                    await ingest.send(_int16(np.stack(sides, axis=1)))
                await ingest.send(json.dumps({"type": "stop"}))
            await _await_end(reading)
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
    clock: Clock, viewer: ClientConnection, events: list[tuple[float, dict[str, Any]]]
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


# ---------------------------------------------------------------------- peers


async def _whisper_live_kit_side(
    clock: Clock, call: BuiltCall, side: str, port: int
) -> list[State]:
    trace: list[State] = []

    async def read(socket: ClientConnection) -> None:
        async for text in socket:
            message = json.loads(text)
            if message.get("type") == "ready_to_stop":
                return
            if "lines" not in message:
                continue
            lines = [line["text"] for line in message["lines"] if line.get("speaker") != -2]
            committed = " ".join(lines)
            shown = f"{committed} {message.get('buffer_transcription') or ''}"
            trace.append(State(clock.now(), committed, shown, committed))

    url = f"ws://127.0.0.1:{port}/asr"
    async with connect(url, compression=None, max_size=None, ping_interval=None) as socket:
        reading = asyncio.ensure_future(read(socket))
        clock.ready()
        async for index in clock.frames(call.seconds + _TAIL_S):
            await socket.send(_int16(_pcm(call.samples[side], index)))
        await socket.send(b"")
        await _await_end(reading)
    return _closed(clock, trace)


async def _whisper_live_side(
    clock: Clock, call: BuiltCall, side: str, port: int, threshold: int
) -> list[State]:
    trace: list[State] = []
    done: dict[str, str] = {}

    async def read(socket: ClientConnection) -> None:
        async for text in socket:
            message = json.loads(text)
            if message.get("message") == "SERVER_READY":
                clock.ready()
            if "segments" not in message:
                continue
            tail = ""
            for segment in message["segments"]:
                if segment.get("completed"):
                    done[segment["start"]] = segment["text"]
                else:
                    tail = segment["text"]
            committed = " ".join(done[at] for at in sorted(done, key=float))
            trace.append(State(clock.now(), committed, f"{committed} {tail}", committed))

    url = f"ws://127.0.0.1:{port}"
    async with connect(url, compression=None, max_size=None, ping_interval=None) as socket:
        options = {"uid": side, "language": "en", "task": "transcribe", "model": "tiny.en"}
        tuned = {"use_vad": True, "same_output_threshold": threshold, "audio_format": "int16"}
        await socket.send(json.dumps({**options, **tuned}))
        reading = asyncio.ensure_future(read(socket))
        async for index in clock.frames(call.seconds + _TAIL_S):
            await socket.send(_int16(_pcm(call.samples[side], index)))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(reading), _LONGEST_WAIT_S / 2)
        with contextlib.suppress(ConnectionClosed):
            await socket.send(b"END_OF_AUDIO")
        await _await_end(reading, _LONGEST_WAIT_S / 2)
    return _closed(clock, trace)


async def _await_end(reading: asyncio.Future[None], timeout_s: float = _LONGEST_WAIT_S) -> None:
    with contextlib.suppress(TimeoutError, ConnectionClosed):
        await asyncio.wait_for(reading, timeout_s)


def _closed(clock: Clock, trace: list[State]) -> list[State]:
    """Count what is shown at the end as final, as a user would."""
    if trace:
        shown = trace[-1].shown
        trace.append(State(clock.now(), shown, shown, shown))
    return trace
