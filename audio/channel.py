"""One channel's front end: clock, resampling, voice activity, speech events."""

from __future__ import annotations

import numpy as np

from audio.chunks import ANALYSIS_RATE_HZ, AudioChunk, Samples
from audio.errors import BadSamples
from audio.resample import StreamingResampler
from audio.segments import WINDOW_MS, SpeechSegmenter
from audio.settings import AudioSettings
from audio.vad import WINDOW_SAMPLES, SpeechProbability
from conversation.events import AudioGap, Channel, SpeechEnded, SpeechStarted

_RESTART_AFTER_GAP_MS = 200
"""Voice activity starts anew after a longer gap (`protocols.md` section 2)."""


class ChannelFrontEnd:
    """Takes a channel's chunks and gaps in order; gives speech events and 16 kHz audio.

    Any split of the same samples gives the same events and the same audio.
    """

    def __init__(
        self,
        channel: Channel,
        sample_rate_hz: int,
        vad: SpeechProbability,
        *,
        settings: AudioSettings,
    ) -> None:
        self.channel = channel
        self._rate_hz = sample_rate_hz
        self._vad = vad
        self._segmenter = SpeechSegmenter(channel, settings)
        self._resampler = StreamingResampler(sample_rate_hz)
        self._next_sample = 0
        self._after_gap = False
        self._slack = sample_rate_hz // 1000 + 1
        """Samples by which a gap's end, known in whole milliseconds, may be off."""
        self._origin_16k = 0
        self._made_16k = 0
        self._windows = 0
        self._unscored = np.zeros(0, dtype=np.float32)
        self._ready: list[AudioChunk] = []
        self._scored: list[tuple[int, float]] = []

    @property
    def watermark_ms(self) -> int:
        """Every event with `at_ms` up to here has been returned."""
        return self._origin_16k * 1000 // ANALYSIS_RATE_HZ + self._windows * WINDOW_MS

    def take_audio(self) -> list[AudioChunk]:
        """Return the 16 kHz audio made since the last call."""
        ready, self._ready = self._ready, []
        return ready

    def take_voice(self) -> list[tuple[int, float]]:
        """Return begin in ms and speech probability of the 32 ms windows since the last call."""
        scored, self._scored = self._scored, []
        return scored

    def push(self, chunk: AudioChunk) -> list[SpeechStarted | SpeechEnded]:
        """Take the next samples of the channel.

        Raises:
            BadSamples: a sample is not a finite number.
            ValueError: the chunk does not begin where the last one ended.
        """
        if self._after_gap and abs(chunk.first_sample - self._next_sample) <= self._slack:
            self._next_sample = chunk.first_sample
        self._after_gap = False
        if chunk.first_sample != self._next_sample:
            raise ValueError(
                f"The {self.channel} chunk begins at sample {chunk.first_sample}, expected "
                f"{self._next_sample}; declare lost audio as a gap."
            )
        if not np.isfinite(chunk.samples).all():
            raise BadSamples(
                f"The {self.channel} channel has samples that are not finite numbers near "
                f"{chunk.start_ms} ms; check the source's encoding."
            )
        self._next_sample += len(chunk.samples)
        return self._hear(self._resampler.push(chunk.samples))

    def gap(self, gap: AudioGap) -> list[SpeechStarted | SpeechEnded]:
        """Move the clock over lost audio; nothing spans it."""
        events = self._hear(self._resampler.flush())
        events += self._segmenter.cut(max(gap.begin_ms, self.watermark_ms))
        self._next_sample = max(self._next_sample, gap.end_ms * self._rate_hz // 1000)
        self._resampler = StreamingResampler(self._rate_hz)
        self._origin_16k = max(
            self._origin_16k + self._made_16k, gap.end_ms * ANALYSIS_RATE_HZ // 1000
        )
        self._made_16k = 0
        self._windows = 0
        self._unscored = np.zeros(0, dtype=np.float32)
        self._after_gap = True
        self._vad.drop_pending()
        if gap.end_ms - gap.begin_ms > _RESTART_AFTER_GAP_MS:
            self._vad.reset()
        return events

    def finish(self) -> list[SpeechStarted | SpeechEnded]:
        """End the channel: hear what is left and close open speech."""
        events = self._hear(self._resampler.flush())
        end_ms = (self._origin_16k + self._made_16k) * 1000 // ANALYSIS_RATE_HZ
        return events + self._segmenter.finish(max(end_ms, self.watermark_ms))

    def _hear(self, audio: Samples) -> list[SpeechStarted | SpeechEnded]:
        if len(audio) == 0:
            return []
        self._ready.append(
            AudioChunk(
                channel=self.channel,
                first_sample=self._origin_16k + self._made_16k,
                samples=audio,
                sample_rate_hz=ANALYSIS_RATE_HZ,
            )
        )
        self._made_16k += len(audio)
        self._unscored = np.concatenate([self._unscored, audio])
        events: list[SpeechStarted | SpeechEnded] = []
        for probability in self._vad.push(audio):
            window, self._unscored = (
                self._unscored[:WINDOW_SAMPLES],
                self._unscored[WINDOW_SAMPLES:],
            )
            power = float(np.mean(np.square(window, dtype=np.float64)))
            level_db = 10 * float(np.log10(power + 1e-12))
            begin_ms = self.watermark_ms
            self._scored.append((begin_ms, probability))
            self._windows += 1
            events += self._segmenter.push(begin_ms, probability, level_db)
        return events
