"""Databases for the tests of the store."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.server.databases import postgres_programs, running_postgres

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A running PostgreSQL; without one the tests that need it are skipped."""
    programs = postgres_programs()
    if programs is None:
        pytest.skip("no PostgreSQL on this machine; .ci/run installs it")
    with running_postgres(programs) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """An empty database of each kind, as `Journal` takes it."""
    if request.param == "sqlite":
        return tmp_path / "heartline.db"
    server: str = request.getfixturevalue("postgres")
    name = f"calls_{next(_NUMBERS)}"
    engine = sa.create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return f"{server}/{name}"
