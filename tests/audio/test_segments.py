"""Levels in order of size give the percentiles that NumPy gives."""

from __future__ import annotations

import numpy as np
import pytest

from audio.segments import _Newest

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("length", [1, 2, 31, 312])
def test_percentile_and_median_are_those_of_the_newest_values(length: int) -> None:
    random = np.random.default_rng(1)
    newest = _Newest(length)
    known: list[float] = []
    for step in range(800):
        level_db = -120.0 if step % 7 == 0 else float(random.normal(-50, 20))
        newest.append(level_db)
        known = [*known, level_db][-length:]
        assert newest.percentile(0.1) == float(np.percentile(known, 10))
        assert newest.median() == float(np.median(known))
    assert len(newest) == length
    assert newest.before(1) == known[-1]
