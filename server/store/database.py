"""Opens the database by its URL and brings its tables up to date."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from server.store.tenancy import keep_apart

NEWEST_STEP = "0008"
"""Revision of the newest of the steps in `migrations`."""

_SQLITE_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "busy_timeout=5000")
"""What was committed survives a crash of the machine; erased bytes are overwritten."""


class StoreError(Exception):
    """The database cannot be used."""

    code = "store_failed"


def open_database(where: Path | str) -> sa.Engine:
    """Open a SQLite file, or any database by URL (`postgresql+psycopg://user@host/name`).

    What reads and writes its rows goes through `tenancy.for_tenant` or `tenancy.for_job`.

    Raises:
        StoreError: it cannot be reached, is not a database, or was made by a newer Heartline.
    """
    url = _url(where)
    shown = url.render_as_string(hide_password=True)
    sqlite = url.get_backend_name() == "sqlite"
    try:
        engine = sa.create_engine(url, pool_pre_ping=not sqlite)
    except (sa.exc.NoSuchModuleError, ModuleNotFoundError) as error:
        raise StoreError(
            f"Heartline keeps calls in SQLite or PostgreSQL, not in '{url.drivername}'; use a file "
            "name or postgresql+psycopg://user:password@host/name."
        ) from error
    if sqlite:
        sa.event.listen(engine, "connect", _set_pragmas)
    try:
        with engine.begin() as connection:
            _bring_up_to_date(connection, shown)
    except sa.exc.SQLAlchemyError as error:
        engine.dispose()
        reason = " ".join(str(getattr(error, "orig", None) or error).split())
        raise StoreError(
            f"The database {shown} cannot be opened ({reason}); check server.database."
        ) from error
    except StoreError:
        engine.dispose()
        raise
    keep_apart(engine)
    return engine


def _url(where: Path | str) -> sa.URL:
    if isinstance(where, Path) or "://" not in where:
        return sa.URL.create("sqlite", database=str(where))
    try:
        url = sa.make_url(where)
    except sa.exc.ArgumentError as error:
        raise StoreError(
            "server.database is no database URL; use a file name or "
            "postgresql+psycopg://user:password@host/name."
        ) from error
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    return url


def _set_pragmas(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    for pragma in _SQLITE_PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _bring_up_to_date(connection: sa.Connection, shown: str) -> None:
    if sa.inspect(connection).has_table("alembic_version"):
        taken = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        if taken == NEWEST_STEP:
            return
    # A server that starts again after a crash must not wait for what it does not need: 0.2 s.
    from alembic.util import CommandError

    from server.store.migrate import migrate

    try:
        migrate(connection)
    except CommandError as error:
        raise StoreError(
            f"The database {shown} was made by another version of Heartline ({error}); use that "
            "one, or another database."
        ) from error
