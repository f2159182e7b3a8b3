"""One channel's front end: clock, resampling, voice activity, bleed, speech events."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from audio.bleed import STEP_MS, BleedGate
from audio.chunks import ANALYSIS_RATE_HZ, AudioChunk, Samples
from audio.errors import BadSamples
from audio.resample import StreamingResampler
from audio.segments import WINDOW_MS, SpeechSegmenter
from audio.settings import AudioSettings
from audio.vad import WINDOW_SAMPLES, SpeechProbability
from conversation.events import AudioGap, Channel, ChannelQuality, SpeechEnded, SpeechStarted

_RESTART_AFTER_GAP_MS = 200
"""Voice activity starts anew after a longer gap (`protocols.md` section 2)."""
_STEPS = WINDOW_MS // STEP_MS
_NO_VOICE = (0.0,) * _STEPS
_NOTHING_DB = -120.0
"""Level of what leaks in: edges of speech do not rest on it."""
_LONGEST_WAIT_MS = 30_000
"""A window waits for the other channel until this much more was heard; the queue is bounded."""

FrontEndEvent = SpeechStarted | SpeechEnded | ChannelQuality | AudioGap


def is_cut(event: object) -> bool:
    """Whether this is a gap in which nothing is missing: it ends what was open, another begins."""
    return (
        isinstance(event, AudioGap) and event.reason == "discard" and event.begin_ms == event.end_ms
    )


class _Window:
    """A window that waits for its score, or for the other channel."""

    __slots__ = ("begin_ms", "level_db", "probabilities", "steps")

    def __init__(self, begin_ms: int, level_db: float, steps: Sequence[float]) -> None:
        self.begin_ms = begin_ms
        self.probabilities = _NO_VOICE
        self.level_db = level_db
        self.steps = steps


class ChannelFrontEnd:
    """Takes a channel's chunks and gaps in order; gives speech events and 16 kHz audio.

    Any split of the same samples gives the same events and the same audio. With a gate, a window
    is judged once the other channel is known as far; audio, events and gaps come out in stream
    order all the same, so `release()` both channels after pushing either. Who hears many channels
    first accepts the audio of all of them, has their voice activity scored together, and releases.
    """

    def __init__(
        self,
        channel: Channel,
        sample_rate_hz: int,
        vad: SpeechProbability,
        *,
        settings: AudioSettings,
        gate: BleedGate | None = None,
    ) -> None:
        self.channel = channel
        self._rate_hz = sample_rate_hz
        self._vad = vad
        self._gate = gate
        self._segmenter = SpeechSegmenter(channel, settings)
        self._resampler = StreamingResampler(sample_rate_hz)
        self._next_sample = 0
        self._after_gap = False
        self._slack = sample_rate_hz // 1000 + 1
        """Samples by which a gap's end, known in whole milliseconds, may be off."""
        self._origin_16k = 0
        self._made_16k = 0
        self._windows = 0
        self._flushed = False
        self._unscored = np.zeros(0, dtype=np.float32)
        self._waiting: deque[_Window | AudioChunk | AudioGap] = deque()
        self._unheard: deque[_Window] = deque()
        """Those of them whose voice activity is not known yet."""
        self._ready: list[AudioChunk] = []
        self._scored: list[tuple[int, float]] = []
        self._watermark_ms = 0

    @property
    def watermark_ms(self) -> int:
        """Every event with `at_ms` up to here has been returned."""
        return self._watermark_ms

    def take_audio(self) -> list[AudioChunk]:
        """Return the 16 kHz audio released since the last call."""
        ready, self._ready = self._ready, []
        return ready

    def take_voice(self) -> list[tuple[int, float]]:
        """Return begin in ms and own speech of each 32 ms window since the last call."""
        scored, self._scored = self._scored, []
        return scored

    def push(self, chunk: AudioChunk) -> list[FrontEndEvent]:
        """Take the next samples of the channel and return what they settle.

        Raises:
            BadSamples, ValueError: as `accept`.
        """
        self.accept(chunk)
        return self.release()

    def accept(self, chunk: AudioChunk) -> None:
        """Take the next samples of the channel; `release` judges them.

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
        if not np.logical_and.reduce(np.isfinite(chunk.samples)):
            raise BadSamples(
                f"The {self.channel} channel has samples that are not finite numbers near "
                f"{chunk.start_ms} ms; check the source's encoding."
            )
        self._next_sample += len(chunk.samples)
        self._hear(self._resampler.push(chunk.samples))

    def gap(self, gap: AudioGap) -> list[FrontEndEvent]:
        """Move the clock over lost audio; nothing spans it. The gap comes out in its place."""
        self._hear(self._resampler.flush())
        self._settle()
        self._waiting.append(gap)
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
        if is_cut(gap) or gap.end_ms - gap.begin_ms > _RESTART_AFTER_GAP_MS:
            self._vad.reset()
        if self._gate is not None:
            self._gate.skip(self.channel, self._window_ms)
        return self.release()

    def flush(self) -> list[FrontEndEvent]:
        """Score what is left; no more audio comes on this channel."""
        if not self._flushed:
            self._flushed = True
            self._hear(self._resampler.flush())
            if self._gate is not None:
                self._gate.end(self.channel)
        return self.release()

    def finish(self) -> list[FrontEndEvent]:
        """End the channel after `flush()` of every channel, and close open speech."""
        events = self.flush()
        end_ms = (self._origin_16k + self._made_16k) * 1000 // ANALYSIS_RATE_HZ
        return [*events, *self._segmenter.finish(max(end_ms, self._watermark_ms))]

    def release(self) -> list[FrontEndEvent]:
        """Return the events that can be decided with what is known of both channels."""
        self._settle()
        events: list[FrontEndEvent] = []
        while self._waiting:
            item = self._waiting[0]
            if isinstance(item, AudioChunk):
                self._ready.append(item)
            elif isinstance(item, AudioGap):
                events += self._segmenter.cut(max(item.begin_ms, self._watermark_ms))
                events.append(item)
                self._watermark_ms = max(self._watermark_ms, item.end_ms)
            else:
                if self._must_wait(item):
                    break
                events += self._judge(item)
            self._waiting.popleft()
        return events

    def _must_wait(self, window: _Window) -> bool:
        return (
            self._gate is not None
            and not self._gate.ready(self.channel, window.begin_ms + WINDOW_MS)
            and self._window_ms - window.begin_ms < _LONGEST_WAIT_MS
        )

    def _judge(self, window: _Window) -> list[FrontEndEvent]:
        events: list[FrontEndEvent] = []
        probabilities, steps = window.probabilities, window.steps
        end_ms = window.begin_ms + WINDOW_MS
        if self._gate is not None:
            events += self._gate.due(self.channel, window.begin_ms, end_ms)
            if not self._gate.own(self.channel, window.begin_ms, steps):
                probabilities, steps = _NO_VOICE, (_NOTHING_DB,) * len(steps)
        self._scored.append((window.begin_ms, sum(probabilities) / len(probabilities)))
        events += self._segmenter.push(window.begin_ms, probabilities, window.level_db, steps)
        self._watermark_ms = end_ms
        return events

    @property
    def _window_ms(self) -> int:
        """Begin of the next window."""
        return self._origin_16k * 1000 // ANALYSIS_RATE_HZ + self._windows * WINDOW_MS

    def _hear(self, audio: Samples) -> None:
        if len(audio) == 0:
            return
        self._waiting.append(
            AudioChunk(
                channel=self.channel,
                first_sample=self._origin_16k + self._made_16k,
                samples=audio,
                sample_rate_hz=ANALYSIS_RATE_HZ,
            )
        )
        self._made_16k += len(audio)
        self._vad.feed(audio)
        self._unscored = np.concatenate([self._unscored, audio])
        whole = len(self._unscored) // WINDOW_SAMPLES
        if not whole:
            return
        heard = self._unscored[: whole * WINDOW_SAMPLES].reshape(whole, _STEPS, -1)
        self._unscored = self._unscored[whole * WINDOW_SAMPLES :]
        powers = _mean(np.square(heard, dtype=np.float64))
        steps_db, begin_ms = _db(powers), self._window_ms
        if self._gate is not None:
            self._gate.hear(self.channel, begin_ms, steps_db.ravel())
        self._windows += whole
        for level_db, steps in zip(_db(_mean(powers)).tolist(), steps_db.tolist(), strict=True):
            window = _Window(begin_ms, level_db, steps)
            self._waiting.append(window)
            self._unheard.append(window)
            begin_ms += WINDOW_MS

    def _settle(self) -> None:
        """Note the voice activity of every window that was heard."""
        if self._unheard:
            for probabilities in self._vad.take():
                self._unheard.popleft().probabilities = probabilities


def _mean(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the mean of the last axis, as `np.mean` to the bit, in half the time."""
    return np.asarray(np.add.reduce(values, axis=-1) / values.shape[-1])


def _db(power: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(10 * np.log10(power + 1e-12))
