"""Limits count audio and messages against a clock that the test turns (A21, F15)."""

from __future__ import annotations

import pytest

from server.adapters.contract import IngestError
from server.adapters.pace import AudioLimit, Rate, RateCheck, TextLimit

pytestmark = pytest.mark.unit


def test_twenty_texts_in_a_second_pass_and_the_next_is_told_when_to_come() -> None:
    limit = TextLimit()
    for at_ms in range(0, 1_000, 50):
        limit.add(at_ms)
    with pytest.raises(IngestError) as refused:
        limit.add(999)
    assert (refused.value.code, refused.value.close_code) == ("rate_limited", 4429)
    assert refused.value.retry_after_ms == 1
    limit.add(1_000)


def test_five_seconds_may_come_at_once_and_then_half_as_much_again_as_passes() -> None:
    limit = AudioLimit(0)
    limit.add(5_000, 0)
    for at_ms in range(100, 60_000, 100):
        limit.add(150, at_ms)
    with pytest.raises(IngestError) as refused:
        limit.add(300, 59_900)
    assert refused.value.retry_after_ms == 200


def test_the_limit_counts_audio_and_not_messages() -> None:
    limit = AudioLimit(0)
    for _ in range(5_000):
        limit.add(1, 0)
    with pytest.raises(IngestError):
        limit.add(1, 0)


def test_what_was_recorded_while_the_socket_was_lost_may_come_at_once() -> None:
    limit = AudioLimit(0)
    limit.resumed(60_000)
    limit.add(64_000, 1_000)
    with pytest.raises(IngestError):
        limit.add(5_000, 1_000)


@pytest.mark.parametrize(
    ("factor", "verdict"),
    [
        (1.0, Rate.RIGHT),
        (1.001, Rate.RIGHT),
        (0.981, Rate.RIGHT),
        (1.03, Rate.OFF),
        (0.97, Rate.OFF),
        (1.5, Rate.OFF),
        (2.0, Rate.WRONG),
        (1.95, Rate.WRONG),
        (0.5, Rate.WRONG),
        (0.52, Rate.WRONG),
    ],
)
def test_a_rate_is_judged_after_ten_seconds(factor: float, verdict: Rate) -> None:
    check = RateCheck()
    judged = {check.add(round(ms * factor), ms) for ms in range(0, 9_999, 20)}
    assert judged == {Rate.RIGHT}
    assert check.add(round(10_000 * factor), 10_000) is verdict
    assert check.factor == pytest.approx(factor, rel=1e-3)


def test_a_source_that_was_silent_is_measured_anew() -> None:
    check = RateCheck()
    for ms in range(0, 9_000, 20):
        check.add(ms, ms)
    verdicts = {check.add(ms - 3_000, ms) for ms in range(12_000, 30_000, 20)}
    assert verdicts == {Rate.RIGHT}
