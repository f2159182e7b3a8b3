"""Laws of the floor that no order of events may break; set FLOOR_SEQUENCES for more of them."""

from __future__ import annotations

import os
from itertools import pairwise
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversation.conversation import Conversation, words_first
from conversation.events import (
    AudioGap,
    CallEnded,
    CallStarted,
    CapturePaused,
    CaptureResumed,
    Channel,
    ChannelQuality,
    Derived,
    EventLog,
    FinalTranscript,
    HoldEnded,
    HoldStarted,
    Observation,
    OverlapEnded,
    OverlapStarted,
    OverlapUpdated,
    PartialTranscript,
    ProsodyFrame,
    SpeechEnded,
    SpeechStarted,
    Word,
)
from conversation.overlap_classes import INTERRUPTING
from conversation.settings import ConversationSettings
from server.merge import Merger

pytestmark = pytest.mark.property
SEQUENCES = int(os.environ.get("FLOOR_SEQUENCES", "100"))
BOTH = (Channel.AGENT, Channel.CUSTOMER)
WORDS = """okay yeah mm hm right no wait the bill was because I never got it please let me finish
because of the delivery and then what is that sorry could you say that again seven four""".split()


class NoCues:
    def observe(self, event: object) -> None: ...

    def evaluate(self, now_ms: int, facts: object) -> list[Derived]:
        return []

    def finish(self, now_ms: int) -> list[Derived]:
        return []


class NoActs:
    def observe(self, event: object) -> list[Derived]:
        return []


def core() -> Conversation:
    return Conversation(ConversationSettings(), NoCues(), NoActs())  # type: ignore[arg-type]


def a_call(seed: int, *, suspensions: bool = True) -> list[Observation]:
    """Draw a call of about a minute: speech, words, levels, quality, holds and losses."""
    random = Random(seed)
    merger = Merger()
    for channel in BOTH:
        at_ms = random.randrange(0, 3_000)
        for number in range(random.randrange(2, 14)):
            at_ms += random.choice((20, 120, 190, 350, 800, 2_000, 4_000)) + random.randrange(60)
            end_ms = at_ms + random.choice((100, 300, 600, 1_100, 2_500, 6_000))
            merger.add(_spoken(random, channel, f"{channel}-{number}", at_ms, end_ms))
            at_ms = end_ms
    for _ in range(random.randrange(4)):
        grade = random.choice(("A", "B", "C", None))
        rtt_ms = random.choice((None, 80, 300, 700))
        at_ms = random.randrange(40_000)
        merger.add([ChannelQuality(at_ms=at_ms, channel=BOTH[0], bleed_grade=grade, rtt_ms=rtt_ms)])
    for _ in range(random.randrange(3) if suspensions else 0):
        begin_ms = random.randrange(40_000)
        end_ms = begin_ms + random.randrange(40, 5_000)
        pair: list[list[Observation]] = [
            [HoldStarted(at_ms=begin_ms), HoldEnded(at_ms=end_ms)],
            [CapturePaused(at_ms=begin_ms, mode="manual"), CaptureResumed(at_ms=end_ms)],
            [
                AudioGap(
                    at_ms=end_ms, channel=BOTH[1], begin_ms=begin_ms, end_ms=end_ms, reason="loss"
                )
            ],
        ]
        merger.add(random.choice(pair))
    events = [e for e in merger.release(10**9) if isinstance(e, Observation)]
    started = CallStarted(
        at_ms=0, call_id="law", started_at="2026-01-01T00:00:00+00:00", channels=BOTH, source="test"
    )
    return [started, *events, CallEnded(at_ms=(events[-1].at_ms if events else 0) + 2_000)]


