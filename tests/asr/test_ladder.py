"""What is shed, in which order, and when it comes back."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.ladder import LEVELS, Ladder, Load
from asr.settings import AsrSettings

pytestmark = [pytest.mark.unit, pytest.mark.property]
CALM = Load(busy_share=0.3, partial_age_ms=200, queue_age_ms=0)
BUSY = Load(busy_share=0.9, partial_age_ms=200, queue_age_ms=0)
LATE = Load(busy_share=0.9, partial_age_ms=2_500, queue_age_ms=0)
STUCK = Load(busy_share=1.0, partial_age_ms=2_500, queue_age_ms=6_000)


def run(ladder: Ladder, load: Load, begin_ms: int, end_ms: int) -> list[tuple[int, int]]:
    changes = []
    for now_ms in range(begin_ms, end_ms, 250):
        if ladder.update(load, now_ms):
            changes.append((now_ms, ladder.rung))
    return changes


def test_busy_workers_stretch_the_hop_after_two_seconds_and_again_after_five_more() -> None:
    ladder = Ladder(AsrSettings())
    assert run(ladder, BUSY, 0, 20_000) == [(2_000, 1), (7_000, 2)]
    assert (ladder.level, ladder.hop_factor, ladder.partials) == (1, 4, True)


def test_a_short_burst_changes_nothing() -> None:
    ladder = Ladder(AsrSettings())
    assert run(ladder, BUSY, 0, 1_750) == []
    assert run(ladder, CALM, 1_750, 3_000) == []
    assert run(ladder, BUSY, 3_000, 4_750) == []


def test_late_partials_go_and_finals_stay() -> None:
    ladder = Ladder(AsrSettings())
    run(ladder, LATE, 0, 8_000)
    assert ladder.level == 2
    assert not ladder.partials
    assert ladder.decodes_final(hinted=False)


def test_a_long_queue_takes_every_rung_in_order() -> None:
    ladder = Ladder(AsrSettings())
    changes = run(ladder, STUCK, 0, 40_000)
    assert [rung for _, rung in changes] == [1, 2, 3, 4, 5, 6, 7]
    assert changes[0][0] == 2_000
    assert changes[4][0] <= 4_000
    assert not ladder.decodes_final(hinted=True)


def test_one_rung_comes_back_after_ten_calm_seconds() -> None:
    ladder = Ladder(AsrSettings())
    run(ladder, LATE, 0, 8_000)
    top = ladder.rung
    changes = run(ladder, CALM, 8_000, 80_000)
    assert [rung for _, rung in changes] == list(range(top - 1, -1, -1))
    assert [b - a for (a, _), (b, _) in pairwise(changes)] == [10_000] * (top - 1)
    assert changes[0][0] == 18_000


def test_between_the_thresholds_nothing_moves() -> None:
    ladder = Ladder(AsrSettings())
    run(ladder, BUSY, 0, 3_000)
    between = Load(busy_share=0.6, partial_age_ms=850, queue_age_ms=0)
    assert run(ladder, between, 3_000, 60_000) == []


@given(
    st.lists(
        st.builds(
            Load,
            busy_share=st.floats(0, 1),
            partial_age_ms=st.floats(0, 5_000),
            queue_age_ms=st.floats(0, 9_000),
        ),
        max_size=200,
    )
)
def test_the_ladder_moves_one_rung_at_a_time_and_stays_on_it(loads: list[Load]) -> None:
    ladder = Ladder(AsrSettings())
    rungs = [0]
    for step, load in enumerate(loads):
        ladder.update(load, 500 * step)
        rungs.append(ladder.rung)
    assert all(abs(b - a) <= 1 for a, b in pairwise(rungs))
    assert all(0 <= rung < len(LEVELS) for rung in rungs)
