"""Every encoding, rate and choice of sides that the native protocol takes, end to end."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from audio.g711 import ALAW_TABLE, MULAW_TABLE
from reports.build import build_report
from server.runner import Running
from tests.server.live import expect, finished, native, serving, started_of

pytestmark = [pytest.mark.server, pytest.mark.model]
SECONDS = 1


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with serving() as running:
        yield running


def tone(rate_hz: int) -> np.ndarray:
    times = np.arange(SECONDS * rate_hz) / rate_hz
    return (8_000 * np.sin(2 * np.pi * 300 * times)).astype("<i2")


def encoded(encoding: str, rate_hz: int, channels: int) -> bytes:
    samples = np.repeat(tone(rate_hz), channels)
    if encoding == "pcm_s16le":
        return samples.tobytes()
    table = MULAW_TABLE if encoding == "mulaw" else ALAW_TABLE
    order = np.argsort(table, kind="stable")
    nearest = np.searchsorted(table[order], samples).clip(0, 255)
    return bytes(order[nearest].astype(np.uint8))


@pytest.mark.parametrize(
    ("encoding", "rate_hz", "channels"),
    [
        ("pcm_s16le", 8_000, ["customer", "agent"]),
        ("pcm_s16le", 16_000, ["agent", "customer"]),
        ("pcm_s16le", 24_000, ["agent", "customer"]),
        ("pcm_s16le", 32_000, ["agent"]),
        ("pcm_s16le", 44_100, ["agent", "customer"]),
        ("pcm_s16le", 48_000, ["mixed"]),
        ("mulaw", 8_000, ["customer"]),
        ("alaw", 8_000, ["agent", "customer"]),
    ],
)
def test_a_second_of_it_is_a_second_of_the_call(
    server: Running, encoding: str, rate_hz: int, channels: list[str]
) -> None:
    call_id = f"{encoding}-{rate_hz}-{len(channels)}-{channels[0]}"
    audio = encoded(encoding, rate_hz, len(channels))
    width = (2 if encoding == "pcm_s16le" else 1) * len(channels)
    block = rate_hz // 10 * width
    with native(
        server,
        call_id=call_id,
        encoding=encoding,
        sample_rate=rate_hz,
        channels=channels,
        metadata={"team": "north"},
    ) as (socket, _):
        for at in range(0, len(audio), block):
            socket.send(audio[at : at + block])
        socket.send('{"type":"stop"}')
        expect(socket, "stopped")
    events = finished(server, call_id)
    started = started_of(events)
    assert list(started.channels) == channels
    assert started.metadata == {"team": "north"}
    report = build_report(events)
    assert report.call.duration_ms == SECONDS * 1_000
    assert report.quality.direction_known == (len(channels) == 2)
    if len(channels) == 1:
        assert report.interruptions.by["agent"].successful is None
        assert report.talk.talk_share_agent is None
