"""A server of several tenants: who signs in or calls reaches their own alone; both databases."""

from __future__ import annotations

import io
import itertools
import json
import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

import server.people.accounts
from server.access import CSRF_HEADER
from server.app import create_app
from server.people.keys import ApiKeys
from server.people.roles import Action, Person, Role, Whose
from server.people.sessions import csrf_token
from server.people.tenants import DEFAULT_TENANT, own_call_id
from server.runner import Running, running_server
from server.settings import Settings
from server.store import CallFilter
from server.store.tables import METADATA
from server.store.tenancy import Job
from tests.e2e.stage import StageCall
from tests.server.live import close_code, hearing, native, send_audio
from tests.server.test_access import PASSWORD, Browser
from tests.server.test_tenancy import call, canary

pytestmark = pytest.mark.server
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
_NUMBERS = itertools.count()


class Spy:
    """Every statement that a server sends to its database."""

    def __init__(self, database: sa.Engine) -> None:
        self.seen: list[tuple[Any, str, str]] = []
        sa.event.listen(database, "before_cursor_execute", self._note)

    def _note(
        self, _c: Any, _cursor: Any, statement: str, given: Any, context: Any, _many: bool
    ) -> None:
        options = {} if context is None else context.execution_options
        self.seen.append((options.get("heartline_tenant"), statement, str(given)))

    def faults(self) -> list[str]:
        """Statements that touch a table without a predicate for the tenant they are for."""
        return sorted({statement for one in self.seen if (statement := _fault(*one))})


def _fault(whose: Any, statement: str, given: str) -> str:
    if isinstance(whose, Job) or statement.startswith(("VACUUM", "PRAGMA")):
        return ""
    for table in METADATA.tables:
        if re.match(rf"INSERT INTO {table}\b", statement):
            good = "tenant_id" in statement.partition("VALUES")[0] and f"'{whose}'" in given
            return "" if good else statement
        named = len(re.findall(rf"(?:FROM|JOIN|UPDATE|,)\s+{table}\b(?!\.)", statement))
        narrowed = statement.count(f"{table}.tenant_id = ")
        nothing = len(re.findall(r"WHERE (?:0 = 1|false)(?: |\)|$)", statement))
        if narrowed + nothing < named or (narrowed and f"'{whose}'" not in given):
            return statement
    return ""


def test_the_spy_finds_what_is_not_narrowed() -> None:
    for statement in (
        "SELECT calls.call_id FROM calls WHERE calls.agent = ?",
        "SELECT calls.call_id FROM calls WHERE calls.tenant_id = ? AND calls.call_id IN "
        "(SELECT events.call_id FROM events)",
        "DELETE FROM events WHERE events.call_id = ?",
        "INSERT INTO calls (call_id) VALUES (?)",
    ):
        assert _fault("acme", statement, "('acme',)") == statement
    good = "UPDATE calls SET live=? WHERE calls.tenant_id = ?"
    assert _fault("acme", good, "(1, 'acme')") == ""
    assert _fault("acme", good, "(1, 'zeta')") == good


@contextmanager
def serving(database: Path | str, tmp_path: Path) -> Iterator[tuple[Running, Spy]]:
    given = Settings()
    server_settings = msgspec.structs.replace(given.server, data=str(tmp_path))
    chosen = msgspec.structs.replace(given, server=server_settings)
    with running_server(hearing(), database, settings=chosen) as running:
        yield running, Spy(running.calls.journal.database)


def signed_in(server: Running, person: Person) -> Browser:
    browser, token = Browser(server), server.access.sessions.open(person)
    browser.headers = {"Cookie": f"heartline_session={token}", CSRF_HEADER: csrf_token(token)}
    return browser


def text_of(answer: tuple[int, dict[str, str], bytes]) -> str:
    """Return everything that an answer says, that of an archive's files included."""
    _, headers, body = answer
    if headers.get("content-type") != "application/zip":
        return body.decode()
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return "\n".join(name + archive.read(name).decode() for name in archive.namelist())


CALLS_OF_A_CENTRE = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.sampled_from(["ann", "bo"]), st.sampled_from("xy"), st.booleans()
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda drawn: drawn[0],
)
WITHOUT_ID = (
    "/v1/calls", "/v1/calls?agent=ann", "/v1/calls?reason=talk_over", "/v1/promises?show=all",
    "/v1/trends/scopes", "/v1/me/data", "/v1/me/data.zip", "/v1/erasure-requests", "/v1/practice",
    "/v1/landing", "/v1/me",
)  # fmt: skip
BODIES: dict[str, dict[str, Any]] = {
    "disputes": {"span": "ov-1", "verdict": "was_needed"},
    "{request_id:str}": {"verdict": "erase"},
    "{promise_id:str}": {"status": "kept"},
    "turns": {"text": "hello"},
}


