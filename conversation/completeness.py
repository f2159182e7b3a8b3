"""Was the speaker finishing? `p_complete` from words, from the voice, and from timing.

Three witnesses (`interruptions.md` section 8), whose log odds are added when somebody stopped:

* *Words* that cover the stop: the strongest rule wins; where none holds, how often sentences end in
  the last word (`lexicon/en_endings.toml`). A recogniser's full stop counts for nothing, because it
  punctuates cut-offs too. They count for less than half of what they say, since the last word is
  often missed in simultaneous speech.
* *Voice*: finished sentences fade. `tail_db` is the loudest 8 ms of the last 240 to 40 ms against
  the speaker's usual speech level, less what it usually is at this speaker's ends: between voices
  that differs by 15 dB, within a voice ends and cut-offs are 4 dB apart (measured).
* *Timing*: smooth changes of turn overlap for a median of 205 ms, who is cut off talks on for a
  median of 700 ms (`interruptions.md` section 11), so that at about 0.4 s neither is likelier.
  Whoever still talks was not finishing, nor who goes on within a second.

Weights are, rounded, a logistic regression over 236 smooth changes and 166 cut-offs of 52 generated
calls of five voices over one to five lines, each counted once. With one call left out at a time the
area under the curve is 0.958, with the voices of one party left out 0.946 (measured).
"""

from __future__ import annotations

import math
from functools import lru_cache

from conversation.floor_words import FloorWords, contains, load_floor_words, plain_words

OPEN_CLAUSE, NUMBER, SHORT, EVEN, CLAUSE, CLOSED = 0.1, 0.15, 0.35, 0.5, 0.6, 0.9
_TAIL_SLOPE_DB, _TAIL_LIMIT_DB = 2.5, 4.0
"""dB above the usual end for one unit of log odds, and how many may count."""
_STOP_EVEN_MS, _STOP_SLOPE_MS, _SHORTEST_MS, _LONGEST_MS = 410, 85, 200, 800
"""Overlap at which neither is likelier, ms for one unit of log odds, and the range that counts: a
short overlap may be a long one whose first syllable, or whose last word, was not heard."""
_WORD_WEIGHT = 0.4
_GOING_ON_FALL, _GOING_ON_MS = 0.2, 1_000
"""What completeness loses while the speaker goes on, and in what overlap (C). 50 ms more for every
listening signal of the newcomer, as section 8 has it, showed the cue later (p95 1.59 s, not 1.51 s;
240 generated calls, 133 cues) and left out one false one (measured)."""


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


def going_on_completeness(overlap_ms: int) -> float:
    """Return the completeness of who still talks: the longer, the less they were finishing."""
    return CLAUSE - _GOING_ON_FALL * min(1.0, overlap_ms / _GOING_ON_MS)


def stopped_completeness(overlap_ms: int, lexical: float | None, tail_db: float | None) -> float:
    """Return how complete the clause was of who stopped after `overlap_ms`, 0 to 1.

    Args:
        overlap_ms: from the newcomer's onset to the stop, pauses included.
        lexical: completeness by the words, None while they do not reach the stop.
        tail_db: how much louder the last syllables were than at the speaker's usual ends, None
            while that is unknown.
    """
    p_complete = min(0.99, max(0.01, EVEN if lexical is None else lexical))
    odds = _WORD_WEIGHT * math.log(p_complete / (1 - p_complete))
    odds += (_STOP_EVEN_MS - min(_LONGEST_MS, max(_SHORTEST_MS, overlap_ms))) / _STOP_SLOPE_MS
    if tail_db is not None:
        odds -= min(_TAIL_LIMIT_DB, max(-_TAIL_LIMIT_DB, tail_db)) / _TAIL_SLOPE_DB
    return round(1 / (1 + math.exp(-odds)), 3)
