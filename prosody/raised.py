"""Raised-voice detector: hysteresis over the score of usable ticks. Pure state."""

from __future__ import annotations

from dataclasses import dataclass

from conversation.events import Channel, RaisedVoiceEnded, RaisedVoiceStarted
from prosody.settings import ProsodySettings


@dataclass(frozen=True, slots=True)
class ScoredTick:
    """One usable tick as the detector sees it."""

    at_ms: int
    begin_ms: int
    end_ms: int
    usable_ms: int
    score: float | None
    extra: float
    """Added to the thresholds: warm baseline, low signal-to-noise ratio."""
    trust: float
    """Factor on the confidence, 0 to 1."""
    eligible: bool = True
    """Whether a score above the threshold may count towards a new event."""
    level_delta_db: float | None = None
    f0_delta_st: float | None = None
    alpha_delta_db: float | None = None


class RaisedVoice:
    """Starts, strengthens and ends the raised-voice events of one channel."""

    def __init__(self, channel: Channel, settings: ProsodySettings) -> None:
        self._channel = channel
        self._settings = settings
        self._count = 0
        self._strong = 0
        self._first_ms = 0
        self._below_ms = 0
        self._event: RaisedVoiceStarted | None = None
        self._peak = 0.0
        self._last_ms = 0
        self._armed_ms = 0
        self._ids = 0

    @property
    def active(self) -> bool:
        """True while an event is open."""
        return self._event is not None

    @property
    def busy(self) -> bool:
        """True while an event is open or ticks count towards one."""
        return self._event is not None or self._count > 0

    def hear(self, tick: ScoredTick) -> list[RaisedVoiceStarted | RaisedVoiceEnded]:
        """Judge one usable tick; a tick without a score freezes all counters."""
        self._last_ms = tick.end_ms
        if tick.score is None:
            return []
        settings = self._settings
        score, on = tick.score, settings.score_on + tick.extra
        self._strong = self._strong + 1 if score >= settings.strong_on + tick.extra else 0
        if self._event is None:
            if score < on or not tick.eligible or tick.begin_ms < self._armed_ms:
                self._count = 0
                return []
            if self._count == 0:
                self._first_ms = tick.begin_ms
            self._count += 1
            if self._count < settings.on_ticks:
                return []
            self._ids += 1
            self._peak, self._below_ms = score, 0
            grade = "strong" if self._strong >= settings.strong_ticks else "raised"
            return [self._open(tick, f"rv-{self._channel.value[0]}-{self._ids}", grade)]
        self._peak = max(self._peak, score)
        if score >= on:
            self._below_ms = 0
        elif score < settings.score_off:
            self._below_ms += tick.end_ms - tick.begin_ms
        if self._below_ms >= settings.off_ms:
            return self.end(tick.at_ms, tick.end_ms, "off")
        if self._event.grade == "raised" and self._strong >= settings.strong_ticks:
            return [self._open(tick, self._event.id, "strong")]
        return []

    def silence(self, at_ms: int, now_ms: int) -> list[RaisedVoiceStarted | RaisedVoiceEnded]:
        """Note a tick without usable speech that ends at `now_ms`."""
        if now_ms - self._last_ms < self._settings.silence_ms:
            return []
        return self.end(at_ms, self._last_ms, "silence")

    def end(
        self, at_ms: int, end_ms: int | None, reason: str
    ) -> list[RaisedVoiceStarted | RaisedVoiceEnded]:
        """Clear the counters and end an open event; `end_ms` None is the last usable tick."""
        event, self._event = self._event, None
        self._count = self._strong = self._below_ms = 0
        if event is None:
            return []
        end = self._last_ms if end_ms is None else end_ms
        self._armed_ms = end + self._settings.rearm_ms
        return [
            RaisedVoiceEnded(
                at_ms=at_ms,
                id=event.id,
                channel=self._channel,
                begin_ms=event.begin_ms,
                end_ms=end,
                peak_score=round(self._peak, 3),
                reason=reason,
            )
        ]

    def _open(self, tick: ScoredTick, event_id: str, grade: str) -> RaisedVoiceStarted:
        score = tick.score or 0.0
        margin = score - self._settings.score_on - tick.extra
        confidence = max(0.5, min(0.95, 0.5 + margin / 6)) * tick.trust
        self._event = RaisedVoiceStarted(
            at_ms=tick.at_ms,
            id=event_id,
            channel=self._channel,
            begin_ms=self._first_ms,
            grade=grade,
            score=round(score, 3),
            confidence=round(confidence, 3),
            level_delta_db=rounded(tick.level_delta_db),
            f0_delta_st=rounded(tick.f0_delta_st),
            alpha_delta_db=rounded(tick.alpha_delta_db),
        )
        return self._event


def rounded(value: float | None) -> float | None:
    """Three decimals, None kept: enough for a reader, short in a journal."""
    return None if value is None else round(value, 3)
