"""Reports of stored calls, with what is known since: disputes, promises, practice, the usual."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import msgspec

from reports.disputes import report_without
from reports.model import Report
from reports.promises import with_outcomes
from reports.rollup import USUAL_DAYS, slim, usual
from server.store import CallFilter, CallRow, Journal
from server.store.disputes import disputes_of
from server.store.practice import practice_of
from server.store.promises import outcomes_of

_MOST_EARLIER = 200
"""Earlier calls that a call is compared with, newest first; more change a median little."""
_KEPT = 5_000
"""Slim reports that stay in memory, some 10 kB each."""


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


def slim_reports(journal: Journal, calls: Sequence[CallRow]) -> Iterator[Report]:
    """Yield of each call what many together are measured by; calls without events are left out."""
    for call in calls:
        report = stored_report(journal, call.call_id)
        if report is not None:
            yield slim(report)


class Usual:
    """Compares calls with their agents' own last 30 days; keeps what it has read."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._slim: OrderedDict[str, Report] = OrderedDict()
        self._lock = threading.Lock()

    def beside(self, report: Report) -> Report:
        """Return a report with the comparison; as it is where nobody is to be compared."""
        if report.call.agent is None or report.practice is not None:
            return report
        began = datetime.fromisoformat(report.call.started_at)
        wanted = CallFilter(
            agent=report.call.agent,
            since_ms=_ms(began - timedelta(days=USUAL_DAYS)),
            until_ms=_ms(began),
        )
        earlier: list[Report] = []
        for row in finished_calls(self._journal, wanted):
            if len(earlier) == _MOST_EARLIER:
                break
            read = self._read(row.call_id)
            if read is not None:
                earlier.append(read)
        return msgspec.structs.replace(report, usual=usual(report, earlier))

    def forget(self, call_id: str) -> None:
        """Read a call again when it is next needed: what is said of it has changed."""
        with self._lock:
            self._slim.pop(call_id, None)

    def _read(self, call_id: str) -> Report | None:
        with self._lock:
            known = self._slim.get(call_id)
            if known is not None:
                self._slim.move_to_end(call_id)
                return known
        report = stored_report(self._journal, call_id)
        if report is None:
            return None
        with self._lock:
            self._slim[call_id] = read = slim(report)
            if len(self._slim) > _KEPT:
                self._slim.popitem(last=False)
        return read


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
