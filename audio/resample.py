"""Streaming resampling to 16 kHz that does not depend on how the audio was split."""

from __future__ import annotations

from typing import Any

import numpy as np
import soxr

from audio.chunks import ANALYSIS_RATE_HZ, Samples

_BLOCK_MS = 20
_LIVE_QUALITY = {8_000: "QQ"}
"""Quick quality lags 0.2 ms from 8 kHz but lets aliases through from above; soxr's high quality
lags 37 ms from 48 kHz, so whole multiples of 16 kHz have a filter of their own."""
_HALF_FILTER_MS = 2.5
_CUTOFF_HZ, _KAISER_BETA = 7_600, 6.0
"""Passes to 7.2 kHz and stops 60 dB from 8 kHz."""


class _Decimator:
    """Low-pass and keep every `factor`th sample; lags by half the filter, 2.5 ms."""

    def __init__(self, from_hz: int) -> None:
        from scipy.signal import firwin

        self._factor = from_hz // ANALYSIS_RATE_HZ
        self._half = round(from_hz * _HALF_FILTER_MS / 1000)
        taps = firwin(2 * self._half + 1, _CUTOFF_HZ, fs=from_hz, window=("kaiser", _KAISER_BETA))
        self._taps = taps.astype(np.float32)
        self._waiting = np.zeros(self._half, dtype=np.float32)

    def resample_chunk(self, samples: Samples, last: bool = False) -> Samples:
        """Take samples; return what is ready, everything when they are the last."""
        tail = np.zeros(self._half if last else 0, dtype=np.float32)
        self._waiting = np.concatenate([self._waiting, samples, tail])
        ready = (len(self._waiting) - len(self._taps)) // self._factor + 1
        if ready <= 0:
            return np.zeros(0, dtype=np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(self._waiting, len(self._taps))
        made: Samples = windows[:: self._factor][:ready] @ self._taps
        self._waiting = self._waiting[ready * self._factor :]
        return made


class StreamingResampler:
    """Resamples one channel; output sample n lies at input time n / 16000 s.

    The filters are fed fixed blocks of 20 ms, so any split of the same input gives the same
    output bits.
    """

    def __init__(self, from_hz: int) -> None:
        self._passes = from_hz == ANALYSIS_RATE_HZ
        self._block = max(1, from_hz * _BLOCK_MS // 1000)
        self._waiting = np.zeros(0, dtype=np.float32)
        self._stream: Any = None
        self._splits_freely = False
        """Quick quality is the same to the bit however it is fed; the filters are not."""
        if self._passes:
            return
        if from_hz % ANALYSIS_RATE_HZ == 0:
            self._stream = _Decimator(from_hz)
        else:
            quality = _LIVE_QUALITY.get(from_hz, "HQ")
            self._splits_freely = quality == "QQ"
            self._stream = soxr.ResampleStream(
                from_hz, ANALYSIS_RATE_HZ, 1, dtype="float32", quality=quality
            )

    def push(self, samples: Samples) -> Samples:
        """Take input samples, float32, shape (n,); return the 16 kHz samples that are ready."""
        if self._stream is None:
            return samples
        self._waiting = np.concatenate([self._waiting, samples])
        whole = len(self._waiting) // self._block * self._block
        if self._splits_freely and whole:
            made: Samples = self._stream.resample_chunk(self._waiting[:whole])
            self._waiting = self._waiting[whole:]
            return made
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
