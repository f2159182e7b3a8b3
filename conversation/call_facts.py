"""Facts about the call itself that cue rules may read: holds, promises, consent, quality."""

from __future__ import annotations

import re

import msgspec

from conversation.events import (
    AudioGap,
    CallStarted,
    CapturePaused,
    CaptureResumed,
    Channel,
    ChannelQuality,
    Event,
    FinalTranscript,
    HandRaised,
    HoldEnded,
    HoldStarted,
    PartialTranscript,
    PromiseMade,
    PromiseReviewed,
    SpeechEnded,
    SpeechStarted,
)
from conversation.fact_names import FactValue

COVERED_MS = 400
"""Words that end this close before the end of speech cover it: word ends are that uncertain."""
ENDPOINT_MS = 700
"""Silence that ends an utterance; its words are decoded from then on."""
WORDED_MS = 500
"""Shorter sounds may never be put into words, so nothing waits for them (measured on a recorded
call: sounds of 160 to 230 ms came without words)."""
LOST_AFTER_MS = 15_000
"""Words that have not come by then are not waited for any longer."""


class _Words(msgspec.Struct):
    """What of one channel's speech has been put into words."""

    begun_ms: int | None = None
    ended_ms: int | None = None
    covered_ms: int = -1
    waiting: list[int] = msgspec.field(default_factory=list)
    """Ends of closed utterances without words."""

    def hear(self, event: SpeechStarted | SpeechEnded) -> None:
        if isinstance(event, SpeechEnded):
            self.ended_ms = event.end_ms
            return
        ended_ms = self.ended_ms
        if ended_ms is None or event.start_ms - ended_ms >= ENDPOINT_MS:
            if ended_ms is not None and self._worded:
                self.waiting.append(ended_ms)
            lost_ms = event.start_ms - LOST_AFTER_MS
            self.waiting = [end_ms for end_ms in self.waiting if end_ms >= lost_ms]
            self.begun_ms = event.start_ms
        self.ended_ms = None

    @property
    def _worded(self) -> bool:
        """Whether the newest utterance is long enough to be put into words."""
        if self.ended_ms is None or self.begun_ms is None:
            return False
        return self.ended_ms - self.begun_ms >= WORDED_MS

    def cover(self, until_ms: int) -> None:
        self.covered_ms = max(self.covered_ms, until_ms)

    def lag_ms(self, now_ms: int) -> int:
        """Return for how long the oldest utterance has been waiting for its words."""
        done_ms = self.covered_ms + COVERED_MS
        self.waiting = [e for e in self.waiting if e > done_ms and now_ms - e <= LOST_AFTER_MS]
        ends = list(self.waiting)
        ended_ms = self.ended_ms
        recent = ended_ms is not None and done_ms < ended_ms and now_ms - ended_ms <= LOST_AFTER_MS
        if ended_ms is not None and recent and self._worded:
            ends.append(ended_ms)
        return max((now_ms - end_ms for end_ms in ends), default=0)


