"""One live call: audio from its sockets, its analysis, journal first, then dashboards."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from functools import partial
from itertools import groupby
from typing import Protocol

from audio.chunks import AudioChunk
from conversation.events import (
    AudioGap,
    CapturePaused,
    CaptureResumed,
    Channel,
    Event,
    RolesSwapped,
)
from server.adapters.contract import IngestError
from server.adapters.pace import AudioLimit
from server.adapters.tracks import Lanes
from server.analysis import Accept, Analysis, Turn, Wakeups
from server.audio_queue import AudioQueue, Queued
from server.controls import Control
from server.hub import LiveCall
from server.ingest import IngestDecoder
from server.metrics import CallMeter, Metrics
from server.people.roles import Whose
from server.resume import WARM_UP_MS
from server.session import CallSession
from server.store import CallIdTaken, CallSource, Journal, Mark, Unfinished

RESUME_S = 120.0
"""How long a call waits for another socket of a source that can resume."""
GRACE_S = 30.0
"""How long it waits for one of a source that cannot."""
MAX_CALL_MS = 43_200_000
"""Longest call, 12 h."""
_PATIENCE_S = 2.0
"""How long the socket of a telephony system, which soon drops audio itself, is not read."""
_POLL_S = 0.05
"""How often words that are awaited are asked for."""
_IDLE_S = 1.0
"""How often a call is looked after when neither audio nor words are on their way."""
_CLOCK_STEP_MS = 10
_MARK_EVERY_S = 0.9
"""How often a call's progress is written down; sources are told of it about once a second."""
_LAST_WORDS_S = 10.0
"""Longest wait for the last finals of a call; other calls are analysed meanwhile."""
_LOG = logging.getLogger("heartline.calls")


class Source(Protocol):
    """A socket that a call's audio comes from."""

    async def fail(self, error: IngestError) -> None:
        """Tell the source why it may not go on, and close it."""

    async def pause(self, paused: bool) -> None:
        """Tell it that capture is paused, or goes on."""

    async def drain(self) -> None:
        """Tell it that this server is about to stop."""


