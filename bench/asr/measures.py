"""How late each word was, and how right: from what a viewer was sent, and when.

A trace is the list of states of one channel's transcript as a viewer saw them. At each state the
words shown are aligned by Levenshtein distance with the words begun so far; a word is right where
the alignment says equal. Times count from the end of the word. A word that is never right counts
as infinitely late, so that leaving words out is not fast.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from rapidfuzz.distance import Levenshtein
from whisper_normalizer.english import EnglishTextNormalizer

from bench.asr.calls import GoldWord


class State(msgspec.Struct, frozen=True):
    """What a viewer sees of one channel from a moment on."""

    at_s: float
    """Receive time; seconds from the first audio."""
    committed: str
    """What the system says will not change."""
    shown: str
    """Everything, in order."""
    final: str
    """Finished utterances."""


class Delays(msgspec.Struct, frozen=True):
    """Delays of one channel's words in seconds; infinite where a word never came."""

    first_seen: list[float]
    committed: list[float]
    final_after_end: list[float]
    """Per utterance."""
    committed_at: list[tuple[float, float]]
    """Per utterance, mean end of its words that were committed, and their mean delay."""
    erased: int
    """Words that were shown and taken back."""
    heard: int
    """Words of the last state."""


def delays(words: Sequence[GoldWord], trace: Sequence[State]) -> Delays:
    """Compare one channel's trace with what was said."""
    first_seen = _first_times(words, trace, lambda state: state.shown)
    committed = _first_times(words, trace, lambda state: state.committed)
    final = _first_times(words, trace, lambda state: state.final)
    seen = [t - w.end_s for t, w in zip(first_seen, words, strict=True)]
    late = [t - w.end_s for t, w in zip(committed, words, strict=True)]
    ends, at = [], []
    for utterance in sorted({w.utterance for w in words}):
        inside = [i for i, w in enumerate(words) if w.utterance == utterance]
        last = next((i for i in reversed(inside) if math.isfinite(final[i])), None)
        ends.append(math.inf if last is None else final[last] - words[inside[-1]].end_s)
        known = [(words[i].end_s, late[i]) for i in inside if math.isfinite(late[i])]
        if known:
            at.append(
                (float(np.mean([e for e, _ in known])), float(np.mean([d for _, d in known])))
            )
    shown = [plain_words(state.shown) for state in trace]
    erased = sum(_erased(a, b) for a, b in itertools.pairwise(shown))
    return Delays(seen, late, ends, at, erased, len(shown[-1]) if shown else 0)


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return a percentile in which infinite values count; None where it is infinite."""
    if not values:
        return None
    value = float(np.percentile(values, 100 * share, method="higher"))
    return value if math.isfinite(value) else None


def drift_s_per_min(points: Sequence[tuple[float, float]]) -> tuple[float, float] | None:
    """Return the slope of delays over time, and its standard error.

    `points` are one (time, mean delay) per utterance, in seconds: delays within one depend on
    each other.
    """
    if len(points) < 4:
        return None
    at, late = np.array(points).T
    if np.ptp(at) == 0:
        return None
    slope, start = np.polyfit(at, late, 1)
    residuals = late - (slope * at + start)
    spread = float(np.sum((at - at.mean()) ** 2))
    error = math.sqrt(float(np.sum(residuals**2)) / (len(at) - 2) / spread)
    return float(slope * 60), 60 * error


def lost_at_end(words: Sequence[GoldWord], final: str) -> int:
    """Count the words at the end of the call that have nothing beside them in the last text.

    A word that was heard as another one is an error, not lost.
    """
    reference = [(plain_words(w.text) or [""])[0] for w in words]
    blocks = Levenshtein.opcodes(reference, plain_words(final))
    last = blocks[-1] if len(blocks) else None
    return 0 if last is None or last.tag != "delete" else last.src_end - last.src_start


def word_errors(said: str, heard: str) -> tuple[int, int]:
    """Return (errors, words said) after Whisper's English normaliser."""
    normalise = EnglishTextNormalizer()
    reference, hypothesis = normalise(said).split(), normalise(heard).split()
    return Levenshtein.distance(reference, hypothesis), len(reference)


def plain_words(text: str) -> list[str]:
    """Return words in lower case without punctuation."""
    kept = ("".join(c for c in word if c.isalnum() or c == "'") for word in text.lower().split())
    return [word for word in kept if word]


def _first_times(
    words: Sequence[GoldWord], trace: Sequence[State], text: Callable[[State], str]
) -> list[float]:
    said = [plain_words(w.text) for w in words]
    first = [math.inf] * len(words)
    last = None
    for state in trace:
        heard_text = text(state)
        if heard_text == last:
            continue
        last = heard_text
        heard = plain_words(heard_text)
        begun = sum(w.begin_s <= state.at_s for w in words)
        reference = [word[0] if word else "" for word in said[:begun]]
        for block in Levenshtein.opcodes(reference, heard):
            if block.tag == "equal":
                for i in range(block.src_start, block.src_end):
                    first[i] = min(first[i], state.at_s)
    return first


def _erased(before: list[str], after: list[str]) -> int:
    """Count words that stood before and do not stand where the alignment has them after."""
    blocks = Levenshtein.opcodes(before, after)
    return sum(b.src_end - b.src_start for b in blocks if b.tag in ("delete", "replace"))
