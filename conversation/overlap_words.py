"""What one party said around an overlap, as far as its words are known."""

from __future__ import annotations

from itertools import pairwise

from conversation.backchannels import is_backchannel_text
from conversation.floor_words import FloorWords
from conversation.speech import PartySpeech, Span

WORD_SLACK_MS = 400
_EDGE_MS = 50
"""Word times are off by so much."""
_STOP_SLACK_MS = 40
"""A partial that reaches this close to a stop, or beyond it, covers it."""
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


def clause(speech: PartySpeech, stop_ms: int) -> str | None:
    """Return what a party had said when it stopped; None unless the words reach the stop."""
    if speech.words_known_to(stop_ms):
        return said(speech, stop_ms - _CLAUSE_MS, stop_ms + _EDGE_MS) or None
    partial = speech.partial
    if partial is not None and 0 <= partial.audio_end_ms - stop_ms + _STOP_SLACK_MS <= 600:
        return f"{partial.stable} {partial.tail}".strip() or None
    return None


def said(speech: PartySpeech, begin_ms: int, end_ms: int) -> str:
    """Return the words of a stretch that are known for good; empty without any."""
    return " ".join(word.text for word in speech.words_between(begin_ms, end_ms))


def listens(speech: PartySpeech, begin_ms: int, end_ms: int, words: FloorWords) -> bool:
    """Whether what was said from `begin_ms` on is known to be a sign of listening."""
    spans = speech.spans_between(begin_ms, end_ms)
    until_ms = spans[-1][1] if spans else end_ms
    return is_backchannel_text(said(speech, begin_ms - _EDGE_MS, until_ms + _EDGE_MS), words)


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
