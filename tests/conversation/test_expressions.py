"""Three-valued rule expressions."""

from __future__ import annotations

import pytest

from conversation.expressions import Expression, ExpressionError
from conversation.fact_names import FactValue
from conversation.history import CallHistory

pytestmark = pytest.mark.unit

VALUES: list[bool | None] = [True, False, None]


@pytest.mark.parametrize("left", VALUES)
@pytest.mark.parametrize("right", VALUES)
def test_and_or_follow_kleene_truth_tables(left: bool | None, right: bool | None) -> None:
    facts: dict[str, FactValue] = {"hold": left, "direction_known": right}
    both = False if False in (left, right) else (None if None in (left, right) else True)
    either = True if True in (left, right) else (None if None in (left, right) else False)
    assert Expression("hold and direction_known").evaluate(facts) is both
    assert Expression("hold or direction_known").evaluate(facts) is either


@pytest.mark.parametrize(("value", "negated"), [(True, False), (False, True), (None, None)])
def test_not_of_unknown_is_unknown(value: bool | None, negated: bool | None) -> None:
    assert Expression("not hold").evaluate({"hold": value}) is negated


@pytest.mark.parametrize(
    ("source", "facts", "expected"),
    [
        ("overlap.raw_ms >= 1.5s", {"overlap.raw_ms": 1500}, True),
        ("overlap.raw_ms >= 1500ms", {"overlap.raw_ms": 1499}, False),
        ("overlap.raw_ms >= 1500", {"overlap.raw_ms": None}, None),
        ("overlap.raw_ms >= 1500", {}, None),
        ("talk_share_agent_180s > 70pct", {"talk_share_agent_180s": 0.71}, True),
        ("overlap.by == agent", {"overlap.by": "agent"}, True),
        ("overlap.by != agent", {"overlap.by": "customer"}, True),
        ("bleed in [A, B]", {"bleed": "C"}, False),
        ("bleed in [A, B]", {"bleed": None}, None),
        ("hold or agent.speaking and customer.speaking", {"hold": True}, True),
        ("(hold or agent.speaking) and customer.speaking", {"customer.speaking": False}, False),
        ("count(customer.anger, 30s) >= 1", {}, None),
    ],
)
def test_comparisons_read_units_symbols_and_unknown_facts(
    source: str, facts: dict[str, FactValue], expected: bool | None
) -> None:
    assert Expression(source).evaluate(facts) is expected


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "empty"),
        ("hold and", "ends"),
        ("mood == agent", "unknown fact 'mood'"),
        ("overlap.raw_ms >= 3parsecs", "unknown unit 'parsecs'"),
        ("overlap.raw_ms == agent", "cannot compare"),
        ("overlap.raw_ms", "number stands where"),
        ("hold hold", "after a complete expression"),
        ("count(customer.joy, 3s) > 1", "unknown act or event kind 'customer.joy'"),
        ("count(customer.anger, 3) > 1", "a window needs"),
        ("__import__('os')", "unexpected"),
        ("bleed in [A, Z]", "unknown value 'Z'"),
    ],
)
def test_errors_name_what_is_wrong(source: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message.replace("(", r"\(")):
        Expression(source)


@pytest.mark.parametrize(
    ("source", "clears", "expected"),
    [
        ("seen(agent.apology, after=customer.anger)", False, False),
        ("not seen(agent.apology, after=customer.anger)", False, False),
        ("seen(agent.apology, after=customer.anger)", True, True),
        ("since(agent.apology) <= 5s", False, False),
        ("since(agent.apology) >= 5s", False, False),
        ("count(agent.apology, 60s) >= 1", False, False),
        ("count(agent.apology, 60s) < 1", False, False),
        ("not since(agent.apology) >= 5s", False, False),
    ],
)
def test_a_doubtful_act_neither_shows_a_cue_nor_counts_as_missing(
    source: str, clears: bool, expected: bool
) -> None:
    history = CallHistory()
    history.floor, history.now_ms = 0.8, 10_000
    history.mark("customer.anger", 1_000, 2_000, 0.9, "words")
    history.mark("agent.apology", 8_000, 9_000, 0.6, "words")
    assert Expression(source, clears=clears).evaluate({}, history) is expected
