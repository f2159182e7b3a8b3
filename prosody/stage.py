"""Prosody of a whole call: audio and speech spans in, frames and raised-voice events out.

The channels of a call are judged tick by tick in step, their spectra in one product, and each
against the other's audio, so that one party's voice on the other's line counts for nobody. Neither
chunk sizes nor how often `advance` is called can change a result.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from audio.chunks import AudioChunk
from conversation.events import Channel, ProsodyFrame
from prosody import pitch
from prosody.features import TICK_MS, SpectralBank
from prosody.score import Load
from prosody.settings import ProsodySettings
from prosody.tracker import NO_FRAME, ChannelTracker, Heard, ProsodyEvent


class ProsodyStage:
    """The prosody of one call; one thread at a time.

    A channel that carries both parties has no usual voice, so it is not judged.
    """

    def __init__(
        self, channels: Sequence[Channel], sample_rate_hz: int, settings: ProsodySettings
    ) -> None:
        self._settings = settings
        self._bank = SpectralBank(sample_rate_hz, settings.spectral_backend)
        self._trackers = {
            channel: ChannelTracker(channel, self._bank, settings)
            for channel in channels
            if channel is not Channel.MIXED
        }
        self._tick = 0
        self.load = Load.FULL
        """How much may be computed from the next tick on; the shell sets it."""

    @property
    def ticks(self) -> int:
        """Ticks judged so far, with speech or without."""
        return self._tick

    @property
    def usable_ticks(self) -> int:
        """Ticks with usable speech so far, of all channels."""
        return sum(tracker.usable_ticks for tracker in self._trackers.values())

    @property
    def pitch_ticks(self) -> int:
        """Ticks for which pitch was computed so far, of all channels."""
        return sum(tracker.pitch_ticks for tracker in self._trackers.values())

    def begin_at(self, at_ms: int, known: Iterable[ProsodyFrame] = ()) -> None:
        """Begin in the middle of a call, before any audio.

        `known` are its newest ticks before that, for the usual voices.
        """
        self._tick = at_ms // TICK_MS
        for frame in known:
            if frame.channel in self._trackers:
                self._trackers[frame.channel].recall(frame)
        for tracker in self._trackers.values():
            tracker.buffer.begin_at(at_ms * self._bank.sample_rate_hz // 1000)

    def push_audio(self, chunk: AudioChunk) -> None:
        """Take in the next samples of a channel; positions that were skipped count as missing.

        Raises:
            ValueError: the chunk has another rate than the call.
        """
        if chunk.channel in self._trackers:
            self._trackers[chunk.channel].push_audio(chunk)

    def observe(self, channel: Channel, event: Heard) -> None:
        """Take in a channel's speech spans, gaps, holds and pauses, in the order of `at_ms`."""
        if channel in self._trackers:
            self._trackers[channel].observe(event)

    def advance(self, watermark_ms: int) -> list[ProsodyEvent]:
        """Judge every tick that is due at `watermark_ms` and whose audio has arrived."""
        out: list[ProsodyEvent] = []
        while self._trackers:
            due_ms = (self._tick + 1) * TICK_MS + self._settings.lag_ms
            if due_ms > watermark_ms:
                return out
            for tracker in self._trackers.values():
                out += tracker.apply(due_ms)
            position = due_ms * self._bank.sample_rate_hz // 1000
            if any(tracker.buffer.end < position for tracker in self._trackers.values()):
                return out
            out += self._judge(due_ms)
        return out

    def finish(self, at_ms: int) -> list[ProsodyEvent]:
        """Judge the whole ticks that are left and end open events with the call."""
        out = self.advance(at_ms)
        while self._trackers and (self._tick + 1) * TICK_MS <= at_ms:
            due_ms = min((self._tick + 1) * TICK_MS + self._settings.lag_ms, at_ms)
            for tracker in self._trackers.values():
                tracker.buffer.extend_to(due_ms * self._bank.sample_rate_hz // 1000)
                out += tracker.apply(due_ms)
            out += self._judge(due_ms)
        for tracker in self._trackers.values():
            out += tracker.end(at_ms, "call_ended")
        return out

    def _judge(self, due_ms: int) -> list[ProsodyEvent]:
        tick = self._tick
        self._tick += 1
        heard = [t for t in self._trackers.values() if not t.suspended]
        if not heard or not self._settings.enabled:
            return []
        samples = np.empty((len(heard), self._bank.block), np.float32)
        known, speech = [], []
        for i, tracker in enumerate(heard):
            samples[i], whole = tracker.block(tick)
            known.append(whole)
            speech.append(tracker.speech(tick))
        features = self._bank.measure(samples, self._settings.clip_level)
        each = [features.of(i) for i in range(len(heard))]
        masks = [NO_FRAME] * len(heard)
        if len(heard) == 2:
            for i, j in ((0, 1), (1, 0)):
                masks[i] = heard[i].leaks_from(heard[j], tick, each[j], speech[i] & known[i])
        out: list[ProsodyEvent] = []
        for i, tracker in enumerate(heard):
            out += tracker.judge(tick, due_ms, each[i], known[i], speech[i], masks[i], self.load)
        return out


def warm_up(settings: ProsodySettings) -> None:
    """Pay for imports and models before the first call: one tick per rate, one pitch block."""
    for rate in (8_000, 16_000):
        bank = SpectralBank(rate, settings.spectral_backend)
        bank.measure(np.zeros((2, bank.block), np.float32))
    pitch.warm_up()
