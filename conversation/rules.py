"""Cue rules: the TOML schema, loading, and checks with messages that say what to change."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from importlib import resources
from typing import Any

import msgspec

from conversation.expressions import Expression, ExpressionError
from conversation.fact_names import FACTS

MAX_CUE_WORDS = 6
ICONS = ("hand", "pause", "clock", "speed", "heart", "speech", "calendar", "ear")
NEEDS_BETTER_WORDING = ("bad_phrase", "vague_time", "over_promise", "canned_empathy")
AGENT_EMOTION_WORDS = frozenset({"angry", "annoyed", "frustrated", "nervous", "stressed", "upset"})


class RuleError(ValueError):
    """A rule file that cannot be used; the message names file, rule, key and value."""

    code = "rule_invalid"


class CueEvidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is shown beside a cue."""

    line: str = ""
    """Text with `{fact}` placeholders; empty means the words that triggered the rule."""
    facts: tuple[str, ...] = ()
    """Facts whose values go with the cue."""


class CueRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule as written in a rule file. Times are milliseconds."""

    id: str
    text: str
    when: str
    clear_when: str
    cooldown_ms: int
    ttl_ms: int
    max_per_call: int
    priority: int
    latency_class: str
    audience: str = "agent"
    surface: str = "cue"
    confidence_floor: float = 0.8
    hold_ms: int = 0
    clear_hold_ms: int = 0
    """How long `clear_when` must stay true before the cue is cleared."""
    stale_ms: int | None = None
    """Oldest evidence that may be shown; None takes the latency class's limit."""
    max_onset_ago_ms: int | None = None
    """Oldest onset of the present overlap that may be shown."""
    grace: bool = False
    """The rule is about something not yet said: it waits while the agent speaks."""
    needs_direction: bool = False
    """The rule needs to know who speaks: not shown at bleed C or on one mixed channel."""
    floor_wait: bool | None = None
    """Wait for the agent to pause; None: for classes T and L of priority 2 to 5."""
    icon: str | None = None
    evidence: CueEvidence = CueEvidence()
    better_wording: tuple[str, ...] = ()
    technique: int | None = None
    why: str = ""
    enabled: bool = True


_LIMITS = {
    "priority": (0, 5),
    "confidence_floor": (0, 1),
    "hold_ms": (0, 60_000),
    "clear_hold_ms": (0, 60_000),
    "cooldown_ms": (0, 3_600_000),
    "ttl_ms": (500, 60_000),
    "max_per_call": (1, 100),
}
_CHOICES = {
    "latency_class": ("A", "T", "L"),
    "audience": ("agent", "supervisor"),
    "surface": ("cue", "chip", "indicator"),
    "icon": (*ICONS, None),
}


def _check(rule: CueRule, source: str) -> None:
    def fail(key: str, problem: str) -> None:
        value = getattr(rule, key)
        raise RuleError(f"{source}: rule {rule.id!r}, key {key!r}: {value!r} {problem}")

    words = rule.text.split()
    if not 1 <= len(words) <= MAX_CUE_WORDS:
        fail("text", f"has {len(words)} words; use 1 to {MAX_CUE_WORDS}")
    if {"you're", "you", "your"} & {w.lower() for w in words} and AGENT_EMOTION_WORDS & {
        w.lower().strip(".,:!") for w in words
    }:
        fail("text", "names an emotion of the agent; say what to do instead")
    for key, (low, high) in _LIMITS.items():
        if not low <= getattr(rule, key) <= high:
            fail(key, f"is out of range; use {low} to {high}")
    for key, allowed in _CHOICES.items():
        if getattr(rule, key) not in allowed:
            fail(key, f"is not allowed; use one of {', '.join(str(a) for a in allowed if a)}")
    for key in ("when", "clear_when"):
        try:
            Expression(getattr(rule, key))
        except ExpressionError as error:
            raise RuleError(f"{source}: rule {rule.id!r}, key {key!r}: {error}") from error
    for fact in rule.evidence.facts:
        if fact not in FACTS:
            fail("evidence", f"names the unknown fact {fact!r}; see conversation/fact_names.py")
    if rule.id in NEEDS_BETTER_WORDING and not rule.better_wording:
        fail("better_wording", "is empty; give at least one better wording")


def parse_rules(text: str, source: str) -> list[CueRule]:
    """Parse and check one rule file.

    Args:
        text: Content of the TOML file, one table per rule.
        source: Name of the file, for messages.

    Raises:
        RuleError: the text is not TOML or a rule breaks the schema.
    """
    try:
        tables: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RuleError(f"{source}: not valid TOML: {error}") from error
    rules = []
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise RuleError(f"{source}: {name!r} is not a table; write [{name}] and keys below it")
        for key in table:
            if key not in CueRule.__struct_fields__ or key == "id":
                raise RuleError(f"{source}: rule {name!r}: unknown key {key!r} = {table[key]!r}")
        try:
            rule = msgspec.convert({"id": name, **table}, CueRule)
        except msgspec.ValidationError as error:
            raise RuleError(f"{source}: rule {name!r}: {error}") from error
        _check(rule, source)
        rules.append(rule)
    return rules


def packaged_rules(disabled: Iterable[str] = ()) -> list[CueRule]:
    """Load the rules that ship with Heartline, without the disabled ones.

    Raises:
        RuleError: a packaged file is broken, or `disabled` names no rule.
    """
    folder = resources.files("conversation") / "rules"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    rules = [r for f in files for r in parse_rules(f.read_text(encoding="utf-8"), f.name)]
    off = set(disabled)
    unknown = sorted(off - {rule.id for rule in rules})
    if unknown:
        raise RuleError(f"no rule is called {unknown[0]!r}; see `heartline rules list`")
    return [rule for rule in rules if rule.enabled and rule.id not in off]
