"""Scripted dialogues: text with timing, and the cues that they should and should not raise.

    [[script]]
    id = "parcel_late"
    calm = false
    turns = [["a1", 400, "Good morning …", "greeting", { wpm = 150 }], ["hold", 500, 40000]]
    expect = [{ rule = "missed_ack", turn = "a2", from_ms = 0, to_ms = 9000 }]
    forbid = ["customer_upset"]

A turn is its id (which begins with the speaker: a or c), the pause before it in ms (negative: it
begins before the last one has ended), its words, the acts they carry, and options: `wpm`, `raised`.
An expected cue is raised in a window about the end of a turn; without a window it is the time
that its rule, its latency class and the wait for the floor allow (`coaching.md` section 10).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from conversation.arbiter import ArbiterSettings
from conversation.events import (
    Channel,
    CueCleared,
    CueRaised,
    Word,
)
from conversation.rules import CueRule, packaged_rule_set

FOLDER = Path(__file__).parents[2] / "tests" / "scripts"
WORDS_PER_MINUTE = 165
"""An ordinary pace of service calls."""
SENTENCE_PAUSE_MS = 300
CLASS_ALLOWANCE_MS = {"A": 1_000, "T": 3_000, "L": 5_000}
"""Longest time from evidence to cue by latency class (`coaching.md` section 10)."""


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A cue that should be raised about the end of a turn."""

    rule: str
    turn: str
    from_ms: int | None = None
    """From the end of the turn; None takes its start: the words may be anywhere in it."""
    to_ms: int | None = None
    """From the end of the turn; None takes what the rule allows."""


class Turn(msgspec.Struct, frozen=True):
    """One turn, placed on the clock of the call."""

    id: str
    channel: Channel
    start_ms: int
    end_ms: int
    text: str
    acts: tuple[str, ...]
    raised: bool
    words: tuple[Word, ...]
    sentences: tuple[tuple[int, int], ...]
    """Spans of words that are spoken without a pause."""


class Hold(msgspec.Struct, frozen=True):
    """The customer waits."""

    start_ms: int
    end_ms: int


