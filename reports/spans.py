"""Arithmetic on half-open time spans in milliseconds."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from operator import itemgetter

Span = tuple[int, int]
_end = itemgetter(1)


def union(spans: Iterable[Span]) -> list[Span]:
    """Return disjoint, sorted spans that cover the same time."""
    merged: list[Span] = []
    for begin, end in sorted(span for span in spans if span[1] > span[0]):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((begin, end))
    return merged


def intersect(left: Sequence[Span], right: Sequence[Span]) -> list[Span]:
    """Return the time that two unions share."""
    shared: list[Span] = []
    if not left or not right:
        return shared
    i = bisect_right(left, right[0][0], key=_end)
    j = bisect_right(right, left[0][0], key=_end)
    while i < len(left) and j < len(right):
        begin, end = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if begin < end:
            shared.append((begin, end))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return shared


def subtract(spans: Sequence[Span], holes: Sequence[Span]) -> list[Span]:
    """Return the part of the union `spans` that is in none of the disjoint, sorted `holes`."""
    left: list[Span] = []
    for begin, end in spans:
        for hole_begin, hole_end in holes:
            if hole_end <= begin or hole_begin >= end:
                continue
            if hole_begin > begin:
                left.append((begin, hole_begin))
            begin = max(begin, hole_end)
        if begin < end:
            left.append((begin, end))
    return left


def total_ms(spans: Iterable[Span]) -> int:
    """Return the summed length."""
    return sum(end - begin for begin, end in spans)


def quantile(ordered: Sequence[int], q: float) -> float | None:
    """Interpolate between order statistics; None for an empty sequence."""
    if not ordered:
        return None
    position = q * (len(ordered) - 1)
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return round(ordered[low] + (ordered[high] - ordered[low]) * (position - low), 1)
