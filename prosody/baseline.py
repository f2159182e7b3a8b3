"""The speaker's own usual voice: medians and spreads of the beginning of the call.

Pure state; nothing outlives the call.

    COLD   less than 3 s of usable speech: nothing is judged
    WARM   up to 8 s: thresholds are higher
    READY  from then on: medians drift with a time constant of a minute, frozen while raised
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from prosody.settings import ProsodySettings

TICK_S = 0.24
COLD, WARM, READY = "cold", "warm", "ready"


@dataclass(frozen=True, slots=True)
class WindowValues:
    """What the usable frames of one window say: bands of the summed spectrum, level and pitch."""

    alpha_db: float
    slope_db_oct: float
    level_db: float
    f0_st: float | None = None
    """75th percentile in semitones re 55 Hz; None while pitch is unknown."""


class Baseline:
    """Median and spread of alpha, slope, level and pitch of one speaker."""

    def __init__(self, settings: ProsodySettings) -> None:
        self._settings = settings
        self._floors = {
            "alpha_db": settings.alpha_floor_db,
            "slope_db_oct": settings.slope_floor_db_oct,
            "level_db": settings.level_floor_db,
            "f0_st": settings.f0_floor_st,
        }
        self._initial: list[WindowValues] = []
        self._usable_ms = 0
        self._spread_ms = 0
        self._median: dict[str, float] = {}
        self._mad: dict[str, float] = {}

    @property
    def state(self) -> str:
        """`cold`, `warm` or `ready`."""
        if self._usable_ms < self._settings.cold_ms or not self._median:
            return COLD
        return WARM if self._usable_ms < self._settings.ready_ms else READY

    def knows(self, name: str) -> bool:
        """Whether anything was learnt of the usual `name`."""
        return name in self._median

    def delta(self, name: str, value: float | None) -> float | None:
        """Difference from the median of `name`, or None while either is unknown."""
        if value is None or name not in self._median or self.state == COLD:
            return None
        return value - self._median[name]

    def z(self, name: str, value: float | None) -> float | None:
        """Robust z of a value, clipped, or None while value or median is unknown."""
        delta = self.delta(name, value)
        if delta is None:
            return None
        limit = self._settings.z_limit
        return max(-limit, min(limit, delta / self._scale(name)))

    def learn(self, values: WindowValues, usable_ms: int) -> None:
        """Take in one usable window in which the voice was not raised."""
        self._spread_ms = min(self._spread_ms + usable_ms, self._settings.spread_memory_ms)
        if self._usable_ms < self._settings.ready_ms:
            self._usable_ms += usable_ms
            self._initial.append(values)
            self._fit()
            return
        for name in self._floors:
            value = getattr(values, name)
            if value is None:
                continue
            if name not in self._median:
                self._median[name], self._mad[name] = value, 0.0
                continue
            error = value - self._median[name]
            bound = 2 * self._scale(name) / 1.4826
            clipped = max(-bound, min(bound, error))
            self._median[name] += TICK_S / self._settings.median_time_s * clipped
            spread = min(abs(error), bound) - self._mad[name]
            self._mad[name] += TICK_S / self._settings.mad_time_s * spread

    def shift_level(self, by_db: float) -> None:
        """Follow a change of gain: it moves the level and nothing else."""
        if "level_db" in self._median:
            self._median["level_db"] += by_db
        self._initial = [
            WindowValues(v.alpha_db, v.slope_db_oct, v.level_db + by_db, v.f0_st)
            for v in self._initial
        ]

    def reset_to_warm(self) -> None:
        """Trust the baseline less, and learn again, after a hold or a pause."""
        if self._usable_ms > self._settings.cold_ms:
            self._usable_ms = self._spread_ms = self._settings.cold_ms
            self._initial = self._initial[-_KEPT_WINDOWS:]

    def replace(self, recent: Sequence[WindowValues]) -> None:
        """Take the newest windows for the usual voice: the line or the talker has changed."""
        self._usable_ms = self._spread_ms = self._settings.cold_ms
        self._initial = list(recent)
        self._median.clear()
        self._mad.clear()
        self._fit()

    def _scale(self, name: str) -> float:
        spread = 1.4826 * self._mad[name]
        if name == "f0_st":
            spread = self._expected_spread(spread)
        return max(spread, self._floors[name])

    def _expected_spread(self, heard_st: float) -> float:
        """Spread of pitch in semitones, between what was heard and what is usual of anybody.

        The mean of both variances, each weighted by its number of phrases.
        """
        settings = self._settings
        heard, usual = self._spread_ms / settings.phrase_ms, settings.f0_usual_phrases
        variance = heard * heard_st**2 + usual * settings.f0_usual_spread_st**2
        return float((variance / (heard + usual)) ** 0.5)

    def _fit(self) -> None:
        share = self._settings.initial_quantile
        alpha_limit = quantile([v.alpha_db for v in self._initial], share)
        pitched = [v.f0_st for v in self._initial if v.f0_st is not None]
        f0_limit = quantile(pitched, share) if pitched else 0.0
        kept = [
            v
            for v in self._initial
            if v.alpha_db <= alpha_limit and (v.f0_st is None or v.f0_st <= f0_limit)
        ] or self._initial
        for name in self._floors:
            known = [x for v in kept if (x := getattr(v, name)) is not None]
            if known:
                middle = median(known)
                self._median[name] = middle
                self._mad[name] = median([abs(x - middle) for x in known])


def quantile(values: list[float], share: float) -> float:
    """Return the value below which a share of them lies, interpolated as `np.quantile`."""
    ordered = sorted(values)
    at = (len(ordered) - 1) * share
    low = math.floor(at)
    left, right = ordered[low], ordered[min(low + 1, len(ordered) - 1)]
    part, step = at - low, right - left
    return left + step * part if part < 0.5 else right - step * (1 - part)


_KEPT_WINDOWS = 12
"""Windows (3 s) of the old baseline that a reset keeps."""
