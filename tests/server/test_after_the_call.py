"""Practice and promises over HTTP: a trainee's runs are theirs alone, a due list is cut to its
readers."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from conversation.events import CallEnded, CallStarted, Channel, PromiseMade, PromiseReviewed
from server.access import CSRF_HEADER
from server.people.roles import Role
from server.promise_clock import keep_time
from server.runner import Running
from server.store import Journal
from server.store.promises import Notice, PromiseSettings
from server.store.retention import RetentionSettings, expire
from tests.server.live import expect, native, send_audio, serving, until
from tests.server.test_access import PASSWORD, Browser

pytestmark = pytest.mark.server
DUE = datetime.now(UTC) + timedelta(days=1)
GOOD = "I am so sorry that your daughter's present did not come."
PLAN = "I will send a new one today and call you on Thursday at ten."


@pytest.fixture(scope="module")
def centre() -> Iterator[Running]:
    """Two agents of two teams, a supervisor of the first, an auditor; two calls with promises."""
    with serving() as server:
        people = server.access.accounts
        people.add("ana", Role.AGENT, PASSWORD, teams=["billing"])
        people.add("bo", Role.AGENT, PASSWORD, teams=["repairs"])
        people.add("sue", Role.SUPERVISOR, PASSWORD, teams=["billing"])
        people.add("otto", Role.AUDITOR, PASSWORD)
        for agent, team in (("ana", "billing"), ("bo", "repairs")):
            finished_call(server, agent, team)
        yield server


def finished_call(server: Running, agent: str, team: str) -> None:
    started = datetime.now(UTC).isoformat(timespec="seconds")
    name = f"call-{agent}"
    server.calls.journal.open_call(name, started, agent, team=team)
    both = (Channel.AGENT, Channel.CUSTOMER)
    promises = [
        PromiseMade(
            at_ms=n * 1_000,
            id=f"promise-{n}",
            text=f"I will send form {n}",
            what=f"send form {n}",
            due="tomorrow",
            due_at=DUE.isoformat(),
            confidence=0.9,
            start_ms=n * 1_000,
        )
        for n in (1, 2)
    ]
    begun = CallStarted(
        at_ms=0, call_id=name, started_at=started, channels=both, source="test", agent=agent
    )
    said = PromiseReviewed(at_ms=9_000, promise_id="promise-1", verdict="confirmed")
    server.calls.journal.append(name, 1, [begun, *promises, said, CallEnded(at_ms=10_000)])
    server.calls.journal.end_call(name, 10_000)


def ask(browser: Browser, method: str, path: str, *, status: int = 200, **body: Any) -> Any:
    answered, _, content = browser.ask(method, path, **body)
    assert answered == status, content
    return json.loads(content) if content else None


# ------------------------------------------------------------------ promises


def test_agents_see_their_own_promises_and_supervisors_what_their_team_confirmed(
    centre: Running,
) -> None:
    def listed(name: str, show: str) -> list[str]:
        found = ask(Browser(centre, name), "GET", f"/v1/promises?show={show}")
        return [promise["id"] for promise in found]

    own = ["call-ana.promise-1", "call-ana.promise-2"]
    assert listed("ana", "all") == own
    assert listed("ana", "due") == own[:1]
    assert listed("ana", "draft") == own[1:]
    assert listed("sue", "all") == own[:1]
    assert listed("sue", "draft") == []
    assert Browser(centre, "otto").ask("GET", "/v1/promises")[0] == 403
    assert Browser(centre, "ana").ask("GET", "/v1/promises?show=some")[0] == 400


def test_a_promise_is_answered_by_its_agent_alone(centre: Running) -> None:
    path = "/v1/promises/call-ana.promise-1"
    for name, refused in (("bo", 404), ("sue", 403), ("otto", 403)):
        assert Browser(centre, name).ask("PATCH", path, status="kept")[0] == refused
    browser = Browser(centre, "ana")
    assert ask(browser, "PATCH", path, status=400, what="") is not None
    assert browser.ask("PATCH", path, status="rejected")[0] == 400
    _, _, content = browser.ask("PATCH", path, status="kept")
    assert json.loads(content)["status"] == "kept"
    report = ask(browser, "GET", "/v1/calls/call-ana/report.json")
    assert [promise["outcome"] for promise in report["promises"]] == ["kept", None]


def test_the_clock_of_a_server_finds_what_is_late_without_being_asked(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "heartline.db")
    name = "call-late"
    journal.open_call(name, datetime.now(UTC).isoformat(timespec="seconds"), "bo", team="repairs")
    late = PromiseMade(
        at_ms=1,
        id="promise-1",
        text="I will ring",
        what="ring",
        due="at once",
        due_at=(datetime.now(UTC) - timedelta(minutes=1)).isoformat(),
        confidence=0.9,
        start_ms=0,
    )
    begun = CallStarted(
        at_ms=0,
        call_id=name,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        channels=(Channel.AGENT, Channel.CUSTOMER),
        source="test",
    )
    said = PromiseReviewed(at_ms=2, promise_id="promise-1", verdict="confirmed")
    journal.append(name, 1, [begun, late, said, CallEnded(at_ms=10)])
    journal.end_call(name, 10)
    told: list[str] = []

    async def half_a_minute_later() -> None:
        def tell(_: sa.Connection, notices: Sequence[Notice]) -> None:
            told.extend(f"{notice.kind} {notice.promise.id}" for notice in notices)

        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(
                keep_time(journal.engine, PromiseSettings(), tell, every_s=0.05), 1.0
            )

    asyncio.run(half_a_minute_later())
    journal.close()
    assert told == [f"confirmed {name}.promise-1", f"overdue {name}.promise-1"]


# ------------------------------------------------------------------ practice


def begin(browser: Browser, **body: Any) -> dict[str, Any]:
    case: dict[str, Any] = ask(browser, "POST", "/v1/practice", status=201, **body)
    assert case["source"] == "practice"
    return case


def test_a_run_is_typed_to_its_end_and_has_a_report_like_any_call(centre: Running) -> None:
    browser = Browser(centre, "ana")
    case = begin(browser, scenario="late_parcel")
    assert "present" in case["line"]
    path = f"/v1/practice/{case['call_id']}"
    first = ask(browser, "POST", f"{path}/turns", text=GOOD)
    assert "acknowledge_feeling" in first["heard"] or "apology" in first["heard"]
    assert not first["over"]
    assert ask(browser, "POST", f"{path}/turns", text=PLAN)["over"]
    part = ask(browser, "POST", f"{path}/end", feelings="let down")
    assert part["reflection"]["named"] == ["disappointed"]
    report = ask(browser, "GET", f"/v1/calls/{case['call_id']}/report.json")
    assert report["call"]["source"] == "practice"
    assert report["practice"] == part
    assert len(report["transcript"]) == 5
    assert browser.ask("POST", f"{path}/turns", text=PLAN)[0] == 404


def test_nobody_else_sees_practice_and_it_is_erased_at_once(centre: Running) -> None:
    browser = Browser(centre, "ana")
    case = begin(browser, scenario="third_bill")
    name = case["call_id"]
    ask(browser, "POST", f"/v1/practice/{name}/turns", text="I will pay it back by Friday.")
    ask(browser, "POST", f"/v1/practice/{name}/end")
    place = f"/v1/calls/{name}/report.json"
    for other in ("bo", "sue", "otto"):
        stranger = Browser(centre, other)
        assert stranger.ask("GET", f"{place}?reason=curious")[0] == 404
        assert name not in stranger.calls()
        assert stranger.ask("DELETE", f"/v1/practice/{name}")[0] == 404
        assert name not in {r["call_id"] for r in ask(stranger, "GET", "/v1/practice")["runs"]}
    assert name in browser.calls()
    assert name in {run["call_id"] for run in ask(browser, "GET", "/v1/practice")["runs"]}
    assert not any(name in p["id"] for p in ask(browser, "GET", "/v1/promises?show=all"))
    ask(browser, "DELETE", f"/v1/practice/{name}", status=204)
    assert browser.ask("GET", place)[0] == 404
    assert name not in browser.calls()


def test_a_supervisor_practises_too_and_reads_their_own_report(centre: Running) -> None:
    browser = Browser(centre, "sue")
    case = begin(browser, scenario="late_parcel", role="customer")
    path = f"/v1/practice/{case['call_id']}"
    reply = ask(browser, "POST", f"{path}/turns", text="My parcel is late and I am annoyed.")
    assert "sorry" in reply["reply"]
    ask(browser, "POST", f"{path}/end")
    report = ask(browser, "GET", f"/v1/calls/{case['call_id']}/report.json")
    assert report["practice"]["role"] == "customer"


def test_a_run_can_be_spoken_through_the_ordinary_ingest(centre: Running) -> None:
    browser = Browser(centre, "ana")
    name = begin(browser, scenario="late_parcel")["call_id"]
    meant = {"call_id": name, "agent": "ana", "metadata": {"team": "billing"}}
    key = {"Authorization": f"Bearer {centre.user.key}"}
    with native(centre, key, **meant) as (socket, _):
        send_audio(socket, 0, 3_000)
        socket.send(json.dumps({"type": "stop"}))
        expect(socket, "stopped")
    journal = centre.calls.journal
    until(lambda: (row := journal.call(name)) is not None and not row.live)
    begun = journal.events(name)[0]
    assert isinstance(begun, CallStarted)
    assert begun.source == "practice"
    assert name not in Browser(centre, "sue").calls()
    report = ask(browser, "GET", f"/v1/calls/{name}/report.json")
    assert report["practice"]["scenario"] == "late_parcel"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"scenario": "no_such"},
        {"scenario": "../../late_parcel"},
        {"scenario": "late_parcel", "role": "boss"},
        {"scenario": "late_parcel", "call_id": "call-ana", "event_id": "ov-1"},
        {"call_id": "call-ana"},
        {"call_id": "call-ana", "event_id": "ov-1"},
    ],
)
def test_a_run_without_a_case_is_refused(centre: Running, body: dict[str, Any]) -> None:
    assert Browser(centre, "ana").ask("POST", "/v1/practice", **body)[0] == 400


def test_nobody_drills_a_colleagues_call(centre: Running) -> None:
    for name in ("bo", "sue"):
        drilled: dict[str, Any] = {"call_id": "call-ana", "event_id": "ov-1"}
        assert Browser(centre, name).ask("POST", "/v1/practice", **drilled)[0] == 404


def test_practice_has_a_retention_of_its_own(centre: Running) -> None:
    browser = Browser(centre, "bo")
    name = begin(browser, scenario="late_parcel")["call_id"]
    ask(browser, "POST", f"/v1/practice/{name}/turns", text=GOOD)
    ask(browser, "POST", f"/v1/practice/{name}/end")
    journal = centre.calls.journal
    expire(journal.engine, RetentionSettings(), now=datetime.now(UTC) + timedelta(days=31))
    assert not journal.has_call(name)
    assert journal.has_call("call-bo")
    assert CSRF_HEADER in browser.headers