def _spoken(
    random: Random, channel: Channel, name: str, begin_ms: int, end_ms: int
) -> list[Observation]:
    count = max(1, (end_ms - begin_ms) // 300)
    texts = [random.choice(WORDS) for _ in range(count)]
    step = (end_ms - begin_ms) / count
    words = tuple(
        Word(
            text=text,
            start_ms=round(begin_ms + i * step),
            end_ms=round(begin_ms + (i + 1) * step),
            probability=0.9,
        )
        for i, text in enumerate(texts)
    )
    tail_db = random.choice((None, -4.0, 0.0, 5.0))
    made: list[Observation] = [
        SpeechStarted(at_ms=begin_ms + 96, channel=channel, start_ms=begin_ms, margin=0.4),
        SpeechEnded(
            at_ms=end_ms + 96, channel=channel, start_ms=begin_ms, end_ms=end_ms, tail_db=tail_db
        ),
        ProsodyFrame(
            at_ms=end_ms, channel=channel, begin_ms=begin_ms, end_ms=begin_ms + 240, usable_ms=240,
            level_db=-30, level_delta_db=random.choice((-4.0, 0.0, 4.0)), alpha_db=0.0,
            slope_db_oct=0.0, f0_st=None, f0_delta_st=None, z_tilt=None, score=None, state="ready",
        ),
    ]  # fmt: skip
    if random.random() < 0.7:
        made.append(
            FinalTranscript(
                at_ms=end_ms + 750, channel=channel, utterance_id=name, rev=9, start_ms=begin_ms,
                end_ms=end_ms, text=" ".join(texts), words=words,
            )
        )  # fmt: skip
    if end_ms - begin_ms > 600 and random.random() < 0.7:
        made.append(
            PartialTranscript(
                at_ms=begin_ms + 750, channel=channel, utterance_id=name, rev=0, start_ms=begin_ms,
                audio_end_ms=begin_ms + 500, stable=texts[0], tail="", stable_words=1,
            )
        )  # fmt: skip
    return made


def run(call: list[Observation], live: Conversation | None = None) -> list[Derived]:
    live = live or core()
    return [event for observation in call for event in live.receive(observation)]


def encoded(events: list[OverlapEnded]) -> list[bytes]:
    return [EventLog.encode(event) for event in events]


@pytest.mark.parametrize("block", range(5))
def test_no_sequence_of_events_breaks_a_law(block: int) -> None:
    for seed in range(block * SEQUENCES // 5, (block + 1) * SEQUENCES // 5):
        call = a_call(seed)
        live = core()
        events = run(call, live)
        final = live.final_pass(call)
        for settled in ([e for e in events if isinstance(e, OverlapEnded)], final):
            _check_settled(settled, call)
        started = {e.id for e in events if isinstance(e, OverlapStarted)}
        updates = [e for e in events if isinstance(e, OverlapUpdated)]
        assert {e.id for e in updates} <= started
        assert all(sum(u.id == name for u in updates) <= 3 for name in started)
        _check_floor(live, call[-1].at_ms)
        assert [e.at_ms for e in events] == sorted(e.at_ms for e in events)


def _check_settled(settled: list[OverlapEnded], call: list[Observation]) -> None:
    names = [event.id for event in settled]
    assert len(names) == len(set(names))
    speech = {
        c: [(e.start_ms, e.end_ms) for e in call if isinstance(e, SpeechEnded) and e.channel is c]
        for c in BOTH
    }
    for event in settled:
        assert event.over is event.by.other
        assert 0 <= event.overlap_ms <= event.end_ms - event.begin_ms
        shared = sum(
            max(0, min(e, f, event.end_ms) - max(b, c, event.begin_ms))
            for b, e in speech[event.by]
            for c, f in speech[event.over]
        )
        assert event.overlap_ms == shared, "overlap is what both channels' raw speech shares"
        assert 0 <= event.confidence <= 1
        assert 0 <= event.severity <= 100
        assert event.severity == 0 or event.overlap_class in INTERRUPTING
        assert event.yield_ms is None or event.yield_ms >= 0


def _check_floor(live: Conversation, end_ms: int) -> None:
    spans = live.floor_spans(end_ms)
    assert spans[0][0] == 0
    assert spans[-1][1] == end_ms
    assert all(left[1] == right[0] for left, right in pairwise(spans))
    assert all(begin < end for begin, end, _, _ in spans)
    assert all(
        (holder is not None) == (state in ("held", "contested")) for _, _, state, holder in spans
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(10**6, 10**9))
def test_live_code_with_unlimited_decision_delay_equals_the_pass_after_the_call(seed: int) -> None:
    call = a_call(seed)
    live = core()
    run(call, live)
    patient = Conversation(ConversationSettings().final(), NoCues(), NoActs())  # type: ignore[arg-type]
    delayed = [e for e in run(words_first(call), patient) if isinstance(e, OverlapEnded)]
    end_ms = call[-1].at_ms
    as_final = [msgspec.structs.replace(e, at_ms=end_ms, revision=1) for e in delayed]
    assert encoded(as_final) == encoded(live.final_pass(call))


@settings(max_examples=25, deadline=None)
@given(st.integers(10**6, 10**9), st.integers(0, 10**6))
def test_arriving_up_to_200_ms_out_of_order_changes_nothing(seed: int, shuffle: int) -> None:
    call = a_call(seed)
    random = Random(shuffle)
    late = sorted(call[1:-1], key=lambda e: e.at_ms + random.randrange(200))
    merger = Merger()
    live = core()
    events = list(live.receive(call[0]))
    newest_ms = 0
    for arrived in late:
        merger.add([arrived])
        newest_ms = max(newest_ms, arrived.at_ms)
        for observation in merger.release(newest_ms - 200):
            assert isinstance(observation, Observation)
            events += live.receive(observation)
    for observation in [*merger.release(newest_ms), call[-1]]:
        assert isinstance(observation, Observation)
        events += live.receive(observation)
    assert _sorted(events) == _sorted(run(call))


def _sorted(events: list[Derived]) -> list[bytes]:
    return sorted(EventLog.encode(event) for event in events)


@settings(max_examples=20, deadline=None)
@given(st.integers(10**6, 10**9), st.integers(0, 400))
def test_a_replay_that_is_cut_and_resumed_gives_the_same_events(seed: int, at: int) -> None:
    call = a_call(seed)
    cut = min(at, len(call))
    first, second = core(), core()
    before = [event for observation in call[:cut] for event in first.receive(observation)]
    for observation in call[:cut]:
        second.receive(observation)
    after = [event for observation in call[cut:] for event in second.receive(observation)]
    assert [EventLog.encode(e) for e in [*before, *after]] == [
        EventLog.encode(e) for e in run(call)
    ]
