"""Turns facts and history into cues: evaluates the rules and lets the arbiter choose.

Each candidate ends as `CueRaised` or as `CueWithheld` with the reason (`coaching.md` section 4).
Rules for a supervisor, chips and indicators neither take the slot nor cost budget; they are in
`side_rules.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from conversation.all_facts import AllFacts
from conversation.arbiter import Arbiter, ArbiterSettings, Shown
from conversation.call_facts import CallFacts
from conversation.discourse import Discourse
from conversation.events import (
    AlertAcknowledged,
    AlertCleared,
    AlertRaised,
    CallStarted,
    CapturePaused,
    CaptureResumed,
    Channel,
    CueCleared,
    CueFeedback,
    CueRaised,
    CueWithheld,
    Event,
    FinalTranscript,
    NoticeCleared,
    NoticeShown,
    NudgeSent,
)
from conversation.fact_names import HISTORY_KINDS, FactValue
from conversation.history import CallHistory
from conversation.phrases import Phrasebook, load_phrases
from conversation.rules import CueRule, packaged_rule_set, shown_kinds
from conversation.side_rules import SideRules
from conversation.suppression import Silence, suppressed
from conversation.watches import Watch, Watches

NUDGE_WORDS = 60
"""Most characters of a supervisor's nudge (`coaching.md` section 4, step 7)."""
NUDGE_WAITS_MS = 10_000
"""A nudge that finds no room in this time is withheld (our choice)."""
DOWNS_TO_MUTE = 2
"""So many thumbs down on one rule mute it for the rest of the call."""
UNHEARD_MS = 30_000
"""What the agent has not said is unknown this long after an utterance that gave no words."""

CueEvent = (
    CueRaised | CueCleared | CueWithheld | AlertRaised | AlertCleared | NoticeShown | NoticeCleared
)


