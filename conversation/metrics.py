"""Running figures of a call: pace, shares, silences."""

from __future__ import annotations

import msgspec

from conversation.events import Channel, FinalTranscript
from conversation.speech import PartySpeech, Span, bridged, overlap_spans

PACE_SPEECH_MS = 15_000
"""Own speech that a pace is taken over (`coaching.md`, pace_fast)."""
MIN_PACE_WORDS = 8
MIN_PACE_MS = 2_000
"""Shorter stretches say little about pace (`prosody.md` section 8)."""
PAUSE_IN_SPEECH_MS = 1_000
"""Shorter pauses belong to the speech: the limits of 100 and 180 words a minute are speech rates,
and a rate without pauses runs a fifth higher and would call an average talker fast (our choice;
articulation alone put calm calls of the development set at 185)."""
MIN_SHARE_SPEECH_MS = 10_000
"""Less speech than this gives no talk share."""


class _Stretch(msgspec.Struct):
    """What one party said without a long break."""

    begin_ms: int
    end_ms: int
    words: int = 0
    spoken_ms: int = 0

    @property
    def counts(self) -> bool:
        return self.words >= MIN_PACE_WORDS and self.spoken_ms >= MIN_PACE_MS


class Pace:
    """Words per minute of one party over its last 15 s of speech, short pauses included."""

    def __init__(self) -> None:
        self._stretches: list[_Stretch] = []

    def hear(self, final: FinalTranscript, own: PartySpeech, other: PartySpeech) -> None:
        """Take a final; words spoken over the other party are left out, with their time."""
        last = self._stretches[-1] if self._stretches else None
        if last is None or final.start_ms - last.end_ms > PAUSE_IN_SPEECH_MS:
            last = _Stretch(begin_ms=final.start_ms, end_ms=final.end_ms)
            self._stretches.append(last)
        last.end_ms = final.end_ms
        self._forget()
        spans = own.spans_between(last.begin_ms, last.end_ms)
        theirs = other.spans_between(last.begin_ms, last.end_ms)
        last.words += sum(not _inside((w.start_ms + w.end_ms) // 2, theirs) for w in final.words)
        last.spoken_ms = _total_ms(bridged(spans, PAUSE_IN_SPEECH_MS))
        last.spoken_ms -= _total_ms(overlap_spans(spans, theirs))

    def _forget(self) -> None:
        """Let go of what no pace can rest on; the newest stretch still changes."""
        *earlier, newest = self._stretches
        kept, spoken_ms = [newest], 0
        for stretch in reversed(earlier):
            if stretch.counts and spoken_ms < PACE_SPEECH_MS:
                kept.append(stretch)
                spoken_ms += stretch.spoken_ms
        self._stretches = kept[::-1]

    def words_per_minute(self) -> float | None:
        """Return the pace, None before 15 s of speech were heard."""
        words = spoken_ms = 0
        for stretch in reversed(self._stretches):
            if not stretch.counts:
                continue
            words += stretch.words
            spoken_ms += stretch.spoken_ms
            if spoken_ms >= PACE_SPEECH_MS:
                return round(words * 60_000 / spoken_ms, 1)
        return None


def _total_ms(spans: list[Span]) -> int:
    return sum(end - begin for begin, end in spans)


def _inside(at_ms: int, spans: list[Span]) -> bool:
    return any(begin <= at_ms < end for begin, end in spans)


def talk_share_agent(
    parties: dict[Channel, PartySpeech], begin_ms: int, now_ms: int
) -> float | None:
    """Return the agent's share of all speech in [begin_ms, now_ms), None when there is little."""
    agent_ms = parties[Channel.AGENT].speech_ms(begin_ms, now_ms)
    customer_ms = parties[Channel.CUSTOMER].speech_ms(begin_ms, now_ms)
    total_ms = agent_ms + customer_ms
    return None if total_ms < MIN_SHARE_SPEECH_MS else round(agent_ms / total_ms, 4)
