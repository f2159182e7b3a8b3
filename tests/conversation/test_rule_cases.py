"""Every shipped rule fires in its cases and stays silent in its near-misses."""

from __future__ import annotations

import pytest

from conversation.rules import packaged_rule_set
from tests.conversation.rule_case import Case, load_cases, play, shown
from tests.conversation.test_cue_engine import FIRES, SILENT

pytestmark = pytest.mark.unit
CASES = load_cases()
TIMING = {
    "talk_over", "repeat_talk_over", "pause_barge", "give_floor_back", "customer_cut_ins",
    "monologue", "talk_share", "slow_reply", "dead_air", "quiet_customer", "hold_long",
}  # fmt: skip
"""Rules of timing; their cases are in test_cue_engine.py, beside the facts they need."""


@pytest.mark.parametrize("case", [c for c in CASES if c.fires], ids=lambda c: c.name)
def test_a_rule_fires_once(case: Case) -> None:
    assert shown(play(case)) == [case.rule]


@pytest.mark.parametrize("case", [c for c in CASES if not c.fires], ids=lambda c: c.name)
def test_a_near_miss_stays_silent(case: Case) -> None:
    assert case.rule not in shown(play(case))


def test_every_rule_of_words_has_a_firing_and_two_near_misses() -> None:
    for rule in packaged_rule_set().rules:
        if rule.id in TIMING:
            continue
        own = [case for case in CASES if case.rule == rule.id]
        assert sum(case.fires for case in own) >= 1, rule.id
        assert sum(not case.fires for case in own) >= 2, rule.id
        assert all(case.why for case in own if not case.fires), rule.id


def test_every_rule_of_timing_has_a_firing_and_two_near_misses_too() -> None:
    on = {rule.id for rule in packaged_rule_set().active()}
    for name in sorted(TIMING & on):
        assert [case for case in FIRES if case[0] == name], name
        assert sum(case[0] == name for case in SILENT) >= 2, name


def test_beside_all_other_rules_at_most_one_cue_is_visible() -> None:
    cues = {rule.id for rule in packaged_rule_set().rules if rule.surface == "cue"
            and rule.audience == "agent"}  # fmt: skip
    for case in CASES[::3]:
        raised = [rule for rule in shown(play(case, alone=False)) if rule in cues]
        assert len(raised) <= 4, case.name
