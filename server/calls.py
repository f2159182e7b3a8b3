"""All live calls of this process: who may open one, and which stream belongs to which."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any

from conversation.events import CallEnded
from server.adapters.contract import CallOpened, IngestError, Item, call_id_of
from server.adapters.settings import IngestSettings
from server.expected import ExpectedCalls
from server.experiment import arm_of
from server.hearing import Hearing, read_hotwords
from server.hub import LiveCall
from server.ingest import IngestDecoder, Start
from server.mutes import muted_rules
from server.people.roles import Whose
from server.rules_folder import RuleSource
from server.running_call import GRACE_S, RunningCall, Source
from server.session import open_session
from server.store import CallIdTaken, Journal


class Calls:
    """All calls of this process."""

    def __init__(
        self, hearing: Hearing, journal: Journal, ingest: IngestSettings | None = None
    ) -> None:
        self._hearing = hearing
        self.journal = journal
        self.ingest = ingest or IngestSettings()
        self.expected = ExpectedCalls()
        self.running: dict[str, RunningCall] = {}
        self.draining = False
        self._by_vendor_id: dict[tuple[str, str], str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._analysis_thread = ThreadPoolExecutor(1, thread_name_prefix="analysis")

    @property
    def ready(self) -> bool:
        """Whether a call that comes in now would be heard in full."""
        pool = self._hearing.pool
        return not self.draining and (pool is None or pool.ready)

    @property
    def rule_source(self) -> RuleSource:
        """What new calls take their cue rules from."""
        return self._hearing.rules

    @property
    def disabled_rules(self) -> frozenset[str]:
        """Rules that the settings switch off."""
        return frozenset(self._hearing.settings.conversation.disabled_rules)

    async def attach(self, start: Start, source: Source) -> tuple[RunningCall, int, Sequence[Item]]:
        """Open a native call, or let its source go on with it over another socket.

        Returns:
            The call, its epoch, and the gap between the two sockets if there is one.

        Raises:
            IngestError: `call_ended`, `unknown_call`, `format_changed`, `bad_start`, `draining`
                or `overloaded`.
        """
        call = self.running.get(start.call_id or "")
        if call is not None and not call.over:
            if call.decoder is None:
                raise IngestError("call_ended", 4410, "This call_id belongs to another source.")
            items = call.decoder.resume(start)
            return call, await call.attach(source), items
        if start.resume_from_ms is not None:
            await self._refuse_to_resume(start.call_id or "")
        call = self._open(
            start.call_id,
            CallOpened(
                source="ingest",
                channels=start.channels,
                sample_rate_hz=start.sample_rate,
                vendor_id=start.metadata.get("vendor_id"),
                agent=start.agent,
                metadata=start.metadata,
            ),
            IngestDecoder(start),
        )
        return call, await call.attach(source), ()

    async def _refuse_to_resume(self, call_id: str) -> None:
        events = await asyncio.to_thread(self.journal.events, call_id)
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
        call = self._call_of(opened)
        if call is None:
            call_id = call_id_of(opened.vendor_id)
            if call_id is not None and self.journal.has_call(call_id):
                call_id = None
            call = self._open(call_id, opened)
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
        self, wanted_id: str | None, opened: CallOpened, decoder: IngestDecoder | None = None
    ) -> RunningCall:
        if self.draining:
            raise IngestError("draining", 1012, "This server is being restarted; come back soon.")
        if len(self.running) >= self.ingest.max_calls:
            raise IngestError(
                "overloaded",
                4503,
                "This server has no room for another call.",
                retry_after_ms=5_000,
            )
        call_id = wanted_id or f"c_{secrets.token_hex(8)}"
        now = datetime.now(UTC).astimezone()
        started_at = now.isoformat(timespec="seconds")
        try:
            self.journal.open_call(
                call_id,
                started_at,
                opened.agent,
                team=opened.metadata.get("team"),
                customer=opened.metadata.get("caller"),
            )
        except CallIdTaken as error:
            raise IngestError("call_ended", 4410, "This call_id was used before.") from error
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
            muted_rules=muted_rules(self.journal, opened.agent, now),
        )
        whose = Whose(agent=opened.agent, team=opened.metadata.get("team"))
        call = RunningCall(session, LiveCall(call_id), self.journal, decoder, whose=whose)
        self.running[call_id] = call
        task = asyncio.ensure_future(call.run(self._analysis_thread))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(partial(self._forget, call_id))
        return call

    def _forget(self, call_id: str, _: Any) -> None:
        self.running.pop(call_id, None)
        gone = [key for key, known in self._by_vendor_id.items() if known == call_id]
        for key in gone:
            del self._by_vendor_id[key]

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

    async def drain(self) -> None:
        """Take no more calls and send the sockets of those there are away."""
        self.draining = True
        for call in list(self.running.values()):
            await call.drain()

    async def stop(self) -> None:
        """End every call in order, as when the server stops."""
        for call in list(self.running.values()):
            await call.end("server_stopped")

    def close(self) -> None:
        """End the analysis thread."""
        self._analysis_thread.shutdown()


__all__ = ["GRACE_S", "Calls", "RunningCall"]
