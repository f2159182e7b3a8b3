"""`heartline erase | hold | backup`: what is kept of calls, for whoever answers for the data."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer
from rich.console import Console

from server.settings import load_settings
from server.store import Journal, StoreError
from server.store.retention import Certificate, erase_call, erase_customer, set_legal_hold

_OUT = Console()

ConfigFile = Annotated[
    Path | None, typer.Option(help="Settings file [heartline.toml, where there is one].")
]
DataFolder = Annotated[Path | None, typer.Option(help="Folder of the database [heartline-data].")]


def erase(
    call: Annotated[str | None, typer.Argument(help="The call's id.")] = None,
    customer: Annotated[
        str | None, typer.Option(help="A customer reference: erases all calls that carry it.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
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
            certificate = erase_call(journal.engine, call, now=now)
        else:
            certificate = erase_customer(journal.engine, customer or "", now=now)
    _say(certificate)


def hold(
    call: Annotated[str, typer.Argument(help="The call's id.")],
    release: Annotated[bool, typer.Option("--release", help="Lift the hold.")] = False,
    data: DataFolder = None,
    config: ConfigFile = None,
) -> None:
    """Put a call under a legal hold: neither retention nor `erase` touches it."""
    with closing(_journal(data, config)) as journal:
        set_legal_hold(journal.engine, call, on=not release)
    _OUT.print(f"Call {call}: legal hold {'lifted' if release else 'set'}.", highlight=False)


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
    _OUT.print(f"Copied to {file}.", highlight=False, soft_wrap=True)


def _journal(data: Path | None, config: Path | None) -> Journal:
    settings = load_settings(config, os.environ, {"server.data": data and str(data)})
    where = settings.server.where
    if isinstance(where, Path) and not where.is_file():
        raise StoreError(f"There is no database at {where}; name its folder with --data.")
    return Journal(where, serving=False)


def _say(certificate: Certificate) -> None:
    _OUT.print(
        f"Erased {certificate.calls} calls with {certificate.events} events at "
        f"{certificate.erased_at}; certificate {certificate.id}.",
        highlight=False,
        soft_wrap=True,
    )
