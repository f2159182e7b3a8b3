"""What one party said around an overlap, as far as its words are known."""

from __future__ import annotations

import math
from itertools import pairwise

from conversation.backchannels import backchannel_score
from conversation.floor_words import FloorWords
from conversation.settings import InterruptionSettings
from conversation.speech import PartySpeech, Span

WORD_SLACK_MS = 400
_EDGE_MS = 50
"""Word times are off by so much."""
_STOP_SLACK_MS = 40
"""A partial that reaches this close to a stop, or beyond it, covers it."""
_STALE_MS = 560
"""A partial that reaches further than this beyond a stop has words of what came after."""
_CLAUSE_MS = 6_000
_RESUMPTION_MS = 8_000
_LONGEST_MS = 3_000
"""Of a newcomer's words, those of the first seconds say what it came in with."""


def newcomer_words(
    speech: PartySpeech, onset_ms: int, chain: list[Span]
) -> tuple[str | None, bool]:
    """Return what the newcomer has said, None while unknown, and whether that is all of it.

    Args:
        speech: of the newcomer.
        onset_ms: begin of its utterance.
        chain: spans of the utterance.
    """
    end_ms = min(chain[-1][1], onset_ms + _LONGEST_MS) if chain else onset_ms
    text = said(speech, onset_ms - 100, end_ms + 100)
    covered_ms = speech.decoded_to_ms
    partial = speech.partial
    if (
        partial is not None
        and partial.audio_end_ms > covered_ms
        and onset_ms - WORD_SLACK_MS <= partial.start_ms <= end_ms
    ):
        text = f"{text} {partial.stable} {partial.tail}".strip()
        covered_ms = partial.audio_end_ms
    if covered_ms <= onset_ms or (not text and speech.speaking):
        return None, False
    return text, covered_ms >= end_ms - WORD_SLACK_MS


def clause(speech: PartySpeech, stop_ms: int, resumed_ms: int | None = None) -> str | None:
    """Return what a party had said when it stopped; None unless the words reach the stop.

    What it says from `resumed_ms` on is no part of it.
    """
    if speech.words_known_to(stop_ms):
        return said(speech, stop_ms - _CLAUSE_MS, stop_ms + _EDGE_MS) or None
    partial = speech.partial
    if partial is None or partial.audio_end_ms < stop_ms - _STOP_SLACK_MS:
        return None
    heard = f"{partial.stable} {partial.tail}".split()
    if resumed_ms is not None and partial.audio_end_ms > resumed_ms:
        return " ".join(heard[: speech.partial_words_at(resumed_ms) or 0]) or None
    return " ".join(heard) or None if partial.audio_end_ms <= stop_ms + _STALE_MS else None


def said(speech: PartySpeech, begin_ms: int, end_ms: int) -> str:
    """Return the words of a stretch that are known for good; empty without any."""
    return " ".join(word.text for word in speech.words_between(begin_ms, end_ms))


def resumption_score(
    speech: PartySpeech,
    resumed_ms: int,
    known_ms: int,
    complete: float,
    settings: InterruptionSettings,
    words: FloorWords,
) -> float:
    """Return how likely what a party says since it stopped is a sign of listening, 0 to 1.

    Who gave up the floor often answers what comes next with "mm-hm" or "okay", within a second of
    its own last word; who was only drawing breath says something else, or more. The more complete
    the clause was, the likelier the former: odds are multiplied, its own to the power of one half.
    1 while nothing is said.

    Args:
        speech: of who had stopped.
        resumed_ms: when it spoke again.
        known_ms: up to when speech is known.
        complete: how complete its clause was when it stopped, above 0 and below 1.
        settings: longest sign of listening, and longest pause inside what is said.
        words: lists of the language.
    """
    join_ms = settings.newcomer_join_ms
    known = speech.run_between(resumed_ms, known_ms, join_ms)
    if not known:
        return 1.0
    text, all_words = _resumed_words(
        speech, resumed_ms, speech.run_between(resumed_ms, resumed_ms + _LONGEST_MS, join_ms)
    )
    end_ms = known[-1][1]
    length_ms = end_ms - resumed_ms
    score = backchannel_score(
        length_ms, text, words=words, all_words=all_words, ended=end_ms < known_ms
    )
    if length_ms > settings.backchannel_max_ms:
        return score
    odds = score / (1 - score) * math.sqrt(complete / (1 - complete))
    return odds / (1 + odds)


def _resumed_words(
    speech: PartySpeech, resumed_ms: int, chain: list[Span]
) -> tuple[str | None, bool]:
    """Return what was said since `resumed_ms`, None while unknown, and whether that is all."""
    end_ms = chain[-1][1]
    text = said(speech, resumed_ms - _EDGE_MS, end_ms + _EDGE_MS)
    covered_ms = speech.decoded_to_ms
    partial = speech.partial
    if partial is not None and partial.audio_end_ms > max(covered_ms, resumed_ms):
        before = speech.partial_words_at(resumed_ms)
        if before is not None:
            new = f"{partial.stable} {partial.tail}".split()[before:]
            text = f"{text} {' '.join(new)}".strip()
            covered_ms = partial.audio_end_ms
    if covered_ms <= resumed_ms or (not text and speech.speaking):
        return None, False
    return text, covered_ms >= end_ms - 2 * _EDGE_MS


def took_up(speech: PartySpeech, stop_ms: int, words: FloorWords) -> bool | None:
    """Whether who stopped said the same words again, or claimed the floor back; None unknown."""
    before = speech.words_between(stop_ms - _CLAUSE_MS, stop_ms + _EDGE_MS)
    after = speech.words_between(stop_ms + _EDGE_MS, stop_ms + _RESUMPTION_MS)
    if not before or not after:
        return None
    last = [w.text.lower().strip(".,?!") for w in before][-6:]
    first = [w.text.lower().strip(".,?!") for w in after][:8]
    pairs = set(pairwise(last))
    repeated = any(pair in pairs for pair in pairwise(first))
    line = f" {' '.join(first)} "
    return repeated or any(f" {phrase} " in line for phrase in words.reclaims)
