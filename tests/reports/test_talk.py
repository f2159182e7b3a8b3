"""Talk figures, intervals and the audit of live cues, from small logs with known answers."""

from __future__ import annotations

import msgspec
import pytest

from conversation.events import (
    CallEnded,
    CallStarted,
    Channel,
    ChannelQuality,
    CueRaised,
    CueWithheld,
    Event,
    OverlapClass,
    OverlapEnded,
    SpeechEnded,
    TurnEnded,
    TurnStarted,
)
from reports.build import build_report
from reports.intervals import median_interval, poisson_interval, share_interval

pytestmark = pytest.mark.unit
AGENT, CUSTOMER = Channel.AGENT, Channel.CUSTOMER


def overlap(
    name: str,
    by: Channel,
    begin_ms: int,
    kind: OverlapClass,
    *,
    confidence: float = 0.9,
    yield_ms: int | None = None,
) -> OverlapEnded:
    return OverlapEnded(
        at_ms=600_000, id=name, by=by, over=by.other, overlap_class=kind, begin_ms=begin_ms,
        end_ms=begin_ms + 800, overlap_ms=800, yield_ms=yield_ms, severity=40,
        confidence=confidence, interrupted_text=None, interrupting_text=None,
        resumed=None if yield_ms is None else True, revision=1,
    )  # fmt: skip


def cue(at_ms: int) -> CueRaised:
    return CueRaised(
        at_ms=at_ms, id=f"cue-{at_ms}", rule="talk_over", text="Let them finish", priority=1,
        evidence_line="", ttl_ms=5_000,
    )  # fmt: skip


def log(*events: Event, minutes: int = 10, share: float = 0.4) -> list[Event]:
    """A call of taken turns: in every 10 s the agent talks first, then the customer."""
    made: list[Event] = [
        CallStarted(
            at_ms=0, call_id="c", started_at="2026-01-01T00:00:00+00:00", source="test",
            channels=(AGENT, CUSTOMER), settings={"interruptions": {"rtt_ms": {"agent": 100}}},
        )
    ]  # fmt: skip
    number = 0
    for begin_ms in range(0, minutes * 60_000, 10_000):
        middle_ms = begin_ms + round(9_000 * share)
        for channel, first, last in (
            (AGENT, begin_ms, middle_ms),
            (CUSTOMER, middle_ms + 500, begin_ms + 9_500),
        ):
            number += 1
            offset_ms = 500 if number > 1 else None
            made += [
                TurnStarted(
                    at_ms=first + 1_000, id=f"t{number}", channel=channel, start_ms=first,
                    floor_transfer_offset_ms=offset_ms,
                ),
                SpeechEnded(at_ms=last, channel=channel, start_ms=first, end_ms=last),
                TurnEnded(
                    at_ms=last, id=f"t{number}", channel=channel, start_ms=first, end_ms=last,
                    speech_ms=last - first,
                ),
            ]  # fmt: skip
    return [*made, *events, CallEnded(at_ms=minutes * 60_000)]


CALL = log(
    overlap("a", AGENT, 60_000, OverlapClass.SUCCESSFUL, yield_ms=500),
    overlap("b", AGENT, 120_000, OverlapClass.BUTTING_IN),
    overlap("c", AGENT, 180_000, OverlapClass.TALK_OVER, confidence=0.5),
    overlap("d", AGENT, 240_000, OverlapClass.BACKCHANNEL),
    overlap("e", CUSTOMER, 300_000, OverlapClass.BACKCHANNEL),
    cue(60_900),
    cue(200_000),
    CueWithheld(at_ms=120_800, rule="talk_over", reason="cooldown"),
)


def test_counts_leave_out_what_is_only_possible_and_carry_intervals() -> None:
    part = build_report(CALL).interruptions.by[AGENT]
    assert (part.successful, part.butting_in, part.talk_over, part.possible) == (1, 1, 0, 1)
    assert part.count == 2
    assert part.count_interval == poisson_interval(2)
    assert part.per_10min == 1.5
    assert part.per_10min_interval is not None
    assert part.per_10min_interval[0] < 1.5 < part.per_10min_interval[1]
    assert (part.success_rate, part.yield_ms_median, part.taken_up_again) == (0.5, 500.0, 1.0)
    assert part.turns_interrupted == 0, "none of these fell into a customer's turn"


