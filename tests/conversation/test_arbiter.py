"""Budget, spacing, cooldown and rank."""

from __future__ import annotations

import msgspec
import pytest

from conversation.arbiter import Arbiter, ArbiterSettings
from conversation.rules import CueRule

pytestmark = pytest.mark.unit


def rule(name: str, priority: int, **changes: object) -> CueRule:
    base = CueRule(
        id=name, text="x", when="hold", clear_when="hold", cooldown_ms=5000, ttl_ms=5000,
        max_per_call=10, priority=priority, latency_class="A",
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def test_lower_ranks_leave_one_showing_for_priority_one() -> None:
    arbiter = Arbiter(ArbiterSettings())
    for index in range(3):
        now = index * 30_000
        assert arbiter.obstacle(rule(f"r{index}", 3), now) is None
        arbiter.show(rule(f"r{index}", 3), now)
        arbiter.end("cleared", now + 100)
    assert arbiter.obstacle(rule("r9", 3), 120_000) == "budget"
    assert arbiter.obstacle(rule("p1", 1), 120_000) is None
    arbiter.show(rule("p1", 1), 120_000)
    arbiter.end("cleared", 120_100)
    assert arbiter.obstacle(rule("q1", 1), 200_000) == "budget"
    assert arbiter.obstacle(rule("p0", 0), 200_000) is None
    assert arbiter.obstacle(rule("q1", 1), 600_000) is None


def test_priority_one_preempts_lower_ranks_but_never_its_equal() -> None:
    arbiter = Arbiter(ArbiterSettings())
    arbiter.show(rule("low", 3), 0)
    assert arbiter.obstacle(rule("p2", 2), 30_000) == "another_visible"
    assert arbiter.obstacle(rule("p1", 1), 30_000) is None
    arbiter.end("superseded", 30_000)
    arbiter.show(rule("p1", 1), 30_000)
    assert arbiter.obstacle(rule("q1", 1), 60_000) == "another_visible"


def test_cooldown_maximum_and_spacing_hold() -> None:
    arbiter = Arbiter(ArbiterSettings())
    one = rule("one", 1, max_per_call=1, cooldown_ms=30_000)
    arbiter.show(one, 0)
    arbiter.end("cleared", 10)
    assert arbiter.obstacle(one, 29_999) == "cooldown"
    assert arbiter.obstacle(one, 30_000) == "max_per_call"
    assert arbiter.obstacle(rule("other", 1), 9_999) == "spacing"
    assert arbiter.obstacle(rule("other", 1), 10_000) is None
    assert arbiter.obstacle(rule("low", 2), 19_999) == "spacing"


def test_three_expired_showings_leave_a_rule_to_the_report() -> None:
    arbiter = Arbiter(ArbiterSettings(budget_total=99))
    one = rule("one", 1)
    for index in range(3):
        arbiter.show(one, index * 20_000)
        arbiter.end("expired", index * 20_000 + 5_000)
    assert arbiter.obstacle(one, 100_000) == "uncleared"


def test_a_cue_superseded_within_a_second_costs_no_budget() -> None:
    arbiter = Arbiter(ArbiterSettings(budget_total=1, spacing_ms=0))
    arbiter.show(rule("low", 3), 0)
    assert arbiter.obstacle(rule("p1", 1), 900) is None
    assert arbiter.obstacle(rule("p1", 1), 1_000) == "budget"
