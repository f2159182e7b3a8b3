"""Reports of stored calls, with what is known since: disputes, promises, practice, the usual."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

import msgspec

from reports.disputes import report_without
from reports.figures import figures_of
from reports.model import Report
from reports.promises import with_outcomes
from reports.rollup import USUAL_DAYS, usual
from server.store import CallFilter, CallRow, Journal
from server.store.disputes import disputes_of
from server.store.figures import keep_figures, read_figures
from server.store.practice import practice_of
from server.store.promises import outcomes_of

_MOST_EARLIER = 200
"""Earlier calls that a call is compared with, newest first; more change a median little."""


def stored_report(journal: Journal, call_id: str) -> Report | None:
    """Build a call's report, None when nothing of it is kept."""
    events = journal.events(call_id)
    if not events:
        return None
    engine = journal.engine
    report = report_without(events, disputes_of(engine, call_id))
    practice = practice_of(engine, call_id)
    if practice is not None:
        report = msgspec.structs.replace(report, practice=practice.part)
    return with_outcomes(report, outcomes_of(engine, call_id))


def finished_calls(journal: Journal, wanted: CallFilter) -> Iterator[CallRow]:
    """Yield the finished calls in which somebody called, newest first."""
    cursor = None
    while True:
        page = journal.find_calls(
            msgspec.structs.replace(wanted, live=False), limit=200, cursor=cursor
        )
        yield from page.calls
        cursor = page.next_cursor
        if cursor is None:
            return


def figures_of_calls(journal: Journal, call_ids: Sequence[str]) -> Iterator[Report]:
    """Yield the numbers of calls; calls without events are left out.

    What was not worked out before is worked out now, and kept.
    """
    known = read_figures(journal.engine, list(call_ids))
    for call_id in call_ids:
        figures = known.get(call_id)
        if figures is None and (report := stored_report(journal, call_id)) is not None:
            figures = figures_of(report)
            keep_figures(journal.engine, [report])
        if figures is not None:
            yield with_outcomes(figures, outcomes_of(journal.engine, call_id))


def beside_usual(journal: Journal, report: Report) -> Report:
    """Set a call beside its agent's own last 30 days; as it is where nobody is to be compared."""
    if report.call.agent is None or report.practice is not None:
        return report
    began = datetime.fromisoformat(report.call.started_at)
    wanted = CallFilter(
        agent=report.call.agent,
        since_ms=_ms(began - timedelta(days=USUAL_DAYS)),
        until_ms=_ms(began),
    )
    earlier = [row.call_id for row in islice(finished_calls(journal, wanted), _MOST_EARLIER)]
    return msgspec.structs.replace(report, usual=usual(report, figures_of_calls(journal, earlier)))


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
