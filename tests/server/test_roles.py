"""Two sides that were mixed up are put right from the next sample, and in the whole report."""

from __future__ import annotations

import http.client
import json
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.chunks import AudioChunk
from conversation.events import (
    AudioGap,
    CallEnded,
    CallStarted,
    Channel,
    Event,
    RolesSwapped,
    SpeechEnded,
)
from reports.build import build_report
from reports.corrected import corrected
from server.adapters.contract import IngestError, gap, read_roles
from server.opening import open_session
from server.roles import Heard, RoleSwitch
from server.runner import Running
from server.session import CallSession
from tests.server.live import (
    close_code,
    expect,
    finished,
    hearing,
    native,
    reached,
    send_audio,
    serving,
    sides,
)

pytestmark = [pytest.mark.unit, pytest.mark.property, pytest.mark.server, pytest.mark.model]
PARTIES = (Channel.AGENT, Channel.CUSTOMER)


def chunk(channel: Channel, first: int, count: int) -> AudioChunk:
    samples = np.arange(first, first + count, dtype=np.float32)
    return AudioChunk(channel=channel, first_sample=first, samples=samples, sample_rate_hz=8_000)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(PARTIES), st.integers(1, 400)), min_size=4, max_size=40),
    st.integers(0, 40),
    st.lists(st.booleans(), min_size=40, max_size=40),
)
def test_a_swap_loses_no_sample_and_relabels_both_sides_at_one_time(
    blocks: list[tuple[Channel, int]], swap_after: int, lost: list[bool]
) -> None:
    switch = RoleSwitch(PARTIES, 8_000)
    at = dict.fromkeys(PARTIES, 0)
    out: list[Heard | RolesSwapped] = []
    for number, (channel, length_ms) in enumerate(blocks):
        if number == swap_after % len(blocks):
            switch.swap()
        begin, end = at[channel], at[channel] + length_ms * 8
        at[channel] = end
        item: Heard = (
            gap(channel, begin, end, 8_000, "loss")
            if lost[number]
            else chunk(channel, begin, end - begin)
        )
        out += switch.feed([item])
    level = max(at.values()) + 8_000
    for channel in PARTIES:
        out += switch.feed([chunk(channel, at[channel], level - at[channel])])
    (swapped,) = [item for item in out if isinstance(item, RolesSwapped)]
    position = dict.fromkeys(PARTIES, 0)
    for part in out:
        if isinstance(part, RolesSwapped):
            assert set(position.values()) == {swapped.at_ms * 8}
        elif isinstance(part, AudioGap):
            assert part.begin_ms * 8 == position[part.channel]
            position[part.channel] = part.end_ms * 8
        else:
            assert part.first_sample == position[part.channel] == part.samples[0]
            position[part.channel] += len(part.samples)
    assert set(position.values()) == {level}


def test_swapping_twice_before_the_next_sample_changes_nothing() -> None:
    switch = RoleSwitch(PARTIES, 8_000)
    switch.feed([chunk(Channel.AGENT, 0, 80)])
    switch.swap()
    switch.feed([chunk(Channel.AGENT, 80, 80)])
    switch.swap()
    (first, second) = switch.feed([chunk(Channel.AGENT, 160, 80)])
    assert isinstance(first, AudioChunk)
    assert isinstance(second, AudioChunk)
    assert (first.channel, second.channel) == (Channel.AGENT, Channel.AGENT)


@pytest.mark.parametrize("channels", [(Channel.AGENT,), (Channel.MIXED,)])
def test_a_call_with_one_side_cannot_be_swapped(channels: tuple[Channel, ...]) -> None:
    with pytest.raises(ValueError, match="agent's and a customer's side"):
        RoleSwitch(channels, 8_000).swap()


def test_a_mapping_names_tracks_and_parties() -> None:
    tracks = {"inbound": Channel.CUSTOMER, "outbound": Channel.AGENT}
    assert read_roles("", tracks) == tracks
    assert read_roles("inbound=agent", tracks) == {
        "inbound": Channel.AGENT,
        "outbound": Channel.CUSTOMER,
    }
    for wrong in ("inbound", "inbound=boss", "left=agent", "inbound=mixed"):
        with pytest.raises(IngestError, match="TRACK=agent"):
            read_roles(wrong, tracks)


# --------------------------------------------------------------------------- a whole call


