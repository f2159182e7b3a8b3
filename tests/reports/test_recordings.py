"""Real two-party recordings, where `HEARTLINE_DATA` names a folder with `calls/` in it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from asr.settings import AsrSettings
from audio.sources import open_recording
from conversation.events import Channel, CueRaised, FinalTranscript
from server.analyze import analyze_recording
from server.hearing import Hearing, HearingSettings

CALL = Path(os.environ.get("HEARTLINE_DATA", "")) / "calls" / "auto_repairs_40.flac"
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not CALL.is_file(), reason="HEARTLINE_DATA has no calls/auto_repairs_40"),
]


def test_a_calm_call_gets_no_interruption_cue_and_words_on_both_sides() -> None:
    recording = open_recording(CALL)
    with Hearing(HearingSettings(asr=AsrSettings(partials_enabled=False))) as hearing:
        began_s = time.monotonic()
        events = analyze_recording(
            recording, hearing, call_id="calm", started_at="2026-01-01T00:00:00+00:00"
        )
        took_s = time.monotonic() - began_s
    print(f"{recording.duration_ms / 1000 / took_s:.1f} times faster than real time")
    assert [e for e in events if isinstance(e, CueRaised) and e.rule == "talk_over"] == []
    finals = [e for e in events if isinstance(e, FinalTranscript) and e.text]
    for channel in (Channel.AGENT, Channel.CUSTOMER):
        assert sum(len(e.words) for e in finals if e.channel is channel) >= 100
