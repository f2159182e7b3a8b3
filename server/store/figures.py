"""The numbers of calls, kept so that many can be added up without reading every event again."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import metadata

import msgspec
import sqlalchemy as sa

from reports.figures import figures_of
from reports.model import SCHEMA_VERSION, Report
from server.store.tables import CALL_FIGURES, CALLS, EVENTS

_DECODER = msgspec.json.Decoder(Report)
_ROWS = 500
"""Rows of one query, below what SQLite takes as parameters."""


def maker() -> str:
    """Return which version of the measurement makes figures; others are made anew."""
    return f"{metadata.version('heartline')}/{SCHEMA_VERSION}"


def keep_figures(engine: sa.Engine, reports: Iterable[Report]) -> None:
    """Keep the numbers of reports, in place of what was kept of the same calls.

    A call that was erased meanwhile stays erased.
    """
    rows = [
        {
            "call_id": report.call.id,
            "made_by": maker(),
            "payload": msgspec.json.encode(figures_of(report)),
        }
        for report in reports
    ]
    if not rows:
        return
    with engine.begin() as connection:
        ids = [row["call_id"] for row in rows]
        connection.execute(sa.delete(CALL_FIGURES).where(CALL_FIGURES.c.call_id.in_(ids)))
        there = set(connection.scalars(sa.select(CALLS.c.call_id).where(CALLS.c.call_id.in_(ids))))
        if kept := [row for row in rows if row["call_id"] in there]:
            connection.execute(sa.insert(CALL_FIGURES), kept)


def forget_figures(engine: sa.Engine, call_id: str) -> None:
    """Drop what was kept of a call, because its report changed."""
    with engine.begin() as connection:
        connection.execute(sa.delete(CALL_FIGURES).where(CALL_FIGURES.c.call_id == call_id))


def calls_without_figures(engine: sa.Engine, since_ms: int, limit: int) -> list[str]:
    """Return finished calls whose events are there and whose figures are not, newest first."""
    kept = sa.select(CALL_FIGURES.c.call_id).where(
        CALL_FIGURES.c.call_id == CALLS.c.call_id, CALL_FIGURES.c.made_by == maker()
    )
    heard = sa.select(EVENTS.c.call_id).where(EVENTS.c.call_id == CALLS.c.call_id)
    query = (
        sa.select(CALLS.c.call_id)
        .where(~CALLS.c.live, CALLS.c.started_ms >= since_ms, ~kept.exists(), heard.exists())
        .order_by(CALLS.c.started_ms.desc())
        .limit(limit)
    )
    with engine.connect() as connection:
        return list(connection.scalars(query))


def read_figures(engine: sa.Engine, call_ids: list[str]) -> dict[str, Report]:
    """Return what is kept of calls, by id; those without figures are missing."""
    found: dict[str, Report] = {}
    with engine.connect() as connection:
        for at in range(0, len(call_ids), _ROWS):
            query = sa.select(CALL_FIGURES.c.call_id, CALL_FIGURES.c.payload).where(
                CALL_FIGURES.c.call_id.in_(call_ids[at : at + _ROWS]),
                CALL_FIGURES.c.made_by == maker(),
            )
            for row in connection.execute(query):
                found[row.call_id] = _DECODER.decode(row.payload)
    return found
