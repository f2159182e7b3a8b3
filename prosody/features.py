"""Spectral features of telephone speech in 16 ms frames, a tick of 15 frames at a time.

Every tick is computed from a block of the same size at the same absolute position, and every
channel of a batch by the same operations on the same shapes, so neither the way audio arrives nor
what else is measured with it can change a bit of the result.

Two backends, equal to 1e-5 dB. `numpy` is the default, because importing librosa compiles numba
code, 14 s of processor time in a fresh installation and 1.4 s at every later start. `librosa` takes
the spectra from `librosa.stft`, which is also the reference in the tests.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

HOPS_PER_TICK = 15
HOP_MS = 16
TICK_MS = HOPS_PER_TICK * HOP_MS
FRAME_HOPS = 2
BACKENDS = ("numpy", "librosa")
_SILENCE = 1e-12
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class TickFeatures:
    """Measures of the 15 frames that end within one tick; arrays of shape (..., 15)."""

    alpha_db: Floats
    """Energy of 1000-3400 Hz over that of 300-1000 Hz, dB."""
    slope_db_oct: Floats
    """Least-squares slope over ten third-octave bands, 397-3175 Hz, dB per octave."""
    level_db: Floats
    """Energy of 300-3400 Hz, dB re a mean square of 1."""
    clipped: npt.NDArray[np.int64]
    """Samples at or beyond the clipping level in each frame."""

    def of(self, index: int) -> TickFeatures:
        """Return the features of one channel of a batch, arrays of shape (15,)."""
        return TickFeatures(
            self.alpha_db[index],
            self.slope_db_oct[index],
            self.level_db[index],
            self.clipped[index],
        )


class SpectralBank:
    """Turns blocks of samples into `TickFeatures` at one sample rate."""

    def __init__(self, sample_rate_hz: int, backend: str = "numpy") -> None:
        if sample_rate_hz not in (8_000, 16_000):
            msg = (
                f"Prosody works at 8000 or 16000 Hz, not {sample_rate_hz} Hz; "
                "pass it the 16 kHz chunks instead."
            )
            raise ValueError(msg)
        if backend not in BACKENDS:
            msg = f"The spectral backend {backend!r} is unknown; use one of {', '.join(BACKENDS)}."
            raise ValueError(msg)
        self.sample_rate_hz = sample_rate_hz
        self.hop = sample_rate_hz * HOP_MS // 1000
        self.frame = FRAME_HOPS * self.hop
        self.tick = HOPS_PER_TICK * self.hop
        self.block = self.tick + self.frame - self.hop
        """Samples of one tick with the tail of the tick before it."""
        self._backend = backend
        self._window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.frame) / self.frame)
        hertz = np.fft.rfftfreq(self.frame, 1 / sample_rate_hz)
        centres = 1000.0 * 2.0 ** (np.arange(-4, 6) / 3)
        edges = [(300.0, 1000.0), (1000.0, 3400.0)]
        edges += [(c * 2 ** (-1 / 6), min(3400.0, c * 2 ** (1 / 6))) for c in centres]
        bands = np.array([(hertz >= low) & (hertz < high) for low, high in edges], float)
        bands *= 2.0 / (self.frame * float(np.sum(self._window**2)))
        self._bands = np.ascontiguousarray(bands.T)
        octaves = np.log2(centres) - np.mean(np.log2(centres))
        self._slope = octaves / np.sum(octaves**2)

    def measure(self, blocks: npt.NDArray[np.float32], clip_level: float = 0.98) -> TickFeatures:
        """Measure one tick of any number of channels.

        Args:
            blocks: `self.block` samples ending with the tick, float32, -1 to 1, shape (..., block).
            clip_level: absolute value that counts as clipped.

        Raises:
            ValueError: the blocks have the wrong length.
        """
        if blocks.shape[-1] != self.block:
            msg = (
                f"A prosody block has {self.block} samples, not {blocks.shape[-1]}; "
                "pass a whole tick."
            )
            raise ValueError(msg)
        audio = blocks.astype(np.float64)
        if self._backend == "librosa":
            import librosa

            spectrum = librosa.stft(
                audio, n_fft=self.frame, hop_length=self.hop, window=self._window, center=False
            )
            spectrum = np.ascontiguousarray(np.swapaxes(spectrum, -1, -2))
        else:
            hops = audio.reshape(*audio.shape[:-1], -1, self.hop)
            frames = np.concatenate([hops[..., :-1, :], hops[..., 1:, :]], axis=-1)
            spectrum = np.fft.rfft(frames * self._window, axis=-1)
        clipped = (np.abs(blocks) >= clip_level).astype(np.int64)
        per_hop = clipped.reshape(*blocks.shape[:-1], -1, self.hop).sum(axis=-1)
        return self.from_power(
            spectrum.real**2 + spectrum.imag**2, per_hop[..., :-1] + per_hop[..., 1:]
        )

    def from_power(self, power: Floats, clipped: npt.NDArray[np.int64]) -> TickFeatures:
        """Band measures of power spectra of shape (..., frames, bins)."""
        bands = power @ self._bands + _SILENCE
        third = 10 * np.log10(bands[..., 2:])
        return TickFeatures(
            alpha_db=10 * np.log10(bands[..., 1] / bands[..., 0]),
            slope_db_oct=third @ self._slope,
            level_db=10 * np.log10(bands[..., 0] + bands[..., 1]),
            clipped=clipped,
        )
