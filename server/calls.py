"""Runs live calls: audio from sockets, one analysis thread, journal first, then dashboards."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from typing import Protocol

from audio.chunks import AudioChunk
from conversation.events import AudioGap, Event
from server.hearing import Hearing
from server.hub import LiveCall
from server.ingest import IngestDecoder, IngestError, Item, Start
from server.session import CallSession, Control, open_session
from server.store import CallIdTaken, Journal

RESUME_S = 120.0
"""How long a call waits for another socket of its source."""
_QUEUE_MESSAGES = 50
"""Audio messages of 100 ms that may wait, 5 s; then the socket is read no further."""
_POLL_S = 0.05
_LAST_WORDS_S = 10.0
"""Longest wait for the last finals of a call; other calls are analysed meanwhile."""
_LOG = logging.getLogger("heartline.calls")


class Source(Protocol):
    """The socket that a call's audio comes from."""

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Close it."""


class RunningCall:
    """One live call: a queue in, the journal and the hub out."""

    def __init__(
        self, session: CallSession, live: LiveCall, journal: Journal, decoder: IngestDecoder
    ) -> None:
        self.session = session
        self.live = live
        self.decoder = decoder
        self.epoch = 0
        """Rises with every socket that takes over."""
        self.over = False
        self.acked_ms = 0
        """Everything before was analysed and committed."""
        self._journal = journal
        self._seq = 0
        self._queue: asyncio.Queue[Sequence[Item | Control] | None] = asyncio.Queue(_QUEUE_MESSAGES)
        self._reason = "ended"
        self._source: Source | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._done = asyncio.Event()

    async def attach(self, source: Source) -> int:
        """Let a socket take over, closing the one before; return the new epoch."""
        former, self._source = self._source, source
        self.epoch += 1
        if self._expiry is not None:
            self._expiry.cancel()
        if former is not None:
            await former.close(4409, "superseded")
        return self.epoch

    def detach(self, epoch: int, resume_s: float = RESUME_S) -> None:
        """Forget a socket that is gone; without another in time the call ends."""
        if epoch != self.epoch or self.over:
            return
        self._source = None
        loop = asyncio.get_running_loop()
        self._expiry = loop.call_later(resume_s, self._expire)

    def _expire(self) -> None:
        self._reason = "source_lost"
        try:
            self._queue.put_nowait(None)
        except asyncio.QueueFull:
            self._expiry = asyncio.get_running_loop().call_later(_POLL_S, self._expire)

    async def put(self, items: Sequence[Item | Control]) -> None:
        """Queue items, waiting while 5 s of audio are waiting already.

        Raises:
            IngestError: the call is over.
        """
        if self.over:
            raise IngestError(
                "internal", 1011, f"The analysis of call {self.live.call_id} has stopped."
            )
        if items:
            await self._queue.put(items)

    async def end(self, reason: str) -> None:
        """End the call once everything queued has been heard, and wait for its report."""
        if not self.over:
            self._reason = reason
            await self._queue.put(None)
        await self._done.wait()

    async def run(self, on_analysis_thread: ThreadPoolExecutor) -> None:
        """Analyse until the call ends; every event is committed before it is published."""
        try:
            await self._run(on_analysis_thread)
        except Exception as error:
            # What the caller said may stand in the message, so only the kind is logged.
            _LOG.error("call %s: analysis failed: %s", self.live.call_id, type(error).__name__)
        finally:
            self.over = True
            while not self._queue.empty():
                self._queue.get_nowait()
            await asyncio.to_thread(
                self._journal.end_call, self.live.call_id, self.session.position_ms
            )
            self.live.finish()
            self._done.set()

    async def _run(self, on_analysis_thread: ThreadPoolExecutor) -> None:
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
        await self._do(loop, on_analysis_thread, self.session.end_audio)
        for _ in range(round(_LAST_WORDS_S / _POLL_S)):
            if not self.session.waits_for_words:
                break
            await asyncio.sleep(_POLL_S)
            await self._do(loop, on_analysis_thread, self.session.poll)
        await self._do(
            loop, on_analysis_thread, lambda: self.session.finish(self._reason, wait_s=0)
        )

    async def _do(
        self,
        loop: asyncio.AbstractEventLoop,
        on_analysis_thread: ThreadPoolExecutor,
        work: Callable[[], list[Event]],
    ) -> None:
        def analyse_and_queue() -> tuple[list[Event], Future[None]]:
            events = work()
            committed = self._journal.submit(self.live.call_id, self._seq + 1, events)
            self._seq += len(events)
            return events, committed

        events, committed = await loop.run_in_executor(on_analysis_thread, analyse_and_queue)
        await asyncio.wrap_future(committed)
        self.live.publish(events, self.session.position_ms)

    def _feed(self, items: Sequence[Item | Control]) -> list[Event]:
        events: list[Event] = []
        for is_control, group in groupby(items, lambda item: isinstance(item, Control)):
            if is_control:
                for item in group:
                    if isinstance(item, Control):
                        events += self.session.control(item)
            else:
                audio = [item for item in group if isinstance(item, AudioChunk | AudioGap)]
                events += self.session.push(audio)
        return events


class Calls:
    """All calls of this process."""

    def __init__(self, hearing: Hearing, journal: Journal) -> None:
        self._hearing = hearing
        self.journal = journal
        self.running: dict[str, RunningCall] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._analysis_thread = ThreadPoolExecutor(1, thread_name_prefix="analysis")

    @property
    def ready(self) -> bool:
        """Whether a call that comes in now would be heard in full."""
        pool = self._hearing.pool
        return pool is None or pool.ready

    @property
    def disabled_rules(self) -> frozenset[str]:
        """Ids of the cue rules that the settings switch off."""
        return frozenset(self._hearing.settings.conversation.disabled_rules)

    async def attach(self, start: Start, source: Source) -> tuple[RunningCall, int, Sequence[Item]]:
        """Open a call, or let its source go on with it over another socket.

        Returns:
            The call, its epoch, and the gap between the two sockets if there is one.

        Raises:
            IngestError: `call_ended`, `unknown_call`, `format_changed` or `bad_start`.
        """
        call = self.running.get(start.call_id or "")
        if call is not None and not call.over:
            items = call.decoder.resume(start)
            return call, await call.attach(source), items
        if start.resume_from_ms is not None and not await asyncio.to_thread(
            self.journal.has_call, start.call_id or ""
        ):
            raise IngestError("unknown_call", 4404, "There is no such call to go on with.")
        try:
            call = self._open(start)
        except CallIdTaken as error:
            raise IngestError("call_ended", 4410, "This call_id was used before.") from error
        return call, await call.attach(source), ()

    def _open(self, start: Start) -> RunningCall:
        call_id = start.call_id or f"c_{secrets.token_hex(8)}"
        started_at = datetime.now(UTC).astimezone().isoformat(timespec="seconds")
        self.journal.open_call(call_id, started_at, start.agent)
        session = open_session(
            call_id=call_id,
            channels=start.channels,
            sample_rate_hz=start.sample_rate,
            source="ingest",
            started_at=started_at,
            hearing=self._hearing,
            agent=start.agent,
        )
        call = RunningCall(session, LiveCall(call_id), self.journal, IngestDecoder(start))
        self.running[call_id] = call
        task = asyncio.ensure_future(call.run(self._analysis_thread))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: self.running.pop(call_id, None))
        return call

    async def find(self, call_id: str) -> LiveCall | None:
        """Return what dashboards see of a call, also of one that ended before this process."""
        if call_id in self.running:
            return self.running[call_id].live
        events = await asyncio.to_thread(self.journal.events, call_id)
        if not events:
            return None
        live = LiveCall(call_id)
        live.publish(events, events[-1].at_ms)
        live.finish()
        return live

    async def stop(self) -> None:
        """End every call in order, as when the server stops."""
        for call in list(self.running.values()):
            await call.end("server_stopped")

    def close(self) -> None:
        """End the analysis thread."""
        self._analysis_thread.shutdown()
