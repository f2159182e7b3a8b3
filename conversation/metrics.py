"""Running figures of a call: pace, shares, silences."""

from __future__ import annotations

from conversation.events import Channel, FinalTranscript
from conversation.speech import PartySpeech

PACE_SPEECH_MS = 15_000
"""Own speech that a pace is taken over (`coaching.md`, pace_fast)."""
MIN_PACE_WORDS = 8
"""Shorter utterances say little about pace (`prosody.md` section 8)."""
MIN_SHARE_SPEECH_MS = 10_000
"""Less speech than this gives no talk share."""


class Pace:
    """Words per minute of one party over its last 15 s of articulated speech."""

    def __init__(self) -> None:
        self._utterances: list[tuple[int, int]] = []

    def hear(self, final: FinalTranscript, speech: PartySpeech) -> None:
        """Take a final; short ones are left out."""
        if len(final.words) >= MIN_PACE_WORDS:
            spoken_ms = speech.speech_ms(final.start_ms, final.end_ms)
            self._utterances.append((len(final.words), spoken_ms))

    def words_per_minute(self) -> float | None:
        """Return the pace, None before 15 s of speech were heard."""
        words = spoken_ms = 0
        for count, length_ms in reversed(self._utterances):
            words += count
            spoken_ms += length_ms
            if spoken_ms >= PACE_SPEECH_MS:
                return round(words * 60_000 / spoken_ms, 1)
        return None


def talk_share_agent(
    parties: dict[Channel, PartySpeech], begin_ms: int, now_ms: int
) -> float | None:
    """Return the agent's share of all speech in [begin_ms, now_ms), None when there is little."""
    agent_ms = parties[Channel.AGENT].speech_ms(begin_ms, now_ms)
    customer_ms = parties[Channel.CUSTOMER].speech_ms(begin_ms, now_ms)
    total_ms = agent_ms + customer_ms
    return None if total_ms < MIN_SHARE_SPEECH_MS else round(agent_ms / total_ms, 4)
