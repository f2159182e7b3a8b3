"""Takes disputed interruptions out of every count, and leaves them visible as disputed."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from msgspec.structs import replace

from conversation.events import Event, OverlapEnded
from reports.build import build_report
from reports.model import Report


def report_without(events: Iterable[Event], disputed: Collection[str]) -> Report:
    """Build a report in which disputed interruptions count as possible only, at once.

    The list of interruptions shows them as they were judged, so that both readings stay on the
    page.

    Args:
        events: A call's journalled events.
        disputed: Ids of interruptions that somebody disputes.

    Raises:
        ValueError: the log does not begin with `CallStarted`.
    """
    judged = list(events)
    report = build_report(judged)
    if not disputed:
        return report
    agreed = build_report(
        replace(event, confidence=0.0)
        if isinstance(event, OverlapEnded) and event.id in disputed
        else event
        for event in judged
    )
    every_event = report.interruptions.events
    return replace(agreed, interruptions=replace(agreed.interruptions, events=every_event))
