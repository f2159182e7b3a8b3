"""Rule files: schema, packaged content, messages."""

from __future__ import annotations

import pytest

from conversation.acts import ActDetector
from conversation.language import load_pack
from conversation.rules import (
    ICONS,
    RuleError,
    RuleSet,
    build_rules,
    packaged_rule_set,
    packaged_rules,
    parse_rules,
)

pytestmark = pytest.mark.unit

GOOD = """
[quiet]
text = "Say something"
when = "silence.mutual_ms >= 8s"
clear_when = "agent.speaking"
cooldown_ms = 1000
ttl_ms = 1000
max_per_call = 1
priority = 2
latency_class = "A"
"""


ON = """customer_upset missed_ack customer_raised abuse paraphrase_due customer_repeats
    solution_too_soon own_it plan_missing escalation_ask close_well bad_phrase vague_time
    over_promise pace_fast volume_high volume_low vulnerable consent_notice promise_logged
    card_data sup_escalation sup_churn sup_vulnerable sup_abuse sup_upset_lasting sup_hold
    sup_raise_hand sup_consent sup_quality talk_over monologue dead_air slow_reply
    repeat_talk_over give_floor_back customer_cut_ins quiet_customer""".split()
OFF = "canned_empathy apology_loop praise few_questions use_name loyalty pace_slow".split()


def test_the_catalogue_ships_and_keeps_to_six_words() -> None:
    rules = {rule.id: rule for rule in packaged_rule_set().rules}
    assert set(ON) | set(OFF) <= set(rules)
    assert all(rules[name].enabled for name in ON)
    assert not any(rules[name].enabled for name in OFF)
    assert all(len(rule.text.split()) <= 6 and rule.why for rule in rules.values())
    cues = [r for r in rules.values() if r.audience == "agent" and r.surface == "cue"]
    assert all(rule.icon in ICONS for rule in cues)
    assert rules["talk_over"].text == "Let them finish"


def test_a_site_changes_a_threshold_adds_a_cue_and_a_phrase() -> None:
    mine = """
[dead_air]
cooldown_ms = 90000

[upsell_check]
text = "Not the moment to sell"
when = "since(agent.upsell) <= 5s and count(customer.frustration, 3turns) >= 1"
clear_when = "since(agent.upsell) > 5s"
cooldown_ms = 60000
ttl_ms = 5000
max_per_call = 2
priority = 4
latency_class = "T"
replaces = ["monologue"]
"""
    words = '[agent.upsell]\npatterns = ["special offer"]'
    rules = build_rules([("mine.toml", mine)], words)
    active = {rule.id: rule for rule in rules.active()}
    assert active["dead_air"].cooldown_ms == 90_000
    assert active["dead_air"].text == "Say what you're doing"
    assert "upsell_check" in active
    assert "monologue" not in active
    assert rules.sha256 != packaged_rule_set().sha256
    recorded = RuleSet.recorded(rules.tables, rules.overlay)
    assert recorded == rules


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[dead_air]\ncooldwn_ms = 1", ["unknown key 'cooldwn_ms'", "did you mean 'cooldown_ms'"]),
        ("[dead_hair]\ncooldown_ms = 1", ["no packaged rule", "text", "did you mean 'dead_air'"]),
        ('[dead_air]\nwhen = "agent.silnt_ms > 3"', ["did you mean 'agent.silent_ms'"]),
        ('[dead_air]\nwhen = "since(agent.apologi) > 3s"', ["did you mean 'agent.apology'"]),
        ('[dead_air]\nttl_ms = "long"', ["ttl_ms", "'long'", "number"]),
        ('[dead_air]\naudience = "supervisor"\nsuggests = "x"\nwhen = "overlap.raw_ms > 3s"',
         ["audience", "overlap.raw_ms", "call's need"]),
        ('[dead_air]\naudience = "supervisor"', ["suggests", "empty"]),
        ('[dead_air]\nreplaces = ["monolog"]', ["replaces", "did you mean 'monologue'"]),
    ],
)  # fmt: skip
def test_a_site_file_that_is_wrong_says_what_to_change(text: str, parts: list[str]) -> None:
    with pytest.raises(RuleError) as caught:
        build_rules([("mine.toml", text)])
    message = str(caught.value)
    assert all(part in message for part in ["mine.toml", *parts]), message


def test_an_overlay_that_names_nobody_is_refused() -> None:
    with pytest.raises(RuleError, match=r"agent\.upsell"):
        build_rules((), '[upsell]\npatterns = ["special offer"]')


def test_a_phrase_of_a_site_is_heard_as_an_act() -> None:
    words = '[kinds.frustration]\nsure = ["doing my head in"]'
    assert load_pack("en", words) is not load_pack("en")
    found = ActDetector(load_pack("en", words)).find("customer", "it is doing my head in".split())
    assert "frustration" in [act.kind for act in found]


def test_rules_can_be_disabled_and_an_unknown_one_is_an_error() -> None:
    assert "dead_air" not in {rule.id for rule in packaged_rules(["dead_air"])}
    with pytest.raises(RuleError, match="no rule is called 'nope'"):
        packaged_rules(["nope"])


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ('"Say something"', '"one two three four five six seven"', ["text", "7 words"]),
        ('"silence.mutual_ms >= 8s"', '"mood > 3"', ["when", "unknown fact 'mood'"]),
        ("priority = 2", "priority = 9", ["priority", "9", "0 to 5"]),
        ('"A"', '"Q"', ["latency_class", "'Q'"]),
        ("ttl_ms = 1000", "ttl_ms = '1'", ["ttl_ms"]),
        ("ttl_ms = 1000", "tttl_ms = 1000", ["unknown key 'tttl_ms'"]),
        ("[quiet]", "[bad_phrase]", ["better_wording", "empty"]),
        ("[quiet]", "[quiet", ["not valid TOML"]),
        ('"Say something"', '"You sound stressed"', ["text", "emotion"]),
    ],
)
def test_messages_name_file_rule_key_and_value(old: str, new: str, parts: list[str]) -> None:
    with pytest.raises(RuleError) as caught:
        parse_rules(GOOD.replace(old, new), "mine.toml")
    for part in ["mine.toml", *parts]:
        assert part in str(caught.value)
