"""What the timeline shows beside speech: holds, and how voices moved against their own usual."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from conversation.events import Event, HoldEnded, HoldStarted, ProsodyFrame
from reports.log import PARTIES
from reports.model import CurvePart, SpanPart

POINT_MS = 2_000
"""One point of a curve; a pixel of an hour-long call on paper is longer."""


def holds(events: Sequence[Event], end_ms: int) -> tuple[SpanPart, ...]:
    """Return the holds of a call; one that nobody ended lasts until `end_ms`."""
    spans: list[SpanPart] = []
    begin_ms: int | None = None
    for event in events:
        if isinstance(event, HoldStarted) and begin_ms is None:
            begin_ms = event.at_ms
        elif isinstance(event, HoldEnded) and begin_ms is not None:
            spans.append(SpanPart(begin_ms=begin_ms, end_ms=event.at_ms))
            begin_ms = None
    if begin_ms is not None:
        spans.append(SpanPart(begin_ms=begin_ms, end_ms=end_ms))
    return tuple(spans)


def curves(events: Sequence[Event]) -> tuple[CurvePart, ...]:
    """Average the voice measures of each party over 2 s; times without speech have no point."""
    found = []
    for party in PARTIES:
        bins: dict[int, list[ProsodyFrame]] = {}
        for event in events:
            if isinstance(event, ProsodyFrame) and event.channel is party:
                bins.setdefault(event.begin_ms // POINT_MS, []).append(event)
        if not bins:
            continue
        frames = [bins[at] for at in sorted(bins)]
        found.append(
            CurvePart(
                channel=party,
                at_ms=tuple(at * POINT_MS + POINT_MS // 2 for at in sorted(bins)),
                level_delta_db=tuple(_mean([f.level_delta_db for f in few]) for few in frames),
                f0_delta_st=tuple(_mean([f.f0_delta_st for f in few]) for few in frames),
            )
        )
    return tuple(found)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(fmean(known), 1) if known else None
