"""What the repository ships as the sample call is what its truth says."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest

from audio.sources import open_recording
from conversation.events import Channel
from reports.spans import intersect, total_ms

pytestmark = pytest.mark.unit
FOLDER = Path(__file__).parents[2] / "server" / "sample"
TRUTH = json.loads((FOLDER / "truth.json").read_text("utf-8"))


def test_the_audio_is_the_one_the_truth_was_made_with() -> None:
    audio = (FOLDER / "call.flac").read_bytes()
    assert len(audio) <= 2_000_000
    assert hashlib.sha256(audio).hexdigest() == TRUTH["sha256"]


def test_the_call_is_two_channels_at_telephone_rate() -> None:
    recording = open_recording(FOLDER / "call.flac")
    assert recording.channels == (Channel.AGENT, Channel.CUSTOMER)
    assert recording.sample_rate_hz == 8_000
    assert 100_000 <= recording.duration_ms <= 150_000


def test_everything_planned_is_planted() -> None:
    classes = Counter((o["by"], o["class"]) for o in TRUTH["overlaps"])
    assert classes["agent", "successful"] == 2
    assert classes["customer", "butting_in"] == 1
    assert classes["agent", "collision"] == 1
    assert classes["agent", "terminal_overlap"] == 1
    assert classes["agent", "backchannel"] + classes["customer", "backchannel"] >= 6
    assert [r["channel"] for r in TRUTH["raised_voice"]] == ["customer"]


def test_intervals_are_sorted_and_every_simultaneous_stretch_is_labelled() -> None:
    sides = {side: [tuple(s) for s in spans] for side, spans in TRUTH["speech"].items()}
    assert all(spans == sorted(spans) for spans in sides.values())
    both = intersect(sides["agent"], sides["customer"])
    labelled = [(o["begin_ms"] - 20, o["end_ms"] + 20) for o in TRUTH["overlaps"]]
    assert total_ms(both) == total_ms(intersect(both, sorted(labelled)))
