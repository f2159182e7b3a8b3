"""Loads a language pack and turns text into normalised tokens and token templates.

A template is a sequence of token slots matched by state sets, so matching is linear in the text:
`word`, `a|b` (either), `word?` (optional), `*3` (up to three tokens of the same sentence), and
`@class` for a word class of the pack. Contractions are expanded before matching.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import resources
from typing import Any

import msgspec


class PackError(ValueError):
    """A language pack that is missing or broken."""

    code = "language_pack_invalid"


class Token(msgspec.Struct, frozen=True):
    """One normalised token and the source word it came from."""

    text: str
    word: int
    """Index of the whitespace-separated source word."""
    sentence: int
    clause: int


class _Kind(msgspec.Struct, forbid_unknown_fields=True):
    speaker: str
    sure: list[str] = []
    likely: list[str] = []
    vetoes: list[str] = msgspec.field(
        default_factory=lambda: ["negation", "quotation", "hypothetical", "third_party"]
    )
    needs: list[str] = []
    question: bool = False
    """Every sentence that ends in a question mark carries the act."""
    extend: bool = False
    """The span runs to the end of its clause."""
    early: bool = True
    """Words that are certain may tell it before the utterance ends; False where its span or
    meaning depends on words still to come."""


class _Deny(msgspec.Struct, forbid_unknown_fields=True):
    patterns: list[str]
    better: str


class _File(msgspec.Struct, forbid_unknown_fields=True):
    contractions: dict[str, str]
    fillers: list[str]
    negators: list[str]
    clause_words: list[str]
    classes: dict[str, list[str]]
    frames: dict[str, list[str]]
    kinds: dict[str, _Kind]
    deny: dict[str, _Deny]


Template = tuple[tuple[frozenset[str] | int, bool], ...]
"""Slots: a set of words (optional or not), or the most tokens that a gap may skip."""


class Pattern(msgspec.Struct, frozen=True):
    """One template of one act kind."""

    kind: str
    sure: bool
    template: Template


class LanguagePack:
    """Patterns, frames and word lists of one language."""

    def __init__(self, source: _File) -> None:
        self._file = source
        self._fillers = frozenset(source.fillers)
        self.negators = frozenset(source.negators)
        self._clause_words = frozenset(source.clause_words)
        self._index: dict[str, dict[str, list[Pattern]]] = {"agent": {}, "customer": {}}
        kinds = {k: (v.speaker, v.sure, v.likely) for k, v in source.kinds.items()}
        for kind, (speaker, sure, likely) in kinds.items():
            for text, is_sure in [(t, True) for t in sure] + [(t, False) for t in likely]:
                self._add(speaker, Pattern(kind, is_sure, self._template(text)))
        self._deny = {
            name: [self._template(t) for t in deny.patterns] for name, deny in source.deny.items()
        }
        for templates in self._deny.values():
            for template in templates:
                self._add("agent", Pattern("avoid_phrase", True, template))
        self._frames = {
            name: [self._template(t) for t in texts] for name, texts in source.frames.items()
        }

    def _add(self, speaker: str, pattern: Pattern) -> None:
        first = pattern.template[0][0]
        if isinstance(first, int) or pattern.template[0][1]:
            raise PackError(f"a pattern of {pattern.kind!r} must begin with a fixed word")
        for word in first:
            self._index[speaker].setdefault(word, []).append(pattern)

    def _template(self, text: str) -> Template:
        slots: list[tuple[frozenset[str] | int, bool]] = []
        for part in text.split():
            if part[0] == "*":
                slots.append((int(part[1:] or "1"), True))
                continue
            optional = part.endswith("?")
            words: set[str] = set()
            for word in part.rstrip("?").split("|"):
                if word.startswith("@"):
                    if word[1:] not in self._file.classes:
                        raise PackError(f"pattern {text!r} names the unknown class {word!r}")
                    words.update(self._file.classes[word[1:]])
                else:
                    words.add(word)
            slots.append((frozenset(words), optional))
        return tuple(slots)

    def compile(self, text: str) -> Template:
        """Turn the text of one pattern into a template.

        Raises:
            PackError: it names an unknown class.
        """
        return self._template(text)

    def kind(self, name: str) -> _Kind:
        """Return how acts of this kind are found."""
        return self._file.kinds.get(name) or _Kind(speaker="agent", vetoes=["quotation"])

    def question_kind(self, speaker: str) -> str | None:
        """Return the kind that a question mark alone carries for this speaker, if any."""
        for name, kind in self._file.kinds.items():
            if kind.speaker == speaker and kind.question:
                return name
        return None

    def tokens(self, words: Sequence[str]) -> list[Token]:
        """Normalise source words: case, contractions, fillers, sentence and clause marks."""
        out: list[Token] = []
        sentence = clause = 0
        for index, raw in enumerate(words):
            word = raw.lower().replace("\u2019", "'")
            bare = re.sub(r"^[^a-z0-9$£€]+|[^a-z0-9]+$", "", word)
            for part in self._expand(bare):
                if part in self._fillers:
                    continue
                if part in self._clause_words:
                    clause += 1
                out.append(Token(part, index, sentence, clause))
            if re.search(r"[.?!;]['\")]*$", word):
                sentence, clause = sentence + 1, clause + 1
            elif re.search(r"[,:\u2014-]['\")]*$", word):
                clause += 1
        return out

    def _expand(self, bare: str) -> list[str]:
        pieces: list[str] = []
        for piece in re.split(r"[-/]", bare):
            if piece in self._file.contractions:
                pieces.extend(self._file.contractions[piece].split())
                continue
            for ending, full in (("n't", "not"), ("'ll", "will"), ("'re", "are"), ("'ve", "have"),
                                 ("'d", "would"), ("'m", "am")):  # fmt: skip
                if piece.endswith(ending):
                    pieces.extend([piece[: -len(ending)], full])
                    break
            else:
                pieces.append(piece.removesuffix("'s"))
        return [p for p in pieces if p]

    def matches(self, speaker: str, tokens: Sequence[Token]) -> Iterator[tuple[Pattern, int, int]]:
        """Yield every pattern match as (pattern, first token, token after the last)."""
        index = self._index[speaker]
        for start, token in enumerate(tokens):
            for pattern in index.get(token.text, ()):
                end = match_at(pattern.template, tokens, start, self.negators)
                if end is not None:
                    yield pattern, start, end

    def framed(self, frame: str, tokens: Sequence[Token], start: int) -> bool:
        """Tell whether a frame of this name opened earlier in the sentence of token `start`."""
        sentence = tokens[start].sentence
        begin = start
        while begin > 0 and tokens[begin - 1].sentence == sentence and start - begin < 14:
            begin -= 1
        before = tokens[begin:start]
        return any(
            match_at(template, before, position) is not None
            for template in self._frames.get(frame, ())
            for position in range(len(before))
        )

    def deny_category(self, text: str) -> str | None:
        """Return which part of the deny list a phrase is on, or None."""
        tokens = self.tokens(text.split())
        for name, templates in self._deny.items():
            for template in templates:
                if any(match_at(template, tokens, i) is not None for i in range(len(tokens))):
                    return name
        return None

    def better_wording(self, text: str) -> str | None:
        """Return better words for a phrase on the deny list, or None when it is not there."""
        category = self.deny_category(text)
        return None if category is None else self._file.deny[category].better


def match_at(
    template: Template,
    tokens: Sequence[Token],
    start: int,
    barriers: frozenset[str] = frozenset(),
) -> int | None:
    """Match a template at token `start`; return the end of the longest match, or None.

    A gap never skips a word of `barriers`: "I am not frustrated" is not "I am frustrated".
    """
    states = {start}
    for slot, optional in template:
        following: set[int] = set()
        for at in states:
            if isinstance(slot, int):
                following.add(at)
                for skipped in range(at, min(at + slot, len(tokens))):
                    if tokens[skipped].text in barriers:
                        break
                    following.add(skipped + 1)
                continue
            if optional:
                following.add(at)
            if at < len(tokens) and tokens[at].text in slot:
                following.add(at + 1)
        states = following
        if not states:
            return None
    sentence = tokens[start].sentence if start < len(tokens) else -1
    ends = [e for e in states if e > start and tokens[e - 1].sentence == sentence]
    return max(ends, default=None)


@cache
def load_pack(locale: str = "en", overlay: str = "") -> LanguagePack:
    """Load a packaged language pack.

    Args:
        locale: its language tag.
        overlay: a site's additions in TOML, in the form of the pack: lists are added to the
            pack's, other values replace them.

    Raises:
        PackError: there is no such pack, or its file or the overlay is broken.
    """
    file = resources.files("conversation.language") / locale.split("-")[0] / "pack.toml"
    if not file.is_file():
        raise PackError(f"there is no language pack for {locale!r}; use 'en'")
    try:
        tables = tomllib.loads(file.read_text("utf-8"))
        return LanguagePack(msgspec.convert(merged(tables, pack_part(overlay)), _File))
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise PackError(f"language pack {locale!r}: {error}") from error


def pack_part(overlay: str) -> dict[str, Any]:
    """Return the tables of an overlay that belong to the pack itself; the rest are phrases."""
    names = _File.__struct_fields__
    return {name: table for name, table in tomllib.loads(overlay).items() if name in names}


def merged(base: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    """Return `base` with `extra` over it: tables merge, lists are joined, the rest replaces."""
    out = dict(base)
    for key, value in extra.items():
        old = out.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            out[key] = merged(old, value)
        elif isinstance(old, list) and isinstance(value, list):
            out[key] = [*old, *value]
        else:
            out[key] = value
    return out