class Script(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One dialogue as it is written."""

    id: str
    turns: list[list[Any]]
    calm: bool = False
    expect: list[Expected] = []
    forbid: list[str] = []
    spoken: bool = False
    """One of those that are also synthesised and run through everything."""
    held_out: bool = False

    def placed(self) -> list[Turn | Hold]:
        """Place every turn and hold on the clock."""
        out: list[Turn | Hold] = []
        at_ms = 0
        for row in self.turns:
            start_ms = max(0, at_ms + int(row[1]))
            if row[0] == "hold":
                out.append(Hold(start_ms, start_ms + int(row[2])))
                at_ms = start_ms + int(row[2])
                continue
            turn = _placed(row, start_ms)
            out.append(turn)
            at_ms = turn.end_ms
        return out


def _placed(row: Sequence[Any], start_ms: int) -> Turn:
    options = row[4] if len(row) > 4 else {}
    wpm = float(options.get("wpm", WORDS_PER_MINUTE))
    words: list[Word] = []
    sentences = []
    now_ms, first = float(start_ms), 0
    texts = str(row[2]).split()
    mean = sum(len(t) + 2 for t in texts) / len(texts)
    for index, text in enumerate(texts):
        length_ms = 60_000 / wpm * (len(text) + 2) / mean
        words.append(
            Word(text=text, start_ms=round(now_ms), end_ms=round(now_ms + length_ms),
                 probability=0.95)
        )  # fmt: skip
        now_ms += length_ms
        if re.search(r"[.?!]$", text) or index == len(texts) - 1:
            sentences.append((first, index + 1))
            first = index + 1
            now_ms += SENTENCE_PAUSE_MS
    acts = tuple(str(row[3]).split()) if len(row) > 3 else ()
    channel = Channel.AGENT if str(row[0]).startswith("a") else Channel.CUSTOMER
    return Turn(
        str(row[0]), channel, start_ms, words[-1].end_ms, str(row[2]), acts,
        bool(options.get("raised", False)), tuple(words), tuple(sentences),
    )  # fmt: skip


def load_scripts(folder: Path = FOLDER) -> list[Script]:
    """Read every script; those of files called `held_out_*` are marked so."""
    scripts = []
    for file in sorted(folder.glob("*.toml")):
        table = tomllib.loads(file.read_text("utf-8"))
        for script in msgspec.convert(table["script"], list[Script]):
            script.held_out = file.name.startswith("held_out")
            scripts.append(script)
    return scripts


def cue_rules() -> dict[str, CueRule]:
    """Return the rules that take the cue slot and are on by default, by name."""
    return {
        rule.id: rule
        for rule in packaged_rule_set().active()
        if rule.audience == "agent" and rule.surface == "cue"
    }


def window(expected: Expected, placed: Sequence[Turn | Hold], rule: CueRule) -> tuple[int, int]:
    """Return the earliest and the latest time of an expected cue, given the placed turns."""
    turn = next(t for t in placed if isinstance(t, Turn) and t.id == expected.turn)
    allowed_ms = rule.hold_ms + CLASS_ALLOWANCE_MS[rule.latency_class]
    if rule.latency_class != "A" and rule.priority >= 2:
        allowed_ms += ArbiterSettings().floor_wait_ms
    to_ms = expected.to_ms if expected.to_ms is not None else allowed_ms
    begin_ms = turn.start_ms if expected.from_ms is None else turn.end_ms + expected.from_ms
    return begin_ms, turn.end_ms + to_ms


def lint(script: Script) -> list[str]:
    """Return what is wrong with a script: unknown names, and what budget or cooldown forbid."""
    rules, limits = cue_rules(), ArbiterSettings()
    problems = []
    turns = {str(row[0]) for row in script.turns}
    for name in [*script.forbid, *(e.rule for e in script.expect)]:
        if name not in rules:
            problems.append(f"{script.id}: there is no cue {name!r}")
    for expected in script.expect:
        if expected.turn not in turns:
            problems.append(f"{script.id}: there is no turn {expected.turn!r}")
        if expected.rule in script.forbid:
            problems.append(f"{script.id}: {expected.rule!r} is both expected and forbidden")
    if problems:
        return problems
    turns_at = script.placed()
    placed = sorted(
        ((window(e, turns_at, rules[e.rule])[1], rules[e.rule]) for e in script.expect),
        key=lambda pair: pair[0],
    )
    for at_ms, rule in placed:
        opening = limits.opening_a_ms if rule.latency_class == "A" else limits.opening_ms
        if rule.priority > 0 and at_ms < opening:
            problems.append(f"{script.id}: {rule.id!r} is expected while the call opens")
    paid = [(at, rule) for at, rule in placed if rule.priority > 0]
    if len(paid) > limits.budget_total or sum(r.priority > 1 for _, r in paid) > (
        limits.budget_lower
    ):
        problems.append(f"{script.id}: more cues are expected than the budget allows")
    for (first, rule), (second, other) in pairwise(paid):
        apart = limits.spacing_ms if other.priority == 1 else limits.spacing_lower_ms
        if second - first + CLASS_ALLOWANCE_MS["L"] < apart:
            problems.append(f"{script.id}: {other.id!r} comes too soon after {rule.id!r}")
        if rule.id == other.id and second - first < rule.cooldown_ms:
            problems.append(f"{script.id}: the cooldown of {rule.id!r} forbids the second")
    if script.calm and any(rules[e.rule].priority <= 3 for e in script.expect):
        problems.append(f"{script.id}: a calm dialogue may not expect a cue of priority 0 to 3")
    return problems


class Outcome(msgspec.Struct, kw_only=True):
    """Which cues a script raised, and which of them it wanted."""

    script: Script
    raised: list[tuple[str, int]]
    matched: list[tuple[str, int]]
    missed: list[Expected]
    wrong: list[tuple[str, int]]
    """Raised without being expected."""
    expired: int = 0


def judge(
    script: Script, events: Sequence[Any], placed: Sequence[Turn | Hold] | None = None
) -> Outcome:
    """Match raised cues one to one with the expected ones; `placed` are turns as spoken."""
    rules = cue_rules()
    placed = script.placed() if placed is None else placed
    raised = [(e.rule, e.at_ms) for e in events if isinstance(e, CueRaised)]
    free = list(raised)
    matched, missed = [], []
    for expected in script.expect:
        begin_ms, end_ms = window(expected, placed, rules[expected.rule])
        found = next(
            (r for r in free if r[0] == expected.rule and begin_ms <= r[1] <= end_ms), None
        )
        if found is None:
            missed.append(expected)
        else:
            free.remove(found)
            matched.append(found)
    expired = sum(isinstance(e, CueCleared) and e.outcome == "expired" for e in events)
    return Outcome(
        script=script, raised=raised, matched=matched, missed=missed, wrong=free, expired=expired
    )
