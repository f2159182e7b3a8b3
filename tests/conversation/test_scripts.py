"""Scripted dialogues: what they ask for is possible, and the rules give it to them."""

from __future__ import annotations

from functools import cache

import pytest

from bench.coaching.cues import measure
from bench.coaching.script_run import run
from bench.coaching.scripts import Expected, Outcome, Script, cue_rules, lint, load_scripts
from conversation.events import CueRaised

pytestmark = pytest.mark.unit
SCRIPTS = load_scripts()
TURNS = [["a1", 400, "Good morning, how can I help you today?", "greeting"],
         ["c1", 12_000, "I am so annoyed with all of this.", "frustration"]]  # fmt: skip


@cache
def outcomes() -> list[Outcome]:
    """The rules alone on what was held out: acts come from the scripts; the bench runs them all."""
    return measure([script for script in SCRIPTS if script.held_out], given_acts=True)


def test_there_are_thirty_dialogues_many_held_out_and_eight_calm_or_spoken() -> None:
    assert len(SCRIPTS) >= 30
    assert sum(script.held_out for script in SCRIPTS) >= 0.4 * len(SCRIPTS)
    assert sum(script.calm for script in SCRIPTS) >= 8
    assert sum(script.spoken for script in SCRIPTS) >= 8
    assert len({script.id for script in SCRIPTS}) == len(SCRIPTS)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.id)
def test_no_script_asks_for_what_budget_or_cooldown_forbid(script: Script) -> None:
    assert lint(script) == []


@pytest.mark.parametrize(
    ("expected", "problem"),
    [
        ([Expected(rule="nothing", turn="c1")], "no cue 'nothing'"),
        ([Expected(rule="missed_ack", turn="z9")], "no turn 'z9'"),
        ([Expected(rule="missed_ack", turn="a1", to_ms=500)], "while the call opens"),
        ([Expected(rule="missed_ack", turn="c1")] * 2, "cooldown"),
        ([Expected(rule=r, turn="c1") for r in ("missed_ack", "own_it", "bad_phrase", "vague_time",
                                                "customer_upset")], "budget"),
    ],
)  # fmt: skip
def test_the_linter_says_what_is_wrong(expected: list[Expected], problem: str) -> None:
    script = Script(id="x", turns=TURNS, expect=expected)
    assert any(problem in said for said in lint(script))


def test_the_rules_are_precise_and_miss_little() -> None:
    raised = sum(len(o.raised) for o in outcomes())
    matched = sum(len(o.matched) for o in outcomes())
    expected = sum(len(o.script.expect) for o in outcomes())
    assert matched / raised >= 0.85
    assert matched / expected >= 0.8


def test_calm_dialogues_raise_nothing_above_a_nicety_and_no_forbidden_cue_comes() -> None:
    rules = cue_rules()
    for outcome in outcomes():
        named = [rule for rule, _ in outcome.raised]
        assert not set(named) & set(outcome.script.forbid), outcome.script.id
        if outcome.script.calm:
            assert [rule for rule in named if rules[rule].priority <= 3] == [], outcome.script.id


def test_calm_dialogues_stay_calm_with_the_words_as_they_are_understood() -> None:
    rules = cue_rules()
    for script in SCRIPTS:
        if script.calm:
            raised = [e.rule for e in run(script) if isinstance(e, CueRaised)]
            assert [rule for rule in raised if rules[rule].priority <= 3] == [], script.id
