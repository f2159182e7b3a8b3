"""Supervised worker processes: what runs when is the scheduler's, that it runs is theirs.

A worker that dies, hangs or eats the memory is replaced and its decode tried once more, cheaper;
the second failure is an answer with `error="failed"`, and the same audio is not tried again. Five
deaths within a minute make recognition unavailable: what waits and what comes is answered as
failed at once, and another start is tried every 30 s. `streaming-asr.md` section 8.
"""

from __future__ import annotations

import hashlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import msgspec

from asr.calibration import Layout, choose_layout
from asr.errors import AsrError, ModelCorrupt, ModelMissing, RecogniserDown
from asr.jobs import Advice, Job, JobKind, JobResult, unanswered
from asr.scheduler import Lease, Scheduler
from asr.settings import AsrSettings
from asr.worker import Hello, memory_mib, read_message, write_message
from conversation.events import Channel

_WATCH_S = 0.25
"""Longest that a worker's death goes unnoticed; also the step of the ladder."""
_FIRST_BACKOFF_S, _LONGEST_BACKOFF_S = 0.2, 10.0
_DUMP_S = 0.5
"""Between the stack dump of a hanging worker and its end."""
_DEATHS_WINDOW_S = 60.0
_PATIENCE = 6
"""By how much the deadline of a job is longer that no live call waits for."""
_QUARANTINED = 256
_ERRORS: dict[str | None, type[AsrError]] = {
    error.code: error for error in (ModelCorrupt, ModelMissing)
}


class _Deadline(msgspec.Struct):
    at_s: float
    dumped: bool = False


