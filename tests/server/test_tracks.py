"""Frames in any order within 200 ms are the frames in order; what is later is a gap (F13)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio.chunks import AudioChunk, Samples
from conversation.events import AudioGap, Channel
from server.adapters.contract import IngestError, Item, gap
from server.adapters.tracks import Lanes, Track

pytestmark = [pytest.mark.unit, pytest.mark.property]
RATE_HZ = 8_000
FRAME = 160


def frame(number: int) -> tuple[int, Samples]:
    """Twenty milliseconds whose samples carry their own position."""
    first = number * FRAME
    return first, np.arange(first, first + FRAME, dtype=np.float32)


def heard(items: list[Item]) -> tuple[list[float], list[tuple[int, int, str]]]:
    """Samples and gaps, after checking that they follow one another."""
    samples: list[float] = []
    gaps = []
    position = 0
    for item in items:
        if isinstance(item, AudioChunk):
            assert item.first_sample == position
            position += len(item.samples)
            samples += item.samples.tolist()
        elif isinstance(item, AudioGap):
            assert item.begin_ms * 8 == position
            position = item.end_ms * 8
            gaps.append((item.begin_ms, item.end_ms, item.reason))
    return samples, gaps


def played(numbers: list[int], *, complete: bool = False, reason: str = "loss") -> list[Item]:
    track = Track(Channel.AGENT, RATE_HZ, reason)
    items: list[Item] = []
    for number in numbers:
        items += track.push(*frame(number), complete=complete)
    return items + track.flush()


@given(st.lists(st.integers(0, 9), min_size=40, max_size=40), st.data())
def test_any_order_and_doubling_within_the_window_is_the_sorted_input(
    delays: list[int], data: st.DataObject
) -> None:
    arrivals = sorted(range(40), key=lambda n: (n + delays[n], n))
    doubled = data.draw(st.lists(st.sampled_from(arrivals), max_size=10))
    order = arrivals + doubled
    assert heard(played(order)) == heard(played(list(range(40))))


def test_a_lost_frame_is_a_gap_once_the_window_has_passed() -> None:
    track = Track(Channel.AGENT, RATE_HZ)
    given_out = track.push(*frame(0))
    for number in range(2, 12):
        given_out += track.push(*frame(number))
        assert len(given_out) == 1
    given_out += track.push(*frame(12))
    assert heard(given_out)[1] == [(20, 40, "loss")]


def test_a_lost_frame_is_a_gap_at_once_when_the_numbers_show_that_nothing_comes() -> None:
    track = Track(Channel.AGENT, RATE_HZ)
    items = track.push(*frame(0), complete=True) + track.push(*frame(2), complete=True)
    assert heard(items)[1] == [(20, 40, "loss")]


def test_a_frame_later_than_the_window_is_a_late_gap_and_is_dropped() -> None:
    order = [0, *range(2, 14), 1, 14]
    samples, gaps = heard(played(order, reason="late"))
    assert gaps == [(20, 40, "late")]
    assert len(samples) == 14 * FRAME


@pytest.mark.parametrize("label_ms", [-9, 9])
def test_a_label_that_is_a_little_off_is_no_loss(label_ms: int) -> None:
    track = Track(Channel.AGENT, RATE_HZ)
    items = track.push(*frame(0))
    items += track.push(FRAME + label_ms * 8, frame(1)[1])
    samples, gaps = heard(items + track.flush())
    assert (len(samples), gaps) == (2 * FRAME, [])


def test_labels_that_drift_are_a_gap_as_soon_as_they_are_ten_milliseconds_off() -> None:
    track = Track(Channel.AGENT, RATE_HZ)
    items: list[Item] = []
    for number in range(100):
        items += track.push(number * 168, frame(number)[1], complete=True)
    _, gaps = heard(items)
    assert gaps
    assert all(end - begin == 10 for begin, end, _ in gaps)


@pytest.mark.parametrize("position", [-1, 10**15])
def test_a_timestamp_outside_any_call_is_refused(position: int) -> None:
    with pytest.raises(IngestError, match="longest call"):
        Track(Channel.AGENT, RATE_HZ).push(position, frame(0)[1])


def chunk(channel: Channel, first: int, count: int) -> AudioChunk:
    samples = np.zeros(count, dtype=np.float32)
    return AudioChunk(channel=channel, first_sample=first, samples=samples, sample_rate_hz=RATE_HZ)


def of(channel: Channel, items: list[Item]) -> list[Item]:
    return [i for i in items if isinstance(i, AudioChunk | AudioGap) and i.channel is channel]


def test_a_channel_half_a_second_behind_is_given_a_gap_and_rejoins() -> None:
    lanes = Lanes((Channel.AGENT, Channel.CUSTOMER), RATE_HZ)
    items: list[Item] = lanes.place([chunk(Channel.CUSTOMER, 0, 800)], 0)
    for at in range(0, 16_000, 160):
        items += lanes.place([chunk(Channel.AGENT, at, 160)], at // 8)
    items += lanes.place([chunk(Channel.CUSTOMER, 800, 15_200)], 2_000)
    samples, gaps = heard(of(Channel.CUSTOMER, items))
    assert gaps[0][0] == 100
    assert all(reason == "loss" for _, _, reason in gaps)
    assert len(samples) + sum(end - begin for begin, end, _ in gaps) * 8 == 16_000
    assert sum(end - begin for begin, end, _ in gaps) < 1_800


def test_a_channel_that_delivers_slowly_while_the_other_bursts_loses_nothing() -> None:
    lanes = Lanes((Channel.AGENT, Channel.CUSTOMER), RATE_HZ)
    items = lanes.place([chunk(Channel.AGENT, 0, 80_000)], 0)
    for at in range(0, 80_000, 8_000):
        items += lanes.place([chunk(Channel.CUSTOMER, at, 8_000)], at // 160)
    assert not [item for item in items if isinstance(item, AudioGap)]


def test_a_side_that_never_came_is_missing_when_the_call_ends() -> None:
    lanes = Lanes((Channel.AGENT, Channel.CUSTOMER), RATE_HZ)
    lanes.place([chunk(Channel.AGENT, 0, 8_000)], 0)
    (missing,) = lanes.level()
    assert isinstance(missing, AudioGap)
    assert (missing.channel, missing.begin_ms, missing.end_ms) == ("customer", 0, 1_000)


def test_channels_less_than_half_a_second_apart_are_left_alone() -> None:
    lanes = Lanes((Channel.AGENT, Channel.CUSTOMER), RATE_HZ)
    items = lanes.place([chunk(Channel.AGENT, 0, 4_000)], 0)
    items += lanes.place([chunk(Channel.CUSTOMER, 0, 4_000)], 900)
    assert not [item for item in items if isinstance(item, AudioGap)]


def test_a_second_stream_goes_on_where_the_call_is() -> None:
    lanes = Lanes((Channel.AGENT,), RATE_HZ)
    items = lanes.place([chunk(Channel.AGENT, 0, 800)], 0)
    items += lanes.cover(250, "disconnect", "server")
    offset = lanes.newest_ms * 8
    items += lanes.place([chunk(Channel.AGENT, 0, 800)], 0, offset)
    items += lanes.place([gap(Channel.AGENT, 800, 1_600, RATE_HZ, "pause")], 0, offset)
    assert heard(items)[1] == [(100, 350, "disconnect"), (450, 550, "pause")]


def test_what_a_stream_sends_again_is_known() -> None:
    lanes = Lanes((Channel.AGENT,), RATE_HZ)
    items = lanes.place([chunk(Channel.AGENT, 0, 800)], 0)
    items += lanes.place([chunk(Channel.AGENT, 400, 800)], 0)
    assert len(heard(items)[0]) == 1_200
