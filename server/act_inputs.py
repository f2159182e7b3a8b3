"""Lays out a turn and its context as the token sequence that the act model reads.

`[CLS] speaker : text [SEP] other : last turn, speaker : turn before [SEP]`, the second part as
segment B. Only tokens of the text are pooled; the context acts through attention alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

TEXT_TOKENS = 64
"""Longest window of a turn; a longer turn is scored in overlapping windows."""
STRIDE_TOKENS = 44
CONTEXT_TOKENS = (28, 14)
"""Tokens kept of the last turn and of the one before, the latest ones."""
CLS, SEP = 101, 102

Ids = NDArray[np.int64]


class Window(msgspec.Struct, frozen=True):
    """Model input for one window of one turn."""

    ids: list[int]
    types: list[int]
    """0 for the turn, 1 for its context."""
    text: tuple[int, int]
    """Span of the turn's own tokens in `ids`."""
    first_token: int = 0
    """Index in the turn's tokens of the first token of `text`."""


class ActTokenizer:
    """WordPiece of the encoder, with the act model's layout."""

    def __init__(self, path: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._who = cache(lambda speaker: self.tokens(f"{speaker} :"))

    def tokens(self, text: str) -> list[int]:
        """Return the word pieces of a text, without special tokens."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def words(self, text: str) -> list[int]:
        """Return for each word piece the index of the whitespace-separated word it is part of."""
        offsets = self._tokenizer.encode(text, add_special_tokens=False).offsets
        return [len(text[: begin + 1].split()) - 1 for begin, _ in offsets]

    def layout(
        self, speaker: str, text: Sequence[int], context: Iterable[tuple[str, Sequence[int]]]
    ) -> list[Window]:
        """Return the windows of a turn.

        Args:
            speaker: `agent` or `customer`.
            text: Tokens of the turn.
            context: Speaker and tokens of the turns before, newest first; the first two count.
        """
        after: list[int] = []
        for (who, tokens), most in zip(context, CONTEXT_TOKENS, strict=False):
            after += [*self._who(who), *tokens[-most:]]
        if after:
            after.append(SEP)
        windows = []
        for first in range(0, max(1, len(text) - (TEXT_TOKENS - STRIDE_TOKENS)), STRIDE_TOKENS):
            own = list(text[first : first + TEXT_TOKENS])
            head = [CLS, *self._who(speaker)]
            ids = [*head, *own, SEP]
            windows.append(
                Window(
                    ids + after,
                    [0] * len(ids) + [1] * len(after),
                    (len(head), len(head) + len(own)),
                    first,
                )
            )
        return windows


def pad(windows: Sequence[Window], length: int | None = None) -> tuple[Ids, Ids, Ids, Ids]:
    """Stack windows: ids, types, attention mask and mask of the turn's own tokens, (n, t)."""
    size = length or max(len(w.ids) for w in windows)
    ids, types, mask, own = (np.zeros((len(windows), size), np.int64) for _ in range(4))
    for row, window in enumerate(windows):
        n = len(window.ids)
        ids[row, :n], types[row, :n], mask[row, :n] = window.ids, window.types, 1
        own[row, window.text[0] : window.text[1]] = 1
        own[row, 0] = 1  # [CLS], so that a turn without words pools something
    return ids, types, mask, own
