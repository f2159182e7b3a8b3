"""Turns facts and history into cues: evaluates the rules and lets the arbiter choose."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from conversation.arbiter import Arbiter, ArbiterSettings
from conversation.events import (
    CapturePaused,
    CaptureResumed,
    Channel,
    CueCleared,
    CueFeedback,
    CueRaised,
    CueWithheld,
    Event,
    Evidence,
    FinalTranscript,
)
from conversation.expressions import Expression
from conversation.fact_names import FactValue
from conversation.history import CallHistory
from conversation.language import load_pack
from conversation.rules import CueRule, packaged_rules

EVIDENCE_WORDS = 8
"""Most trigger words on the evidence line."""

CueEvent = CueRaised | CueCleared | CueWithheld


class _Watch(msgspec.Struct):
    """One rule while the call runs."""

    rule: CueRule
    when: Expression
    clear: Expression
    held_ms: int = 0
    complete_ms: int | None = None
    waiting_since_ms: int | None = None
    waited_ms: int = 0
    active: bool = False
    reasons: set[str] = msgspec.field(default_factory=set)


class CueEngine:
    """Evaluates rules over facts; at most one cue is visible at any time.

    Feed every observation and derived event to `observe`, call `evaluate` about every 100 ms of
    stream time and after each observation, and `finish` once at the end of the call.
    """

    def __init__(
        self,
        rules: Sequence[CueRule],
        settings: ArbiterSettings | None = None,
        better_wording: Callable[[str], str | None] | None = None,
    ) -> None:
        self.settings = settings if settings is not None else ArbiterSettings()
        self._better_wording = better_wording
        self._watches = [
            _Watch(rule, Expression(rule.when), Expression(rule.clear_when))
            for rule in rules
            if rule.enabled and rule.audience == "agent" and rule.surface == "cue"
        ]
        self._arbiter = Arbiter(self.settings)
        self._history = CallHistory()
        self._agent_words_end = -1
        self._paused = False
        self._snoozed_until: float = -1
        self._dismiss = False
        self._last_ms: int | None = None
        self._finished = False

    @classmethod
    def from_packaged(cls, locale: str = "en", disabled: Iterable[str] = ()) -> CueEngine:
        """Build an engine from the shipped rules and the language pack of `locale`.

        Raises:
            RuleError: `disabled` names no rule.
            PackError: there is no pack for `locale`.
        """
        return cls(packaged_rules(disabled), better_wording=load_pack(locale).better_wording)

    def observe(self, event: Event) -> None:
        """Take note of one observation or derived event."""
        self._history.observe(event)
        if isinstance(event, FinalTranscript) and event.channel is Channel.AGENT:
            self._agent_words_end = max(self._agent_words_end, event.end_ms)
        elif isinstance(event, CapturePaused | CaptureResumed):
            self._paused = isinstance(event, CapturePaused)
        elif isinstance(event, CueFeedback):
            visible = self._arbiter.visible
            if event.verdict == "snooze_5min":
                self._snoozed_until = event.at_ms + self.settings.snooze_ms
            elif event.verdict == "snooze_call":
                self._snoozed_until = float("inf")
            if event.verdict.startswith("snooze") or (
                event.verdict == "dismiss" and visible is not None and visible.id == event.cue_id
            ):
                self._dismiss = True

    def evaluate(self, now_ms: int, facts: Mapping[str, FactValue]) -> list[CueEvent]:
        """Evaluate all rules at `now_ms` and return what changed on the screen."""
        if self._finished:
            return []
        step = 0 if self._last_ms is None else max(0, now_ms - self._last_ms)
        self._last_ms = now_ms
        self._history.now_ms = now_ms
        self._history.words_known = facts.get("asr.available") is True
        out: list[CueEvent] = []
        self._end_visible(now_ms, facts, out)
        ready = [w for w in self._watches if self._advance(w, now_ms, step, facts)]
        ready.sort(key=lambda w: (w.rule.priority, -(w.complete_ms or 0), w.rule.id))
        for watch in ready:
            self._history.floor = self._act_floor(watch.rule)
            reason = self._obstacle(watch, now_ms, facts)
            if reason is None:
                self._raise(watch, now_ms, facts, out)
            elif reason and reason not in watch.reasons:
                watch.reasons.add(reason)
                values = self._values(watch, facts)
                out.append(
                    CueWithheld(at_ms=now_ms, rule=watch.rule.id, reason=reason, values=values)
                )
        return out

    def finish(self, now_ms: int) -> list[CueEvent]:
        """End the call: clear the visible cue; nothing is shown afterwards."""
        if self._finished:
            return []
        self._finished = True
        out: list[CueEvent] = []
        self._clear("expired", now_ms, out)
        return out

    # --------------------------------------------------------------- internals
    @staticmethod
    def _act_floor(rule: CueRule) -> float:
        return 0.0 if rule.latency_class == "A" else rule.confidence_floor

    def _clear(self, outcome: str, now_ms: int, out: list[CueEvent]) -> None:
        shown = self._arbiter.end(outcome, now_ms)
        if shown is not None:
            out.append(CueCleared(at_ms=now_ms, id=shown.id, rule=shown.rule.id, outcome=outcome))

    def _end_visible(
        self, now_ms: int, facts: Mapping[str, FactValue], out: list[CueEvent]
    ) -> None:
        shown, dismiss = self._arbiter.visible, self._dismiss
        self._dismiss = False
        if shown is None:
            return
        watch = next(w for w in self._watches if w.rule is shown.rule)
        self._history.floor = self._act_floor(shown.rule)
        if watch.clear.evaluate(facts, self._history) is True:
            if shown.clear_since_ms is None:
                shown.clear_since_ms = now_ms
        else:
            shown.clear_since_ms = None
        if dismiss:
            self._clear("dismissed", now_ms, out)
        elif (
            shown.clear_since_ms is not None
            and now_ms - shown.clear_since_ms >= shown.rule.clear_hold_ms
        ):
            self._clear("cleared", now_ms, out)
        elif now_ms - shown.raised_ms >= shown.rule.ttl_ms:
            self._clear("expired", now_ms, out)

    def _advance(
        self, watch: _Watch, now_ms: int, step: int, facts: Mapping[str, FactValue]
    ) -> bool:
        """Move one rule forward and tell whether it is a candidate now."""
        rule = watch.rule
        self._history.floor = self._act_floor(rule)
        if watch.when.evaluate(facts, self._history) is not True:
            watch.active, watch.held_ms, watch.waited_ms = False, 0, 0
            watch.complete_ms = watch.waiting_since_ms = None
            watch.reasons.clear()
            return False
        in_grace = rule.grace and self._in_grace(now_ms, facts)
        if watch.active and not in_grace:
            watch.held_ms += step
        watch.active = True
        if in_grace or watch.held_ms < rule.hold_ms:
            return False
        if watch.complete_ms is None:
            watch.complete_ms = now_ms
        return "shown" not in watch.reasons

    def _in_grace(self, now_ms: int, facts: Mapping[str, FactValue]) -> bool:
        if facts.get("agent.speaking") is not False:
            return True
        ended = self._history.channel_quiet(Channel.AGENT)
        covered = self._agent_words_end >= ended - 400
        return not covered and now_ms - ended < self.settings.grace_limit_ms

    def _obstacle(self, watch: _Watch, now_ms: int, facts: Mapping[str, FactValue]) -> str | None:
        """Return why the candidate is not shown, None to show it, '' to go on waiting."""
        rule, s = watch.rule, self.settings
        if watch.clear.evaluate(facts, self._history) is True:
            return "already_clear"
        suppressed = self._suppressed(rule, now_ms, facts)
        if suppressed:
            return suppressed
        onset = facts.get("overlap.onset_ago_ms")
        if (
            rule.max_onset_ago_ms is not None
            and isinstance(onset, int | float)
            and onset > rule.max_onset_ago_ms
        ):
            return "stale"
        complete = watch.complete_ms if watch.complete_ms is not None else now_ms
        waits = rule.latency_class != "A" and rule.priority >= 2
        if waits if rule.floor_wait is None else rule.floor_wait:
            verdict = self._floor_wait(watch, now_ms, facts)
            if verdict is not None:
                return verdict
        limit = rule.stale_ms if rule.stale_ms is not None else s.stale_ms[rule.latency_class]
        if now_ms - complete - watch.waited_ms > limit:
            return "stale"
        return self._arbiter.obstacle(rule, now_ms)

    def _floor_wait(self, watch: _Watch, now_ms: int, facts: Mapping[str, FactValue]) -> str | None:
        silent = facts.get("agent.silent_ms")
        if watch.waiting_since_ms is None:
            watch.waiting_since_ms = now_ms
        paused = isinstance(silent, int | float) and silent >= self.settings.floor_silent_ms
        waited = min(now_ms - watch.waiting_since_ms, self.settings.floor_wait_ms)
        if paused:
            return None
        watch.waited_ms = max(watch.waited_ms, waited)
        if waited < self.settings.floor_wait_ms:
            return ""
        return "floor_wait" if watch.rule.priority >= 4 else None

    def _suppressed(self, rule: CueRule, now_ms: int, facts: Mapping[str, FactValue]) -> str | None:
        s = self.settings
        opening = s.opening_a_ms if rule.latency_class == "A" else s.opening_ms
        if rule.priority > 0 and now_ms < opening:
            return "opening"
        if rule.priority > 0 and now_ms < self._snoozed_until:
            return "snoozed"
        if self._paused:
            return "capture_paused"
        if facts.get("hold") is True:
            return "hold"
        if rule.needs_direction and (
            facts.get("direction_known") is not True or facts.get("bleed") == "C"
        ):
            return "direction_unknown"
        confidence = facts.get("overlap.confidence")
        if (
            rule.max_onset_ago_ms is not None
            and isinstance(confidence, int | float)
            and confidence < rule.confidence_floor
        ):
            return "confidence"
        return None

    def _values(self, watch: _Watch, facts: Mapping[str, FactValue]) -> dict[str, FactValue]:
        names = dict.fromkeys((*watch.when.facts, *watch.rule.evidence.facts))
        return {name: facts.get(name) for name in names}

    def _raise(
        self, watch: _Watch, now_ms: int, facts: Mapping[str, FactValue], out: list[CueEvent]
    ) -> None:
        rule = watch.rule
        if self._arbiter.visible is not None:
            self._clear("superseded", now_ms, out)
        shown = self._arbiter.show(rule, now_ms)
        watch.reasons.add("shown")
        values = self._values(watch, facts)
        triggers = watch.when.kinds[:1] if watch.when.kinds else ()
        if "customer.anger" in watch.when.kinds and triggers == ("customer.frustration",):
            triggers = ("customer.frustration", "customer.anger")
        act = None if rule.latency_class == "A" else self._history.newest(triggers)
        evidence = []
        onset = values.get("overlap.onset_ago_ms")
        if isinstance(onset, int | float):
            raw = values.get("overlap.raw_ms")
            value = float(raw) if isinstance(raw, int | float) else None
            at = max(0, now_ms - int(onset))
            evidence.append(Evidence(kind="overlap", at_ms=at, value=value))
        if act is not None:
            evidence.append(Evidence(kind=act[0], at_ms=act[1], value=act[3]))
        for name in rule.evidence.facts:
            fact = values[name]
            if isinstance(fact, int | float) and not name.startswith("overlap."):
                evidence.append(Evidence(kind=name, at_ms=now_ms, value=float(fact)))
        if rule.better_wording:
            better = self._better_wording(act[3]) if self._better_wording and act else None
            values["better_wording"] = better or rule.better_wording[0]
        words = " ".join(act[3].split()[:EVIDENCE_WORDS]) if act is not None else ""
        out.append(
            CueRaised(
                at_ms=now_ms,
                id=shown.id,
                rule=rule.id,
                text=rule.text,
                priority=rule.priority,
                evidence_line=_fill(rule.evidence.line, values) or words or rule.text,
                ttl_ms=rule.ttl_ms,
                evidence=tuple(evidence),
                values=values,
                icon=rule.icon,
            )
        )


def _fill(line: str, values: Mapping[str, FactValue]) -> str:
    def one(match: re.Match[str]) -> str:
        value = values.get(match[1])
        if not isinstance(value, int | float):
            return "?"
        return f"{value / 1000:.0f} s" if match[1].endswith("_ms") else f"{value:.0f}"

    return re.sub(r"\{([a-z0-9_.]+)\}", one, line)
