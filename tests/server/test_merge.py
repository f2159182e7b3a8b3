"""One order for all observations, whatever order they came in."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation.events import AudioGap, Channel, Event, SpeechEnded, SpeechStarted
from server.merge import Merger

pytestmark = pytest.mark.unit


def started(at_ms: int, channel: Channel = Channel.AGENT) -> SpeechStarted:
    return SpeechStarted(at_ms=at_ms, channel=channel, start_ms=at_ms)


def ended(at_ms: int, channel: Channel = Channel.AGENT) -> SpeechEnded:
    return SpeechEnded(at_ms=at_ms, channel=channel, start_ms=0, end_ms=at_ms)


def test_nothing_is_released_above_the_watermark() -> None:
    merger = Merger()
    merger.add([started(10), started(11)])
    assert merger.release(10) == [started(10)]
    assert merger.newest_ms == 11
    assert merger.release(11) == [started(11)]
    assert merger.newest_ms == 11


def test_at_one_time_the_agent_comes_first_and_an_end_before_a_start() -> None:
    merger = Merger()
    gap = AudioGap(at_ms=5, channel=Channel.AGENT, begin_ms=0, end_ms=5, reason="loss")
    merger.add([started(5, Channel.CUSTOMER), started(5), ended(5), gap])
    assert merger.release(5) == [gap, ended(5), started(5), started(5, Channel.CUSTOMER)]


@given(
    st.lists(st.tuples(st.integers(0, 50), st.sampled_from(Channel), st.booleans())),
    st.randoms(),
)
def test_the_order_of_arrival_changes_nothing(
    drawn: list[tuple[int, Channel, bool]], random: Random
) -> None:
    events: list[Event] = [
        (started if start else ended)(at_ms, channel) for at_ms, channel, start in set(drawn)
    ]
    shuffled = list(events)
    random.shuffle(shuffled)
    one, other = Merger(), Merger()
    one.add(events)
    other.add(shuffled)
    assert one.release(60) == other.release(60)
