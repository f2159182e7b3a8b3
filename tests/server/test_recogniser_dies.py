"""The recogniser's processes may die in the middle of a call."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from asr.settings import AsrSettings
from audio.chunks import AudioChunk
from audio.sources import Recording, open_recording
from conversation.events import AudioGap, CueRaised, Event, EventLog, FinalTranscript
from server.hearing import Hearing, HearingSettings
from server.opening import open_session
from server.session import CallSession, Clock

pytestmark = [pytest.mark.model, pytest.mark.timeout(120)]
SAMPLE = Path(__file__).parents[2] / "server" / "sample" / "call.flac"
TRUTH = json.loads(SAMPLE.with_name("truth.json").read_text("utf-8"))
FIRST_INTERRUPTION_MS = next(o["begin_ms"] for o in TRUTH["overlaps"] if o["class"] == "successful")
LEAD_MS = 12_000


VOICE_PATH_MS = 1_600
"""Longest that a cue takes which rests on voice activity alone."""


@pytest.fixture
def hearing() -> Iterator[Hearing]:
    with Hearing(
        HearingSettings(asr=AsrSettings(partials_enabled=False, workers=2, threads=1))
    ) as loaded:
        yield loaded


def excerpt() -> Recording:
    """From 12 s before the first planted interruption to 10 s after it."""
    call = open_recording(SAMPLE)
    begin, end = ((FIRST_INTERRUPTION_MS + offset_ms) * 8 for offset_ms in (-LEAD_MS, 10_000))
    return Recording({c: call.samples(c)[begin:end] for c in call.channels}, 8_000, "excerpt")


def open_call(hearing: Hearing, recording: Recording, clock: Clock) -> CallSession:
    return open_session(
        call_id="killed",
        channels=recording.channels,
        sample_rate_hz=recording.sample_rate_hz,
        source="test",
        started_at="2026-01-01T00:00:00+00:00",
        hearing=hearing,
        clock=clock,
    )


def kill_all(hearing: Hearing) -> None:
    assert hearing.pool is not None
    for pid in hearing.pool.pids:
        os.kill(pid, signal.SIGKILL)


def offline(hearing: Hearing, *, kill: bool) -> list[bytes]:
    recording = excerpt()
    session = open_call(hearing, recording, Clock.VIRTUAL)
    events = session.opening_events()
    blocks = recording.blocks(100)
    for chunks in islice(blocks, LEAD_MS // 100):
        events += session.push(chunks)
    if kill:
        kill_all(hearing)
    for chunks in blocks:
        events += session.push(chunks)
    return [EventLog.encode(event) for event in events + session.finish()]


def test_offline_a_killed_recogniser_changes_no_event(hearing: Hearing) -> None:
    assert offline(hearing, kill=True) == offline(hearing, kill=False)
    assert hearing.pool is not None
    assert hearing.pool.restarts >= 2


def play_live(
    session: CallSession, blocks: Iterator[list[AudioChunk | AudioGap]]
) -> Iterator[list[Event]]:
    began_s = time.monotonic()
    yield session.opening_events()
    for chunks in blocks:
        while time.monotonic() < began_s + chunks[0].end_ms / 1000:
            time.sleep(0.01)
        yield session.push(chunks)
    yield session.finish()


def test_live_a_killed_recogniser_costs_no_cue_and_no_word_already_shown(
    hearing: Hearing,
) -> None:
    recording = excerpt()
    session = open_call(hearing, recording, Clock.LIVE)
    events: list[Event] = []
    killed_ms = None
    shown: list[FinalTranscript] = []
    for new in play_live(session, recording.blocks(100)):
        events += new
        if killed_ms is None and session.position_ms >= LEAD_MS:
            killed_ms = session.position_ms
            shown = [e for e in events if isinstance(e, FinalTranscript)]
            kill_all(hearing)
    finals = [e for e in events if isinstance(e, FinalTranscript)]
    cues = [e.at_ms for e in events if isinstance(e, CueRaised) and e.rule == "talk_over"]
    assert [at_ms - LEAD_MS <= VOICE_PATH_MS for at_ms in cues] == [True]
    assert shown
    assert finals[: len(shown)] == shown
    assert len(finals) > len(shown)
    assert [(f.status, f.flags) for f in finals if f.status != "ok" or not f.text] == []
    assert hearing.pool is not None
    assert hearing.pool.ready
