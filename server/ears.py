"""Everything that listens to one channel, wired together: speech, voice, utterances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from asr.utterances import UtteranceTracker
from audio.bleed import BleedGate
from audio.channel import ChannelFrontEnd, FrontEndEvent, is_cut
from audio.chunks import ANALYSIS_RATE_HZ, AudioChunk
from conversation.events import AudioGap, Channel, Event, SpeechEnded, SpeechStarted
from prosody.stage import ProsodyStage
from server.hearing import Hearing

PROSODY_NATIVE_RATES_HZ = (8_000, 16_000)
_LONGEST_NEED_MS = 15_000
"""Audio that an open utterance can need; what is older may be forgotten (`protocols.md` §3)."""


class Ears:
    """Everything that listens to one channel."""

    def __init__(
        self,
        channel: Channel,
        sample_rate_hz: int,
        hearing: Hearing,
        prosody: ProsodyStage,
        hotwords: tuple[str, ...],
        patient: bool,
        gate: BleedGate | None,
        *,
        words: bool,
    ) -> None:
        settings = hearing.settings
        self._channel = channel
        self.voice_activity = hearing.vad_stream()
        """What is fed here waits until it is scored, alone or with that of other channels."""
        self.front_end = ChannelFrontEnd(
            channel, sample_rate_hz, self.voice_activity, settings=settings.audio, gate=gate
        )
        self.native_prosody = sample_rate_hz in PROSODY_NATIVE_RATES_HZ
        self._prosody_rate_hz = sample_rate_hz if self.native_prosody else ANALYSIS_RATE_HZ
        self.prosody = prosody
        self.utterances = UtteranceTracker(
            channel, settings.asr, hotwords=hotwords, patient=patient
        )
        self._words = words
        """Whether anybody recognises words; else nothing is kept for them."""
        self.position_ms = 0
        self.next_sample = 0
        self._speaking_since_ms: int | None = None
        self._pre_roll_ms = hearing.settings.asr.pre_roll_ms

    @property
    def needed_from_ms(self) -> int:
        """Start of the audio that an utterance without its final may still need."""
        needed = [self.position_ms]
        if self._speaking_since_ms is not None:
            needed.append(self._speaking_since_ms - self._pre_roll_ms)
        if self._words and self.utterances.unfinished_since_ms is not None:
            needed.append(self.utterances.unfinished_since_ms)
        return max(0, min(needed), self.position_ms - _LONGEST_NEED_MS)

    def begin_at(self, at_ms: int, sample_rate_hz: int) -> None:
        """Begin in the middle of a call: what was before is not missing, it is over."""
        before = AudioGap(
            at_ms=at_ms, channel=self._channel, begin_ms=0, end_ms=at_ms, reason="discard"
        )
        self.gap(before, sample_rate_hz)

    def cut(self, at_ms: int) -> list[Event]:
        """End open speech and utterances: another voice begins."""
        here = AudioGap(
            at_ms=at_ms,
            channel=self.front_end.channel,
            begin_ms=at_ms,
            end_ms=at_ms,
            reason="discard",
        )
        return self._share(self.front_end.gap(here))

    def accept(self, chunk: AudioChunk) -> None:
        """Take the next samples of the channel; `release` returns what they say."""
        self.position_ms = chunk.end_ms
        self.next_sample = chunk.first_sample + len(chunk.samples)
        if self.native_prosody:
            self.prosody.push_audio(chunk)
        self.front_end.accept(chunk)

    def gap(self, gap: AudioGap, sample_rate_hz: int) -> list[Event]:
        """Pass over a stretch of the channel that never came."""
        self.position_ms = max(self.position_ms, gap.end_ms)
        self.next_sample = max(self.next_sample, gap.end_ms * sample_rate_hz // 1000)
        events = self._share(self.front_end.gap(gap))
        self.prosody.push_audio(self._nothing_at(gap.end_ms))
        return events

    def pass_over(self, chunk: AudioChunk) -> list[Event]:
        """Leave out audio that came while capture is paused."""
        pause = AudioGap(
            at_ms=chunk.end_ms,
            channel=self._channel,
            begin_ms=chunk.start_ms,
            end_ms=chunk.end_ms,
            reason="pause",
        )
        return self.gap(pause, chunk.sample_rate_hz)

    def release(self) -> list[Event]:
        """Return what the audio accepted so far says, as far as both channels are known."""
        return self._share(self.front_end.release())

    def flush(self) -> list[Event]:
        """Hear what is buffered, whole window or not."""
        return self._share(self.front_end.flush())

    def _nothing_at(self, at_ms: int) -> AudioChunk:
        """No samples at a gap's end: what is due inside the gap must not wait for audio."""
        return AudioChunk(
            channel=self.front_end.channel,
            first_sample=at_ms * self._prosody_rate_hz // 1000,
            samples=np.zeros(0, dtype=np.float32),
            sample_rate_hz=self._prosody_rate_hz,
        )

    def finish(self) -> list[Event]:
        """End open speech: no more audio will come."""
        return self._share(self.front_end.finish())

    def observe(self, event: Any) -> None:
        """Let voice and utterances know of what another stage found."""
        self.prosody.observe(self._channel, event)
        if self._words:
            self.utterances.observe(event)

    def _share(self, events: Sequence[FrontEndEvent]) -> list[Event]:
        for chunk in self.front_end.take_audio():
            if self._words:
                self.utterances.push_audio(chunk)
            if not self.native_prosody:
                self.prosody.push_audio(chunk)
        for begin_ms, probability in self.front_end.take_voice():
            if self._words:
                self.utterances.push_voice(begin_ms, probability)
        for event in events:
            self.observe(event)
            if isinstance(event, SpeechStarted):
                self._speaking_since_ms = event.start_ms
            elif isinstance(event, SpeechEnded | AudioGap):
                self._speaking_since_ms = None
        return [event for event in events if not is_cut(event)]
