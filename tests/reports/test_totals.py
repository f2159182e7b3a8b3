"""Whatever a call holds, its report adds up."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversation.conversation import Conversation
from conversation.events import (
    AudioGap,
    CallEnded,
    CallStarted,
    CapturePaused,
    CaptureResumed,
    Channel,
    CueRaised,
    Event,
    FinalTranscript,
    HoldEnded,
    HoldStarted,
    Observation,
    OverlapClass,
    OverlapEnded,
    PromiseMade,
    RaisedVoiceEnded,
    SpeechEnded,
    SpeechStarted,
    Word,
)
from conversation.settings import ConversationSettings
from reports.build import build_report
from reports.exports import EXPORTS, export
from reports.log import COUNTED_CONFIDENCE
from reports.model import Report

pytestmark = pytest.mark.property
SIDES = (Channel.AGENT, Channel.CUSTOMER)
SAYINGS = (
    "yes",
    "I am really frustrated, this is the third time I call about the same bill",
    "I am so sorry, that must be exhausting",
    "You should have called us before",
    "we will send you a refund soon",
    "I will call you back on Thursday by noon",
    "the meter is in the hall next to the door and I",
)
talk = st.tuples(
    st.sampled_from(SIDES),
    st.integers(200, 6_000),  # silence of this side before it speaks
    st.integers(150, 9_000),  # how long it speaks
    st.sampled_from(SAYINGS),
)
disturbance = st.tuples(
    st.sampled_from(("hold", "pause", "gap")), st.integers(0, 60_000), st.integers(100, 8_000)
)


def spoken(index: int, side: Channel, start_ms: int, end_ms: int, text: str) -> list[Observation]:
    texts = text.split()
    step = (end_ms - start_ms) // len(texts)
    words = tuple(
        Word(text=t, start_ms=start_ms + i * step, end_ms=start_ms + (i + 1) * step,
             probability=0.9)
        for i, t in enumerate(texts)
    )  # fmt: skip
    return [
        SpeechStarted(at_ms=start_ms + 96, channel=side, start_ms=start_ms),
        SpeechEnded(at_ms=end_ms + 96, channel=side, start_ms=start_ms, end_ms=end_ms),
        FinalTranscript(
            at_ms=end_ms + 750,
            channel=side,
            utterance_id=f"u-{index}",
            rev=1,
            start_ms=start_ms,
            end_ms=end_ms,
            text=text,
            words=words,
        ),
    ]


def disturbed(kind: str, begin_ms: int, length_ms: int) -> list[Observation]:
    end_ms = begin_ms + length_ms
    if kind == "hold":
        return [HoldStarted(at_ms=begin_ms), HoldEnded(at_ms=end_ms)]
    if kind == "pause":
        return [CapturePaused(at_ms=begin_ms, mode="manual"), CaptureResumed(at_ms=end_ms)]
    return [
        AudioGap(
            at_ms=end_ms,
            channel=Channel.AGENT,
            begin_ms=begin_ms,
            end_ms=end_ms,
            reason="loss",
        )
    ]


@st.composite
def logs(draw: st.DrawFn) -> list[Event]:
    at_ms = dict.fromkeys(SIDES, 0)
    observations: list[Observation] = []
    for index, (side, wait_ms, long_ms, text) in enumerate(draw(st.lists(talk, max_size=25))):
        start_ms = at_ms[side] + wait_ms
        at_ms[side] = start_ms + long_ms
        observations += spoken(index, side, start_ms, at_ms[side], text)
    for kind, begin_ms, length_ms in draw(st.lists(disturbance, max_size=2)):
        observations += disturbed(kind, begin_ms, length_ms)
    observations.sort(key=lambda event: event.at_ms)
    end_ms = max((event.at_ms for event in observations), default=0) + draw(st.integers(0, 9_000))
    started = CallStarted(
        at_ms=0,
        call_id="c",
        started_at="2026-01-01T00:00:00+00:00",
        channels=SIDES,
        source="file",
    )
    core = Conversation.create(ConversationSettings())
    events: list[Event] = []
    seen: list[Observation] = [started, *observations, CallEnded(at_ms=end_ms)]
    for observation in seen:
        events += [observation, *core.receive(observation)]
    return events + list(core.final_pass(seen))


def check_totals(report: Report) -> None:
    times = report.talk
    assert times.agent_ms is not None
    assert times.customer_ms is not None
    assert times.overlap_ms is not None
    both = times.agent_ms + times.customer_ms
    assert both + times.silence_ms - times.overlap_ms == report.quality.scored_ms
    assert times.overlap_ms <= min(times.agent_ms, times.customer_ms)


def check_counts(report: Report, events: list[Event]) -> None:
    kinds = Counter(type(event) for event in events)
    assert len(report.cues) == kinds[CueRaised]
    assert len(report.promises) == kinds[PromiseMade]
    assert len(report.raised_voice.events) == kinds[RaisedVoiceEnded]
    ended = [event for event in events if isinstance(event, OverlapEnded)]
    newest = max((event.revision for event in ended), default=0)
    shown = {event.id for event in report.interruptions.events}
    assert shown == {event.id for event in ended if event.revision == newest}
    for party, counts in report.interruptions.by.items():
        own = [event for event in report.interruptions.events if event.by == party]
        sure = [event for event in own if event.confidence >= COUNTED_CONFIDENCE]
        by_class = Counter(event.overlap_class for event in sure)
        for name in OverlapClass:
            if name is OverlapClass.BLEED:
                continue
            assert getattr(counts, name) == by_class[name]
        assert counts.possible == len(own) - len(sure)
        assert counts.overlap_ms == sum(event.overlap_ms for event in sure)


def check_evidence(report: Report) -> None:
    for part in report.scorecard:
        assert 0 <= part.delivered <= part.opportunities
        if part.delivered < part.opportunities:
            assert part.evidence, part.behaviour
        assert len(part.spans) == part.opportunities
        assert sum(s.verdict == "delivered" for s in part.spans) == part.delivered
        if part.score is not None:
            assert part.opportunities >= 3
    acts = {act.id for act in report.acts}
    assert all(set(s.acts) <= acts for part in report.scorecard for s in part.spans)
    for moment in part_sources(report):
        assert 0 <= moment <= report.call.duration_ms


def part_sources(report: Report) -> list[int]:
    return [e.at_ms for p in report.scorecard for e in p.evidence] + [
        moment.at_ms for moment in report.practise
    ]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(logs())
def test_totals_counts_and_evidence_of_any_log_add_up(events: list[Event]) -> None:
    report = build_report(events)
    check_totals(report)
    check_counts(report, events)
    check_evidence(report)
    assert report.summary is not None
    assert report.summary.endswith(".")
    for name in EXPORTS:
        assert export(name, report, events).keys()