class CallFacts:
    """Follows one call; `facts` returns the state at a time."""

    def __init__(self, *, consent_required: bool = False) -> None:
        self._consent_required = consent_required
        self._words = {channel: _Words() for channel in Channel}
        self._quality: dict[Channel, ChannelQuality] = {}
        self._first_agent_ms: int | None = None
        self._holds = 0
        self._hold_ms: int | None = None
        self._longest_hold_ms = 0
        self._promises = 0
        self.open_promises: list[str] = []
        """Promises that the agent has not looked at, oldest first."""
        self._usual_wpm: float | None = None
        self._name: str | None = None
        self._name_used = False
        self._loyal: bool | None = None
        self._paused_auto = False
        self._hand = False
        self._gap_begin_ms = 0
        self._gap_end_ms = -1
        self.agent_unheard_ms = -1
        """End of the newest agent utterance that could not be put into words."""

    def observe(self, event: Event) -> None:
        """Take one observation or derived event."""
        if isinstance(event, SpeechStarted | SpeechEnded):
            self._words[event.channel].hear(event)
            if event.channel is Channel.AGENT and self._first_agent_ms is None:
                self._first_agent_ms = event.start_ms
        elif isinstance(event, PartialTranscript | FinalTranscript):
            self._hear(event)
        elif isinstance(event, CallStarted):
            self._usual_wpm = event.usual_words_per_minute
            self._name, self._loyal = event.customer_name, event.loyal_customer
        elif isinstance(event, HoldStarted | HoldEnded):
            self._hold(event)
        elif isinstance(event, CapturePaused | CaptureResumed):
            self._paused_auto = isinstance(event, CapturePaused) and event.mode == "auto"
        elif isinstance(event, PromiseMade):
            self._promises += 1
            if event.id not in self.open_promises:
                self.open_promises.append(event.id)
        elif isinstance(event, PromiseReviewed):
            self.open_promises = [p for p in self.open_promises if p != event.promise_id]
        elif isinstance(event, ChannelQuality):
            self._quality[event.channel] = event
        elif isinstance(event, HandRaised):
            self._hand = event.raised
        elif isinstance(event, AudioGap) and event.channel is Channel.CUSTOMER:
            if event.begin_ms > self._gap_end_ms:
                self._gap_begin_ms = event.begin_ms
            self._gap_end_ms = event.end_ms

    def _hear(self, event: PartialTranscript | FinalTranscript) -> None:
        words = self._words[event.channel]
        if isinstance(event, PartialTranscript):
            words.cover(event.audio_end_ms - 2 * COVERED_MS)
            return
        words.cover(event.end_ms)
        if event.channel is not Channel.AGENT:
            return
        if event.text is None:
            self.agent_unheard_ms = event.end_ms
        elif self._name is not None:
            spoken = re.findall(r"\w+", event.text.lower())
            self._name_used |= any(part in spoken for part in self._name.lower().split())

    def _hold(self, event: HoldStarted | HoldEnded) -> None:
        if isinstance(event, HoldStarted):
            self._hold_ms = event.at_ms
            self._holds += 1
        elif self._hold_ms is not None:
            self._longest_hold_ms = max(self._longest_hold_ms, event.at_ms - self._hold_ms)
            self._hold_ms = None

    def words_lag_ms(self, now_ms: int) -> int | None:
        """Return for how long speech has been waiting for its words, the slower channel's.

        None before the first words: they may never come.
        """
        if all(words.covered_ms < 0 for words in self._words.values()):
            return None
        return max(words.lag_ms(now_ms) for words in self._words.values())

    def quality(self, channel: Channel) -> ChannelQuality | None:
        """Return the newest quality of a channel."""
        return self._quality.get(channel)

    def facts(self, now_ms: int, agent_wpm: FactValue) -> dict[str, FactValue]:
        """Return the facts at `now_ms`, given the agent's pace over 15 s."""
        usual = self._usual_wpm
        hold_ms = 0 if self._hold_ms is None else now_ms - self._hold_ms
        first_ms = self._first_agent_ms
        missing = now_ms - self._gap_end_ms <= ENDPOINT_MS
        return {
            "agent.usual_known": usual is not None,
            "agent.pace_vs_usual": (
                agent_wpm / usual if usual and isinstance(agent_wpm, int | float) else None
            ),
            "agent.since_first_speech_ms": None if first_ms is None else now_ms - first_ms,
            "agent.hand_raised": self._hand,
            "agent.name_used": self._name_used,
            "customer.name_known": self._name is not None,
            "customer.loyal": self._loyal,
            "customer.audio_missing_ms": self._gap_end_ms - self._gap_begin_ms if missing else 0,
            "holds.count": self._holds,
            "holds.longest_ms": max(self._longest_hold_ms, hold_ms),
            "promises.made": self._promises,
            "promises.unreviewed": len(self.open_promises),
            "consent.required": self._consent_required,
            "capture.auto_paused": self._paused_auto,
            "words.lag_ms": self.words_lag_ms(now_ms),
        }
