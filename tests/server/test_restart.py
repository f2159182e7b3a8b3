"""A call whose process died goes on in the next one, from what was committed of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from audio.chunks import AudioChunk
from conversation.conversation import Conversation
from conversation.events import (
    AudioGap,
    CallStarted,
    CapturePaused,
    CaptureResumed,
    Channel,
    Event,
    EventLog,
    FinalTranscript,
    HoldStarted,
    Observation,
    PartialTranscript,
    ProsodyFrame,
    RolesSwapped,
    SpeechEnded,
    SpeechStarted,
)
from server.hearing import Hearing, HearingSettings
from server.opening import open_session, reopen_session
from server.resume import WARM_UP_MS, heard_again_from_ms
from server.session import CallSession
from tests.server.live import gaps_of
from tests.server.test_session import FakeTranscriber, call

pytestmark = [pytest.mark.property, pytest.mark.model]
RATE_HZ = 8_000
LENGTH_MS = 30_000


@cache
def hearing() -> Hearing:
    loaded = Hearing(HearingSettings(), transcriber=FakeTranscriber())
    loaded.load()
    return loaded


def new_session() -> CallSession:
    return open_session(
        call_id="c",
        channels=(Channel.AGENT, Channel.CUSTOMER),
        sample_rate_hz=RATE_HZ,
        source="ingest",
        started_at="2026-01-01T00:00:00+00:00",
        hearing=hearing(),
    )


def feed(session: CallSession, begin_ms: int, end_ms: int, step_ms: int = 100) -> list[Event]:
    events: list[Event] = []
    for at_ms in range(begin_ms, end_ms, step_ms):
        until_ms = min(at_ms + step_ms, end_ms)
        first, last = at_ms * RATE_HZ // 1000, until_ms * RATE_HZ // 1000
        events += session.push(
            [
                AudioChunk(
                    channel=c, first_sample=first, samples=s[first:last], sample_rate_hz=RATE_HZ
                )
                for c, s in call().items()
            ]
        )
    return events


def killed_and_resumed(
    kills_ms: Sequence[int], *, again: bool = True, lost_ms: int = 0
) -> list[Event]:
    """Hear a call in one process after the other; each starts from the journal alone."""
    session = new_session()
    events, at_ms = session.opening_events(), 0
    for kill_ms in kills_ms:
        events += feed(session, at_ms, kill_ms)
        acked_ms = max(0, min(session.acked_ms, session.settled_ms) - WARM_UP_MS)
        settled_ms = session.settled_ms
        stored = [EventLog.decode(EventLog.encode(event)) for event in events]
        session = reopen_session(stored, RATE_HZ, hearing(), settled_ms)
        known_ms = session.position_ms
        source_ms = acked_ms if again else kill_ms + lost_ms
        at_ms = heard_again_from_ms(known_ms, source_ms)
        session.hear_from(at_ms)
        if source_ms > at_ms:
            at_ms = source_ms
            events += session.push(
                [
                    AudioGap(
                        at_ms=at_ms,
                        channel=c,
                        begin_ms=known_ms // 10 * 10,
                        end_ms=at_ms,
                        reason="disconnect",
                    )
                    for c in call()
                ]
            )
    events += feed(session, at_ms, LENGTH_MS)
    return events + session.finish()


@cache
def uncut() -> list[Event]:
    return killed_and_resumed([])


def spans(events: Sequence[Event], channel: Channel) -> list[tuple[int, int]]:
    """Return the speech of a channel; begins and ends must alternate."""
    found: list[tuple[int, int]] = []
    open_ms: int | None = None
    for event in events:
        if isinstance(event, SpeechStarted) and event.channel is channel:
            assert open_ms is None
            open_ms = event.start_ms
        elif isinstance(event, SpeechEnded) and event.channel is channel:
            assert open_ms == event.start_ms
            found.append((event.start_ms, event.end_ms))
            open_ms = None
    assert open_ms is None
    assert all(a[1] <= b[0] for a, b in pairwise(found))
    return found


def heard_ms(events: Sequence[Event], channel: Channel) -> int:
    return sum(end - begin for begin, end in spans(events, channel))


def check(events: list[Event]) -> None:
    """What must be true of every journal, however many processes wrote it."""
    started = events[0]
    assert isinstance(started, CallStarted)
    core = Conversation.for_call(started)
    observations = [e for e in events if isinstance(e, Observation)]
    replayed: list[Event] = [d for o in observations for d in core.receive(o)]
    replayed += core.final_pass(observations)
    derived = [e for e in events if not isinstance(e, Observation)]
    assert [EventLog.encode(e) for e in replayed] == [EventLog.encode(e) for e in derived]
    finals = Counter(e.utterance_id for e in events if isinstance(e, FinalTranscript))
    assert set(finals.values()) == {1}
    shown = {e.utterance_id for e in events if isinstance(e, PartialTranscript)}
    assert shown <= set(finals)
    revisions: dict[str, int] = {}
    for event in events:
        if isinstance(event, PartialTranscript | FinalTranscript):
            assert event.rev == revisions.get(event.utterance_id, 0) + 1
            revisions[event.utterance_id] = event.rev


KILLS = [
    sorted(int(at_ms) for at_ms in row)
    for row in np.random.default_rng(7).integers(900, 29_500, (3, 3))
]


@pytest.mark.parametrize("kills_ms", KILLS, ids=str)
def test_a_call_whose_process_dies_goes_on_where_its_source_sends_again(
    kills_ms: list[int],
) -> None:
    events = killed_and_resumed(kills_ms)
    check(events)
    assert gaps_of(events) == []
    for channel in call():
        assert heard_ms(events, channel) == pytest.approx(heard_ms(uncut(), channel), abs=500)
    assert texts(events) == pytest.approx(texts(uncut()), abs=6)


def test_the_usual_voices_are_known_after_a_restart() -> None:
    session = new_session()
    before = session.opening_events() + feed(session, 0, 24_000)
    again = reopen_session(before, RATE_HZ, hearing(), session.settled_ms)
    again.hear_from(22_080)
    after = [e for e in feed(again, 22_080, 28_000) if isinstance(e, ProsodyFrame)]
    states = {e.channel: e.state for e in before if isinstance(e, ProsodyFrame)}
    assert after
    assert all(e.state == states[e.channel] != "cold" for e in after[:3])


def texts(events: Sequence[Event]) -> int:
    """Return the number of words in finals."""
    return sum(len(e.words) for e in events if isinstance(e, FinalTranscript))


@pytest.mark.parametrize("kill_ms", [4_000, 9_130, 17_500])
def test_audio_that_is_lost_with_the_process_is_a_gap_and_nothing_is_left_open(
    kill_ms: int,
) -> None:
    events = killed_and_resumed([kill_ms], again=False, lost_ms=2_000)
    check(events)
    gaps = gaps_of(events)
    assert {(side, reason) for side, _, _, reason in gaps} == {
        ("agent", "disconnect"),
        ("customer", "disconnect"),
    }
    assert all(
        kill_ms - 300 <= begin <= kill_ms and end == kill_ms + 2_000 for _, begin, end, _ in gaps
    )
    for channel in call():
        inside = [(b, e) for b, e in spans(events, channel) if b < kill_ms + 2_000 and e > kill_ms]
        assert not [s for s in inside if s[1] > kill_ms + 10]


def test_a_call_that_nobody_resumes_is_closed_with_what_was_shown() -> None:
    session = new_session()
    events = session.opening_events() + feed(session, 0, 9_130)
    again = reopen_session(events, RATE_HZ, hearing(), session.settled_ms)
    assert again.poll() == []
    events += again.finish("source_lost")
    check(events)
    assert again.position_ms == session.settled_ms
    open_words = [e for e in events if isinstance(e, FinalTranscript) and e.status == "skipped"]
    assert all(e.text is None for e in open_words)


def test_a_pause_a_hold_and_a_swap_outlive_the_process() -> None:
    session = new_session()
    events = session.opening_events() + feed(session, 0, 3_000)
    session.swap_roles()
    events += feed(session, 3_000, 5_000)
    events += session.control(HoldStarted(at_ms=0))
    events += session.control(CapturePaused(at_ms=0, mode="manual"))
    events += feed(session, 5_000, 6_000)
    again = reopen_session(events, RATE_HZ, hearing(), session.settled_ms)
    assert again.paused
    again.hear_from(6_000)
    paused = feed(again, 6_000, 9_000)
    assert not [e for e in paused if isinstance(e, SpeechStarted | FinalTranscript)]
    assert {r for _, _, _, r in gaps_of(paused)} == {"pause"}
    events += paused + again.control(CaptureResumed(at_ms=0))
    events += feed(again, 9_000, 12_000) + again.finish()
    check(events)
    assert sum(isinstance(e, RolesSwapped) for e in events) == 1
    swapped_words = {e.channel for e in events if isinstance(e, SpeechStarted) and e.at_ms > 9_000}
    assert swapped_words
