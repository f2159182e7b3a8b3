"""`heartline erase | hold | backup`: what is kept of calls, for whoever answers for the data."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer

from server.commands.shared import OUT, ConfigFile, DataFolder, TenantName, read_settings
from server.people.tenants import DEFAULT_TENANT
from server.store import Journal, StoreError
from server.store.retention import Certificate, erase_call, erase_customer, set_legal_hold


def erase(
    call: Annotated[str | None, typer.Argument(help="The call's id.")] = None,
    customer: Annotated[
        str | None, typer.Option(help="A customer reference: erases all calls that carry it.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    tenant: TenantName = DEFAULT_TENANT,
    data: DataFolder = None,
    config: ConfigFile = None,
) -> None:
    """Erase a call, or all calls of a customer, for good, and print the certificate.

    Nothing of it stays in the database files; of backups made before you must take care yourself.
    """
    if (call is None) == (customer is None):
        raise typer.BadParameter("name one call, or a customer with --customer.")
    if not yes:
        typer.confirm(f"Erase {call or 'all calls of this customer'} for good?", abort=True)
    with closing(_journal(data, config)) as journal:
        now = datetime.now(UTC)
        if call is not None:
            certificate = erase_call(journal.of(tenant).engine, call, now=now)
        else:
            certificate = erase_customer(journal.of(tenant).engine, customer or "", now=now)
    _say(certificate)


def hold(
    call: Annotated[str, typer.Argument(help="The call's id.")],
    release: Annotated[bool, typer.Option("--release", help="Lift the hold.")] = False,
    tenant: TenantName = DEFAULT_TENANT,
    data: DataFolder = None,
    config: ConfigFile = None,
) -> None:
    """Put a call under a legal hold: neither retention nor `erase` touches it."""
    with closing(_journal(data, config)) as journal:
        set_legal_hold(journal.of(tenant).engine, call, on=not release)
    OUT.print(f"Call {call}: legal hold {'lifted' if release else 'set'}.", highlight=False)


def backup(
    file: Annotated[Path, typer.Argument(help="The copy; it must not exist yet.")],
    data: DataFolder = None,
    config: ConfigFile = None,
) -> None:
    """Copy the SQLite database while the server runs. For PostgreSQL use `pg_dump`."""
    if file.exists():
        raise StoreError(f"{file} exists already; name a new file.")
    with closing(_journal(data, config)) as journal:
        if journal.engine.dialect.name != "sqlite":
            raise StoreError("The database is PostgreSQL; make the copy with pg_dump.")
        with journal.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("VACUUM INTO :file"), {"file": str(file)})
    OUT.print(f"Copied to {file}.", highlight=False, soft_wrap=True)


def _journal(data: Path | None, config: Path | None) -> Journal:
    settings = read_settings(config, server__data=data and str(data))
    where = settings.server.where
    if isinstance(where, Path) and not where.is_file():
        raise StoreError(f"There is no database at {where}; name its folder with --data.")
    return Journal(where, serving=False)


def _say(certificate: Certificate) -> None:
    OUT.print(
        f"Erased {certificate.calls} calls with {certificate.events} events at "
        f"{certificate.erased_at}; certificate {certificate.id}.",
        highlight=False,
        soft_wrap=True,
    )
