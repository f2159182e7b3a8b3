"""How much, how fast and how promptly each party spoke."""

from __future__ import annotations

from collections import Counter

import msgspec

from conversation.events import Channel, OverlapClass, TurnEnded, TurnStarted
from conversation.metrics import MIN_PACE_MS, MIN_PACE_WORDS, PAUSE_IN_SPEECH_MS
from conversation.speech import bridged
from reports.intervals import median_interval, rate_interval
from reports.log import PARTIES, CallLog
from reports.model import TalkPart
from reports.spans import intersect, quantile, total_ms, union

MIN_SCORED_SPEECH_MS = 120_000
"""Rates need this much speech (`interruptions.md` section 13)."""
_SHARE_LIMITS = (0.25, 0.70)
_SILENCE_LIMIT, _OVERLAP_LIMIT = 0.30, 0.15
_MONOLOGUE_LIMIT_MS, _REPLY_LIMIT_MS = 60_000, 3_000
_PACE_LIMITS = (100, 190)
_EARLY_MS, _LATE_MS = -200, 2_000


def talk(log: CallLog, scored_ms: int) -> TalkPart:
    """Measure the talk over `scored_ms` of known time."""
    agent, customer = log.speech[Channel.AGENT], log.speech[Channel.CUSTOMER]
    everyone = union(span for spans in log.speech.values() for span in spans)
    agent_ms, customer_ms = total_ms(agent), total_ms(customer)
    known = log.direction_known
    rated = known and agent_ms + customer_ms >= MIN_SCORED_SPEECH_MS and scored_ms > 0
    turns = [event for event in log.events if isinstance(event, TurnEnded)]
    offsets = {party: _offsets(log, party) for party in PARTIES}
    replies = {party: _replies(log, party) for party in PARTIES}
    signals = Counter(
        event.by for event in log.overlaps if event.overlap_class is OverlapClass.BACKCHANNEL
    )
    heard_ms = {Channel.AGENT: customer_ms, Channel.CUSTOMER: agent_ms}
    overlap_ms, silence_ms = total_ms(intersect(agent, customer)), scored_ms - total_ms(everyone)
    left = sorted(max(0, offset) for offset in replies[Channel.AGENT])
    switches = sum(len(values) for values in offsets.values())
    part = TalkPart(
        agent_ms=agent_ms if known else None,
        customer_ms=customer_ms if known else None,
        overlap_ms=overlap_ms if known else None,
        silence_ms=max(0, silence_ms),
        talk_share_agent=(
            round(agent_ms / (agent_ms + customer_ms), 4)
            if known and agent_ms + customer_ms
            else None
        ),
        longest_monologue_ms={
            party: max((t.end_ms - t.start_ms for t in turns if t.channel is party), default=None)
            for party in PARTIES
        },
        turns={
            party: sum(t.channel is party for t in turns) if known else None for party in PARTIES
        },
        response_latency_ms={party: _latency(replies[party]) for party in PARTIES},
        words_per_minute={party: _words_per_minute(log, party) for party in PARTIES},
        backchannels={party: signals[party] if known else None for party in PARTIES},
        overlap_share=round(overlap_ms / scored_ms, 4) if known and scored_ms else None,
        silence_share=round(max(0, silence_ms) / scored_ms, 4) if scored_ms else None,
        transfer_offset_ms={party: _spread(offsets[party]) for party in PARTIES} if known else {},
        patience_ms=quantile(left, 0.5) if known else None,
        switches_per_min=round(switches * 60_000 / scored_ms, 2) if rated else None,
        backchannels_per_min={
            party: round(signals[party] * 60_000 / heard_ms[party], 2)
            if rated and heard_ms[party]
            else None
            for party in PARTIES
        },
        intervals={
            "patience_ms": median_interval(left) if known else None,
            **{
                f"backchannels_per_min.{party}": rate_interval(
                    signals[party], 60_000 / heard_ms[party]
                )
                if rated and heard_ms[party]
                else None
                for party in PARTIES
            },
            **{
                f"transfer_offset_ms.{party}": median_interval(offsets[party]) if known else None
                for party in PARTIES
            },
        },
    )
    return msgspec.structs.replace(part, flags=_flags(part))


