"""How right the live cues of this call were: what was shown, confirmed, false and held back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from conversation.events import Channel, CueRaised, CueWithheld, OverlapEnded
from conversation.overlap_classes import INTERRUPTING
from reports.intervals import share_interval
from reports.log import CallLog
from reports.model import CueAuditPart

RULE = "talk_over"
_CUE_WINDOW_MS = 3_000
"""A live cue belongs to an interruption that began at most this long before it."""


def overlap_cues(log: CallLog) -> list[CueRaised]:
    """Return the cues about single overlaps, in order."""
    return [e for e in log.events if isinstance(e, CueRaised) and e.rule == RULE]


def live_cues(log: CallLog) -> dict[str, int]:
    """Join cues to overlaps one to one: the id of an overlap by the agent, and its cue's time.

    A cue belongs to the last overlap that began before it.
    """
    joined: dict[str, int] = {}
    mine = [event for event in log.overlaps if event.by is Channel.AGENT]
    for cue in overlap_cues(log):
        before = [e for e in mine if 0 <= cue.at_ms - e.begin_ms <= _CUE_WINDOW_MS]
        if before:
            joined.setdefault(before[-1].id, cue.at_ms)
    return joined


def cue_audit(log: CallLog) -> CueAuditPart | None:
    """Hold the cues against what the whole call says; None where nobody can be told apart."""
    if not log.direction_known or log.offset_ms:
        return None
    cues, joined = overlap_cues(log), live_cues(log)
    confirmed = sum(event.id in joined and _stands(event) for event in log.overlaps)
    withheld: dict[str, dict[str, int]] = {}
    for event in log.events:
        if isinstance(event, CueWithheld):
            reasons = withheld.setdefault(event.rule, {})
            reasons[event.reason] = reasons.get(event.reason, 0) + 1
    fired = Counter(e.rule for e in log.events if isinstance(e, CueRaised))
    return CueAuditPart(
        rule=RULE,
        fired=len(cues),
        confirmed=confirmed,
        false=len(cues) - confirmed,
        missed=_missed(log.overlaps, joined),
        precision=round(confirmed / len(cues), 4) if cues else None,
        precision_interval=share_interval(confirmed, len(cues)),
        fired_by_rule=dict(sorted(fired.items())),
        withheld={rule: dict(sorted(withheld[rule].items())) for rule in sorted(withheld)},
    )


def _stands(event: OverlapEnded) -> bool:
    return event.overlap_class in INTERRUPTING


def _missed(overlaps: Sequence[OverlapEnded], joined: dict[str, int]) -> int:
    """Count interruptions by the agent that had no cue."""
    return sum(e.by is Channel.AGENT and _stands(e) and e.id not in joined for e in overlaps)