class CueEngine:
    """Evaluates rules over facts; at most one cue is visible at any time.

    Feed every observation and derived event to `observe`, call `evaluate` about every 100 ms of
    stream time and after each observation, and `finish` once at the end of the call.
    """

    def __init__(
        self,
        rules: Sequence[CueRule],
        settings: ArbiterSettings | None = None,
        *,
        phrases: Phrasebook | None = None,
        better_wording: Callable[[str], str | None] | None = None,
        consent_required: bool = False,
    ) -> None:
        self.settings = settings if settings is not None else ArbiterSettings()
        phrases = phrases if phrases is not None else load_phrases()
        kinds = HISTORY_KINDS | phrases.kinds | shown_kinds(rules)
        on = [rule for rule in rules if rule.enabled]
        self._watches = Watches(
            [Watch.of(r, kinds) for r in on if r.audience == "agent" and r.surface == "cue"]
        )
        self._side = SideRules(
            [Watch.of(r, kinds) for r in on if r.audience != "agent" or r.surface != "cue"]
        )
        self._better_wording = better_wording
        self._arbiter = Arbiter(self.settings)
        self._history = CallHistory()
        self._call = CallFacts(consent_required=consent_required)
        self._discourse = Discourse(phrases)
        self._silence = Silence()
        self._silent_arm = False
        self._agent_words_end = -1
        self._downs: Counter[str] = Counter()
        self._dismiss = False
        self._nudges: list[NudgeSent] = []
        self._last_ms: int | None = None
        self._finished = False

    @classmethod
    def from_packaged(cls, locale: str = "en", disabled: Iterable[str] = ()) -> CueEngine:
        """Build an engine from the shipped rules and the language pack of `locale`.

        Raises:
            RuleError: `disabled` names no rule.
            PackError: there is no pack for `locale`.
        """
        phrases = load_phrases(locale)
        rules = packaged_rule_set(locale).active(disabled)
        return cls(rules, phrases=phrases, better_wording=phrases.better_wording)

    # ------------------------------------------------------------------ observing

    def observe(self, event: Event) -> None:
        """Take note of one observation or derived event."""
        self._history.observe(event)
        self._call.observe(event)
        for mark in self._discourse.observe(event):
            self._history.mark(mark.kind, mark.start_ms, mark.end_ms, mark.confidence, mark.text)
        if isinstance(event, FinalTranscript) and event.channel is Channel.AGENT:
            self._agent_words_end = max(self._agent_words_end, event.end_ms)
        elif isinstance(event, CallStarted):
            self._silence.muted |= set(event.muted_rules)
            self._silent_arm = event.arm == "silent"
        elif isinstance(event, CapturePaused | CaptureResumed):
            self._silence.paused = isinstance(event, CapturePaused)
        elif isinstance(event, CueFeedback):
            self._feedback(event)
        elif isinstance(event, NudgeSent):
            self._nudges.append(event)
        elif isinstance(event, AlertAcknowledged):
            self._side.acknowledge(event.alert_id)

    def _feedback(self, event: CueFeedback) -> None:
        visible = self._arbiter.visible
        if event.verdict == "snooze_5min":
            self._silence.until_ms = event.at_ms + self.settings.snooze_ms
        elif event.verdict == "snooze_call":
            self._silence.until_ms = float("inf")
        elif event.verdict == "down":
            shown = self._arbiter.showing(event.cue_id)
            if shown is not None:
                self._downs[shown.rule.id] += 1
                if self._downs[shown.rule.id] >= DOWNS_TO_MUTE:
                    self._silence.muted.add(shown.rule.id)
        if event.verdict.startswith("snooze") or (
            event.verdict in ("dismiss", "justified")
            and visible is not None
            and visible.id == event.cue_id
        ):
            self._dismiss = True

    # ------------------------------------------------------------------ evaluating

    def evaluate(self, now_ms: int, facts: Mapping[str, FactValue]) -> list[CueEvent]:
        """Evaluate all rules at `now_ms` and return what changed on the screens."""
        if self._finished:
            return []
        step_ms = 0 if self._last_ms is None else max(0, now_ms - self._last_ms)
        self._last_ms = now_ms
        facts = AllFacts(now_ms, facts, self._call, self._discourse)
        self._history.now_ms = now_ms
        self._history.words_known = facts["words.known"] is True
        out: list[CueEvent] = []
        self._end_visible(now_ms, facts, out)
        self._nudge(now_ms, out)
        in_grace = self._in_grace(now_ms, facts)
        ready = self._watches.advance(now_ms, step_ms, facts, self._history, in_grace=in_grace)
        ready.sort(key=lambda w: (w.rule.priority, -(w.complete_ms or 0), w.rule.id))
        for watch in ready:
            reason = self._obstacle(watch, now_ms, facts)
            if reason is None:
                self._raise(watch, now_ms, facts, out)
            elif reason and reason not in watch.told:
                watch.told.add(reason)
                out.append(_withheld(watch, reason, now_ms, facts))
        out += self._side.evaluate(now_ms, facts, self._history, in_grace=in_grace, call=self._call)
        return out

    def finish(self, now_ms: int) -> list[CueEvent]:
        """End the call: clear what is visible; nothing is shown afterwards."""
        if self._finished:
            return []
        self._finished = True
        out: list[CueEvent] = []
        self._clear("expired", now_ms, out)
        return [*out, *self._side.finish(now_ms)]

    def _clear(self, outcome: str, now_ms: int, out: list[CueEvent]) -> None:
        shown = self._arbiter.end(outcome, now_ms)
        if shown is not None and not shown.silent:
            out.append(CueCleared(at_ms=now_ms, id=shown.id, rule=shown.rule.id, outcome=outcome))

    def _end_visible(
        self, now_ms: int, facts: Mapping[str, FactValue], out: list[CueEvent]
    ) -> None:
        shown, dismiss = self._arbiter.visible, self._dismiss
        self._dismiss = False
        if shown is None:
            return
        watch = self._watches.of(shown.rule)
        if watch is None or not watch.is_clear(facts, self._history):
            shown.clear_since_ms = None
        elif shown.clear_since_ms is None:
            shown.clear_since_ms = now_ms
        if dismiss:
            self._clear("dismissed", now_ms, out)
        elif (
            shown.clear_since_ms is not None
            and now_ms - shown.clear_since_ms >= shown.rule.clear_hold_ms
        ):
            self._clear("cleared", now_ms, out)
        elif now_ms - shown.raised_ms >= shown.rule.ttl_ms:
            self._clear("expired", now_ms, out)

    def _in_grace(self, now_ms: int, facts: Mapping[str, FactValue]) -> bool:
        """Whether it cannot be known yet what the agent has said."""
        if facts.get("agent.speaking") is not False:
            return True
        ended_ms = self._history.channel_quiet(Channel.AGENT)
        if now_ms - self._call.agent_unheard_ms < UNHEARD_MS and self._call.agent_unheard_ms >= 0:
            return True
        covered = self._agent_words_end >= ended_ms - 400
        return not covered and now_ms - ended_ms < self.settings.grace_limit_ms

    # ------------------------------------------------------------------ choosing

    def _obstacle(self, watch: Watch, now_ms: int, facts: Mapping[str, FactValue]) -> str | None:
        """Return why the candidate is not shown, None to show it, '' to go on waiting."""
        rule, s = watch.rule, self.settings
        if watch.is_clear(facts, self._history):
            return "already_clear"
        reason = suppressed(rule, now_ms, facts, self._history, self._call, self._silence, s)
        if reason is not None:
            return reason
        onset_ms = facts.get("overlap.onset_ago_ms")
        if (
            rule.max_onset_ago_ms is not None
            and isinstance(onset_ms, int | float)
            and onset_ms > rule.max_onset_ago_ms
        ):
            return "stale"
        complete_ms = watch.complete_ms if watch.complete_ms is not None else now_ms
        waits = rule.latency_class != "A" and rule.priority >= 2
        if waits if rule.floor_wait is None else rule.floor_wait:
            verdict = self._floor_wait(watch, now_ms, facts)
            if verdict is not None:
                return verdict
        limit_ms = rule.stale_ms if rule.stale_ms is not None else s.stale_ms[rule.latency_class]
        if now_ms - complete_ms - watch.waited_ms > limit_ms:
            return "stale"
        return self._arbiter.obstacle(rule, now_ms, self._discourse.issue_number)

    def _floor_wait(self, watch: Watch, now_ms: int, facts: Mapping[str, FactValue]) -> str | None:
        silent_ms = facts.get("agent.silent_ms")
        if watch.waiting_since_ms is None:
            watch.waiting_since_ms = now_ms
        waited_ms = min(now_ms - watch.waiting_since_ms, self.settings.floor_wait_ms)
        if isinstance(silent_ms, int | float) and silent_ms >= self.settings.floor_silent_ms:
            return None
        watch.waited_ms = max(watch.waited_ms, waited_ms)
        if waited_ms < self.settings.floor_wait_ms:
            return ""
        return "floor_wait" if watch.rule.priority >= 4 else None

    def _raise(
        self, watch: Watch, now_ms: int, facts: Mapping[str, FactValue], out: list[CueEvent]
    ) -> None:
        rule = watch.rule
        watch.told.add("shown")
        silent = self._silent_arm and rule.priority > 0
        shown = self._show(rule, now_ms, out, silent=silent)
        self._history.mark(f"shown.{rule.id}", now_ms, now_ms, 1.0, "")
        if silent:
            out.append(_withheld(watch, "holdout", now_ms, facts))
            return
        values = watch.values(facts)
        if rule.better_wording:
            act = watch.words(self._history)
            better = self._better_wording(act[3]) if self._better_wording and act else None
            values["better_wording"] = better or rule.better_wording[0]
        out.append(
            CueRaised(
                at_ms=now_ms,
                id=shown.id,
                rule=rule.id,
                text=rule.text,
                priority=rule.priority,
                evidence_line=watch.evidence_line(values, self._history),
                ttl_ms=rule.ttl_ms,
                evidence=tuple(watch.evidence(now_ms, values, self._history)),
                values=values,
                icon=rule.icon,
            )
        )

    def _show(self, rule: CueRule, now_ms: int, out: list[CueEvent], *, silent: bool) -> Shown:
        if self._arbiter.visible is not None:
            self._clear("superseded", now_ms, out)
        return self._arbiter.show(rule, now_ms, issue=self._discourse.issue_number, silent=silent)

    def _nudge(self, now_ms: int, out: list[CueEvent]) -> None:
        """Show the oldest nudge of a supervisor, which ranks as priority 1 and costs no budget."""
        while self._nudges:
            nudge, visible = self._nudges[0], self._arbiter.visible
            if visible is not None and visible.rule.priority <= 1 and not visible.silent:
                if now_ms - nudge.at_ms < NUDGE_WAITS_MS:
                    return
                self._nudges.pop(0)
                out.append(CueWithheld(at_ms=now_ms, rule="nudge", reason="another_visible"))
                continue
            self._nudges.pop(0)
            text = nudge.text[:NUDGE_WORDS]
            rule = msgspec.structs.replace(_NUDGE, text=text)
            shown = self._show(rule, now_ms, out, silent=False)
            shown.free = True
            out.append(
                CueRaised(
                    at_ms=now_ms,
                    id=shown.id,
                    rule=rule.id,
                    text=text,
                    priority=rule.priority,
                    evidence_line="From your supervisor",
                    ttl_ms=rule.ttl_ms,
                    values={"from_person": True},
                )
            )
            return


_NUDGE = CueRule(
    id="nudge", text="", when="call.ms < 0s", clear_when="call.ms < 0s", cooldown_ms=0,
    ttl_ms=10_000, max_per_call=100, priority=1, latency_class="T",
)  # fmt: skip


def _withheld(
    watch: Watch, reason: str, now_ms: int, facts: Mapping[str, FactValue]
) -> CueWithheld:
    return CueWithheld(at_ms=now_ms, rule=watch.rule.id, reason=reason, values=watch.values(facts))
