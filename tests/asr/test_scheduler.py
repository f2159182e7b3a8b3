"""Which decode runs next."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.jobs import Job, JobKind, JobResult
from asr.ladder import Load
from asr.scheduler import Lease, Scheduler
from asr.settings import AsrSettings
from conversation.events import Channel

pytestmark = [pytest.mark.unit, pytest.mark.property]
KINDS = (JobKind.FINAL, JobKind.SPECULATIVE, JobKind.PARTIAL, JobKind.REDECODE)


def job(
    name: str,
    kind: JobKind = JobKind.FINAL,
    *,
    call: str = "c",
    channel: Channel = Channel.AGENT,
    start_ms: int = 0,
    length_ms: int = 1_000,
    hinted: bool = False,
    patient: bool = False,
) -> Job:
    return Job(
        job_id=f"{call}/{name}",
        kind=kind,
        channel=channel,
        utterance_id=f"u-{name}",
        start_ms=start_ms,
        audio_end_ms=start_ms + length_ms,
        speech_ms=length_ms,
        pcm=bytes(32 * length_ms),
        hinted=hinted,
        patient=patient,
    )


def answer(lease: Lease) -> JobResult:
    return JobResult(
        job_id=lease.job.job_id,
        kind=lease.job.kind,
        channel=lease.job.channel,
        utterance_id=lease.job.utterance_id,
        text="word",
    )


def take(scheduler: Scheduler, now_ms: int) -> str | None:
    lease = scheduler.next(now_ms)
    return None if lease is None else lease.job.job_id


def climb(scheduler: Scheduler, rung: int) -> int:
    """Keep a final waiting until the ladder has risen; return the time."""
    now_ms = 0
    scheduler.submit(job("stuck", call="other"), 0)
    while scheduler.advice("c", Channel.AGENT).step < rung:
        now_ms += 250
        scheduler.tick(now_ms)
        assert now_ms < 100_000
    return now_ms


def test_finals_of_one_call_go_before_partials_of_another() -> None:
    scheduler = Scheduler(AsrSettings(), 1)
    scheduler.submit(job("later", JobKind.REDECODE), 0)
    scheduler.submit(job("partial", JobKind.PARTIAL, call="a"), 1)
    scheduler.submit(job("advance", JobKind.SPECULATIVE, call="b"), 2)
    scheduler.submit(job("final", call="c"), 3)
    order = [take(scheduler, 4) for _ in range(4)]
    assert order == ["c/final", "b/advance", "a/partial", "c/later"]


def test_the_newest_partial_of_a_channel_replaces_the_one_that_waits() -> None:
    scheduler = Scheduler(AsrSettings(), 1)
    scheduler.submit(job("old", JobKind.PARTIAL), 0)
    scheduler.submit(job("new", JobKind.PARTIAL), 350)
    assert [(r.job_id, r.error) for r in scheduler.take_answers()] == [("c/old", "superseded")]
    assert take(scheduler, 360) == "c/new"


def test_a_channel_has_one_partial_in_work_at_a_time() -> None:
    scheduler = Scheduler(AsrSettings(), 2)
    scheduler.submit(job("first", JobKind.PARTIAL), 0)
    lease = scheduler.next(0)
    assert lease is not None
    scheduler.submit(job("second", JobKind.PARTIAL), 350)
    assert take(scheduler, 350) is None
    scheduler.finish(lease, answer(lease), 400)
    assert take(scheduler, 400) == "c/second"


def test_a_partial_that_waited_too_long_is_dropped() -> None:
    scheduler = Scheduler(AsrSettings(), 1)
    scheduler.submit(job("old", JobKind.PARTIAL), 0)
    assert take(scheduler, 1_600) is None
    assert [r.error for r in scheduler.take_answers()] == ["superseded"]


def test_who_has_waited_longest_is_heard_first_and_customers_weigh_more() -> None:
    scheduler = Scheduler(AsrSettings(), 1)
    scheduler.submit(job("agent", JobKind.PARTIAL, channel=Channel.AGENT), 0)
    scheduler.submit(job("customer", JobKind.PARTIAL, channel=Channel.CUSTOMER), 100)
    assert take(scheduler, 500) == "c/agent"
    scheduler = Scheduler(AsrSettings(), 1)
    scheduler.submit(job("agent", JobKind.PARTIAL, channel=Channel.AGENT), 0)
    scheduler.submit(job("customer", JobKind.PARTIAL, channel=Channel.CUSTOMER), 50)
    assert take(scheduler, 500) == "c/customer"


def test_an_overlap_is_heard_first_but_only_twice_a_second() -> None:
    scheduler = Scheduler(AsrSettings(), 4)
    for call in "abc":
        scheduler.submit(job("hint", JobKind.PARTIAL, call=call, hinted=True), 100)
    scheduler.submit(job("plain", JobKind.PARTIAL, call="d"), 0)
    assert [take(scheduler, 200) for _ in range(4)] == ["a/hint", "b/hint", "d/plain", "c/hint"]


def test_the_hop_follows_what_the_last_partial_took() -> None:
    scheduler = Scheduler(AsrSettings(), 1)
    assert scheduler.advice("c", Channel.AGENT).hop_ms == 350
    scheduler.submit(job("slow", JobKind.PARTIAL), 0)
    lease = scheduler.next(0)
    assert lease is not None
    scheduler.finish(lease, answer(lease), 600)
    assert scheduler.advice("c", Channel.AGENT).hop_ms == 900
    assert scheduler.advice("c", Channel.CUSTOMER).hop_ms == 350


def test_the_ninth_final_of_a_call_skips_its_oldest() -> None:
    scheduler = Scheduler(AsrSettings(), 1)
    for number in range(9):
        scheduler.submit(job(str(number)), number)
    assert [(r.job_id, r.error) for r in scheduler.take_answers()] == [("c/0", "skipped")]
    assert scheduler.skipped_ms == 1_000


def test_busy_workers_give_finals_a_bounded_context() -> None:
    scheduler = Scheduler(AsrSettings(), 1)
    scheduler.submit(job("idle"), 0)
    lease = scheduler.next(0)
    assert lease is not None
    assert lease.job.most_frames is None
    scheduler.tick(10_000)
    scheduler.submit(job("busy"), 10_000)
    scheduler.finish(lease, answer(lease), 10_000)
    busy = scheduler.next(10_000)
    assert busy is not None
    assert busy.job.most_frames == 1400


def test_what_waited_through_the_ladder_is_decoded_together_and_answered_apart() -> None:
    scheduler = Scheduler(AsrSettings(), 1)
    now_ms = climb(scheduler, 5)
    first, second = job("one", start_ms=0), job("two", start_ms=2_000)
    for one in (first, second, job("two again", start_ms=2_000)):
        scheduler.submit(one, now_ms)
    assert take(scheduler, now_ms) == "other/stuck"
    lease = scheduler.next(now_ms)
    assert lease is not None
    assert lease.parts == (first, second)
    assert len(lease.job.pcm) == 3_000 * 32
    scheduler.finish(lease, answer(lease), now_ms + 10)
    assert [(r.job_id, r.flags) for r in scheduler.take_answers()] == [
        ("c/one", ("merged",)),
        ("c/two", ("merged",)),
    ]


def test_on_the_last_rungs_only_overlaps_are_decoded_and_then_nothing() -> None:
    scheduler = Scheduler(AsrSettings(), 1)
    now_ms = climb(scheduler, 6)
    scheduler.submit(job("plain"), now_ms)
    scheduler.submit(job("overlap", hinted=True), now_ms)
    assert [(r.job_id, r.error) for r in scheduler.take_answers()] == [("c/plain", "skipped")]
    while scheduler.advice("c", Channel.AGENT).step < 7:
        now_ms += 250
        scheduler.tick(now_ms)
    scheduler.submit(job("overlap2", hinted=True), now_ms)
    assert [r.error for r in scheduler.take_answers()] == ["skipped"]


def test_work_of_the_virtual_clock_is_done_as_asked_whatever_the_load() -> None:
    scheduler = Scheduler(AsrSettings(), 1)
    now_ms = climb(scheduler, 7)
    patient = [job(str(n), patient=True, start_ms=2_000 * n) for n in range(20)]
    for one in patient:
        scheduler.submit(one, now_ms)
    assert scheduler.take_answers() == []
    assert take(scheduler, now_ms) == "other/stuck"
    leases = [scheduler.next(now_ms + 5_000 * n) for n in range(20)]
    assert [lease.job for lease in leases if lease] == patient


def test_load_is_measured_from_what_runs() -> None:
    scheduler = Scheduler(AsrSettings(), 2)
    scheduler.submit(job("one"), 0)
    assert scheduler.next(0) is not None
    load = scheduler.load(0)
    scheduler.tick(60_000)
    assert load == Load(busy_share=0.0, partial_age_ms=0.0, queue_age_ms=0)
    assert scheduler.load(60_000).busy_share == pytest.approx(0.5, abs=0.01)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, int, int]]:
    step = st.tuples(
        st.sampled_from(["submit", "submit", "next", "finish", "retry", "tick"]),
        st.integers(0, 3),
        st.integers(0, 2_000),
    )
    return draw(st.lists(step, max_size=120))


@settings(max_examples=150, deadline=None)
@given(histories(), st.booleans())
def test_every_job_is_answered_exactly_once_and_queues_stay_bounded(
    history: list[tuple[str, int, int]], dies: bool
) -> None:
    scheduler = Scheduler(AsrSettings(), 2)
    now_ms, count = 0, 0
    running: list[Lease] = []
    submitted: set[str] = set()
    answers: list[str] = []
    for action, which, wait_ms in history:
        now_ms += wait_ms
        if action == "submit":
            count += 1
            kind = KINDS[which]
            one = msgspec.structs.replace(
                job(str(count), kind, call=f"call{which}", start_ms=now_ms),
                channel=Channel.CUSTOMER if wait_ms % 2 else Channel.AGENT,
            )
            submitted.add(one.job_id)
            scheduler.submit(one, now_ms)
        elif action == "next" and len(running) < 2:
            lease = scheduler.next(now_ms)
            running += [lease] if lease else []
        elif action == "finish" and running:
            lease = running.pop(which % len(running))
            scheduler.finish(lease, answer(lease), now_ms)
        elif action == "retry" and running:
            scheduler.retry(running.pop(), now_ms)
        elif action == "tick":
            scheduler.tick(now_ms)
        answers += [r.job_id for r in scheduler.take_answers()]
        partials = 8
        assert scheduler.waiting <= 64 + partials + count
    if dies:
        scheduler.available = False
        scheduler.fail_all()
    for lease in running:
        scheduler.finish(lease, answer(lease), now_ms)
    while (lease := scheduler.next(now_ms)) is not None:
        scheduler.finish(lease, answer(lease), now_ms)
    answers += [r.job_id for r in scheduler.take_answers()]
    assert sorted(answers) == sorted(submitted)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 4)), min_size=1, max_size=40))
def test_no_partial_begins_while_a_final_waits(jobs: list[tuple[JobKind, int]]) -> None:
    scheduler = Scheduler(AsrSettings(), 1)
    for number, (kind, call) in enumerate(jobs):
        scheduler.submit(job(str(number), kind, call=f"c{call}"), number)
    kinds = []
    while (lease := scheduler.next(100)) is not None:
        kinds.append(lease.job.kind)
        scheduler.finish(lease, answer(lease), 100)
    ranks = [KINDS.index(kind) for kind in kinds]
    assert ranks == sorted(ranks)
