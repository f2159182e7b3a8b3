"""The native protocol without sockets: what is accepted, what it means, what is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from audio.chunks import AudioChunk
from conversation.events import (
    AudioGap,
    CallEnded,
    CapturePaused,
    CaptureResumed,
    Channel,
    HoldEnded,
    HoldStarted,
)
from server.adapters.contract import IngestError
from server.ingest import IngestDecoder, Start, read_start

pytestmark = pytest.mark.unit
START: dict[str, Any] = {
    "type": "start",
    "version": 1,
    "channels": ["agent", "customer"],
    "encoding": "pcm_s16le",
    "sample_rate": 8000,
}


def start(**changes: Any) -> Start:
    return read_start(json.dumps({**START, **changes}))


def started(**changes: Any) -> IngestDecoder:
    return IngestDecoder(start(**changes))


def frames(count: int, agent: int = 100, customer: int = -100) -> bytes:
    return np.tile(np.array([agent, customer], dtype="<i2"), count).tobytes()


def test_interleaved_samples_become_one_chunk_for_each_side() -> None:
    decoder = started()
    first = decoder.feed_bytes(frames(800))
    second = decoder.feed_bytes(frames(800, agent=3_277))
    assert [i.channel for i in first if isinstance(i, AudioChunk)] == ["agent", "customer"]
    assert all(isinstance(i, AudioChunk) and i.first_sample == 800 for i in second)
    assert isinstance(second[0], AudioChunk)
    assert second[0].samples[0] == pytest.approx(0.1, abs=1e-4)


def test_the_order_of_the_channels_is_the_sources() -> None:
    decoder = started(channels=["customer", "agent"])
    chunks = decoder.feed_bytes(frames(80, agent=1, customer=2))
    assert [c.channel for c in chunks if isinstance(c, AudioChunk)] == ["customer", "agent"]


def test_a_gap_without_a_channel_moves_every_clock() -> None:
    decoder = started()
    decoder.feed_bytes(frames(800))
    gaps = decoder.feed_text('{"type":"gap","ms":250,"reason":"loss"}')
    assert [(g.channel, g.begin_ms, g.end_ms) for g in gaps if isinstance(g, AudioGap)] == [
        ("agent", 100, 350),
        ("customer", 100, 350),
    ]
    (chunk, _) = decoder.feed_bytes(frames(8))
    assert isinstance(chunk, AudioChunk)
    assert chunk.start_ms == 350


def test_a_gap_of_one_channel_masks_its_next_samples_and_no_others() -> None:
    decoder = started()
    decoder.feed_bytes(frames(800))
    (gap,) = decoder.feed_text('{"type":"gap","channel":"customer","ms":50,"reason":"overrun"}')
    assert isinstance(gap, AudioGap)
    assert (gap.channel, gap.begin_ms, gap.end_ms) == (Channel.CUSTOMER, 100, 150)
    (only,) = decoder.feed_bytes(frames(200))
    assert isinstance(only, AudioChunk)
    assert (only.channel, only.first_sample) == (Channel.AGENT, 800)
    agent, customer = decoder.feed_bytes(frames(400))
    assert isinstance(agent, AudioChunk)
    assert isinstance(customer, AudioChunk)
    assert (agent.first_sample, len(agent.samples)) == (1_000, 400)
    assert (customer.first_sample, len(customer.samples)) == (1_200, 200)


def test_an_unknown_gap_reason_counts_as_loss() -> None:
    gap, _ = started().feed_text('{"type":"gap","ms":10,"reason":"<script>"}')
    assert isinstance(gap, AudioGap)
    assert gap.reason == "loss"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("pause", CapturePaused),
        ("resume", CaptureResumed),
        ("hold", HoldStarted),
        ("unhold", HoldEnded),
        ("stop", CallEnded),
    ],
)
def test_control_messages(name: str, kind: type) -> None:
    (item,) = started().feed_text(json.dumps({"type": name}))
    assert isinstance(item, kind)


@pytest.mark.parametrize(
    ("changes", "code", "close_code"),
    [
        ({"type": "begin"}, "bad_start", 4400),
        ({"surprise": 1}, "bad_start", 4400),
        ({"version": 2}, "unsupported_version", 4400),
        ({"encoding": "opus"}, "unsupported_format", 4415),
        ({"encoding": "mulaw", "sample_rate": 16000}, "unsupported_format", 4415),
        ({"sample_rate": 11025}, "unsupported_format", 4415),
        ({"channels": ["agent", "agent"]}, "unsupported_format", 4415),
        ({"channels": ["agent", "mixed"]}, "unsupported_format", 4415),
        ({"channels": []}, "unsupported_format", 4415),
        ({"channels": ["left"]}, "bad_start", 4400),
        ({"agent": "a" * 257}, "bad_start", 4400),
        ({"metadata": {"note": "a" * 257}}, "bad_start", 4400),
        ({"metadata": {str(i): "" for i in range(33)}}, "bad_start", 4400),
        ({"metadata": {"consent": "maybe"}}, "bad_start", 4400),
        ({"call_id": "a" * 65}, "bad_start", 4400),
        ({"call_id": "a\u2024b"}, "bad_start", 4400),
        ({"call_id": "*"}, "bad_start", 4400),
        ({"call_id": ""}, "bad_start", 4400),
        ({"call_id": "../etc"}, "bad_start", 4400),
    ],
)
def test_a_bad_start_is_refused_by_code(
    changes: dict[str, Any], code: str, close_code: int
) -> None:
    with pytest.raises(IngestError) as refused:
        started(**changes)
    assert (refused.value.code, refused.value.close_code) == (code, close_code)


def test_a_source_that_comes_back_sends_again_what_is_known_and_it_counts_once() -> None:
    decoder = started()
    decoder.feed_bytes(frames(1_600))
    assert decoder.resume(start(resume_from_ms=150)) == []
    assert decoder.position_ms == 150
    agent, _ = decoder.feed_bytes(frames(800))
    assert isinstance(agent, AudioChunk)
    assert (agent.first_sample, len(agent.samples)) == (1_600, 400)


def test_audio_that_never_came_is_a_disconnect_gap() -> None:
    decoder = started()
    decoder.feed_bytes(frames(800))
    gap, _ = decoder.resume(start(resume_from_ms=400))
    assert isinstance(gap, AudioGap)
    assert (gap.begin_ms, gap.end_ms, gap.reason) == (100, 400, "disconnect")
    (agent, _) = decoder.feed_bytes(frames(8))
    assert isinstance(agent, AudioChunk)
    assert agent.start_ms == 400


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sample_rate": 16000, "resume_from_ms": 0}, "format_changed"),
        ({"encoding": "mulaw", "resume_from_ms": 0}, "format_changed"),
        ({}, "bad_start"),
        ({"resume_from_ms": -1}, "bad_start"),
    ],
)
def test_a_call_goes_on_in_its_own_format_from_a_position(
    changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(IngestError) as refused:
        started().resume(start(**changes))
    assert refused.value.code == code


def test_half_a_sample_frame_and_too_large_a_message_are_refused() -> None:
    with pytest.raises(IngestError) as half:
        started().feed_bytes(frames(2)[:-1])
    assert half.value.close_code == 4422
    with pytest.raises(IngestError) as large:
        started().feed_bytes(bytes(65_540))
    assert large.value.close_code == 1009


@pytest.mark.parametrize(
    "gap",
    ["{}", '{"ms":0}', '{"ms":-5}', '{"ms":true}', '{"ms":1e9}', '{"ms":5,"channel":"mixed"}'],
)
def test_a_gap_that_says_nothing_sensible_is_refused(gap: str) -> None:
    message = {**json.loads(gap), "type": "gap"}
    with pytest.raises(IngestError) as refused:
        started().feed_text(json.dumps(message))
    assert refused.value.code == "bad_message"


@pytest.mark.parametrize("channels", [["agent"], ["customer"], ["mixed"]])
def test_a_call_may_have_one_side(channels: list[str]) -> None:
    decoder = started(channels=channels)
    (chunk,) = decoder.feed_bytes(frames(80))
    assert isinstance(chunk, AudioChunk)
    assert (chunk.channel, len(chunk.samples)) == (channels[0], 160)


@pytest.mark.parametrize(
    "bad",
    [
        '{"type":"dance"}',
        '{"type":"stop","now":true}',
        '{"type":"hold","ms":1}',
        "[]",
        "{",
        "\ud800",
        "[" * 10_000,
        '{"type":"resume","paused_ms":-1}',
    ],
)
def test_nine_bad_messages_are_forgiven_and_the_tenth_ends_the_call(bad: str) -> None:
    decoder = started()
    for attempt in range(10):
        with pytest.raises(IngestError) as refused:
            decoder.feed_text(bad)
        assert (refused.value.code, refused.value.close_code) == ("bad_message", 4400)
        assert refused.value.fatal == (attempt == 9)


def paused(decoder: IngestDecoder, resume: str, until_ms: int) -> list[AudioGap]:
    decoder.feed_text('{"type":"pause"}', 1_000)
    items = decoder.feed_text(resume, until_ms)
    assert isinstance(items[-1], CaptureResumed)
    return [item for item in items if isinstance(item, AudioGap)]


def test_a_source_that_sent_nothing_in_a_pause_says_how_long_it_was() -> None:
    decoder = started()
    decoder.feed_bytes(frames(800))
    gaps = paused(decoder, '{"type":"resume","paused_ms":8200}', 999_999)
    assert [(g.begin_ms, g.end_ms, g.reason, g.clock) for g in gaps] == [
        (100, 8_300, "pause", None)
    ] * 2
    assert decoder.position_ms == 8_300


def test_a_pause_of_unknown_length_is_measured_here_and_marked() -> None:
    gaps = paused(started(), '{"type":"resume"}', 3_014)
    assert [(g.begin_ms, g.end_ms, g.clock) for g in gaps] == [(0, 2_010, "server")] * 2


def test_audio_sent_in_a_pause_counts_and_no_gap_is_added() -> None:
    decoder = started()
    decoder.feed_text('{"type":"pause"}', 0)
    decoder.feed_bytes(frames(1_600))
    items = decoder.feed_text('{"type":"resume"}', 5_000)
    assert [type(item) for item in items] == [CaptureResumed]
    assert decoder.position_ms == 200


def test_samples_that_come_again_are_not_counted_as_new_audio() -> None:
    decoder = started()
    decoder.feed_bytes(frames(1_600))
    decoder.resume(start(resume_from_ms=150))
    assert decoder.fresh_ms(frames(800)) == pytest.approx(50)
    assert started().fresh_ms(frames(800)) == pytest.approx(100)
