"""The shipped rules fire when they should, stay silent when they should not, and obey limits."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversation.cue_engine import CueEngine, CueEvent
from conversation.events import (
    ActDetected,
    CallStarted,
    Channel,
    CueCleared,
    CueFeedback,
    CueRaised,
    CueWithheld,
    NudgeSent,
    PartialTranscript,
    SpeechEnded,
    SpeechStarted,
)
from conversation.rules import packaged_rules
from tests.conversation.rule_case import final

pytestmark = pytest.mark.unit

CALM: dict[str, Any] = {
    "direction_known": True, "bleed": "A", "hold": False, "asr.available": True,
    "agent.speaking": False, "agent.silent_ms": 1_000, "agent.utterance_ms": 0,
    "agent.turn_ms": 0, "agent.turn_words": 0, "agent.wpm_15s": 140.0,
    "agent.voiced_ago_ms": 1_000, "customer.speaking": False, "customer.silent_ms": 1_000,
    "customer.holds_floor": False, "customer.p_complete": 0.8, "customer.voice_raised": False,
    "customer.utterance_ms": 0, "silence.mutual_ms": 0, "silence.owed_by": "agent",
}  # fmt: skip
OVERLAP: dict[str, Any] = {
    "overlap.by": "agent", "overlap.raw_ms": 900, "overlap.collision": False,
    "overlap.p_backchannel": 0.1, "overlap.onset_ago_ms": 900, "customer.holds_floor": True,
    "agent.speaking": True, "agent.silent_ms": 0, "agent.utterance_ms": 900,
    "customer.speaking": True, "customer.silent_ms": 0, "customer.p_complete": 0.3,
    "customer.voiced_ago_ms": 20, "customer.stopped_incomplete_ms": None,
}  # fmt: skip


def act(kind: str, at_ms: int, confidence: float = 0.95, text: str = "words") -> ActDetected:
    who, name = kind.split(".")
    return ActDetected(
        at_ms=at_ms, id=f"act-{at_ms}", channel=Channel(who), kind=name, start_ms=at_ms - 500,
        end_ms=at_ms, text=text, confidence=confidence, utterance_id=f"u{at_ms}",
    )  # fmt: skip


def play(
    engine: CueEngine,
    facts: dict[str, Any],
    acts: list[ActDetected] | None = None,
    start: int = 20_000,
    duration: int = 20_000,
) -> list[CueEvent]:
    out: list[CueEvent] = []
    for event in acts or []:
        engine.observe(event)
    for now in range(start, start + duration, 100):
        out += engine.evaluate(now, {**CALM, "call.ms": now, **facts})
    return out


def raised(events: list[CueEvent]) -> list[str]:
    return [e.rule for e in events if isinstance(e, CueRaised)]


FIRES: list[tuple[str, dict[str, Any], list[ActDetected]]] = [
    ("talk_over", OVERLAP, []),
    ("talk_over", {**OVERLAP, "overlap.p_backchannel": None, "overlap.raw_ms": 1500}, []),
    ("monologue", {"agent.turn_ms": 60_000, "agent.speaking": True, "agent.silent_ms": 0}, []),
    ("dead_air", {"silence.mutual_ms": 8_000}, []),
    ("dead_air", {"silence.mutual_ms": 8_000, "asr.available": False}, []),
    (
        "slow_reply",
        {"agent.silent_ms": 9_000, "customer.silent_ms": 3_000},
        [act("customer.question", 17_000)],
    ),
    ("repeat_talk_over", {"interruptions.agent_60s": 2}, []),
    ("repeat_talk_over", {"interruptions.agent_60s": 1, "interruptions.agent_180s": 3}, []),
    (
        "give_floor_back",
        {
            "taken_floor.severity": 40,
            "taken_floor.ago_ms": 9_000,
            "taken_floor.customer_ms": 300,
            "agent.silent_ms": 6_000,
        },
        [],
    ),
    ("customer_cut_ins", {"interruptions.customer_120s": 3}, []),
    ("hold_long", {"hold": True, "hold_ms": 90_000, "silence.mutual_ms": 90_000}, []),
    (
        "quiet_customer",
        {
            "silence.mutual_ms": 12_000,
            "silence.owed_by": "customer",
            "customer.asked_to_wait_ago_ms": 86_400_000,
        },
        [],
    ),
]
SILENT: list[tuple[str, dict[str, Any], list[ActDetected]]] = [
    ("talk_over", {**OVERLAP, "overlap.p_backchannel": 0.6}, []),
    ("talk_over", {**OVERLAP, "customer.p_complete": 0.8}, []),
    ("talk_over", {**OVERLAP, "overlap.collision": True, "overlap.raw_ms": 1600}, []),
    ("talk_over", {**OVERLAP, "bleed": "C"}, []),
    ("talk_over", {**OVERLAP, "direction_known": False}, []),
    ("talk_over", {**OVERLAP, "overlap.onset_ago_ms": 2_100}, []),
    ("talk_over", {**OVERLAP, "overlap.confidence": 0.5}, []),
    ("monologue", {"agent.turn_ms": 59_000, "agent.speaking": True}, []),
    (
        "monologue",
        {
            "agent.turn_ms": 70_000,
            "agent.speaking": True,
            "customer.speaking": True,
            "customer.utterance_ms": 1_200,
        },
        [],
    ),
    ("dead_air", {"silence.mutual_ms": 7_900}, []),
    ("dead_air", {"silence.mutual_ms": 9_000}, [act("agent.hold_notice", 11_000)]),
    ("dead_air", {"silence.mutual_ms": 9_000, "hold": True}, []),
    ("slow_reply", {"agent.silent_ms": 2_000}, [act("customer.question", 17_000)]),
    (
        "slow_reply",
        {"agent.silent_ms": 9_000, "customer.silent_ms": 3_000, "asr.available": None},
        [act("customer.question", 17_000)],
    ),
    ("hold_long", {"hold": True, "hold_ms": 89_000, "silence.mutual_ms": 89_000}, []),
    ("hold_long", {"hold": False, "hold_ms": 0, "silence.mutual_ms": 7_000}, []),
    ("repeat_talk_over", {"interruptions.agent_60s": 1, "interruptions.agent_180s": 2}, []),
    ("repeat_talk_over", {"interruptions.agent_60s": 2, "bleed": "C"}, []),
    (
        "give_floor_back",
        {
            "taken_floor.severity": 30,
            "taken_floor.ago_ms": 9_000,
            "taken_floor.customer_ms": 300,
            "agent.silent_ms": 7_000,
        },
        [],
    ),
    (
        "give_floor_back",
        {
            "taken_floor.severity": 40,
            "taken_floor.ago_ms": 9_000,
            "taken_floor.customer_ms": 2_000,
            "agent.silent_ms": 7_000,
        },
        [],
    ),
    ("customer_cut_ins", {"interruptions.customer_120s": 2}, []),
    ("customer_cut_ins", {"interruptions.customer_120s": 3, "direction_known": False}, []),
    ("quiet_customer", {"silence.mutual_ms": 12_000, "silence.owed_by": "agent"}, []),
    (
        "quiet_customer",
        {
            "silence.mutual_ms": 14_000,
            "silence.owed_by": "customer",
            "customer.asked_to_wait_ago_ms": 15_000,
        },
        [],
    ),
]


@pytest.mark.parametrize(("rule", "facts", "acts"), FIRES)
def test_a_shipped_rule_fires_once(
    rule: str, facts: dict[str, Any], acts: list[ActDetected]
) -> None:
    assert raised(play(CueEngine.from_packaged(), facts, acts)) == [rule]


@pytest.mark.parametrize(("rule", "facts", "acts"), SILENT)
def test_a_near_miss_stays_silent(
    rule: str, facts: dict[str, Any], acts: list[ActDetected]
) -> None:
    assert rule not in raised(play(CueEngine.from_packaged(), facts, acts))


def test_every_rule_of_timing_has_a_firing_and_two_near_misses() -> None:
    for name in {case[0] for case in FIRES}:
        assert sum(case[0] == name for case in SILENT) >= 2, name


def test_talk_over_without_words_fires_by_700_ms_of_agent_speech_and_tells_its_evidence() -> None:
    engine, cue = CueEngine.from_packaged(), None
    for onset in range(0, 1_400, 100):
        facts = {
            **CALM, **OVERLAP, "asr.available": False, "overlap.raw_ms": onset,
            "agent.utterance_ms": onset, "overlap.onset_ago_ms": onset,
        }  # fmt: skip
        for event in engine.evaluate(30_000 + onset, facts):
            if isinstance(event, CueRaised):
                cue = event
    assert cue is not None
    assert cue.at_ms == 30_700
    assert (cue.text, cue.icon, cue.id) == ("Let them finish", "hand", "cue-1")
    assert cue.evidence_line == "They were mid-sentence"
    assert cue.evidence[0].at_ms == 30_000


def test_a_cue_clears_when_its_condition_is_met_and_expires_otherwise() -> None:
    engine = CueEngine.from_packaged()
    assert raised(play(engine, OVERLAP, duration=100)) == ["talk_over"]
    cleared = play(engine, {}, start=20_100, duration=100)
    assert [e.outcome for e in cleared if isinstance(e, CueCleared)] == ["cleared"]
    engine = CueEngine.from_packaged()
    events = play(engine, OVERLAP, duration=6_000)
    assert [e.outcome for e in events if isinstance(e, CueCleared)] == ["expired"]


def test_a_withheld_cue_is_told_once_per_episode_and_reason() -> None:
    events = play(CueEngine.from_packaged(), {**OVERLAP, "bleed": "C", "overlap.raw_ms": 1600})
    assert not [e for e in events if isinstance(e, CueWithheld)]
    engine = CueEngine.from_packaged()
    events = play(engine, OVERLAP, start=0, duration=4_900)
    assert [e.reason for e in events if isinstance(e, CueWithheld)] == ["opening"]


def test_a_dismissed_cue_leaves_and_a_snooze_keeps_others_away() -> None:
    engine = CueEngine.from_packaged()
    play(engine, OVERLAP, duration=100)
    engine.observe(CueFeedback(at_ms=20_150, cue_id="cue-1", verdict="dismiss"))
    events = play(engine, OVERLAP, start=20_200, duration=100)
    assert [e.outcome for e in events if isinstance(e, CueCleared)] == ["dismissed"]
    engine.observe(CueFeedback(at_ms=20_300, cue_id="cue-1", verdict="snooze_call"))
    play(engine, {}, start=20_400, duration=100)
    later = play(engine, OVERLAP, start=90_000, duration=100)
    assert raised(later) == []
    assert [e.reason for e in later if isinstance(e, CueWithheld)] == ["snoozed"]


def test_a_bad_phrase_comes_with_better_wording() -> None:
    acts = [act("agent.avoid_phrase", 19_900, text="calm down")]
    events = play(CueEngine.from_packaged(), {}, acts)
    cue = next(e for e in events if isinstance(e, CueRaised))
    assert cue.evidence_line == "calm down"
    assert "what I can do" in str(cue.values["better_wording"])


def test_a_slow_reply_is_over_once_the_agent_has_begun_to_answer() -> None:
    engine = CueEngine.from_packaged()
    engine.observe(act("customer.question", 17_000))
    engine.observe(SpeechStarted(at_ms=18_000, channel=Channel.AGENT, start_ms=17_900))
    facts = {"agent.silent_ms": 3_500, "customer.silent_ms": 3_500}
    assert raised(play(engine, facts)) == []


_STATES = st.sampled_from(
    [
        OVERLAP,
        {**OVERLAP, "overlap.raw_ms": 1_600, "overlap.p_backchannel": None},
        {"agent.turn_ms": 70_000, "agent.speaking": True, "agent.silent_ms": 0},
        {"silence.mutual_ms": 9_000},
        {"agent.wpm_15s": 200.0, "agent.turn_words": 20},
        {"customer.voice_raised": True},
        {"hold": True},
        {},
    ]
)
_ACTS = st.sampled_from(
    ["customer.frustration", "customer.anger", "agent.avoid_phrase", "agent.vague_time",
     "agent.apology", "customer.question", "feedback.dismiss", ""]
)  # fmt: skip


@given(st.lists(st.tuples(_STATES, _ACTS, st.integers(1, 300)), max_size=40))
@settings(max_examples=60, deadline=None)
def test_no_sequence_breaks_one_visible_cooldown_or_budget(
    steps: list[tuple[dict[str, Any], str, int]],
) -> None:
    engine = CueEngine.from_packaged()
    rules = {rule.id: rule for rule in packaged_rules()}
    out: list[CueEvent] = []
    now = 0
    for facts, kind, ticks in steps:
        if kind.startswith("feedback"):
            engine.observe(CueFeedback(at_ms=now, cue_id="cue-1", verdict="dismiss"))
        elif kind:
            engine.observe(act(kind, now))
        for _ in range(min(ticks, 20)):
            now += 100 if ticks < 150 else 1_500
            out += engine.evaluate(now, {**CALM, **facts, "call.ms": now})
    out += engine.finish(now)
    assert engine.finish(now) == []
    assert engine.evaluate(now + 100, {**CALM, **OVERLAP}) == []
    visible: str | None = None
    shown: list[tuple[int, str]] = []
    for event in out:
        if isinstance(event, CueRaised):
            assert visible is None
            visible = event.id
            own = [at for at, rule in shown if rule == event.rule]
            assert not own or event.at_ms - own[-1] >= rules[event.rule].cooldown_ms
            assert not shown or event.at_ms - shown[-1][0] >= 10_000
            shown.append((event.at_ms, event.rule))
            recent = [r for at, r in shown if event.at_ms - at < 600_000]
            assert len(recent) <= 4
            assert sum(rules[r].priority >= 2 for r in recent) <= 3
        elif isinstance(event, CueCleared):
            assert visible == event.id
            visible = None
    assert visible is None


def test_a_nudge_is_shown_as_from_a_person_and_costs_no_budget() -> None:
    engine = CueEngine.from_packaged()
    engine.observe(NudgeSent(at_ms=20_000, nudge_id="n", text="Ask about the second invoice"))
    events = play(engine, {}, duration=12_000)
    (cue,) = [e for e in events if isinstance(e, CueRaised)]
    assert (cue.rule, cue.priority, cue.values) == ("nudge", 1, {"from_person": True})
    assert [e.outcome for e in events if isinstance(e, CueCleared)] == ["expired"]
    assert raised(play(engine, OVERLAP, start=35_000, duration=100)) == ["talk_over"]


def test_a_nudge_waits_for_a_cue_of_its_own_rank_and_is_withheld_when_it_waits_too_long() -> None:
    engine = CueEngine.from_packaged()
    assert raised(play(engine, OVERLAP, duration=100)) == ["talk_over"]
    engine.observe(NudgeSent(at_ms=20_200, nudge_id="n", text="Slow down"))
    assert raised(play(engine, OVERLAP, start=20_300, duration=1_000)) == []
    assert raised(play(engine, {}, start=21_300, duration=1_000)) == ["nudge"]


def test_in_the_silent_arm_cues_are_withheld_and_safety_is_shown() -> None:
    engine = CueEngine.from_packaged()
    started = CallStarted(
        at_ms=0, call_id="x", started_at="2026-03-02T09:00:00+00:00", source="test",
        channels=(Channel.AGENT, Channel.CUSTOMER), arm="silent",
    )  # fmt: skip
    engine.observe(started)
    events = play(engine, OVERLAP, duration=100)
    assert raised(events) == []
    assert [e.reason for e in events if isinstance(e, CueWithheld)] == ["holdout"]
    engine.observe(act("customer.vulnerability", 39_900, text="my wife died"))
    assert raised(play(engine, {}, start=40_000, duration=200)) == ["vulnerable"]


def test_muted_rules_stay_away_and_two_thumbs_down_mute_one() -> None:
    engine = CueEngine.from_packaged()
    started = CallStarted(
        at_ms=0, call_id="x", started_at="2026-03-02T09:00:00+00:00", source="test",
        channels=(Channel.AGENT, Channel.CUSTOMER), muted_rules=("dead_air",),
    )  # fmt: skip
    engine.observe(started)
    events = play(engine, {"silence.mutual_ms": 9_000}, duration=300)
    assert [e.reason for e in events if isinstance(e, CueWithheld)] == ["muted"]
    for start in (60_000, 120_000):
        play(engine, {}, start=start - 5_000, duration=100)
        (cue,) = [
            e for e in play(engine, OVERLAP, start=start, duration=100) if isinstance(e, CueRaised)
        ]
        engine.observe(CueFeedback(at_ms=start + 200, cue_id=cue.id, verdict="down"))
        play(engine, {}, start=start + 300, duration=2_000)
    later = play(engine, OVERLAP, start=200_000, duration=100)
    assert [e.reason for e in later if isinstance(e, CueWithheld)] == ["muted"]


def test_coming_in_on_card_data_is_justified() -> None:
    engine = CueEngine.from_packaged()
    engine.observe(final(Channel.CUSTOMER, 17_000, 19_000, "it is [card] I think"))
    events = play(engine, OVERLAP, duration=500)
    assert raised(events) == []
    assert [e.reason for e in events if isinstance(e, CueWithheld)] == ["justified"]


@pytest.mark.parametrize(
    ("stable", "tail", "reasons"),
    [("it is [card]", "I", ["justified"]), ("it is the old", "[card].", [])],
)
def test_card_data_that_may_still_change_justifies_nothing(
    stable: str, tail: str, reasons: list[str]
) -> None:
    engine = CueEngine.from_packaged()
    engine.observe(
        PartialTranscript(
            at_ms=19_000, channel=Channel.CUSTOMER, utterance_id="c-1", rev=1, start_ms=17_000,
            audio_end_ms=18_900, stable=stable, tail=tail, stable_words=len(stable.split()),
        )
    )  # fmt: skip
    events = play(engine, OVERLAP, duration=500)
    assert [e.reason for e in events if isinstance(e, CueWithheld)] == reasons
    assert raised(events) == ([] if reasons else ["talk_over"])


def test_words_that_are_late_are_missing_and_not_unsaid() -> None:
    engine = CueEngine.from_packaged()
    engine.observe(final(Channel.AGENT, 1_000, 2_000, "hello there"))
    engine.observe(SpeechStarted(at_ms=13_096, channel=Channel.AGENT, start_ms=13_000))
    engine.observe(SpeechEnded(at_ms=15_096, channel=Channel.AGENT, start_ms=13_000, end_ms=15_000))
    for at_ms in (12_000, 19_900):
        engine.observe(act("customer.frustration", at_ms))
    assert raised(play(engine, {}, start=20_000, duration=5_000)) == []
    engine.observe(final(Channel.AGENT, 13_000, 15_000, "one moment please"))
    assert raised(play(engine, {}, start=25_000, duration=5_000)) == ["customer_upset"]


def test_a_short_sound_without_words_makes_nothing_unknown() -> None:
    engine = CueEngine.from_packaged()
    engine.observe(final(Channel.AGENT, 1_000, 2_000, "hello there"))
    engine.observe(SpeechStarted(at_ms=13_096, channel=Channel.AGENT, start_ms=13_000))
    engine.observe(SpeechEnded(at_ms=13_296, channel=Channel.AGENT, start_ms=13_000, end_ms=13_200))
    for at_ms in (12_000, 19_900):
        engine.observe(act("customer.frustration", at_ms))
    assert raised(play(engine, {}, start=20_000, duration=5_000)) == ["customer_upset"]
