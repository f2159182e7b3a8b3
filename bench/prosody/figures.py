"""Figures of a detector: windows, events, and how late they are."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from bench.prosody.calls import GeneratedCall, Passage
from bench.results import Row
from conversation.events import Channel, ProsodyFrame, RaisedVoiceStarted
from prosody.baseline import COLD
from prosody.raised import RaisedVoice, ScoredTick
from prosody.settings import ProsodySettings
from prosody.tracker import ProsodyEvent

_WINDOW_MS = 1_500
_AFTER_MS = 1_500
"""A start this soon after a passage, whose window still lies in it, counts for it."""


class Window(msgspec.Struct, frozen=True):
    """One scored tick of a call, whatever system scored it."""

    at_ms: int
    begin_ms: int
    end_ms: int
    score: float | None


class Found(msgspec.Struct):
    """What a system found in some calls."""

    raised: list[float] = []
    """Scores of windows that lie in a passage."""
    calm: list[float] = []
    """Scores of windows that touch none."""
    late_s: list[float] = []
    """From the first raised word to the event, of the passages found."""
    passages: dict[str, list[bool]] = {}
    """Whether each passage was found, by `kind/dose`."""
    false_events: int = 0
    calm_minutes: float = 0.0

    def add(self, call: GeneratedCall, windows: Sequence[Window], starts: Sequence[int]) -> None:
        """Take in one call; `starts` are the times at which raised voices were reported, ms."""
        for window in windows:
            begin_ms = window.end_ms - _WINDOW_MS
            inside = any(
                p.begin_ms <= begin_ms and window.end_ms <= p.end_ms for p in call.passages
            )
            outside = all(
                window.end_ms <= p.begin_ms or begin_ms >= p.end_ms for p in call.passages
            )
            if window.score is not None and (inside or outside):
                (self.raised if inside else self.calm).append(window.score)
        left = list(starts)
        for passage in call.passages:
            hits = [t for t in left if passage.begin_ms < t <= passage.end_ms + _AFTER_MS]
            left = [t for t in left if t not in hits]
            self.passages.setdefault(f"{passage.kind}/{passage.dose}", []).append(bool(hits))
            if hits:
                self.late_s.append((hits[0] - passage.begin_ms) / 1000)
        self.false_events += len(left)
        self.calm_minutes += call.calm_minutes

    @property
    def recall(self) -> float:
        """Share of passages found."""
        flat = [hit for hits in self.passages.values() for hit in hits]
        return sum(flat) / len(flat) if flat else 0.0

    @property
    def false_per_min(self) -> float:
        """False events per minute outside the passages."""
        return self.false_events / self.calm_minutes if self.calm_minutes else 0.0

    def rows(self, system: str, condition: str) -> list[Row]:
        """Return the figures as rows of the result file."""
        count = sum(len(hits) for hits in self.passages.values())
        minutes = round(self.calm_minutes)
        rows = [
            Row(system, condition, "auc", auc(self.raised, self.calm), "", len(self.raised)),
            Row(system, condition, "recall", self.recall, "share", count),
            Row(system, condition, "false_per_min", self.false_per_min, "1/min", minutes),
            Row(system, condition, "false_per_hour", 60 * self.false_per_min, "1/h", minutes),
        ]
        for percent in (50, 90, 95):
            late = float(np.percentile(self.late_s, percent)) if self.late_s else None
            rows.append(Row(system, condition, f"start_p{percent}_s", late, "s", len(self.late_s)))
        return rows

    def dose_rows(self, system: str, condition: str) -> list[Row]:
        """Return the recall of every transform and dose."""
        return [
            Row(system, f"{condition}/{name}", "recall", sum(hits) / len(hits), "share", len(hits))
            for name, hits in sorted(self.passages.items())
        ]


def auc(positive: Sequence[float], negative: Sequence[float]) -> float | None:
    """Area under the curve: how often a positive score is above a negative one."""
    if not positive or not negative:
        return None
    calm = np.sort(np.asarray(negative))
    below = np.searchsorted(calm, positive, "left")
    ties = np.searchsorted(calm, positive, "right") - below
    return float(np.mean((below + 0.5 * ties) / len(calm)))


def own_windows(events: Sequence[ProsodyEvent]) -> list[Window]:
    """Return the windows of the product; one without pitch counts half its tilt.

    While the gate is shut there is no score, since tilt alone rules a raised voice out.
    """
    windows = []
    for event in events:
        if isinstance(event, ProsodyFrame) and event.state != COLD and event.z_tilt is not None:
            score = 0.5 * event.z_tilt if event.score is None else event.score
            windows.append(Window(event.at_ms, event.begin_ms, event.end_ms, score))
    return windows


def own_starts(events: Sequence[ProsodyEvent]) -> list[int]:
    """Return when the product reported raised voices; a stronger grade is no new event."""
    first: dict[str, int] = {}
    for event in events:
        if isinstance(event, RaisedVoiceStarted):
            first.setdefault(event.id, event.at_ms)
    return list(first.values())


def starts_of(windows: Sequence[Window], threshold: float) -> list[int]:
    """Return the starts that the product's own hysteresis finds in another system's scores."""
    base = ProsodySettings()
    settings = msgspec.structs.replace(base, score_on=threshold, score_off=threshold / 2)
    detector = RaisedVoice(Channel.CUSTOMER, settings)
    starts = []
    for window in windows:
        detector.silence(window.begin_ms, window.begin_ms)
        tick = ScoredTick(
            at_ms=window.at_ms,
            begin_ms=window.begin_ms,
            end_ms=window.end_ms,
            usable_ms=240,
            score=window.score,
            extra=0.0,
            trust=1.0,
        )
        starts += [e.at_ms for e in detector.hear(tick) if isinstance(e, RaisedVoiceStarted)]
    return sorted(set(starts))


def passages_of(calls: Sequence[GeneratedCall]) -> list[Passage]:
    """Return the raised passages of several calls."""
    return [passage for call in calls for passage in call.passages]
