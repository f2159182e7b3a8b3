"""The upper levels of the shed ladder: what the analysis leaves out while it is behind.

    level  enters                                     effect
    4      analysis lag > 150 ms                      no pitch, tilt on every second tick
    5      analysis lag > 250 ms, or memory > 85 %    new calls are refused, readiness is down

A level is entered after 2 s over its threshold, in order, and left after 10 s below 80 % of it. A
level that has to be entered again within a minute is left after twice the time, at most 160 s: a
machine that is too small for its calls does not swing between too much and too little. Each
includes all below it, also those of the recogniser (`asr.ladder`). `reliability.md` section 5.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Iterable

import msgspec

LEVELS = (0, 4, 5)
_LAG_S = {4: 0.150, 5: 0.250}
_MEMORY_SHARE = 0.85
_UP_S, _DOWN_S = 2.0, 10.0
_AGAIN_S, _LONGEST_DOWN_S = 60.0, 160.0
"""A level entered so soon after it was left was left too early (our choice)."""
_CALM = 0.8
_EVERY_S = 0.25
RETRY_AFTER_MS = 5_000
"""When a call that was refused may be tried again; sooner than a level is left, so that sources
spread (our choice)."""
_LOG = logging.getLogger("heartline.shed")


class Signals(msgspec.Struct, frozen=True, kw_only=True):
    """How busy the analysis is."""

    lag_s: float
    """From the arrival of audio to its analysis, 95th percentile of the last second."""
    memory_share: float = 0.0
    """Of the memory that this process and its children may use; 0 without a limit."""


class ShedLadder:
    """Pure state; `update` is called a few times a second."""

    def __init__(self) -> None:
        self.level = 0
        self._over_since_s: dict[int, float] = {}
        self._calm_since_s: float | None = None
        self._left_s = -math.inf
        self._down_s = _DOWN_S

    def update(self, signals: Signals, now_s: float) -> bool:
        """Take the present signals; return whether the level changed, by one at most."""
        for level in LEVELS[1:]:
            if any(_over(signals, higher) for higher in LEVELS if higher >= level):
                self._over_since_s.setdefault(level, now_s)
            else:
                self._over_since_s.pop(level, None)
        at = LEVELS.index(self.level)
        above = LEVELS[at + 1 :][:1]
        if above and now_s - self._over_since_s.get(above[0], math.inf) >= _UP_S:
            if self.level == 0:
                again = now_s - self._left_s < _AGAIN_S
                self._down_s = min(2 * self._down_s, _LONGEST_DOWN_S) if again else _DOWN_S
            self.level, self._calm_since_s = above[0], None
            return True
        held = any(_over(signals, level, _CALM) for level in LEVELS[at:])
        if self.level == 0 or held:
            self._calm_since_s = None
            return False
        if self._calm_since_s is None:
            self._calm_since_s = now_s
        if now_s - self._calm_since_s < self._down_s:
            return False
        self.level, self._calm_since_s = LEVELS[at - 1], now_s
        self._left_s = now_s
        return True


def _over(signals: Signals, level: int, factor: float = 1.0) -> bool:
    if level not in _LAG_S:
        return False
    full = level == LEVELS[-1] and signals.memory_share > factor * _MEMORY_SHARE
    return full or signals.lag_s > factor * _LAG_S[level]


def percentile_95(values: Iterable[float]) -> float:
    """Return the 95th percentile, nearest rank; 0 of nothing."""
    ordered = sorted(values)
    return ordered[math.ceil(0.95 * len(ordered)) - 1] if ordered else 0.0


async def watch(
    ladder: ShedLadder, measure: Callable[[float], Signals], apply: Callable[[int], None]
) -> None:
    """Move on the ladder for ever.

    Args:
        ladder: whose level it is.
        measure: says at a time of the event loop how busy the analysis is.
        apply: is told of each new level.
    """
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(_EVERY_S)
        now_s = loop.time()
        signals = measure(now_s)
        if ladder.update(signals, now_s):
            lag_ms = round(1_000 * signals.lag_s)
            _LOG.warning("shed level %d: analysis lag %d ms", ladder.level, lag_ms)
            apply(ladder.level)
