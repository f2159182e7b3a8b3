"""Full-duplex dialogues of tau2-bench give its published counts, where HEARTLINE_DATA has them.

tau2-bench looks at ticks of 200 ms and counts every start of one party while the other speaks;
what a sound was is told by the simulator. The importer gives the core the same: spans of ticks as
speech, and the simulator's word on signals and tics as words. Differences of definition:

* A start at the very tick at which the other starts is counted by tau2-bench against both;
  for us it is one collision and nobody's fault.
* For us a signal needs the other to go on; in all three dialogues the agent stops for it, which
  tau2-bench counts as the agent's error, so it is no listening signal but no interruption either.
* The one tic during the agent's speech lies inside ten seconds of the user's, which cut the agent
  off: tau2-bench calls all of it a tic, we call it an interruption.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from statistics import mean
from typing import Any

import msgspec
import pytest

from conversation.conversation import Conversation
from conversation.events import (
    CallEnded,
    CallStarted,
    Channel,
    FinalTranscript,
    Observation,
    OverlapClass,
    OverlapEnded,
    SpeechEnded,
    SpeechStarted,
    Word,
)
from conversation.overlap_classes import INTERRUPTING
from conversation.settings import ConversationSettings, RoundTrips
from server.merge import Merger

FOLDER = Path(os.environ.get("HEARTLINE_DATA", "")) / "tau2"
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(
        not (FOLDER / "expected_metrics.json").is_file(), reason="HEARTLINE_DATA has no tau2 folder"
    ),
]
TICK_MS = 200
NO_YIELD_MS = 2_000
LONGEST_TIC_MS = 2_000


def spans(ticks: list[dict[str, Any]], chunk: str) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for number, tick in enumerate(ticks):
        begin_ms = number * TICK_MS
        if not tick[chunk]["contains_speech"]:
            continue
        if found and found[-1][1] == begin_ms:
            found[-1] = (found[-1][0], begin_ms + TICK_MS)
        else:
            found.append((begin_ms, begin_ms + TICK_MS))
    return found


def sound(ticks: list[dict[str, Any]], begin_ms: int, end_ms: int) -> str | None:
    """What the simulator says of a stretch of the user: a signal, a tic, or speech (None)."""
    chunks = [t["user_chunk"] for t in ticks[begin_ms // TICK_MS : end_ms // TICK_MS]]
    if (chunks[0]["turn_taking_action"] or {}).get("action") == "backchannel":
        return "mm-hm"
    if end_ms - begin_ms > LONGEST_TIC_MS:
        return "speech with a tic" if _has_tic(chunks) else None
    return "sniffle" if _has_tic(chunks) else None


def _has_tic(chunks: list[dict[str, Any]]) -> bool:
    inserts = [(chunk["speech_effects"] or {}).get("speech_insert") for chunk in chunks]
    return any(insert and insert["type"] == "vocal_tic" for insert in inserts)


def imported(ticks: list[dict[str, Any]]) -> list[Observation]:
    merger = Merger()
    for channel, chunk in ((Channel.AGENT, "agent_chunk"), (Channel.CUSTOMER, "user_chunk")):
        for begin_ms, end_ms in spans(ticks, chunk):
            merger.add(
                [
                    SpeechStarted(at_ms=begin_ms + 96, channel=channel, start_ms=begin_ms),
                    SpeechEnded(
                        at_ms=end_ms + 96, channel=channel, start_ms=begin_ms, end_ms=end_ms
                    ),
                ]
            )
            text = sound(ticks, begin_ms, end_ms) if channel is Channel.CUSTOMER else None
            if text in ("mm-hm", "sniffle"):
                word = Word(text=text, start_ms=begin_ms, end_ms=end_ms, probability=1.0)
                merger.add(
                    [
                        FinalTranscript(
                            at_ms=end_ms + 750, channel=channel, utterance_id=str(begin_ms), rev=1,
                            start_ms=begin_ms, end_ms=end_ms, text=text, words=(word,),
                        )
                    ]
                )  # fmt: skip
    events = [e for e in merger.release(10**9) if isinstance(e, Observation)]
    started = CallStarted(
        at_ms=0, call_id="tau2", started_at="2026-01-01T00:00:00+00:00", source="tau2",
        channels=(Channel.AGENT, Channel.CUSTOMER),
    )  # fmt: skip
    return [started, *events, CallEnded(at_ms=len(ticks) * TICK_MS + 2_000)]


def dialogues() -> list[list[dict[str, Any]]]:
    found = []
    for path in sorted(FOLDER.glob("*-*.json")):
        ticks: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["ticks"]
        last, before = ticks[-1]["user_chunk"], ticks[-2]["user_chunk"]
        if last["contains_speech"] and not before["contains_speech"]:
            ticks = ticks[:-1]  # the simulator's stop signal, which tau2-bench removes too
        found.append(ticks)
    return found


@cache
def overlaps() -> list[tuple[list[dict[str, Any]], list[OverlapEnded]]]:
    settings = ConversationSettings()
    level = msgspec.structs.replace(settings.interruptions, rtt_ms=RoundTrips(agent=0, customer=0))
    settings = msgspec.structs.replace(settings, interruptions=level)
    judged = []
    for ticks in dialogues():
        core = Conversation.create(settings)
        observations = imported(ticks)
        for observation in observations:
            core.receive(observation)
        judged.append((ticks, core.final_pass(observations)))
    return judged


def expected() -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads((FOLDER / "expected_metrics.json").read_text("utf-8"))
    return decoded


def by_user() -> list[tuple[OverlapEnded, str | None]]:
    """Every time the user came in on the agent, and what the simulator says it was."""
    found = []
    for ticks, events in overlaps():
        user = spans(ticks, "user_chunk")
        for event in events:
            if event.by is Channel.CUSTOMER:
                begin_ms, end_ms = next(s for s in user if s[0] == event.begin_ms)
                found.append((event, sound(ticks, begin_ms, end_ms)))
    return found


def test_interruptions_by_the_agent_are_theirs_when_collisions_count_against_both() -> None:
    events = [event for _, events in overlaps() for event in events]
    came_in = [e for e in events if e.by is Channel.AGENT]
    together = [e for e in events if e.overlap_class is OverlapClass.COLLISION]
    assert len(came_in) + len(together) == expected()["counts"]["agent_interrupts_count"]
    share = (len(came_in) + len(together)) / expected()["counts"]["response_total"]
    assert share == pytest.approx(expected()["agent_interruption_rate"])


def test_every_interruption_by_the_user_is_theirs_and_is_yielded_to() -> None:
    meant = [event for event, what in by_user() if what is None]
    yielded = [event for event in meant if event.end_ms - event.begin_ms <= NO_YIELD_MS]
    assert len(meant) == expected()["counts"]["yield_total"]
    assert len(yielded) / len(meant) == expected()["yield_rate"]


def test_time_to_yield_is_theirs_but_for_a_user_who_stopped_first() -> None:
    """They wait for the agent's stop even when the user has fallen silent: 1.4 s, not 1.0 s."""
    meant = [event for event, what in by_user() if what is None]
    seconds = [(event.end_ms - event.begin_ms) / 1_000 for event in meant]
    stopped_first = 1.4 - 1.0
    measured = mean(seconds) + stopped_first / len(seconds)
    assert measured == pytest.approx(expected()["yield_latency_mean"])


def test_signals_are_theirs_and_no_signal_or_tic_is_called_an_interruption() -> None:
    signals = [event for event, what in by_user() if what == "mm-hm"]
    tics = [event for event, what in by_user() if what == "speech with a tic"]
    assert len(signals) == expected()["counts"]["backchannel_total"]
    assert not [e for e in signals if e.overlap_class in INTERRUPTING]
    assert len(tics) == 1, "a tic inside ten seconds of speech is that speech for us"
    assert tics[0].overlap_class is OverlapClass.SUCCESSFUL
