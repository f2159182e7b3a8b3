"""Runs stored calls again under other cue rules: what would have been shown, and what withheld."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from conversation.conversation import Conversation
from conversation.events import (
    AlertRaised,
    CallStarted,
    CueCleared,
    CueFeedback,
    CueRaised,
    CueWithheld,
    Event,
    EventLog,
    NoticeShown,
    Observation,
)
from conversation.rules import RuleError, RuleSet

EXAMPLES = 10
"""Most examples kept of each rule."""
SAME_CUE_MS = 1_000
"""A cue that was shown this close to a replayed one is the same (our choice)."""


class LogError(Exception):
    """A file of events cannot be replayed."""

    code = "bad_log"


class Example(msgspec.Struct, frozen=True):
    """One time that a rule fired."""

    call_id: str
    at_ms: int
    evidence_line: str


class RuleTally(msgspec.Struct):
    """What one rule did over all calls."""

    fires: int = 0
    withheld: Counter[str] = msgspec.field(default_factory=Counter)
    outcomes: Counter[str] = msgspec.field(default_factory=Counter)
    clear_ms: list[int] = msgspec.field(default_factory=list)
    feedback: Counter[str] = msgspec.field(default_factory=Counter)
    examples: list[Example] = msgspec.field(default_factory=list)

    @property
    def cleared_share(self) -> float | None:
        """Share of its showings that ended because the agent did what helps."""
        total = sum(self.outcomes.values())
        return self.outcomes["cleared"] / total if total else None

    @property
    def median_clear_ms(self) -> float | None:
        """Median time from cue to clear."""
        return statistics.median(self.clear_ms) if self.clear_ms else None


class Replay(msgspec.Struct):
    """What a rule set did over stored calls."""

    calls: int = 0
    duration_ms: int = 0
    rules: defaultdict[str, RuleTally] = msgspec.field(
        default_factory=lambda: defaultdict(RuleTally)
    )

    def per_10_min(self, rule: str) -> float:
        """Return how often a rule fires in ten minutes of call."""
        return self.rules[rule].fires * 600_000 / self.duration_ms if self.duration_ms else 0.0


def find_logs(paths: Iterable[Path]) -> list[Path]:
    """Return the event logs among files and in folders.

    Raises:
        LogError: a path is missing, or a folder holds none.
    """
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.rglob("*.jsonl")) if path.is_dir() else [path]
        if not inside or not inside[0].is_file():
            raise LogError(
                f"{path}: there is no events.jsonl; `heartline analyze FILE` or `heartline demo` "
                "writes one"
            )
        found += inside
    return found


def read_log(path: Path) -> list[Event]:
    """Read one `events.jsonl`.

    Raises:
        LogError: it is no event log.
    """
    try:
        events: list[Event] = [EventLog.decode(line) for line in path.read_bytes().splitlines()]
    except (OSError, msgspec.MsgspecError) as error:
        raise LogError(f"{path}: not an event log: {error}") from error
    if not events or not isinstance(events[0], CallStarted):
        raise LogError(f"{path}: an event log begins with call_started; this one does not")
    return events


def replay_call(events: Sequence[Event], rules: RuleSet | None, into: Replay) -> None:
    """Run one call's observations through the core again and add up what the rules do.

    What the agent said of the cues they saw is left out, because other cues may come.

    Args:
        events: the call's journal.
        rules: the rules to run it under; None takes those it was recorded with.
        into: where it is added up.

    Raises:
        RuleError: the rules that were recorded are none of this version.
    """
    started = events[0]
    assert isinstance(started, CallStarted)  # noqa: S101 - read_log has seen to it
    if rules is not None:
        started = msgspec.structs.replace(
            started, rules=rules.tables, language_overlay=rules.overlay, rules_sha256=rules.sha256
        )
    try:
        core = Conversation.for_call(started)
    except msgspec.ValidationError as error:
        raise RuleError(f"call {started.call_id}: its settings are of another version") from error
    derived: list[Event] = list(core.receive(started))
    for event in events[1:]:
        if isinstance(event, Observation) and not isinstance(event, CueFeedback):
            derived += core.receive(event)
    into.calls += 1
    into.duration_ms += max(event.at_ms for event in events)
    _add_up(started.call_id, derived, into)
    _add_feedback(events, derived, into)


def _add_up(call_id: str, derived: Sequence[Event], into: Replay) -> None:
    raised: dict[str, CueRaised] = {}
    for event in derived:
        if isinstance(event, CueRaised):
            raised[event.id] = event
        if isinstance(event, CueRaised | AlertRaised | NoticeShown):
            tally = into.rules[event.rule]
            tally.fires += 1
            if len(tally.examples) < EXAMPLES:
                line = event.evidence_line if isinstance(event, CueRaised) else ""
                tally.examples.append(Example(call_id, event.at_ms, line))
        elif isinstance(event, CueWithheld):
            into.rules[event.rule].withheld[event.reason] += 1
        elif isinstance(event, CueCleared):
            tally = into.rules[event.rule]
            tally.outcomes[event.outcome] += 1
            if event.outcome == "cleared":
                tally.clear_ms.append(event.at_ms - raised[event.id].at_ms)


def _add_feedback(events: Sequence[Event], derived: Sequence[Event], into: Replay) -> None:
    """Count thumbs for replayed cues that were on the screen at the time."""
    verdicts = {e.cue_id: e.verdict for e in events if isinstance(e, CueFeedback)}
    judged = [e for e in events if isinstance(e, CueRaised) and e.id in verdicts]
    for cue in derived:
        if not isinstance(cue, CueRaised):
            continue
        for shown in judged:
            if shown.rule == cue.rule and abs(shown.at_ms - cue.at_ms) <= SAME_CUE_MS:
                into.rules[cue.rule].feedback[verdicts[shown.id]] += 1
