"""Real calls in which nobody raises a voice, where `HEARTLINE_DATA` names a folder with them."""

import os
from pathlib import Path

import pytest

from asr.settings import AsrSettings
from audio.sources import open_recording
from conversation.events import ProsodyFrame, RaisedVoiceStarted
from server.analyze import analyze_recording
from server.hearing import Hearing, HearingSettings

FOLDER = Path(os.environ.get("HEARTLINE_DATA", "")) / "calls"
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(
        not (FOLDER / "auto_repairs_40.flac").is_file(), reason="HEARTLINE_DATA has no calls"
    ),
]


@pytest.mark.parametrize("name", ["auto_repairs_40.flac", "store_two_party_mulaw.wav"])
def test_a_calm_call_has_no_raised_voice(name: str) -> None:
    recording = open_recording(FOLDER / name)
    with Hearing(HearingSettings(asr=AsrSettings(enabled=False))) as hearing:
        events = analyze_recording(
            recording, hearing, call_id="calm", started_at="2026-01-01T00:00:00+00:00"
        )
    frames = [event for event in events if isinstance(event, ProsodyFrame)]
    assert len(frames) >= 60
    assert [event for event in events if isinstance(event, RaisedVoiceStarted)] == []
