"""Was the speaker finishing? `p_complete` from words, from the voice, and from timing.

Three witnesses (`interruptions.md` section 8), whose log odds are added when somebody stopped:

* *Words* that cover the stop: the strongest rule wins; where none holds, how often sentences end in
  the last word (`lexicon/en_endings.toml`). A recogniser's full stop counts for nothing, because it
  punctuates cut-offs too. They count for less than they say, since the last word is often missed
  in simultaneous speech.
* *Voice*: finished sentences fade. `tail_db` is the loudest 8 ms of the last 240 to 40 ms against
  the speaker's usual speech level, less what it usually is at this speaker's ends: between voices
  that differs by 15 dB, within a voice ends and cut-offs are 4 dB apart (measured).
* *Timing*: smooth changes of turn overlap for a median of 205 ms, who is cut off talks on for a
  median of 700 ms (`interruptions.md` section 11), so that at about 0.4 s neither is likelier.
  Whoever still talks after 0.7 s was not finishing, nor who goes on within a second.

Weights are a logistic regression over 1,143 smooth changes and 953 cut-offs of 220 generated calls
of 22 voices, each over two lines, rounded towards what the distributions of section 11 give for the
time alone (53 ms for one unit of log odds at 300 ms, 74 at 400). The area under the curve is 0.985,
0.979 to 0.996 for each of four sets of voices and texts (measured).
"""

from __future__ import annotations

import math
from functools import lru_cache

from conversation.floor_words import FloorWords, contains, load_floor_words, plain_words

OPEN_CLAUSE, NUMBER, SHORT, EVEN, CLAUSE, CLOSED = 0.1, 0.15, 0.35, 0.5, 0.6, 0.9
_TAIL_SLOPE_DB, _TAIL_LIMIT_DB = 2.5, 4.0
"""dB above the usual end for one unit of log odds, and how many may count."""
_STOP_EVEN_MS, _STOP_SLOPE_MS, _SHORTEST_MS, _LONGEST_MS = 410, 60, 200, 800
"""Overlap at which neither is likelier, ms for one unit of log odds, and the range that counts: a
short overlap may be a long one whose first syllable, or whose last word, was not heard."""
_WORD_WEIGHT = 0.7
_GOING_ON_MS, _GOING_ON = (200, 700), (CLAUSE, 0.1)
"""Overlap between which completeness falls while the speaker goes on, and from what to what. Of the
changes of turn among those who still talked, 54 % were smooth after 200 ms, 31 % after 400, 4 %
after 600 and 0.3 % after 700 ms (the same calls; section 8 has 0.4 at 1,000 ms)."""


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
    (from_ms, to_ms), (most, least) = _GOING_ON_MS, _GOING_ON
    gone = min(1.0, max(0.0, (overlap_ms - from_ms) / (to_ms - from_ms)))
    return round(most - (most - least) * gone, 3)


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