def routes_with_id(server: Running) -> list[tuple[str, str]]:
    """Return method and path of every route that an id stands in."""
    found = [
        (method, route.path)
        for route in create_app(server.calls, server.access, Settings()).routes
        for handler in getattr(route, "route_handlers", ())
        if isinstance(handler.opt.get("action"), Action) and "{" in route.path
        for method in handler.http_methods - {"HEAD", "OPTIONS"}
    ]
    assert len(found) >= 16, found
    return found


class Centre:
    """One tenant: its people, calls and requests."""

    def __init__(self, server: Running, tenant: str, drawn: Sequence[Any], mark: str) -> None:
        self.server, self.tenant = server, tenant
        self.journal = server.calls.journal.of(tenant)
        people = server.access.accounts
        self.people = {
            role: people.add(
                f"{role}{tenant}{mark}", role, PASSWORD, teams=["x"],
                agent="ann" if role is Role.AGENT else None, tenant=tenant,
            )
            for role in (Role.AGENT, Role.SUPERVISOR, Role.COACH, Role.AUDITOR, Role.ADMIN)
        }  # fmt: skip
        self.calls = {
            call(self.journal, f"{name}{mark}", agent, team, live=live): (agent, team, live)
            for name, agent, team, live in drawn
        }
        for name, (agent, team, live) in self.calls.items():
            if live:
                whose = Whose(agent=agent, team=team, tenant=tenant)
                staged = StageCall(name, self.journal, whose)
                staged.live.publish(self.journal.events(name), 1_000)
                server.calls.running[name] = cast(Any, staged)
        asked = signed_in(server, self.people[Role.AGENT]).ask("POST", "/v1/me/erasure")
        self.request = json.loads(asked[2])["id"]

    def rows(self) -> dict[str, list[Any]]:
        """Return everything that is kept of it, but who was there and what the clock changes."""
        with self.journal.engine.connect() as connection:
            return {
                name: sorted(map(str, connection.execute(sa.select(*_lasting(table))).all()))
                for name, table in METADATA.tables.items()
                if name not in ("sessions", "audit")
            }

    def seen_by(self, person: Person) -> set[str]:
        """Return the calls that a person's list has, by what roles may."""
        return {
            name
            for name, (agent, team, live) in self.calls.items()
            if person.may_with(Action.LIST_CALLS, Whose(agent=agent, team=team, tenant=self.tenant))
        }

    def leave(self) -> None:
        for name in self.calls:
            self.server.calls.running.pop(name, None)


def _lasting(table: sa.Table) -> list[sa.Column[Any]]:
    changes = {"status", "told"} if table.name == "promises" else set()
    return [column for column in table.c if column.name not in changes]


def look_around(
    here: Centre, there: Centre, roles: Sequence[Role], routes: Sequence[tuple[str, str]]
) -> None:
    """Let people of one tenant ask for everything, and for all that another has."""
    word = canary(there.tenant)
    foreign = {"call_id": next(iter(there.calls)), "request_id": there.request}
    foreign["promise_id"] = f"{foreign['call_id']}.promise-1"
    for role in roles:
        person = here.people[role]
        browser = signed_in(here.server, person)
        for path in WITHOUT_ID:
            text = text_of(browser.ask("GET", path))
            assert word not in text, (role, path)
            assert not [name for name in there.calls if "~" in name and name in text]
        listed = {row["call_id"] for row in json.loads(browser.ask("GET", "/v1/calls")[2])}
        assert here.seen_by(person) <= listed
        assert not {name for name in there.calls if "~" in name} & listed
        for method, path in routes:
            body = next((b for part, b in BODIES.items() if path.endswith(part)), {})
            answers = []
            for ids in (foreign, {key: "unknown" for key in foreign}):
                asked = re.sub(r"\{(\w+):str\}", lambda m: ids[m[1]], path) + "?reason=audit"  # noqa: B023
                answers.append(browser.ask(method, asked, **body))
            (status, _, said), (unknown, _, of_unknown) = answers
            same = said.replace(foreign["call_id"].encode(), b"unknown") == of_unknown
            assert status == unknown >= 400, (role, method, path, status, unknown)
            assert same, (role, method, path, said, of_unknown)
        _look_at_sockets(here, there, person, browser)


def _look_at_sockets(here: Centre, there: Centre, person: Person, browser: Browser) -> None:
    live = f"ws://127.0.0.1:{here.server.port}/v1"
    for name in there.calls:
        for way in ({}, {"as": "watch"}):
            with connect(f"{live}/calls/{name}/events") as socket:
                socket.send(json.dumps({"type": "ticket", "ticket": browser.ticket(), **way}))
                assert close_code(socket) == 4404, (person.role, name)
    if not person.may(Action.NUDGE):
        return
    with connect(f"{live}/live") as socket:
        socket.send(json.dumps({"type": "ticket", "ticket": browser.ticket()}))
        assert json.loads(socket.recv(timeout=20))["type"] == "hello"
        cards = json.loads(socket.recv(timeout=20))["cards"]
        shown = {card["call_id"] for card in cards}
        own = {name for name, (_, team, on) in here.calls.items() if on and team == "x"}
        assert shown == own
        for name in there.calls:
            socket.send(json.dumps({"type": "nudge", "call_id": name, "nudge": "n", "text": "hey"}))
    with pytest.raises(ConnectionClosed):
        socket.recv(timeout=20)


