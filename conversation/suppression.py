"""When nothing is shown, however true a rule is (`coaching.md` section 4, step 1)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from conversation.arbiter import ArbiterSettings
from conversation.call_facts import CallFacts
from conversation.events import Channel
from conversation.fact_names import FactValue
from conversation.floor import PARTIES
from conversation.history import CallHistory
from conversation.rules import CueRule

GOODBYE_MS = 30_000
"""Both goodbyes within this time end the conversation (our choice)."""
LINE_CHECK_MS = 5_000
"""An "are you there?" exchange lasts this long (our choice)."""
READING_MS = 45_000
"""A text that must be read out takes about this long (our choice)."""
MIN_SNR_DB = 8.0
"""Below this neither words nor timing can be trusted (`coaching.md` section 4)."""
MAX_RTT_MS = 600
"""Above this a single overlap may be the line's doing (`coaching.md` section 4)."""
JUSTIFIED_MS = 10_000
"""Coming in on card data, abuse or danger this long after it is justified (our choice)."""
_LINE_CHECK = ("agent.are_you_there", "customer.are_you_there")
_JUSTIFYING = (
    "customer.card_data", "customer.directed_abuse", "customer.threat", "customer.danger",
    "agent.stops_reading",
)  # fmt: skip


class Silence(msgspec.Struct):
    """What the agent wants to be left alone with."""

    until_ms: float = -1
    """End of a snooze; infinity for the rest of the call."""
    muted: set[str] = msgspec.field(default_factory=set)
    paused: bool = False
    """Capture is paused."""


def suppressed(
    rule: CueRule,
    now_ms: int,
    facts: Mapping[str, FactValue],
    history: CallHistory,
    call: CallFacts,
    silence: Silence,
    settings: ArbiterSettings,
) -> str | None:
    """Return why `rule` is not shown now, or None."""
    if rule.priority > 0:
        opening_ms = settings.opening_a_ms if rule.latency_class == "A" else settings.opening_ms
        if now_ms < opening_ms:
            return "opening"
        if now_ms < silence.until_ms:
            return "snoozed"
        if rule.id in silence.muted:
            return "muted"
    if silence.paused:
        return "capture_paused"
    if facts.get("hold") is True and not rule.during_hold:
        return "hold"
    if rule.needs_direction and (
        facts.get("direction_known") is not True or facts.get("bleed") == "C"
    ):
        return "direction_unknown"
    if rule.needs_direction and any(facts.get(f"{p}.several_voices") is True for p in PARTIES):
        return "several_voices"
    return _by_words(rule, history) or _by_line(rule, facts, history, call)


def _by_words(rule: CueRule, history: CallHistory) -> str | None:
    if all(history.ago_ms(f"{p}.goodbye") <= GOODBYE_MS for p in ("agent", "customer")):
        return "goodbye"
    if rule.priority == 0:
        return None
    if any(history.ago_ms(kind) <= LINE_CHECK_MS for kind in _LINE_CHECK):
        return "line_check"
    if history.ago_ms("agent.mandatory_reading") <= READING_MS:
        return "mandatory_reading"
    return None


def _by_line(
    rule: CueRule, facts: Mapping[str, FactValue], history: CallHistory, call: CallFacts
) -> str | None:
    qualities = [call.quality(party) for party in (Channel.AGENT, Channel.CUSTOMER)]
    if rule.priority > 0 and any(
        q is not None and q.snr_db is not None and q.snr_db < MIN_SNR_DB for q in qualities
    ):
        return "noise"
    if rule.max_onset_ago_ms is None:
        return None
    if any(q is not None and q.rtt_ms is not None and q.rtt_ms > MAX_RTT_MS for q in qualities):
        return "round_trip"
    if any(history.ago_ms(kind) <= JUSTIFIED_MS for kind in _JUSTIFYING):
        return "justified"
    confidence = facts.get("overlap.confidence")
    if isinstance(confidence, int | float) and confidence < rule.confidence_floor:
        return "confidence"
    return None
