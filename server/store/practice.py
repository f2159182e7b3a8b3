"""Which calls are practice, whose they are, and what their reports say of the run."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from reports.model import PracticePart
from server.store.tables import PRACTICE


class PracticeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    call_id: str
    person: str
    """Id of the person whose it is; nobody else sees it."""
    part: PracticePart


def reserve(engine: sa.Engine, row: PracticeRow) -> None:
    """Make a call that is yet to come a practice call."""
    values = {**msgspec.structs.asdict(row), "part": msgspec.json.encode(row.part)}
    with engine.begin() as connection:
        connection.execute(sa.insert(PRACTICE).values(values))


def set_part(engine: sa.Engine, call_id: str, part: PracticePart) -> None:
    """Keep what is known of a run by now."""
    change = sa.update(PRACTICE).where(PRACTICE.c.call_id == call_id)
    with engine.begin() as connection:
        connection.execute(change.values(part=msgspec.json.encode(part)))


def practice_of(engine: sa.Engine, call_id: str) -> PracticeRow | None:
    """Return the run that a call is, None for a call in which somebody called."""
    with engine.connect() as connection:
        found = connection.execute(sa.select(PRACTICE).where(PRACTICE.c.call_id == call_id))
        row = found.mappings().first()
    return None if row is None else _row(row)


def runs_of(engine: sa.Engine, person: str) -> list[PracticeRow]:
    """Return a person's runs by id."""
    query = sa.select(PRACTICE).where(PRACTICE.c.person == person).order_by(PRACTICE.c.call_id)
    with engine.connect() as connection:
        return [_row(row) for row in connection.execute(query).mappings()]


def forget(engine: sa.Engine, call_id: str) -> None:
    """Delete a run that never became a call."""
    with engine.begin() as connection:
        connection.execute(sa.delete(PRACTICE).where(PRACTICE.c.call_id == call_id))


def _row(row: sa.RowMapping) -> PracticeRow:
    part = msgspec.json.decode(row["part"], type=PracticePart)
    return PracticeRow(call_id=row["call_id"], person=row["person"], part=part)
