"""Three things to practise, each with a moment of this call to look at together."""

from __future__ import annotations

import msgspec

from reports.model import Report, ScorePart
from reports.wording import BEHAVIOUR_WORDS

MOST = 3


class Practice(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to practise."""

    title: str
    advice: str
    missed: int
    """Opportunities that were not taken."""
    opportunities: int
    at_ms: int
    """Moment of the call that shows it."""


def to_practise(report: Report) -> tuple[Practice, ...]:
    """Choose the behaviours with the most missed opportunities, then the lowest share given.

    A line without a moment to look at is left out: advice that cannot be shown starts a quarrel.
    """
    missed = [
        part
        for part in report.scorecard
        if _missed(part) > 0 and part.note is None and (part.spans or part.evidence)
    ]
    missed.sort(key=lambda part: (-_missed(part), part.delivered / part.opportunities))
    return tuple(
        Practice(
            title=BEHAVIOUR_WORDS.get(part.behaviour, (part.behaviour.replace("_", " "), ""))[0],
            advice=BEHAVIOUR_WORDS.get(part.behaviour, ("", ""))[1],
            missed=_missed(part),
            opportunities=part.opportunities,
            at_ms=_shown_at(part),
        )
        for part in missed[:MOST]
    )


def _shown_at(part: ScorePart) -> int:
    """Return the first missed opportunity, or the first evidence where none is told apart."""
    first = next((span.start_ms for span in part.spans if span.verdict == "missed"), None)
    return part.evidence[0].at_ms if first is None else first


def _missed(part: ScorePart) -> int:
    return part.opportunities - part.delivered
