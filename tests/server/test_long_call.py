"""A call may last all day: what the process keeps of it does not grow with its length.

Calls are played to the core and to the dashboards' state alone, without sound, again and again
at later times. Limits that bound what is kept are lowered, so that they are met in minutes; then
only what is without bound can grow. Numbers in arrays may: 24 bytes for a stretch of speech make
half a MiB in ten lively hours.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from functools import cache
from types import FunctionType, ModuleType
from typing import Any

import msgspec
import pytest

from conversation.conversation import Conversation
from conversation.events import (
    CallEnded,
    CallStarted,
    Channel,
    Event,
    EventLog,
    Observation,
    OverlapClass,
    OverlapEnded,
    SpeechEnded,
    SpeechStarted,
)
from conversation.speech import Spans
from server.call_view import CallView, fold, fold_all
from server.hub import LiveCall
from server.session import LOOKED_BACK_AT
from tests.golden.files import events_of

pytestmark = pytest.mark.unit

MINUTE_MS = 60_000
MOST_GROWTH_PER_HOUR = 64 * 1024
"""Bytes. Half of it is arrays and the issues of a talk; what grew without bound was 3 MiB."""
_TIMES = frozenset({"at_ms", "start_ms", "end_ms", "begin_ms", "audio_end_ms"})
_NAMES = frozenset({"id", "utterance_id"})
_LIMITS = {
    "conversation.discourse.SAID_KEPT": 20,
    "conversation.history.KEEP": 4,
    "conversation.interaction._WORDS_MS": 20_000,
    "server.call_view.MOST_BARS": 60,
    "server.call_view.MOST_MARKS": 20,
    "server.call_view.MOST_LINES": 40,
    "server.call_view.MOST_ACTS": 80,
}


def again(value: Any, by_ms: int, number: int) -> Any:
    """Return an event as plain data, later, and under another name."""
    if isinstance(value, list):
        return [again(item, by_ms, number) for item in value]
    if not isinstance(value, dict):
        return value
    out: dict[str, Any] = {}
    for key, item in value.items():
        if key in _TIMES and isinstance(item, int):
            out[key] = item + by_ms
        elif key in _NAMES:
            out[key] = f"{item}-{number}"
        else:
            out[key] = again(item, by_ms, number)
    return out


@cache
def scene(name: str) -> tuple[dict[str, Any], ...]:
    """Return what is heard in a golden call, as plain data, without its start and end."""
    return tuple(
        msgspec.json.decode(EventLog.encode(event))
        for event in events_of(name)
        if isinstance(event, Observation) and not isinstance(event, CallStarted | CallEnded)
    )


def long_call() -> Iterator[Observation]:
    """Return what is heard in a call without end."""
    begin_ms, number = 0, 0
    while True:
        name = ("upset", "hostile", "calm")[number % 3]
        for heard in scene(name):
            event = EventLog.decode(msgspec.json.encode(again(heard, begin_ms, number)))
            assert isinstance(event, Observation)
            yield event
        begin_ms = event.at_ms + 1_000
        number += 1


def kept_bytes(*roots: object, shared: set[int]) -> int:
    """Return the size of everything that can be reached from some objects and not from others."""
    seen = set(shared)
    total = 0
    waiting = list(roots)
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen or isinstance(thing, type | ModuleType | FunctionType):
            continue
        seen.add(id(thing))
        total += sys.getsizeof(thing)
        waiting += gc.get_referents(thing)
    return total


def test_what_is_kept_of_a_call_does_not_grow_with_its_length(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, limit in _LIMITS.items():
        monkeypatch.setattr(name, limit)
    started = events_of("upset")[0]
    assert isinstance(started, CallStarted)
    core, live = Conversation.for_call(started), LiveCall("long")
    live.publish([started, *core.receive(started)], 0)
    shared = {id(started)}
    sizes: list[int] = []
    for heard in long_call():
        if heard.at_ms > (12 + 12 * len(sizes)) * MINUTE_MS:
            sizes.append(kept_bytes(core, live, shared=shared))
            if len(sizes) == 2:
                break
        live.publish([heard, *core.receive(heard)], heard.at_ms)
    per_hour = (sizes[1] - sizes[0]) * 5
    assert per_hour < MOST_GROWTH_PER_HOUR


def spoken(number: int) -> tuple[SpeechStarted, SpeechEnded]:
    """Return the events of one stretch of speech; `dashboard/src/store.test.ts` has the same."""
    channel = Channel.CUSTOMER if number % 3 else Channel.AGENT
    start_ms = number * 2_000 + number * 7_919 % 1_000
    end_ms = start_ms + 700 + number * 104_729 % 500
    return (
        SpeechStarted(at_ms=start_ms, channel=channel, start_ms=start_ms),
        SpeechEnded(at_ms=end_ms, channel=channel, start_ms=start_ms, end_ms=end_ms),
    )


def test_a_view_of_an_hour_has_every_bar_and_one_of_many_has_the_newest() -> None:
    view = CallView()
    for number in range(4_100):
        for event in spoken(number):
            view = fold(view, event)
        if number == 1_799:
            assert len(view.speech) == 1_800
    ends = [spoken(number)[1] for number in range(4_100)]
    newest = [(e.channel, e.start_ms, e.end_ms) for e in ends[-2_000:]]
    assert [(b.channel, b.start_ms, b.end_ms) for b in view.speech[-2_000:]] == newest
    assert view.speech[0].start_ms == ends[0].start_ms
    for channel in (Channel.AGENT, Channel.CUSTOMER):
        bars = iter([b for b in view.speech if b.channel is channel])
        bar = next(bars)
        for event in ends:
            if event.channel is channel:
                while (bar.end_ms or 0) < event.end_ms:
                    bar = next(bars)
                assert bar.start_ms <= event.start_ms, "all speech lies in a bar"
    assert (len(view.speech), sum(b.end_ms or 0 for b in view.speech)) == (3_101, 14_816_886_296)


def test_a_view_keeps_the_first_act_of_each_kind_and_the_newest_overlaps() -> None:
    act = next(e for e in events_of("upset") if e.__struct_config__.tag == "act_detected")
    view = CallView()
    for number in range(4_100):
        kind = "greeting" if number == 0 else "open_question"
        view = fold(view, msgspec.structs.replace(act, at_ms=number, kind=kind))
    assert len(view.acts) <= 2_000
    assert [act.kind for act in view.acts[:2]] == ["greeting", "open_question"]
    assert [act.at_ms for act in view.acts[-500:]] == list(range(3_600, 4_100))
    cuts: list[Event] = [
        OverlapEnded(
            at_ms=number,
            id=f"ov-{number}",
            by=Channel.AGENT,
            over=Channel.CUSTOMER,
            overlap_class=OverlapClass.TALK_OVER,
            begin_ms=number,
            end_ms=number,
            overlap_ms=0,
            yield_ms=None,
            severity=0,
            confidence=1.0,
            interrupted_text=None,
            interrupting_text=None,
            resumed=None,
            revision=0,
        )
        for number in range(2_500)
    ]
    assert [mark.begin_ms for mark in fold_all(cuts).overlaps] == list(range(500, 2_500))


def test_the_pass_after_a_call_looks_at_what_is_near_each_overlap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_at = 0
    between = Spans.between

    def counted(spans: Spans, begin_ms: int, end_ms: int) -> Iterator[tuple[int, int]]:
        nonlocal looked_at
        for span in between(spans, begin_ms, end_ms):
            looked_at += 1
            yield span

    monkeypatch.setattr(Spans, "between", counted)
    started = events_of("upset")[0]
    assert isinstance(started, CallStarted)
    per_minute: list[float] = []
    for minutes in (10, 40):
        heard: list[Observation] = []
        for observation in long_call():
            if observation.at_ms >= minutes * MINUTE_MS:
                break
            heard.append(observation)
        looked_at = 0
        judged = Conversation.for_call(started).final_pass([started, *heard])
        assert len(judged) > minutes / 2
        per_minute.append(looked_at / minutes)
    assert per_minute[1] < 1.2 * per_minute[0]


@pytest.mark.parametrize("name", ["upset", "hostile", "calm", "trouble"])
def test_the_pass_after_a_call_needs_some_types_of_event_only(name: str) -> None:
    heard = [event for event in events_of(name) if isinstance(event, Observation)]
    assert isinstance(heard[0], CallStarted)
    some = [event for event in heard if event.__struct_config__.tag in LOOKED_BACK_AT]
    assert len(some) < len(heard)
    core = Conversation.for_call(heard[0])
    assert core.final_pass(some) == core.final_pass(heard)
