"""What the lines of a scorecard are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from conversation.discourse import FEELINGS, Discourse, Issue, Mark, Turn
from conversation.events import ActDetected, Channel, Evidence
from conversation.phrases import load_phrases
from reports.log import CallLog
from reports.model import OpportunityPart, ScorePart

MIN_OPPORTUNITIES = 3
"""Below this a count is shown, not a rate (`coaching.md` section 6)."""
UNSURE = 0.5
"""Acts of lower confidence leave both sides of a score (`coaching.md` section 2.2)."""


class Opportunity(msgspec.Struct, frozen=True):
    """One time that a behaviour was called for."""

    start_ms: int
    end_ms: int
    channel: Channel
    delivered: bool
    acts: tuple[ActDetected, ...] = ()
    confidence: float = 1.0


class Talk:
    """The acts, turns, issues and marks of one call, as the scorecard reads them."""

    def __init__(self, log: CallLog) -> None:
        self.log = log
        self.acts = sorted(
            (act for act in log.acts if act.confidence >= UNSURE),
            key=lambda act: (act.start_ms, act.id),
        )
        discourse = Discourse(load_phrases(log.started.language, log.started.language_overlay))
        marks: list[Mark] = []
        for event in log.events:
            marks += discourse.observe(event)
        self.marks: Sequence[Mark] = marks
        self.turns: Sequence[Turn] = sorted(discourse.turns, key=lambda turn: turn.start_ms)
        self.issues: Sequence[Issue] = discourse.issues

    def of(self, channel: Channel, *kinds: str) -> list[ActDetected]:
        """Return the acts of these kinds by one party, in order."""
        return [act for act in self.acts if act.channel is channel and act.kind in kinds]

    def within(
        self, begin_ms: int, end_ms: int, channel: Channel, *kinds: str
    ) -> list[ActDetected]:
        """Return those that begin in [begin_ms, end_ms)."""
        return [act for act in self.of(channel, *kinds) if begin_ms <= act.start_ms < end_ms]

    def end_of(self, issue: Issue) -> int:
        """Return when an issue was over: its close, or the call's."""
        return self.log.end_ms if issue.closed_ms is None else issue.closed_ms

    def feelings(self) -> list[ActDetected]:
        """Return the feelings put in words, one for each turn of the customer."""
        out: list[ActDetected] = []
        for act in self.of(Channel.CUSTOMER, *FEELINGS):
            if not out or self.turn_at(act.start_ms) is not self.turn_at(out[-1].start_ms):
                out.append(act)
        return out

    def turn_at(self, at_ms: int, channel: Channel = Channel.CUSTOMER) -> Turn | None:
        """Return the turn of a party that a moment belongs to."""
        return next(
            (t for t in self.turns if t.channel is channel and t.start_ms <= at_ms <= t.end_ms),
            None,
        )

    def agent_turns_after(self, at_ms: int) -> list[Turn]:
        """Return the agent's turns that begin after a moment."""
        return [t for t in self.turns if t.channel is Channel.AGENT and t.start_ms > at_ms]


def score_part(
    behaviour: str,
    opportunities: Sequence[Opportunity],
    *,
    evidence: Iterable[Evidence] | None = None,
    figures: Mapping[str, float | None] | None = None,
    note: str | None = None,
) -> ScorePart:
    """Make one line; `note` says why there is no score and takes the score away."""
    spans = tuple(
        OpportunityPart(
            id=f"{behaviour}-{number}",
            start_ms=o.start_ms,
            end_ms=o.end_ms,
            channel=o.channel,
            verdict="delivered" if o.delivered else "missed",
            confidence=o.confidence,
            acts=tuple(act.id for act in o.acts),
        )
        for number, o in enumerate(opportunities, 1)
    )
    shown = [_evidence(o) for o in opportunities] if evidence is None else list(evidence)
    return _line(behaviour, spans, shown, dict(figures or {}), note)


def _evidence(opportunity: Opportunity) -> Evidence:
    first = opportunity.acts[0] if opportunity.acts else None
    if first is None:
        verdict = "delivered" if opportunity.delivered else "missed"
        return Evidence(kind=verdict, at_ms=opportunity.start_ms)
    return Evidence(kind=first.kind, at_ms=first.start_ms, value=first.text)


def _line(
    behaviour: str,
    spans: tuple[OpportunityPart, ...],
    evidence: Sequence[Evidence],
    figures: dict[str, float | None],
    note: str | None,
) -> ScorePart:
    delivered = sum(span.verdict == "delivered" for span in spans)
    scored = len(spans) >= MIN_OPPORTUNITIES and note is None
    return ScorePart(
        behaviour=behaviour,
        opportunities=len(spans),
        delivered=delivered,
        score=round(delivered / len(spans), 3) if scored else None,
        evidence=tuple(evidence),
        spans=spans,
        figures=figures,
        note=note,
    )


def without_disputed(part: ScorePart, disputes: Mapping[str, str]) -> ScorePart:
    """Return a line without the opportunities that the agent disputes.

    Args:
        part: the line.
        disputes: verdict by id of the opportunity: `wrong` and `not_applicable` take it out,
            `was_needed` leaves it for a reviewer and takes it out as well.
    """
    kept = tuple(span for span in part.spans if span.id not in disputes)
    if len(kept) == len(part.spans):
        return part
    gone = {span.start_ms for span in part.spans if span.id in disputes}
    evidence = [e for e in part.evidence if e.at_ms not in gone]
    return _line(part.behaviour, kept, evidence, part.figures, part.note)
