"""The receivers: added, listed and removed by whoever runs the server."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from server.people.tenants import DEFAULT_TENANT
from server.store.database import StoreError
from server.store.tables import OUTBOX, WEBHOOKS
from server.store.tenancy import for_tenant
from server.webhooks.messages import TYPES

MOST_HOOKS = 50


class WebhookError(StoreError):
    """A receiver cannot be added or changed as asked."""

    code = "bad_webhook"


class Hook(msgspec.Struct, frozen=True, kw_only=True):
    """One receiver."""

    id: str
    url: str
    types: tuple[str, ...]
    failing_since_ms: int | None = None
    """Since when nothing has arrived there; None while all is well."""
    disabled: bool = False


class Hooks:
    """A tenant's receivers."""

    def __init__(self, database: sa.Engine, tenant: str = DEFAULT_TENANT) -> None:
        self._engine = for_tenant(database, tenant)

    def add(self, url: str, types: Sequence[str] = ()) -> Hook:
        """Add a receiver of some types of message, of all by default.

        Raises:
            WebhookError: a type is not known, or there are too many receivers.
        """
        unknown = [type_ for type_ in types if type_ not in TYPES]
        if unknown:
            raise WebhookError(f"There is no message {unknown[0]}; there are {', '.join(TYPES)}.")
        if len(self.list()) >= MOST_HOOKS:
            raise WebhookError(f"There are {MOST_HOOKS} receivers already; remove one first.")
        hook = Hook(id=f"wh_{secrets.token_hex(8)}", url=url, types=tuple(types) or TYPES)
        with self._engine.begin() as connection:
            connection.execute(sa.insert(WEBHOOKS).values(msgspec.to_builtins(hook)))
        return hook

    def list(self) -> list[Hook]:
        """Return all receivers."""
        with self._engine.connect() as connection:
            return read_hooks(connection)

    def get(self, hook_id: str) -> Hook:
        """Return one receiver.

        Raises:
            WebhookError: there is none of this id.
        """
        for hook in self.list():
            if hook.id == hook_id:
                return hook
        raise WebhookError(f"There is no receiver {hook_id}; `heartline webhooks list` shows them.")

    def remove(self, hook_id: str) -> None:
        """Forget a receiver and what was still to be told to it.

        Raises:
            WebhookError: there is none of this id.
        """
        self.get(hook_id)
        with self._engine.begin() as connection:
            connection.execute(sa.delete(OUTBOX).where(OUTBOX.c.hook_id == hook_id))
            connection.execute(sa.delete(WEBHOOKS).where(WEBHOOKS.c.id == hook_id))

    def enable(self, hook_id: str) -> None:
        """Tell a receiver again that was given up.

        Raises:
            WebhookError: there is none of this id.
        """
        self.get(hook_id)
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(WEBHOOKS)
                .where(WEBHOOKS.c.id == hook_id)
                .values(disabled=False, failing_since_ms=None)
            )


def read_hooks(connection: sa.Connection) -> list[Hook]:
    """Return all receivers that the connection reaches, by id."""
    rows = connection.execute(sa.select(WEBHOOKS).order_by(WEBHOOKS.c.id)).mappings()
    return [
        Hook(
            **{name: row[name] for name in Hook.__struct_fields__ if name != "types"},
            types=tuple(row["types"]),
        )
        for row in rows
    ]
