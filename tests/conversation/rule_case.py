"""Cases of cue rules as data: `rule_cases/*.toml` read, and played through an engine."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec

from conversation.cue_engine import CueEngine, CueEvent
from conversation.events import (
    ActDetected,
    AlertRaised,
    AudioGap,
    CallStarted,
    CapturePaused,
    CaptureResumed,
    Channel,
    CueRaised,
    Event,
    FinalTranscript,
    HandRaised,
    HoldEnded,
    HoldStarted,
    NoticeShown,
    PromiseMade,
    PromiseReviewed,
    SpeechEnded,
    SpeechStarted,
    Word,
)
from conversation.rules import packaged_rule_set

FOLDER = Path(__file__).parent / "rule_cases"
CALM: dict[str, Any] = {
    "direction_known": True, "bleed": "A", "hold": False, "asr.available": True,
    "agent.speaking": False, "agent.silent_ms": 1_000, "agent.utterance_ms": 0,
    "agent.turn_ms": 0, "agent.turn_words": 0, "agent.wpm_15s": 140.0,
    "agent.voiced_ago_ms": 1_000, "agent.voice_raised": False, "customer.speaking": False,
    "customer.silent_ms": 1_000, "customer.holds_floor": False, "customer.p_complete": 0.8,
    "customer.voice_raised": False, "customer.utterance_ms": 0, "silence.mutual_ms": 0,
    "silence.owed_by": "agent",
}  # fmt: skip


class Case(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One case: what is known and what happens, and whether the rule is to fire."""

    rule: str
    fires: bool = False
    why: str = ""
    facts: dict[str, Any] = {}
    events: list[list[Any]] = []
    start_ms: int = 20_000
    for_ms: int = 20_000

    @property
    def name(self) -> str:
        return f"{self.rule}: {'fires' if self.fires else self.why}"


def load_cases() -> list[Case]:
    return [
        case
        for file in sorted(FOLDER.glob("*.toml"))
        for case in msgspec.convert(tomllib.loads(file.read_text("utf-8")), dict[str, list[Case]])[
            "case"
        ]
    ]


def final(channel: Channel, start_ms: int, end_ms: int, text: str) -> FinalTranscript:
    words = text.split()
    step = (end_ms - start_ms) // len(words)
    return FinalTranscript(
        at_ms=end_ms, channel=channel, utterance_id=f"final-{start_ms}", rev=1,
        start_ms=start_ms, end_ms=end_ms, text=text,
        words=tuple(
            Word(text=w, start_ms=start_ms + i * step, end_ms=start_ms + (i + 1) * step,
                 probability=0.9)
            for i, w in enumerate(words)
        ),
    )  # fmt: skip


def event(what: list[Any]) -> Event:
    """Turn one row of a case into an event."""
    kind, at_ms = str(what[0]), int(what[1])
    party, _, name = kind.partition(".")
    if name == "says":
        return final(Channel(party), at_ms, int(what[2]), str(what[3]))
    if name == "speaks":
        return SpeechStarted(at_ms=at_ms + 96, channel=Channel(party), start_ms=at_ms)
    if name == "stops":
        return SpeechEnded(
            at_ms=int(what[2]) + 96, channel=Channel(party), start_ms=at_ms, end_ms=int(what[2])
        )
    if name:
        return ActDetected(
            at_ms=at_ms, id=f"act-{at_ms}", channel=Channel(party), kind=name,
            start_ms=at_ms - 500, end_ms=at_ms, text=str(what[3]) if len(what) > 3 else "words",
            confidence=float(what[2]) if len(what) > 2 else 0.95,
            utterance_id=str(what[4]) if len(what) > 4 else f"u{at_ms}",
        )  # fmt: skip
    started = CallStarted(
        at_ms=0, call_id="case", started_at="2026-03-02T09:00:00+00:00", source="test",
        channels=(Channel.AGENT, Channel.CUSTOMER),
        customer_name="Miriam Kessler" if kind == "named" else None,
        usual_words_per_minute=float(what[2]) if kind == "usual_pace" else None,
    )  # fmt: skip
    happened: dict[str, Event] = {
        "named": started,
        "usual_pace": started,
        "hold_started": HoldStarted(at_ms=at_ms),
        "hold_ended": HoldEnded(at_ms=at_ms),
        "paused_auto": CapturePaused(at_ms=at_ms, mode="auto"),
        "paused_manual": CapturePaused(at_ms=at_ms, mode="manual"),
        "resumed": CaptureResumed(at_ms=at_ms),
        "hand_raised": HandRaised(at_ms=at_ms),
        "hand_lowered": HandRaised(at_ms=at_ms, raised=False),
        "reviewed": PromiseReviewed(at_ms=at_ms, promise_id="promise-1", verdict="confirmed"),
        "promise": PromiseMade(
            at_ms=at_ms, id="promise-1", text="I will ring you", what="ring you", due=None,
            confidence=0.9, start_ms=at_ms - 500,
        ),
        "gap": AudioGap(
            at_ms=int(what[-1]) if len(what) > 2 else at_ms, channel=Channel.CUSTOMER,
            begin_ms=at_ms, end_ms=int(what[-1]) if len(what) > 2 else at_ms, reason="loss",
        ),
    }  # fmt: skip
    return happened[kind]


def play(case: Case, *, alone: bool = True) -> list[CueEvent]:
    """Play a case; `alone` with its rule only, else with every rule that exists."""
    rules = [
        msgspec.structs.replace(rule, enabled=True)
        for rule in packaged_rule_set().rules
        if not alone or rule.id == case.rule
    ]
    required = any(what[0] == "consent_required" for what in case.events)
    engine = CueEngine(rules, consent_required=required)
    waiting = sorted(
        (event(what) for what in case.events if what[0] != "consent_required"),
        key=lambda e: e.at_ms,
    )
    out: list[CueEvent] = []
    for now_ms in range(case.start_ms, case.start_ms + case.for_ms, 100):
        while waiting and waiting[0].at_ms <= now_ms:
            engine.observe(waiting.pop(0))
        out += engine.evaluate(now_ms, {**CALM, "call.ms": now_ms, **case.facts})
    return out


def shown(events: list[CueEvent]) -> list[str]:
    """Return the rules whose cue, alert or notice appeared."""
    return [e.rule for e in events if isinstance(e, CueRaised | AlertRaised | NoticeShown)]
