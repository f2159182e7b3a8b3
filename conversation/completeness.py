"""Was the speaker finishing? `p_complete` from words, from the voice, and from timing.

Three witnesses (`interruptions.md` section 8), whose log odds are added when somebody stopped:

* *Words* that cover the stop: the strongest rule wins. A recogniser's full stop counts for nothing,
  because it punctuates cut-offs too.
* *Voice*: finished sentences fade. `tail_db` is the loudest 8 ms of the last 240 to 40 ms against
  the speaker's usual speech level; its log odds are added to those of the words. On development
  voices it tells ends of sentences from cut-offs at word bounds with an area under the curve of
  0.86 (measured).
* *Timing*: smooth changes of turn overlap for a median of 205 ms, who is cut off talks on for a
  median of 700 ms (`interruptions.md` section 11), so each 100 ms beyond 300 ms adds one unit of
  log odds. Whoever still talks was not finishing.

Weights are a logistic regression over 121 smooth changes and 83 cut-offs of 40 generated
development calls. There the area under the curve is 0.85 for the timing, 0.92 for the voice, 0.67
for the words, 0.96 for timing and voice, and 0.97 for all three (measured).
"""

from __future__ import annotations

import math
from functools import lru_cache

from conversation.floor_words import FloorWords, contains, load_floor_words, plain_words

OPEN_CLAUSE, NUMBER, SHORT, UNSURE, CLAUSE, CLOSED = 0.1, 0.15, 0.35, 0.5, 0.6, 0.9
_TAIL_EVEN_DB, _TAIL_SLOPE_DB, _TAIL_LIMIT = 3.0, 2.0, 2.0
"""Tail at which neither is likelier, dB for one unit of log odds, and most log odds it may add."""
_STOP_EVEN_MS, _STOP_SLOPE_MS, _SHORTEST_MS, _LONGEST_MS = 300, 100, 100, 800
"""Overlap at which neither is likelier, ms for one unit of log odds, and the range it counts in."""


@lru_cache(maxsize=1024)  # asked at every step of the clock about the same few words
def lexical_completeness(text: str, words: FloorWords | None = None) -> float | None:
    """Return how complete the clause at the end of `text` is, 0 to 1; None without words."""
    words = words or load_floor_words("en")
    said = plain_words(text)
    if not said or not words.known:
        return None
    if contains(said[-5:], words.closings) and any(
        said[-len(closing.split()) :] == closing.split() for closing in words.closings
    ):
        return CLOSED
    if said[-1] in words.open_words:
        return OPEN_CLAUSE
    if len(said) >= 2 and all(w in words.number_words or w.isdigit() for w in said[-2:]):
        return NUMBER
    if text.rstrip().endswith("?"):
        return CLOSED
    if len(said) < 3:
        return SHORT
    odds = words.ending(said[-1])
    return CLAUSE if odds is None else round(1 / (1 + math.exp(-odds)), 3)


def going_on_completeness(overlap_ms: int, settled_backchannels: int) -> float:
    """Return the completeness of who still talks: the longer, the less they were finishing."""
    limit_ms = min(1_000 + 50 * settled_backchannels, 1_500)
    return CLAUSE - 0.2 * min(1.0, overlap_ms / limit_ms)


def stopped_completeness(overlap_ms: int, lexical: float | None, tail_db: float | None) -> float:
    """Return how complete the clause was of who stopped after `overlap_ms`, 0 to 1.

    Args:
        overlap_ms: simultaneous speech up to the stop.
        lexical: completeness by the words, None while they do not reach the stop.
        tail_db: how loud the last syllables were against the speaker's usual level, None while
            that is unknown.
    """
    p_complete = min(0.99, max(0.01, CLAUSE if lexical is None else lexical))
    odds = math.log(p_complete / (1 - p_complete))
    counted_ms = min(_LONGEST_MS, max(_SHORTEST_MS, overlap_ms))
    odds += (_STOP_EVEN_MS - counted_ms) / _STOP_SLOPE_MS
    if tail_db is not None:
        tail = (_TAIL_EVEN_DB - tail_db) / _TAIL_SLOPE_DB
        odds += min(_TAIL_LIMIT, max(-_TAIL_LIMIT, tail))
    return round(1 / (1 + math.exp(-odds)), 3)
