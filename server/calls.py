"""All live calls of this process: who may open one, and which stream belongs to which."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Coroutine, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from prometheus_client.core import Metric

from conversation.events import CallEnded, Channel
from conversation.settings import ConversationSettings
from reports.model import PRACTICE_SOURCE
from server.adapters.contract import CallOpened, IngestError, Item, call_id_of
from server.adapters.settings import IngestSettings
from server.analysis import MANY_CALLS, Analysis, Wakeups
from server.expected import ExpectedCalls
from server.experiment import arm_of
from server.hearing import Hearing, read_hotwords
from server.hub import LiveCall
from server.ingest import IngestDecoder, Start
from server.memory import memory_share
from server.metrics import Metrics, gauge, gauges
from server.mutes import muted_rules
from server.opening import open_session, reopen_session
from server.people.roles import Whose
from server.people.tenants import DEFAULT_TENANT, own_call_id
from server.resume import heard_again_from_ms
from server.rules_folder import RuleSource
from server.running_call import GRACE_S, RunningCall, Source
from server.session import LOOKED_BACK_AT, CallSession
from server.shed import LEVELS, RETRY_AFTER_MS, ShedLadder, Signals, percentile_95, watch
from server.store import CallSource, Journal, Unfinished
from server.store.practice import practice_of

_LOG = logging.getLogger("heartline.calls")


class Calls:
    """All calls of this process."""

    def __init__(
        self,
        hearing: Hearing,
        journal: Journal,
        ingest: IngestSettings | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._hearing = hearing
        self.metrics = metrics or Metrics()
        self.metrics.watch(self._measures)
        self.journal = journal
        """The default tenant's record; that of another comes from it."""
        self.journal.gather_while(lambda: len(self.running) >= MANY_CALLS)
        self.ingest = ingest or IngestSettings()
        self.expected = ExpectedCalls()
        self.running: dict[str, RunningCall] = {}
        self.draining = False
        self._unfinished: dict[str, Unfinished] = {}
        """Calls of a process that died, until this one has taken them up."""
        self._taking_up = asyncio.Lock()
        self._by_vendor_id: dict[tuple[str, str], str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._shed = ShedLadder()
        self._analysis = Analysis(hearing.score, lambda: len(self.running), self.journal.flush)
        self._wakeups: Wakeups | None = None

    def analysis_stuck_s(self) -> float:
        """Return for how long the analysis has been at one piece of work, 0 when at none."""
        return self._analysis.stuck_s()

    @property
    def ready(self) -> bool:
        """Whether a call that comes in now would be heard in full."""
        pool = self._hearing.pool
        return not self.draining and not self.overloaded and (pool is None or pool.ready)

    @property
    def overloaded(self) -> bool:
        """Whether no further call is taken, since the analysis is far behind."""
        return self._shed.level >= LEVELS[-1]

    async def watch_load(self) -> None:
        """Leave out work for ever while the analysis is behind."""
        await watch(self._shed, self._signals, self._apply_level)

    def _signals(self, now_s: float) -> Signals:
        waiting = [call.waiting_s(now_s) for call in self.running.values()]
        lags = [*self.metrics.lags_of_late(now_s), *waiting]
        return Signals(lag_s=percentile_95(lags), memory_share=memory_share())

    def _apply_level(self, level: int) -> None:
        self._hearing.shed_level = level
        if self._hearing.pool is not None:
            self._hearing.pool.analysis_sheds = level > 0

    def _measures(self) -> Iterator[Metric]:
        """Return what is to be seen of the calls at this moment."""
        sources = Counter(call.session.started.source for call in list(self.running.values()))
        yield gauges("calls_active", "Calls that are live.", "adapter", dict(sources))
        shown = sum(call.live.dashboards for call in list(self.running.values()))
        dashboards = {"call": shown, "wall": self.metrics.walls}
        yield gauges("dashboards", "Open event sockets.", "kind", dashboards)
        pool = self._hearing.pool
        recognition = 0 if pool is None else pool.advice("", Channel.AGENT).level
        level = max(self._shed.level, recognition)
        yield gauge("shed_level", "What is left out: 1 to 3 words, 4 pitch, 5 new calls.", level)
        if pool is not None:
            yield gauge("asr_jobs", "Decodes that wait or run.", pool.pending)
            yield gauge("asr_workers", "Recogniser processes.", len(pool.pids))

    @property
    def conversation_settings(self) -> ConversationSettings:
        """What the core of a call that starts now is set to."""
        return self._hearing.settings.conversation

    @property
    def rule_source(self) -> RuleSource:
        """What new calls take their cue rules from."""
        return self._hearing.rules

    @property
    def disabled_rules(self) -> frozenset[str]:
        """Rules that the settings switch off."""
        return frozenset(self._hearing.settings.conversation.disabled_rules)

    async def attach(
        self, start: Start, source: Source, tenant: str = DEFAULT_TENANT
    ) -> tuple[RunningCall, int, Sequence[Item]]:
        """Open a tenant's native call, or let its source go on with it over another socket.

        Returns:
            The call, its epoch, and the gap between the two sockets if there is one.

        Raises:
            IngestError: `call_ended`, `unknown_call`, `format_changed`, `bad_start`, `draining`
                or `overloaded`.
        """
        journal, wanted_id = self.journal.of(tenant), _own_id(tenant, start.call_id)
        call = await self._known(wanted_id)
        if call is not None and not call.over:
            if not call.native:
                raise IngestError("call_ended", 4410, "This call_id belongs to another source.")
            items = await self._go_on(call, start)
            return call, await call.attach(source), items
        if start.resume_from_ms is not None:
            await self._refuse_to_resume(journal, wanted_id or "")
        practised, muted = await asyncio.to_thread(
            lambda: (
                practice_of(journal.engine, wanted_id or ""),
                muted_rules(journal, start.agent, datetime.now(UTC)),
            )
        )
        metadata = {k: v for k, v in start.metadata.items() if practised is None or k != "team"}
        call = self._open(
            journal,
            wanted_id,
            CallOpened(
                source="ingest" if practised is None else PRACTICE_SOURCE,
                channels=start.channels,
                sample_rate_hz=start.sample_rate,
                vendor_id=start.metadata.get("vendor_id"),
                agent=start.agent,
                metadata=metadata,
            ),
            muted,
            IngestDecoder(start),
        )
        return call, await call.attach(source), ()

    async def _go_on(self, call: RunningCall, start: Start) -> Sequence[Item]:
        """Let a source go on; after a restart what it sends again refills what was open."""
        if call.decoder is not None:
            return call.decoder.resume(start)
        start.check_format(call.source)
        heard_ms = call.session.position_ms
        from_ms = heard_again_from_ms(heard_ms, start.resume_from_ms)
        decoder = IngestDecoder(start)
        decoder.begin_at(from_ms)
        items = decoder.resume(start)
        if call.session.paused:
            decoder.pause_here(round(asyncio.get_running_loop().time() * 1000))
        call.decoder = decoder
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._analysis.thread, call.session.hear_from, from_ms)
        return items

    async def take_up(self) -> None:
        """Go on with the calls that were live when their process died; sources may come back."""
        self._unfinished = {c.call_id: c for c in await asyncio.to_thread(self.journal.unfinished)}
        self._start(self._take_up_all())

    async def _take_up_all(self) -> None:
        for call_id in list(self._unfinished):
            await self._known(call_id)

    async def _known(self, call_id: str | None) -> RunningCall | None:
        """Return a live call, also one whose process died."""
        if call_id not in self._unfinished:
            return self.running.get(call_id or "")
        async with self._taking_up:
            unfinished = self._unfinished.get(call_id)
            if unfinished is not None:
                await self._take_up(unfinished)
                del self._unfinished[call_id]
        return self.running.get(call_id)

    async def _take_up(self, unfinished: Unfinished) -> None:
        call_id, journal = unfinished.call_id, self.journal.of(unfinished.tenant)
        try:
            session, live, seq = await asyncio.to_thread(self._reopen, unfinished, journal)
        except Exception as error:
            # What was said may stand in the message, so only the kind is logged.
            _LOG.error("call %s cannot go on: %s", call_id, type(error).__name__)
            await asyncio.to_thread(journal.end_call, call_id, unfinished.mark.position_ms)
            return
        whose = Whose(agent=unfinished.agent, team=unfinished.team, tenant=unfinished.tenant)
        call = RunningCall(
            session,
            live,
            journal,
            source=unfinished.source,
            whose=whose,
            meter=self.metrics.call(session.started.source),
        )
        age_ms = round(datetime.now(UTC).timestamp() * 1000) - unfinished.started_ms
        call.take_up(unfinished, seq, age_ms)
        started = session.started
        if started.vendor_id is not None:
            self._by_vendor_id[started.source, started.vendor_id] = call_id
        self._run(call)

    def _reopen(
        self, unfinished: Unfinished, journal: Journal
    ) -> tuple[CallSession, LiveCall, int]:
        events = journal.events(unfinished.call_id)
        if any(isinstance(event, CallEnded) for event in events):
            raise ValueError("This call has been ended.")
        session = reopen_session(
            events,
            unfinished.source.sample_rate_hz,
            self._hearing,
            unfinished.mark.position_ms,
            partial(journal.events, unfinished.call_id, types=LOOKED_BACK_AT),
        )
        live = LiveCall(unfinished.call_id)
        live.publish(events, session.position_ms)
        return session, live, len(events)

    async def _refuse_to_resume(self, journal: Journal, call_id: str) -> None:
        events = await asyncio.to_thread(journal.events, call_id)
        ended = [event.reason for event in events if isinstance(event, CallEnded)]
        if ended and ended[-1] != "source_lost":
            raise IngestError("call_ended", 4410, "This call was ended and cannot go on.")
        raise IngestError("unknown_call", 4404, "There is no such call to go on with.")

    async def attach_stream(self, opened: CallOpened, source: Source) -> tuple[RunningCall, int]:
        """Open a call for a telephony system's stream, or join it to the call it belongs to.

        Returns:
            The call, and the stream's epoch.

        Raises:
            IngestError: `unsupported_format`, `draining` or `overloaded`.
        """
        call_id = call_id_of(opened.vendor_id)
        await self._known(call_id)
        call = self._call_of(opened)
        if call is None:
            taken, muted = await asyncio.to_thread(
                lambda: (
                    self.journal.has_call(call_id or ""),
                    muted_rules(self.journal, opened.agent, datetime.now(UTC)),
                )
            )
            call = self._call_of(opened)  # another of its streams may have opened it meanwhile
        if call is None:
            call_id = None if taken or call_id in self.running else call_id
            call = self._open(self.journal, call_id, opened, muted)
        elif call.session.sample_rate_hz != opened.sample_rate_hz:
            raise IngestError(
                "unsupported_format", 4415, "All streams of a call must have one sample rate."
            )
        for name in (opened.vendor_id, *opened.continues):
            if name is not None:
                self._by_vendor_id[opened.source, name] = call.live.call_id
        return call, await call.attach(source, opened.channels)

    def _call_of(self, opened: CallOpened) -> RunningCall | None:
        for name in (opened.vendor_id, *opened.continues):
            call = self.running.get(self._by_vendor_id.get((opened.source, name or ""), ""))
            if call is not None and not call.over and set(opened.channels) <= set(call.channels):
                return call
        return None

    def _open(
        self,
        journal: Journal,
        wanted_id: str | None,
        opened: CallOpened,
        muted: tuple[str, ...],
        decoder: IngestDecoder | None = None,
    ) -> RunningCall:
        if self.draining:
            raise IngestError("draining", 1012, "This server is being restarted; come back soon.")
        if self.overloaded or len(self.running) >= self.ingest.max_calls:
            raise IngestError(
                "overloaded",
                4503,
                "This server has no room for another call.",
                retry_after_ms=RETRY_AFTER_MS,
            )
        call_id = wanted_id or own_call_id(journal.tenant, f"c_{secrets.token_hex(8)}")
        started_at = datetime.now(UTC).astimezone().isoformat(timespec="seconds")
        source = CallSource(sample_rate_hz=opened.sample_rate_hz)
        if decoder is not None:
            source = decoder.start.format
        if call_id in self.running:
            raise IngestError("call_ended", 4410, "This call_id was used before.")
        opening = journal.begin_call(
            call_id,
            started_at,
            opened.agent,
            team=opened.metadata.get("team"),
            customer=opened.metadata.get("caller"),
            source=source,
        )
        session = open_session(
            call_id=call_id,
            channels=opened.call_channels or opened.channels,
            sample_rate_hz=opened.sample_rate_hz,
            source=opened.source,
            started_at=started_at,
            hearing=self._hearing,
            agent=opened.agent,
            vendor_id=opened.vendor_id,
            roles=opened.roles,
            metadata=opened.metadata,
            hotwords=read_hotwords(opened.metadata),
            arm=arm_of(self._hearing.settings.experiment, call_id, opened.agent),
            muted_rules=muted,
            journal=partial(journal.events, call_id, types=LOOKED_BACK_AT),
        )
        team = opened.metadata.get("team")
        whose = Whose(agent=opened.agent, team=team, tenant=journal.tenant)
        call = RunningCall(
            session,
            LiveCall(call_id),
            journal,
            decoder,
            source=source,
            whose=whose,
            meter=self.metrics.call(opened.source),
            opening=opening,
        )
        self._run(call)
        return call

    def _run(self, call: RunningCall) -> None:
        call_id = call.live.call_id
        self.running[call_id] = call
        if self._wakeups is None:
            self._wakeups = Wakeups(asyncio.get_running_loop())
        task = self._start(call.run(self._analysis, self._wakeups))
        task.add_done_callback(partial(self._forget, call_id))

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _forget(self, call_id: str, _: Any) -> None:
        self.running.pop(call_id, None)
        gone = [key for key, known in self._by_vendor_id.items() if known == call_id]
        for key in gone:
            del self._by_vendor_id[key]

    async def find(self, call_id: str, journal: Journal) -> LiveCall | None:
        """Return what dashboards see of a tenant's call, also of one that ended before."""
        running = await self._known(call_id)
        if running is not None and running.whose.tenant == journal.tenant and running.entered:
            return running.live
        events = await asyncio.to_thread(journal.events, call_id)
        if not events:
            return None
        live = LiveCall(call_id)
        live.publish(events, events[-1].at_ms)
        live.finish()
        return live

    async def drain(self, wait_s: float = 0.0) -> None:
        """Take no more calls, and send away the sockets of those there are.

        Calls that cannot go on in the next process have `wait_s` to end by themselves.
        """
        self.draining = True
        for call in list(self.running.values()):
            await call.drain()
        ends = [asyncio.ensure_future(c.ended()) for c in self.running.values() if not c.native]
        if ends:
            await asyncio.wait(ends, timeout=wait_s)

    async def stop(self) -> None:
        """End every call in order, but leave those to the next process that can go on there."""
        for call in list(self.running.values()):
            await (call.park() if call.native else call.end("server_stopped"))

    def close(self) -> None:
        """End the analysis."""
        self._analysis.close()


def _own_id(tenant: str, call_id: str | None) -> str | None:
    try:
        return None if call_id is None else own_call_id(tenant, call_id)
    except ValueError as error:
        raise IngestError("bad_start", 4400, str(error)) from error


__all__ = ["GRACE_S", "Calls", "RunningCall"]
