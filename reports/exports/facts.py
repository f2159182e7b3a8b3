"""What several formats say of a report in the same way."""

from __future__ import annotations

from conversation.events import OverlapClass
from reports.log import COUNTED_CONFIDENCE
from reports.model import InterruptionPart, Report

INTERRUPTING = frozenset(
    {
        OverlapClass.SUCCESSFUL,
        OverlapClass.BUTTING_IN,
        OverlapClass.TALK_OVER,
        OverlapClass.PAUSE_CUT_IN,
    }
)
"""Classes that other systems may call interruptions; every other overlap is no fault."""


def counted(report: Report) -> list[InterruptionPart]:
    """Return the events sure enough to be counted."""
    return [
        event for event in report.interruptions.events if event.confidence >= COUNTED_CONFIDENCE
    ]
