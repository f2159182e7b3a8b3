"""Behaviours that were called for, and whether they were there (`coaching.md` section 6)."""

from __future__ import annotations

from conversation.events import (
    Channel,
    Evidence,
    OverlapClass,
)
from reports.log import CallLog
from reports.model import ScorePart

FEELINGS = frozenset({"frustration", "anger", "repeat_contact", "vulnerability"})
"""Customer acts that call for an acknowledgement."""
MIN_OPPORTUNITIES = 3
"""Below this a count is shown, not a rate."""
_INTERRUPTING = frozenset(
    {OverlapClass.SUCCESSFUL, OverlapClass.TALK_OVER, OverlapClass.BUTTING_IN}
)
_NEXT_TURN_MS = 20_000
"""An acknowledgement later than this no longer answers the feeling."""
_TIME_NEAR_MS = 5_000
"""A specific time this long after a commitment still belongs to it."""


def build_scorecard(log: CallLog) -> tuple[ScorePart, ...]:
    """Score the behaviours that timing and the first language acts can show.

    A behaviour without an opportunity has no line's worth of evidence, so its score is None.
    """
    return (_let_finish(log), _acknowledge(log), _realistic(log), _wording(log))


def _let_finish(log: CallLog) -> ScorePart:
    """Customer utterances of at least 1 s, and how many of them the agent let be finished."""
    cut = [
        event
        for event in log.overlaps
        if event.by is Channel.AGENT
        and event.overlap_class in _INTERRUPTING
        and event.confidence >= 0.6
    ]
    turns = [
        final
        for final in log.finals
        if final.channel is Channel.CUSTOMER and final.end_ms - final.start_ms >= 1_000
    ]
    interrupted = sum(
        any(final.start_ms <= event.begin_ms < final.end_ms for event in cut) for final in turns
    )
    evidence = [
        Evidence(
            kind=event.overlap_class,
            at_ms=event.begin_ms,
            value=event.interrupting_text or event.id,
        )
        for event in cut
    ]
    return _part("let_finish", len(turns), len(turns) - interrupted, evidence)


def _acknowledge(log: CallLog) -> ScorePart:
    """Feelings the customer put in words, and whether the agent answered before moving on."""
    evidence = []
    needed = given = 0
    last_need_ms: int | None = None
    for act in sorted(log.acts, key=lambda a: (a.start_ms, a.id)):
        if act.channel is not Channel.CUSTOMER or act.kind not in FEELINGS:
            continue
        if last_need_ms is not None and act.start_ms - last_need_ms < 8_000:
            continue
        last_need_ms = act.start_ms
        needed += 1
        answer = next(
            (
                a
                for a in log.acts
                if a.channel is Channel.AGENT
                and a.kind in ("acknowledge_feeling", "apology")
                and act.start_ms < a.start_ms <= act.end_ms + _NEXT_TURN_MS
            ),
            None,
        )
        given += answer is not None
        evidence.append(Evidence(kind=act.kind, at_ms=act.start_ms, value=act.text))
        if answer is not None:
            evidence.append(Evidence(kind=answer.kind, at_ms=answer.start_ms, value=answer.text))
    return _part("acknowledge", needed, given, evidence)


def _realistic(log: CallLog) -> ScorePart:
    """Commitments of the agent, and how many of them had a definite time."""
    agent = [act for act in log.acts if act.channel is Channel.AGENT]
    commitments = [act for act in agent if act.kind in ("promise", "vague_time")]
    evidence = []
    dated = seen = 0
    last_utterance = ""
    for act in commitments:
        if act.utterance_id == last_utterance:
            continue
        last_utterance = act.utterance_id
        seen += 1
        has_time = any(
            a.kind == "specific_time" and -1_000 <= a.start_ms - act.start_ms <= _TIME_NEAR_MS
            for a in agent
        )
        dated += has_time
        evidence.append(Evidence(kind=act.kind, at_ms=act.start_ms, value=act.text))
    return _part("realistic", seen, dated, evidence)


def _wording(log: CallLog) -> ScorePart:
    """Agent utterances that say something, and how many had no phrase to avoid."""
    hits = [a for a in log.acts if a.channel is Channel.AGENT and a.kind == "avoid_phrase"]
    flawed = {hit.utterance_id for hit in hits}
    turns = [
        f
        for f in log.finals
        if f.channel is Channel.AGENT and (len(f.words) >= 8 or f.utterance_id in flawed)
    ]
    evidence = [Evidence(kind=a.kind, at_ms=a.start_ms, value=a.text) for a in hits]
    return _part("wording", len(turns), len(turns) - len(flawed), evidence)


def _part(
    behaviour: str, opportunities: int, delivered: int, evidence: list[Evidence]
) -> ScorePart:
    return ScorePart(
        behaviour=behaviour,
        opportunities=opportunities,
        delivered=delivered,
        score=(round(delivered / opportunities, 3) if opportunities >= MIN_OPPORTUNITIES else None),
        evidence=tuple(evidence),
    )
