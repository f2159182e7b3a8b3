"""Is it a sign of listening? The backchannel score of `interruptions.md` section 8."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import msgspec

from conversation.floor_words import FloorWords, load_floor_words, plain_words

_POINTS = ((400, 0.9), (700, 0.6), (900, 0.45), (1_000, 0.2), (1_500, 0.1))
"""Score by length while the words are unknown. Up to 900 ms as in section 8; then it falls faster:
of generated utterances that still went on after 700, 800, 900 and 950 ms, 51, 32, 11 and 3 % were
listening signals (measured)."""
_ENDED_POINTS = ((1_000, 0.9), (1_100, 0.3), (1_500, 0.1))
"""The same of utterances that are over: listening signals last up to 1 s (P, VAP events)."""
_LEVEL_DB = 3.0
_LEVEL_STEP = 0.15
_ALERT_STEP = 0.3
KNOWN, ANSWER, CONTENT, MISHEARD, EMPTY = 0.95, 0.1, 0.05, 0.3, 0.75
"""`MISHEARD`: two words, one of which is where it is in a phrase of listeners, as in "I he", unless
they are how clauses begin, as "I am" is."""
MOST_WORDS = 3
_PHRASE_MS = 720
"""Who talked on for so long and was heard to say "I" never went on with "see" (0 of 36 with the
words of 750 ms, 220 generated calls)."""
_SIGNAL_ODDS, _OTHER_ODDS, _CLAUSE_ODDS = 5.7, 0.5, 0.05
"""Odds of a listening signal when one of its words is a signal, is another word, or is one that a
clause goes on after or a turn begins with. A recogniser takes about one word in seven for another
in simultaneous speech, and few clauses begin with anything but such small words (measured on
generated calls)."""
_RECORD_ODDS = 0.4
"""What they are multiplied with for somebody who has interrupted before: of those of whom one word
that is no signal was known after 750 ms, 21 % listened, of others 41 % (220 generated calls)."""


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """What the call so far says about the one who came in."""

    backchannels: int = 0
    """Settled listening signals in the last 120 s; warm listeners need more evidence."""
    level_delta_db: float | None = None
    """Level of the utterance against the speaker's own usual, dB; None while unknown."""
    alert: bool = False
    """Came in on the other again and again in this call."""
    interrupted: bool = False
    """Has a settled interruption in the last 180 s."""
    asked: bool = False
    """The other has just asked something, so that "yes" is an answer."""


def is_backchannel_text(text: str, words: FloorWords | None = None) -> bool:
    """Whether all words, at most three, are listening signals."""
    words = words or load_floor_words("en")
    said = plain_words(text)
    if not said or len(said) > MOST_WORDS:
        return False
    line = f" {' '.join(said)} "
    for phrase in words.backchannel_phrases:
        line = line.replace(f" {phrase} ", " ")
    return all(word in words.backchannel_words or word in words.sounds for word in line.split())


def backchannel_score(
    utterance_ms: int,
    text: str | None,
    listener: Listener | None = None,
    words: FloorWords | None = None,
    *,
    all_words: bool = True,
    ended: bool = False,
) -> float:
    """Return how likely an utterance is a listening signal, 0 to 1.

    Args:
        utterance_ms: its length so far.
        text: its words, empty when decoding heard none, None while unknown.
        listener: what is known of its speaker.
        words: lists of the language.
        all_words: whether `text` is all that was said so far; a partial may be behind.
        ended: whether its speaker is silent again: who wants the floor goes on.
    """
    words = words or load_floor_words("en")
    listener = listener or Listener()
    said = plain_words(text or "") if words.known else []
    if text is not None and words.known and not said and all_words and utterance_ms >= 500:
        return EMPTY
    score = _by_length(utterance_ms, listener, ended=ended, alert=listener.alert and not said)
    if not said:
        return score
    if not all_words:
        said = _without_beginning(said, utterance_ms, words)
    signals, rest = _signals(said, words)
    others = len(rest)
    if others == 0 and all_words and len(said) <= MOST_WORDS:
        answer = listener.asked and bool(set(said) & words.answers)
        return ANSWER if answer else KNOWN
    brief = ended and utterance_ms <= _ENDED_POINTS[0][0]
    if set(said) & words.contrary or len(said) > MOST_WORDS or (others >= 2 and not brief):
        return min(MISHEARD, score) if _may_be_phrase(said, words) else CONTENT
    score = min(0.99, max(0.01, score))
    odds = score / (1 - score) * _SIGNAL_ODDS ** min(signals, 1)
    if listener.interrupted:
        odds *= _RECORD_ODDS
    for word in rest:
        begins = words.goes_on(word) or word in words.openings
        odds *= _CLAUSE_ODDS if begins else _OTHER_ODDS
    return round(odds / (1 + odds), 3)


def _may_be_phrase(said: list[str], words: FloorWords) -> bool:
    """Whether it is a phrase of listeners with one of its two words heard as another."""
    if len(said) != 2 or " ".join(said) in words.openings:
        return False
    pairs = [phrase.split() for phrase in words.backchannel_phrases]
    return any(len(p) == 2 and (p[0] == said[0] or p[1] == said[1]) for p in pairs)


def _signals(said: list[str], words: FloorWords) -> tuple[int, list[str]]:
    """Return how many of the words are listening signals, phrases as one, and the other words."""
    line = f" {' '.join(said)} "
    phrases = 0
    for phrase in words.backchannel_phrases:
        phrases += line.count(f" {phrase} ")
        line = line.replace(f" {phrase} ", " ")
    heard = line.split()
    rest = [w for w in heard if w not in words.backchannel_words and w not in words.sounds]
    return phrases + len(heard) - len(rest), rest


def _without_beginning(said: list[str], utterance_ms: int, words: FloorWords) -> list[str]:
    """Leave out a last word that may become a phrase: "of" of "of course" says nothing yet.

    A word that begins clauses as well, as "I" does, is only left out where a phrase is likely: not
    after another word that is no signal, nor when the phrase would be over.
    """
    last = said[-1]
    if last in words.backchannel_words or not _begins(last, words.backchannel_phrases):
        return said
    likely = utterance_ms < _PHRASE_MS and not _signals(said[:-1], words)[1]
    return said[:-1] if likely or not _begins(last, words.openings) else said


def _begins(word: str, phrases: Iterable[str]) -> bool:
    return any(phrase.startswith(f"{word} ") for phrase in phrases)


def _by_length(utterance_ms: int, listener: Listener, *, ended: bool, alert: bool) -> float:
    """Judge an utterance by its length, its level, and its speaker's record.

    What somebody did before (`alert`) counts while there are no words.
    """
    points = _ENDED_POINTS if ended else _POINTS
    score = points[0][1]
    for (low_ms, low), (high_ms, high) in pairwise(points):
        if utterance_ms >= high_ms:
            score = high
        elif utterance_ms > low_ms:
            score = low + (high - low) * (utterance_ms - low_ms) / (high_ms - low_ms)
            break
        else:
            break
    level_db = listener.level_delta_db
    if level_db is not None and abs(level_db) >= _LEVEL_DB:
        score += _LEVEL_STEP if level_db < 0 else -_LEVEL_STEP
    score += min(0.2, 0.02 * listener.backchannels)
    if alert:
        score -= _ALERT_STEP
    return min(1.0, max(0.0, score))
