"""Was the speaker finishing? `p_complete` from words, from the voice, and from timing.

Three witnesses (`interruptions.md` section 8):

* *Words* that cover the stop: the strongest rule wins. A recogniser's full stop counts for nothing,
  because it punctuates cut-offs too.
* *Voice*: finished sentences fade. `tail_db` is the loudest 8 ms of the last 240 to 40 ms against
  the speaker's usual speech level; its log odds are added to those of the words. On development
  voices it tells ends of sentences from cut-offs at word bounds with an area under the curve of
  0.86 (measured).
* *Timing*, when nothing else is known: whoever still talks was not finishing.
"""

from __future__ import annotations

import math
from functools import lru_cache

from conversation.floor_words import FloorWords, contains, load_floor_words, plain_words

OPEN_CLAUSE, NUMBER, SHORT, UNSURE, CLAUSE, CLOSED = 0.1, 0.15, 0.35, 0.5, 0.6, 0.9
_TAIL_EVEN_DB, _TAIL_SLOPE_DB, _TAIL_LIMIT = 3.0, 2.0, 2.0
"""Tail at which neither is likelier, dB for one unit of log odds, and most log odds it may add.
Finished sentences are far more frequent than cut-offs, so the first is set high (development
voices: about 5 % of the ends of sentences are louder, half of the cut-offs)."""


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
    return SHORT if len(said) < 3 else CLAUSE


def timing_completeness(overlap_ms: int, settled_backchannels: int, *, still_on: bool) -> float:
    """Return completeness without words: whoever still talks was not finishing.

    Who stopped before the limit may have been; who stopped after it was not.
    """
    limit_ms = min(1_000 + 50 * settled_backchannels, 1_500)
    if not still_on and overlap_ms < limit_ms:
        return CLAUSE
    return CLAUSE - 0.2 * min(1.0, overlap_ms / limit_ms)


def with_tail(p_complete: float, tail_db: float | None) -> float:
    """Return completeness with the witness of the voice added."""
    if tail_db is None:
        return p_complete
    p_complete = min(0.99, max(0.01, p_complete))
    odds = math.log(p_complete / (1 - p_complete))
    tail = (_TAIL_EVEN_DB - tail_db) / _TAIL_SLOPE_DB
    odds += min(_TAIL_LIMIT, max(-_TAIL_LIMIT, tail))
    return round(1 / (1 + math.exp(-odds)), 3)
