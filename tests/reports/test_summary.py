"""Three sentences of facts, and three moments to practise, one of each kind first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from conversation.events import Channel, OverlapClass
from reports.model import ActPart, InterruptionPart, PromisePart, Report
from reports.summary import practise, summary

pytestmark = pytest.mark.unit
GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "sample.report.json"


def golden(**changes: Any) -> Report:
    return msgspec.structs.replace(msgspec.json.decode(GOLDEN.read_bytes(), type=Report), **changes)


def act(number: int, channel: Channel, kind: str, start_ms: int) -> ActPart:
    return ActPart(
        id=f"act-{number}",
        channel=channel,
        kind=kind,
        start_ms=start_ms,
        end_ms=start_ms + 500,
        text=kind,
        confidence=0.95,
    )


def cut_in(number: int, severity: int, **changes: Any) -> InterruptionPart:
    template = golden().interruptions.events[0]
    values = {
        "id": f"ov-{number}",
        "by": Channel.AGENT,
        "overlap_class": OverlapClass.SUCCESSFUL,
        "begin_ms": number * 1_000,
        "severity": severity,
        "confidence": 0.9,
        **changes,
    }
    return msgspec.structs.replace(template, **values)


def with_cut_ins(*events: InterruptionPart, **changes: Any) -> Report:
    base = golden()
    part = msgspec.structs.replace(base.interruptions, events=events)
    return msgspec.structs.replace(base, interruptions=part, **changes)


@pytest.mark.parametrize(
    ("doubt", "said"),
    [
        ({"offset_ms": -800}, "The channels are not in step"),
        ({"bleed": {"agent": "A", "customer": "C"}}, "The channels leak into each other"),
    ],
)
def test_on_a_doubtful_line_it_is_not_said_that_nobody_interrupted(
    doubt: dict[str, Any], said: str
) -> None:
    quality = msgspec.structs.replace(golden().quality, **doubt)
    assert summary(golden(quality=quality)).startswith(f"{said}, so nobody is said to interrupt.")


def test_nothing_is_said_of_who_interrupted_where_direction_is_unknown() -> None:
    quality = msgspec.structs.replace(golden().quality, direction_known=False)
    found = summary(golden(quality=quality))
    assert found.startswith("Both parties are on one channel, so nobody is said to interrupt.")


def test_a_possible_interruption_is_in_no_sentence_and_no_moment() -> None:
    report = with_cut_ins(cut_in(1, 90, confidence=0.59), acts=())
    assert summary(report).startswith("Nobody interrupted.")
    assert practise(report) == ()


def test_a_call_without_words_says_so() -> None:
    report = golden(transcript=(), acts=(), scorecard=(), promises=())
    assert summary(report).endswith("No words were transcribed, so nothing is said about them.")


def test_promises_are_told_where_no_feeling_was() -> None:
    promise = PromisePart(id="p", text="t", what="w", due="on Friday", confidence=0.9, start_ms=0)
    undated = msgspec.structs.replace(promise, due=None)
    report = golden(scorecard=(), promises=(promise, undated))
    assert summary(report).endswith("Something was promised twice, 1 with a time.")


def test_the_worst_cut_in_comes_before_a_second_one_of_its_kind() -> None:
    report = with_cut_ins(
        cut_in(1, 20), cut_in(2, 80), cut_in(3, 60),
        acts=(act(1, Channel.CUSTOMER, "anger", 9_000),),
    )  # fmt: skip
    assert [part.source for part in practise(report)] == ["ov-2", "ov-3", "act-1"]


def test_a_feeling_that_was_answered_is_no_moment() -> None:
    feeling = act(1, Channel.CUSTOMER, "frustration", 9_000)
    answer = act(2, Channel.AGENT, "acknowledge_feeling", 12_000)
    assert practise(with_cut_ins(acts=(feeling, answer))) == ()
    late = msgspec.structs.replace(answer, start_ms=40_000)
    (moment,) = practise(with_cut_ins(acts=(feeling, late)))
    assert (moment.behaviour, moment.at_ms) == ("acknowledge", 9_000)


def test_a_vague_time_that_was_mended_is_no_moment() -> None:
    vague = act(1, Channel.AGENT, "vague_time", 5_000)
    exact = act(2, Channel.AGENT, "specific_time", 7_000)
    assert practise(with_cut_ins(acts=(vague, exact))) == ()
    assert [part.behaviour for part in practise(with_cut_ins(acts=(vague,)))] == ["realistic"]
