"""Levels in order of size give the median that NumPy gives."""

from __future__ import annotations

import numpy as np
import pytest

from audio.segments import _Newest

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("length", [1, 2, 31, 312])
def test_the_median_is_that_of_the_newest_values(length: int) -> None:
    random = np.random.default_rng(1)
    newest = _Newest(length)
    known: list[float] = []
    for step in range(800):
        level_db = -120.0 if step % 7 == 0 else float(random.normal(-50, 20))
        newest.append(level_db)
        known = [*known, level_db][-length:]
        assert newest.median() == float(np.median(known))
    assert len(newest) == length
