"""Between the utterances of a call and the recogniser: what was asked, and when answers count.

On the *live* clock an answer counts when it arrives. On the *virtual* clock it counts at the time
it was asked for plus a fixed simulated latency, so each channel's utterances wait for the answers
that are due, and go on without regard to the other channel's. That lets both channels decode at
once, and the front ends hear on meanwhile, without any result depending on how long a decode took.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from asr.jobs import Job, JobKind, JobResult, Transcriber
from asr.settings import AsrSettings
from asr.utterances import UtteranceTracker
from conversation.events import Channel, Event

_GRID_MS = 50
"""Step of the virtual clock, stream time."""
_WAIT_S = 1.0


class Decodes:
    """The jobs of one call, whatever the clock."""

    def __init__(
        self,
        trackers: Mapping[Channel, UtteranceTracker],
        transcriber: Transcriber | None,
    ) -> None:
        self._trackers = trackers
        self._transcriber = transcriber
        self._kinds: dict[str, JobKind] = {}
        self._redecoded = False

    @property
    def waits(self) -> bool:
        """Whether anything is still being decoded."""
        return bool(self._kinds)

    @property
    def waits_for_finals(self) -> bool:
        """Whether finals are still being decoded."""
        return any(kind is not JobKind.PARTIAL for kind in self._kinds.values())

    def redecode(self) -> None:
        """After the last final, decode again what came late, cut or not at all; once."""
        if self._redecoded or self.waits_for_finals:
            return
        self._redecoded = True
        for tracker in self._trackers.values():
            self._submit(tracker.redecode())

    def abandon(self, at_ms: int) -> list[Event]:
        """Give up what has not been answered."""
        self._kinds.clear()
        return [event for tracker in self._trackers.values() for event in tracker.abandon(at_ms)]

    def _submit(self, jobs: Sequence[Job]) -> None:
        if self._transcriber is None:
            return
        for job in jobs:
            self._kinds[job.job_id] = job.kind
            self._transcriber.submit(job)

    def _poll(self, timeout_s: float) -> list[JobResult]:
        """Return the answers to what is still asked."""
        if self._transcriber is None:
            return []
        results = self._transcriber.poll(timeout_s)
        return [result for result in results if result.job_id in self._kinds]

    def _receive(self, result: JobResult, at_ms: int) -> Sequence[Event]:
        del self._kinds[result.job_id]
        return self._trackers[result.channel].receive(result, at_ms)


class LiveDecodes(Decodes):
    """Answers count when they arrive."""

    def advance(self, watermark_ms: int, now_ms: int) -> list[Event]:
        """Ask for what is due by the watermark and return what has been answered, without waiting.

        Args:
            watermark_ms: stream time up to which every channel has been heard.
            now_ms: earliest time that a transcript can still have.
        """
        events: list[Event] = []
        if self._transcriber is None:
            return events
        for tracker in self._trackers.values():
            self._submit(tracker.advance(watermark_ms))
            events += tracker.take_ready(now_ms)
        return events + self.collect(0.0, now_ms)

    def collect(self, timeout_s: float, now_ms: int) -> list[Event]:
        """Return what has been answered, waiting up to `timeout_s` for the first answer."""
        return [
            event for result in self._poll(timeout_s) for event in self._receive(result, now_ms)
        ]

    def finish(self, end_ms: int, now_ms: int) -> list[Event]:
        """Ask for what is open at the end of the audio."""
        events: list[Event] = []
        if self._transcriber is None:
            return events
        for tracker in self._trackers.values():
            self._submit([*tracker.advance(end_ms), *tracker.finish()])
            events += tracker.take_ready(now_ms)
        return events


class VirtualDecodes(Decodes):
    """Answers count at their due time, in due order, however long they took."""

    def __init__(
        self,
        trackers: Mapping[Channel, UtteranceTracker],
        transcriber: Transcriber | None,
        settings: AsrSettings,
    ) -> None:
        super().__init__(trackers, transcriber)
        self._settings = settings
        self._reached_ms = dict.fromkeys(trackers, 0)
        self._due_ms: dict[Channel, dict[str, int]] = {channel: {} for channel in trackers}
        """Waiting jobs of a channel in the order they were asked for, with their due times."""
        self._answers: dict[str, JobResult] = {}

    @property
    def watermark_ms(self) -> int:
        """Stream time up to which no channel will say anything more."""
        due = (due_ms - 1 for waiting in self._due_ms.values() for due_ms in waiting.values())
        return min([*self._reached_ms.values(), *due])

    def advance(self, watermark_ms: int, *, look_ahead_ms: int) -> list[Event]:
        """Step every channel towards the watermark, as far as its answers allow.

        Waits for answers only while a channel is more than `look_ahead_ms` behind.
        """
        end_ms = watermark_ms - watermark_ms % _GRID_MS
        events = self._step_all(end_ms, wait_s=0.0)
        while min(self._reached_ms.values()) < end_ms - look_ahead_ms:
            events += self._step_all(end_ms, wait_s=_WAIT_S)
        return events

    def finish(self, end_ms: int) -> list[Event]:
        """Step to the end of the audio and ask for what is open there."""
        events = self.advance(end_ms, look_ahead_ms=0)
        for channel, tracker in self._trackers.items():
            self._submit([*tracker.advance(end_ms), *tracker.finish()])
            events += tracker.take_ready(self._reached_ms[channel])
        return events

    def drain(self) -> list[Event]:
        """Wait for everything, the second decoding included."""
        events = self._take_all()
        self.redecode()
        return events + self._take_all()

    def _submit(self, jobs: Sequence[Job]) -> None:
        super()._submit(jobs)
        for job in jobs:
            if job.job_id in self._kinds:
                due_ms = self._reached_ms[job.channel] + self._latency_ms(job.kind)
                self._due_ms[job.channel][job.job_id] = due_ms

    def _latency_ms(self, kind: JobKind) -> int:
        if kind is JobKind.PARTIAL:
            return self._settings.simulated_partial_latency_ms
        return self._settings.simulated_final_latency_ms

    def _step_all(self, end_ms: int, *, wait_s: float) -> list[Event]:
        self._collect(wait_s)
        return [event for channel in self._trackers for event in self._step(channel, end_ms)]

    def _step(self, channel: Channel, end_ms: int) -> list[Event]:
        """Step one channel in fixed steps up to `end_ms`, or to the first answer it lacks."""
        tracker = self._trackers[channel]
        events: list[Event] = []
        while (now_ms := self._reached_ms[channel] + _GRID_MS) <= end_ms:
            due = self._due(channel, now_ms)
            if any(job_id not in self._answers for job_id in due):
                return events
            self._reached_ms[channel] = now_ms
            events += self._take(channel, due)
            self._submit(tracker.advance(now_ms))
            events += tracker.take_ready(now_ms)
        return events

    def _due(self, channel: Channel, at_ms: int) -> list[str]:
        """Return what counts by `at_ms`, in due order."""
        waiting = sorted((due_ms, job_id) for job_id, due_ms in self._due_ms[channel].items())
        return [job_id for due_ms, job_id in waiting if due_ms <= at_ms]

    def _take(self, channel: Channel, due: Sequence[str]) -> list[Event]:
        events: list[Event] = []
        for job_id in due:
            at_ms = self._due_ms[channel].pop(job_id)
            events += self._receive(self._answers.pop(job_id), at_ms)
        return events

    def _take_all(self) -> list[Event]:
        events: list[Event] = []
        for channel, waiting in self._due_ms.items():
            while waiting:
                due = self._due(channel, max(waiting.values()))
                while any(job_id not in self._answers for job_id in due):
                    self._collect(_WAIT_S)
                events += self._take(channel, due)
        return events

    def _collect(self, timeout_s: float) -> None:
        if self._kinds.keys() == self._answers.keys():
            return
        self._answers |= {result.job_id: result for result in self._poll(timeout_s)}
