"""Rules while a call runs: are they true, for how long, and since when complete."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

import msgspec

from conversation.events import Evidence
from conversation.expression_nodes import Node, Part, obstacle
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
    obstacle: Part | None = None
    """What of its condition was not true the last time."""
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
        self.obstacle = obstacle(self.when.parts, facts, history, self.obstacle)
        if self.obstacle is not None:
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


class Watches:
    """Watches in order; one that waits for something is only looked at when it has come."""

    def __init__(self, watches: Sequence[Watch]) -> None:
        self._all = tuple(watches)
        self._awake = list(watches)
        self._by_fact: dict[Node, list[Watch]] = {}
        """Those that wait until a condition on facts is true."""
        self._unheard: list[Watch] = []
        """Those that wait for a kind of occurrence that there was none of yet."""
        self._heard = (0, False)
        """What was known when they were last looked at."""

    def of(self, rule: CueRule) -> Watch | None:
        """Return the watch of a rule."""
        return next((watch for watch in self._all if watch.rule is rule), None)

    def advance(
        self,
        now_ms: int,
        step_ms: int,
        facts: Mapping[str, FactValue],
        history: CallHistory,
        *,
        in_grace: bool,
    ) -> list[Watch]:
        """Move all rules forward and return the candidates."""
        self._wake(facts, history)
        candidates, awake = [], []
        for watch in self._awake:
            grace = in_grace and watch.rule.grace
            if watch.advance(now_ms, step_ms, facts, history, in_grace=grace):
                candidates.append(watch)
            if not self._sleeps(watch, history):
                awake.append(watch)
        self._awake = awake
        return candidates

    def _wake(self, facts: Mapping[str, FactValue], history: CallHistory) -> None:
        came = [node for node in self._by_fact if node(facts, history)]
        for node in came:
            self._awake += self._by_fact.pop(node)
        heard = (history.news, history.words_known)
        if heard != self._heard:
            self._heard = heard
            self._awake += self._unheard
            self._unheard.clear()

    def _sleeps(self, watch: Watch, history: CallHistory) -> bool:
        part = watch.obstacle
        if part is None:
            return False
        if not part.kinds:
            self._by_fact.setdefault(part.node, []).append(watch)
            return True
        if part.facts or history.heard(part.kinds):
            return False
        self._unheard.append(watch)
        return True


def _filled(line: str, values: Mapping[str, FactValue]) -> str:
    def one(match: re.Match[str]) -> str:
        value = values.get(match[1])
        if not isinstance(value, int | float):
            return "?"
        return f"{value / 1000:.0f} s" if match[1].endswith("_ms") else f"{value:.0f}"

    return re.sub(r"\{([a-z0-9_.]+)\}", one, line)
