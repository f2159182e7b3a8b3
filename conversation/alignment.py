"""Are both channels on one clock? Misaligned channels look like constant interruption.

People mostly take turns. Where far too much of a call overlaps, or replies come impossibly early
or late, and a shift of one channel makes most of the overlap go away, the channels were recorded
with an offset (`interruptions.md` section 6). It is reported and never corrected silently.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from conversation.speech import Span, overlap_spans

STEP_MS = 20
_FARTHEST_MS = 3_000
_LEAST_MS = 200
_SUSPICIOUS_SHARE = 0.15
_OFFSETS_MS = (-300, 3_000)
_REMOVED = 0.5
_LEAST_SPEECH_MS = 20_000
"""Less speech of either party says nothing about the clocks (our choice)."""


def misalignment_ms(agent: Sequence[Span], customer: Sequence[Span]) -> int:
    """Return by how much the customer's channel is late, 0 when nothing speaks for an offset.

    Args:
        agent: sorted, disjoint speech of the agent, ms.
        customer: the same of the customer.
    """
    agent_ms, customer_ms = _total(agent), _total(customer)
    if min(agent_ms, customer_ms) < _LEAST_SPEECH_MS:
        return 0
    overlap_ms = _total(overlap_spans(list(agent), list(customer)))
    length_ms = max(agent[-1][1], customer[-1][1]) - min(agent[0][0], customer[0][0])
    typical_ms = _typical_offset_ms(agent, customer)
    usual = typical_ms is None or _OFFSETS_MS[0] <= typical_ms <= _OFFSETS_MS[1]
    if overlap_ms <= _SUSPICIOUS_SHARE * length_ms and usual:
        return 0
    left, right = _bits(agent), _bits(customer)
    here = (left & right).bit_count()
    best, least = 0, here
    for shift in range(-_FARTHEST_MS // STEP_MS, _FARTHEST_MS // STEP_MS + 1):
        moved = right >> shift if shift >= 0 else right << -shift
        both = (left & moved).bit_count()
        if both < least:
            best, least = shift, both
    late_ms = best * STEP_MS
    found = abs(late_ms) >= _LEAST_MS and here - least >= _REMOVED * here > 0
    return late_ms if found else 0


def _total(spans: Sequence[Span]) -> int:
    return sum(end - begin for begin, end in spans)


def _bits(spans: Sequence[Span]) -> int:
    """Return speech as the bits of one integer, `STEP_MS` a bit."""
    bits = 0
    for begin, end in spans:
        first, last = begin // STEP_MS, max(begin // STEP_MS + 1, end // STEP_MS)
        bits |= ((1 << (last - first)) - 1) << first
    return bits


def _typical_offset_ms(agent: Sequence[Span], customer: Sequence[Span]) -> float | None:
    """Return the median time from the end of one party's speech to the other's next start."""
    marks = sorted([(b, e, 0) for b, e in agent] + [(b, e, 1) for b, e in customer])
    offsets = [
        following[0] - before[1]
        for before, following in pairwise(marks)
        if before[2] != following[2]
    ]
    return median(offsets) if offsets else None