def session() -> CallSession:
    return open_session(
        call_id="c",
        channels=PARTIES,
        sample_rate_hz=8_000,
        source="twilio",
        started_at="2026-01-01T00:00:00+00:00",
        hearing=hearing(),
        roles={"inbound": Channel.AGENT, "outbound": Channel.CUSTOMER},
    )


def heard(*, mixed_up_until_ms: int = 0) -> list[Event]:
    """Ten seconds; until a time the source has the two sides the wrong way round."""
    call = session()
    events = call.opening_events()
    for at in range(0, 80_000, 800):
        if mixed_up_until_ms and at == mixed_up_until_ms * 8:
            call.swap_roles()
        for side in PARTIES:
            label = side.other if mixed_up_until_ms else side
            part = sides()[side][at : at + 800]
            events += call.push(
                [AudioChunk(channel=label, first_sample=at, samples=part, sample_rate_hz=8_000)]
            )
    return events + call.finish()


@cache
def straight() -> tuple[Event, ...]:
    return tuple(heard())


def speech(events: Any, side: Channel) -> list[tuple[int, int]]:
    return [
        (e.start_ms, e.end_ms) for e in events if isinstance(e, SpeechEnded) and e.channel is side
    ]


def test_after_a_swap_each_voice_has_its_own_name() -> None:
    events = heard(mixed_up_until_ms=4_000)
    (swapped,) = [e for e in events if isinstance(e, RolesSwapped)]
    assert 4_000 <= swapped.at_ms <= 4_010
    for side in PARTIES:
        ours, right = (
            sum(
                end - max(begin, swapped.at_ms)
                for begin, end in speech(log, side)
                if end > swapped.at_ms
            )
            for log in (events, straight())
        )
        assert ours == pytest.approx(right, abs=600)
    voices = {side: speech(events, side) for side in PARTIES}
    assert sum(end - begin for begin, end in voices[Channel.AGENT] + voices[Channel.CUSTOMER])
    assert not [
        span for spans in voices.values() for span in spans if span[0] < swapped.at_ms < span[1]
    ]


def test_the_report_of_a_swapped_call_has_the_right_roles_throughout_and_says_so() -> None:
    events = heard(mixed_up_until_ms=4_000)
    rebuilt, right = corrected(events), straight()
    for side in PARTIES:
        measured = speech(rebuilt, side)
        assert sum(e - b for b, e in measured) == pytest.approx(
            sum(e - b for b, e in speech(right, side)), abs=200
        )
    assert isinstance(rebuilt[0], CallStarted)
    assert rebuilt[0].roles == {"inbound": Channel.CUSTOMER, "outbound": Channel.AGENT}
    assert isinstance(next(e for e in rebuilt if isinstance(e, CallEnded)), CallEnded)
    report, honest = build_report(events), build_report(right)
    assert any("roles swapped at 0:04" in warning for warning in report.quality.warnings)
    for figure in ("agent_ms", "customer_ms"):
        assert getattr(report.talk, figure) == pytest.approx(getattr(honest.talk, figure), abs=300)


def test_rebuilding_is_a_pure_function_and_leaves_an_unswapped_log_alone() -> None:
    events = heard(mixed_up_until_ms=4_000)
    assert corrected(events) == corrected(events)
    assert corrected(straight()) == list(straight())


def swap(server: Running, call_id: str, key: str | None = None) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    headers = {"Authorization": f"Bearer {key or server.user.key}"}
    connection.request("POST", f"/v1/calls/{call_id}/swap", headers=headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def test_a_running_call_is_swapped_over_http_by_who_may() -> None:
    with serving() as server:
        with native(server, call_id="mixed-up") as (socket, _):
            send_audio(socket, 0, 3_000)
            reached(server, "mixed-up", 1_000)
            assert swap(server, "mixed-up", "guess") == 401
            assert swap(server, "nothing") == 404
            assert swap(server, "mixed-up") == 202
            send_audio(socket, 3_000, 8_000)
            socket.send(json.dumps({"type": "stop"}))
            expect(socket, "stopped")
            assert close_code(socket) == 1000
        events = finished(server, "mixed-up")
        assert [type(e) for e in events].count(RolesSwapped) == 1
        assert swap(server, "mixed-up") == 404
        with native(server, call_id="one", channels=["agent"]):
            assert swap(server, "one") == 400
