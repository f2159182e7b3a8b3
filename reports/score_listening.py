"""Lines of the scorecard about listening: letting finish, signals, feelings, summing up."""

from __future__ import annotations

from statistics import median

from conversation.backchannels import is_backchannel_text
from conversation.events import Channel, Evidence, OverlapClass, TurnEnded
from reports.model import ScorePart
from reports.score_part import Opportunity, Talk, score_part
from reports.spans import total_ms

INTERRUPTING = frozenset({OverlapClass.SUCCESSFUL, OverlapClass.TALK_OVER, OverlapClass.BUTTING_IN})
COUNTED_CONFIDENCE = 0.6
"""Below this an overlap is possible only (`interruptions.md` section 9)."""
SIGNAL_TURN_MS, SIGNAL_EVERY_MS = 8_000, 15_000
"""From this length on a turn asks for signs of attention, so often (`coaching.md` section 6)."""
ANSWERED_BY_TURNS = 2
"""A story is summed up within so many turns of the agent (`coaching.md` section 6)."""


def let_finish(talk: Talk, note: str | None) -> ScorePart:
    """Customer utterances of at least 1 s that the agent did not cut."""
    log = talk.log
    cut = [
        event
        for event in log.overlaps
        if event.by is Channel.AGENT
        and event.overlap_class in INTERRUPTING
        and event.confidence >= COUNTED_CONFIDENCE
    ]
    turns = [
        final
        for final in log.finals
        if final.channel is Channel.CUSTOMER and final.end_ms - final.start_ms >= 1_000
    ]
    opportunities = [
        Opportunity(
            turn.start_ms,
            turn.end_ms,
            Channel.CUSTOMER,
            not any(turn.start_ms <= event.begin_ms < turn.end_ms for event in cut),
        )
        for turn in turns
    ]
    scored_ms = log.end_ms - total_ms(log.unknown)
    resumed = [event.resumed for event in cut if event.resumed is not None]
    figures = {
        "per_10_customer_turns": round(10 * len(cut) / len(turns), 2) if turns else None,
        "per_10min": round(len(cut) * 600_000 / scored_ms, 2) if scored_ms > 0 else None,
        "overlap_ms": float(sum(event.overlap_ms for event in cut)),
        "resumed": round(sum(resumed) / len(resumed), 3) if resumed else None,
    }
    evidence = [
        Evidence(
            kind=event.overlap_class,
            at_ms=event.begin_ms,
            value=event.interrupting_text or event.id,
        )
        for event in cut
    ]
    return score_part("let_finish", opportunities, evidence=evidence, figures=figures, note=note)


def listening_signals(talk: Talk, note: str | None) -> ScorePart:
    """Customer turns of at least 8 s, and whether the agent gave signs of attention in them."""
    log = talk.log
    signals = {
        event.begin_ms
        for event in log.overlaps
        if event.by is Channel.AGENT and event.overlap_class is OverlapClass.BACKCHANNEL
    } | {
        final.start_ms
        for final in log.finals
        if final.channel is Channel.AGENT and is_backchannel_text(final.text or "")
    }
    turns = [
        event
        for event in log.events
        if isinstance(event, TurnEnded)
        and event.channel is Channel.CUSTOMER
        and event.end_ms - event.start_ms >= SIGNAL_TURN_MS
    ]
    opportunities = []
    for turn in turns:
        given = sum(turn.start_ms <= at_ms <= turn.end_ms for at_ms in signals)
        needed = max(1, (turn.end_ms - turn.start_ms) // SIGNAL_EVERY_MS)
        opportunities.append(
            Opportunity(turn.start_ms, turn.end_ms, Channel.CUSTOMER, given >= needed)
        )
    spoken_ms = total_ms(log.speech[Channel.CUSTOMER])
    rate = round(len(signals) * 60_000 / spoken_ms, 2) if spoken_ms else None
    return score_part(
        "listening_signals", opportunities, figures={"per_minute_of_speech": rate}, note=note
    )


def acknowledge(talk: Talk, note: str | None) -> ScorePart:
    """Feelings put in words, and whether the agent's next turn answered them before moving on."""
    opportunities, evidence, delays = [], [], []
    for feeling in talk.feelings():
        turns = talk.agent_turns_after(feeling.start_ms)
        if not turns:
            continue
        begin_ms, end_ms = turns[0].start_ms, turns[0].end_ms + 1
        answers = talk.within(begin_ms, end_ms, Channel.AGENT, "acknowledge_feeling", "apology")
        steps = talk.within(begin_ms, end_ms, Channel.AGENT, "next_steps")
        given = bool(answers) and (not steps or answers[0].start_ms <= steps[0].start_ms)
        if given:
            delays.append(answers[0].start_ms - feeling.end_ms)
        acts = (feeling, *answers[:1]) if given else (feeling,)
        opportunities.append(
            Opportunity(
                feeling.start_ms, feeling.end_ms, Channel.CUSTOMER, given, acts,
                feeling.confidence,
            )
        )  # fmt: skip
        evidence += [Evidence(kind=a.kind, at_ms=a.start_ms, value=a.text) for a in acts]
    delay = float(median(delays)) if delays else None
    return score_part(
        "acknowledge",
        opportunities,
        evidence=evidence,
        figures={"median_delay_ms": delay},
        note=note,
    )


def specific(talk: Talk, note: str | None) -> ScorePart:
    """Acknowledgements that take up what this customer said."""
    own = {m.start_ms for m in talk.marks if m.kind == "agent.specific_ack"}
    repeated = {m.start_ms for m in talk.marks if m.kind == "agent.repeated_ack"}
    opportunities = [
        Opportunity(
            act.start_ms, act.end_ms, Channel.AGENT,
            act.start_ms in own and act.start_ms not in repeated, (act,), act.confidence,
        )
        for act in talk.of(Channel.AGENT, "acknowledge_feeling")
    ]  # fmt: skip
    return score_part("specific", opportunities, note=note)


def paraphrase(talk: Talk, note: str | None) -> ScorePart:
    """Long stories, and whether one of the agent's next two turns summed them up."""
    opportunities = []
    for mark in talk.marks:
        if mark.kind != "customer.narrative":
            continue
        turns = [t for t in talk.agent_turns_after(mark.start_ms) if t.told][:ANSWERED_BY_TURNS]
        if not turns:
            continue
        found = talk.within(turns[0].start_ms, turns[-1].end_ms + 1, Channel.AGENT, "paraphrase")
        opportunities.append(
            Opportunity(mark.start_ms, mark.end_ms, Channel.CUSTOMER, bool(found), tuple(found[:1]))
        )
    return score_part("paraphrase", opportunities, note=note)
