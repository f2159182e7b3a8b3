"""The parts that a parsed rule expression is made of; three-valued, `None` is unknown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from conversation.fact_names import FactValue
from conversation.history_port import History

Value = float | int | str | bool | None
"""Value of an expression; `None` is unknown."""
Node = Callable[[Mapping[str, FactValue], History], Value]


class Part(msgspec.Struct, frozen=True, eq=False):
    """A condition that must be true for the whole expression to be."""

    node: Node
    facts: tuple[str, ...]
    kinds: tuple[str, ...]
    """What its history functions read."""


def obstacle(
    parts: Sequence[Part], facts: Mapping[str, FactValue], history: History, last: Part | None
) -> Part | None:
    """Return a part that is not true, None when all are.

    The last obstacle is asked first; then one is preferred that stays until a kind occurs that has
    not occurred yet, and then one on facts alone.
    """
    if last is not None and not last.node(facts, history):
        return last
    found: Part | None = None
    for part in parts:
        if part.node(facts, history):
            continue
        if part.kinds and not part.facts and not history.heard(part.kinds):
            return part
        if found is None or (found.kinds and not part.kinds):
            found = part
    return found


class Constant:
    """A number, word or truth value that was written down."""

    def __init__(self, value: Value) -> None:
        self.value = value

    def __call__(self, facts: Mapping[str, FactValue], history: History) -> Value:
        """Return it."""
        return self.value


class Fact:
    """A fact as it stands at the moment."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, facts: Mapping[str, FactValue], history: History) -> Value:
        """Return its value."""
        return facts.get(self.name)


@lru_cache(maxsize=1_024, typed=True)
def fact_against(name: str, compare: Callable[[Any, Any], bool], value: Value) -> Node:
    """Compare a fact with a constant, as most of every rule does, in one call.

    Rules that ask the same have one node for it.
    """

    def node(facts: Mapping[str, FactValue], history: History) -> Value:
        fact = facts.get(name)
        return None if fact is None else compare(fact, value)

    return node


def all_of(parts: Sequence[Node]) -> Node:
    """Return `and` of any number of parts; what was false last is asked first."""
    false = parts[0]

    def node(facts: Mapping[str, FactValue], history: History) -> Value:
        nonlocal false
        if false(facts, history) is False:
            return False
        known: Value = True
        for part in parts:
            value = part(facts, history)
            if value is False:
                false = part
                return False
            if value is None:
                known = None
        return known

    return node


def any_of(left: Node, right: Node) -> Node:
    """Return `or` of two parts."""

    def node(facts: Mapping[str, FactValue], history: History) -> Value:
        a = left(facts, history)
        if a is True:
            return True
        b = right(facts, history)
        if b is True:
            return True
        return None if a is None or b is None else False

    return node
