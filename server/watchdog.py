"""Notices when a thread of the server hangs: says where, and ends a process that cannot go on.

A process that ends is started again by its service manager, and its calls go on there
(`reliability.md` section 3). Stacks name functions only, nothing that was said.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import logging
import os
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple

LOOP_STALL_S = 0.25
ANALYSIS_STALL_S = 2.0
ANALYSIS_HANG_S = 10.0
_LATE_S = 0.5
"""A look that comes later than this says that the process had no processor (our choice)."""
EXIT_CODE = 70
"""What the service manager sees of a process that ended itself (`EX_SOFTWARE`)."""
_EVERY_S = 0.05
_DUMP_EVERY_S = 60.0
"""Stalls are always counted; where they were is said at most this often (our choice)."""
_ALIVE_EVERY_S = 10.0
"""A third of `WatchdogSec` in deploy/heartline.service."""
_LOG = logging.getLogger("heartline.watchdog")


class Watched(NamedTuple):
    """Something that must not hang."""

    name: str
    stuck_s: Callable[[], float]
    """For how long it has been at the same piece of work, 0 when it has none."""
    stall_s: float
    hang_s: float | None = None
    """When it is given up; None when only a word is said."""


class Busy:
    """Since when a thread has been at one piece of work; set there, read elsewhere."""

    def __init__(self) -> None:
        self._since_s: float | None = None

    def __enter__(self) -> None:
        self._since_s = time.monotonic()

    def __exit__(self, *exc_info: object) -> None:
        self._since_s = None

    def stuck_s(self) -> float:
        """Return for how long, 0 when there is none."""
        since_s = self._since_s
        return 0.0 if since_s is None else time.monotonic() - since_s


class Watchdog:
    """Looks at everything watched; `check` is called often, by a thread of its own."""

    def __init__(
        self,
        watched: Sequence[Watched],
        *,
        give_up: Callable[[], None],
        dump: Callable[[], None] = faulthandler.dump_traceback,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watched = tuple(watched)
        self._give_up = give_up
        self._dump = dump
        self._now_s = now_s
        self._stalled: set[str] = set()
        self._dumped_s: dict[str, float] = {}
        self._looked_s: float | None = None
        self._away: deque[tuple[float, float]] = deque(maxlen=256)
        """When this thread was back after it had not run either, and for how long."""
        self.stalls: Counter[str] = Counter()
        """How often each has stalled."""

    def check(self) -> bool:
        """Look once; return whether everything goes on."""
        now_s = self._now_s()
        if self._looked_s is not None and now_s - self._looked_s > _LATE_S:
            self._away.append((now_s, now_s - self._looked_s))
        self._looked_s = now_s
        for each in self._watched:
            stuck_s = each.stuck_s()
            if stuck_s < each.stall_s:
                self._stalled.discard(each.name)
                continue
            if each.name not in self._stalled:
                self._stalled.add(each.name)
                self.stalls[each.name] += 1
                self._say(each, stuck_s)
            if each.hang_s is not None and stuck_s - self._away_s(now_s, stuck_s) >= each.hang_s:
                _LOG.critical("%s hangs: this process ends, to be started again", each.name)
                self._give_up()
        return not self._stalled

    def _away_s(self, now_s: float, stuck_s: float) -> float:
        """Return how much of the last `stuck_s` no thread of this process could run.

        A machine that is paused, or has no processor for this process, is no hang: to start
        again would only cost more.
        """
        return sum(
            min(lost_s, stuck_s - (now_s - back_s))
            for back_s, lost_s in self._away
            if now_s - back_s < stuck_s
        )

    def _say(self, each: Watched, stuck_s: float) -> None:
        now_s = self._now_s()
        if now_s - self._dumped_s.get(each.name, -_DUMP_EVERY_S) < _DUMP_EVERY_S:
            return
        self._dumped_s[each.name] = now_s
        _LOG.error("%s has been at one thing for %.2f s", each.name, stuck_s)
        self._dump()


@contextlib.asynccontextmanager
async def watching(
    analysis_stuck_s: Callable[[], float], flush: Callable[[], None]
) -> AsyncIterator[Watchdog]:
    """Watch this event loop and the analysis while the block runs.

    Args:
        analysis_stuck_s: says for how long the analysis has been at one piece of work.
        flush: writes down what is queued, before a process that hangs ends.
    """
    beat = Busy()
    beat.__enter__()
    watched = (
        Watched("event loop", beat.stuck_s, LOOP_STALL_S),
        Watched("analysis", analysis_stuck_s, ANALYSIS_STALL_S, ANALYSIS_HANG_S),
    )
    dog = Watchdog(watched, give_up=lambda: _end_process(flush))
    over = threading.Event()
    thread = threading.Thread(target=_watch, args=(dog, over), name="watchdog", daemon=True)

    async def keep_beating() -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            beat.__enter__()

    beating = asyncio.ensure_future(keep_beating())
    thread.start()
    notify("READY=1")
    try:
        yield dog
    finally:
        notify("STOPPING=1")
        over.set()
        beating.cancel()


def _watch(dog: Watchdog, over: threading.Event) -> None:
    told_s = 0.0
    while not over.wait(_EVERY_S):
        if dog.check() and time.monotonic() - told_s >= _ALIVE_EVERY_S:
            told_s = time.monotonic()
            notify("WATCHDOG=1")


def _end_process(flush: Callable[[], None]) -> None:
    flushing = threading.Thread(target=flush, daemon=True)
    flushing.start()
    flushing.join(timeout=2.0)
    os._exit(EXIT_CODE)


def notify(state: str) -> None:
    """Tell systemd, where it has started this process (`sd_notify(3)`)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address or not hasattr(socket, "AF_UNIX"):
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as peer:
        peer.sendto(state.encode(), address)
