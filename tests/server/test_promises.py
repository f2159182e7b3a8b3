"""Promises: heard in a call, confirmed by the agent, due, kept or late; told to others once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from conversation.events import CallEnded, CallStarted, Channel, Event, PromiseMade, PromiseReviewed
from reports.build import build_report
from reports.promises import with_outcomes
from server.store import Journal
from server.store.promises import (
    CONFIRMED,
    Change,
    Notice,
    PromiseError,
    PromiseFilter,
    PromiseSettings,
    change,
    find,
    outcomes_of,
    tick,
)
from server.store.retention import RetentionSettings, erase_call, expire

pytestmark = pytest.mark.server
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SETTINGS = PromiseSettings()


def made(
    number: int, *, hours: float | None = 24.0, what: str = "ring the customer"
) -> PromiseMade:
    due = None if hours is None else (NOON + timedelta(hours=hours)).isoformat()
    return PromiseMade(
        at_ms=number * 1_000,
        id=f"promise-{number}",
        text=f"I will {what}",
        what=what,
        due=None if hours is None else "tomorrow",
        due_at=due,
        precision="none" if hours is None else "minute",
        confidence=0.9,
        start_ms=number * 1_000,
    )


def confirmed(number: int, verdict: str = "confirmed", **changes: str) -> PromiseReviewed:
    return PromiseReviewed(at_ms=60_000, promise_id=f"promise-{number}", verdict=verdict, **changes)


def call(
    journal: Journal, *events: Event, call_id: str = "c", source: str = "ingest", agent: str = "ana"
) -> list[Event]:
    journal.open_call(call_id, NOON.isoformat(), agent, team="billing")
    started = CallStarted(
        at_ms=0,
        call_id=call_id,
        started_at=NOON.isoformat(),
        channels=(Channel.AGENT, Channel.CUSTOMER),
        source=source,
        agent=agent,
    )
    log = [started, *events, CallEnded(at_ms=90_000)]
    journal.append(call_id, 1, log)
    journal.end_call(call_id, 90_000)
    return log


@pytest.fixture
def journal(database: Path | str) -> Iterator[Journal]:
    opened = Journal(database)
    yield opened
    opened.close()


def passing(journal: Journal, hours: float) -> list[tuple[str, str]]:
    """Let the clock stand at some hours after noon; return what is told."""
    told: list[tuple[str, str]] = []

    def tell(_: sa.Connection, notices: Sequence[Notice]) -> None:
        told.extend((notice.kind, notice.promise.id) for notice in notices)

    tick(journal.engine, SETTINGS, now=NOON + timedelta(hours=hours), tell=tell)
    return told


def statuses(journal: Journal) -> list[str]:
    return [promise.status for promise in find(journal.engine, PromiseFilter())[0]]


def test_the_due_list_is_by_due_time_and_pages(journal: Journal) -> None:
    call(journal, made(1, hours=None), made(2, hours=48), made(3, hours=2), made(4, hours=2))
    whole, after = find(journal.engine, PromiseFilter())
    assert [p.id for p in whole] == ["c.promise-3", "c.promise-4", "c.promise-2", "c.promise-1"]
    assert after is None
    found: list[str] = []
    cursor = None
    while True:
        page, cursor = find(journal.engine, PromiseFilter(), limit=1, after=cursor)
        found += [promise.id for promise in page]
        if cursor is None:
            break
    assert found == [p.id for p in whole]
    with pytest.raises(PromiseError, match="cursor"):
        find(journal.engine, PromiseFilter(), after="c.nothing")


def test_only_what_the_agent_confirmed_leaves_their_own_list(journal: Journal) -> None:
    call(journal, made(1), made(2), made(3), confirmed(2), confirmed(3, "rejected"))
    assert sorted(statuses(journal)) == ["draft", "open", "rejected"]
    shown, _ = find(journal.engine, PromiseFilter(teams=("billing",), statuses=CONFIRMED))
    assert [promise.id for promise in shown] == ["c.promise-2"]
    assert passing(journal, 0) == [("confirmed", "c.promise-2")]


def test_an_edit_in_the_call_is_what_is_listed(journal: Journal) -> None:
    later = (NOON + timedelta(hours=30)).isoformat()
    call(journal, made(1), confirmed(1, "edited", what="send the form", due_at=later))
    (promise,) = find(journal.engine, PromiseFilter())[0]
    assert (promise.what, promise.due_at, promise.status) == ("send the form", later, "open")


def test_a_promise_is_told_of_when_confirmed_soon_due_and_overdue_once_each(
    journal: Journal,
) -> None:
    call(journal, made(1), made(2), confirmed(1))
    seen = [passing(journal, hours) for hours in (0, 1, 19, 20.5, 21, 23, 25, 26, 400)]
    (only,) = {name for told in seen for _, name in told}
    assert only == "c.promise-1"
    assert [[kind for kind, _ in told] for told in seen] == [
        ["confirmed"], [], [], ["due_soon"], [], [], ["overdue"], [], []
    ]  # fmt: skip
    assert sorted(statuses(journal)) == ["lapsed", "late"]


@pytest.mark.parametrize(
    ("done_after_h", "status", "told"), [(10, "kept", [("kept", "c.promise-1")]), (30, "late", [])]
)
def test_what_is_done_by_its_time_is_kept_and_what_is_done_later_is_late(
    journal: Journal, done_after_h: int, status: str, told: list[tuple[str, str]]
) -> None:
    call(journal, made(1), confirmed(1))
    passing(journal, 0)
    at = NOON + timedelta(hours=done_after_h)
    done = change(journal.engine, "c.promise-1", Change(status="kept"), now=at)
    assert (done.status, done.done_at) == (status, at.isoformat(timespec="seconds"))
    assert passing(journal, done_after_h) == told
    assert outcomes_of(journal.engine, "c") == {"promise-1": status}


def test_a_late_promise_with_a_new_time_is_open_and_reminded_of_again(journal: Journal) -> None:
    call(journal, made(1), confirmed(1))
    assert [kind for kind, _ in passing(journal, 0) + passing(journal, 25)] == [
        "confirmed",
        "overdue",
    ]
    new = (NOON + timedelta(hours=72)).isoformat()
    at = NOON + timedelta(hours=26)
    assert change(journal.engine, "c.promise-1", Change(due_at=new), now=at).status == "open"
    assert passing(journal, 30) == []
    assert passing(journal, 70) == [("due_soon", "c.promise-1")]


@pytest.mark.parametrize(
    ("first", "then", "complaint"),
    [
        (None, "kept", "draft cannot become kept"),
        ("rejected", "confirmed", "rejected cannot become confirmed"),
        ("confirmed", "confirmed", "open cannot become confirmed"),
        ("confirmed", "forgotten", "status is one of"),
    ],
)
def test_a_change_that_the_status_does_not_allow_is_refused(
    journal: Journal, first: str | None, then: str, complaint: str
) -> None:
    call(journal, made(1))
    if first is not None:
        change(journal.engine, "c.promise-1", Change(status=first), now=NOON)
    with pytest.raises(PromiseError, match=complaint):
        change(journal.engine, "c.promise-1", Change(status=then), now=NOON)


def test_a_due_time_without_an_offset_is_refused(journal: Journal) -> None:
    call(journal, made(1))
    with pytest.raises(PromiseError, match="ISO 8601"):
        change(journal.engine, "c.promise-1", Change(due_at="2026-06-02T10:00"), now=NOON)


def test_practice_promises_nobody_anything(journal: Journal) -> None:
    call(journal, made(1), confirmed(1), source="practice")
    assert statuses(journal) == []


def test_promises_are_erased_with_their_call_and_expire_with_its_events(journal: Journal) -> None:
    call(journal, made(1), call_id="a")
    call(journal, made(1), call_id="b")
    erase_call(journal.engine, "a", now=NOON)
    assert [p.call_id for p in find(journal.engine, PromiseFilter())[0]] == ["b"]
    expire(journal.engine, RetentionSettings(events_days=1), now=NOON + timedelta(days=2))
    assert find(journal.engine, PromiseFilter())[0] == []


def test_the_report_scores_promises_once_it_is_known_what_became_of_them(
    journal: Journal,
) -> None:
    log = call(journal, *(made(n) for n in range(1, 6)), *(confirmed(n) for n in range(1, 5)))
    alone = build_report(log)
    (line,) = [part for part in alone.scorecard if part.behaviour == "promises"]
    assert (line.opportunities, line.score) == (0, None)
    for number, hour in ((1, 1), (2, 2), (3, 30)):
        at = NOON + timedelta(hours=hour)
        change(journal.engine, f"c.promise-{number}", Change(status="kept"), now=at)
    report = with_outcomes(alone, outcomes_of(journal.engine, "c"))
    (line,) = [part for part in report.scorecard if part.behaviour == "promises"]
    assert (line.opportunities, line.delivered, line.score) == (3, 2, 0.667)
    assert {name: line.figures[name] for name in ("kept", "late", "open")} == {
        "kept": 2.0, "late": 1.0, "open": 1.0
    }  # fmt: skip
    assert [p.outcome for p in report.promises] == ["kept", "kept", "late", "open", None]
    assert len(line.evidence) == len(line.spans) == 3
