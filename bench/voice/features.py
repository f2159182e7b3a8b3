"""What the voice model is told of a window of 32 ms: Silero's log odds, and levels in bands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

SILERO = Path(__file__).parent / "silero_vad_16k_op15.onnx"
Values = npt.NDArray[np.float32]
FRAMES, HOP, FRAME = 4, 128, 192
"""Frames of 12 ms every 8 ms: 64 samples before a window, and its 512."""
WINDOW = HOP * (FRAMES - 1) + FRAME
BANDS = 8
FEATURES = 1 + FRAMES * (BANDS + 2) + BANDS + 1
_LOW_HZ, _HIGH_HZ, _BINS = 220.0, 3_500.0, 45
RISE_DB, FAST_RISE_DB, FALL_DB = 0.08, 0.6, 0.04
"""A floor rises by 2.5 dB a second, a fast one, which tells noise that sets in from a voice, by 19;
a peak falls by 1.25 dB a second."""
START_FLOOR_DB, START_PEAK_DB = 40.0, -80.0
SILENCE, NOTHING_DB = 1e-11, -105.0
"""Power added to every band, and the level below which it has nothing but that: digital silence
tells nothing of a line's noise."""


def bank() -> tuple[Values, Values]:
    """Return the windowed cosines and sines (192, 2 x bins), and bins to bands."""
    bins = np.arange(1, _BINS + 1)
    angle = 2 * np.pi * np.outer(np.arange(FRAME), bins) / FRAME
    window = np.hanning(FRAME + 2)[1:-1, None]
    transform = np.concatenate([window * np.cos(angle), window * np.sin(angle)], axis=1) / FRAME
    edges = 700 * np.expm1(
        np.linspace(np.log1p(_LOW_HZ / 700), np.log1p(_HIGH_HZ / 700), BANDS + 2)
    )
    hz = bins * 16_000 / FRAME
    rise = (hz[:, None] - edges[:-2]) / np.diff(edges)[:-1]
    fall = (edges[2:] - hz[:, None]) / np.diff(edges)[1:]
    weights = np.clip(np.minimum(rise, fall), 0, 1)
    return transform.astype(np.float32), weights.astype(np.float32)


def odds(probability: npt.NDArray[np.float32]) -> Values:
    """Return the log odds of probabilities, at most 7 either way, over 3."""
    sure = np.clip(probability, 1e-3, 1 - 1e-3)
    return np.asarray(np.log(sure / (1 - sure)) / 3, dtype=np.float32)


class Features:
    """Floors and peaks of many channels, window by window."""

    def __init__(self, channels: int) -> None:
        self._transform, self._bands = bank()
        self.floor = np.full((channels, 1, BANDS + 1), START_FLOOR_DB, dtype=np.float32)
        self.fast = self.floor
        self.peak = np.full((channels, 1, 1), START_PEAK_DB, dtype=np.float32)

    def push(self, windows: Values, silero: Values) -> Values:
        """Take windows (channels, 576) and log odds (channels,); return (channels, FEATURES)."""
        frames = np.stack([windows[:, i * HOP : i * HOP + FRAME] for i in range(FRAMES)], axis=1)
        spectrum = frames @ self._transform
        power = np.square(spectrum[..., :_BINS]) + np.square(spectrum[..., _BINS:])
        bands = power @ self._bands
        whole = bands.sum(axis=-1, keepdims=True)
        level = 10 * np.log10(np.concatenate([bands, whole], axis=-1) + SILENCE)
        softest = level.min(axis=1, keepdims=True)
        softest = np.where(softest < NOTHING_DB, -NOTHING_DB, softest)
        self.floor = np.minimum(self.floor + RISE_DB, softest)
        self.fast = np.minimum(self.fast + FAST_RISE_DB, softest)
        loud = level[..., BANDS:]
        self.peak = np.maximum(self.peak - FALL_DB, loud.max(axis=1, keepdims=True))
        over = np.maximum(0, level - self.floor) / 10
        under = (self.peak - loud) / 10
        values = np.concatenate([over, under], axis=-1).reshape(len(windows), -1)
        lately = np.maximum(0, level.max(axis=1) - self.fast[:, 0]) / 10
        return np.concatenate([silero[:, None], values, lately], axis=1).astype(np.float32)
