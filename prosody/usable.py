"""Which frames of a tick say something about the voice, and the window of the newest ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from statistics import median

import numpy as np
import numpy.typing as npt

from prosody.features import HOP_MS, HOPS_PER_TICK, TICK_MS, Floats, TickFeatures
from prosody.settings import ProsodySettings

Mask = npt.NDArray[np.bool_]
Hops = npt.NDArray[np.int64]

_NOTHING = np.zeros(0)
_NOISE_FRAMES = 8
"""Frames without speech that tell a tick's noise from the edges of speech."""


class LevelHistory:
    """The newest frame levels, dB, for percentiles; causal."""

    def __init__(self, length: int) -> None:
        self._ring = np.zeros(length)
        self._next = 0
        self.count = 0
        self._known: dict[float, float] = {}
        """Percentiles that were asked for since the newest frame."""

    def push(self, levels_db: Floats | Sequence[float]) -> None:
        """Take in frames, oldest first."""
        count, length = len(levels_db), len(self._ring)
        if not count:
            return
        self._known.clear()
        room = length - self._next
        self._ring[self._next : self._next + count] = levels_db[:room]
        if count > room:
            self._ring[: count - room] = levels_db[room:]
        self._next = (self._next + count) % length
        self.count = min(self.count + count, length)

    def shift(self, by_db: float) -> None:
        """Move everything by a change of gain."""
        self._ring += by_db
        self._known.clear()

    def percentile(self, percent: float) -> float:
        """Return the value at `percent` (nearest rank) of what is kept; there must be some."""
        known = self._known.get(percent)
        if known is None:
            values, rank = self._ring[: self.count], self._rank(percent)
            known = self._known[percent] = float(np.partition(values, rank)[rank])
        return known

    def is_below(self, percent: float, limit: float) -> bool:
        """Whether a percentile is below a limit, which is known sooner than the percentile."""
        return int(np.count_nonzero(self._ring[: self.count] < limit)) > self._rank(percent)

    def _rank(self, percent: float) -> int:
        return round(percent / 100 * (self.count - 1))


class UsableFrames:
    """Chooses the frames of voice that can be compared, and keeps a window of them.

    Usable is speech that is loud for this speaker, stands above the noise, is not clipped, not
    missing and not masked. Choosing by level replaces a decision on voicing.
    """

    def __init__(self, settings: ProsodySettings) -> None:
        self._settings = settings
        self._speech = LevelHistory(settings.level_history_frames)
        self._noise = LevelHistory(settings.level_history_frames)
        self._window: deque[tuple[Hops, Floats]] = deque()
        """Hops of usable frames and their measures (n, 3), by tick."""
        self._clipped: deque[tuple[int, int, int]] = deque()
        self.noise_db: float | None = None
        """Median level of the frames without speech in the newest tick, None when there are few."""

    def add(
        self, tick: int, measured: TickFeatures, known: Mask, speech: Mask, masked: Mask
    ) -> Floats:
        """Take in one tick; return the levels of its usable frames, dB."""
        settings, levels = self._settings, measured.level_db
        noise = levels[known & ~speech]
        self.noise_db = median(noise.tolist()) if len(noise) >= _NOISE_FRAMES else None
        self._noise.push(noise)
        usable = known & speech & ~masked
        heard = int(np.count_nonzero(usable))
        if not heard:
            self._clipped.append((tick, 0, 0))
            self._forget(tick)
            return _NOTHING
        self._speech.push(levels[usable])
        clipped = measured.clipped >= settings.clip_samples
        self._clipped.append((tick, int(np.count_nonzero(usable & clipped)), heard))
        least = self._speech.percentile(95) - settings.level_range_db
        floor_db = self.floor_db
        if floor_db is not None:
            least = max(least, floor_db + settings.floor_margin_db)
        usable &= ~clipped & (levels >= least)
        self._forget(tick)
        hops = np.flatnonzero(usable)
        if len(hops):
            self._window.append((tick * HOPS_PER_TICK + hops, measured.measures[hops]))
        return levels[hops]

    @property
    def floor_db(self) -> float | None:
        """10th percentile of frames without speech, or None before there are enough."""
        return self._noise.percentile(10) if self._noise.count >= HOPS_PER_TICK else None

    @property
    def overdriven(self) -> bool:
        """Whether more of the window is clipped than can be ignored."""
        clipped = sum(entry[1] for entry in self._clipped)
        return clipped > self._settings.overdriven_share * sum(entry[2] for entry in self._clipped)

    def window(self, tick: int) -> tuple[Hops, Floats]:
        """Return hops, and alpha, slope and level (3, n), of the window that ends with `tick`."""
        if not self._window:
            return np.zeros(0, np.int64), np.zeros((3, 0))
        hops = np.concatenate([entry[0] for entry in self._window])
        values = np.concatenate([entry[1] for entry in self._window]).T
        oldest = ((tick + 1) * TICK_MS - self._settings.window_ms) // HOP_MS
        first = int(np.searchsorted(hops, oldest))
        return hops[first:], values[:, first:]

    def shift_level(self, by_db: float) -> None:
        """Follow a change of gain, so that old levels stay comparable."""
        self._speech.shift(by_db)
        self._noise.shift(by_db)

    def clear(self) -> None:
        """Forget the window, not the levels."""
        self._window.clear()
        self._clipped.clear()

    def _forget(self, tick: int) -> None:
        oldest = tick - -(-self._settings.window_ms // TICK_MS)
        while self._clipped and self._clipped[0][0] < oldest:
            self._clipped.popleft()
        while self._window and self._window[0][0][-1] < oldest * HOPS_PER_TICK:
            self._window.popleft()


def summary(values: Floats) -> tuple[float, float, float]:
    """Alpha ratio and slope of a window's long-term spectrum, and its median level.

    The spectrum is summed over the frames before the bands are compared, as a long-term average
    spectrum is: the vowels that carry effort weigh most, whatever faint sounds lie between them.
    """
    alpha, slope, level = values
    power = 10 ** (level / 10)
    low = power / (1 + 10 ** (alpha / 10))
    balance = 10 * np.log10((power - low).sum() / low.sum())
    return float(balance), float((power * slope).sum() / power.sum()), median(level.tolist())