def test_each_cue_belongs_to_one_overlap_and_the_audit_says_how_many_stood() -> None:
    report = build_report(CALL)
    cues = {event.id: event.live_cue_ms for event in report.interruptions.events}
    assert cues == {"a": 60_900, "b": None, "c": None, "d": None, "e": None}
    audit = report.cue_audit
    assert audit is not None
    assert (audit.fired, audit.confirmed, audit.false, audit.missed) == (2, 1, 1, 2)
    assert audit.precision == 0.5
    assert audit.withheld == {"talk_over": {"cooldown": 1}}
    assert report.timing.cue_latency_ms["p50"] == 900


def test_replies_are_counted_from_what_the_agent_could_hear() -> None:
    talk = build_report(CALL).talk
    assert talk.transfer_offset_ms[AGENT]["median"] == 500
    assert talk.response_latency_ms[AGENT]["median"] == 400, "less the agent's round trip"
    assert talk.patience_ms == 400
    assert talk.response_latency_ms[CUSTOMER]["median"] == 500
    assert talk.transfer_offset_ms[AGENT]["smooth"] == 0
    assert talk.intervals["patience_ms"] == (400, 400)


def test_rates_need_two_minutes_of_speech_and_flags_name_what_is_unusual() -> None:
    short = build_report(log(minutes=1)).talk
    assert short.switches_per_min is None
    assert short.backchannels_per_min == {AGENT: None, CUSTOMER: None}
    long = build_report(log(share=0.8)).talk
    assert long.switches_per_min is not None
    assert "agent_talks_most" in long.flags
    assert "agent_talks_most" not in build_report(CALL).talk.flags
    assert build_report(log(minutes=1)).interruptions.by[AGENT].per_10min is None


def test_a_bad_line_is_told_and_counts_are_withdrawn_where_nobody_can_be_told_apart() -> None:
    same = ChannelQuality(at_ms=1_000, channel=AGENT, flags=("same_signal",))
    report = build_report([CALL[0], same, *CALL[1:]])
    assert not report.quality.direction_known
    assert report.interruptions.by[AGENT].count is None
    assert report.cue_audit is None
    leaking = ChannelQuality(at_ms=1_000, channel=AGENT, bleed_grade="C", rtt_ms=900)
    warnings = build_report([CALL[0], leaking, *CALL[1:]]).quality.warnings
    assert [w.split(":")[0] for w in warnings] == ["bleed", "latency_limited"]


def test_where_the_clocks_differ_nobody_is_blamed_anywhere_in_the_report() -> None:
    late = [
        msgspec.structs.replace(e, start_ms=e.start_ms + 2_500, end_ms=e.end_ms + 2_500)
        if isinstance(e, SpeechEnded) and e.channel is CUSTOMER
        else e
        for e in CALL
    ]
    report = build_report(late)
    assert report.quality.warnings[0].startswith("channels_misaligned")
    assert report.interruptions.by[AGENT].count is None
    assert max(e.confidence for e in report.interruptions.events) <= 0.5
    assert (report.summary or "").startswith("The channels are not in step")
    assert "a" not in {part.source for part in report.practise}
    assert report.cue_audit is None
    in_step = build_report(CALL)
    assert "a" in {part.source for part in in_step.practise}


@pytest.mark.parametrize(
    ("count", "low", "high"), [(0, 0.0, 3.69), (1, 0.03, 5.57), (10, 4.8, 18.39)]
)
def test_poisson_intervals_are_those_of_the_tables(count: int, low: float, high: float) -> None:
    assert poisson_interval(count) == (low, high)


def test_intervals_of_shares_and_medians() -> None:
    assert share_interval(0, 0) is None
    assert share_interval(5, 10) == (0.2366, 0.7634)
    assert median_interval([1, 2, 3]) is None
    assert median_interval(list(range(1, 11))) == (2.0, 9.0)
