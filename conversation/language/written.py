"""The written form of a language: patterns that tell what a sentence of a reply says."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib import resources

import msgspec

from conversation.language.pack import PackError

_CONTENT_LETTERS = 4
"""Letters from which on a word carries content."""


class _Kind(msgspec.Struct, forbid_unknown_fields=True):
    why: str
    better: tuple[str, ...]
    find: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    """A sentence that matches one of these has no such phrase."""


class _Customer(msgspec.Struct, forbid_unknown_fields=True):
    feels: tuple[str, ...]
    asks: tuple[str, ...]
    troubles: tuple[str, ...]
    how_to: tuple[str, ...]
    happened: tuple[str, ...]
    wish: tuple[str, ...]
    went_wrong: tuple[str, ...]


class _Signals(msgspec.Struct, forbid_unknown_fields=True):
    acknowledges: tuple[str, ...]
    apologises: tuple[str, ...]
    apology_for: tuple[str, ...]
    canned: tuple[str, ...]
    formula: tuple[str, ...]
    polite: tuple[str, ...]
    step: tuple[str, ...]
    no_step: tuple[str, ...]
    loose_step: tuple[str, ...]
    informed: tuple[str, ...]
    specific_time: tuple[str, ...]
    vague_time: tuple[str, ...]
    commits: tuple[str, ...]
    conditional: tuple[str, ...]
    vague_allowed: tuple[str, ...]
    unknown_time: tuple[str, ...]
    resolved: tuple[str, ...]
    notice: tuple[str, ...]
    refuses: tuple[str, ...]
    customer: _Customer


class _File(msgspec.Struct, forbid_unknown_fields=True):
    abbreviations: tuple[str, ...]
    common: tuple[str, ...]
    endings: tuple[str, ...]
    words: dict[str, tuple[str, ...]]
    signals: _Signals
    kinds: dict[str, _Kind]


class WrittenPack:
    """The patterns of one language's written form."""

    def __init__(self, file: _File) -> None:
        self._words = file.words
        self.kinds = file.kinds
        self.abbreviations = frozenset(file.abbreviations)
        self._common = frozenset(file.common)
        self._endings = file.endings
        signals = file.signals
        self._patterns = {
            name: self._compile(getattr(signals, name))
            for name in signals.__struct_fields__
            if name != "customer"
        }
        for name in signals.customer.__struct_fields__:
            self._patterns[name] = self._compile(getattr(signals.customer, name))
        for name, kind in file.kinds.items():
            self._patterns[f"find {name}"] = self._compile(kind.find)
            self._patterns[f"unless {name}"] = self._compile(kind.unless)

    def _compile(self, patterns: Iterable[str]) -> re.Pattern[str] | None:
        expanded = [self._expand(pattern) for pattern in patterns]
        return re.compile("|".join(f"(?:{p})" for p in expanded)) if expanded else None

    def _expand(self, pattern: str) -> str:
        def words(match: re.Match[str]) -> str:
            if match[1] not in self._words:
                raise PackError(f"written pack: {pattern!r} names the unknown list <{match[1]}>")
            return "(?:" + "|".join(self._expand(word) for word in self._words[match[1]]) + ")"

        return re.sub(r"<([a-z_]+)>", words, pattern)

    def find(self, signal: str, text: str) -> re.Match[str] | None:
        """Return the first match of a signal in lower-case text."""
        pattern = self._patterns[signal]
        return None if pattern is None else pattern.search(text)

    def has(self, signal: str, text: str) -> bool:
        """Whether a signal is in lower-case text."""
        return self.find(signal, text) is not None

    def without(self, signal: str, text: str) -> str:
        """Return lower-case text without what matches a signal."""
        pattern = self._patterns[signal]
        return text if pattern is None else pattern.sub(" ", text)

    def content(self, text: str) -> set[str]:
        """Return the words that carry content, cut so that `waited` meets `waiting`."""
        words = re.findall(r"[^\W_]+", text)
        return {
            self._stem(w) for w in words if len(w) >= _CONTENT_LETTERS and w not in self._common
        }

    def _stem(self, word: str) -> str:
        for ending in self._endings:
            if word.endswith(ending) and len(word) - len(ending) >= _CONTENT_LETTERS - 1:
                return word[: -len(ending)]
        return word


@cache
def load_written(language: str = "en") -> WrittenPack:
    """Load the written form of a packaged language.

    Raises:
        PackError: there is none, or its file is broken.
    """
    file = resources.files("conversation.language") / language.split("-")[0] / "written.toml"
    if not file.is_file():
        raise PackError(f"there is no written form for {language!r}; use 'en'")
    try:
        return WrittenPack(msgspec.convert(tomllib.loads(file.read_text("utf-8")), _File))
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, re.error) as error:
        raise PackError(f"written form of {language!r}: {error}") from error
