"""What one channel sounded like lately: samples and voice activity by stream time."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from audio.chunks import ANALYSIS_RATE_HZ, AudioChunk, Samples

_SAMPLES_PER_MS = ANALYSIS_RATE_HZ // 1000
_WINDOW_MS = 32
_QUIET_STEP_MS = 50
_SMOOTHED_WINDOWS = 3


class ListeningBuffer:
    """Bounded by `forget`; positions are stream milliseconds."""

    def __init__(self) -> None:
        self._audio: deque[AudioChunk] = deque()
        self._voice: deque[tuple[int, float]] = deque()

    def push_audio(self, chunk: AudioChunk) -> None:
        """Take the next 16 kHz audio."""
        self._audio.append(chunk)

    def push_voice(self, begin_ms: int, probability: float) -> None:
        """Take the voice-activity probability of the next 32 ms window."""
        self._voice.append((begin_ms, probability))

    def forget(self, before_ms: int) -> None:
        """Drop what ended before `before_ms`."""
        while self._audio and self._audio[0].end_ms < before_ms:
            self._audio.popleft()
        while self._voice and self._voice[0][0] < before_ms:
            self._voice.popleft()

    @property
    def end_ms(self) -> int | None:
        """Stream time just after the newest sample; None when there is none."""
        return self._audio[-1].end_ms if self._audio else None

    def pcm(self, begin_ms: int, end_ms: int) -> bytes:
        """Return int16 little-endian samples of a span."""
        samples = self._samples(begin_ms, end_ms)
        pcm: bytes = np.clip(np.rint(samples * 32767.0), -32768, 32767).astype("<i2").tobytes()
        return pcm

    def mean_voice(self, spans: Sequence[tuple[int, int]]) -> float | None:
        """Return the mean voice activity of the windows inside a span; None without any."""
        inside = [
            p for at_ms, p in self._voice if any(b <= at_ms <= e - _WINDOW_MS for b, e in spans)
        ]
        return sum(inside) / len(inside) if inside else None

    def dips(self, now_ms: int, below: float, length_ms: int) -> bool:
        """Whether voice activity has stayed under `below` for the last `length_ms` of windows."""
        left = -(-length_ms // _WINDOW_MS)
        for at_ms, probability in reversed(self._voice):
            if at_ms + _WINDOW_MS > now_ms:
                continue
            if probability >= below:
                return False
            left -= 1
            if left == 0:
                return True
        return False

    def faintest_ms(self, begin_ms: int, end_ms: int) -> int:
        """Return where in a span the voice is faintest: by voice activity, else by power."""
        voice = [(at_ms, p) for at_ms, p in self._voice if begin_ms <= at_ms < end_ms - _WINDOW_MS]
        if len(voice) >= _SMOOTHED_WINDOWS:
            kernel = np.full(_SMOOTHED_WINDOWS, 1 / _SMOOTHED_WINDOWS)
            smooth = np.convolve([p for _, p in voice], kernel, mode="valid")
            return voice[int(np.argmin(smooth)) + _SMOOTHED_WINDOWS // 2][0] + _WINDOW_MS // 2
        samples = self._samples(begin_ms, end_ms)
        step = _QUIET_STEP_MS * _SAMPLES_PER_MS
        whole = len(samples) // step
        if whole == 0:
            return end_ms
        power = np.square(samples[: whole * step].reshape(whole, step)).mean(axis=1)
        return begin_ms + int(np.argmin(power)) * _QUIET_STEP_MS + _QUIET_STEP_MS // 2

    def _samples(self, begin_ms: int, end_ms: int) -> Samples:
        begin, end = begin_ms * _SAMPLES_PER_MS, end_ms * _SAMPLES_PER_MS
        parts = []
        for chunk in self._audio:
            low = max(begin - chunk.first_sample, 0)
            high = min(end - chunk.first_sample, len(chunk.samples))
            if low < high:
                parts.append(chunk.samples[low:high])
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)
