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
    """Measures of the 15 frames that end within one tick."""

    measures: Floats
    """Alpha ratio, slope and level of every frame, shape (..., 15, 3)."""
    clipped: npt.NDArray[np.int64]
    """Samples at or beyond the clipping level in each frame, shape (..., 15)."""

    @property
    def alpha_db(self) -> Floats:
        """Energy of 1000-3400 Hz over that of 300-1000 Hz, dB."""
        return self.measures[..., 0]

    @property
    def slope_db_oct(self) -> Floats:
        """Least-squares slope over ten third-octave bands, 397-3175 Hz, dB per octave."""
        return self.measures[..., 1]

    @property
    def level_db(self) -> Floats:
        """Energy of 300-3400 Hz, dB re a mean square of 1."""
        return self.measures[..., 2]

    def of(self, index: int) -> TickFeatures:
        """Return the features of one channel of a batch."""
        return TickFeatures(self.measures[index], self.clipped[index])


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
        bands = np.concatenate([bands, bands[:1] + bands[1:2]])
        bands *= 2.0 / (self.frame * float(np.sum(self._window**2)))
        self._bands = np.ascontiguousarray(bands.T)
        self._silence = np.array([_SILENCE] * len(edges) + [2 * _SILENCE])
        """Of every band, so that its level is finite."""
        heard = np.flatnonzero(self._bands.any(axis=1))
        self._bins = slice(int(heard[0]), int(heard[-1]) + 1)
        self._parts = np.repeat(self._bands[self._bins], 2, axis=0)
        """Band of the real and of the imaginary part of each bin that is in one."""
        octaves = np.log2(centres) - np.mean(np.log2(centres))
        self._measures = np.zeros((len(bands), 3))
        """From the levels of the bands, in bels, to the measures."""
        self._measures[:2, 0] = -10.0, 10.0
        self._measures[2:-1, 1] = 10 * octaves / np.sum(octaves**2)
        self._measures[-1, 2] = 10.0

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
        if self._backend == "librosa":
            import librosa

            spectrum = librosa.stft(
                blocks.astype(np.float64),
                n_fft=self.frame,
                hop_length=self.hop,
                window=self._window,
                center=False,
            )
            spectrum = np.swapaxes(spectrum, -1, -2)
        else:
            spectrum = np.fft.rfft(self._frames(blocks) * self._window)
        parts = np.ascontiguousarray(spectrum[..., self._bins]).view(np.float64)
        return self._features(np.square(parts) @ self._parts, self._clipped(blocks, clip_level))

    def from_power(self, power: Floats, clipped: npt.NDArray[np.int64]) -> TickFeatures:
        """Band measures of power spectra of shape (..., frames, bins)."""
        return self._features(power @ self._bands, clipped)

    def _features(self, bands: Floats, clipped: npt.NDArray[np.int64]) -> TickFeatures:
        return TickFeatures(np.log10(bands + self._silence) @ self._measures, clipped)

    def _frames(self, blocks: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return a view of the frames, which overlap by half."""
        blocks = np.ascontiguousarray(blocks)
        size, channels = blocks.itemsize, blocks.shape[:-1]
        return np.ndarray(
            (*channels, HOPS_PER_TICK, self.frame),
            blocks.dtype,
            blocks,
            strides=(*blocks.strides[:-1], self.hop * size, size),
        )

    def _clipped(self, blocks: npt.NDArray[np.float32], clip_level: float) -> npt.NDArray[np.int64]:
        """Count the clipped samples of each frame; most blocks have none."""
        loud = np.abs(blocks)
        if np.maximum.reduce(loud, axis=None) < clip_level:
            return np.zeros((*blocks.shape[:-1], HOPS_PER_TICK), np.int64)
        hops = (loud >= clip_level).reshape(*blocks.shape[:-1], -1, self.hop).sum(axis=-1)
        return np.asarray(hops[..., :-1] + hops[..., 1:])