def test_two_tenants_read_and_write_nothing_of_each_other(
    database: Path | str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.people.accounts, "_HASHER", CHEAP)
    with serving(database, tmp_path) as (running, spy):
        routes = routes_with_id(running)

        @settings(
            max_examples=5,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(
            st.tuples(CALLS_OF_A_CENTRE, CALLS_OF_A_CENTRE),
            st.booleans(),
            st.lists(
                st.sampled_from([role for role in Role if role is not Role.LOCAL]),
                min_size=2, max_size=2, unique=True,
            ),
        )  # fmt: skip
        def try_it(drawn: tuple[Any, Any], with_default: bool, roles: list[Role]) -> None:
            mark = str(next(_NUMBERS))
            names = (DEFAULT_TENANT if with_default else f"north{mark}", f"south{mark}")
            centres = [
                Centre(running, tenant, of, mark) for tenant, of in zip(names, drawn, strict=True)
            ]
            try:
                for here, there in (centres, centres[::-1]):
                    kept = there.rows()
                    look_around(here, there, roles, routes)
                    assert there.rows() == kept
            finally:
                for centre in centres:
                    centre.leave()

        try_it()
        assert spy.faults() == []
        crossing = {whose for whose, _, _ in spy.seen if isinstance(whose, Job)}
        assert crossing <= {
            Job.SIGN_IN,
            Job.COMMIT,
            Job.AUDIT_CHAIN,
            Job.PROMISE_CLOCK,
            Job.DELIVERY,
        }
        assert len(spy.seen) > 1_000


def test_a_key_brings_calls_to_its_tenant_and_reaches_no_others(
    database: Path | str, tmp_path: Path
) -> None:
    with serving(database, tmp_path) as (running, spy):
        keys, scopes = ApiKeys(running.calls.journal.database), ["ingest", "read"]
        bearer = {
            tenant: {"Authorization": f"Bearer {keys.add('pbx', scopes, tenant=tenant)}"}
            for tenant in ("acme", "zeta", DEFAULT_TENANT)
        }
        for tenant, headers in bearer.items():
            with native(running, headers, call_id="same", agent="ann") as (source, started):
                assert started["call_id"] == own_call_id(tenant, "same")
                send_audio(source, 0, 500)
                source.send('{"type":"stop"}')
                assert close_code(source) == 1000
        for tenant, call_id in (("zeta", "acme~same"), (DEFAULT_TENANT, "acme~same")):
            for more in ({}, {"resume_from_ms": 0}):
                with (
                    pytest.raises(ConnectionClosed) as refused,
                    native(running, bearer[tenant], call_id=call_id, **more),
                ):
                    pass
                assert refused.value.rcvd is not None
                assert (refused.value.rcvd.code, refused.value.rcvd.reason) == (4400, "bad_start")
        for tenant in bearer:
            rows = running.calls.journal.of(tenant).find_calls(CallFilter()).calls
            assert [row.call_id for row in rows] == [own_call_id(tenant, "same")]
        browser = Browser(running)
        assert browser.ask("GET", "/metrics", bearer["acme"])[0] == 401
        assert browser.ask("GET", "/metrics", bearer[DEFAULT_TENANT])[0] == 200
        assert spy.faults() == []


def test_what_is_the_whole_servers_is_for_the_default_tenant(
    database: Path | str, tmp_path: Path
) -> None:
    with serving(database, tmp_path) as (running, _):
        people = running.access.accounts
        for tenant, reached in (("acme", False), (DEFAULT_TENANT, True)):
            admin = people.add(
                f"root-{tenant}", Role.ADMIN, "a long enough password", tenant=tenant
            )
            browser = signed_in(running, admin)
            assert (browser.ask("GET", "/metrics")[0] == 200) is reached
            status, _, _ = browser.ask("POST", "/v1/calls/expected", id="x")
            assert status == (204 if reached else 403)
            changes = {"talk_over": {"enabled": False}}
            status, _, _ = browser.ask("POST", "/v1/rules", changes=changes)
            assert (status == 403) is not reached
            offered = json.loads(browser.ask("GET", "/v1/me")[2])["actions"]
            assert ("edit_rules" in offered) is reached
        entries = [e for e in running.access.audit.entries() if e.action == "edit_rules"]
        assert {entry.tenant for entry in entries} <= {DEFAULT_TENANT}
