"""Users: made, changed and recognised by name and password (argon2id)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from server.people.roles import Person, Role
from server.people.tenants import DEFAULT_TENANT, is_tenant
from server.store.database import StoreError
from server.store.tables import SESSIONS, USERS
from server.store.tenancy import Job, for_job, for_tenant

SHORTEST_PASSWORD = 12
"""Characters (OWASP ASVS 5.0, 6.2.1 asks for at least 8 and recommends 15)."""
LONGEST_PASSWORD = 256
_HASHER = PasswordHasher()


class AccountError(StoreError):
    """A user cannot be made or changed as asked."""

    code = "bad_account"


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A user as listed; never the password."""

    person: Person
    disabled: bool


class Accounts:
    """The users of this server, of all tenants: a name is there once, and says whose it is."""

    def __init__(self, database: sa.Engine) -> None:
        self._database = database
        self._engine = for_job(database, Job.SIGN_IN)
        self._nobody_hash = _HASHER.hash(secrets.token_urlsafe(16))
        """Checked for unknown names, so that an answer takes as long as for a known one."""

    def any(self) -> bool:
        """Whether there is a user at all; without one the server is for this machine alone."""
        with self._engine.connect() as connection:
            return connection.execute(sa.select(USERS.c.id).limit(1)).first() is not None

    def add(
        self,
        name: str,
        role: Role,
        password: str,
        *,
        teams: Sequence[str] = (),
        agent: str | None = None,
        tenant: str = DEFAULT_TENANT,
    ) -> Person:
        """Make a user; an agent's calls carry `agent`, by default the user's name.

        Raises:
            AccountError: the name is taken or empty, the password too short, the role not one
                for users, or the tenant's name not one.
        """
        check_tenant(tenant)
        if not name.strip():
            raise AccountError("A user needs a name.")
        if role is Role.LOCAL:
            raise AccountError("The role 'local' belongs to a server without users.")
        person = Person(
            id=f"u_{secrets.token_hex(8)}",
            name=name,
            role=role,
            teams=tuple(teams),
            agent=agent or (name if role is Role.AGENT else None),
            tenant=tenant,
        )
        row = {
            "id": person.id,
            "name": name,
            "role": str(role),
            "teams": list(teams),
            "agent": person.agent,
            "password_hash": _hash(password),
            "disabled": False,
        }
        try:
            with for_tenant(self._database, tenant).begin() as connection:
                connection.execute(sa.insert(USERS).values(row))
        except sa.exc.IntegrityError as error:
            raise AccountError(f"There is a user {name} already; choose another name.") from error
        return person

    def list(self) -> list[Account]:
        """Return all users by name."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(USERS).order_by(USERS.c.name)).mappings().all()
        return [Account(person=_person(row), disabled=row["disabled"]) for row in rows]

    def set_password(self, name: str, password: str) -> None:
        """Give a user another password and end their sessions.

        Raises:
            AccountError: there is no such user, or the password is too short.
        """
        self._change(name, password_hash=_hash(password))

    def set_disabled(self, name: str, *, disabled: bool) -> None:
        """Shut a user out and end their sessions, or let them in again.

        Raises:
            AccountError: there is no such user.
        """
        self._change(name, disabled=disabled)

    def set_role(self, name: str, role: Role, teams: Sequence[str]) -> None:
        """Give a user another role and teams and end their sessions.

        Raises:
            AccountError: there is no such user, or the role is not for users.
        """
        if role is Role.LOCAL:
            raise AccountError("The role 'local' belongs to a server without users.")
        self._change(name, role=str(role), teams=list(teams))

    def recognise(self, name: str, password: str) -> Person | None:
        """Return the user of this name and password; None when either is wrong.

        An unknown name, a wrong password and a disabled user cannot be told apart, in the answer
        or in its time.
        """
        with self._engine.connect() as connection:
            query = sa.select(USERS).where(USERS.c.name == name)
            row = connection.execute(query).mappings().first()
        known = row["password_hash"] if row is not None else self._nobody_hash
        try:
            _HASHER.verify(known, password[:LONGEST_PASSWORD])
        except (VerifyMismatchError, VerificationError, InvalidHashError):
            return None
        return None if row is None or row["disabled"] else _person(row)

    def named(self, name: str) -> Person | None:
        """Return a user by name; None when there is none or they are disabled."""
        with self._engine.connect() as connection:
            query = sa.select(USERS).where(USERS.c.name == name, ~USERS.c.disabled)
            row = connection.execute(query).mappings().first()
        return None if row is None else _person(row)

    def get(self, user_id: str) -> Person | None:
        """Return a user by id; None when there is none or they are disabled."""
        with self._engine.connect() as connection:
            query = sa.select(USERS).where(USERS.c.id == user_id, ~USERS.c.disabled)
            row = connection.execute(query).mappings().first()
        return None if row is None else _person(row)

    def _change(self, name: str, **values: object) -> None:
        with self._engine.begin() as connection:
            user_id = connection.scalar(sa.select(USERS.c.id).where(USERS.c.name == name))
            if user_id is None:
                raise AccountError(f"There is no user {name}; `heartline users list` shows them.")
            connection.execute(sa.update(USERS).where(USERS.c.id == user_id).values(**values))
            connection.execute(sa.delete(SESSIONS).where(SESSIONS.c.user_id == user_id))


def check_tenant(name: str) -> None:
    """Refuse what cannot be a tenant's name.

    Raises:
        AccountError: it cannot.
    """
    if not is_tenant(name):
        raise AccountError(
            f"A tenant's name has 1 to 32 small letters, digits and hyphens; not '{name}'."
        )


def _hash(password: str) -> str:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise AccountError(
            f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters; this one has "
            f"{len(password)}."
        )
    return _HASHER.hash(password)


def _person(row: sa.RowMapping) -> Person:
    return Person(
        id=row["id"],
        name=row["name"],
        role=Role(row["role"]),
        teams=tuple(row["teams"]),
        agent=row["agent"],
        tenant=row["tenant_id"],
    )
