"""Rule files: schema, packaged content, messages."""

from __future__ import annotations

import pytest

from conversation.rules import ICONS, RuleError, packaged_rules, parse_rules

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


def test_the_packaged_rules_load_and_keep_to_six_words() -> None:
    rules = {rule.id: rule for rule in packaged_rules()}
    assert set(rules) == {
        "talk_over", "monologue", "dead_air", "slow_reply", "pace_fast", "customer_upset",
        "bad_phrase", "vague_time", "repeat_talk_over", "give_floor_back", "customer_cut_ins",
        "quiet_customer",
    }  # fmt: skip
    assert all(len(rule.text.split()) <= 6 and rule.icon in ICONS for rule in rules.values())
    assert rules["talk_over"].text == "Let them finish"


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
