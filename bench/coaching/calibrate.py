"""Turns logits into probabilities that mean what they say, and chooses thresholds."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

PRIOR = 12.0
"""Pull of an act's calibration towards that of all acts, in turns that would say so."""
LEAST_PRECISION = 0.8
DEAREST_PRECISION = 0.04
"""F1 that the demand for precision may cost; beyond, the best F1 decides."""
GRID = np.arange(0.3, 0.71, 0.02)
EXPECTED = 0.45
"""Half the F1 to be had: where the best threshold of calibrated probabilities lies in theory."""
SMOOTH = 2
"""Grid steps on either side that are averaged, since a dozen positives make a jagged curve."""


def calibrate(
    logits: np.ndarray, target: np.ndarray, own: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return factor and offset of every act's logits (Platt scaling).

    Args:
        logits: (turns, acts).
        target: Whether the act is there, (turns, acts).
        own: Whether the turn's speaker can perform the act, (turns, acts).
    """
    pooled = _platt(logits[own], target[own], np.array([1.0, 0.0]), 0.0)
    per_act = [
        _platt(logits[own[:, i], i], target[own[:, i], i], pooled, PRIOR)
        for i in range(logits.shape[1])
    ]
    scale, shift = np.array(per_act, np.float32).T
    return scale, shift


def _platt(z: np.ndarray, y: np.ndarray, centre: np.ndarray, prior: float) -> np.ndarray:
    def loss(p: np.ndarray) -> float:
        margin = np.where(y, 1, -1) * (p[0] * z + p[1])
        pull = prior * ((p - centre) ** 2).sum() / 2
        return float(np.logaddexp(0, -margin).sum() + pull)

    found = minimize(loss, centre, method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-3})
    return np.asarray(found.x)


def choose_threshold(probability: np.ndarray, target: np.ndarray) -> float:
    """Return the threshold of best F1, among the precise enough where that costs little.

    It lies midway between what the data say and what theory expects, since a dozen positives say
    little.
    """
    hits = probability[:, None] >= GRID
    right = (hits & target[:, None]).sum(axis=0)
    precision = right / np.maximum(1, hits.sum(axis=0))
    f1 = 2 * right / np.maximum(1, hits.sum(axis=0) + target.sum())
    kernel = np.ones(2 * SMOOTH + 1)
    weights = np.convolve(np.ones(len(f1)), kernel, "same")
    smooth = np.convolve(f1, kernel, "same") / weights
    usable = np.where(precision >= LEAST_PRECISION, smooth, -1)
    if usable.max() < smooth.max() - DEAREST_PRECISION:
        usable = smooth
    return (float(GRID[int(np.argmax(usable))]) + EXPECTED) / 2
