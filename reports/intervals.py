"""Exact 95 % intervals, so that a small number is not taken for a large one."""

from __future__ import annotations

import math
from collections.abc import Sequence

Interval = tuple[float, float]
_TAIL = 0.025
_Z = 1.959964


def poisson_interval(count: int) -> Interval:
    """Return Garwood's interval of an expected count from an observed one."""
    from scipy.special import gammaincinv  # takes longer to import than most commands to run

    low = float(gammaincinv(count, _TAIL)) if count else 0.0
    return round(low, 2), round(float(gammaincinv(count + 1, 1 - _TAIL)), 2)


def rate_interval(count: int, factor: float) -> Interval:
    """Return the interval of a rate that is `factor` times a count."""
    low, high = poisson_interval(count)
    return round(low * factor, 2), round(high * factor, 2)


def share_interval(part: int, whole: int) -> Interval | None:
    """Return Wilson's interval of a share, None of nothing."""
    if whole == 0:
        return None
    share, z2 = part / whole, _Z * _Z
    middle = (share + z2 / (2 * whole)) / (1 + z2 / whole)
    half = _Z * math.sqrt(share * (1 - share) / whole + z2 / (4 * whole * whole)) / (1 + z2 / whole)
    return round(max(0.0, middle - half), 4), round(min(1.0, middle + half), 4)


def median_interval(ordered: Sequence[int]) -> Interval | None:
    """Return the interval of a median from order statistics, None for fewer than six values."""
    from scipy.special import bdtr  # as above

    n = len(ordered)
    below = -1
    while bdtr(below + 1, n, 0.5) <= _TAIL and below + 1 < n // 2:
        below += 1
    return None if below < 0 else (float(ordered[below]), float(ordered[n - 1 - below]))
