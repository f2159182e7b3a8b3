"""What recognition must know of a language: one TOML file each."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec


class LanguageWords(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Word lists of a language, in lower case and without punctuation."""

    stock_phrases: frozenset[str] = frozenset()
    """What Whisper makes of silence."""
    unfinished: frozenset[str] = frozenset()
    """Last words after which a speaker most often goes on."""


@cache
def language_words(language: str) -> LanguageWords:
    """Return the lists of a language (ISO 639-1); empty ones where it has no file."""
    path = Path(__file__).parent / f"{language}.toml"
    if not path.is_file():
        return LanguageWords()
    return msgspec.toml.decode(path.read_bytes(), type=LanguageWords)
