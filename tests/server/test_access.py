"""Who gets in and sees what: users, roles, sockets, and every route of the app; a real server."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from litestar.handlers import BaseRouteHandler
from litestar.routes import BaseRoute
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from asr.settings import AsrSettings
from conversation.events import CallEnded, CallStarted, Channel
from server.access import CSRF_HEADER
from server.app import create_app
from server.hearing import Hearing, HearingSettings
from server.people.roles import Action, Role
from server.runner import Running, running_server
from server.settings import Settings

pytestmark = pytest.mark.server
PASSWORD = "a long enough password"
AGENTS, CALLS_MADE = 20, 200


@pytest.fixture(scope="module")
def hearing() -> Iterator[Hearing]:
    with Hearing(HearingSettings(asr=AsrSettings(enabled=False))) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def centre(hearing: Hearing, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with 20 agents in 4 teams, one of every other role, and 200 finished calls."""
    with running_server(hearing, tmp_path_factory.mktemp("centre") / "heartline.db") as server:
        people = server.access.accounts
        for n in range(AGENTS):
            people.add(f"agent{n}", Role.AGENT, PASSWORD, teams=[f"team{n % 4}"])
        for role in (Role.SUPERVISOR, Role.COACH):
            people.add(str(role), role, PASSWORD, teams=["team1"])
        for role in (Role.AUDITOR, Role.ADMIN):
            people.add(str(role), role, PASSWORD)
        chance = random.Random(5)
        for n in range(CALLS_MADE):
            agent = chance.randrange(AGENTS)
            finished_call(server, f"call{n}", f"agent{agent}", f"team{agent % 4}", days_ago=n)
        yield server


def finished_call(server: Running, call_id: str, agent: str, team: str, days_ago: int) -> None:
    journal = server.calls.journal
    started = (datetime.now(UTC) - timedelta(days=days_ago)).isoformat(timespec="seconds")
    journal.open_call(call_id, started, agent, team=team)
    channels = (Channel.AGENT, Channel.CUSTOMER)
    begun = CallStarted(
        at_ms=0, call_id=call_id, started_at=started, channels=channels, source="test", agent=agent
    )
    journal.append(call_id, 1, [begun, CallEnded(at_ms=1_000)])
    journal.end_call(call_id, 1_000)


class Browser:
    """Somebody's cookies and CSRF token."""

    def __init__(self, server: Running, name: str | None = None) -> None:
        self._server = server
        self.headers: dict[str, str] = {}
        if name is not None:
            status, headers, _ = self.ask("POST", "/v1/sign-in", name=name, password=PASSWORD)
            assert status == 201 or status == 204
            self.headers["Cookie"] = headers["set-cookie"].partition(";")[0]
            self.headers[CSRF_HEADER] = json.loads(self.ask("GET", "/v1/me")[2])["csrf"]

    def ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, **body: Any
    ) -> tuple[int, dict[str, str], bytes]:
        given = {"Content-Type": "application/json", **self.headers, **(headers or {})}
        content = json.dumps(body) if method != "GET" else None
        port = self._server.port
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=100)) as connection:
            connection.request(method, path, content, given)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, found, answer.read()

    def calls(self) -> set[str]:
        found: set[str] = set()
        cursor = ""
        while True:
            path = f"/v1/calls?limit=7{cursor}"
            status, headers, body = self.ask("GET", path)
            assert status == 200
            found |= {row["call_id"] for row in json.loads(body)}
            if "x-next-cursor" not in headers:
                return found
            cursor = f"&cursor={headers['x-next-cursor']}"

    def ticket(self) -> str:
        status, _, body = self.ask("POST", "/v1/tickets")
        assert status == 200
        return str(json.loads(body)["ticket"])


