"""Fifteen behaviours that were called for, and whether they were there (`coaching.md` section 6).

There is no blended number. A line without an opportunity is not applicable; a line whose evidence
cannot be trusted has a note that says why, and no score.
"""

from __future__ import annotations

from conversation.events import ChannelQuality
from reports import score_delivery as delivery
from reports import score_handling as handling
from reports import score_listening as listening
from reports.log import CallLog
from reports.model import ScorePart
from reports.score_part import MIN_OPPORTUNITIES, Talk, without_disputed
from reports.spans import total_ms

MIN_SCORED_MS = 120_000
"""Less of a call than this says too little about timing (`coaching.md` section 6)."""
MAX_SHED = 0.2
"""Share of speech without words from which lines of words are not scored (same)."""


def build_scorecard(log: CallLog) -> tuple[ScorePart, ...]:
    """Score the fifteen behaviours of one call."""
    talk = Talk(log)
    timing, words = _timing_note(log), _words_note(log)
    return (
        listening.let_finish(talk, timing),
        listening.listening_signals(talk, timing),
        listening.acknowledge(talk, words),
        listening.specific(talk, words),
        listening.paraphrase(talk, words),
        handling.probe(talk, words),
        handling.ownership(talk, words),
        handling.plan(talk, words),
        handling.realistic(talk, words),
        delivery.steady_delivery(talk, timing),
        delivery.wording(talk, words),
        delivery.responsive(talk, timing or words),
        delivery.personal(talk, words),
        handling.close(talk, words),
        handling.promises(talk),
    )


def _timing_note(log: CallLog) -> str | None:
    if not log.direction_known:
        return "who spoke cannot be told on one channel"
    if log.offset_ms:
        return "the channels are on different clocks"
    grades = {e.bleed_grade for e in log.events if isinstance(e, ChannelQuality)}
    if "C" in grades:
        return "the channels bleed into each other"
    if log.end_ms - total_ms(log.unknown) < MIN_SCORED_MS:
        return "less than two minutes of the call could be scored"
    return None


def _words_note(log: CallLog) -> str | None:
    if not log.direction_known:
        return "who spoke cannot be told on one channel"
    whole_ms = sum(final.end_ms - final.start_ms for final in log.finals)
    lost_ms = sum(final.end_ms - final.start_ms for final in log.finals if final.text is None)
    if whole_ms and lost_ms / whole_ms > MAX_SHED:
        return "more than a fifth of the speech was not put into words"
    return None


__all__ = ["MIN_OPPORTUNITIES", "build_scorecard", "without_disputed"]
