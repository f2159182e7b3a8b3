"""Analysis off the event loop: whatever calls have waiting is heard in one round.

A round accepts the audio of every call that waits, scores all voice activity at once, which is
cheaper, and then lets the calls say what follows, each on one of a few lanes. Many calls go through
in two halves, so that one is scored while the other is worked on. What it returns to the event loop
shares wake-ups. None of it can change a result, only when it comes.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain

from audio.vad import SpeechProbability
from server.watchdog import Busy

MANY_CALLS = 12
"""Live calls from which on rounds, and commits, keep a distance; fewer would fill none."""
_ROUND_S = 0.02
"""Least time from one round to the next while there are many calls (our choice): it adds at most
20 ms to a cue, and more calls share what a round costs."""

LANES = min(4, os.cpu_count() or 1)
"""Threads that calls are worked on. Models and spectra leave the interpreter to another lane for
about half of that time (profiled), so there is little for more than a few to do (our choice)."""

_LANES_OF_MANY = max(1, min(LANES, (os.cpu_count() or 1) - 1))
"""Threads for many calls: they leave a core to event loop and journal, and their pitch is rationed,
so that two threads on two cores took a tenth more of them (measured) and were no sooner done."""

Accept = Callable[[], Sequence[SpeechProbability]]
"""Takes a turn's audio; returns where its voice activity waits."""
Score = Callable[[Iterable[SpeechProbability]], None]


class Wakeups:
    """Runs what other threads hand over on the event loop, in order, many at one wake-up."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._waiting: list[Callable[[], None]] = []

    def post(self, callback: Callable[[], None]) -> None:
        """Run the callback on the loop soon; nothing happens once that is closed."""
        with self._lock:
            self._waiting.append(callback)
            wake = len(self._waiting) == 1
        if wake and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._run)

    def _run(self) -> None:
        with self._lock:
            due, self._waiting = self._waiting, []
        for callback in due:
            callback()


class Turn:
    """A call's turn: audio to accept, if there is any, and then the work on it."""

    def __init__(
        self,
        call_id: str,
        work: Callable[[], None],
        fail: Callable[[Exception], None],
        accept: Accept | None,
    ) -> None:
        self.call_id = call_id
        self._work = work
        self._fail = fail
        self._accept = accept
        self._failed = False

    def accept(self) -> Sequence[SpeechProbability]:
        """Take the audio; a failure is the call's own."""
        try:
            return () if self._accept is None else self._accept()
        except Exception as error:
            self._failed = True
            self._fail(error)
            return ()

    def work(self) -> None:
        """Do the rest; a failure is the call's own."""
        if self._failed:
            return
        try:
            self._work()
        except Exception as error:
            self._fail(error)


class Analysis:
    """Where sessions are used: a call on one thread at a time, its turns in order."""

    def __init__(
        self,
        score: Score,
        live_calls: Callable[[], int],
        worked: Callable[[], None] = lambda: None,
        *,
        lanes: int = LANES,
    ) -> None:
        self._score = score
        self._worked = worked
        """Told whenever what was begun with many calls is done."""
        self._live_calls = live_calls
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="analysis")
        """Runs the rounds; between two of them no session is in use."""
        self._lanes = ThreadPoolExecutor(max(1, lanes - 1), thread_name_prefix="analysis lane")
        self._busy = [Busy() for _ in range(lanes)]
        self._lock = threading.Lock()
        self._waiting: deque[Turn] = deque()
        self._began_s = 0.0

    def put(self, turn: Turn) -> None:
        """Take a turn into the next round."""
        with self._lock:
            self._waiting.append(turn)
            idle = len(self._waiting) == 1
        if idle:
            self.thread.submit(self._round)

    def stuck_s(self) -> float:
        """Return for how long a thread has been at one piece of work, 0 when all are idle."""
        return max(busy.stuck_s() for busy in self._busy)

    def close(self) -> None:
        """End the threads once nothing waits."""
        self.thread.shutdown()
        self._lanes.shutdown()

    def _round(self) -> None:
        many = self._live_calls() >= MANY_CALLS
        if many:
            time.sleep(max(0.0, self._began_s + _ROUND_S - time.monotonic()))
        self._began_s = time.monotonic()
        with self._lock:
            turns = list(self._waiting)
            self._waiting.clear()
        by_call: defaultdict[str, list[Turn]] = defaultdict(list)
        for turn in turns:
            by_call[turn.call_id].append(turn)
        calls = list(by_call.values())
        if not many:
            self._score_now(self._accept(calls))
            self._work(calls, len(self._busy))
            return
        # The model of voice activity leaves the interpreter to what is done meanwhile.
        first, second = calls[::2], calls[1::2]
        scoring = self._lanes.submit(self._score, self._accept(first))
        heard = self._accept(second)
        self._wait_for(scoring)
        scoring = self._lanes.submit(self._score, heard)
        self._work(first, _LANES_OF_MANY)
        self._worked()
        self._wait_for(scoring)
        self._work(second, _LANES_OF_MANY)
        self._worked()

    def _accept(self, calls: Iterable[list[Turn]]) -> list[SpeechProbability]:
        heard: list[SpeechProbability] = []
        for turn in chain.from_iterable(calls):
            with self._busy[0]:
                heard += turn.accept()
        return heard

    def _score_now(self, heard: list[SpeechProbability]) -> None:
        with self._busy[0]:
            self._score(heard)

    def _wait_for(self, scoring: Future[None]) -> None:
        with self._busy[0]:
            scoring.result()

    def _work(self, calls: Sequence[list[Turn]], lanes: int) -> None:
        left = deque(calls)
        busy = self._busy[1 : min(len(calls), lanes)]
        helping = [self._lanes.submit(_work, left, each) for each in busy]
        _work(left, self._busy[0])
        for lane in helping:
            lane.result()


def _work(calls: deque[list[Turn]], busy: Busy) -> None:
    """Do the work of one call after the other until none is left."""
    while True:
        try:
            turns = calls.popleft()
        except IndexError:
            return
        for turn in turns:
            with busy:
                turn.work()
