"""Workers that are killed, hang or swell cost one try, and never the others' answers."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from asr.jobs import Job, JobKind, JobResult
from asr.pool import WorkerPool
from asr.settings import AsrSettings
from conversation.events import Channel

pytestmark = [pytest.mark.unit, pytest.mark.timeout(120)]
COMMAND = (sys.executable, str(Path(__file__).with_name("bomb_worker.py")))
HARMLESS, DEADLY, HANGING, LARGE, BOTTOMLESS = 9, 1, 2, 3, 4
SETTINGS = AsrSettings(
    workers=1,
    threads=1,
    job_deadline_ms=60_000,
    heartbeat_ms=200,
    worker_memory_mib=200,
    retry_unavailable_ms=4_000,
)


def job(order: int, name: str = "job", kind: JobKind = JobKind.FINAL) -> Job:
    pcm = np.full(3_200, order, dtype="<i2")
    return Job(
        job_id=f"call/{name}-{order}",
        kind=kind,
        channel=Channel.AGENT,
        utterance_id=name,
        start_ms=0,
        audio_end_ms=200,
        speech_ms=200,
        pcm=pcm.tobytes(),
    )


@pytest.fixture
def settings() -> AsrSettings:
    return SETTINGS


@pytest.fixture
def pool(settings: AsrSettings) -> Iterator[WorkerPool]:
    workers = WorkerPool(settings, command=COMMAND)
    workers.start()
    workers.wait_ready(60)
    yield workers
    workers.close()


short_deadline = pytest.mark.parametrize(
    "settings", [msgspec.structs.replace(SETTINGS, job_deadline_ms=3_000)]
)


def answers(pool: WorkerPool, count: int, within_s: float = 30) -> list[JobResult]:
    results: list[JobResult] = []
    until_s = time.monotonic() + within_s
    while len(results) < count and time.monotonic() < until_s:
        results += pool.poll(0.2)
    return results


def wait_until(pool: WorkerPool, *, available: bool) -> None:
    until_s = time.monotonic() + 20
    while pool.advice("call", Channel.AGENT).available is not available:
        assert time.monotonic() < until_s
        time.sleep(0.02)


def test_poison_is_tried_twice_and_never_again_and_the_next_job_is_done(pool: WorkerPool) -> None:
    pool.submit(job(DEADLY))
    pool.submit(job(HARMLESS))
    results = {r.job_id: r.error for r in answers(pool, 2)}
    assert results == {"call/job-1": "failed", "call/job-9": None}
    assert pool.restarts == 2
    pool.submit(job(DEADLY, "again"))
    assert [r.error for r in answers(pool, 1)] == ["failed"]
    assert pool.restarts == 2


def test_a_partial_that_kills_its_worker_is_not_tried_again(pool: WorkerPool) -> None:
    pool.submit(job(DEADLY, kind=JobKind.PARTIAL))
    assert [r.error for r in answers(pool, 1)] == ["failed"]
    pool.submit(job(HARMLESS))
    assert [r.error for r in answers(pool, 1)] == [None]
    assert pool.restarts == 1


@short_deadline
def test_a_hanging_worker_dumps_its_stacks_and_is_replaced(
    pool: WorkerPool, capfd: pytest.CaptureFixture[str]
) -> None:
    began_s = time.monotonic()
    pool.submit(job(HANGING))
    pool.submit(job(HARMLESS))
    results = {r.job_id: r.error for r in answers(pool, 2)}
    assert results == {"call/job-2": "failed", "call/job-9": None}
    assert time.monotonic() - began_s < 20
    assert "bomb_worker.py" in capfd.readouterr().err


@short_deadline
def test_a_worker_that_stops_while_idle_is_found_out(pool: WorkerPool) -> None:
    os.kill(pool.pids[0], signal.SIGSTOP)
    time.sleep(1.0)
    pool.submit(job(HARMLESS))
    assert [r.error for r in answers(pool, 1)] == [None]
    assert pool.restarts == 1


def test_a_worker_that_has_grown_is_replaced_between_jobs(pool: WorkerPool) -> None:
    pool.submit(job(LARGE))
    pool.submit(job(HARMLESS))
    first, second = (r.text.split()[1] for r in answers(pool, 2))
    assert first != second
    assert pool.restarts == 1


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="needs /proc")
def test_a_worker_that_eats_memory_is_ended_before_the_machine_suffers(pool: WorkerPool) -> None:
    began_s = time.monotonic()
    pool.submit(job(BOTTOMLESS))
    pool.submit(job(HARMLESS))
    results = {r.job_id: r.error for r in answers(pool, 2, within_s=55)}
    assert results == {"call/job-4": "failed", "call/job-9": None}
    assert time.monotonic() - began_s < 55, "the deadline ended it, not its memory"


def test_five_deaths_make_recognition_unavailable_and_it_comes_back_by_itself(
    pool: WorkerPool,
) -> None:
    for number in range(3):
        pool.submit(job(DEADLY, f"poison{number}", JobKind.PARTIAL))
        answers(pool, 1)
    pool.submit(job(DEADLY, "poison"))
    answers(pool, 1)
    wait_until(pool, available=False)
    pool.submit(job(HARMLESS))
    assert [r.error for r in answers(pool, 1, within_s=1)] == ["failed"]
    wait_until(pool, available=True)
    pool.submit(job(HARMLESS, "later"))
    assert [r.error for r in answers(pool, 1)] == [None]
