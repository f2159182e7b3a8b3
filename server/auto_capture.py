"""Pauses capture by itself while card data is read out.

It stands between the redactor and everything else. From the agent's prompt for a card, or from
half a card number, until the number is over, nothing that is said enters the journal, the core or
a screen; only this watcher still looks at the words, in memory, to know when it is over. Masking
of words goes on in any case, so a prompt that is not recognised costs no secrecy.
"""

from __future__ import annotations

import msgspec

from conversation.events import (
    CapturePaused,
    CaptureResumed,
    Channel,
    Event,
    FinalTranscript,
    PartialTranscript,
    ProsodyFrame,
    RaisedVoiceEnded,
    RaisedVoiceStarted,
    SpeechEnded,
    SpeechStarted,
    UtteranceScored,
)
from conversation.redaction import is_card_prompt
from conversation.spoken_digits import digit_runs

QUIET_MS = 15_000
"""Capture goes on after this long without three digits (`coaching.md` section 7)."""
DIGITS = 3
WHOLE_CARD, WHOLE_QUIET_MS = 13, 3_000
"""Once a whole card number was heard it is over after this much shorter time (our choice)."""
HALF_CARD = 8


class CaptureSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happens while card data is read out."""

    auto_pause: bool = False
    """Pause capture around card prompts. Off: words are masked, everything else goes on."""


class AutoCapture:
    """Filters the observations of one call, in order."""

    def __init__(self, settings: CaptureSettings) -> None:
        self._on = settings.auto_pause
        self._paused = False
        self._manual = False
        self._quiet_since_ms = 0
        self._digits = 0
        self._speaking: dict[Channel, SpeechStarted] = {}
        """Who speaks now, as the audio says."""
        self._told: dict[Channel, SpeechStarted] = {}
        """Who speaks now, as was passed on."""
        self._raised: set[str] = set()

    def filter(self, heard: Event, redacted: Event) -> list[Event]:
        """Return what of an observation goes on, and pauses and resumptions with it.

        Args:
            heard: the observation before redaction.
            redacted: the same after it.
        """
        if isinstance(redacted, CapturePaused | CaptureResumed):
            self._manual = isinstance(redacted, CapturePaused) and redacted.mode == "manual"
            self._paused = isinstance(redacted, CapturePaused)
            self._quiet_since_ms = redacted.at_ms
            return [redacted]
        if not self._on:
            return [redacted]
        if isinstance(heard, SpeechStarted):
            self._speaking[heard.channel] = heard
        elif isinstance(heard, SpeechEnded):
            self._speaking.pop(heard.channel, None)
        if self._paused and not self._manual:
            return self._while_paused(heard, redacted)
        passed = self._pass(redacted)
        if isinstance(heard, FinalTranscript) and self._opens(heard):
            passed += self._pause(heard.at_ms)
        return passed

    def _pass(self, event: Event) -> list[Event]:
        if isinstance(event, SpeechStarted):
            self._told[event.channel] = event
        elif isinstance(event, SpeechEnded):
            self._told.pop(event.channel, None)
        elif isinstance(event, RaisedVoiceStarted):
            self._raised.add(event.id)
        elif isinstance(event, RaisedVoiceEnded):
            self._raised.discard(event.id)
        return [event]

    def _opens(self, heard: FinalTranscript) -> bool:
        text = heard.text or ""
        if heard.channel is Channel.AGENT:
            return is_card_prompt(text)
        return HALF_CARD <= _digits(text) < WHOLE_CARD

    def _pause(self, at_ms: int) -> list[Event]:
        self._paused, self._digits, self._quiet_since_ms = True, 0, at_ms
        ended: list[Event] = [
            SpeechEnded(
                at_ms=at_ms,
                channel=channel,
                start_ms=started.start_ms,
                end_ms=max(at_ms, started.start_ms),
                truncated=True,
            )
            for channel, started in sorted(self._told.items())
        ]
        self._told.clear()
        return [*ended, CapturePaused(at_ms=at_ms, mode="auto")]

    def _while_paused(self, heard: Event, redacted: Event) -> list[Event]:
        if isinstance(heard, FinalTranscript | PartialTranscript):
            self._watch(heard)
        limit_ms = WHOLE_QUIET_MS if self._digits >= WHOLE_CARD else QUIET_MS
        if heard.at_ms - self._quiet_since_ms >= limit_ms:
            return self._resume(heard.at_ms)
        private = (
            SpeechStarted, SpeechEnded, FinalTranscript, PartialTranscript, ProsodyFrame,
            RaisedVoiceStarted, UtteranceScored,
        )  # fmt: skip
        if isinstance(heard, private):
            return []
        if isinstance(heard, RaisedVoiceEnded) and heard.id not in self._raised:
            return []
        return self._pass(redacted)

    def _watch(self, heard: FinalTranscript | PartialTranscript) -> None:
        text = (
            heard.text or ""
            if isinstance(heard, FinalTranscript)
            else f"{heard.stable} {heard.tail}"
        )
        count = _digits(text)
        if count >= DIGITS or (heard.channel is Channel.AGENT and is_card_prompt(text)):
            self._quiet_since_ms = heard.at_ms
        if isinstance(heard, FinalTranscript) and heard.channel is Channel.CUSTOMER:
            self._digits += count

    def _resume(self, at_ms: int) -> list[Event]:
        self._paused = False
        out: list[Event] = [CaptureResumed(at_ms=at_ms)]
        for channel, started in sorted(self._speaking.items()):
            again = msgspec.structs.replace(started, at_ms=at_ms, start_ms=at_ms)
            self._told[channel] = again
            out.append(again)
        return out


def _digits(text: str) -> int:
    return sum(run.digits for run in digit_runs(text.split(), True) if run.digits >= DIGITS)
