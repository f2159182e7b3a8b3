"""The customer's state in words over a call, with evidence; nothing comes from their voice."""

from __future__ import annotations

from collections import defaultdict

from conversation.events import Channel
from conversation.word_sentiment import value
from reports.log import CallLog
from reports.model import CustomerWordsPart, MoodPart

MIN_TURNS = 4
"""Turns that say something, below which no trend is told (our choice)."""
STEADY = 0.5
"""Smaller changes of the mean are no trend (our choice)."""


def customer_words(log: CallLog) -> CustomerWordsPart | None:
    """Return acts by thirds, the turns that said something, and the trend; None without words."""
    acts = [act for act in log.acts if act.channel is Channel.CUSTOMER]
    if not any(final.channel is Channel.CUSTOMER and final.text for final in log.finals):
        return None
    thirds: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    by_utterance = defaultdict(list)
    for act in acts:
        thirds[act.kind][min(2, act.start_ms * 3 // max(1, log.end_ms))] += 1
        by_utterance[act.utterance_id].append(act)
    turns = []
    for said in by_utterance.values():
        mood = value(act.kind for act in said)
        if mood is not None:
            first = min(said, key=lambda act: act.start_ms)
            words = next(act.text for act in said if value([act.kind]) is not None)
            turns.append(MoodPart(start_ms=first.start_ms, value=mood, words=words))
    turns.sort(key=lambda turn: turn.start_ms)
    return CustomerWordsPart(
        acts_by_third={kind: (n[0], n[1], n[2]) for kind, n in sorted(thirds.items())},
        turns=tuple(turns),
        trend=_trend(turns),
    )


def _trend(turns: list[MoodPart]) -> str | None:
    if len(turns) < MIN_TURNS:
        return None
    half = len(turns) // 2
    before = sum(turn.value for turn in turns[:half]) / half
    after = sum(turn.value for turn in turns[half:]) / (len(turns) - half)
    if abs(after - before) < STEADY:
        return "steady"
    return "better" if after > before else "worse"
