"""One rule while a call runs: is it true, for how long, and since when complete."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import msgspec

from conversation.events import Evidence
from conversation.expressions import Expression
from conversation.fact_names import FactValue
from conversation.history import CallHistory
from conversation.rules import CueRule

EVIDENCE_WORDS = 8
"""Most trigger words on the evidence line (`coaching.md` section 3.2)."""


class Watch(msgspec.Struct):
    """A rule with its parsed expressions and its state in this call."""

    rule: CueRule
    when: Expression
    clear: Expression
    held_ms: int = 0
    complete_ms: int | None = None
    waiting_since_ms: int | None = None
    waited_ms: int = 0
    active: bool = False
    floor: float = 0.0
    """Confidence below which an act is not seen by this rule."""
    told: set[str] = msgspec.field(default_factory=set)
    """What was already said of this episode: `shown`, and reasons for withholding."""

    @classmethod
    def of(cls, rule: CueRule, kinds: Collection[str]) -> Watch:
        """Parse the expressions of a rule that was checked before."""
        clear = Expression(rule.clear_when, kinds, clears=True)
        floor = 0.0 if rule.latency_class == "A" else rule.confidence_floor
        return cls(rule, Expression(rule.when, kinds), clear, floor=floor)

    def advance(
        self,
        now_ms: int,
        step_ms: int,
        facts: Mapping[str, FactValue],
        history: CallHistory,
        *,
        in_grace: bool,
    ) -> bool:
        """Move the rule forward and tell whether it is a candidate now."""
        history.floor = self.floor
        if self.when.evaluate(facts, history) is not True:
            if self.active:
                self.active, self.held_ms, self.waited_ms = False, 0, 0
                self.complete_ms = self.waiting_since_ms = None
                self.told.clear()
            return False
        if self.active and not in_grace:
            self.held_ms += step_ms
        self.active = True
        if in_grace or self.held_ms < self.rule.hold_ms:
            return False
        if self.complete_ms is None:
            self.complete_ms = now_ms
        return "shown" not in self.told

    def is_clear(self, facts: Mapping[str, FactValue], history: CallHistory) -> bool:
        """Return True when the clear condition holds."""
        history.floor = self.floor
        return self.clear.evaluate(facts, history) is True

    def values(self, facts: Mapping[str, FactValue]) -> dict[str, FactValue]:
        """Return the facts that the rule rests on."""
        names = dict.fromkeys((*self.when.facts, *self.rule.evidence.facts))
        return {name: facts.get(name) for name in names}

    def words(self, history: CallHistory) -> tuple[str, int, int, str] | None:
        """Return kind, start, end and words of the newest occurrence that triggered the rule."""
        if self.rule.latency_class == "A":
            return None
        history.floor = self.floor
        return history.newest(self.when.triggers)

    def evidence(
        self, now_ms: int, values: Mapping[str, FactValue], history: CallHistory
    ) -> list[Evidence]:
        """Return what the rule rests on, linked to moments of the call."""
        evidence = []
        onset_ms = values.get("overlap.onset_ago_ms")
        if isinstance(onset_ms, int | float):
            raw = values.get("overlap.raw_ms")
            value = float(raw) if isinstance(raw, int | float) else None
            at_ms = max(0, now_ms - int(onset_ms))
            evidence.append(Evidence(kind="overlap", at_ms=at_ms, value=value))
        act = self.words(history)
        if act is not None:
            evidence.append(Evidence(kind=act[0], at_ms=act[1], value=act[3]))
        for name in self.rule.evidence.facts:
            fact = values[name]
            if isinstance(fact, int | float) and not name.startswith("overlap."):
                evidence.append(Evidence(kind=name, at_ms=now_ms, value=float(fact)))
        return evidence

    def evidence_line(self, values: Mapping[str, FactValue], history: CallHistory) -> str:
        """Return the line beside the cue: the rule's own, or the words that triggered it."""
        act = self.words(history)
        words = " ".join(act[3].split()[:EVIDENCE_WORDS]) if act is not None else ""
        return _filled(self.rule.evidence.line, values) or words or self.rule.text


def _filled(line: str, values: Mapping[str, FactValue]) -> str:
    def one(match: re.Match[str]) -> str:
        value = values.get(match[1])
        if not isinstance(value, int | float):
            return "?"
        return f"{value / 1000:.0f} s" if match[1].endswith("_ms") else f"{value:.0f}"

    return re.sub(r"\{([a-z0-9_.]+)\}", one, line)
