"""How far a confidence can be believed: `python -m bench.floor.calibrate`.

Takes what the last pass settles as an interruption on development calls, over every line, and asks
which of them were planted as one. Prints, for bins of the confidence that is reported, the share
that was, and an isotonic fit of that share over the confidence before calibration, which is where
`conversation/overlap_classes.py` has its knots from.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy.optimize import isotonic_regression

from bench.floor.__main__ import SEEDS, Case, cases, judge, settings_for
from bench.floor.line import CONDITIONS
from bench.floor.score import is_planted
from conversation.events import OverlapEnded
from conversation.overlap_classes import CALIBRATION, INTERRUPTING

_BINS = (0.0, 0.3, 0.45, 0.6, 0.75, 0.9, 1.001)


def settled(made: Sequence[Case]) -> list[tuple[float, bool]]:
    """Return the confidence of each settled interruption, and whether it was planted as one."""
    found = []
    for case in made:
        for event in judge(case, settings_for(case), words=True):
            if (
                isinstance(event, OverlapEnded)
                and event.revision > 0
                and event.overlap_class in INTERRUPTING
            ):
                found.append((event.confidence, is_planted(event, case.script)))
    return found


def raw(confidence: float) -> float:
    """Return the confidence before calibration, which only ever rises."""
    values, shares = zip(*CALIBRATION, strict=True)
    return float(np.interp(confidence, shares, values))


def fit(found: Sequence[tuple[float, bool]]) -> list[tuple[float, float, int]]:
    """Return the levels of the isotonic fit: middle of the raw values, share, and how many."""
    ordered = sorted((raw(confidence), planted) for confidence, planted in found)
    values = np.array([value for value, _ in ordered])
    result = isotonic_regression([float(planted) for _, planted in ordered])
    return [
        (float(values[a:b].mean()), float(result.x[a]), b - a) for a, b in pairwise(result.blocks)
    ]


def main() -> None:
    """Hear the development calls and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--split", choices=sorted(SEEDS), default="development")
    parser.add_argument("--calls", type=int, default=40)
    parser.add_argument("--line-calls", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    asked = parser.parse_args()
    made = cases(asked.split, asked.calls, CONDITIONS[:1], asked.jobs)
    made += cases(asked.split, asked.line_calls, CONDITIONS[1:], asked.jobs)
    found = settled(made)
    print(f"{len(found)} settled interruptions\nconfidence     planted")
    for low, high in pairwise(_BINS):
        inside = [planted for confidence, planted in found if low <= confidence < high]
        if inside:
            print(f"{low:.2f} to {min(high, 1):.2f}   {np.mean(inside):.2f} of {len(inside)}")
    print("before calibration   share")
    for middle, share, count in fit(found):
        print(f"{middle:.3f}                {share:.2f} of {count}")


if __name__ == "__main__":
    main()