def close_code(server: Running, call_id: str, ticket: str) -> int | None:
    """Open an event socket and return with which code it is refused, None when it is not."""
    with connect(f"ws://127.0.0.1:{server.port}/v1/calls/{call_id}/events") as socket:
        socket.send(json.dumps({"type": "ticket", "ticket": ticket}))
        try:
            while json.loads(socket.recv(timeout=20))["type"] != "snapshot":
                continue
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None
        return None


def test_each_agent_lists_and_opens_exactly_their_own_calls(centre: Running) -> None:
    rows = centre.calls.journal.calls()
    for n in range(0, AGENTS, 5):
        browser = Browser(centre, f"agent{n}")
        own = {row.call_id for row in rows if row.agent == f"agent{n}"}
        assert browser.calls() == own
        foreign = next(row.call_id for row in rows if row.agent != f"agent{n}")
        for call_id, status in ((min(own), 200), (foreign, 404), ("no-such-call", 404)):
            assert browser.ask("GET", f"/v1/calls/{call_id}/report.json")[0] == status
        assert close_code(centre, min(own), browser.ticket()) is None
        assert close_code(centre, foreign, browser.ticket()) == 4404


def test_a_supervisor_and_a_coach_see_their_team_alone(centre: Running) -> None:
    rows = centre.calls.journal.calls()
    team = {row.call_id for row in rows if row.team == "team1"}
    for name in ("supervisor", "coach"):
        browser = Browser(centre, name)
        assert browser.calls() == team
        foreign = next(row.call_id for row in rows if row.team != "team1")
        assert browser.ask("GET", f"/v1/calls/{min(team)}/report.json")[0] == 200
        assert browser.ask("GET", f"/v1/calls/{foreign}/report.json")[0] == 404


def test_a_foreign_call_and_an_unknown_one_get_the_same_answer(centre: Running) -> None:
    browser = Browser(centre, "agent0")
    foreign = next(r.call_id for r in centre.calls.journal.calls() if r.agent == "agent1")
    answers = [
        browser.ask("GET", f"/v1/calls/{call_id}/report.json")[2]
        for call_id in (foreign, "no-such-call")
    ]
    assert answers[0] == answers[1]


def test_an_auditor_reads_content_only_with_a_reason_that_is_written_down(
    centre: Running,
) -> None:
    browser = Browser(centre, "auditor")
    assert len(browser.calls()) == CALLS_MADE
    assert browser.ask("GET", "/v1/calls/call3/report.json")[0] == 404
    assert browser.ask("GET", "/v1/calls/call3/report.json?reason=complaint+4711")[0] == 200
    newest = centre.access.audit.entries(limit=1)[0]
    assert (newest.action, newest.subject, newest.note) == ("view_call", "call3", "complaint 4711")
    assert centre.access.audit.first_broken() is None


def test_nobody_gets_in_with_a_wrong_name_password_cookie_or_ticket(centre: Running) -> None:
    stranger = Browser(centre)
    for name, password in (("agent1", "not the password"), ("nobody", PASSWORD)):
        assert stranger.ask("POST", "/v1/sign-in", name=name, password=password)[0] == 401
    stranger.headers["Cookie"] = "heartline_session=guess"
    assert stranger.ask("GET", "/v1/calls")[0] == 401
    assert close_code(centre, "call3", "guess") == 4401


def test_the_sixth_wrong_password_within_a_minute_has_to_wait(centre: Running) -> None:
    stranger = Browser(centre)
    answers = [
        stranger.ask("POST", "/v1/sign-in", name="agent19", password="wrong wrong wrong")
        for _ in range(6)
    ]
    assert [status for status, _, _ in answers] == [401] * 5 + [429]
    assert 0 < int(answers[-1][1]["retry-after"]) <= 60
    assert stranger.ask("POST", "/v1/sign-in", name="agent19", password=PASSWORD)[0] == 429


def test_the_one_time_token_is_worth_nothing_once_there_are_users(centre: Running) -> None:
    assert Browser(centre).ask("POST", "/v1/session", token=centre.user.token)[0] == 401


