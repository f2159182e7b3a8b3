"""Leads a practice run: which line comes next, what was heard, what the trainee noticed. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from reports.model import AttemptPart, PracticePart
from server.practice.scenario import Scenario, Stage

MAX_TURNS = 12
"""Turns after which a talk that goes in circles ends."""
_SAME_LETTERS = 5
"""Words that begin with as many letters name the same feeling: `disappointed`, `disappointing`."""


class Director:
    """The course of one run."""

    def __init__(self, scenario: Scenario, opening: str | None = None) -> None:
        self.scenario = scenario
        self.name = opening if opening in scenario.stages else scenario.openings[0]
        """Stage that the talk is at."""
        self.visited = [self.name]
        self.attempts: list[AttemptPart] = []

    @property
    def stage(self) -> Stage:
        """What the customer says now."""
        return self.scenario.stages[self.name]

    @property
    def over(self) -> bool:
        """Whether the customer says the last line now."""
        return self.name in self.scenario.end_when or len(self.visited) > MAX_TURNS

    def answer(self, acts: Iterable[str], *, cut_in: bool = False) -> None:
        """Take the trainee's answer and go on to the next stage.

        Args:
            acts: kinds of the acts heard in it.
            cut_in: the customer was not let finish, so that whatever was said did not count.
        """
        wanted = self.stage.wants
        found = () if cut_in else tuple(act for act in wanted if act in set(acts))
        self.attempts.append(AttemptPart(stage=self.name, wanted=wanted, found=found))
        following = self.stage.then if found else self.stage.otherwise
        if following is not None:
            self.name = following
            self.visited.append(following)

    def expected_feelings(self) -> list[tuple[str, ...]]:
        """Return the feelings of the stages that came up, each as words that say the same."""
        return [
            tuple(word.strip() for word in words.split("|"))
            for feeling in self.scenario.feelings
            if feeling.stage in self.visited
            for words in feeling.words
        ]

    def part(self, role: str, reflection: str | None) -> PracticePart:
        """Return what the report says of the run."""
        return PracticePart(
            scenario=self.scenario.id,
            role=role,
            reflection=reflect(self.expected_feelings(), reflection) if reflection else {},
            attempts=tuple(self.attempts),
        )


def reflect(expected: Iterable[tuple[str, ...]], said: str) -> dict[str, tuple[str, ...]]:
    """Compare the trainee's words with the feelings of a case.

    Returns:
        `named` and `missed` feelings by their first word, and `other` words of the trainee.
    """
    given = [word.strip().lower() for word in re.split(r"[,;.\n]|\band\b", said) if word.strip()]
    named: list[str] = []
    missed: list[str] = []
    met: set[str] = set()
    for words in expected:
        fitting = {g for g in given if any(_same(g, word) for word in words)}
        met |= fitting
        (named if fitting else missed).append(words[0])
    other = tuple(g for g in given if g not in met)
    return {"named": tuple(named), "missed": tuple(missed), "other": other}


def _same(said: str, word: str) -> bool:
    if word.lower() in said:
        return True
    beginnings = {w[:_SAME_LETTERS] for w in word.lower().split() if len(w) >= _SAME_LETTERS}
    return any(w[:_SAME_LETTERS] in beginnings for w in said.split() if len(w) >= _SAME_LETTERS)
