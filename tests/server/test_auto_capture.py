"""Capture pauses around card data by itself, and goes on when the number is over."""

from __future__ import annotations

import pytest

from conversation.events import (
    CapturePaused,
    CaptureResumed,
    Channel,
    Event,
    FinalTranscript,
    ProsodyFrame,
    SpeechEnded,
    SpeechStarted,
)
from conversation.redaction import Redactor, is_card_prompt
from server.auto_capture import AutoCapture, CaptureSettings
from tests.conversation.rule_case import final

pytestmark = pytest.mark.unit
AGENT, CUSTOMER = Channel.AGENT, Channel.CUSTOMER
PROMPT = final(AGENT, 1_000, 4_000, "Can I have the long number on your card please?")
NUMBER = final(CUSTOMER, 6_000, 12_000, "it is four one " + "one " * 13 + "one")


def tick(at_ms: int) -> ProsodyFrame:
    return ProsodyFrame(
        at_ms=at_ms, channel=AGENT, begin_ms=at_ms - 240, end_ms=at_ms, usable_ms=0, level_db=-60,
        level_delta_db=None, alpha_db=0, slope_db_oct=0, f0_st=None, f0_delta_st=None, z_tilt=None,
        score=None, state="cold",
    )  # fmt: skip


def passed(*observations: Event, on: bool = True) -> list[Event]:
    capture, redactor, out = AutoCapture(CaptureSettings(auto_pause=on)), Redactor(), []
    for heard in observations:
        redacted = redactor.redact(heard) if isinstance(heard, FinalTranscript) else heard
        out += capture.filter(heard, redacted)
    return out


def texts(events: list[Event]) -> list[str | None]:
    return [e.text for e in events if isinstance(e, FinalTranscript)]


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("What's the number of the card that you pay with?", True),
        ("and the three digits on the back please", True),
        ("the driver left a card", False),
        ("I have paid already", False),
    ],
)
def test_a_prompt_for_card_data_is_recognised(text: str, asks: bool) -> None:
    assert is_card_prompt(text) is asks


def test_between_prompt_and_the_end_of_the_number_nothing_that_is_said_goes_on() -> None:
    out = passed(PROMPT, NUMBER, tick(14_000), tick(15_100), final(CUSTOMER, 16_000, 17_000, "so"))
    assert [type(e) for e in out] == [
        FinalTranscript, CapturePaused, CaptureResumed, FinalTranscript,
    ]  # fmt: skip
    assert isinstance(out[1], CapturePaused)
    assert (out[1].mode, out[1].at_ms) == ("auto", 4_000)
    assert out[2].at_ms == 15_100
    assert texts(out)[-1] == "so"


def test_without_a_number_it_goes_on_after_fifteen_seconds() -> None:
    out = passed(PROMPT, tick(10_000), tick(18_900), tick(19_000), tick(19_240))
    assert [type(e) for e in out[1:]] == [CapturePaused, CaptureResumed, ProsodyFrame]


def test_half_a_number_pauses_before_the_rest() -> None:
    half = final(CUSTOMER, 1_000, 4_000, "it's four one one one one one one one")
    rest = final(CUSTOMER, 5_000, 8_000, "one one one one one one one one")
    out = passed(half, rest)
    assert [type(e) for e in out] == [FinalTranscript, CapturePaused]
    assert texts(out) == ["it's [card]"]


def test_who_speaks_at_a_pause_has_stopped_and_begins_again_with_capture() -> None:
    speaking = SpeechStarted(at_ms=3_096, channel=CUSTOMER, start_ms=3_000)
    out = passed(speaking, PROMPT, NUMBER, tick(16_000))
    assert [type(e) for e in out] == [
        SpeechStarted, FinalTranscript, SpeechEnded, CapturePaused, CaptureResumed, SpeechStarted,
    ]  # fmt: skip
    assert out[-1].at_ms == 16_000
    ended = SpeechEnded(at_ms=12_100, channel=CUSTOMER, start_ms=3_000, end_ms=12_000)
    out = passed(speaking, PROMPT, NUMBER, ended, tick(16_000))
    assert [type(e) for e in out][-1] is CaptureResumed


def test_the_agents_own_pause_ends_only_by_the_agent() -> None:
    manual = CapturePaused(at_ms=4_500, mode="manual")
    out = passed(PROMPT, manual, tick(60_000), CaptureResumed(at_ms=61_000))
    assert [e.mode for e in out if isinstance(e, CapturePaused)] == ["auto", "manual"]
    assert [e.at_ms for e in out if isinstance(e, CaptureResumed)] == [61_000]


def test_switched_off_everything_goes_on_masked() -> None:
    out = passed(PROMPT, NUMBER, on=False)
    assert texts(out) == ["Can I have the long number on your card please?", "it is [card]"]
