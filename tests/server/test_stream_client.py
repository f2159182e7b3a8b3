"""Two live devices stay in step, whatever one of them loses."""

from __future__ import annotations

import numpy as np
import pytest

from audio.chunks import AudioChunk
from conversation.events import AudioGap, Channel
from server.stream_client import StreamError, ingest_url, to_blocks

pytestmark = pytest.mark.unit
RATE_HZ = 8_000


def chunk(channel: Channel, begin_ms: int, end_ms: int) -> AudioChunk:
    """Samples that carry their own position in milliseconds, as thousandths."""
    first, last = begin_ms * 8, end_ms * 8
    values = (np.arange(first, last) // 8 / 1000).astype(np.float32)
    return AudioChunk(channel=channel, first_sample=first, samples=values, sample_rate_hz=RATE_HZ)


def gap(channel: Channel, begin_ms: int, end_ms: int) -> AudioGap:
    return AudioGap(
        at_ms=end_ms, channel=channel, begin_ms=begin_ms, end_ms=end_ms, reason="overrun"
    )


def test_blocks_hold_both_sides_at_the_same_length() -> None:
    items = [
        chunk(Channel.AGENT, 0, 20),
        chunk(Channel.AGENT, 20, 40),
        chunk(Channel.CUSTOMER, 0, 30),
        chunk(Channel.CUSTOMER, 30, 40),
    ]
    blocks = list(to_blocks(items, RATE_HZ))
    sizes = [[len(part.samples) for part in b if isinstance(part, AudioChunk)] for b in blocks]
    assert sizes == [[240, 240], [80, 80]]
    assert all(first == second for first, second in sizes)


def test_audio_that_one_device_lost_does_not_shift_the_other() -> None:
    items: list[AudioChunk | AudioGap] = [
        chunk(Channel.AGENT, 0, 100),
        chunk(Channel.CUSTOMER, 0, 40),
        gap(Channel.CUSTOMER, 40, 80),
        chunk(Channel.CUSTOMER, 80, 100),
    ]
    heard: dict[Channel, dict[int, float]] = {Channel.AGENT: {}, Channel.CUSTOMER: {}}
    gaps = []
    for block in to_blocks(items, RATE_HZ):
        for part in block:
            if isinstance(part, AudioGap):
                gaps.append((part.channel, part.begin_ms, part.end_ms))
            else:
                heard[part.channel].update(enumerate(part.samples, part.first_sample))
    assert gaps == [(Channel.CUSTOMER, 40, 80)]
    assert len(heard[Channel.AGENT]) == len(heard[Channel.CUSTOMER]) == 800
    for at_ms in (0, 20, 90, 99):
        assert heard[Channel.AGENT][at_ms * 8] == heard[Channel.CUSTOMER][at_ms * 8]
    assert heard[Channel.CUSTOMER][60 * 8] == 0.0


def test_a_gap_is_announced_with_the_block_that_it_begins_in_step_with() -> None:
    items: list[AudioChunk | AudioGap] = [
        chunk(Channel.CUSTOMER, 0, 20),
        gap(Channel.CUSTOMER, 20, 60),
        chunk(Channel.AGENT, 0, 60),
    ]
    blocks = [list(block) for block in to_blocks(items, RATE_HZ)]
    assert [isinstance(part, AudioGap) for block in blocks for part in block] == [
        False, False, False, True, False,
    ]  # fmt: skip
    last = [part for part in blocks[1] if isinstance(part, AudioChunk)]
    assert {part.start_ms for part in last} == {20}


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("http://127.0.0.1:8787", "ws://127.0.0.1:8787/v1/ingest"),
        ("https://heartline.example/", "wss://heartline.example/v1/ingest"),
        ("ws://127.0.0.1:8787/v1/ingest", "ws://127.0.0.1:8787/v1/ingest"),
    ],
)
def test_a_server_may_be_named_by_its_page_or_its_socket(given: str, url: str) -> None:
    assert ingest_url(given) == url


@pytest.mark.parametrize("given", ["", "localhost", "ftp://localhost/", "8787"])
def test_what_is_no_address_is_refused_with_an_example(given: str) -> None:
    with pytest.raises(StreamError, match=r"http://127\.0\.0\.1:8787"):
        ingest_url(given)
