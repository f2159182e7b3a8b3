"""Rule expressions in three-valued logic: true, false and unknown.

The grammar, lowest precedence first::

    or_expr    = and_expr { "or" and_expr }
    and_expr   = not_expr { "and" not_expr }
    not_expr   = "not" not_expr | comparison
    comparison = operand [ ( "==" | "!=" | "<" | "<=" | ">" | ">=" ) operand | "in" list ]
    operand    = number [ unit ] | fact | symbol | call | "(" or_expr ")"
    call       = ("count" | "since" | "turns_since" | "seen") "(" arguments ")"

Units are `ms`, `s`, `db`, `wpm`, `pct` and `turns`. History functions read what was observed:
`count(kinds, window[, min_confidence])`, `count(kinds, after=kinds)`, `since(kinds)` in ms,
`turns_since(kinds)`, `seen(kinds, after=kinds[, within=window])`; `kinds` is one kind or a list. A
window in turns counts the speaker's turns that hold the kind. Logic is Kleene's: an unknown
operand makes a comparison unknown, `not unknown` is unknown, `false and unknown` is false,
`true or unknown` is true.

A rule sees acts from its confidence floor on. Where it asks whether something is missing (`not
seen`, `since(...) >= 30s`, `count(...) < 1`), acts below the floor count too, and in a clear
condition it is the other way round: in doubt a cue is not shown, and goes.

Nothing here uses `eval`: an expression is parsed once into a tree and walked.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from conversation.expression_nodes import (
    Constant,
    Fact,
    Node,
    Part,
    Value,
    all_of,
    any_of,
    fact_against,
)
from conversation.fact_names import FACTS, HISTORY_KINDS, FactValue
from conversation.history_port import History, NoHistory, Window


class ExpressionError(ValueError):
    """An expression that cannot be parsed or that names something unknown."""

    code = "expression_invalid"


_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?)(?P<unit>[a-z%]+)?"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[a-z_][a-z0-9_]*)*)"
    r"|(?P<op><=|>=|==|!=|<|>|=|\(|\)|\[|\]|,))"
)
_UNITS = {"ms": 1.0, "s": 1000.0, "db": 1.0, "wpm": 1.0, "pct": 0.01, "turns": 1.0}
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ABSENT = {"since": (">", ">="), "turns_since": (">", ">="), "count": ("<", "<=")}
"""Comparisons that ask whether something is missing."""
_FUNCTIONS = ("count", "since", "turns_since", "seen")
_SYMBOLS = frozenset(symbol for fact in FACTS.values() for symbol in fact.symbols)


def _did_you_mean(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f"did you mean {near[0]!r}?" if near else "`heartline rules list --facts` has them all"


class Expression:
    """One parsed expression.

    Attributes:
        source: The text it was parsed from.
        facts: Names of the facts it reads, in order of appearance.
        kinds: Kinds of act or event that its history functions read.
        triggers: Those that are asked for and not ruled out: what the words of a cue may be.
        parts: Conditions that are true together when the expression is, and only then.

    Args:
        source: The text.
        kinds: Every kind that history functions may name.
        clears: It is a clear condition.

    Raises:
        ExpressionError: the text is not an expression, or names an unknown fact or kind.
    """

    def __init__(
        self, source: str, kinds: Collection[str] = HISTORY_KINDS, *, clears: bool = False
    ) -> None:
        self.source = " ".join(source.split())
        parser = _Parser(self.source, kinds, clears=clears)
        self._node = parser.parse()
        self.parts = tuple(parser.parts)
        self.facts: tuple[str, ...] = tuple(dict.fromkeys(parser.facts))
        self.kinds: tuple[str, ...] = tuple(dict.fromkeys(parser.kinds))
        self.triggers: tuple[str, ...] = tuple(dict.fromkeys(parser.triggers))

    def evaluate(
        self, facts: Mapping[str, FactValue], history: History | None = None
    ) -> bool | None:
        """Return True, False or None (unknown) for these facts and this history."""
        value = self._node(facts, history if history is not None else NoHistory())
        return value if isinstance(value, bool) else None


class _Asked:
    """How one history function is asked: for what is there, or for what is missing."""

    def __init__(self, name: str, *, doubtful: bool) -> None:
        self.name = name
        self.doubtful = doubtful


class _Parser:
    """Recursive descent over one expression."""

    def __init__(self, source: str, known_kinds: Collection[str], *, clears: bool) -> None:
        self.source = source
        self._known_kinds = known_kinds
        self.facts: list[str] = []
        self.kinds: list[str] = []
        self.triggers: list[str] = []
        self.parts: list[Part] = []
        """Of the conjunction that was read last."""
        self._negations = 0
        self._clears = clears
        self._asked: _Asked | None = None
        """The history function that was just read."""
        self._tokens: list[tuple[str, str, str]] = []
        self._next = 0
        position = 0
        while position < len(source.rstrip()):
            match = _TOKEN.match(source, position)
            if match is None:
                raise ExpressionError(f"unexpected {source[position:].strip()[:12]!r}")
            unit = match["unit"] or ""
            for kind in ("number", "name", "op"):
                if match[kind] is not None:
                    self._tokens.append((kind, match[kind], unit))
            position = match.end()

    def parse(self) -> Node:
        if not self._tokens:
            raise ExpressionError("the expression is empty")
        node = self._boolean(self._or_expr())
        if self._next < len(self._tokens):
            raise ExpressionError(f"unexpected {self._peek()!r} after a complete expression")
        return node[0]

    # ----------------------------------------------------------------- tokens
    def _peek(self) -> str:
        return self._tokens[self._next][1] if self._next < len(self._tokens) else ""

    def _take(self, expected: str | None = None) -> tuple[str, str, str]:
        if self._next >= len(self._tokens):
            raise ExpressionError(f"expected {expected or 'a value'!r} but the expression ends")
        token = self._tokens[self._next]
        if expected is not None and token[1] != expected:
            raise ExpressionError(f"expected {expected!r} instead of {token[1]!r}")
        self._next += 1
        return token

    # ---------------------------------------------------------------- grammar
    def _boolean(self, typed: tuple[Node, str]) -> tuple[Node, str]:
        if typed[1] != "boolean":
            raise ExpressionError(f"a {typed[1]} stands where true or false is needed")
        return typed

    def _or_expr(self) -> tuple[Node, str]:
        left = self._and_expr()
        while self._peek() == "or":
            self._take()
            a, b = self._boolean(left)[0], self._boolean(self._and_expr())[0]
            left = (any_of(a, b), "boolean")
            self.parts = [Part(left[0], tuple(self.facts), tuple(self.kinds))]
        return left

    def _and_expr(self) -> tuple[Node, str]:
        left, part = self._part()
        parts = [part]
        while self._peek() == "and":
            self._boolean(left)
            self._take()
            left, part = self._part()
            parts.append(part)
        self.parts = parts
        if len(parts) == 1:
            return left
        self._boolean(left)
        return all_of([part.node for part in parts]), "boolean"

    def _part(self) -> tuple[tuple[Node, str], Part]:
        facts, kinds = len(self.facts), len(self.kinds)
        typed = self._not_expr()
        return typed, Part(typed[0], tuple(self.facts[facts:]), tuple(self.kinds[kinds:]))

    def _not_expr(self) -> tuple[Node, str]:
        if self._peek() != "not":
            return self._comparison()
        self._take()
        self._negations += 1
        inner = self._boolean(self._not_expr())[0]
        self._negations -= 1

        def negate(facts: Mapping[str, FactValue], history: History) -> Value:
            value = inner(facts, history)
            return None if value is None else not value

        return negate, "boolean"

    def _comparison(self) -> tuple[Node, str]:
        self._asked = None
        left, left_type = self._operand()
        op, asked = self._peek(), self._asked
        if asked is not None and op in _ABSENT.get(asked.name, ()):
            asked.doubtful = not asked.doubtful
        if op == "in":
            self._take()
            return self._membership(left, left_type)
        if op not in ("==", "!=", *_COMPARE):
            return left, left_type
        self._take()
        right, right_type = self._operand()
        if left_type != right_type:
            raise ExpressionError(f"cannot compare a {left_type} with a {right_type} by {op!r}")
        if op in _COMPARE:
            if left_type != "number":
                raise ExpressionError(f"{op!r} needs numbers, not a {left_type}")
            compare: Callable[[Any, Any], bool] = _COMPARE[op]
            if isinstance(left, Fact) and isinstance(right, Constant):
                return fact_against(left.name, compare, right.value), "boolean"

            def ordered(facts: Mapping[str, FactValue], history: History) -> Value:
                # Both are numbers or unknown: their types were checked when this was parsed.
                a = left(facts, history)
                if a is None:
                    return None
                b = right(facts, history)
                return None if b is None else compare(a, b)

            return ordered, "boolean"

        if isinstance(left, Fact) and isinstance(right, Constant):
            same: Callable[[Any, Any], bool] = operator.eq if op == "==" else operator.ne
            return fact_against(left.name, same, right.value), "boolean"

        def equal(facts: Mapping[str, FactValue], history: History) -> Value:
            a, b = left(facts, history), right(facts, history)
            if a is None or b is None:
                return None
            return (a == b) is (op == "==")

        return equal, "boolean"

    def _membership(self, left: Node, left_type: str) -> tuple[Node, str]:
        if left_type != "symbol":
            raise ExpressionError(f"'in' needs a symbol on its left, not a {left_type}")
        values = frozenset(self._names())
        unknown = sorted(values - _SYMBOLS)
        if unknown:
            raise ExpressionError(f"unknown value {unknown[0]!r} after 'in'")

        def member(facts: Mapping[str, FactValue], history: History) -> Value:
            value = left(facts, history)
            return None if value is None else value in values

        return member, "boolean"

    def _names(self) -> list[str]:
        names = []
        if self._peek() != "[":
            return [self._take()[1]]
        self._take("[")
        while True:
            names.append(self._take()[1])
            if self._peek() != ",":
                break
            self._take(",")
        self._take("]")
        return names

    def _operand(self) -> tuple[Node, str]:
        kind, text, unit = self._take()
        if kind == "number":
            number = float(text) * self._unit(unit)
            return Constant(number), "number"
        if text == "(":
            inner = self._or_expr()
            self._take(")")
            return inner
        if kind == "op":
            raise ExpressionError(f"unexpected {text!r}")
        if self._peek() == "(":
            return self._call(text)
        if text in ("true", "false"):
            return Constant(text == "true"), "boolean"
        fact = FACTS.get(text)
        if fact is not None:
            self.facts.append(text)
            return Fact(text), fact.type
        if text in _SYMBOLS:
            return Constant(text), "symbol"
        raise ExpressionError(f"unknown fact {text!r}; {_did_you_mean(text, FACTS)}")

    @staticmethod
    def _unit(unit: str) -> float:
        if unit and unit not in _UNITS:
            raise ExpressionError(f"unknown unit {unit!r}; use one of {', '.join(_UNITS)}")
        return _UNITS[unit] if unit else 1.0

    # -------------------------------------------------------------- functions
    def _kinds(self) -> tuple[str, ...]:
        kinds = tuple(self._names())
        for kind in kinds:
            if kind not in self._known_kinds:
                hint = _did_you_mean(kind, self._known_kinds)
                raise ExpressionError(f"unknown act or event kind {kind!r}; {hint}")
        self.kinds.extend(kinds)
        return kinds

    def _window(self) -> Window:
        kind, text, unit = self._take()
        if kind != "number" or unit not in ("ms", "s", "turns"):
            raise ExpressionError(f"a window needs ms, s or turns, not {text + unit!r}")
        return Window(float(text) * _UNITS[unit], unit == "turns")

    def _call(self, name: str) -> tuple[Node, str]:
        if name not in _FUNCTIONS:
            raise ExpressionError(f"unknown function {name!r}; use {', '.join(_FUNCTIONS)}")
        self._take("(")
        kinds = self._kinds()
        if not self._negations:
            self.triggers.extend(kinds)
        asked = _Asked(name, doubtful=bool(self._negations % 2) is not self._clears)
        node: Node
        result = "number"
        if name == "count":
            node = self._count(kinds, asked)
        elif name == "since":
            node = lambda f, h: h.since(kinds, doubtful=asked.doubtful)  # noqa: E731
        elif name == "turns_since":
            node = lambda f, h: h.turns_since(kinds, doubtful=asked.doubtful)  # noqa: E731
        else:
            after, within = self._seen_arguments()
            result = "boolean"
            node = lambda f, h: h.seen(  # noqa: E731
                kinds, after, within, doubtful=asked.doubtful
            )
        self._take(")")
        self._asked = asked
        return node, result

    def _count(self, kinds: tuple[str, ...], asked: _Asked) -> Node:
        self._take(",")
        if self._peek() == "after":
            self._take("after")
            self._take("=")
            after = self._kinds()
            return lambda f, h: h.count_after(kinds, after, doubtful=asked.doubtful)
        window, floor = self._window(), 0.0
        if self._peek() == ",":
            self._take(",")
            floor = float(self._take()[1])
        return lambda f, h: h.count(kinds, window, floor, doubtful=asked.doubtful)

    def _seen_arguments(self) -> tuple[tuple[str, ...], Window | None]:
        for expected in (",", "after", "="):
            self._take(expected)
        after, within = self._kinds(), None
        if self._peek() == ",":
            for expected in (",", "within", "="):
                self._take(expected)
            within = self._window()
        return after, within