class WorkerPool:
    """`Transcriber` over child processes; `start()` before use, `close()` after."""

    def __init__(
        self,
        settings: AsrSettings,
        *,
        command: Sequence[str] = (sys.executable, "-m", "asr.worker"),
    ) -> None:
        self._settings = settings
        self._command = command
        self._layout = Layout(workers=0, threads=1, compute_type=settings.compute_type)
        self._changed = threading.Condition()
        self._scheduler = Scheduler(settings, 1)
        self._tried: set[str] = set()
        """Jobs whose worker died once."""
        self._quarantine: deque[bytes] = deque(maxlen=_QUARANTINED)
        """Digests of audio that two workers died of."""
        self._results: queue.Queue[JobResult] = queue.Queue()
        self._pending = 0
        self._closing = False
        self._ready = 0
        self._failure: AsrError | None = None
        self._threads: list[threading.Thread] = []
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._deadlines: dict[int, _Deadline] = {}
        self._deaths: deque[float] = deque()
        self.restarts = 0
        """Workers replaced since the start."""

    def start(self) -> None:
        """Start the workers; `wait_ready` waits for them.

        The first start on a machine measures for about 3 s how they run best.
        """
        self._layout = choose_layout(self._settings)
        self._scheduler = Scheduler(
            self._settings, self._layout.workers, partial_cost_ms=self._layout.partial_ms
        )
        for index in range(self._layout.workers):
            thread = threading.Thread(target=self._serve, args=(index,), name=f"asr-{index}")
            thread.start()
            self._threads.append(thread)
        watchdog = threading.Thread(target=self._watch, name="asr-watchdog")
        watchdog.start()
        self._threads.append(watchdog)

    def wait_ready(self, timeout_s: float) -> None:
        """Wait until a worker is ready.

        Raises:
            AsrError: the model is missing or corrupt.
            RecogniserDown: no worker was ready in time.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._ready > 0 or self._failure is not None, timeout_s)
            failure, ready = self._failure, self._ready
        if failure is not None and ready == 0:
            self.close()
            raise failure
        if ready == 0:
            self.close()
            raise RecogniserDown(
                f"No recogniser process was ready within {timeout_s:.0f} s; set asr.enabled to "
                "false to go on without words."
            )

    @property
    def ready(self) -> bool:
        """Whether at least one worker serves."""
        return self._ready > 0

    @property
    def pids(self) -> list[int]:
        """Process ids of the living workers."""
        return [child.pid for child in self._children.values() if child.poll() is None]

    @property
    def pending(self) -> int:
        """Jobs not answered yet."""
        return self._pending

    @property
    def layout(self) -> Layout:
        """Processes, threads and compute type in use."""
        return self._layout

    def advice(self, call_id: str, channel: Channel) -> Advice:
        """Return what a channel of a call may ask for at present."""
        with self._changed:
            return self._scheduler.advice(call_id, channel)

    @property
    def analysis_sheds(self) -> bool:
        """Whether what hears and cues is behind, so that words are shed before it."""
        return self._scheduler.analysis_sheds

    @analysis_sheds.setter
    def analysis_sheds(self, sheds: bool) -> None:
        self._scheduler.analysis_sheds = sheds

    def submit(self, job: Job) -> None:
        """Queue a job; a partial replaces one of the same channel that has not begun."""
        with self._changed:
            self._pending += 1
            if self._quarantine and _digest(job) in self._quarantine:
                self._answer([unanswered(job, "failed")])
            else:
                self._scheduler.submit(job, _now_ms())
                self._answer(self._scheduler.take_answers())
            self._changed.notify_all()

    def poll(self, timeout_s: float) -> list[JobResult]:
        """Return answers that are ready, waiting up to `timeout_s` for the first."""
        results = []
        try:
            results.append(self._results.get(block=timeout_s > 0, timeout=timeout_s or None))
            while True:
                results.append(self._results.get_nowait())
        except queue.Empty:
            return results

    def close(self) -> None:
        """End all workers and threads."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for child in list(self._children.values()):
            child.kill()
        for thread in self._threads:
            thread.join()
        self._threads = []

    # ------------------------------------------------------------------ threads

    def _serve(self, index: int) -> None:
        backoff_s = _FIRST_BACKOFF_S
        while not self._closing:
            child = self._spawn()
            self._children[index] = child
            try:
                lost = True
                if self._greet(child):
                    backoff_s = _FIRST_BACKOFF_S
                    lost = self._work(index, child)
            finally:
                self._deadlines.pop(index, None)
                _end(child)
            if self._closing or self._failure is not None:
                return
            self.restarts += 1
            if not lost:
                continue
            wait_s = self._settings.retry_unavailable_ms / 1000 if self._died() else backoff_s
            with self._changed:
                self._changed.wait_for(lambda: self._closing, wait_s)
            backoff_s = min(backoff_s * 2, _LONGEST_BACKOFF_S)

    def _spawn(self) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": str(self._layout.threads),
            "HF_HUB_OFFLINE": "1",
            "PYTHONPATH": os.pathsep.join(
                [str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
            ).rstrip(os.pathsep),
        }
        return subprocess.Popen(  # noqa: S603 - our own worker
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )

    def _greet(self, child: subprocess.Popen[bytes]) -> bool:
        settings = msgspec.structs.replace(
            self._settings,
            threads=self._layout.threads,
            compute_type=self._layout.compute_type,
        )
        message = _exchange(child, msgspec.msgpack.encode(settings))
        if message is None:
            return False
        hello = msgspec.msgpack.decode(message, type=Hello)
        with self._changed:
            if hello.failed is not None:
                self._failure = _ERRORS.get(hello.code, AsrError)(hello.failed)
            else:
                self._ready += 1
                self._scheduler.available = True
            self._changed.notify_all()
        return hello.ready

    def _work(self, index: int, child: subprocess.Popen[bytes]) -> bool:
        """Serve until the pool closes, the worker is too large (false) or lost (true)."""
        try:
            while not self._closing and child.poll() is None:
                lease = self._next(child)
                if lease is None:
                    if not self._closing and not self._lives(index, child):
                        return True
                    continue
                audio_s = len(lease.job.pcm) / 32_000
                limit_s = max(self._settings.job_deadline_ms / 1000, 3 * audio_s)
                limit_s *= _PATIENCE if lease.job.patient else 1
                self._deadlines[index] = _Deadline(time.monotonic() + limit_s)
                message = _exchange(child, msgspec.msgpack.encode(lease.job))
                self._deadlines.pop(index, None)
                if message is None:
                    self._lost(lease)
                    return True
                result = msgspec.msgpack.decode(message, type=JobResult)
                with self._changed:
                    self._tried.difference_update(part.job_id for part in lease.parts)
                    self._scheduler.finish(lease, result, _now_ms())
                    self._answer(self._scheduler.take_answers())
                    self._changed.notify_all()
                if result.memory_mib > self._settings.worker_memory_mib:
                    return False
            return True
        finally:
            with self._changed:
                self._ready -= 1

    def _next(self, child: subprocess.Popen[bytes]) -> Lease | None:
        """Wait for a decode; None when there is none within a heartbeat."""
        until_s = time.monotonic() + self._settings.heartbeat_ms / 1000
        with self._changed:
            while not self._closing and child.poll() is None:
                lease = self._scheduler.next(_now_ms())
                self._answer(self._scheduler.take_answers())
                left_s = until_s - time.monotonic()
                if lease is not None or left_s <= 0:
                    return lease
                self._changed.wait(left_s)
        return None

    def _lives(self, index: int, child: subprocess.Popen[bytes]) -> bool:
        """Ask an idle worker for a sign of life; the watchdog ends one that gives none."""
        self._deadlines[index] = _Deadline(time.monotonic() + self._settings.job_deadline_ms / 1000)
        alive = child.poll() is None and _exchange(child, b"") is not None
        self._deadlines.pop(index, None)
        return alive

    def _lost(self, lease: Lease) -> None:
        """Try a decode once more whose worker was lost, or give up on it."""
        if self._closing:
            return
        job_id, kind = lease.job.job_id, lease.job.kind
        with self._changed:
            twice = job_id in self._tried
            if twice or (kind is JobKind.PARTIAL and not lease.job.patient):
                if twice:
                    self._tried.difference_update(part.job_id for part in lease.parts)
                    self._quarantine.extend(_digest(part) for part in lease.parts)
                self._scheduler.finish(lease, unanswered(lease.job, "failed"), _now_ms())
            else:
                self._tried.update(part.job_id for part in lease.parts)
                self._scheduler.retry(lease, _now_ms())
            self._answer(self._scheduler.take_answers())
            self._changed.notify_all()

    def _died(self) -> bool:
        """Count a death; return whether recognition is now unavailable."""
        now_s = time.monotonic()
        with self._changed:
            self._deaths.append(now_s)
            while self._deaths[0] < now_s - _DEATHS_WINDOW_S:
                self._deaths.popleft()
            if self._ready or len(self._deaths) < self._settings.deaths_until_unavailable:
                return False
            self._scheduler.available = False
            self._scheduler.fail_all()
            self._answer(self._scheduler.take_answers())
        return True

    def _answer(self, results: Sequence[JobResult]) -> None:
        self._pending -= len(results)
        for result in results:
            self._results.put(result)

    def _watch(self) -> None:
        while True:
            with self._changed:
                if self._changed.wait_for(lambda: self._closing, _WATCH_S):
                    return
                self._scheduler.tick(_now_ms())
                self._changed.notify_all()
            for index, deadline in list(self._deadlines.items()):
                self._enforce(self._children[index], deadline)
            for child in list(self._children.values()):
                used = memory_mib(child.pid) if child.poll() is None else None
                if used is not None and used > 2 * self._settings.worker_memory_mib:
                    child.kill()

    def _enforce(self, child: subprocess.Popen[bytes], deadline: _Deadline) -> None:
        late_s = time.monotonic() - deadline.at_s
        if late_s > _DUMP_S:
            child.kill()
        elif late_s > 0 and not deadline.dumped and hasattr(signal, "SIGUSR1"):
            deadline.dumped = True
            child.send_signal(signal.SIGUSR1)


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def _digest(job: Job) -> bytes:
    return hashlib.blake2b(job.pcm, digest_size=16).digest()


def _exchange(child: subprocess.Popen[bytes], message: bytes) -> bytes | None:
    """Send a message and return the answer; None when the worker is gone."""
    assert child.stdin is not None and child.stdout is not None  # noqa: S101, PT018 - pipes
    try:
        write_message(child.stdin, message)
        return read_message(child.stdout)
    except OSError:
        return None


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except BrokenPipeError:
                continue
    child.wait()
