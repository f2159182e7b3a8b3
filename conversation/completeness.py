"""Was the speaker finishing? `p_complete` from words where there are any, from timing where not.

The strongest lexical rule wins (`interruptions.md` section 8, our choice); a recogniser's full
stop counts for nothing, because it punctuates cut-offs too.
"""

from __future__ import annotations

import re

_OPEN_WORDS = frozenset(
    """a an the this that these those my your our their his her its some any every each no of
    to in on at for with from by about into over under between through during before
    after and or but because so if when while that which who whose than although unless
    until since am is are was were be been being have has had do does did will would can
    could should may might must i you he she we they it's i'm you're we're they're i've
    you've we've they've i'll you'll we'll they'll um uh er like just really very what
    where how""".split()
)
_NUMBER_WORDS = frozenset(
    """zero oh one two three four five six seven eight nine double triple hundred point""".split()
)
_CLOSING = re.compile(
    r"\b(thank you|thanks|bye|goodbye|please|you know what i mean|right|isn't it|doesn't it|"
    r"is that (right|ok|okay)|that's (it|all)|okay)$"
)
OPEN_CLAUSE, NUMBER, SHORT, UNSURE, CLAUSE, CLOSED = 0.1, 0.15, 0.35, 0.5, 0.6, 0.9


def lexical_completeness(text: str) -> float | None:
    """Return how complete the clause at the end of `text` is, 0 to 1; None without words."""
    words = re.findall(r"[a-z0-9']+", text.lower())
    if not words:
        return None
    if _CLOSING.search(" ".join(words)):
        return CLOSED
    if words[-1] in _OPEN_WORDS:
        return OPEN_CLAUSE
    if len(words) >= 2 and all(w in _NUMBER_WORDS or w.isdigit() for w in words[-2:]):
        return NUMBER
    if text.rstrip().endswith("?"):
        return CLOSED
    return SHORT if len(words) < 3 else CLAUSE


def timing_completeness(overlap_ms: int, settled_backchannels: int, *, still_on: bool) -> float:
    """Return completeness without words: whoever still talks was not finishing.

    Who stopped before the limit may have been; who stopped after it was not.
    """
    limit_ms = min(1_000 + 50 * settled_backchannels, 1_500)
    if not still_on and overlap_ms < limit_ms:
        return CLAUSE
    return CLAUSE - 0.2 * min(1.0, overlap_ms / limit_ms)
