"""What somebody said of a judgement in a report; every word is kept, the newest counts."""

from __future__ import annotations

import sqlalchemy as sa

from server.store.tables import DISPUTES

WITHDRAWN = "withdrawn"


def add_dispute(engine: sa.Engine, call_id: str, span_id: str, verdict: str, at: str) -> None:
    """Add a verdict on a judged span.

    Args:
        engine: The database.
        call_id: The call.
        span_id: The judged span, such as an interruption's id.
        verdict: A key of `reports.wording.DISPUTE_WORDS`, or `withdrawn`.
        at: Wall time in ISO 8601 with offset.
    """
    newest = sa.select(sa.func.max(DISPUTES.c.number)).where(DISPUTES.c.call_id == call_id)
    with engine.begin() as connection:
        number = (connection.execute(newest).scalar() or 0) + 1
        row = {"number": number, "span_id": span_id, "verdict": verdict, "at": at}
        connection.execute(sa.insert(DISPUTES).values(call_id=call_id, **row))


def disputes_of(engine: sa.Engine, call_id: str) -> dict[str, str]:
    """Return the newest verdict on each span of a call that is still disputed."""
    query = (
        sa.select(DISPUTES.c.span_id, DISPUTES.c.verdict)
        .where(DISPUTES.c.call_id == call_id)
        .order_by(DISPUTES.c.number)
    )
    with engine.connect() as connection:
        newest = {row.span_id: row.verdict for row in connection.execute(query)}
    return {span: verdict for span, verdict in newest.items() if verdict != WITHDRAWN}
