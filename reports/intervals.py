"""95 % intervals of counts and shares, without which no rate is shown."""

from __future__ import annotations

from math import sqrt

_Z = 1.959964
"""Two-sided 95 % of the normal distribution."""


def wilson(delivered: int, opportunities: int) -> tuple[float, float] | None:
    """Return the 95 % score interval of a share (Wilson 1927); None without an opportunity."""
    if opportunities <= 0:
        return None
    n, share = opportunities, delivered / opportunities
    middle = share + _Z**2 / (2 * n)
    half = _Z * sqrt(share * (1 - share) / n + _Z**2 / (4 * n * n))
    scale = 1 + _Z**2 / n
    low, high = (middle - half) / scale, (middle + half) / scale
    return round(max(0.0, low), 4), round(min(1.0, high), 4)


def poisson(count: float) -> tuple[float, float]:
    """Return the 95 % interval of a count (Byar's approximation to the exact one).

    Within 0.05 of the exact limits from a count of 1 on; the limit for 0 is 3.67, not 3.69.
    """
    low = count * (1 - 1 / (9 * count) - _Z / (3 * sqrt(count))) ** 3 if count > 0 else 0.0
    above = count + 1
    high = above * (1 - 1 / (9 * above) + _Z / (3 * sqrt(above))) ** 3
    return round(max(0.0, low), 4), round(high, 4)
