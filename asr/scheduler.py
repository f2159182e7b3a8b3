"""Which decode runs next, for all calls of a process: a pure state machine.

Time comes in with every call and is any clock in milliseconds; what jobs cost is measured by who
runs them. Rules (`streaming-asr.md` section 6):

1. Finals before speculative finals, those before partials that an overlap asks for (at most two
   a second), those before other partials, those before decodes after a call. Across calls.
2. One waiting partial per channel, the newest wins; one that waited 1.5 s is dropped. While a
   partial of a channel is being decoded no other of it begins.
3. Among partials the one whose channel has waited longest goes first, customers weighing 1.2.
4. The hop a channel is advised is at least 1.5 times what its last partial took.
5. While workers are busy the context of finals is bounded, so that no block is long.
6. Eight finals wait per call, 64 in all; beyond that the oldest is answered as `skipped`.
7. Jobs of a virtual clock (`patient`) are decoded as asked, in order, whatever the load.
"""

from __future__ import annotations

import math
from collections import Counter, deque

import msgspec

from asr.jobs import Advice, Job, JobKind, JobResult, call_of, unanswered
from asr.ladder import Ladder, Load
from asr.merging import FULL_CONTEXT_FRAMES, merge, split
from asr.settings import AsrSettings
from conversation.events import Channel

_BUSY_MEAN_MS = 5_000
_AGES_KEPT_MS = 5_000
_BOUNDS_MS = (50, 100, 200, 300, 500, 700, 1_000, 1_500, 2_000, 5_000, 10_000)


class Histogram:
    """Counts of times per bucket; the last bucket is everything longer."""

    def __init__(self) -> None:
        self.counts = [0] * (len(_BOUNDS_MS) + 1)

    def add(self, time_ms: float) -> None:
        """Count one."""
        self.counts[sum(time_ms > bound for bound in _BOUNDS_MS)] += 1


class _Waiting(msgspec.Struct):
    job: Job
    since_ms: int
    """When its channel began to wait, also for a partial that was replaced meanwhile."""
    asked_ms: int


class Lease(msgspec.Struct, frozen=True):
    """A decode handed to a worker."""

    job: Job
    parts: tuple[Job, ...]
    """The submitted jobs that it answers: one, or several merged ones."""
    asked_ms: int
    began_ms: int


