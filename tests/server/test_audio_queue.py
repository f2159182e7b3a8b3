"""What waits for analysis is bounded by its length, and no gap holds up other calls."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from audio.chunks import AudioChunk
from conversation.events import AudioGap, Channel, HoldStarted
from server.adapters.contract import gap
from server.audio_queue import AudioQueue

pytestmark = pytest.mark.unit
RATE_HZ = 8_000


def audio(begin_ms: int, length_ms: int, channel: Channel = Channel.AGENT) -> AudioChunk:
    samples = np.zeros(length_ms * 8, dtype=np.float32)
    return AudioChunk(
        channel=channel, first_sample=begin_ms * 8, samples=samples, sample_rate_hz=RATE_HZ
    )


def test_a_turn_has_three_tenths_of_a_second_of_each_channel() -> None:
    async def scenario() -> None:
        queue = AudioQueue(2)
        for at_ms in range(0, 800, 20):
            await queue.put(
                [audio(at_ms, 20), audio(at_ms, 20, Channel.CUSTOMER), HoldStarted(at_ms=0)]
            )
        turn = await queue.get(1)
        assert turn is not None
        assert sum(isinstance(item, AudioChunk) for item in turn) == 30

    asyncio.run(scenario())


def test_who_can_wait_waits_while_five_seconds_are_waiting() -> None:
    async def scenario() -> None:
        queue = AudioQueue(1)
        await queue.put([audio(0, 5_000)])
        waiting = asyncio.ensure_future(queue.put([audio(5_000, 100)]))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        await queue.get(1)
        await waiting
        assert not queue.full

    asyncio.run(scenario())


def test_who_cannot_wait_loses_the_oldest_audio_and_it_is_a_gap() -> None:
    async def scenario() -> None:
        queue = AudioQueue(1)
        for at_ms in range(0, 5_000, 1_000):
            await queue.put([audio(at_ms, 1_000)])
        await queue.put_soon([audio(5_000, 1_000)], 0.01)
        oldest = await queue.get(1)
        assert oldest is not None
        assert isinstance(oldest[0], AudioGap)
        assert (oldest[0].begin_ms, oldest[0].end_ms, oldest[0].reason) == (0, 1_000, "overrun")

    asyncio.run(scenario())


def test_a_long_gap_is_settled_in_parts_on_both_channels_together() -> None:
    async def scenario() -> list[AudioGap]:
        queue = AudioQueue(2)
        await queue.put([gap(c, 0, 25_000 * 8, RATE_HZ, "pause") for c in Channel][:2])
        await queue.put([audio(25_000, 20)])
        queue.close()
        parts: list[AudioGap] = []
        while (turn := await queue.get(1)) is not None:
            gaps = [item for item in turn if isinstance(item, AudioGap)]
            assert len(gaps) in (0, 2)
            parts += gaps
        return parts

    parts = asyncio.run(scenario())
    assert [(p.channel, p.begin_ms, p.end_ms, p.at_ms) for p in parts] == [
        ("agent", 0, 10_000, 10_000),
        ("customer", 0, 10_000, 10_000),
        ("agent", 10_000, 20_000, 20_000),
        ("customer", 10_000, 20_000, 20_000),
        ("agent", 20_000, 25_000, 25_000),
        ("customer", 20_000, 25_000, 25_000),
    ]


def test_an_end_is_told_once_everything_has_been_given_out() -> None:
    async def scenario() -> None:
        queue = AudioQueue(1)
        assert await queue.get(0.001) == []
        await queue.put([])
        assert await queue.get(0.001) == []
        await queue.put([audio(0, 100)])
        queue.close()
        assert await queue.get(1) != []
        assert await queue.get(1) is None

    asyncio.run(scenario())
