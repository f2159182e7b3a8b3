"""Tenants see, change and disturb nothing of each other's; on SQLite and PostgreSQL."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from typer.testing import CliRunner

import server.people.accounts
from conversation.events import (
    CallEnded,
    CallStarted,
    Channel,
    Event,
    FinalTranscript,
    PromiseMade,
    PromiseReviewed,
)
from server.cli import app
from server.people.accounts import Accounts
from server.people.audit import Audit
from server.people.keys import ApiKeys
from server.people.roles import Action
from server.people.tenants import DEFAULT_TENANT, own_call_id
from server.store import Journal
from server.store.promises import PromiseFilter, PromiseSettings, find, tick
from server.store.retention import RetentionSettings, expire
from server.store.tables import CALLS, EVENTS, METADATA, USERS
from server.store.tenancy import Job, TenancyError, for_job, for_tenant, tenants_of
from server.webhooks.hooks import Hooks
from server.webhooks.outbox import Outbox
from tests.server.test_access import PASSWORD

pytestmark = pytest.mark.server
NOW = datetime.now(UTC)


# ------------------------------------------------------------------- what statements may do


@pytest.fixture
def journal(database: Path | str) -> Iterator[Journal]:
    with closing(Journal(database)) as opened:
        yield opened


def test_a_statement_that_says_not_for_whom_it_is_is_refused(journal: Journal) -> None:
    for statement in (
        sa.select(CALLS.c.call_id),
        sa.select(sa.func.count()).select_from(CALLS),
        sa.insert(EVENTS),
        sa.update(USERS).values(name="x"),
        sa.delete(USERS),
        sa.select(sa.literal(1).in_(sa.select(EVENTS.c.seq))),
    ):
        with (
            journal.database.connect() as connection,
            pytest.raises(TenancyError, match="not for which tenant"),
        ):
            connection.execute(statement)


def test_a_job_touches_its_own_tables_alone_and_inserts_for_somebody(journal: Journal) -> None:
    with for_job(journal.database, Job.READINESS).connect() as connection:
        with pytest.raises(TenancyError, match="does not include events"):
            connection.execute(sa.select(CALLS).where(CALLS.c.call_id.in_(sa.select(EVENTS))))
        with pytest.raises(TenancyError, match="without a tenant"):
            connection.execute(sa.insert(CALLS), {"call_id": "x"})


def test_what_cannot_be_narrowed_is_refused(journal: Journal) -> None:
    with journal.engine.connect() as connection, pytest.raises(TenancyError, match="alias"):
        connection.execute(sa.select(CALLS.alias()))


def test_every_table_says_whose_its_rows_are() -> None:
    assert [table.name for table in METADATA.tables.values() if "tenant_id" not in table.c] == []


def test_what_answers_requests_has_the_record_of_the_askers_tenant_alone() -> None:
    folder = Path(server.people.accounts.__file__).parents[1]
    everybodys = {
        path.name
        for path in folder.rglob("*.py")
        if re.search(r"calls\.journal(?!\.of\()\b", path.read_text("utf-8"))
    }
    # The last two are commands of one person at this machine; Contact Lens is the default tenant's.
    assert everybodys == {"app.py", "runner.py", "contact_lens.py", "cli.py", "run.py"}


def test_an_id_of_another_tenant_can_be_neither_written_nor_taken() -> None:
    assert own_call_id(DEFAULT_TENANT, "c-1") == "c-1"
    assert own_call_id("acme", "c-1") == own_call_id("acme", "acme~c-1") == "acme~c-1"
    for tenant, call_id in ((DEFAULT_TENANT, "acme~c"), ("zeta", "acme~c"), ("acme", "c" * 64)):
        with pytest.raises(ValueError, match="call_id"):
            own_call_id(tenant, call_id)


def test_what_was_there_before_tenants_is_the_default_ones(database: Path | str) -> None:
    url = f"sqlite:///{database}" if isinstance(database, Path) else database
    engine, config = sa.create_engine(url), Config()
    config.set_main_option("script_location", "server.store:migrations")
    secret = b"seal"
    before = {"seq": 1, "at": "2026", "actor": "u", "action": "a", "subject": "s", "note": "n"}
    sealed = msgspec.json.encode(["", before])
    mac = hmac.new(secret, sealed, hashlib.sha256).hexdigest()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0007")
        connection.exec_driver_sql(
            "INSERT INTO calls (call_id, started_at, started_ms, live, duration_ms, legal_hold) "
            "VALUES ('old', '2026-01-01T00:00:00+00:00', 5, false, 9, false)"
        )
        columns, values = ", ".join(before), ", ".join(repr(value) for value in before.values())
        added = f"INSERT INTO audit ({columns}, mac) VALUES ({values}, '{mac}')"  # noqa: S608 - ours
        connection.exec_driver_sql(added)
    engine.dispose()
    with closing(Journal(database)) as journal:
        assert [row.call_id for row in journal.calls()] == ["old"]
        assert journal.of("acme").calls() == []
        audit = Audit(journal.database, secret)
        assert audit.first_broken() is None
        audit.add("u", "b", "s", NOW, tenant="acme")
        assert audit.first_broken() is None
        with for_tenant(journal.database, "acme").begin() as connection:
            audits = METADATA.tables["audit"]
            connection.execute(sa.update(audits).values(tenant_id=DEFAULT_TENANT))
        assert audit.first_broken() == 2, "a row that changes its tenant is found"


# ------------------------------------------------------------------------ jobs for everybody


def call(
    journal: Journal, call_id: str, agent: str, team: str, *, live: bool = False, days_ago: int = 0
) -> str:
    """Enter a call that says a word of its tenant's own; return its id."""
    name, word = own_call_id(journal.tenant, call_id), canary(journal.tenant)
    began = NOW - timedelta(days=days_ago, hours=1)
    started = began.isoformat(timespec="seconds")
    journal.open_call(name, started, agent, team=team, customer=word)
    opening: list[Event] = [
        CallStarted(
            at_ms=0, call_id=name, started_at=started, channels=(Channel.AGENT, Channel.CUSTOMER),
            source="test", agent=agent,
        ),
        FinalTranscript(
            at_ms=900, channel=Channel.AGENT, utterance_id="a-1", rev=1, start_ms=0, end_ms=800,
            text=word,
        ),
        PromiseMade(
            at_ms=901, id="promise-1", text=word, what=word, due="at once",
            due_at=(began + timedelta(minutes=1)).isoformat(), precision="minute", confidence=0.9,
            start_ms=0,
        ),
        PromiseReviewed(at_ms=902, promise_id="promise-1", verdict="confirmed"),
    ]  # fmt: skip
    journal.append(name, 1, opening if live else [*opening, CallEnded(at_ms=1_000)])
    if not live:
        journal.end_call(name, 1_000)
    return name


