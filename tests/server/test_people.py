"""Users, sessions, keys, limits and the audit log; on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from server.people.accounts import AccountError, Accounts
from server.people.audit import Audit, read_secret
from server.people.keys import ApiKeys
from server.people.limits import ACCOUNT_PER_MINUTE, ADDRESS_PER_MINUTE, AttemptLimiter
from server.people.roles import GRANTS, Action, Person, Role, Whose
from server.people.sessions import IDLE_MS, LONGEST_MS, Sessions, csrf_token
from server.store import open_database
from server.store.tables import AUDIT, SESSIONS, USERS
from server.store.tenancy import for_tenant

pytestmark = pytest.mark.server
PASSWORD = "a long enough password"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Clock:
    """Milliseconds that a test moves."""

    def __init__(self) -> None:
        self.now_ms = 1_000_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def engine(database: Path | str) -> Iterator[sa.Engine]:
    opened = open_database(database)
    yield opened
    opened.dispose()


@pytest.fixture
def accounts(engine: sa.Engine) -> Accounts:
    return Accounts(engine)


def test_a_user_is_recognised_by_name_and_password_alone(accounts: Accounts) -> None:
    assert not accounts.any()
    ann = accounts.add("ann", Role.AGENT, PASSWORD, teams=["billing"])
    assert accounts.any()
    assert accounts.recognise("ann", PASSWORD) == ann
    assert ann.agent == "ann"
    assert accounts.recognise("ann", PASSWORD + "!") is None
    assert accounts.recognise("bob", PASSWORD) is None


def test_passwords_are_kept_as_argon2id_only(accounts: Accounts, engine: sa.Engine) -> None:
    accounts.add("ann", Role.AGENT, PASSWORD)
    with for_tenant(engine).connect() as connection:
        kept = connection.scalar(sa.select(USERS.c.password_hash))
    assert str(kept).startswith("$argon2id$")
    assert PASSWORD not in str(kept)


def test_a_name_is_taken_once_and_a_short_password_refused(accounts: Accounts) -> None:
    accounts.add("ann", Role.AGENT, PASSWORD)
    with pytest.raises(AccountError, match="already"):
        accounts.add("ann", Role.COACH, PASSWORD)
    with pytest.raises(AccountError, match="12 to 256"):
        accounts.add("bob", Role.AGENT, "short")
    with pytest.raises(AccountError, match="local"):
        accounts.add("eve", Role.LOCAL, PASSWORD)
    with pytest.raises(AccountError, match="no user"):
        accounts.set_password("nobody", PASSWORD)


def test_a_disabled_user_is_a_stranger_until_enabled(accounts: Accounts) -> None:
    ann = accounts.add("ann", Role.AGENT, PASSWORD)
    accounts.set_disabled("ann", disabled=True)
    assert accounts.recognise("ann", PASSWORD) is None
    assert accounts.get(ann.id) is None
    accounts.set_disabled("ann", disabled=False)
    assert accounts.get(ann.id) == ann


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(engine: sa.Engine, accounts: Accounts, clock: Clock) -> Sessions:
    return Sessions(engine, accounts, clock)


def test_a_session_lives_while_it_is_used_and_twelve_hours_at_most(
    accounts: Accounts, sessions: Sessions, clock: Clock
) -> None:
    ann = accounts.add("ann", Role.AGENT, PASSWORD)
    token = sessions.open(ann)
    for _ in range(LONGEST_MS // (IDLE_MS - 1)):
        clock.now_ms += IDLE_MS - 1
        assert sessions.person(token) == ann
    clock.now_ms += IDLE_MS - 1
    assert sessions.person(token) is None


def test_an_idle_session_ends_and_checking_it_is_no_use(
    accounts: Accounts, sessions: Sessions, clock: Clock
) -> None:
    token = sessions.open(accounts.add("ann", Role.AGENT, PASSWORD))
    clock.now_ms += IDLE_MS
    assert sessions.person(token, used=False) is not None
    clock.now_ms += 1
    assert sessions.person(token) is None


def test_signing_out_or_other_rights_end_all_sessions_of_a_user(
    accounts: Accounts, sessions: Sessions
) -> None:
    ann = accounts.add("ann", Role.AGENT, PASSWORD)
    first, second = sessions.open(ann), sessions.open(ann)
    sessions.close(first)
    assert sessions.person(first) is None
    assert sessions.person(second) == ann
    accounts.set_role("ann", Role.SUPERVISOR, ["billing"])
    assert sessions.person(second) is None
    third = sessions.open(ann)
    accounts.set_disabled("ann", disabled=True)
    assert sessions.person(third) is None


def test_the_database_holds_no_token(
    accounts: Accounts, sessions: Sessions, engine: sa.Engine
) -> None:
    token = sessions.open(accounts.add("ann", Role.AGENT, PASSWORD))
    with for_tenant(engine).connect() as connection:
        assert token not in str(connection.execute(sa.select(SESSIONS)).all())
    assert csrf_token(token) != csrf_token(token + "x")


def test_a_key_is_recognised_until_it_ends_or_is_revoked(engine: sa.Engine) -> None:
    keys = ApiKeys(engine)
    key = keys.add("pbx", ["ingest"], expires_ms=5_000)
    found = keys.recognise(key, 4_999)
    assert found is not None
    assert found.scopes == ("ingest",)
    assert keys.recognise(key, 5_000) is None
    assert keys.recognise(key[:-1] + ("a" if key[-1] != "a" else "b"), 0) is None
    assert keys.recognise("nonsense", 0) is None
    keys.revoke(found.id)
    assert keys.recognise(key, 0) is None
    assert [k.revoked for k in keys.list()] == [True]
    with pytest.raises(AccountError, match="scopes"):
        keys.add("pbx", ["everything"])


def test_tries_are_limited_by_account_and_by_address() -> None:
    limiter = AttemptLimiter()
    for n in range(ACCOUNT_PER_MINUTE):
        assert limiter.wait_s("ann", f"10.0.0.{n}", 100.0) == 0
        limiter.failed("ann", f"10.0.0.{n}", 100.0)
    assert limiter.wait_s("ann", "10.0.0.99", 130.0) == pytest.approx(30.0)
    assert limiter.wait_s("bob", "10.0.0.99", 130.0) == 0
    assert limiter.wait_s("ann", "10.0.0.99", 161.0) == 0
    for n in range(ADDRESS_PER_MINUTE):
        limiter.failed(f"user{n}", "10.0.0.1", 200.0)
    assert limiter.wait_s("somebody", "10.0.0.1", 200.0) > 0


def test_a_changed_or_missing_row_of_the_audit_log_is_found(engine: sa.Engine) -> None:
    audit = Audit(engine, b"secret")
    for n in range(5):
        audit.add("ann", "view_call", f"call-{n}", NOW, "line\nbreak \x1b[31m")
    assert audit.first_broken() is None
    assert [entry.subject for entry in audit.entries(actor="ann", limit=2)] == ["call-4", "call-3"]
    assert "\n" not in audit.entries()[0].note
    assert "\x1b" not in audit.entries()[0].note
    with for_tenant(engine).begin() as connection:
        connection.execute(sa.update(AUDIT).where(AUDIT.c.seq == 3).values(subject="call-9"))
    assert audit.first_broken() == 3
    with for_tenant(engine).begin() as connection:
        connection.execute(sa.delete(AUDIT).where(AUDIT.c.seq == 2))
    assert audit.first_broken() == 2


def test_the_secret_of_a_folder_is_made_once_and_readable_by_its_owner_alone(
    tmp_path: Path,
) -> None:
    secret = read_secret(tmp_path)
    assert len(secret) == 32
    assert read_secret(tmp_path) == secret
    assert (tmp_path / "audit.key").stat().st_mode & 0o077 == 0


CALL = Whose(agent="ann", team="billing")
OTHER = Whose(agent="bob", team="sales")
NOBODYS = Whose(agent=None, team=None)


@pytest.mark.parametrize(
    ("role", "action", "own", "other"),
    [
        (Role.AGENT, Action.WATCH_LIVE, True, False),
        (Role.AGENT, Action.READ_CONTENT, True, False),
        (Role.AGENT, Action.NUDGE, False, False),
        (Role.AGENT, Action.MANAGE_PEOPLE, False, False),
        (Role.SUPERVISOR, Action.WATCH_LIVE, True, False),
        (Role.SUPERVISOR, Action.READ_CONTENT, True, False),
        (Role.SUPERVISOR, Action.COACH_SELF, False, False),
        (Role.COACH, Action.WATCH_LIVE, False, False),
        (Role.COACH, Action.READ_CONTENT, True, False),
        (Role.AUDITOR, Action.LIST_CALLS, True, True),
        (Role.AUDITOR, Action.READ_CONTENT, False, False),
        (Role.ADMIN, Action.WATCH_LIVE, False, False),
        (Role.ADMIN, Action.READ_CONTENT, False, False),
        (Role.LOCAL, Action.WATCH_LIVE, True, True),
    ],
)
def test_each_role_reaches_what_the_table_says(
    role: Role, action: Action, own: bool, other: bool
) -> None:
    person = Person(id="u", name="ann", role=role, teams=("billing",), agent="ann")
    assert person.may_with(action, CALL) is own
    assert person.may_with(action, OTHER) is other
    assert person.may_with(action, NOBODYS) is (role in (Role.LOCAL, Role.AUDITOR) and other)


def test_who_needs_a_reason_gets_content_only_with_one() -> None:
    for role in (Role.AUDITOR, Role.ADMIN):
        person = Person(id="u", name="eve", role=role)
        assert not person.may_with(Action.READ_CONTENT, CALL, "  ")
        assert person.may_with(Action.READ_CONTENT, CALL, "complaint 4711")


def test_every_role_has_its_grants() -> None:
    assert set(GRANTS) == set(Role)
