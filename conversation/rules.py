"""Cue rules: the TOML schema, loading, and checks with messages that say what to change.

A site's own files may hold whole rules, or only the keys that they change of a packaged rule.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, NoReturn

import msgspec

from conversation.expressions import Expression, ExpressionError
from conversation.fact_names import FACTS, HISTORY_KINDS
from conversation.language.pack import PackError
from conversation.phrases import load_phrases

MAX_CUE_WORDS = 6
ICONS = ("hand", "pause", "clock", "speed", "heart", "speech", "calendar", "ear")
NEEDS_BETTER_WORDING = ("bad_phrase", "vague_time", "over_promise", "canned_empathy")
AGENT_EMOTION_WORDS = frozenset(
    """afraid aggressive agitated angry anxious annoyed bored calm cross emotional frustrated
    impatient irritated mad nervous rude sad stressed tense tired upset worried""".split()
)
_OF_THE_CUSTOMER = frozenset({"they", "they're", "they've", "their", "them", "customer"})
_HABITS = ("overlap.", "interruptions.", "pause_cut_ins.", "taken_floor.")
_HABIT_KINDS = frozenset(
    {"agent.avoid_phrase", "agent.over_promise", "agent.vague_time", "agent.overlap_ended"}
)
"""What an alert to a supervisor may not rest on (`coaching.md` section 3.3)."""


class RuleError(ValueError):
    """A rule file that cannot be used; the message names file, rule, key and value."""

    code = "rule_invalid"


class CueEvidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is shown beside a cue."""

    line: str = ""
    """Text with `{fact}` placeholders; empty means the words that triggered the rule."""
    facts: tuple[str, ...] = ()
    """Facts whose values go with the cue."""


