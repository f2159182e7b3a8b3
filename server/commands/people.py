"""`heartline users`, `heartline keys` and `heartline audit`: who may sign in, who did what."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer
from rich.table import Table

from server.commands.shared import OUT, ConfigFile, DataFolder, TenantName, read_settings
from server.people.accounts import Accounts
from server.people.audit import Audit, read_secret
from server.people.keys import SCOPES, ApiKeys
from server.people.roles import Role
from server.people.tenants import DEFAULT_TENANT
from server.store import StoreError, open_database

_ACTOR = "command line"

Name = Annotated[str, typer.Argument(help="The name to sign in with.")]
TheirRole = Annotated[Role, typer.Option(help="What they are to the centre.")]
Teams = Annotated[list[str] | None, typer.Option("--team", help="A team; may be repeated.")]
Password = Annotated[
    str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True, envvar="PASSWORD")
]

users = typer.Typer(
    help="Who may sign in. With the first user the dashboards ask everybody for a password.",
    no_args_is_help=True,
)
keys = typer.Typer(help="Keys of the machines that send calls.", no_args_is_help=True)


@users.command("add")
def add_user(
    name: Name,
    role: TheirRole,
    password: Password,
    team: Teams = None,
    agent: Annotated[str | None, typer.Option(help="Name that their calls carry [NAME].")] = None,
    tenant: TenantName = DEFAULT_TENANT,
    data: DataFolder = None,
    config: ConfigFile = None,
) -> None:
    """Add a user; the password is asked for, or read from the variable PASSWORD."""
    with _records(data, config) as (engine, audit):
        Accounts(engine).add(name, role, password, teams=team or (), agent=agent, tenant=tenant)
        audit.add(_ACTOR, "add_user", name, datetime.now(UTC), str(role), tenant=tenant)
    OUT.print(f"{name} may sign in as {role}{_of(tenant)}.", highlight=False)


@users.command("add-at-provider")
def add_user_at_provider(
    name: Annotated[str, typer.Argument(help="What the provider's claim says, such as an e-mail.")],
    role: TheirRole,
    team: Teams = None,
    agent: Annotated[str | None, typer.Option(help="Name that their calls carry [NAME].")] = None,
    tenant: TenantName = DEFAULT_TENANT,
    data: DataFolder = None,
    config: ConfigFile = None,
) -> None:
    """Add a user who signs in at the provider of [oidc] alone and has no password here."""
    with _records(data, config) as (engine, audit):
        nobody_knows = secrets.token_urlsafe(32)
        accounts = Accounts(engine)
        accounts.add(name, role, nobody_knows, teams=team or (), agent=agent, tenant=tenant)
        audit.add(_ACTOR, "add_user", name, datetime.now(UTC), str(role), tenant=tenant)
    OUT.print(f"{name} may sign in at the provider as {role}{_of(tenant)}.", highlight=False)


@users.command("list")
def list_users(data: DataFolder = None, config: ConfigFile = None) -> None:
    """List all users, of every tenant."""
    table = Table("Name", "Tenant", "Role", "Teams", "Calls carry", "May sign in")
    with _records(data, config) as (engine, _):
        for account in Accounts(engine).list():
            person = account.person
            may = "no" if account.disabled else "yes"
            teams = ", ".join(person.teams)
            table.add_row(person.name, person.tenant, person.role, teams, person.agent or "–", may)
    OUT.print(table)


@users.command("disable")
def disable_user(name: Name, data: DataFolder = None, config: ConfigFile = None) -> None:
    """Shut a user out; their dashboards close within two seconds."""
    with _records(data, config) as (engine, audit):
        Accounts(engine).set_disabled(name, disabled=True)
        audit.add(_ACTOR, "disable_user", name, datetime.now(UTC))
    OUT.print(f"{name} may no longer sign in.", highlight=False)


@users.command("enable")
def enable_user(name: Name, data: DataFolder = None, config: ConfigFile = None) -> None:
    """Let a user in again."""
    with _records(data, config) as (engine, audit):
        Accounts(engine).set_disabled(name, disabled=False)
        audit.add(_ACTOR, "enable_user", name, datetime.now(UTC))
    OUT.print(f"{name} may sign in.", highlight=False)


@users.command("role")
def change_role(
    name: Name,
    role: TheirRole,
    team: Teams = None,
    data: DataFolder = None,
    config: ConfigFile = None,
) -> None:
    """Give a user another role and other teams; they sign in again."""
    with _records(data, config) as (engine, audit):
        Accounts(engine).set_role(name, role, team or ())
        audit.add(_ACTOR, "change_role", name, datetime.now(UTC), str(role))
    OUT.print(f"{name} is now {role}.", highlight=False)


@users.command("password")
def change_password(
    name: Name, password: Password, data: DataFolder = None, config: ConfigFile = None
) -> None:
    """Give a user another password; they sign in again."""
    with _records(data, config) as (engine, audit):
        Accounts(engine).set_password(name, password)
        audit.add(_ACTOR, "change_password", name, datetime.now(UTC))
    OUT.print(f"{name} has another password.", highlight=False)


@keys.command("add")
def add_key(
    label: Annotated[str, typer.Argument(help="What the key is for, such as a telephone system.")],
    scope: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(sorted(SCOPES))} [ingest].")
    ] = None,
    days: Annotated[int | None, typer.Option(help="Days until it ends [never].", min=1)] = None,
    tenant: TenantName = DEFAULT_TENANT,
    data: DataFolder = None,
    config: ConfigFile = None,
) -> None:
    """Make a key and print it, this one time. Calls that come with it are its tenant's."""
    expires = None if days is None else datetime.now(UTC) + timedelta(days=days)
    expires_ms = None if expires is None else round(expires.timestamp() * 1000)
    with _records(data, config) as (engine, audit):
        scopes = scope or ["ingest"]
        key = ApiKeys(engine).add(label, scopes, expires_ms=expires_ms, tenant=tenant)
        audit.add(_ACTOR, "add_key", label, datetime.now(UTC), tenant=tenant)
    typer.echo(key)