class RunningCall:
    """One live call: a queue in, the journal and the hub out.

    One or several sockets, its legs, bring the audio, each of some channels.
    """

    def __init__(
        self,
        session: CallSession,
        live: LiveCall,
        journal: Journal,
        decoder: IngestDecoder | None = None,
        *,
        source: CallSource,
        whose: Whose,
        meter: CallMeter | None = None,
        opening: Future[None] | None = None,
    ) -> None:
        self.session = session
        self.live = live
        self.whose = whose
        """To whom the call belongs."""
        self.source = source
        self._meter = meter or Metrics().call(session.started.source)
        self.decoder = decoder
        """What the native protocol knows of the call across its sockets; None before the first
        socket after a restart, too."""
        self.channels: tuple[Channel, ...] = session.started.channels
        self.lanes = Lanes(self.channels, session.sample_rate_hz)
        """Puts the audio of sources that have no common clock in place."""
        self.epoch = 0
        """Rises with every socket that takes over."""
        self.over = False
        self.opened_ms = _now_ms()
        """When the call began, by this machine's clock."""
        self.audio_limit = AudioLimit(self.opened_ms)
        """One for all sockets of the call, so that a new one buys nothing."""
        self.acked_ms = 0
        """Everything before was analysed and committed, and no open utterance needs it."""
        self._journal = journal
        self._opening = opening
        """Done, or failed, when the journal has entered the call; None for one that it knows."""
        self._seq = 0
        self._mark = Mark(0, 0)
        self._marked_s = time.monotonic()
        self._parked = False
        self._queue = AudioQueue(len(self.channels))
        self._reason = "ended"
        self._legs: dict[int, tuple[tuple[Channel, ...], Source]] = {}
        self.away_ms = 0
        """How long the call had no socket before the newest one, by this machine's clock."""
        self._alone_since_ms: int | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._done = asyncio.Event()

    @property
    def native(self) -> bool:
        """Whether its source can send again what was lost."""
        return self.source.encoding is not None

    @property
    def entered(self) -> bool:
        """Whether the journal knows the call, so that somebody may be told of it."""
        opening = self._opening
        return opening is None or (opening.done() and opening.exception() is None)

    def take_up(self, call: Unfinished, seq: int, age_ms: int) -> None:
        """Go on where a dead process left the call; the source has time to return.

        Args:
            call: what is known of it besides its events.
            seq: number of the newest event.
            age_ms: time since the call began.
        """
        self._seq, self.epoch, self.acked_ms = seq, call.epoch, call.mark.acked_ms
        self._mark = Mark(call.mark.acked_ms, self.session.position_ms)
        self.lanes.begin_at(self.session.position_ms)
        known_ms = self._mark.acked_ms if self.native else self._mark.position_ms
        now_ms = _now_ms()
        self.opened_ms = now_ms - max(age_ms, known_ms)
        self._alone_since_ms = now_ms - max(0, age_ms - known_ms)
        wait_s = RESUME_S if self.native else GRACE_S
        self._expiry = asyncio.get_running_loop().call_later(wait_s, self._lose)

    def is_current(self, epoch: int) -> bool:
        """Whether a socket still brings this call's audio."""
        return epoch in self._legs

    async def attach(self, source: Source, channels: tuple[Channel, ...] = ()) -> int:
        """Let a socket bring some channels (all by default); return its epoch.

        A socket that brought one of them before is closed.

        Raises:
            IngestError: the journal knows another call of this id.
        """
        await self._enter()
        brought = channels or self.channels
        former = {e: leg for e, leg in self._legs.items() if set(leg[0]) & set(brought)}
        self.epoch += 1
        epoch = self.epoch
        self.away_ms = 0
        if self._alone_since_ms is not None:
            passed_ms = _now_ms() - self._alone_since_ms
            self.away_ms = round(passed_ms / _CLOCK_STEP_MS) * _CLOCK_STEP_MS
            self._alone_since_ms = None
        self._legs = {e: leg for e, leg in self._legs.items() if e not in former}
        self._legs[epoch] = (brought, source)
        if self._expiry is not None:
            self._expiry.cancel()
        for _, superseded in former.values():
            await superseded.fail(
                IngestError("superseded", 4409, "A newer socket brings this call's audio.")
            )
        if self.native and epoch > 1:  # the others name no epoch, and send on meanwhile
            await _committed(self._journal.raise_epoch(self.live.call_id, epoch))
        return epoch

    async def _enter(self) -> None:
        """Wait until the journal has entered the call."""
        if self._opening is None:
            return
        try:
            await _committed(self._opening)
        except CallIdTaken as error:
            raise IngestError("call_ended", 4410, "This call_id was used before.") from error

    def detach(self, epoch: int, wait_s: float = RESUME_S) -> None:
        """Forget a socket that is gone; without another in time the call ends."""
        if self._legs.pop(epoch, None) is None or self._legs or self.over:
            return
        self._alone_since_ms = _now_ms()
        loop = asyncio.get_running_loop()
        self._expiry = loop.call_later(wait_s, self._lose)

    def _lose(self) -> None:
        if not self.native:
            self._queue.add(self.lanes.level())
        self._finish_with("source_lost")

    def _finish_with(self, reason: str) -> None:
        self._reason = reason
        self._queue.close()

    async def put(self, items: Sequence[Queued]) -> None:
        """Queue items, waiting while 5 s of audio are waiting already.

        Raises:
            IngestError: the call is over, or has lasted 12 h.
        """
        self._check()
        self._meter.arrived(items, asyncio.get_running_loop().time())
        await self._queue.put(items)
        await self._tell_legs(items)

    async def put_soon(self, items: Sequence[Queued]) -> None:
        """Queue items of a source that cannot wait long; the oldest audio may become a gap.

        Raises:
            IngestError: the call is over, or has lasted 12 h.
        """
        self._check()
        self._meter.arrived(items, asyncio.get_running_loop().time())
        await self._queue.put_soon(items, _PATIENCE_S)

    def _check(self) -> None:
        if self.over:
            reference = secrets.token_hex(4)
            _LOG.error("call %s: audio after its analysis, ref %s", self.live.call_id, reference)
            raise IngestError("internal", 1011, f"The call cannot go on; reference {reference}.")
        if self.session.position_ms >= MAX_CALL_MS:
            self._finish_with("too_long")
            raise IngestError("call_ended", 4410, "A call may last 12 h; this one has been ended.")

    async def _tell_legs(self, items: Sequence[Queued]) -> None:
        for item in items:
            if isinstance(item, CapturePaused | CaptureResumed):
                for _, source in list(self._legs.values()):
                    await source.pause(isinstance(item, CapturePaused))

    async def leave(self, epoch: int, reason: str) -> None:
        """Let a socket go that says its part is over; the last one ends the call."""
        if self._legs.pop(epoch, None) is not None and not self._legs:
            if not self.native and not self.over:
                await self._queue.put(self.lanes.level())
            await self.end(reason)

    async def end(self, reason: str) -> None:
        """End the call once everything queued has been heard, and wait for its report."""
        if not self.over:
            self._finish_with(reason)
        await self._done.wait()

    async def ended(self) -> None:
        """Wait for its end, and its report."""
        await self._done.wait()

    async def park(self) -> None:
        """Hear what is queued and leave the call to the next process; its source comes back."""
        self._parked = True
        self._queue.close()
        await self._done.wait()

    async def drain(self) -> None:
        """Send the sockets away, to come back when the server is there again."""
        with contextlib.suppress(Exception):
            await self._enter()  # its first socket is waiting for this, too
        for _, source in list(self._legs.values()):
            await source.drain()

    def waiting_s(self, now_s: float) -> float:
        """Return for how long its oldest audio has waited for the analysis; the loop's clock."""
        return self._meter.waiting_s(now_s)

    async def run(self, analysis: Analysis, wakeups: Wakeups) -> None:
        """Analyse until the call ends; every event is committed before it is published."""
        try:
            await self._enter()
        except Exception as error:  # the sockets are told of it, too
            if not isinstance(error, IngestError):
                _LOG.error("call %s: not entered: %s", self.live.call_id, type(error).__name__)
            self.over = True
            self._queue.clear()
            self._done.set()
            return
        try:
            await self._run(partial(self._do, analysis, wakeups))
        except Exception as error:
            # What the caller said may stand in the message, so only the kind is logged.
            _LOG.error("call %s: analysis failed: %s", self.live.call_id, type(error).__name__)
        finally:
            self.over = True
            self._queue.clear()
            if not self._parked:
                await asyncio.to_thread(
                    self._journal.end_call, self.live.call_id, self.session.position_ms
                )
                self.live.finish()
            self._done.set()

    async def _run(self, do: Callable[..., Awaitable[None]]) -> None:
        if self._seq == 0:
            await do(self.session.opening_events)
        while (items := await self._queue.get(self._patience_s)) is not None:
            audio = [item for item in items if isinstance(item, AudioChunk | AudioGap)]
            heard_ms = max((item.end_ms for item in audio), default=None)
            if not items:
                await do(self.session.poll)
            elif len(audio) == len(items):
                await do(self.session.settle, partial(self.session.accept, audio), heard_ms)
            else:
                await do(partial(self._feed, items), None, heard_ms)
        if self._parked:
            self._marked_s = 0.0
            await do(self.session.poll)
            return
        await do(self.session.end_audio)
        for _ in range(round(_LAST_WORDS_S / _POLL_S)):
            if not self.session.waits_for_words:
                break
            await asyncio.sleep(_POLL_S)
            await do(self.session.poll)
        ending: list[Event] = []

        def end() -> list[Event]:
            ending.extend(self.session.end(self._reason, wait_s=0))
            return []

        await do(end)
        # No other call waits for the pass, and a call has all of its end in the journal or nothing.
        ending += await asyncio.to_thread(self.session.look_back, tuple(ending))
        await do(lambda: ending)

    @property
    def _patience_s(self) -> float:
        return _POLL_S if self.session.awaits_words else _IDLE_S

    async def _do(
        self,
        analysis: Analysis,
        wakeups: Wakeups,
        work: Callable[[], list[Event]],
        accept: Accept | None = None,
        heard_ms: int | None = None,
    ) -> None:
        """Take a turn in the analysis; publish its events once they are committed."""
        loop = asyncio.get_running_loop()
        published: asyncio.Future[tuple[list[Event], float]] = loop.create_future()

        def finish(error: BaseException | None, events: list[Event], analysed_s: float) -> None:
            if published.cancelled():
                return
            if error is not None:
                published.set_exception(error)
            else:
                published.set_result((events, analysed_s))

        def fail(error: BaseException) -> None:
            wakeups.post(partial(finish, error, [], 0.0))

        def analyse_and_queue() -> None:
            events = work()
            mark = self._next_mark()
            committed = self._journal.submit(self.live.call_id, self._seq + 1, events, mark)
            self._seq += len(events)
            analysed_s = loop.time()

            def tell(committed: Future[None]) -> None:
                wakeups.post(partial(finish, committed.exception(), events, analysed_s))

            committed.add_done_callback(tell)

        analysis.put(Turn(self.live.call_id, analyse_and_queue, fail, accept))
        events, analysed_s = await published
        self.acked_ms = self._mark.acked_ms
        self.live.publish(events, self.session.position_ms)
        self._meter.published(events, heard_ms, analysed_s, loop.time())

    def _next_mark(self) -> Mark | None:
        """Say once a second how far the call has come, when that has changed.

        What is acknowledged lies a little before what has entered the core, so that a source that
        goes on there after a restart leaves no hole.
        """
        settled_ms = max(self._mark.position_ms, self.session.settled_ms)
        needed_ms = min(self.session.acked_ms, settled_ms) - WARM_UP_MS
        acked_ms = max(self._mark.acked_ms, needed_ms)
        mark = Mark(acked_ms, settled_ms)
        now_s = time.monotonic()
        if mark == self._mark or now_s - self._marked_s < _MARK_EVERY_S:
            return None
        self._mark, self._marked_s = mark, now_s
        return mark

    def _feed(self, items: Sequence[Queued]) -> list[Event]:
        events: list[Event] = []
        for kind, group in groupby(items, _kind_of):
            if kind is RolesSwapped:
                for _ in group:
                    self.session.swap_roles()
            elif kind is AudioChunk:
                audio = [item for item in group if isinstance(item, AudioChunk | AudioGap)]
                events += self.session.push(audio)
            else:
                for item in group:
                    if isinstance(item, Control):
                        events += self.session.control(item)
        return events


async def _committed(writing: Future[None]) -> None:
    """Wait for the journal; who no longer waits does not take back what is queued."""
    await asyncio.shield(asyncio.wrap_future(writing))


def _kind_of(item: Queued) -> type:
    if isinstance(item, RolesSwapped):
        return RolesSwapped
    return AudioChunk if isinstance(item, AudioChunk | AudioGap) else object


def _now_ms() -> int:
    return round(asyncio.get_running_loop().time() * 1000)
