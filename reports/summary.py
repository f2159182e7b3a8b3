"""What happened, in three sentences of facts, and three moments worth practising.

Nothing here is a judgement of a person: every sentence is a count or a time that the rest of the
report shows with its evidence, and every moment can be listened to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from conversation.events import Channel, OverlapClass
from reports.log import COUNTED_CONFIDENCE
from reports.model import ActPart, InterruptionPart, PractisePart, Report
from reports.wording import duration, short_clock

FEELINGS = ("anger", "frustration", "repeat_contact", "vulnerability")
"""Customer acts that call for an acknowledgement."""
_ANSWERS = ("acknowledge_feeling", "apology")
_ANSWER_WITHIN_MS = 20_000
"""An acknowledgement later than this no longer answers the feeling."""
_TIME_WITHIN_MS = 5_000
"""A specific time this long after a vague one still mends it."""
_MOST = 3
_DRILLS = {
    "let_finish": "Two beats: when they stop, count two before you speak.",
    "acknowledge": "Name what they feel, in their words, before the first step.",
    "wording": "Say what you can do instead of what they should not.",
    "realistic": "Say the day or the hour, or say when you will know it.",
}


def summary(report: Report) -> str:
    """Say in three sentences, built from facts alone, what happened."""
    return " ".join((_who_interrupted(report), _voices(report), _words(report)))


def practise(report: Report) -> tuple[PractisePart, ...]:
    """Choose at most three moments, one of each behaviour before a second of any."""
    ranked = [list(found) for found in (_cut_ins(report), _unanswered(report), _wording(report),
                                        _vague(report))]  # fmt: skip
    chosen: list[PractisePart] = []
    while len(chosen) < _MOST and any(ranked):
        for found in ranked:
            if found and len(chosen) < _MOST:
                chosen.append(found.pop(0))
    return tuple(sorted(chosen, key=lambda part: part.at_ms))


def _times(count: int) -> str:
    words = {0: "not at all", 1: "once", 2: "twice"}
    return words.get(count, f"{count} times")


def _took_the_floor(report: Report, party: Channel) -> list[InterruptionPart]:
    return [
        event
        for event in report.interruptions.events
        if event.by is party
        and event.confidence >= COUNTED_CONFIDENCE
        and event.overlap_class in (OverlapClass.SUCCESSFUL, OverlapClass.TALK_OVER)
    ]


def _who_interrupted(report: Report) -> str:
    if not report.quality.direction_known:
        return "Both parties are on one channel, so nobody is said to interrupt."
    if report.quality.offset_ms:
        return "The channels are not in step, so nobody is said to interrupt."
    if "C" in report.quality.bleed.values():
        return "The channels leak into each other, so nobody is said to interrupt."
    agent, customer = (
        len(_took_the_floor(report, party)) for party in (Channel.AGENT, Channel.CUSTOMER)
    )
    if not agent and not customer:
        return "Nobody interrupted."
    return f"The agent interrupted {_times(agent)}, the customer {_times(customer)}."


def _voices(report: Report) -> str:
    raised = [e for e in report.raised_voice.events if e.channel is Channel.CUSTOMER]
    if raised:
        return f"The customer's voice was raised from {short_clock(raised[0].begin_ms)}."
    share = report.talk.talk_share_agent
    if share is not None:
        return f"The agent had {share:.0%} of the talk, and no customer's voice was raised."
    return f"The call lasted {duration(report.call.duration_ms)}."


def _words(report: Report) -> str:
    if not any(part.text for part in report.transcript):
        return "No words were transcribed, so nothing is said about them."
    for part in report.scorecard:
        if part.behaviour == "acknowledge" and part.opportunities:
            return (
                f"A feeling was put in words {_times(part.opportunities)} and acknowledged "
                f"{_times(part.delivered)}."
            )
    if report.promises:
        dated = sum(promise.due is not None for promise in report.promises)
        return f"Something was promised {_times(len(report.promises))}, {dated} with a time."
    return "No feeling was put in words and nothing was promised."


def _cut_ins(report: Report) -> Iterator[PractisePart]:
    found = _took_the_floor(report, Channel.AGENT)
    for event in sorted(found, key=lambda event: (-event.severity, event.begin_ms)):
        words = event.interrupted_text or event.interrupting_text
        yield _moment("let_finish", event.begin_ms, event.id, words)


def _unanswered(report: Report) -> Iterator[PractisePart]:
    answers = [a for a in report.acts if a.channel is Channel.AGENT and a.kind in _ANSWERS]
    feelings = [a for a in report.acts if a.channel is Channel.CUSTOMER and a.kind in FEELINGS]
    for act in sorted(feelings, key=lambda act: (FEELINGS.index(act.kind), act.start_ms)):
        end_ms = act.end_ms + _ANSWER_WITHIN_MS
        if not any(act.start_ms < answer.start_ms <= end_ms for answer in answers):
            yield _moment("acknowledge", act.start_ms, act.id, act.text)


def _wording(report: Report) -> Iterator[PractisePart]:
    for act in _agent(report, ("avoid_phrase", "over_promise")):
        behaviour = "wording" if act.kind == "avoid_phrase" else "realistic"
        yield _moment(behaviour, act.start_ms, act.id, act.text)


def _vague(report: Report) -> Iterator[PractisePart]:
    times = [act.start_ms for act in _agent(report, ("specific_time",))]
    for act in _agent(report, ("vague_time",)):
        if not any(-1_000 <= at_ms - act.start_ms <= _TIME_WITHIN_MS for at_ms in times):
            yield _moment("realistic", act.start_ms, act.id, act.text)


def _agent(report: Report, kinds: Iterable[str]) -> list[ActPart]:
    wanted = tuple(kinds)
    return [act for act in report.acts if act.channel is Channel.AGENT and act.kind in wanted]


def _moment(behaviour: str, at_ms: int, source: str, text: str | None) -> PractisePart:
    return PractisePart(
        behaviour=behaviour, at_ms=at_ms, source=source, text=text, drill=_DRILLS[behaviour]
    )
