"""Streaming resampling to 16 kHz that does not depend on how the audio was split."""

from __future__ import annotations

import numpy as np
import soxr

from audio.chunks import ANALYSIS_RATE_HZ, Samples

_BLOCK_MS = 20
_LIVE_QUALITY = {8_000: "QQ"}
"""Quick quality lags 0.2 ms from 8 kHz (`protocols.md` section 2); other rates need the filter."""


class StreamingResampler:
    """Resamples one channel; output sample n lies at input time n / 16000 s.

    soxr is fed fixed blocks of 20 ms, so any split of the same input gives the same output bits.
    """

    def __init__(self, from_hz: int) -> None:
        self._passes = from_hz == ANALYSIS_RATE_HZ
        self._block = max(1, from_hz * _BLOCK_MS // 1000)
        self._waiting = np.zeros(0, dtype=np.float32)
        self._stream = None
        if not self._passes:
            quality = _LIVE_QUALITY.get(from_hz, "HQ")
            self._stream = soxr.ResampleStream(
                from_hz, ANALYSIS_RATE_HZ, 1, dtype="float32", quality=quality
            )

    def push(self, samples: Samples) -> Samples:
        """Take input samples, float32, shape (n,); return the 16 kHz samples that are ready."""
        if self._stream is None:
            return samples
        self._waiting = np.concatenate([self._waiting, samples])
        whole = len(self._waiting) // self._block * self._block
        out = [
            self._stream.resample_chunk(self._waiting[i : i + self._block])
            for i in range(0, whole, self._block)
        ]
        self._waiting = self._waiting[whole:]
        return np.concatenate(out) if out else np.zeros(0, dtype=np.float32)

    def flush(self) -> Samples:
        """Return what is left; the stream is then over."""
        if self._stream is None:
            return np.zeros(0, dtype=np.float32)
        rest: Samples = self._stream.resample_chunk(self._waiting, last=True)
        self._waiting = np.zeros(0, dtype=np.float32)
        return rest
