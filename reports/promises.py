"""What was promised in a call, and, once that is known, what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from conversation.events import Channel, Event, Evidence, PromiseMade, PromiseReviewed
from reports.model import PromisePart, Report, ScorePart
from reports.score_part import Opportunity, score_part

KEPT, LATE, OPEN, CANCELLED = "kept", "late", "open", "cancelled"


def promises_of(events: Iterable[Event]) -> tuple[PromisePart, ...]:
    """Return each promise once, with its newest due time and what the agent made of it."""
    newest: dict[str, PromiseMade] = {}
    reviews: dict[str, PromiseReviewed] = {}
    for event in events:
        if isinstance(event, PromiseMade):
            newest[event.id] = event
        elif isinstance(event, PromiseReviewed):
            reviews[event.promise_id] = event
    return tuple(_part(made, reviews.get(made.id)) for made in newest.values())


def _part(made: PromiseMade, review: PromiseReviewed | None) -> PromisePart:
    edited = review is not None and review.verdict == "edited"
    return PromisePart(
        id=made.id,
        text=made.text,
        what=(review.what if review and edited else None) or made.what,
        due=made.due,
        confidence=made.confidence,
        start_ms=made.start_ms,
        who=made.who,
        due_at=(review.due_at if review and edited else None) or made.due_at,
        precision=made.precision,
        status="draft" if review is None else review.verdict,
    )


def with_outcomes(report: Report, outcomes: Mapping[str, str]) -> Report:
    """Say what became of the promises, and score those that are decided.

    Args:
        report: a report as the call itself gives it.
        outcomes: `kept`, `late`, `open` or `cancelled` by the promise's id, for those confirmed.
    """
    if not outcomes:
        return report
    promises = tuple(
        replace(part, outcome=outcomes.get(part.id, part.outcome)) for part in report.promises
    )
    scorecard = tuple(
        _scored(part, promises) if part.behaviour == "promises" else part
        for part in report.scorecard
    )
    return replace(report, promises=promises, scorecard=scorecard)


def _scored(part: ScorePart, promises: Sequence[PromisePart]) -> ScorePart:
    decided = [p for p in promises if p.outcome in (KEPT, LATE)]
    counts = Counter(p.outcome for p in promises)
    return score_part(
        part.behaviour,
        [
            Opportunity(p.start_ms, p.start_ms, Channel.AGENT, delivered=p.outcome == KEPT)
            for p in decided
        ],
        evidence=[Evidence(kind=f"promise_{p.outcome}", at_ms=p.start_ms, value=p.what)
                  for p in decided],
        figures={**part.figures, **{name: float(counts[name]) for name in (KEPT, LATE, OPEN)}},
        note=None if decided else part.note,
    )  # fmt: skip
