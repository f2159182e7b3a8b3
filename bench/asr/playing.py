"""Plays calls to a server at absolute times, and keeps what a viewer was sent.

Frames of 20 ms go out at absolute times of the monotonic clock, both sides of a call from one zero.
The calls of a run begin within one second, at random times: no two calls of a centre begin in the
same millisecond. After the last sample a call's own length of silence follows, then the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Protocol

import msgspec
import numpy as np
from websockets.exceptions import ConnectionClosed

from bench.asr.calls import BuiltCall, Samples
from bench.asr.measures import State
from bench.asr.peers import PeerUnavailable
from bench.asr.processes import Tree
from bench.speech_bank import RATE_HZ

FRAME_S = 0.02
_FRAME = round(RATE_HZ * FRAME_S)
LONGEST_WAIT_S = 15.0
"""Longest wait for last words after the end."""
_CONNECT_S = 90.0
_LEAD_S = 0.5
"""Between the last connection and the first frame."""
_SPREAD_S = 1.0
"""Within which the calls of a run begin."""
_SEED = 3


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

    async def started(self) -> None:
        """Wait for the zero."""
        await self._set.wait()

    @property
    def zero(self) -> float | None:
        """Monotonic time of the run's zero, None before it."""
        return self._zero


class CallClock:
    """The run's clock as one call sees it: its own zero comes a little later."""

    def __init__(self, clock: Clock, begins_s: float) -> None:
        self._clock = clock
        self._begins_s = begins_s

    def ready(self) -> None:
        """Say that one more connection is ready."""
        self._clock.ready()

    def now(self) -> float:
        """Return seconds since the call began, 0 before the run does."""
        zero = self._clock.zero
        return 0.0 if zero is None else time.monotonic() - zero - self._begins_s

    async def frames(self, seconds: float) -> AsyncIterator[int]:
        """Give the index of each frame when its last sample would have been spoken."""
        await self._clock.started()
        for index in range(round(seconds / FRAME_S)):
            delay = (index + 1) * FRAME_S - self.now()
            if delay > 0:
                await asyncio.sleep(delay)
            yield index


def play(
    tree: Tree,
    calls: Sequence[BuiltCall],
    connections: int,
    one: Callable[[CallClock, BuiltCall], Awaitable[Heard]],
) -> Outcome:
    """Play calls at once; processor time counts from just before the first frame to the end."""

    async def all_of_them() -> tuple[list[Heard], float | None]:
        clock = Clock(connections)
        rng = random.Random(_SEED)  # noqa: S311 - begins of calls, not secrets
        begins = [0.0, *(rng.uniform(0, _SPREAD_S) for _ in calls[1:])]
        playing = asyncio.gather(
            *(one(CallClock(clock, at), call) for at, call in zip(begins, calls, strict=True))
        )
        everyone = asyncio.ensure_future(clock.everyone.wait())
        started: list[asyncio.Future[Any]] = [playing, everyone]
        await asyncio.wait(started, timeout=_CONNECT_S, return_when=asyncio.FIRST_COMPLETED)
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


def pcm(samples: Samples, index: int) -> Samples:
    """Return a frame; what is beyond the end is zeros."""
    frame = samples[index * _FRAME : (index + 1) * _FRAME]
    return np.pad(frame, (0, _FRAME - len(frame))) if len(frame) < _FRAME else frame


def int16(samples: Samples) -> bytes:
    """Return samples of -1..1 as little-endian 16-bit words."""
    return bytes(np.clip(np.rint(samples * 32767), -32768, 32767).astype("<i2").tobytes())


async def await_end(reading: asyncio.Future[None], timeout_s: float = LONGEST_WAIT_S) -> None:
    """Wait for what is read until its server closes, or not any longer."""
    with contextlib.suppress(TimeoutError, ConnectionClosed):
        await asyncio.wait_for(reading, timeout_s)