def _flags(part: TalkPart) -> tuple[str, ...]:
    """Name what is beyond the limits; no public norm stands behind them."""
    share, low_high = part.talk_share_agent, _SHARE_LIMITS
    agent_pace = part.words_per_minute.get(Channel.AGENT)
    latency = part.response_latency_ms[Channel.AGENT]["p90"]
    monologue = part.longest_monologue_ms[Channel.AGENT]
    checks = {
        "agent_talks_most": share is not None and share > low_high[1],
        "agent_talks_little": share is not None and share < low_high[0],
        "much_silence": part.silence_share is not None and part.silence_share > _SILENCE_LIMIT,
        "much_overlap": part.overlap_share is not None and part.overlap_share > _OVERLAP_LIMIT,
        "slow_replies": latency is not None and latency > _REPLY_LIMIT_MS,
        "long_monologue": monologue is not None and monologue > _MONOLOGUE_LIMIT_MS,
        "fast": agent_pace is not None and agent_pace > _PACE_LIMITS[1],
        "slow": agent_pace is not None and agent_pace < _PACE_LIMITS[0],
    }
    return tuple(name for name, raised in checks.items() if raised)


def _offsets(log: CallLog, party: Channel) -> list[int]:
    """Return the offsets of `party`'s turns after turns of the other, in order of size."""
    offsets, before = [], None
    for event in log.events:
        if isinstance(event, TurnStarted):
            offset = event.floor_transfer_offset_ms
            if event.channel is party and before is party.other and offset is not None:
                offsets.append(offset)
            before = event.channel
    return sorted(offsets)


def _replies(log: CallLog, party: Channel) -> list[int]:
    """Return offsets as the party itself had them: less its own round trip."""
    interruptions = log.started.settings.get("interruptions", {})
    rtt_ms = int(interruptions.get("rtt_ms", {}).get(party.value, 0))
    return [
        offset - rtt_ms if offset > rtt_ms else min(offset, 0) for offset in _offsets(log, party)
    ]


def _latency(offsets: list[int]) -> dict[str, float | None]:
    positive = [offset for offset in offsets if offset > 0]
    return {"median": quantile(positive, 0.5), "p90": quantile(positive, 0.9)}


def _spread(offsets: list[int]) -> dict[str, float | None]:
    n = len(offsets)

    def share(count: int) -> float | None:
        return round(count / n, 4) if n else None

    return {
        "n": n,
        "median": quantile(offsets, 0.5),
        "p25": quantile(offsets, 0.25),
        "p75": quantile(offsets, 0.75),
        "p90": quantile(offsets, 0.9),
        "early": share(sum(offset < _EARLY_MS for offset in offsets)),
        "smooth": share(sum(abs(offset) <= -_EARLY_MS for offset in offsets)),
        "late": share(sum(offset > _LATE_MS for offset in offsets)),
    }


def _words_per_minute(log: CallLog, party: Channel) -> float | None:
    """Words over the time of stretches long enough to say something about pace.

    Pauses up to a second belong to a stretch, as in the pace that cues are about.
    """
    finals = [final for final in log.finals if final.channel is party]
    stretches = bridged(union((f.start_ms, f.end_ms) for f in finals), PAUSE_IN_SPEECH_MS)
    words = spoken_ms = 0
    for begin_ms, end_ms in stretches:
        count = sum(len(f.words) for f in finals if begin_ms <= f.start_ms < end_ms)
        if count >= MIN_PACE_WORDS and end_ms - begin_ms >= MIN_PACE_MS:
            words += count
            spoken_ms += end_ms - begin_ms
    return round(words * 60_000 / spoken_ms, 1) if spoken_ms else None
