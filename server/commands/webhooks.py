"""`heartline webhooks`: which other systems are told what happened."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from server.commands.shared import OUT, ConfigFile, DataFolder, TenantName, read_settings
from server.people.audit import Audit, read_secret
from server.people.tenants import DEFAULT_TENANT
from server.store import open_database
from server.webhooks.address import AddressRefused, check_url
from server.webhooks.hooks import Hooks, WebhookError
from server.webhooks.messages import TEST, TYPES, Told, body_of, secret_of
from server.webhooks.sender import Sender, open_sender
from server.webhooks.settings import WebhookSettings

app = typer.Typer(
    help="Other systems that are told when a call ended, a report is ready, a supervisor should "
    "look, or a promise is due. Messages are CloudEvents, signed by Standard Webhooks.",
    no_args_is_help=True,
)
_ACTOR = "command line"

HookId = Annotated[str, typer.Argument(help="The receiver's id; `heartline webhooks list`.")]


@app.command("add")
def add_hook(
    url: Annotated[str, typer.Argument(help="Where messages go, such as https://crm.example/in.")],
    event: Annotated[
        list[str] | None,
        typer.Option(help=f"What is told [all]; may be repeated. One of: {', '.join(TYPES)}."),
    ] = None,
    tenant: TenantName = DEFAULT_TENANT,
    data: DataFolder = None,
    config: ConfigFile = None,
) -> None:
    """Add a receiver and print, this once, the secret that it checks signatures with."""
    with _hooks(data, config, tenant) as (hooks, audit, settings, secret):
        try:
            check_url(url, settings)
        except AddressRefused as error:
            raise WebhookError(str(error)) from error
        hook = hooks.add(url, event or ())
        audit.add(_ACTOR, "add_webhook", hook.id, datetime.now(UTC), tenant=tenant)
    OUT.print(f"Receiver {hook.id}\n{secret_of(secret, hook.id)}", highlight=False, soft_wrap=True)


@app.command("list")
def list_hooks(
    tenant: TenantName = DEFAULT_TENANT, data: DataFolder = None, config: ConfigFile = None
) -> None:
    """List all receivers, and since when one does not answer."""
    table = Table("Id", "Address", "Told of", "State")
    with _hooks(data, config, tenant) as (hooks, _, _, _):
        for hook in hooks.list():
            state = "well"
            if hook.failing_since_ms is not None:
                since = datetime.fromtimestamp(hook.failing_since_ms / 1000, UTC)
                state = f"fails since {since.isoformat(timespec='seconds')}"
            told = "all" if hook.types == TYPES else ", ".join(hook.types)
            table.add_row(hook.id, hook.url, told, "given up" if hook.disabled else state)
    OUT.print(table)


@app.command("test")
def try_hook(
    hook_id: HookId,
    tenant: TenantName = DEFAULT_TENANT,
    data: DataFolder = None,
    config: ConfigFile = None,
) -> None:
    """Send one message of the type heartline.test and say how it went."""
    with _hooks(data, config, tenant) as (hooks, _, settings, secret):
        hook = hooks.get(hook_id)
        sender: Sender = open_sender(settings, secret)
        told = Told(id=f"msg_{secrets.token_hex(16)}", type=TEST, data={})
        body = body_of(told, at=datetime.now(UTC).isoformat(timespec="seconds"), source="/")
        outcome = asyncio.run(sender.post(hook.url, hook.id, told.id, body))
    if not outcome.arrived:
        raise WebhookError(f"{hook_id} did not take the message: {outcome.what}")
    OUT.print(f"{hook_id} took the message: {outcome.what}", highlight=False)


@app.command("enable")
def enable_hook(
    hook_id: HookId,
    tenant: TenantName = DEFAULT_TENANT,
    data: DataFolder = None,
    config: ConfigFile = None,
) -> None:
    """Tell a receiver again that was given up after five days without an answer."""
    with _hooks(data, config, tenant) as (hooks, audit, _, _):
        hooks.enable(hook_id)
        audit.add(_ACTOR, "enable_webhook", hook_id, datetime.now(UTC), tenant=tenant)
    OUT.print(f"{hook_id} is told again.", highlight=False)


@app.command("remove")
def remove_hook(
    hook_id: HookId,
    tenant: TenantName = DEFAULT_TENANT,
    data: DataFolder = None,
    config: ConfigFile = None,
) -> None:
    """Forget a receiver and everything that was still to be told to it."""
    with _hooks(data, config, tenant) as (hooks, audit, _, _):
        hooks.remove(hook_id)
        audit.add(_ACTOR, "remove_webhook", hook_id, datetime.now(UTC), tenant=tenant)
    OUT.print(f"{hook_id} is forgotten.", highlight=False)


@contextmanager
def _hooks(
    data: Path | None, config: Path | None, tenant: str
) -> Iterator[tuple[Hooks, Audit, WebhookSettings, bytes]]:
    settings = read_settings(config, server__data=data and str(data))
    folder = Path(settings.server.data)
    folder.mkdir(parents=True, exist_ok=True)
    secret = read_secret(folder)
    engine = open_database(settings.server.where)
    try:
        yield Hooks(engine, tenant), Audit(engine, secret), settings.webhooks, secret
    finally:
        engine.dispose()