class Scheduler:
    """Queues of one recogniser; every submitted job is answered exactly once."""

    def __init__(self, settings: AsrSettings, workers: int, partial_cost_ms: float = 0.0) -> None:
        self._settings = settings
        self._workers = max(1, workers)
        self._ladder = Ladder(settings)
        self._finals: deque[_Waiting] = deque()
        self._speculative: deque[_Waiting] = deque()
        self._partials: dict[tuple[str, Channel], _Waiting] = {}
        self._later: deque[_Waiting] = deque()
        self._running: Counter[tuple[str, Channel]] = Counter()
        """Partials being decoded, by channel."""
        self._cost_ms: dict[tuple[str, Channel], float] = {}
        self._first_cost_ms = partial_cost_ms
        self._in_use = 0
        self._busy = 0.0
        self._busy_at_ms: int | None = None
        self._ages: deque[tuple[int, float]] = deque()
        self._hints: deque[int] = deque()
        self._answers: list[JobResult] = []
        self.available = True
        """Whether any worker lives; while none does finals fail at once."""
        self.analysis_sheds = False
        """Whether what hears and cues is behind."""
        self.waits: dict[JobKind, Histogram] = {kind: Histogram() for kind in JobKind}
        self.runs: dict[JobKind, Histogram] = {kind: Histogram() for kind in JobKind}
        self.skipped_ms = 0
        """Speech of spans that were skipped."""

    # ------------------------------------------------------------------ jobs

    def submit(self, job: Job, now_ms: int) -> None:
        """Queue a job; answers that follow from it are in `take_answers`."""
        if not self.available:
            self._answers.append(unanswered(job, "failed"))
            return
        waiting = _Waiting(job, now_ms, now_ms)
        if not job.patient:
            self._drop_speculation(job)
        if job.kind is JobKind.PARTIAL:
            self._queue_partial(waiting)
        elif job.kind is JobKind.SPECULATIVE:
            self._speculative.append(waiting)
        elif job.kind is JobKind.REDECODE:
            self._later.append(waiting)
        elif not job.patient and not self._ladder.decodes_final(job.hinted):
            self._skip(job)
        else:
            self._finals.append(waiting)
            self._bound_finals(call_of(job))

    def next(self, now_ms: int) -> Lease | None:
        """Hand out the decode that is due first; None when nothing waits that may begin."""
        self._measure(now_ms)
        self._drop_stale(now_ms)
        for queue in (self._finals, self._speculative):
            if queue:
                return self._begin(queue.popleft(), now_ms)
        partial = self._next_partial(now_ms)
        if partial is not None:
            return self._begin(partial, now_ms)
        return self._begin(self._later.popleft(), now_ms) if self._later else None

    def finish(self, lease: Lease, result: JobResult, now_ms: int) -> None:
        """Take the answer of a decode that was handed out."""
        self._end(lease, now_ms)
        self.runs[lease.job.kind].add(now_ms - lease.began_ms)
        if lease.job.kind is JobKind.PARTIAL and not lease.job.patient:
            key = (call_of(lease.job), lease.job.channel)
            self._cost_ms[key] = now_ms - lease.began_ms
            self._ages.append((now_ms, now_ms - lease.asked_ms))
        if result.error is None and len(lease.parts) > 1:
            self._answers += split(result, lease.parts)
        else:
            self._answers += [
                msgspec.structs.replace(
                    result, job_id=part.job_id, kind=part.kind, utterance_id=part.utterance_id
                )
                for part in lease.parts
            ]

    def retry(self, lease: Lease, now_ms: int) -> None:
        """Queue a decode once more whose worker died: in front, greedy and with least context."""
        self._end(lease, now_ms)
        for part in reversed(lease.parts):
            job = part
            if not part.patient:
                floor = self._settings.context_floor_frames
                job = msgspec.structs.replace(part, most_frames=floor, beam=1)
            waiting = _Waiting(job, now_ms, lease.asked_ms)
            queue = {JobKind.FINAL: self._finals, JobKind.REDECODE: self._later}.get(
                job.kind, self._speculative
            )
            queue.appendleft(waiting)

    def fail_all(self) -> None:
        """Answer everything that waits as failed, as when no worker can be had."""
        queues = (self._finals, self._speculative, self._partials.values(), self._later)
        for waiting in [w for queue in queues for w in queue]:
            self._answers.append(unanswered(waiting.job, "failed"))
        self._finals.clear()
        self._speculative.clear()
        self._partials.clear()
        self._later.clear()

    def take_answers(self) -> list[JobResult]:
        """Return the answers that are there."""
        answers, self._answers = self._answers, []
        return answers

    @property
    def waiting(self) -> int:
        """Jobs that wait for a worker."""
        queues = (self._finals, self._speculative, self._partials, self._later)
        return sum(len(queue) for queue in queues)

    # ------------------------------------------------------------------ advice

    def tick(self, now_ms: int) -> bool:
        """Measure the load and move on the ladder; return whether its rung changed."""
        self._measure(now_ms)
        return self._ladder.update(self.load(now_ms), now_ms)

    def load(self, now_ms: int) -> Load:
        """Return the present load."""
        while self._ages and self._ages[0][0] < now_ms - _AGES_KEPT_MS:
            self._ages.popleft()
        ages = sorted(age for _, age in self._ages)
        partial_age = ages[math.ceil(0.95 * len(ages)) - 1] if ages else 0.0
        waits = [now_ms - w.asked_ms for w in self._partials.values() if not w.job.patient]
        oldest = min((w.asked_ms for w in self._finals if not w.job.patient), default=now_ms)
        return Load(
            busy_share=self._busy,
            partial_age_ms=max([partial_age, *waits]),
            queue_age_ms=now_ms - oldest,
            analysis_sheds=self.analysis_sheds,
        )

    def advice(self, call_id: str, channel: Channel) -> Advice:
        """Return what one channel may ask for."""
        settings = self._settings
        cost_ms = self._cost_ms.get((call_id, channel), self._first_cost_ms)
        hop_ms = max(settings.hop_ms, round(settings.hop_per_cost * cost_ms))
        return Advice(
            level=self._ladder.level,
            step=self._ladder.rung,
            hop_ms=min(settings.longest_hop_ms, hop_ms * self._ladder.hop_factor),
            partials=self._ladder.partials,
            hinted=self._ladder.hinted_partials,
            available=self.available,
        )

    def forget(self, call_id: str) -> None:
        """Drop what is known of a call that is over."""
        for channel in Channel:
            self._cost_ms.pop((call_id, channel), None)

    # ------------------------------------------------------------------ inside

    def _queue_partial(self, waiting: _Waiting) -> None:
        key = (call_of(waiting.job), waiting.job.channel)
        replaced = None if waiting.job.patient else self._partials.pop(key, None)
        if replaced is not None:
            waiting.since_ms = replaced.since_ms
            self._answers.append(unanswered(replaced.job, "superseded"))
        if waiting.job.patient:
            self._speculative.append(waiting)
        else:
            self._partials[key] = waiting

    def _drop_speculation(self, job: Job) -> None:
        """A newer job of the same utterance makes a waiting speculative one worthless."""
        for waiting in self._speculative:
            old = waiting.job
            if (
                not old.patient
                and old.utterance_id == job.utterance_id
                and call_of(old) == call_of(job)
            ):
                self._speculative.remove(waiting)
                self._answers.append(unanswered(old, "superseded"))
                return

    def _bound_finals(self, call_id: str) -> None:
        mine = [w for w in self._finals if not w.job.patient and call_of(w.job) == call_id]
        if len(mine) > self._settings.finals_per_call:
            self._finals.remove(mine[0])
            self._skip(mine[0].job)
        everyone = [w for w in self._finals if not w.job.patient]
        if len(everyone) > self._settings.finals_waiting:
            self._finals.remove(everyone[0])
            self._skip(everyone[0].job)

    def _skip(self, job: Job) -> None:
        self.skipped_ms += job.speech_ms
        self._answers.append(unanswered(job, "skipped"))

    def _drop_stale(self, now_ms: int) -> None:
        for key, waiting in list(self._partials.items()):
            if now_ms - waiting.asked_ms > self._settings.partial_stale_ms:
                del self._partials[key]
                self._ages.append((now_ms, now_ms - waiting.asked_ms))
                self._answers.append(unanswered(waiting.job, "superseded"))

    def _next_partial(self, now_ms: int) -> _Waiting | None:
        free = {key: w for key, w in self._partials.items() if not self._running[key]}
        if not free:
            return None
        while self._hints and self._hints[0] <= now_ms - 1_000:
            self._hints.popleft()
        hints_left = len(self._hints) < self._settings.hints_per_s

        def precedence(key: tuple[str, Channel]) -> tuple[bool, float]:
            weight = self._settings.customer_weight if key[1] is Channel.CUSTOMER else 1.0
            return free[key].job.hinted and hints_left, (now_ms - free[key].since_ms) * weight

        first = max(free, key=precedence)
        if free[first].job.hinted and hints_left:
            self._hints.append(now_ms)
        return self._partials.pop(first)

    def _begin(self, waiting: _Waiting, now_ms: int) -> Lease:
        parts: tuple[Job, ...] = (waiting.job,)
        mergeable = waiting.job.kind is JobKind.FINAL and not waiting.job.patient
        if mergeable and self._ladder.merges:
            parts = self._neighbours(waiting.job)
        job = merge(parts) if len(parts) > 1 else self._bounded(waiting.job)
        self.waits[job.kind].add(now_ms - waiting.asked_ms)
        self._in_use += 1
        if job.kind is JobKind.PARTIAL:
            self._running[(call_of(job), job.channel)] += 1
        return Lease(job, parts, waiting.asked_ms, now_ms)

    def _neighbours(self, job: Job) -> tuple[Job, ...]:
        """Take the finals out of the queue that fit into one decode with `job`."""
        parts = [job]
        for waiting in list(self._finals):
            other = waiting.job
            if (
                other.patient
                or call_of(other) != call_of(job)
                or other.channel is not job.channel
                or other.start_ms < parts[-1].start_ms
                or other.audio_end_ms <= parts[-1].audio_end_ms
            ):
                continue
            if other.audio_end_ms - job.start_ms > self._settings.merged_audio_ms:
                break
            self._finals.remove(waiting)
            parts.append(other)
        return tuple(parts)

    def _bounded(self, job: Job) -> Job:
        """Settle context, beam and alignment of a final by the load."""
        if job.kind not in (JobKind.FINAL, JobKind.SPECULATIVE):
            return job
        settings = self._settings
        changes: dict[str, int | bool] = {}
        idle = job.patient or self._busy < settings.busy_share_for_full_context
        if settings.finals_full_context and idle and job.least_frames is None:
            changes["least_frames"] = FULL_CONTEXT_FRAMES
        if not idle:
            changes["most_frames"] = settings.busy_context_frames
        if not job.patient:
            if self._ladder.bounds_finals:
                changes |= {"beam": 1, "most_frames": settings.busy_context_frames}
            if not self._ladder.aligns_all and not job.hinted:
                changes["align"] = False
        return msgspec.structs.replace(job, **changes) if changes else job

    def _end(self, lease: Lease, now_ms: int) -> None:
        self._measure(now_ms)
        self._in_use -= 1
        if lease.job.kind is JobKind.PARTIAL:
            key = (call_of(lease.job), lease.job.channel)
            self._running[key] -= 1
            if not self._running[key]:
                del self._running[key]

    def _measure(self, now_ms: int) -> None:
        """Bring the mean share of busy workers up to now; call before it changes."""
        if self._busy_at_ms is not None and now_ms > self._busy_at_ms:
            keep = math.exp((self._busy_at_ms - now_ms) / _BUSY_MEAN_MS)
            self._busy = keep * self._busy + (1 - keep) * min(1.0, self._in_use / self._workers)
        self._busy_at_ms = now_ms
