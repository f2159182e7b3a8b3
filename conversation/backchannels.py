"""Is it a sign of listening? The backchannel score of `interruptions.md` section 8."""

from __future__ import annotations

import re
from itertools import pairwise

_TOKENS = frozenset(
    """mm mhm mmhm hm hmm uh huh yeah yep yes right okay ok sure oh wow exactly great alright
    ah aha""".split()
)
_PHRASES = ("i see", "got it", "of course", "go on", "mm hm", "uh huh", "oh okay", "all right")
_POINTS = ((400, 0.9), (700, 0.6), (1_100, 0.3), (1_500, 0.1))
KNOWN, CONTENT, EMPTY = 0.95, 0.05, 0.75


def is_backchannel_text(text: str) -> bool:
    """Whether all words, at most three, are listening signals."""
    words = re.findall(r"[a-z']+", text.lower().replace("-", " "))
    if not words or len(words) > 3:
        return False
    plain = " ".join(words)
    for phrase in _PHRASES:
        plain = plain.replace(phrase, "okay")
    return all(word in _TOKENS for word in plain.split())


def backchannel_score(utterance_ms: int, text: str | None, settled_backchannels: int) -> float:
    """Return how likely an utterance is a listening signal, 0 to 1.

    Args:
        utterance_ms: its length so far.
        text: its words, empty when decoding heard none, None while unknown.
        settled_backchannels: how many its speaker gave in the last 120 s; warm listeners need
            more evidence.
    """
    if text is not None:
        if text.strip():
            return KNOWN if is_backchannel_text(text) else CONTENT
        if utterance_ms >= 500:
            return EMPTY
    score = _POINTS[0][1]
    for (low_ms, low), (high_ms, high) in pairwise(_POINTS):
        if utterance_ms >= high_ms:
            score = high
        elif utterance_ms > low_ms:
            score = low + (high - low) * (utterance_ms - low_ms) / (high_ms - low_ms)
            break
        else:
            break
    return min(1.0, max(0.0, score + min(0.2, 0.02 * settled_backchannels)))