class CueRule(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
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
    during_hold: bool = False
    """The rule is about holds: it may be shown while the customer is on hold, as hold_long is."""
    issue_once: bool = False
    """At most one showing for each issue of the customer."""
    replaces: tuple[str, ...] = ()
    """Rules that are switched off because this one stands for them."""
    icon: str | None = None
    evidence: CueEvidence = CueEvidence()
    better_wording: tuple[str, ...] = ()
    suggests: str = ""
    """What an alert proposes to the supervisor."""
    technique: int | None = None
    """Row of `coaching.md` section 1 that the rule is about."""
    why: str = ""
    enabled: bool = True


class RuleSet(msgspec.Struct, frozen=True):
    """Rules that belong together, and the words they are about."""

    rules: tuple[CueRule, ...]
    """Every rule, the switched-off ones included."""
    overlay: str = ""
    """A site's additions to the language pack, TOML."""

    @property
    def sha256(self) -> str:
        """Hash of the effective rules and the overlay."""
        parts = [msgspec.json.encode(self.rules, order="deterministic"), self.overlay.encode()]
        return hashlib.sha256(b"\0".join(parts)).hexdigest()

    @property
    def tables(self) -> tuple[dict[str, Any], ...]:
        """The rules as they are recorded in `CallStarted`: without what is at its default."""
        return tuple(msgspec.to_builtins(rule) for rule in self.rules)

    @classmethod
    def recorded(cls, tables: Sequence[Mapping[str, Any]], overlay: str = "") -> RuleSet | None:
        """Return the rules of `CallStarted`, or None when it recorded none.

        Raises:
            RuleError: a rule is none of this version.
        """
        if not tables:
            return None
        try:
            return cls(msgspec.convert(tables, tuple[CueRule, ...]), overlay)
        except msgspec.ValidationError as error:
            raise RuleError(f"the rules recorded with the call: {error}") from error

    def active(self, disabled: Iterable[str] = ()) -> list[CueRule]:
        """Return the rules that are switched on, without the `disabled` and the replaced ones.

        Raises:
            RuleError: `disabled` names no rule.
        """
        off = set(disabled)
        known = [rule.id for rule in self.rules]
        unknown = sorted(off - set(known))
        if unknown:
            raise RuleError(
                f"no rule is called {unknown[0]!r}; {_near(unknown[0], known)} "
                "see `heartline rules list`"
            )
        on = [rule for rule in self.rules if rule.enabled and rule.id not in off]
        replaced = {name for rule in on for name in rule.replaces}
        return [rule for rule in on if rule.id not in replaced]


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


def _near(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f"did you mean {near[0]!r}?" if near else ""


def _check(rule: CueRule, source: str, kinds: Collection[str]) -> None:
    def fail(key: str, problem: str) -> NoReturn:
        value = getattr(rule, key)
        raise RuleError(f"{source}: rule {rule.id!r}, key {key!r}: {value!r} {problem}")

    words = rule.text.split()
    if not 1 <= len(words) <= MAX_CUE_WORDS:
        fail("text", f"has {len(words)} words; use 1 to {MAX_CUE_WORDS}")
    bare = {w.lower().strip(".,:!?") for w in words}
    if AGENT_EMOTION_WORDS & bare and not _OF_THE_CUSTOMER & bare:
        fail("text", "names an emotion of the agent; say what to do instead")
    for key, (low, high) in _LIMITS.items():
        if not low <= getattr(rule, key) <= high:
            fail(key, f"is out of range; use {low} to {high}")
    for key, allowed in _CHOICES.items():
        if getattr(rule, key) not in allowed:
            fail(key, f"is not allowed; use one of {', '.join(str(a) for a in allowed if a)}")
    expressions = []
    for key in ("when", "clear_when"):
        try:
            expressions.append(Expression(getattr(rule, key), kinds))
        except ExpressionError as error:
            raise RuleError(f"{source}: rule {rule.id!r}, key {key!r}: {error}") from error
    for fact in rule.evidence.facts:
        if fact not in FACTS:
            fail("evidence", f"names the unknown fact {fact!r}; {_near(fact, FACTS)}")
    if rule.id in NEEDS_BETTER_WORDING and not rule.better_wording:
        fail("better_wording", "is empty; give at least one better wording")
    if rule.audience == "supervisor":
        _check_alert(rule, expressions, fail)


def _check_alert(rule: CueRule, expressions: Sequence[Expression], fail: Any) -> None:
    facts = [f for e in expressions for f in e.facts if f.startswith(_HABITS)]
    habits = [*facts, *(k for e in expressions for k in e.kinds if k in _HABIT_KINDS)]
    if habits:
        fail("audience", f"may not go with {habits[0]!r}: an alert is about the call's need")
    if not rule.suggests:
        fail("suggests", "is empty; say what the supervisor can do")


def _tables(text: str, source: str) -> dict[str, dict[str, Any]]:
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RuleError(f"{source}: not valid TOML: {error}") from error
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise RuleError(f"{source}: {name!r} is not a table; write [{name}] and keys below it")
        for key in table:
            if key not in CueRule.__struct_fields__ or key == "id":
                hint = _near(key, CueRule.__struct_fields__)
                raise RuleError(
                    f"{source}: rule {name!r}: unknown key {key!r} = {table[key]!r}; {hint}"
                )
    return tables


def _rule(name: str, table: Mapping[str, Any], source: str, kinds: Collection[str]) -> CueRule:
    try:
        rule = msgspec.convert({"id": name, **table}, CueRule)
    except msgspec.ValidationError as error:
        raise RuleError(f"{source}: rule {name!r}{_explained(str(error), table)}") from error
    _check(rule, source, kinds)
    return rule


_TYPES = {"int": "a number", "float": "a number", "str": "text", "bool": "true or false",
          "array": "a list", "object": "a table"}  # fmt: skip


def _explained(message: str, table: Mapping[str, Any]) -> str:
    """Turn msgspec's words into key, value and remedy."""
    what, _, place = message.partition(" - at ")
    key = place.strip("`").removeprefix("$.").partition("[")[0].partition(".")[0]
    kind = re.search(r"Expected `([a-z]+)", what)
    if not key or kind is None:
        return f": {message}"
    wanted = _TYPES.get(kind[1], kind[1])
    return f", key {key!r}: {table.get(key)!r} cannot be used; write {wanted}"


def parse_rules(text: str, source: str, kinds: Collection[str] = HISTORY_KINDS) -> list[CueRule]:
    """Parse and check one rule file.

    Args:
        text: Content of the TOML file, one table per rule.
        source: Name of the file, for messages.
        kinds: Every kind that history functions may name.

    Raises:
        RuleError: the text is not TOML or a rule breaks the schema.
    """
    return [_rule(name, table, source, kinds) for name, table in _tables(text, source).items()]


def build_rules(files: Sequence[tuple[str, str]], overlay: str = "", locale: str = "en") -> RuleSet:
    """Put a site's files over the packaged rules.

    Args:
        files: name and text of each rule file; a table with the name of a rule that is known
            changes the keys it holds, any other table is a new rule.
        overlay: the site's additions to the language pack, TOML.
        locale: language of the pack.

    Raises:
        RuleError: a file or the overlay cannot be used.
    """
    try:
        kinds = HISTORY_KINDS | load_phrases(locale, overlay).kinds
    except PackError as error:
        raise RuleError(str(error)) from error
    tables: dict[str, dict[str, Any]] = {}
    sources: dict[str, str] = {}
    for name, text in _packaged_files():
        for rule, table in _tables(text, name).items():
            if rule in tables:
                raise RuleError(f"{name}: rule {rule!r} is also in {sources[rule]}; remove one")
            tables[rule], sources[rule] = table, name
    packaged = set(tables)
    for name, text in files:
        for rule, table in _tables(text, name).items():
            if rule in packaged or rule not in tables:
                _check_complete(rule, table, name, packaged)
            else:
                raise RuleError(f"{name}: rule {rule!r} is also in {sources[rule]}; remove one")
            tables[rule], sources[rule] = {**tables.get(rule, {}), **table}, name
            packaged.discard(rule)
    kinds = kinds | {f"shown.{name}" for name in tables}
    rules = tuple(_rule(name, table, sources[name], kinds) for name, table in tables.items())
    for rule_ in rules:
        for name in rule_.replaces:
            if name not in tables:
                raise RuleError(
                    f"{sources[rule_.id]}: rule {rule_.id!r}, key 'replaces': there is no rule "
                    f"{name!r}; {_near(name, tables)}"
                )
    return RuleSet(rules, overlay)


def _check_complete(
    rule: str, table: Mapping[str, Any], source: str, packaged: Collection[str]
) -> None:
    if rule in packaged:
        return
    needed = ("text", "when", "clear_when", "cooldown_ms", "ttl_ms", "max_per_call", "priority",
              "latency_class")  # fmt: skip
    missing = [key for key in needed if key not in table]
    if missing:
        hint = _near(rule, packaged)
        raise RuleError(
            f"{source}: {rule!r} is no packaged rule, so it needs {', '.join(missing)}; {hint}"
        )


@cache
def packaged_rule_set(locale: str = "en") -> RuleSet:
    """Return the rules that ship with Heartline."""
    return build_rules((), locale=locale)


def shown_kinds(rules: Iterable[CueRule]) -> set[str]:
    """Return the history kinds that say when a cue was shown: `shown.talk_over`."""
    known = packaged_rule_set().rules
    return {f"shown.{rule.id}" for rule in (*known, *rules)}


def _packaged_files() -> list[tuple[str, str]]:
    folder = resources.files("conversation") / "rules"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    return [(f.name, f.read_text(encoding="utf-8")) for f in files]


def packaged_rules(disabled: Iterable[str] = ()) -> list[CueRule]:
    """Load the rules that ship with Heartline and are on, without the disabled ones.

    Raises:
        RuleError: a packaged file is broken, or `disabled` names no rule.
    """
    return packaged_rule_set().active(disabled)