@keys.command("list")
def list_keys(data: DataFolder = None, config: ConfigFile = None) -> None:
    """List all keys, of every tenant, without their secrets."""
    table = Table("Id", "For", "Tenant", "Scopes", "Ends", "Revoked")
    with _records(data, config) as (engine, _):
        for key in ApiKeys(engine).list():
            ends = "never"
            if key.expires_ms is not None:
                ends = datetime.fromtimestamp(key.expires_ms / 1000, UTC).date().isoformat()
            scopes, revoked = ", ".join(key.scopes), "yes" if key.revoked else "no"
            table.add_row(key.id, key.label, key.tenant, scopes, ends, revoked)
    OUT.print(table)


@keys.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="The key's id, from `heartline keys list`.")],
    data: DataFolder = None,
    config: ConfigFile = None,
) -> None:
    """End a key for good."""
    with _records(data, config) as (engine, audit):
        ApiKeys(engine).revoke(key_id)
        audit.add(_ACTOR, "revoke_key", key_id, datetime.now(UTC))
    OUT.print(f"Key {key_id} is revoked.", highlight=False)


def audit_log(
    last: Annotated[int, typer.Option(help="How many rows.", min=1)] = 50,
    data: DataFolder = None,
    config: ConfigFile = None,
) -> None:
    """Show who did or looked at what, in every tenant, and whether the log is whole."""
    table = Table("No.", "When", "Tenant", "Who", "Did", "To", "Note")
    with _records(data, config) as (_, audit):
        for entry in audit.entries(limit=last):
            number, did = str(entry.seq), (entry.actor, entry.action, entry.subject, entry.note)
            table.add_row(number, entry.at, entry.tenant, *did)
        broken = audit.first_broken()
    OUT.print(table)
    if broken is not None:
        raise StoreError(f"The audit log was changed from row {broken} on; ask who had access.")
    OUT.print("The log is whole.")


def _of(tenant: str) -> str:
    return "" if tenant == DEFAULT_TENANT else f" of the tenant {tenant}"


@contextmanager
def _records(data: Path | None, config: Path | None) -> Iterator[tuple[sa.Engine, Audit]]:
    settings = read_settings(config, server__data=data and str(data))
    folder = Path(settings.server.data)
    folder.mkdir(parents=True, exist_ok=True)
    engine = open_database(settings.server.where)
    try:
        yield engine, Audit(engine, read_secret(folder))
    finally:
        engine.dispose()