@pytest.mark.parametrize(
    "headers",
    [
        {CSRF_HEADER: ""},
        {CSRF_HEADER: "0" * 64},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example"},
    ],
)
def test_a_change_from_another_page_is_refused(centre: Running, headers: dict[str, str]) -> None:
    browser = Browser(centre, "agent2")
    assert browser.ask("POST", "/v1/tickets", headers)[0] == 403
    assert browser.ask("POST", "/v1/tickets")[0] == 200


def test_shutting_a_user_out_closes_their_sockets_within_two_seconds(centre: Running) -> None:
    browser = Browser(centre, "agent4")
    own = min(browser.calls())
    with connect(f"ws://127.0.0.1:{centre.port}/v1/calls/{own}/events") as socket:
        socket.send(json.dumps({"type": "ticket", "ticket": browser.ticket()}))
        while json.loads(socket.recv(timeout=20))["type"] != "report":
            continue
        late = browser.ticket()
        centre.access.accounts.set_disabled("agent4", disabled=True)
        began = datetime.now(UTC)
        code = None
        with contextlib.suppress(TimeoutError):
            try:
                socket.recv(timeout=10)
            except ConnectionClosed as closed:
                code = closed.rcvd.code if closed.rcvd else None
        assert code == 4403
        assert datetime.now(UTC) - began < timedelta(seconds=4)
    assert close_code(centre, own, late) == 4401
    assert browser.ask("GET", "/v1/calls")[0] == 401
    centre.access.accounts.set_disabled("agent4", disabled=False)


def test_signing_out_ends_the_session(centre: Running) -> None:
    browser = Browser(centre, "agent6")
    assert browser.ask("GET", "/v1/calls")[0] == 200
    assert browser.ask("POST", "/v1/sign-out")[0] == 204
    assert browser.ask("GET", "/v1/calls")[0] == 401


def handlers(routes: Sequence[BaseRoute]) -> Iterator[tuple[str, BaseRouteHandler]]:
    for route in routes:
        found = getattr(route, "route_handlers", None) or [getattr(route, "route_handler", None)]
        for handler in found:
            answers_preflight = getattr(handler, "http_methods", None) == {"OPTIONS"}
            if isinstance(handler, BaseRouteHandler) and not answers_preflight:
                yield route.path, handler


def test_every_route_says_who_may_use_it(centre: Running) -> None:
    app = create_app(centre.calls, centre.access, Settings())
    seen = list(handlers(app.routes))
    assert len(seen) > 10
    for path, handler in seen:
        free = handler.opt.get("public") or handler.opt.get("vendor")
        assert free or isinstance(handler.opt.get("action"), Action), path


def test_each_role_gets_from_every_route_what_its_grants_say(centre: Running) -> None:
    app = create_app(centre.calls, centre.access, Settings())
    browsers = {role: Browser(centre, str(role)) for role in (
        Role.SUPERVISOR, Role.COACH, Role.AUDITOR, Role.ADMIN,
    )}  # fmt: skip
    browsers[Role.AGENT] = Browser(centre, "agent8")
    stranger = Browser(centre)
    asked = 0
    for path, handler in handlers(app.routes):
        action = handler.opt.get("action")
        methods = {"GET", "POST", "PUT", "PATCH", "DELETE"} & set(
            getattr(handler, "http_methods", ())
        )
        if action is None or not methods:
            continue
        for method in methods:
            url = re.sub(r"\{\w+:str\}", "no-such-call", path)
            assert stranger.ask(method, url)[0] == 401, path
            for role, browser in browsers.items():
                people = centre.access.accounts.list()
                person = next(
                    a.person
                    for a in people
                    if a.person.name == ("agent8" if role is Role.AGENT else str(role))
                )
                refused = browser.ask(method, url)[0] == 403
                assert refused is not person.may(action), (path, role)
                asked += 1
    assert asked >= 20
