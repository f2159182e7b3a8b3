"""No sequence of events breaks what an agent may rely on: one cue, spaced, budgeted, cleared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversation.cue_engine import CueEngine, CueEvent
from conversation.events import (
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
    HandRaised,
    NoticeCleared,
    NoticeShown,
    NudgeSent,
)
from conversation.fact_names import FactValue
from conversation.history import CallHistory
from conversation.rules import packaged_rule_set
from conversation.watches import Watch, Watches
from tests.conversation.rule_case import CALM, event

pytestmark = pytest.mark.property

RULES = {rule.id: msgspec.structs.replace(rule, enabled=True) for rule in packaged_rule_set().rules}
OVERLAP: dict[str, Any] = {
    "overlap.by": "agent", "overlap.raw_ms": 1_600, "overlap.collision": False,
    "overlap.p_backchannel": None, "overlap.onset_ago_ms": 900, "customer.holds_floor": True,
    "agent.speaking": True, "agent.silent_ms": 0, "agent.utterance_ms": 900,
    "customer.p_complete": 0.3, "customer.voiced_ago_ms": 20,
}  # fmt: skip
STATES = st.sampled_from(
    [
        OVERLAP,
        {"agent.turn_ms": 70_000, "agent.speaking": True, "agent.silent_ms": 0},
        {"silence.mutual_ms": 9_000},
        {"agent.wpm_15s": 200.0, "agent.turn_words": 20},
        {"agent.wpm_15s": 90.0, "agent.turn_words": 20},
        {"customer.voice_raised": True},
        {"agent.voice_raised": True},
        {"hold": True},
        {"asr.available": False},
        {},
    ]
)
ACTS = st.sampled_from(
    """customer.frustration customer.anger customer.vulnerability customer.repeat_contact
    customer.escalation_request customer.problem_statement customer.urgency customer.satisfaction
    customer.gratitude customer.question customer.churn_threat agent.avoid_phrase agent.vague_time
    agent.over_promise agent.apology agent.next_steps agent.acknowledge_feeling agent.promise
    agent.anything_else""".split()
)
WORDS = st.sampled_from(
    [
        ["customer.says", "like I said it is the ground floor"],
        ["customer.says", "sorry I can barely hear you"],
        ["customer.says", "I know where you live"],
        ["customer.says", "no that is all goodbye"],
        ["agent.says", "can I take the first line of your address please now"],
        ["agent.says", "goodbye and have a nice day"],
    ]
)
HAPPENS = st.sampled_from(
    ["up", "down", "justified", "dismiss", "snooze_5min", "nudge", "hand", "pause", "resume"]
)
STEP = st.tuples(STATES, st.one_of(ACTS, WORDS, HAPPENS, st.none()), st.integers(1, 300))


def what_happens(what: Any, now_ms: int, newest: str) -> Event | None:
    if what is None:
        return None
    if isinstance(what, list):
        return event([what[0], max(0, now_ms - 2_000), now_ms, what[1]])
    if "." in what:
        return event([what, now_ms, 0.95, "words of it"])
    happened: dict[str, Event] = {
        "nudge": NudgeSent(at_ms=now_ms, nudge_id="n", text="Ask her about the second invoice"),
        "hand": HandRaised(at_ms=now_ms),
        "pause": CapturePaused(at_ms=now_ms, mode="manual"),
        "resume": CaptureResumed(at_ms=now_ms),
    }
    return happened.get(what) or CueFeedback(at_ms=now_ms, cue_id=newest, verdict=what)


def play(steps: list[tuple[dict[str, Any], Any, int]], arm: str) -> list[CueEvent]:
    engine = CueEngine(list(RULES.values()), consent_required=True)
    engine.observe(
        CallStarted(
            at_ms=0, call_id="x", started_at="2026-03-02T09:00:00+00:00", source="test",
            channels=(Channel.AGENT, Channel.CUSTOMER), arm=arm,
        )
    )  # fmt: skip
    out: list[CueEvent] = []
    now_ms = 0
    for facts, what, ticks in steps:
        newest = next((e.id for e in reversed(out) if isinstance(e, CueRaised)), "none")
        happened = what_happens(what, now_ms, newest)
        if happened is not None:
            engine.observe(happened)
        for _ in range(min(ticks, 20)):
            now_ms += 100 if ticks < 150 else 1_500
            out += engine.evaluate(now_ms, {**CALM, **facts, "call.ms": now_ms})
    out += engine.finish(now_ms)
    assert engine.finish(now_ms) == []
    assert engine.evaluate(now_ms + 100, {**CALM, **OVERLAP}) == []
    return out


@given(st.lists(STEP, max_size=40), st.sampled_from(["shown", "silent"]))
@settings(max_examples=40, deadline=None)
def test_one_cue_at_a_time_within_cooldown_spacing_and_budget_and_always_cleared(
    steps: list[tuple[dict[str, Any], Any, int]], arm: str
) -> None:
    visible: CueRaised | None = None
    shown: list[CueRaised] = []
    free: set[str] = set()
    open_now: set[str] = set()
    for told in play(steps, arm):
        if isinstance(told, CueRaised):
            assert visible is None
            assert len(told.text.split()) <= 6 or told.rule == "nudge"
            assert told.evidence_line
            visible = told
            if told.rule != "nudge":
                check_limits(told, shown, free)
                if arm == "silent":
                    assert told.priority == 0
            shown.append(told)
        elif isinstance(told, CueCleared):
            assert visible is not None
            assert visible.id == told.id
            if told.outcome == "superseded" and told.at_ms - visible.at_ms < 1_000:
                free.add(told.id)
            visible = None
        elif isinstance(told, AlertRaised | NoticeShown):
            assert told.rule not in open_now
            open_now.add(told.rule)
        elif isinstance(told, AlertCleared | NoticeCleared):
            open_now.remove(told.rule)
        else:
            assert isinstance(told, CueWithheld)
            assert told.reason
    assert visible is None
    assert not open_now


def check_limits(told: CueRaised, shown: list[CueRaised], free: set[str]) -> None:
    rule = RULES[told.rule]
    own = [cue for cue in shown if cue.rule == told.rule]
    assert not own or told.at_ms - own[-1].at_ms >= rule.cooldown_ms
    assert len(own) < rule.max_per_call
    if told.priority == 0:
        return
    assert not shown or told.at_ms - shown[-1].at_ms >= (10_000 if told.priority == 1 else 20_000)
    recent = [
        cue for cue in [*shown, told]
        if told.at_ms - cue.at_ms < 600_000 and cue.priority > 0 and cue.rule != "nudge"
        and cue.id not in free
    ]  # fmt: skip
    assert len(recent) <= 4
    assert sum(cue.priority >= 2 for cue in recent) <= 3


class EveryRule(Watches):
    """Looks at every rule every time, whatever it waits for."""

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
        candidates = []
        for watch in self._all:
            history.floor, watch.obstacle = watch.floor, None
            true = watch.when.evaluate(facts, history) is True
            grace = in_grace and watch.rule.grace
            if watch.advance(now_ms, step_ms, facts, history, in_grace=grace):
                candidates.append(watch)
            assert true is (watch.obstacle is None)
        return candidates


@given(st.lists(STEP, max_size=40), st.sampled_from(["shown", "silent"]))
@settings(max_examples=40, deadline=None)
def test_a_rule_that_waits_misses_nothing(
    steps: list[tuple[dict[str, Any], Any, int]], arm: str
) -> None:
    with patch("conversation.cue_engine.Watches", EveryRule):
        expected = play(steps, arm)
    assert play(steps, arm) == expected
