"""Dashboards get contiguous events after one snapshot; a slow one is sent away."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from conversation.events import (
    Channel,
    ClockAdvanced,
    Event,
    FinalTranscript,
    PartialTranscript,
    SpeechStarted,
)
from server.call_view import fold_all
from server.hub import QUEUE_MESSAGES, UNSHOWN, Audience, LiveCall, Subscriber, opening_of
from tests.golden.files import events_of
from tests.golden.scenes import SCENES

pytestmark = pytest.mark.unit


def speech(at_ms: int, channel: Channel = Channel.AGENT) -> SpeechStarted:
    return SpeechStarted(at_ms=at_ms, channel=channel, start_ms=at_ms)


def partial(rev: int, text: str) -> PartialTranscript:
    return PartialTranscript(
        at_ms=rev * 100,
        channel=Channel.AGENT,
        utterance_id="a-1",
        rev=rev,
        start_ms=0,
        audio_end_ms=rev * 100,
        stable=text,
        tail="",
        stable_words=1,
    )


def messages(subscriber: Subscriber) -> list[dict[str, Any]]:
    out = []
    while not subscriber.queue.empty():
        out.append(json.loads(subscriber.queue.get_nowait() or b""))
    return out


def test_events_follow_the_snapshot_without_a_hole() -> None:
    call = LiveCall("c")
    call.publish([speech(10), speech(20, Channel.CUSTOMER)], 100)
    subscriber, snapshot = call.subscribe()
    call.publish([speech(30)], 100)
    # The journal may be ahead of what was published when the snapshot was taken.
    journal = [speech(10), speech(20, Channel.CUSTOMER), speech(30)]
    told = json.loads(snapshot.as_events(journal))
    assert told["seq"] == 2
    assert [e["at_ms"] for e in told["events"]] == [10, 20]
    assert [m["seq"] for m in messages(subscriber)] == [3]


@pytest.mark.parametrize("name", SCENES)
def test_what_a_snapshot_leaves_out_changes_nothing_that_is_shown(name: str) -> None:
    events = events_of(name)
    for count in range(1, len(events) + 1, 7):
        call = LiveCall("c")
        call.publish(events[:count], 0)
        told = opening_of(events, Audience.AGENT, call.seq)
        known = [e for e in events[:count] if not isinstance(e, UNSHOWN)]
        assert len(told) <= len(known)
        # The recogniser's level also comes as an event of its own.
        same = {"position_ms": 0, "asr_level": 0}
        assert replace(fold_all(told), **same) == replace(fold_all(known), **same)


def test_the_clock_is_not_news() -> None:
    call = LiveCall("c")
    subscriber, _ = call.subscribe()
    call.publish([ClockAdvanced(at_ms=5)], 100)
    assert [m["type"] for m in messages(subscriber)] == []


def test_a_snapshot_holds_the_newest_partial_and_drops_it_for_the_final() -> None:
    call = LiveCall("c")
    events: list[Event] = [partial(1, "I"), partial(2, "I was")]
    call.publish(events, 200)
    _, snapshot = call.subscribe()
    told = json.loads(snapshot.as_events(events))["events"]
    assert [e["stable"] for e in told] == ["I was"]
    final = FinalTranscript(
        at_ms=900,
        channel=Channel.AGENT,
        utterance_id="a-1",
        rev=3,
        start_ms=0,
        end_ms=400,
        text="I was",
    )
    call.publish([final], 900)
    _, snapshot = call.subscribe()
    told = json.loads(snapshot.as_events([*events, final]))["events"]
    assert [e["type"] for e in told] == ["final_transcript"]


def test_a_dashboard_that_falls_behind_is_marked_and_holds_no_more_than_its_queue() -> None:
    call = LiveCall("c")
    subscriber, _ = call.subscribe()
    call.publish([speech(n) for n in range(QUEUE_MESSAGES)], 100)
    assert not subscriber.overrun
    call.publish([speech(999)], 100)
    assert subscriber.overrun
    assert subscriber.queue.qsize() == QUEUE_MESSAGES


def test_a_lost_position_is_no_reason_to_send_a_dashboard_away() -> None:
    call = LiveCall("c")
    subscriber, _ = call.subscribe()
    call.publish([speech(n) for n in range(QUEUE_MESSAGES)], 100)
    call.publish([], 5_000)
    assert not subscriber.overrun


def test_the_report_is_announced_when_the_call_is_over() -> None:
    call = LiveCall("c")
    subscriber, _ = call.subscribe()
    call.finish()
    assert call.over
    assert messages(subscriber) == [{"type": "report", "url": "/v1/calls/c/report.html"}]


def test_walls_share_a_card_for_less_than_half_a_second() -> None:
    live = LiveCall("c1")
    live.publish([speech(0)], 100)
    first = live.card("a", 10.0)
    live.publish([speech(500, Channel.CUSTOMER)], 600)
    assert live.card("a", 10.39) == first
    later = json.loads(live.card("a", 10.41))
    assert later["position_ms"] == 600
    assert [bar["start_ms"] for bar in later["speech"]] == [0, 500]
