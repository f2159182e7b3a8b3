"""The report of the sample call, heard by real models, says what was planted."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from asr.settings import AsrSettings
from audio.sources import Recording, open_recording
from bench.words import word_error_rate
from conversation.events import Channel
from reports.build import build_report
from reports.html import render_html
from reports.model import Report
from server.analyze import analyze_recording, write_outputs
from server.hearing import Hearing, HearingSettings

pytestmark = pytest.mark.model
FOLDER = Path(__file__).parents[2] / "server" / "sample"
STARTED = "2026-01-01T00:00:00+00:00"
"""Wall time of the analysed call."""


@cache
def truth() -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode((FOLDER / "truth.json").read_bytes())
    return decoded


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    settings = HearingSettings(asr=AsrSettings(partials_enabled=False))
    with Hearing(settings) as hearing:
        events = analyze_recording(
            open_recording(FOLDER / "call.flac"), hearing, call_id="sample", started_at=STARTED
        )
    return write_outputs(events, tmp_path_factory.mktemp("report"))


def test_every_overlap_has_the_initiator_and_the_class_that_was_planted(report: Report) -> None:
    for planted in truth()["overlaps"]:
        found = [
            (event.by, event.overlap_class)
            for event in report.interruptions.events
            if event.by == planted["by"] and abs(event.begin_ms - planted["begin_ms"]) <= 400
        ]
        assert found == [(planted["by"], planted["class"])], planted


def test_nothing_is_called_an_interruption_that_was_not_planted(report: Report) -> None:
    counts = {
        by: (part.successful, part.talk_over, part.butting_in)
        for by, part in report.interruptions.by.items()
    }
    assert counts == {"agent": (2, 0, 0), "customer": (0, 0, 1)}


def test_the_words_are_those_of_the_script(report: Report) -> None:
    errors, words = word_error_rate(truth(), report)
    print(f"word error rate {errors:.3f} over {words} words")
    assert errors <= 0.12


def test_the_raised_voice_is_found_within_two_and_a_half_seconds(report: Report) -> None:
    (planted,) = truth()["raised_voice"]
    found = [e for e in report.raised_voice.events if e.channel is Channel.CUSTOMER]
    assert any(0 <= e.begin_ms - planted["begin_ms"] <= 2_500 for e in found)


def test_the_page_makes_no_request_and_allows_none(report: Report) -> None:
    page = render_html(report)
    assert not re.search(r"(src|href)=.(https?:|/)|url\((?!#)|@import", page)
    assert "default-src 'none'" in page
    assert "connect-src 'none'" in page


def test_a_call_on_one_channel_makes_no_claim_about_who_interrupted() -> None:
    stereo = open_recording(FOLDER / "call.flac")
    mixed = stereo.samples(Channel.AGENT) + stereo.samples(Channel.CUSTOMER)
    mono = Recording({Channel.MIXED: mixed[: 8_000 * 40]}, 8_000, "mono")
    with Hearing(HearingSettings(asr=AsrSettings(enabled=False))) as hearing:
        events = analyze_recording(mono, hearing, call_id="mono", started_at=STARTED)
    report = build_report(events)
    assert not report.quality.direction_known
    assert report.interruptions.events == ()
    assert all(part.successful is None for part in report.interruptions.by.values())
    assert report.talk.talk_share_agent is None
