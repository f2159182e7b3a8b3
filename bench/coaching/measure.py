"""Scores found acts against labels: F1 per act, calibration, neutral turns, intervals."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec
import numpy as np

from bench.coaching.batches import KINDS
from bench.coaching.corpus import AGENT_CODES, Example

CUSTOMER_NEGATIVE = frozenset(
    ("frustration", "anger", "confusion", "escalation_request", "churn_threat", "floor_protest")
)
"""Acts that a calm customer must not be given."""
BINS = 10
RESAMPLES = 500
Found = Mapping[str, float]
"""Acts found in a turn, with confidence."""


class ActFigures(msgspec.Struct, frozen=True):
    """How well one act is found; the interval is 95 %, by resampling turns."""

    precision: float
    recall: float
    f1: float
    low: float
    high: float
    positives: int


def act_figures(examples: Sequence[Example], found: Sequence[Found]) -> dict[str, ActFigures]:
    """Return figures per act, over the turns of the speaker who can perform it."""
    rng = np.random.default_rng(11)
    out = {}
    for kind in KINDS:
        speaker = "agent" if kind in AGENT_CODES.values() else "customer"
        mine = [(e, f) for e, f in zip(examples, found, strict=True) if e.speaker == speaker]
        true = np.array([kind in e.acts for e, _ in mine])
        hit = np.array([kind in f for _, f in mine])
        samples = rng.integers(len(mine), size=(RESAMPLES, len(mine)))
        spread = [_f1(true[s], hit[s]) for s in samples]
        right = float((true & hit).sum())
        out[kind] = ActFigures(
            right / max(1, int(hit.sum())),
            right / max(1, int(true.sum())),
            _f1(true, hit),
            float(np.percentile(spread, 2.5)),
            float(np.percentile(spread, 97.5)),
            int(true.sum()),
        )
    return out


def _f1(true: np.ndarray, hit: np.ndarray) -> float:
    return float(2 * (true & hit).sum() / max(1, true.sum() + hit.sum()))


def neutral_rate(
    examples: Sequence[Example],
    found: Sequence[Found],
    kinds: Collection[str] = KINDS,
    speaker: str | None = None,
) -> tuple[float, int]:
    """Return the share of neutral turns, of one speaker or of both, that are given one of `kinds`.

    Returns:
        The share, and how many neutral turns there are.
    """
    neutral = [
        f
        for e, f in zip(examples, found, strict=True)
        if not e.acts and speaker in (None, e.speaker)
    ]
    hit = sum(any(kind in kinds for kind in f) for f in neutral)
    return hit / max(1, len(neutral)), len(neutral)


def calibration_curve(
    examples: Sequence[Example], found: Sequence[Found]
) -> list[tuple[float, float, int]]:
    """Return mean confidence, share right and count of found acts, in ten bins of confidence."""
    confidence, right = [], []
    for e, f in zip(examples, found, strict=True):
        for kind, value in f.items():
            confidence.append(value)
            right.append(kind in e.acts)
    values, hits = np.array(confidence), np.array(right)
    index = np.minimum((values * BINS).astype(int), BINS - 1)
    return [
        (float(values[index == b].mean()), float(hits[index == b].mean()), int((index == b).sum()))
        for b in range(BINS)
        if (index == b).any()
    ]


def expected_calibration_error(curve: Sequence[tuple[float, float, int]]) -> float:
    """Return the mean gap between confidence and share right, weighted by count."""
    total = sum(n for _, _, n in curve)
    return sum(abs(c - r) * n for c, r, n in curve) / max(1, total)
