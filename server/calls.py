"""Runs live calls: audio from sockets, one analysis thread, journal first, then dashboards."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from itertools import groupby

from audio.chunks import AudioChunk
from conversation.events import AudioGap, CueFeedback, Event
from server.hearing import Hearing
from server.hub import LiveCall
from server.ingest import Item, Start
from server.journal import Journal
from server.session import CallSession, Control, open_session

_QUEUE_MESSAGES = 50
"""Audio messages of 100 ms that may wait, 5 s; then the socket is read no further."""
_POLL_S = 0.05


class RunningCall:
    """One live call: a queue in, the journal and the hub out."""

    def __init__(self, session: CallSession, live: LiveCall, journal: Journal) -> None:
        self.session = session
        self.live = live
        self._journal = journal
        self._seq = 0
        self._queue: asyncio.Queue[list[Item | CueFeedback] | None] = asyncio.Queue(_QUEUE_MESSAGES)
        self.acked_ms = 0
        self._reason = "ended"

    async def put(self, items: list[Item | CueFeedback]) -> None:
        """Queue items, waiting while 5 s of audio are waiting already."""
        await self._queue.put(items)

    async def run(self, on_analysis_thread: ThreadPoolExecutor) -> None:
        """Analyse until the call ends; every event is committed before it is published."""
        loop = asyncio.get_running_loop()
        await self._do(loop, on_analysis_thread, self.session.opening_events)
        while True:
            try:
                items = await asyncio.wait_for(self._queue.get(), _POLL_S)
            except TimeoutError:
                await self._do(loop, on_analysis_thread, self.session.poll)
                continue
            if items is None:
                break
            await self._do(loop, on_analysis_thread, partial(self._feed, items))
            self.acked_ms = self.session.position_ms
        await self._do(loop, on_analysis_thread, lambda: self.session.finish(self._reason))
        await asyncio.to_thread(self._journal.end_call, self.live.call_id, self.session.position_ms)
        self.live.finish()

    async def end(self, reason: str) -> None:
        """Ask the call to end once everything queued has been heard."""
        self._reason = reason
        await self._queue.put(None)

    async def _do(
        self,
        loop: asyncio.AbstractEventLoop,
        on_analysis_thread: ThreadPoolExecutor,
        work: Callable[[], list[Event]],
    ) -> None:
        def analyse_and_commit() -> list[Event]:
            events = work()
            self._journal.append(self.live.call_id, self._seq + 1, events)
            self._seq += len(events)
            return events

        events = await loop.run_in_executor(on_analysis_thread, analyse_and_commit)
        self.live.publish(events, self.session.position_ms)

    def _feed(self, items: Sequence[Item | CueFeedback]) -> list[Event]:
        events: list[Event] = []
        for is_audio, group in groupby(items, lambda item: isinstance(item, AudioChunk)):
            if is_audio:
                events += self.session.push([i for i in group if isinstance(i, AudioChunk)])
                continue
            for item in group:
                if isinstance(item, AudioGap):
                    events += self.session.gap(item)
                elif isinstance(item, Control):
                    events += self.session.control(item)
        return events


class Calls:
    """All calls of this process."""

    def __init__(self, hearing: Hearing, journal: Journal) -> None:
        self._hearing = hearing
        self.journal = journal
        self.running: dict[str, RunningCall] = {}
        self.live: dict[str, LiveCall] = {}
        self.analysis_thread = ThreadPoolExecutor(1, thread_name_prefix="analysis")

    def open(self, start: Start, source: str = "ingest") -> RunningCall:
        """Open a call as its source asked.

        Raises:
            sqlite3.IntegrityError: the call id is taken.
        """
        call_id = start.call_id or f"c_{secrets.token_hex(8)}"
        started_at = datetime.now(UTC).astimezone().isoformat(timespec="seconds")
        self.journal.open_call(call_id, started_at, start.agent)
        session = open_session(
            call_id=call_id,
            channels=start.channels,
            sample_rate_hz=start.sample_rate,
            source=source,
            started_at=started_at,
            hearing=self._hearing,
            agent=start.agent,
        )
        live = LiveCall(call_id)
        self.live[call_id] = live
        self.running[call_id] = RunningCall(session, live, self.journal)
        return self.running[call_id]

    def close(self) -> None:
        """End the analysis thread."""
        self.analysis_thread.shutdown()
