"""Every fact that a rule may name is worked out somewhere, and no other."""

import pytest

from conversation.call_facts import CallFacts
from conversation.conversation import Conversation
from conversation.discourse import Discourse
from conversation.fact_names import FACTS
from conversation.facts import Facts
from conversation.phrases import load_phrases
from conversation.settings import ConversationSettings

pytestmark = pytest.mark.unit


def facts_of_a_new_call() -> Facts:
    core = Conversation.create(ConversationSettings())
    return core._facts.at(1_000, hold_since_ms=400, words_seen_ms=None, direction_known=True)


def test_every_fact_of_the_catalogue_is_worked_out_and_no_other() -> None:
    call = CallFacts().facts(1_000, None)
    talk = Discourse(load_phrases()).facts(1_000)
    facts = facts_of_a_new_call()
    known = [*facts, *call, *talk, "words.known"]
    assert sorted(known) == sorted(FACTS)
    assert len(facts) == len(list(facts))


def test_facts_have_the_type_that_the_catalogue_says() -> None:
    for name, value in facts_of_a_new_call().items():
        fact = FACTS[name]
        if value is None:
            continue
        assert isinstance(value, bool) is (fact.type == "boolean"), name
        assert isinstance(value, str) is (fact.type == "symbol"), name
        assert not fact.symbols or value in fact.symbols, name


def test_facts_follow_the_time_that_they_are_told() -> None:
    facts = facts_of_a_new_call()
    assert facts["hold_ms"] == 600
    assert facts.at(2_000, hold_since_ms=None, words_seen_ms=1_500, direction_known=False) is facts
    assert facts["hold_ms"] is None
    assert facts["asr.available"] is True
    assert facts["agent.silent_ms"] == 2_000
    assert facts.get("nothing", 7) == 7
