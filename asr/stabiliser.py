"""Which words of a partial will stay: agreement of two passes (LocalAgreement-2).

A word is stable when two consecutive passes, the second with at least 200 ms more audio, agree
on it and on everything before it, and it is not the last word (Macháček et al. 2023). Stable
words are append-only until the final replaces everything.
"""

from __future__ import annotations

_MIN_GROWTH_MS = 200


class Stabiliser:
    """Pure state of one utterance."""

    def __init__(self) -> None:
        self.stable: list[str] = []
        self.tail: list[str] = []
        self._previous: list[str] = []
        self._previous_end_ms: int | None = None

    def push(self, text: str, audio_end_ms: int) -> bool:
        """Take a pass over audio that ends at `audio_end_ms`; return whether anything changed."""
        before = (list(self.stable), list(self.tail))
        words = text.split()
        grown = (
            self._previous_end_ms is not None
            and audio_end_ms - self._previous_end_ms >= _MIN_GROWTH_MS
        )
        if grown:
            agreed = 0
            for old, new in zip(self._previous, words, strict=False):
                if _same(old, new):
                    agreed += 1
                else:
                    break
            agreed = min(agreed, len(words) - 1)
            kept = len(self.stable)
            if agreed > kept and _starts_with(words, self.stable):
                self.stable = [*self.stable, *words[kept:agreed]]
        if _starts_with(words, self.stable):
            self.tail = words[len(self.stable) :]
        self._previous = words
        self._previous_end_ms = audio_end_ms
        return (self.stable, self.tail) != before


def _same(left: str, right: str) -> bool:
    return _plain(left) == _plain(right)


def _plain(word: str) -> str:
    return "".join(c for c in word.lower() if c.isalnum() or c == "'")


def _starts_with(words: list[str], stable: list[str]) -> bool:
    return len(words) >= len(stable) and all(
        _same(a, b) for a, b in zip(stable, words, strict=False)
    )
