"""What looks like effort and is not: gain, noise, laughter, music, cross-talk, a changed line.

Pure state over tick values; every guard answers with a flag, a veto or a correction, never with an
event.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import inf
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from prosody.baseline import WindowValues
from prosody.features import TICK_MS, Floats
from prosody.settings import ProsodySettings
from prosody.usable import LevelHistory

Wave = npt.NDArray[np.floating[Any]]


@dataclass(slots=True)
class _GainTick:
    speech_db: float | None
    noise_db: float | None
    alpha_db: float | None
    f0_st: float | None


class GainGuard:
    """Tells a change of gain, or gain that never rests, from a change of voice.

    A gain moves speech and noise together and leaves the spectrum and the pitch alone. Automatic
    gain takes the noise down as soon as somebody speaks up; noise that only rises is noise. Noise
    that comes and goes, as babble does, is usual for the talker: only what exceeds it is a rise.
    """

    def __init__(self, settings: ProsodySettings) -> None:
        self._settings = settings
        self._ticks: deque[_GainTick] = deque(maxlen=settings.gain_history_ticks)
        self._usual_noise = LevelHistory(settings.usual_noise_ticks)
        self._fixed_ms = 0
        self._step_until_ms = 0
        self._agc_until_ms = 0
        self._noise_until_ms = 0

    def hear(
        self,
        end_ms: int,
        speech_db: float | None,
        noise_db: float | None,
        alpha_db: float | None,
        f0_st: float | None,
    ) -> float:
        """Take in one tick; return by how many dB the gain has just stepped, mostly 0."""
        settings = self._settings
        if len(self._ticks) == settings.gain_history_ticks:
            oldest_db = self._ticks[0].noise_db
            if oldest_db is not None:
                self._usual_noise.push([oldest_db])
        self._ticks.append(_GainTick(speech_db, noise_db, alpha_db, f0_st))
        self._fixed_ms += TICK_MS
        recent = list(self._ticks)
        if noise_db is not None:
            floors = _known([t.noise_db for t in recent[-_AGC_TICKS:]])
            if _largest_fall(floors) > settings.agc_range_db:
                self._agc_until_ms = end_ms + settings.gain_memory_ms
                self._fixed_ms = 0
        step = self._step(recent)
        if step:
            self._step_until_ms = end_ms + settings.gain_memory_ms
            self._fixed_ms = 0
            for tick in recent:
                tick.speech_db = None if tick.speech_db is None else tick.speech_db + step
                tick.noise_db = None if tick.noise_db is None else tick.noise_db + step
            self._usual_noise.shift(step)
            del recent[-_RECENT_TICKS:]
            self._ticks = deque(recent, maxlen=settings.gain_history_ticks)
        elif noise_db is not None and self._noise_rose(recent):
            self._noise_until_ms = end_ms + settings.noise_rise_ms
        return step

    def flags(self, end_ms: int) -> list[str]:
        """Return `gain_step`, `agc` and `noise_rise` where they hold."""
        flags = []
        if end_ms < self._step_until_ms:
            flags.append("gain_step")
        if end_ms < self._agc_until_ms:
            flags.append("agc")
        elif end_ms < self._noise_until_ms:
            flags.append("noise_rise")
        return flags

    @property
    def fixed(self) -> bool:
        """Whether the gain has looked fixed long enough for the level to count as evidence."""
        return self._fixed_ms >= self._settings.gain_fixed_ms

    def _step(self, recent: list[_GainTick]) -> float:
        settings = self._settings
        new, old = recent[-_RECENT_TICKS:], recent[:-_RECENT_TICKS]
        speech = _change([t.speech_db for t in new], [t.speech_db for t in old])
        if speech is None or abs(speech) < settings.gain_step_db:
            return 0.0
        noise = _change([t.noise_db for t in new], [t.noise_db for t in old])
        if noise is None or abs(noise) < settings.gain_step_db:
            return 0.0
        if abs(speech - noise) > settings.gain_match_db:
            return 0.0
        alpha = _change([t.alpha_db for t in new], [t.alpha_db for t in old])
        f0 = _change([t.f0_st for t in new], [t.f0_st for t in old])
        if abs(alpha or 0.0) > settings.alpha_floor_db or abs(f0 or 0.0) > 1.0:
            return 0.0
        return (speech + noise) / 2

    def _noise_rose(self, recent: list[_GainTick]) -> bool:
        """Whether the noise came up by itself and far enough to make a talker speak up."""
        settings = self._settings
        new, old = recent[-_AGC_TICKS:], recent[:-_AGC_TICKS]
        noise = _change([t.noise_db for t in new], [t.noise_db for t in old])
        if noise is None or noise <= settings.noise_rise_db:
            return False
        voice = _known([t.speech_db for t in recent])
        if not voice:
            return False
        now_db, usual = median(_known([t.noise_db for t in new])), self._usual_noise
        if usual.count and now_db < usual.percentile(90) + settings.noise_rise_db:
            return False
        speech = _change([t.speech_db for t in new], [t.speech_db for t in old])
        snr_db = median(voice) - now_db
        return snr_db < settings.lombard_snr_db and (speech is None or speech < noise / 2)


class LineGuard:
    """Finds a voice that has moved for good: another microphone, a speakerphone.

    Its spectrum shifts for 10 s and its pitch does not.
    """

    def __init__(self, settings: ProsodySettings) -> None:
        self._settings = settings
        self._recent: deque[tuple[int, float, float | None, WindowValues]] = deque()
        self._ms = 0

    def hear(
        self, values: WindowValues, usable_ms: int, alpha_delta: float, f0_delta: float | None
    ) -> bool:
        """Take in one judged window; return True when the line has changed."""
        settings = self._settings
        self._recent.append((usable_ms, alpha_delta, f0_delta, values))
        self._ms += usable_ms
        while self._ms - self._recent[0][0] >= settings.line_shift_ms:
            self._ms -= self._recent.popleft()[0]
        if self._ms < settings.line_shift_ms * 0.95:
            return False
        shifts = [entry[1] for entry in self._recent]
        if min(shifts) < 0 < max(shifts):
            return False
        lower_quarter = sorted(map(abs, shifts))[len(shifts) // 4]
        pitches = [entry[2] for entry in self._recent if entry[2] is not None]
        still = bool(pitches) and abs(median(pitches)) < 1.0
        return lower_quarter >= settings.line_shift_db and still

    def recent(self) -> list[WindowValues]:
        """Return the newest windows, for a fresh baseline."""
        return [entry[3] for entry in self._recent]

    def clear(self) -> None:
        """Start anew."""
        self._recent.clear()
        self._ms = 0


class Envelope:
    """Level of the newest two seconds of a channel; finds laughter and music in it.

    Laughter is a train of equal bursts; music lacks the gaps between the syllables of speech.
    """

    def __init__(self, settings: ProsodySettings) -> None:
        self._settings = settings
        self._levels: deque[Floats] = deque(maxlen=_ENVELOPE_TICKS)

    def hear(self, levels_db: Floats) -> None:
        """Take in the 15 frames of one tick, missing ones as -inf."""
        self._levels.append(levels_db)

    def has_no_gaps(self) -> bool:
        """Whether the level hardly moves, as that of music does."""
        levels = self._bounded()
        return levels is not None and _depth_db(levels) < self._settings.music_depth_db

    def is_burst_train(self) -> bool:
        """Whether there are regular bursts at 4-6 Hz with silence between them."""
        settings, levels = self._settings, self._bounded()
        if levels is None or _depth_db(levels) < settings.burst_depth_db:
            return False
        centred = levels - levels.mean()
        power = float(centred @ centred)
        lags = range(_BURST_LAGS[0], _BURST_LAGS[1] + 1)
        likeness = [float(centred[lag:] @ centred[:-lag]) / power for lag in lags]
        return max(likeness) >= settings.burst_likeness

    def _bounded(self) -> Floats | None:
        """Levels not more than 30 dB below the highest, None before there are enough."""
        if len(self._levels) < _ENVELOPE_TICKS:
            return None
        levels = np.concatenate(self._levels)
        top = float(np.max(levels))
        return np.maximum(levels, top - 30.0) if np.isfinite(top) else None


def likeness(own: Wave, other: Wave, reach: int) -> float:
    """Largest normalised correlation of `own` with `other` within a shift of `reach` samples.

    Args:
        own: n samples.
        other: n + 2 * reach samples around the same time.
        reach: largest shift, samples.
    """
    own, other = np.diff(own.astype(np.float64)), np.diff(other.astype(np.float64))
    size = 1 << (len(other) - 1).bit_length()  # what wraps around is at greater shifts
    product = np.fft.irfft(np.fft.rfft(other, size) * np.conj(np.fft.rfft(own, size)), size)
    energy = np.concatenate([[0.0], np.cumsum(np.square(other))])
    shifts = np.arange(2 * reach + 1)
    there = energy[shifts + len(own)] - energy[shifts]
    scale = np.sqrt(np.maximum(there, 0.0) * float(own @ own)) + 1e-12
    return float(np.max(np.abs(product[: 2 * reach + 1]) / scale))


_RECENT_TICKS = 8
"""Ticks (1.9 s) that are compared with those before them."""
_AGC_TICKS = 3_000 // TICK_MS
_ENVELOPE_TICKS = 8
_BURST_LAGS = (10, 16)
"""Frames between bursts: 160-256 ms, 3.9-6.2 Hz (Bachorowski et al. 2001, laughter)."""


def _depth_db(levels: Floats) -> float:
    low, high = np.percentile(levels, (20, 85))
    return float(high - low)


def _largest_fall(values: list[float]) -> float:
    """How far a value lies below an earlier one at most."""
    fall, high = 0.0, -inf
    for value in values:
        fall, high = max(fall, high - value), max(high, value)
    return fall


def _known(values: list[float | None]) -> list[float]:
    return [x for x in values if x is not None]


def _change(new: list[float | None], old: list[float | None]) -> float | None:
    """Median of `new` minus that of `old`, None while either has fewer than two values."""
    now, before = _known(new), _known(old)
    if len(now) < 2 or len(before) < 2:
        return None
    return median(now) - median(before)
