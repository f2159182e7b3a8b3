"""Lines of the scorecard about delivery: steadiness, wording, answers, the personal touch."""

from __future__ import annotations

import re
from bisect import bisect_left

from conversation.events import (
    Channel,
    Evidence,
    RaisedVoiceEnded,
    SilenceEnded,
)
from conversation.metrics import PAUSE_IN_SPEECH_MS
from conversation.speech import bridged
from reports.model import ScorePart
from reports.score_part import Opportunity, Talk, score_part
from reports.spans import intersect, quantile, total_ms

MINUTE_MS = 60_000
MIN_SPEECH_MS = 15_000
"""Agent speech from which a minute is judged (`coaching.md` section 6)."""
MIN_WORDS = 20
"""Fewer words give no pace (our choice)."""
USUAL_BAND = 0.25
"""Pace within this share of the agent's own usual is steady (`coaching.md` section 6)."""
FASTEST_WPM, SLOWEST_WPM = 180.0, 100.0
"""Limits while the agent's usual pace is unknown (`coaching.md`, pace_fast and pace_slow)."""
REPLY_MS = 3_000
SILENCE_MS, NOTICED_SILENCE_MS = 8_000, 3_000
"""A silence longer than the first needs a word; shorter than the second is none."""
NOTICE_MS = 30_000
"""An announced wait covers this long (`coaching.md`, dead_air)."""
TURN_WORDS = 8
GREETING_MS = 20_000
MOST_NAMES = 4
"""More often than this a name sounds put on (`coaching.md` section 6)."""


def steady_delivery(talk: Talk, note: str | None) -> ScorePart:
    """Minutes with enough agent speech whose pace was usual and whose voice was not raised."""
    log = talk.log
    usual = log.started.usual_words_per_minute
    low, high = (
        (SLOWEST_WPM, FASTEST_WPM)
        if usual is None
        else (usual * (1 - USUAL_BAND), usual * (1 + USUAL_BAND))
    )
    raised = [
        (e.begin_ms, e.end_ms)
        for e in log.events
        if isinstance(e, RaisedVoiceEnded) and e.channel is Channel.AGENT
    ]
    said = [w for f in log.finals if f.channel is Channel.AGENT for w in f.words]
    begins = sorted(word.start_ms for word in said)
    opportunities, evidence = [], []
    for begin_ms in range(0, log.end_ms, MINUTE_MS):
        span = (begin_ms, begin_ms + MINUTE_MS)
        spoken = intersect(log.speech[Channel.AGENT], [span])
        words = bisect_left(begins, span[1]) - bisect_left(begins, begin_ms)
        if total_ms(spoken) < MIN_SPEECH_MS or words < MIN_WORDS:
            continue
        spoken_ms = total_ms(bridged(list(spoken), PAUSE_IN_SPEECH_MS))
        pace = words * 60_000 / spoken_ms
        loud = any(begin < span[1] and end > begin_ms for begin, end in raised)
        steady = low <= pace <= high and not loud
        opportunities.append(Opportunity(*span, Channel.AGENT, steady))
        kind = "raised_voice" if loud else "words_per_minute"
        if not steady:
            evidence.append(Evidence(kind=kind, at_ms=begin_ms, value=round(pace)))
    return score_part("steady_delivery", opportunities, evidence=evidence, note=note)


def wording(talk: Talk, note: str | None) -> ScorePart:
    """Agent utterances that say something, and how many had no phrase to avoid."""
    hits = talk.of(Channel.AGENT, "avoid_phrase")
    flawed = {hit.utterance_id: hit for hit in hits}
    opportunities = [
        Opportunity(
            f.start_ms, f.end_ms, Channel.AGENT, f.utterance_id not in flawed,
            (flawed[f.utterance_id],) if f.utterance_id in flawed else (),
        )
        for f in talk.log.finals
        if f.channel is Channel.AGENT and (len(f.words) >= TURN_WORDS or f.utterance_id in flawed)
    ]  # fmt: skip
    evidence = [Evidence(kind=a.kind, at_ms=a.start_ms, value=a.text) for a in hits]
    return score_part("wording", opportunities, evidence=evidence, note=note)


def responsive(talk: Talk, note: str | None) -> ScorePart:
    """Questions answered within 3 s, and silences that were short or announced."""
    log = talk.log
    opportunities, replies = [], []
    agent, customer = log.speech[Channel.AGENT], log.speech[Channel.CUSTOMER]
    for act in talk.of(Channel.CUSTOMER, "question"):
        starts = [begin for begin, _ in agent if begin >= act.end_ms]
        if not starts:
            continue
        ends = [end for begin, end in customer if begin < starts[0]]
        delay_ms = max(0, starts[0] - max(ends, default=act.end_ms))
        replies.append(delay_ms)
        opportunities.append(
            Opportunity(act.start_ms, starts[0], Channel.AGENT, delay_ms < REPLY_MS, (act,))
        )
    unexplained_ms = 0
    notices = talk.of(Channel.AGENT, "hold_notice")
    for event in log.events:
        if not isinstance(event, SilenceEnded) or event.owed_by is not Channel.AGENT:
            continue
        length_ms = event.end_ms - event.begin_ms
        if length_ms < NOTICED_SILENCE_MS or intersect(
            [(event.begin_ms, event.end_ms)], log.unknown
        ):
            continue
        told = any(-NOTICE_MS <= n.end_ms - event.begin_ms <= SILENCE_MS for n in notices)
        if length_ms >= SILENCE_MS and not told:
            unexplained_ms += length_ms
        good = length_ms < SILENCE_MS or told
        opportunities.append(Opportunity(event.begin_ms, event.end_ms, Channel.AGENT, good))
    opportunities.sort(key=lambda o: o.start_ms)
    figures = {
        "reply_p90_ms": quantile(sorted(replies), 0.9),
        "unexplained_ms": float(unexplained_ms),
    }
    evidence = [
        Evidence(kind="silence" if not o.acts else "question", at_ms=o.start_ms,
                 value=None if not o.acts else o.acts[0].text)
        for o in opportunities
        if not o.delivered
    ]  # fmt: skip
    return score_part("responsive", opportunities, evidence=evidence, figures=figures, note=note)


def personal(talk: Talk, note: str | None) -> ScorePart:
    """An inviting greeting, and a name that is known used one to four times."""
    log = talk.log
    agent = log.speech[Channel.AGENT]
    if not agent:
        return score_part("personal", [], note=note)
    begin_ms = agent[0][0]
    greetings = talk.within(0, begin_ms + GREETING_MS, Channel.AGENT, "greeting")
    opportunities = [
        Opportunity(
            begin_ms, begin_ms + GREETING_MS, Channel.AGENT, bool(greetings),
            tuple(greetings[:1]),
        )
    ]  # fmt: skip
    name = log.started.customer_name
    figures: dict[str, float | None] = {"name_used": None}
    if name is not None:
        parts = {part for part in name.lower().split() if len(part) > 1}
        used = sum(
            bool(parts & set(re.findall(r"\w+", (f.text or "").lower())))
            for f in log.finals
            if f.channel is Channel.AGENT
        )
        figures["name_used"] = float(used)
        opportunities.append(Opportunity(0, log.end_ms, Channel.AGENT, 1 <= used <= MOST_NAMES))
    return score_part("personal", opportunities, figures=figures, note=note)
