"""How much, how fast and how promptly each party spoke."""

from __future__ import annotations

from collections import Counter

from conversation.events import Channel, OverlapClass, TurnEnded, TurnStarted
from conversation.metrics import MIN_PACE_MS, MIN_PACE_WORDS, PAUSE_IN_SPEECH_MS
from conversation.speech import bridged
from reports.log import PARTIES, CallLog
from reports.model import TalkPart
from reports.spans import intersect, quantile, total_ms, union


def talk(log: CallLog, scored_ms: int) -> TalkPart:
    """Measure the talk over `scored_ms` of known time."""
    agent, customer = log.speech[Channel.AGENT], log.speech[Channel.CUSTOMER]
    everyone = union(span for spans in log.speech.values() for span in spans)
    agent_ms, customer_ms = total_ms(agent), total_ms(customer)
    known = log.direction_known
    turns = [event for event in log.events if isinstance(event, TurnEnded)]
    backchannels = Counter(
        event.by for event in log.overlaps if event.overlap_class is OverlapClass.BACKCHANNEL
    )
    return TalkPart(
        agent_ms=agent_ms if known else None,
        customer_ms=customer_ms if known else None,
        overlap_ms=total_ms(intersect(agent, customer)) if known else None,
        silence_ms=max(0, scored_ms - total_ms(everyone)),
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
        response_latency_ms={party: _latency(log, party) for party in PARTIES},
        words_per_minute={party: _words_per_minute(log, party) for party in PARTIES},
        backchannels={party: backchannels[party] if known else None for party in PARTIES},
    )


def _latency(log: CallLog, party: Channel) -> dict[str, float | None]:
    offsets = sorted(
        event.floor_transfer_offset_ms
        for event in log.events
        if isinstance(event, TurnStarted)
        and event.channel is party
        and event.floor_transfer_offset_ms is not None
        and event.floor_transfer_offset_ms > 0
    )
    return {"median": quantile(offsets, 0.5), "p90": quantile(offsets, 0.9)}


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
