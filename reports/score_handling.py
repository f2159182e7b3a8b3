"""Lines of the scorecard about the issue: probing, owning, planning, promising, closing."""

from __future__ import annotations

from conversation.events import ActDetected, Channel, PromiseMade, PromiseReviewed
from conversation.language import load_pack
from reports.model import ScorePart
from reports.score_part import Opportunity, Talk, score_part

TIME_NEAR_MS = 5_000
"""A time this long after a commitment still belongs to it (`coaching.md`, vague_time)."""
RECAP_MS = 60_000
"""A recap is given within this time before the end (our choice)."""
_COMMITMENTS = ("promise", "vague_time")


def probe(talk: Talk, note: str | None) -> ScorePart:
    """Issues in which an open and a probing question came before the first step."""
    opportunities = []
    questions = 0
    for issue in talk.issues:
        begin_ms, end_ms = issue.opened_ms, talk.end_of(issue)
        steps = talk.within(begin_ms, end_ms, Channel.AGENT, "next_steps")
        until_ms = steps[0].start_ms if steps else end_ms
        open_ones = talk.within(begin_ms, until_ms, Channel.AGENT, "open_question")
        probing = talk.within(begin_ms, until_ms, Channel.AGENT, "probing_question")
        questions += len({a.start_ms for a in (*open_ones, *probing)})
        opportunities.append(
            Opportunity(
                begin_ms, until_ms, Channel.CUSTOMER, bool(open_ones) and bool(probing),
                (*open_ones[:1], *probing[:1]),
            )
        )  # fmt: skip
    each = round(questions / len(opportunities), 2) if opportunities else None
    return score_part("probe", opportunities, figures={"questions_per_issue": each}, note=note)


def ownership(talk: Talk, note: str | None) -> ScorePart:
    """Issues with a feeling in which the agent said who takes care, and blamed nobody."""
    pack = load_pack(talk.log.started.language, talk.log.started.language_overlay)
    opportunities = []
    for issue in talk.issues:
        if issue.felt_ms is None:
            continue
        begin_ms, end_ms = issue.opened_ms, talk.end_of(issue)
        owned = talk.within(begin_ms, end_ms, Channel.AGENT, "ownership", "promise")
        blamed = [
            act
            for act in talk.within(begin_ms, end_ms, Channel.AGENT, "avoid_phrase")
            if pack.deny_category(act.text) == "blame"
        ]
        acts = (*owned[:1], *blamed[:1])
        opportunities.append(
            Opportunity(begin_ms, end_ms, Channel.CUSTOMER, bool(owned) and not blamed, acts)
        )
    return score_part("ownership", opportunities, note=note)


def plan(talk: Talk, note: str | None) -> ScorePart:
    """Issues that ended with a step, somebody who does it, and a time."""
    opportunities = []
    partial = 0
    for issue in talk.issues:
        begin_ms, end_ms = issue.opened_ms, talk.end_of(issue)
        parts = [
            talk.within(begin_ms, end_ms, Channel.AGENT, *kinds)
            for kinds in (("next_steps",), ("ownership", "promise"), ("specific_time",))
        ]
        complete = all(parts)
        partial += any(parts) and not complete
        acts = tuple(found[0] for found in parts if found)
        opportunities.append(Opportunity(begin_ms, end_ms, Channel.CUSTOMER, complete, acts))
    return score_part("plan", opportunities, figures={"partial": float(partial)}, note=note)


def realistic(talk: Talk, note: str | None) -> ScorePart:
    """Commitments of the agent that had a definite time and promised nothing beyond reach."""
    opportunities = []
    last_utterance = ""
    for act in talk.of(Channel.AGENT, *_COMMITMENTS, "over_promise"):
        if act.utterance_id == last_utterance:
            continue
        last_utterance = act.utterance_id
        dated = any(
            a.start_ms - act.start_ms >= -1_000 and a.start_ms - act.end_ms <= TIME_NEAR_MS
            for a in talk.of(Channel.AGENT, "specific_time")
        )
        over = any(
            a.utterance_id == act.utterance_id for a in talk.of(Channel.AGENT, "over_promise")
        )
        opportunities.append(
            Opportunity(
                act.start_ms, act.end_ms, Channel.AGENT, dated and not over, (act,),
                act.confidence,
            )
        )  # fmt: skip
    return score_part("realistic", opportunities, note=note)


def close(talk: Talk, note: str | None) -> ScorePart:
    """What a good ending has: a recap, thanks, an offer of more help, the next step."""
    offers = talk.of(Channel.AGENT, "anything_else", "positive_close")
    if not offers:
        return score_part("close", [], note=note)
    end_ms = talk.log.end_ms
    begin_ms = max(0, offers[0].start_ms - RECAP_MS)
    needed: tuple[tuple[str, ...], ...] = (
        ("paraphrase", "next_steps", "promise", "specific_time"),
        ("appreciation",),
        ("anything_else",),
        ("next_steps", "promise"),
    )
    opportunities = []
    for number, kinds in enumerate(needed):
        since_ms = 0 if number == len(needed) - 1 else begin_ms
        found: list[ActDetected] = talk.within(since_ms, end_ms, Channel.AGENT, *kinds)
        opportunities.append(
            Opportunity(offers[0].start_ms, end_ms, Channel.AGENT, bool(found), tuple(found[-1:]))
        )
    return score_part("close", opportunities, note=note)


def promises(talk: Talk) -> ScorePart:
    """Confirmed promises; whether they were kept is only known later, outside this report."""
    made = {e.id: e for e in talk.log.events if isinstance(e, PromiseMade)}
    reviews = {e.promise_id: e.verdict for e in talk.log.events if isinstance(e, PromiseReviewed)}
    confirmed = [p for p in made if reviews.get(p) in ("confirmed", "edited")]
    figures: dict[str, float | None] = {
        "confirmed": float(len(confirmed)),
        "drafts": float(sum(p not in reviews for p in made)),
    }
    note = "kept or late is known only after the due time" if made else None
    return score_part("promises", [], figures=figures, note=note)
