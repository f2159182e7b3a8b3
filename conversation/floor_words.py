"""What words say about the floor, per language: signs of listening, open clauses, closings."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources
from typing import Any

import msgspec

NEVER_ENDING = -1.5
"""Log odds of an end from which on a word hardly ever ends a sentence (our choice)."""


class FloorWords(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One language's lists; see `lexicon/en.toml` for what each holds."""

    backchannel_words: frozenset[str] = frozenset()
    backchannel_phrases: tuple[str, ...] = ()
    answers: frozenset[str] = frozenset()
    contrary: frozenset[str] = frozenset()
    openings: frozenset[str] = frozenset()
    sounds: frozenset[str] = frozenset()
    open_words: frozenset[str] = frozenset()
    number_words: frozenset[str] = frozenset()
    closings: tuple[str, ...] = ()
    cooperative: tuple[str, ...] = ()
    reclaims: tuple[str, ...] = ()
    waits: tuple[str, ...] = ()
    endings: tuple[tuple[float, frozenset[str]], ...] = ()
    """Log odds that a sentence is finished after a word, and the words."""

    def ending(self, word: str) -> float | None:
        """Return the log odds that a sentence is finished after `word`, None for a rare word."""
        return next((odds for odds, words in self.endings if word in words), None)

    def goes_on(self, word: str) -> bool:
        """Whether a clause that has come to `word` is not over."""
        if word in self.backchannel_words:
            return False
        odds = self.ending(word)
        return word in self.open_words or (odds is not None and odds <= NEVER_ENDING)

    @property
    def known(self) -> bool:
        """Whether there are words for this language at all."""
        return bool(self.backchannel_words)


def plain_words(text: str) -> list[str]:
    """Return lower-case words without punctuation; hyphens separate."""
    return re.findall(
        r"[^\W_]+(?:'[^\W_]+)*", text.lower().replace("\u2019", "'").replace("-", " ")
    )


def contains(words: list[str], phrases: tuple[str, ...]) -> bool:
    """Whether one of the phrases occurs in the words."""
    line = f" {' '.join(words)} "
    return any(f" {phrase} " in line for phrase in phrases)


@cache
def load_floor_words(locale: str) -> FloorWords:
    """Return the lists of a locale; empty ones, so that timing decides alone, when there are none.

    Raises:
        msgspec.ValidationError: the file has an unknown key.
    """
    language = locale.partition("-")[0].lower()
    folder = resources.files("conversation") / "lexicon"
    lists: dict[str, Any] = {}
    for name in (f"{language}.toml", f"{language}_endings.toml"):
        if (folder / name).is_file():
            lists |= tomllib.loads((folder / name).read_text(encoding="utf-8"))
    return msgspec.convert(lists, FloorWords)
