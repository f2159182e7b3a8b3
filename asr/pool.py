"""Supervised worker processes: finals first, newest partial wins, every job answered once.

A worker that dies or hangs is replaced and its job tried once more elsewhere; the second failure
is an answer with `error="failed"`. A partial that a newer one of the same utterance replaces
before it began is answered with `error="superseded"`.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path

import msgspec

from asr.errors import AsrError, ModelCorrupt, ModelMissing, RecogniserDown
from asr.jobs import Job, JobKind, JobResult
from asr.settings import AsrSettings
from asr.worker import Hello, read_message, write_message

_WATCH_S = 0.5
"""Longest that a worker's death goes unnoticed."""
_FIRST_BACKOFF_S, _LONGEST_BACKOFF_S = 0.2, 10.0
_ERRORS: dict[str | None, type[AsrError]] = {
    error.code: error for error in (ModelCorrupt, ModelMissing)
}


class _Attempt(msgspec.Struct):
    job: Job
    tries: int = 0


class WorkerPool:
    """`Transcriber` over child processes; `start()` before use, `close()` after."""

    def __init__(self, settings: AsrSettings) -> None:
        self._settings = settings
        self._changed = threading.Condition()
        self._finals: deque[_Attempt] = deque()
        self._speculative: deque[_Attempt] = deque()
        self._partials: dict[tuple[str, str], _Attempt] = {}
        self._results: queue.Queue[JobResult] = queue.Queue()
        self._pending = 0
        self._closing = False
        self._ready = 0
        self._failure: AsrError | None = None
        self._threads: list[threading.Thread] = []
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._busy_since: dict[int, tuple[float, float]] = {}
        self.restarts = 0
        """Workers replaced since the start."""

    def start(self) -> None:
        """Start the workers and return at once; `wait_ready` waits for them."""
        for index in range(self._settings.workers):
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

    def submit(self, job: Job) -> None:
        """Queue a job; a partial replaces one of the same utterance that has not begun."""
        with self._changed:
            self._pending += 1
            if job.kind is not JobKind.PARTIAL:
                self._queue_of(job).append(_Attempt(job))
            else:
                key = (job.job_id.rpartition("/")[0], job.channel)
                replaced = self._partials.pop(key, None)
                self._partials[key] = _Attempt(job)
                if replaced is not None:
                    self._answer(_failure(replaced.job, "superseded"))
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
                if self._greet(child):
                    backoff_s = _FIRST_BACKOFF_S
                    self._work(index, child)
            finally:
                _end(child)
            if self._closing or self._failure is not None:
                return
            self.restarts += 1
            with self._changed:
                self._changed.wait_for(lambda: self._closing, backoff_s)
            backoff_s = min(backoff_s * 2, _LONGEST_BACKOFF_S)

    def _spawn(self) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
            "PYTHONPATH": os.pathsep.join(
                [str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
            ).rstrip(os.pathsep),
        }
        return subprocess.Popen(
            [sys.executable, "-m", "asr.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )

    def _greet(self, child: subprocess.Popen[bytes]) -> bool:
        assert child.stdin is not None and child.stdout is not None  # noqa: S101, PT018 - pipes
        try:
            write_message(child.stdin, msgspec.msgpack.encode(self._settings))
            message = read_message(child.stdout)
        except OSError:
            return False
        if message is None:
            return False
        hello = msgspec.msgpack.decode(message, type=Hello)
        with self._changed:
            if hello.failed is not None:
                self._failure = _ERRORS.get(hello.code, AsrError)(hello.failed)
            else:
                self._ready += 1
            self._changed.notify_all()
        return hello.ready

    def _work(self, index: int, child: subprocess.Popen[bytes]) -> None:
        assert child.stdin is not None and child.stdout is not None  # noqa: S101, PT018 - pipes
        try:
            while (attempt := self._next(child)) is not None:
                audio_s = len(attempt.job.pcm) / 32_000
                limit_s = max(self._settings.job_deadline_ms / 1000, 3 * audio_s)
                self._busy_since[index] = (time.monotonic(), limit_s)
                try:
                    write_message(child.stdin, msgspec.msgpack.encode(attempt.job))
                    message = read_message(child.stdout)
                except OSError:
                    message = None
                self._busy_since.pop(index, None)
                if message is None:
                    self._try_again(attempt)
                    return
                self._answer(msgspec.msgpack.decode(message, type=JobResult))
        finally:
            with self._changed:
                self._ready -= 1

    def _next(self, child: subprocess.Popen[bytes]) -> _Attempt | None:
        """Wait for a job; None when the pool closes or the idle child has died."""
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._closing
                    or self._finals
                    or self._speculative
                    or self._partials
                    or child.poll() is not None
                )
            )
            if self._closing or child.poll() is not None:
                return None
            for queued in (self._finals, self._speculative):
                if queued:
                    return queued.popleft()
            return self._partials.pop(next(iter(self._partials)))

    def _try_again(self, attempt: _Attempt) -> None:
        if self._closing:
            return
        attempt.tries += 1
        if attempt.tries > 1 or attempt.job.kind is JobKind.PARTIAL:
            self._answer(_failure(attempt.job, "failed"))
            return
        with self._changed:
            self._queue_of(attempt.job).appendleft(attempt)
            self._changed.notify_all()

    def _queue_of(self, job: Job) -> deque[_Attempt]:
        return self._finals if job.kind is JobKind.FINAL else self._speculative

    def _answer(self, result: JobResult) -> None:
        with self._changed:
            self._pending -= 1
        self._results.put(result)

    def _watch(self) -> None:
        while True:
            with self._changed:
                if self._changed.wait_for(lambda: self._closing, _WATCH_S):
                    return
                self._changed.notify_all()
            for index, (since_s, limit_s) in list(self._busy_since.items()):
                if time.monotonic() - since_s > limit_s:
                    self._children[index].kill()


def _failure(job: Job, error: str) -> JobResult:
    return JobResult(
        job_id=job.job_id,
        kind=job.kind,
        channel=job.channel,
        utterance_id=job.utterance_id,
        error=error,
    )


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except BrokenPipeError:
                continue
    child.wait()
