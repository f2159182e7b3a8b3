"""The peers as a user has them: a server each, one connection per side.

What a peer shows when its socket closes counts as final, as a user would take it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Sequence

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from asr.models import resolve_model
from bench.asr.calls import SIDES, BuiltCall
from bench.asr.measures import State
from bench.asr.peers import WHISPER_LIVE, WHISPER_LIVE_KIT, PeerUnavailable, ensure
from bench.asr.playing import LONGEST_WAIT_S, CallClock, Heard, Outcome, await_end, int16, pcm, play
from bench.asr.processes import Tree, free_port, started, wait_for_port
from bench.results import OUT

_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}


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
            return play(tree, calls, 2 * len(calls), lambda clock, call: _both_sides(
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
            return play(tree, calls, 2 * len(calls), lambda clock, call: _both_sides(
                lambda side: _whisper_live_side(clock, call, side, port, self._threshold)
            ))  # fmt: skip


def _listening(port: int, tree: Tree) -> None:
    try:
        wait_for_port(port, tree)
    except TimeoutError as error:
        raise PeerUnavailable(str(error)) from error


async def _both_sides(one: Callable[[str], Awaitable[list[State]]]) -> Heard:
    traces = await asyncio.gather(*(one(side) for side in SIDES))
    return Heard(dict(zip(SIDES, traces, strict=True)))


async def _whisper_live_kit_side(
    clock: CallClock, call: BuiltCall, side: str, port: int
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
        async for index in clock.frames(call.seconds + call.tail_s):
            await socket.send(int16(pcm(call.samples[side], index)))
        await socket.send(b"")
        await await_end(reading)
    return _closed(clock, trace)


async def _whisper_live_side(
    clock: CallClock, call: BuiltCall, side: str, port: int, threshold: int
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
        async for index in clock.frames(call.seconds + call.tail_s):
            await socket.send(int16(pcm(call.samples[side], index)))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(reading), LONGEST_WAIT_S / 2)
        with contextlib.suppress(ConnectionClosed):
            await socket.send(b"END_OF_AUDIO")
        await await_end(reading, LONGEST_WAIT_S / 2)
    return _closed(clock, trace)


def _closed(clock: CallClock, trace: list[State]) -> list[State]:
    """Count what is shown at the end as final, as a user would."""
    if trace:
        shown = trace[-1].shown
        trace.append(State(clock.now(), shown, shown, shown))
    return trace