def canary(tenant: str) -> str:
    return f"canary-{tenant}-"


def test_receivers_are_told_of_their_own_tenants_calls_and_promises(journal: Journal) -> None:
    outbox = Outbox(journal.database)
    outbox.follow_journal()
    hooks = {
        Hooks(journal.database, tenant).add(f"https://{tenant}.example/").id: tenant
        for tenant in ("acme", "zeta", DEFAULT_TENANT)
    }
    for tenant in ("acme", "zeta"):
        call(journal.of(tenant), "same", "ann", "x")
    tick(journal.database, PromiseSettings(), now=NOW, tell=outbox.tell_of_promises)
    told = [(hooks[waiting.hook.id], json.loads(waiting.body)) for waiting in outbox.take()]
    assert {tenant for tenant, _ in told} == {"acme", "zeta"}
    assert all(message["subject"] == f"{tenant}~same" for tenant, message in told)
    assert {message["type"].rpartition(".")[2] for _, message in told} == {
        "started", "ended", "ready", "confirmed", "overdue",
    }  # fmt: skip
    assert [hook.url for hook in Hooks(journal.database, "acme").list()] == [
        "https://acme.example/"
    ]


def test_retention_reaches_every_tenant_and_certifies_each_by_itself(journal: Journal) -> None:
    ApiKeys(journal.database).add("pbx", ["ingest"], tenant="acme")
    assert tenants_of(journal.database) == ["acme", DEFAULT_TENANT]
    for tenant in ("acme", DEFAULT_TENANT):
        call(journal.of(tenant), "old", "ann", "x", days_ago=400)
        call(journal.of(tenant), "new", "ann", "x")
    done = expire(journal.database, RetentionSettings(), now=NOW)
    assert [certificate.calls for certificate in done] == [1, 1]
    assert [row.call_id for row in journal.of("acme").calls()] == ["acme~new"]
    assert [row.call_id for row in journal.calls()] == ["new"]


def test_the_command_line_makes_people_keys_and_receivers_of_a_tenant(tmp_path: Path) -> None:
    def run(*arguments: str) -> str:
        given = [*arguments, "--data", str(tmp_path)]
        environment = {"PASSWORD": PASSWORD, "COLUMNS": "200"}
        return CliRunner().invoke(app, given, env=environment).output

    of_acme = ("--tenant", "acme")
    made = run("users", "add", "root", "--role", "admin", *of_acme)
    assert "root may sign in as admin of the tenant acme." in made
    refused = run("users", "add", "bob", "--role", "agent", "--tenant", "Acme Inc")
    assert "bob may" not in refused
    run("keys", "add", "pbx", *of_acme)
    run("webhooks", "add", "https://crm.example/in", *of_acme)
    for words in (("users", "list"), ("keys", "list"), ("audit",)):
        assert "acme" in run(*words), words
    assert "crm.example" in run("webhooks", "list", *of_acme)
    assert "crm.example" not in run("webhooks", "list")
    with closing(Journal(tmp_path / "heartline.db")) as journal:
        assert tenants_of(journal.database) == ["acme", DEFAULT_TENANT]
        assert not Accounts(journal.database).list()[0].person.may(Action.EDIT_RULES)


def test_promises_are_found_in_ones_own_tenant_alone(journal: Journal) -> None:
    for tenant in ("acme", "zeta"):
        call(journal.of(tenant), "same", "ann", "x")
    found, _ = find(for_tenant(journal.database, "acme"), PromiseFilter(agent="ann"))
    assert [(promise.id, promise.what) for promise in found] == [
        ("acme~same.promise-1", canary("acme"))
    ]
