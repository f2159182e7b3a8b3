"""Pitch through swift-f0, which survives the telephone's 300 Hz high-pass.

A stream is opened only when the voice comes near a threshold. It is fed blocks whose position
depends on ticks alone, so chunking cannot change what it returns.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import soxr
from swift_f0 import PitchStream, SwiftF0

MODEL_RATE_HZ = 16_000
REFERENCE_HZ = 55.0
_QUIET_PEAK = 10 ** (-35 / 20)
_SCALED_PEAK = 10 ** (-20 / 20)


@lru_cache(maxsize=1)
def shared_detector() -> SwiftF0:
    """The process's one pitch model: one thread, sleeping between calls."""
    return SwiftF0(threads=1, spin=False)


class PitchTrack:
    """One open pitch stream from an absolute hop onwards."""

    def __init__(
        self,
        first_hop: int,
        sample_rate_hz: int,
        *,
        fmin_hz: float,
        fmax_hz: float,
        detector: SwiftF0 | None = None,
    ) -> None:
        self.next_hop = first_hop
        """Absolute hop on which the next frame returned is centred."""
        self._stream: PitchStream = (detector or shared_detector()).stream(fmin_hz, fmax_hz)
        self._resampler = (
            None
            if sample_rate_hz == MODEL_RATE_HZ
            else soxr.ResampleStream(sample_rate_hz, MODEL_RATE_HZ, 1, "float32", "MQ")
        )
        self._gain: float | None = None

    def push(self, samples: npt.NDArray[np.float32]) -> list[tuple[int, float, float]]:
        """Feed consecutive samples.

        Returns:
            (hop, semitones re 55 Hz, confidence 0-1) for every frame that became final.
        """
        if self._gain is None:
            peak = float(np.max(np.abs(samples), initial=0.0))
            self._gain = _SCALED_PEAK / peak if 1e-4 < peak < _QUIET_PEAK else 1.0
        scaled = samples * np.float32(self._gain)
        if self._resampler is not None:
            scaled = self._resampler.resample_chunk(scaled)
        result = self._stream.push(scaled, MODEL_RATE_HZ)
        hop = self.next_hop
        self.next_hop += len(result.pitch_hz)
        semitones = 12 * np.log2(np.maximum(result.pitch_hz, 1.0) / REFERENCE_HZ)
        return [
            (hop + i, float(st), float(c))
            for i, (st, c) in enumerate(zip(semitones, result.confidence, strict=True))
        ]


def warm_up() -> None:
    """Load the model and run one block at each rate, so that no call pays for it."""
    for rate in (8_000, 16_000):
        PitchTrack(0, rate, fmin_hz=65.0, fmax_hz=500.0).push(np.zeros(rate, np.float32))
