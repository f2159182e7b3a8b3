"""Spectral features of telephone speech in 16 ms frames, a tick of 15 frames at a time.

Every tick is computed from a block of the same size at the same absolute position, so the way
audio arrives cannot change a bit of the result. librosa is the reference.
"""

from __future__ import annotations

from dataclasses import dataclass

import librosa
import numpy as np
import numpy.typing as npt

HOPS_PER_TICK = 15
HOP_MS = 16
TICK_MS = HOPS_PER_TICK * HOP_MS
FRAME_HOPS = 2
_SILENCE = 1e-12
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class TickFeatures:
    """Measures of the 15 frames that end within one tick; arrays of shape (15,)."""

    alpha_db: Floats
    """Energy of 1000-3400 Hz over that of 300-1000 Hz, dB."""
    slope_db_oct: Floats
    """Least-squares slope over ten third-octave bands, 397-3175 Hz, dB per octave."""
    level_db: Floats
    """Energy of 300-3400 Hz, dB re a mean square of 1."""
    clipped: npt.NDArray[np.int64]
    """Samples at or beyond the clipping level in each frame."""


class SpectralBank:
    """Turns blocks of samples into `TickFeatures` at one sample rate."""

    def __init__(self, sample_rate_hz: int) -> None:
        if sample_rate_hz not in (8_000, 16_000):
            msg = (
                f"Prosody works at 8000 or 16000 Hz, not {sample_rate_hz} Hz; "
                "pass it the 16 kHz chunks instead."
            )
            raise ValueError(msg)
        self.sample_rate_hz = sample_rate_hz
        self.hop = sample_rate_hz * HOP_MS // 1000
        self.frame = FRAME_HOPS * self.hop
        self.tick = HOPS_PER_TICK * self.hop
        self.block = self.tick + self.frame - self.hop
        """Samples of one tick with the tail of the tick before it."""
        window = librosa.filters.get_window("hann", self.frame)
        self._window = window.astype(np.float64)
        hertz = np.fft.rfftfreq(self.frame, 1 / sample_rate_hz)
        centres = 1000.0 * 2.0 ** (np.arange(-4, 6) / 3)
        edges = [(300.0, 1000.0), (1000.0, 3400.0)]
        edges += [(c * 2 ** (-1 / 6), min(3400.0, c * 2 ** (1 / 6))) for c in centres]
        self._bands = np.array([(hertz >= low) & (hertz < high) for low, high in edges], float)
        self._bands *= 2.0 / (self.frame * float(np.sum(self._window**2)))
        octaves = np.log2(centres) - np.mean(np.log2(centres))
        self._slope = octaves / np.sum(octaves**2)

    def measure(self, block: npt.NDArray[np.float32], clip_level: float = 0.98) -> TickFeatures:
        """Measure one tick.

        Args:
            block: `self.block` samples ending with the tick, float32, -1 to 1.
            clip_level: absolute value that counts as clipped.

        Raises:
            ValueError: the block has the wrong length.
        """
        if len(block) != self.block:
            msg = f"A prosody block has {self.block} samples, not {len(block)}; pass a whole tick."
            raise ValueError(msg)
        spectrum = librosa.stft(
            block.astype(np.float64),
            n_fft=self.frame,
            hop_length=self.hop,
            window=self._window,
            center=False,
        )
        return self.from_power(
            spectrum.real**2 + spectrum.imag**2,
            np.convolve(
                np.add.reduceat(
                    (np.abs(block) >= clip_level).astype(np.int64),
                    np.arange(0, self.block, self.hop),
                ),
                np.ones(FRAME_HOPS, np.int64),
                "valid",
            ),
        )

    def from_power(self, power: Floats, clipped: npt.NDArray[np.int64]) -> TickFeatures:
        """Band measures of a power spectrogram of shape (bins, frames)."""
        bands = self._bands @ power + _SILENCE
        third = 10 * np.log10(bands[2:])
        return TickFeatures(
            alpha_db=10 * np.log10(bands[1] / bands[0]),
            slope_db_oct=self._slope @ third,
            level_db=10 * np.log10(bands[0] + bands[1]),
            clipped=clipped,
        )
