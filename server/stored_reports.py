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
_AT_ONCE = 100
"""Calls whose figures are read or kept together."""


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


def figures(journal: Journal, calls: Sequence[CallRow]) -> Iterator[Report]:
    """Yield the numbers of calls; those not worked out before are, and kept.

    Calls of which nothing is stored any more are left out.
    """
    for at in range(0, len(calls), _AT_ONCE):
        ids = [call.call_id for call in calls[at : at + _AT_ONCE]]
        known = read_figures(journal.engine, ids)
        new = {
            call_id: report
            for call_id in ids
            if call_id not in known and (report := stored_report(journal, call_id)) is not None
        }
        keep_figures(journal.engine, new.values())
        for call_id in ids:
            report = known.get(call_id) or new.get(call_id)
            if report is not None:
                yield with_outcomes(figures_of(report), outcomes_of(journal.engine, call_id))


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
    earlier = list(islice(finished_calls(journal, wanted), _MOST_EARLIER))
    return msgspec.structs.replace(report, usual=usual(report, figures(journal, earlier)))


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
