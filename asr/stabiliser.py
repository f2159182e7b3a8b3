"""Which words of a partial will stay: agreement of consecutive passes (LocalAgreement).

A word is stable when two consecutive passes, the second with at least 200 ms more audio, agree
on it and on everything before it, and it is not the last word (Macháček et al. 2023); or when it
is surer than 0.95 with 300 ms of audio behind it. Stable words are append-only until the final
replaces everything. A pass that contradicts them is counted. Its contradiction is not shown, but
what follows the words that correspond to the stable ones is: a display that waited for the final
would stand still for seconds over one misheard word.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from asr.settings import AsrSettings
from conversation.events import Word

_ANCHOR_WORDS = 2
"""Last stable words that a pass must repeat to count as agreeing again."""


class Stabiliser:
    """Pure state of one utterance."""

    def __init__(self, settings: AsrSettings) -> None:
        self._settings = settings
        remembered = max(1, settings.agreement_passes - 1)
        self._agreeing: deque[list[str]] = deque(maxlen=remembered)
        self._contradicting: deque[list[str]] = deque(maxlen=remembered)
        self._grown_ms: int | None = None
        self.stable: list[str] = []
        self.tail: list[str] = []
        self.audio_end_ms = 0
        """End of the audio of the newest pass."""
        self.contradictions = 0
        """Passes that contradicted stable words."""

    @property
    def text(self) -> str:
        """Everything shown."""
        return " ".join([*self.stable, *self.tail])

    def push(self, text: str, audio_end_ms: int, words: Sequence[Word] = ()) -> bool:
        """Take a pass over audio that ends at `audio_end_ms`; return whether anything changed.

        `words`, where the pass has them, are timed and carry probabilities.
        """
        before = (len(self.stable), self.tail)
        heard = text.split()
        contradicts = not _starts_with(heard, self.stable)
        self.contradictions += contradicts
        self.audio_end_ms = max(self.audio_end_ms, audio_end_ms)
        end = _end_of_stable(heard, self.stable)
        rest = heard[end:]
        if contradicts and not rest:
            return False
        grown = (
            self._grown_ms is None
            or audio_end_ms - self._grown_ms >= self._settings.agreement_growth_ms
        )
        meets = _meets(heard[:end], self.stable)
        passes = self._agreeing if meets else self._contradicting
        agreed = self._agreed(heard, end, passes, meets=meets) if grown else 0
        agreed = max(agreed, self._sure(heard, rest, audio_end_ms, words))
        self.stable += rest[:agreed]
        self.tail = rest[agreed:]
        if grown:
            passes.append(heard)
            self._grown_ms = audio_end_ms
        return (len(self.stable), self.tail) != before

    def _agreed(
        self, heard: list[str], end: int, passes: Sequence[list[str]], *, meets: bool
    ) -> int:
        """Count the words after the stable ones that all remembered passes agree on.

        Passes that contradict the stable words must agree with each other on those as well.
        """
        needed = self._settings.agreement_passes - 1
        rest = heard[end:]
        agreed = max(0, len(rest) - 1)
        if needed == 0:
            return agreed
        if len(passes) < needed:
            return 0
        for earlier in passes:
            old_end = _end_of_stable(earlier, self.stable)
            if not meets and not _starts_with(earlier, heard[:end]):
                return 0
            old = earlier[old_end:]
            same = 0
            while same < min(agreed, len(old)) and _same(old[same], rest[same]):
                same += 1
            agreed = min(agreed, same)
        return agreed

    def _sure(
        self, heard: list[str], rest: list[str], audio_end_ms: int, words: Sequence[Word]
    ) -> int:
        if len(words) != len(heard):
            return 0
        sure = 0
        for word in words[len(heard) - len(rest) :]:
            behind_ms = audio_end_ms - word.end_ms
            if (
                word.probability <= self._settings.sure_probability
                or behind_ms < self._settings.sure_audio_ms
            ):
                break
            sure += 1
        return sure


def _end_of_stable(heard: list[str], stable: list[str]) -> int:
    """Return how many words of a pass correspond to the stable ones.

    They are the beginning of the pass with the fewest edits from the stable words; of several, one
    that ends as they do, then the one nearest in length.
    """
    if _starts_with(heard, stable):
        return len(stable)
    edits = _edits_of_beginnings([_plain(w) for w in stable], [_plain(w) for w in heard])

    def precedence(end: int) -> tuple[int, bool, int]:
        differs = end == 0 or not _same(heard[end - 1], stable[-1])
        return edits[end], differs, abs(end - len(stable))

    return min(range(len(heard) + 1), key=precedence)


def _meets(beginning: list[str], stable: list[str]) -> bool:
    """Whether the beginning of a pass ends as the stable words do, contradicted before or not."""
    last = stable[-_ANCHOR_WORDS:]
    return len(beginning) >= len(last) and _starts_with(
        beginning[len(beginning) - len(last) :], last
    )


def _edits_of_beginnings(stable: list[str], heard: list[str]) -> list[int]:
    """Return the edit distance of `stable` from each beginning of `heard`, shortest first."""
    edits = list(range(len(heard) + 1))
    for row, word in enumerate(stable, 1):
        diagonal, edits[0] = edits[0], row
        for column, other in enumerate(heard, 1):
            diagonal, edits[column] = (
                edits[column],
                min(edits[column] + 1, edits[column - 1] + 1, diagonal + (word != other)),
            )
    return edits


def _same(left: str, right: str) -> bool:
    return _plain(left) == _plain(right)


def _plain(word: str) -> str:
    return "".join(c for c in word.lower() if c.isalnum() or c == "'")


def _starts_with(words: list[str], stable: list[str]) -> bool:
    return len(words) >= len(stable) and all(
        _same(a, b) for a, b in zip(stable, words, strict=False)
    )
