"""Words that cue rules read beside the language acts: "can you hear me", "as I said".

A phrase is a history kind, `party.name`, found by the templates of `phrases.toml` in a language
pack's folder. A negator up to three tokens before it in its clause vetoes it, unless it opens the
sentence, where it is an answer: "no that is all".
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import msgspec

from conversation.language.pack import (
    LanguagePack,
    PackError,
    Template,
    Token,
    load_pack,
    match_at,
    merged,
    pack_part,
)

NEGATION_TOKENS = 3
"""A negator this close before a phrase, in its clause, vetoes it (`coaching.md` section 2.2)."""


class _Phrase(msgspec.Struct, forbid_unknown_fields=True):
    patterns: list[str]


class Found(msgspec.Struct, frozen=True):
    """One phrase in a text: its history kind and the span of its words."""

    kind: str
    start: int
    end: int


class Phrasebook:
    """Phrases and word lists of one language.

    Raises:
        PackError: a table is not what the format says.
    """

    def __init__(self, pack: LanguagePack, tables: dict[str, Any]) -> None:
        self._pack = pack
        tables = dict(tables)
        self.stop_words = frozenset(str(tables.pop("stop_words", "")).split())
        self._endings = tuple(str(tables.pop("endings", "")).split())
        self.profanity = frozenset(str(tables.pop("profanity", "")).split())
        self.second_person = frozenset(str(tables.pop("second_person", "")).split())
        self._topics = {
            name: frozenset(str(words).split()) for name, words in tables.pop("topics", {}).items()
        }
        self._index: dict[str, dict[str, list[tuple[str, Template]]]] = {
            "agent": {},
            "customer": {},
        }
        """By party and first word."""
        for kind, table in tables.items():
            party = kind.partition(".")[0]
            if party not in self._index:
                raise PackError(
                    f"the phrase {kind!r} belongs to nobody; call it 'agent.{kind}' "
                    f"or 'customer.{kind}'"
                )
            for text in msgspec.convert(table, _Phrase).patterns:
                template = pack.compile(text)
                first, optional = template[0]
                if isinstance(first, int) or optional:
                    raise PackError(f"{kind!r}: pattern {text!r} must begin with a fixed word")
                for word in first:
                    self._index[party].setdefault(word, []).append((kind, template))
        self.kinds = frozenset(tables)
        """History kinds that the phrases add."""

    def find(self, speaker: str, words: Sequence[str]) -> list[Found]:
        """Return the phrases in whitespace-separated words, each kind once, in order."""
        tokens = self._pack.tokens(words)
        found: dict[str, Found] = {}
        index = self._index.get(speaker, {})
        for start, token in enumerate(tokens):
            for kind, template in index.get(token.text, ()):
                if kind in found:
                    continue
                end = match_at(template, tokens, start, self._pack.negators)
                if end is not None and not self._negated(tokens, start):
                    found[kind] = Found(kind, tokens[start].word, tokens[end - 1].word + 1)
        return list(found.values())

    def _negated(self, tokens: Sequence[Token], start: int) -> bool:
        clause = tokens[start].clause
        return any(
            tokens[at].text in self._pack.negators
            and tokens[at].clause == clause
            and at > 0
            and tokens[at - 1].sentence == tokens[at].sentence
            for at in range(max(0, start - NEGATION_TOKENS), start)
        )

    def better_wording(self, text: str) -> str | None:
        """Return better words for a phrase on the deny list, or None when it is not there."""
        return self._pack.better_wording(text)

    def is_abuse(self, text: str) -> bool:
        """Return True for profanity that is said to somebody."""
        words = {token.text for token in self._pack.tokens(text.split())}
        return bool(words & self.profanity) and bool(words & self.second_person)

    def topic(self, text: str) -> str:
        """Return the topic of a vulnerability that was worded, `other` when none is named."""
        words = {token.text for token in self._pack.tokens(text.split())}
        scores = {name: len(words & listed) for name, listed in self._topics.items()}
        best = max(scores, key=lambda name: scores[name], default="other")
        return best if scores.get(best) else "other"

    def content_words(self, words: Sequence[str]) -> list[str]:
        """Return the stems of the words that carry meaning, in order."""
        return [
            self._stem(token.text)
            for token in self._pack.tokens(words)
            if token.text not in self.stop_words and len(token.text) > 1
        ]

    def _stem(self, word: str) -> str:
        """Cut the commonest endings, so that "charged" and "charges" meet."""
        for ending in self._endings:
            if word.endswith(ending) and len(word) - len(ending) >= 3:
                return word[: -len(ending)]
        return word


@cache
def load_phrases(locale: str = "en", overlay: str = "") -> Phrasebook:
    """Load the phrases of a language; without a file there are none.

    Args:
        locale: language tag of the pack.
        overlay: a site's additions in TOML; see `load_pack`.

    Raises:
        PackError: a file or the overlay is broken.
    """
    pack = load_pack(locale, overlay)
    file = resources.files("conversation.language") / locale.split("-")[0] / "phrases.toml"
    try:
        tables = tomllib.loads(file.read_text("utf-8")) if file.is_file() else {}
        of_pack = pack_part(overlay)
        extra = {k: v for k, v in tomllib.loads(overlay).items() if k not in of_pack}
        return Phrasebook(pack, merged(tables, _joined(extra)))
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise PackError(f"phrases of {locale!r}: {error}") from error


def _joined(extra: dict[str, Any]) -> dict[str, Any]:
    """Write `[agent.hedge]` of an overlay as the packaged files do, `["agent.hedge"]`."""
    out: dict[str, Any] = {}
    for name, table in extra.items():
        if name in ("agent", "customer") and isinstance(table, dict):
            out |= {f"{name}.{phrase}": value for phrase, value in table.items()}
        else:
            out[name] = table
    return out


def similarity(left: Sequence[str], right: Sequence[str]) -> float:
    """Return the cosine of two bags of content words, 0 to 1; 0 when either is empty."""
    a, b = set(left), set(right)
    return len(a & b) / (len(a) * len(b)) ** 0.5 if a and b else 0.0


def containment(part: Sequence[str], whole: Sequence[str]) -> float:
    """Return the share of `part`'s content words that are in `whole`; 0 when it has none."""
    wanted = set(part)
    return len(wanted & set(whole)) / len(wanted) if wanted else 0.0
