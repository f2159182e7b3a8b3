"""Keys of the machines that send calls: `hl_<id>.<secret>`, shown once, kept as a hash."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection

import msgspec
import sqlalchemy as sa

from server.people.accounts import AccountError, check_tenant
from server.people.tenants import DEFAULT_TENANT
from server.store.tables import API_KEYS
from server.store.tenancy import Job, for_job, for_tenant

SCOPES = frozenset({"ingest", "replay", "read", "admin"})


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as listed; never the secret."""

    id: str
    label: str
    scopes: tuple[str, ...]
    expires_ms: int | None
    revoked: bool
    tenant: str
    """Whose calls come with it."""


class ApiKeys:
    """The keys of this server, of all tenants; times are milliseconds since 1970 UTC."""

    def __init__(self, database: sa.Engine) -> None:
        self._database = database
        self._engine = for_job(database, Job.SIGN_IN)

    def add(
        self,
        label: str,
        scopes: Collection[str],
        *,
        expires_ms: int | None = None,
        tenant: str = DEFAULT_TENANT,
    ) -> str:
        """Make a key and return it in full, for this one time.

        Raises:
            AccountError: a scope is not known, or the tenant's name is none.
        """
        check_tenant(tenant)
        unknown = set(scopes) - SCOPES
        if unknown or not scopes:
            known, given = ", ".join(sorted(SCOPES)), ", ".join(sorted(unknown)) or "none"
            raise AccountError(f"The scopes of a key are {known}; not {given}.")
        key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
        row = {
            "id": key_id,
            "label": label,
            "secret_sha256": hashlib.sha256(secret.encode()).hexdigest(),
            "scopes": sorted(scopes),
            "expires_ms": expires_ms,
            "revoked": False,
        }
        with for_tenant(self._database, tenant).begin() as connection:
            connection.execute(sa.insert(API_KEYS).values(row))
        return f"hl_{key_id}.{secret}"

    def list(self) -> list[ApiKey]:
        """Return all keys by label."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(API_KEYS).order_by(API_KEYS.c.label)).mappings()
            return [_key(row) for row in rows]

    def revoke(self, key_id: str) -> None:
        """End a key for good.

        Raises:
            AccountError: there is no such key.
        """
        with self._engine.begin() as connection:
            done = connection.execute(
                sa.update(API_KEYS).where(API_KEYS.c.id == key_id).values(revoked=True)
            )
            if done.rowcount == 0:
                raise AccountError(f"There is no key {key_id}; `heartline keys list` shows them.")

    def recognise(self, key: str, now_ms: int) -> ApiKey | None:
        """Return the key that somebody sent; None when it is wrong, over or revoked."""
        key_id, _, secret = key.removeprefix("hl_").partition(".")
        with self._engine.connect() as connection:
            query = sa.select(API_KEYS).where(API_KEYS.c.id == key_id)
            row = connection.execute(query).mappings().first()
        known = row["secret_sha256"] if row is not None else "0" * 64
        good = hmac.compare_digest(known, hashlib.sha256(secret.encode()).hexdigest())
        if row is None or not good or row["revoked"]:
            return None
        over = row["expires_ms"] is not None and now_ms >= row["expires_ms"]
        return None if over else _key(row)


def _key(row: sa.RowMapping) -> ApiKey:
    return ApiKey(
        id=row["id"],
        label=row["label"],
        scopes=tuple(row["scopes"]),
        expires_ms=row["expires_ms"],
        revoked=row["revoked"],
        tenant=row["tenant_id"],
    )
