"""Rules beside the one cue: alerts for a supervisor, chips and indicators for the agent.

None of them takes the slot or costs budget. An alert is told once per call and rule until it is
over, and counts as over when it is acknowledged or its condition has cleared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from conversation.call_facts import CallFacts
from conversation.events import AlertCleared, AlertRaised, NoticeCleared, NoticeShown
from conversation.fact_names import FactValue
from conversation.history import CallHistory
from conversation.watches import Watch

EVERY_MS = 500
"""None of these rules is about less than a second, so they are looked at this often."""

SideEvent = AlertRaised | AlertCleared | NoticeShown | NoticeCleared


class SideRules:
    """Follows every rule that is no cue."""

    def __init__(self, watches: Sequence[Watch]) -> None:
        self._watches = list(watches)
        self._open: dict[str, str] = {}
        """Id of what is shown, by rule."""
        self._told: Counter[str] = Counter()
        self._acknowledged: set[str] = set()
        self._numbers = {"alert": 0, "notice": 0}

    def acknowledge(self, alert_id: str) -> None:
        """A supervisor has seen an alert; it is cleared at the next evaluation."""
        self._acknowledged.add(alert_id)

    def evaluate(
        self,
        now_ms: int,
        facts: Mapping[str, FactValue],
        history: CallHistory,
        *,
        in_grace: bool,
        call: CallFacts,
    ) -> list[SideEvent]:
        """Return what appeared and what is gone; looked at every 500 ms of stream time."""
        out: list[SideEvent] = []
        if now_ms % EVERY_MS:
            return out
        for watch in self._watches:
            rule = watch.rule
            shown = self._open.get(rule.id)
            true = watch.advance(now_ms, EVERY_MS, facts, history, in_grace=in_grace and rule.grace)
            if shown is not None:
                reason = "acknowledged" if shown in self._acknowledged else "condition"
                if reason == "acknowledged" or watch.is_clear(facts, history):
                    out.append(self._close(watch, shown, reason, now_ms))
            elif (
                true
                and self._told[rule.id] < rule.max_per_call
                and not watch.is_clear(facts, history)
            ):
                watch.told.add("shown")
                out.append(self._open_one(watch, now_ms, facts, history, call))
        return out

    def finish(self, now_ms: int) -> list[SideEvent]:
        """End the call: nothing stays on a screen."""
        return [
            self._close(watch, self._open[watch.rule.id], "call_ended", now_ms)
            for watch in self._watches
            if watch.rule.id in self._open
        ]

    def _open_one(
        self,
        watch: Watch,
        now_ms: int,
        facts: Mapping[str, FactValue],
        history: CallHistory,
        call: CallFacts,
    ) -> SideEvent:
        rule = watch.rule
        kind = "alert" if rule.audience == "supervisor" else "notice"
        self._numbers[kind] += 1
        self._told[rule.id] += 1
        event_id = self._open[rule.id] = f"{kind}-{self._numbers[kind]}"
        if kind == "notice":
            subject = call.open_promises[-1] if rule.id == "promise_logged" else None
            return NoticeShown(
                at_ms=now_ms,
                id=event_id,
                rule=rule.id,
                text=rule.text,
                surface=rule.surface,
                subject=subject,
            )
        return AlertRaised(
            at_ms=now_ms,
            id=event_id,
            rule=rule.id,
            reason=rule.text,
            suggested_action=rule.suggests,
            evidence=tuple(watch.evidence(now_ms, watch.values(facts), history)),
        )

    def _close(self, watch: Watch, event_id: str, reason: str, now_ms: int) -> SideEvent:
        rule = watch.rule
        self._open.pop(rule.id)
        if rule.audience == "supervisor":
            return AlertCleared(at_ms=now_ms, id=event_id, rule=rule.id, reason=reason)
        return NoticeCleared(at_ms=now_ms, id=event_id, rule=rule.id)
