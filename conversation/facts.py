"""The facts that cue rules may read, at one moment; None is unknown."""

from __future__ import annotations

from conversation.completeness import lexical_completeness
from conversation.events import Channel, OverlapClass
from conversation.floor import PARTIES, Floor
from conversation.metrics import Pace, talk_share_agent
from conversation.overlap_evidence import Candidate
from conversation.overlaps import OverlapTracker
from conversation.ports import FactValue
from conversation.speech import PartySpeech

_EVER_MS = 86_400_000
"""Stands for "never in this call"."""


def build_facts(
    now_ms: int,
    parties: dict[Channel, PartySpeech],
    floor: Floor,
    overlaps: OverlapTracker,
    paces: dict[Channel, Pace],
    *,
    hold_since_ms: int | None,
    words_seen_ms: int | None,
    confirm_ms: int,
) -> dict[str, FactValue]:
    """Return every fact by its dotted name at the grid time `now_ms`."""
    agent, customer = (parties[p] for p in PARTIES)
    mutual_ms = min(agent.silent_ms(now_ms), customer.silent_ms(now_ms))
    last = max(PARTIES, key=lambda p: parties[p].last_end_ms)
    anyone = agent.spans or customer.spans
    facts: dict[str, FactValue] = {
        "call.ms": now_ms,
        "direction_known": True,
        "bleed": overlaps.line.grade,
        "rtt_ms": overlaps.line.longest_rtt_ms,
        "hold": hold_since_ms is not None,
        "hold_ms": None if hold_since_ms is None else now_ms - hold_since_ms,
        "asr.available": words_seen_ms is not None,
        "speech_ms_180s": sum(parties[p].speech_ms(now_ms - 180_000, now_ms) for p in PARTIES),
        "talk_share_agent_180s": talk_share_agent(parties, now_ms - 180_000, now_ms),
        "silence.mutual_ms": mutual_ms,
        "silence.owed_by": last.other.value if anyone and mutual_ms > 0 else None,
        "interruptions.agent_60s": overlaps.evidence.interruptions(Channel.AGENT, now_ms, 60_000),
        "interruptions.agent_180s": overlaps.evidence.interruptions(Channel.AGENT, now_ms, 180_000),
        "interruptions.customer_120s": overlaps.evidence.interruptions(
            Channel.CUSTOMER, now_ms, 120_000
        ),
        "pause_cut_ins.agent_120s": overlaps.evidence.interruptions(
            Channel.AGENT, now_ms, 120_000, (OverlapClass.PAUSE_CUT_IN,)
        ),
    }
    facts.update(_taken_floor(parties, overlaps, now_ms))
    candidate = _newest(overlaps)
    facts.update(_overlap_facts(overlaps, candidate, now_ms))
    for party in PARTIES:
        facts.update(
            _party_facts(party, parties[party], floor, paces[party], candidate, now_ms, confirm_ms)
        )
    return facts


def _taken_floor(
    parties: dict[Channel, PartySpeech], overlaps: OverlapTracker, now_ms: int
) -> dict[str, FactValue]:
    """Facts about the last time that the agent took the floor from the customer."""
    taken = overlaps.evidence.taken.get(Channel.AGENT)
    if taken is None:
        return dict.fromkeys(
            ("taken_floor.severity", "taken_floor.ago_ms", "taken_floor.customer_ms")
        )
    return {
        "taken_floor.severity": taken.severity,
        "taken_floor.ago_ms": now_ms - taken.end_ms,
        "taken_floor.customer_ms": parties[Channel.CUSTOMER].speech_ms(taken.end_ms, now_ms),
    }


def _newest(overlaps: OverlapTracker) -> Candidate | None:
    overlapping = (c for c in overlaps.open if not c.pause)
    return max(overlapping, key=lambda c: c.onset_ms, default=None)


def _overlap_facts(
    overlaps: OverlapTracker, candidate: Candidate | None, now_ms: int
) -> dict[str, FactValue]:
    if candidate is None:
        names = ("by", "raw_ms", "p_backchannel", "collision", "onset_ago_ms", "confidence")
        return {f"overlap.{name}": None for name in names}
    return {
        "overlap.by": candidate.by.value,
        "overlap.raw_ms": candidate.raw_ms,
        "overlap.p_backchannel": candidate.p_backchannel,
        "overlap.collision": candidate.collision,
        "overlap.onset_ago_ms": now_ms - candidate.onset_ms,
        "overlap.confidence": overlaps.confidence(candidate),
    }


def _party_facts(
    party: Channel,
    speech: PartySpeech,
    floor: Floor,
    pace: Pace,
    candidate: Candidate | None,
    now_ms: int,
    confirm_ms: int,
) -> dict[str, FactValue]:
    known_ms = now_ms - confirm_ms
    p_complete: float | None = None
    if candidate is not None and candidate.over is party:
        p_complete = candidate.p_complete
    elif speech.words:
        recent = [w.text for w in speech.words[-8:]]
        p_complete = lexical_completeness(" ".join(recent))
    voiced_ago_ms = 0 if speech.speaking else known_ms - speech.last_end_ms
    stopped_ms: int | None = None
    if not speech.speaking and p_complete is not None and p_complete <= 0.5:
        stopped_ms = max(0, known_ms - speech.last_end_ms)
    holds = floor.holder is party
    if candidate is not None and candidate.over is party:
        holds = holds or candidate.held
    turn_ms: int | None = None
    turn_words: int | None = None
    if floor.holder is party and floor.turn_start_ms is not None:
        turn_ms = known_ms - floor.turn_start_ms
        turn_words = speech.words_since(floor.turn_start_ms)
    name = party.value
    return {
        f"{name}.speaking": speech.speaking,
        f"{name}.utterance_ms": speech.utterance_length_ms(known_ms) if speech.speaking else 0,
        f"{name}.reply_offset_ms": speech.reply_offset_ms,
        f"{name}.asked_to_wait_ago_ms": (
            _EVER_MS if speech.asked_to_wait_ms is None else now_ms - speech.asked_to_wait_ms
        ),
        f"{name}.silent_ms": speech.silent_ms(now_ms),
        f"{name}.voiced_ago_ms": max(0, voiced_ago_ms),
        f"{name}.holds_floor": holds,
        f"{name}.p_complete": p_complete,
        f"{name}.stopped_incomplete_ms": stopped_ms,
        f"{name}.turn_ms": turn_ms,
        f"{name}.turn_words": turn_words,
        f"{name}.voice_raised": speech.voice_raised,
        f"{name}.wpm_15s": pace.words_per_minute(),
    }
