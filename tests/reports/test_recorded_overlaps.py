"""Real two-channel recordings: nobody interrupts in calm calls, overlaps are where they are."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from asr.settings import AsrSettings
from audio.sources import Recording, open_recording
from conversation.events import Channel, CueRaised, Event, OverlapUpdated
from conversation.overlap_classes import INTERRUPTING
from reports.build import build_report
from reports.log import CallLog
from reports.spans import intersect, union
from server.analyze import analyze_recording
from server.hearing import Hearing, HearingSettings

CALLS = Path(os.environ.get("HEARTLINE_DATA", "")) / "calls"
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not CALLS.is_dir(), reason="HEARTLINE_DATA has no calls"),
]
QUIET_DB = 30.0
"""Speech is within this of the loudest 10 ms of its channel."""


def heard(recording: Recording) -> list[Event]:
    """Analyse from voices alone."""
    with Hearing(HearingSettings(asr=AsrSettings(enabled=False))) as hearing:
        return analyze_recording(
            recording, hearing, call_id="real", started_at="2026-01-01T00:00:00+00:00"
        )


@pytest.mark.parametrize("name", ["auto_repairs_40.flac", "store_two_party_mulaw.wav"])
def test_nobody_interrupts_in_a_calm_call(name: str) -> None:
    events = heard(open_recording(CALLS / name))
    assert [e for e in events if isinstance(e, CueRaised) and e.rule == "talk_over"] == []
    stated = [e for e in events if isinstance(e, OverlapUpdated)]
    assert [e for e in stated if e.overlap_class in INTERRUPTING] == []
    report = build_report(events)
    assert [e for e in report.interruptions.events if e.overlap_class in INTERRUPTING] == []
    assert [part.count for part in report.interruptions.by.values()] == [0, 0]
    assert report.quality.offset_ms == 0


def loud_spans(recording: Recording, channel: Channel) -> list[tuple[int, int]]:
    """Speech by level alone: 10 ms steps, holes of at most 180 ms filled."""
    samples = recording.samples(channel)
    step = recording.sample_rate_hz // 100
    whole = len(samples) // step
    power = np.square(samples[: whole * step].reshape(whole, step)).mean(axis=1)
    levels = 10 * np.log10(power + 1e-12)
    spans: list[tuple[int, int]] = []
    for i in np.flatnonzero(levels > levels.max() - QUIET_DB):
        begin_ms = int(i) * 10
        if spans and begin_ms - spans[-1][1] <= 180:
            spans[-1] = (spans[-1][0], begin_ms + 10)
        else:
            spans.append((begin_ms, begin_ms + 10))
    return [span for span in spans if span[1] - span[0] >= 100]


def joined(spans: list[tuple[int, int]], hole_ms: int) -> list[tuple[int, int]]:
    return [(b, e - hole_ms) for b, e in union((b, e + hole_ms) for b, e in spans)]


def test_overlaps_of_a_recording_are_located_within_100_ms() -> None:
    recording = open_recording(CALLS / "two_channel_16k.wav")
    log = CallLog(heard(recording))
    measured = intersect(
        *(joined(log.speech[party], 180) for party in (Channel.AGENT, Channel.CUSTOMER))
    )
    by_level = intersect(
        *(loud_spans(recording, party) for party in (Channel.AGENT, Channel.CUSTOMER))
    )
    long = [span for span in by_level if span[1] - span[0] >= 100]
    found = [span for span in measured if span[1] - span[0] >= 100]
    print(long, found)
    assert len(long) == len(found) > 0
    for (begin, end), (begin_ms, end_ms) in zip(long, found, strict=True):
        assert abs(begin - begin_ms) <= 100
        assert abs(end - end_ms) <= 100
