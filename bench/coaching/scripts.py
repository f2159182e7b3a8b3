"""Scripted dialogues: text with timing, and the cues that they should and should not raise.

    [[script]]
    id = "parcel_late"
    calm = false
    turns = [["a1", 400, "Good morning …", "greeting", { wpm = 150 }], ["hold", 500, 40000]]
    expect = [{ rule = "missed_ack", turn = "a2", from_ms = 0, to_ms = 9000 }]
    forbid = ["customer_upset"]

A turn is its id (which begins with the speaker: a or c), the pause before it in ms (negative: it
begins before the last one has ended), its words, the acts they carry, and options: `wpm`, `raised`.
An expected cue is raised in a window about the end of a turn; without a window it is the time
that its rule, its latency class and the wait for the floor allow (`coaching.md` section 10).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import msgspec

from conversation.arbiter import ArbiterSettings
from conversation.conversation import Conversation
from conversation.cue_engine import CueEngine
from conversation.events import (
    ActDetected,
    CallEnded,
    CallStarted,
    Channel,
    CueCleared,
    CueRaised,
    FinalTranscript,
    HoldEnded,
    HoldStarted,
    Observation,
    PartialTranscript,
    PromiseMade,
    RaisedVoiceEnded,
    RaisedVoiceStarted,
    SpeechEnded,
    SpeechStarted,
    UtteranceScored,
    Word,
)
from conversation.redaction import Redactor
from conversation.rules import CueRule, packaged_rule_set
from conversation.settings import ConversationSettings

FOLDER = Path(__file__).parents[2] / "tests" / "scripts"
WORDS_PER_MINUTE = 165
"""An ordinary pace of service calls."""
SENTENCE_PAUSE_MS = 300
FINAL_AFTER_MS = 800
"""End of an utterance to its final: 700 ms of silence and the decode."""
CONFIRM_MS = 96
UTTERANCE_WORDS = 32
"""A recogniser's utterance holds about 12 s of speech at most."""
PARTIAL_EVERY_MS, PARTIAL_LAG_MS = 1_000, 1_100
"""Committed words come about this often and this late."""
CLASS_ALLOWANCE_MS = {"A": 1_000, "T": 3_000, "L": 5_000}
"""Longest time from evidence to cue by latency class (`coaching.md` section 10)."""


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A cue that should be raised about the end of a turn."""

    rule: str
    turn: str
    from_ms: int | None = None
    """From the end of the turn; None takes its start: the words may be anywhere in it."""
    to_ms: int | None = None
    """From the end of the turn; None takes what the rule allows."""


class Turn(msgspec.Struct, frozen=True):
    """One turn, placed on the clock of the call."""

    id: str
    channel: Channel
    start_ms: int
    end_ms: int
    text: str
    acts: tuple[str, ...]
    raised: bool
    words: tuple[Word, ...]
    sentences: tuple[tuple[int, int], ...]
    """Spans of words that are spoken without a pause."""


class Hold(msgspec.Struct, frozen=True):
    """The customer waits."""

    start_ms: int
    end_ms: int


class Script(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One dialogue as it is written."""

    id: str
    turns: list[list[Any]]
    calm: bool = False
    expect: list[Expected] = []
    forbid: list[str] = []
    spoken: bool = False
    """One of those that are also synthesised and run through everything."""
    held_out: bool = False

    def placed(self) -> list[Turn | Hold]:
        """Place every turn and hold on the clock."""
        out: list[Turn | Hold] = []
        at_ms = 0
        for row in self.turns:
            start_ms = max(0, at_ms + int(row[1]))
            if row[0] == "hold":
                out.append(Hold(start_ms, start_ms + int(row[2])))
                at_ms = start_ms + int(row[2])
                continue
            turn = _placed(row, start_ms)
            out.append(turn)
            at_ms = turn.end_ms
        return out


def _placed(row: Sequence[Any], start_ms: int) -> Turn:
    options = row[4] if len(row) > 4 else {}
    wpm = float(options.get("wpm", WORDS_PER_MINUTE))
    words: list[Word] = []
    sentences = []
    now_ms, first = float(start_ms), 0
    texts = str(row[2]).split()
    mean = sum(len(t) + 2 for t in texts) / len(texts)
    for index, text in enumerate(texts):
        length_ms = 60_000 / wpm * (len(text) + 2) / mean
        words.append(
            Word(text=text, start_ms=round(now_ms), end_ms=round(now_ms + length_ms),
                 probability=0.95)
        )  # fmt: skip
        now_ms += length_ms
        if re.search(r"[.?!]$", text) or index == len(texts) - 1:
            sentences.append((first, index + 1))
            first = index + 1
            now_ms += SENTENCE_PAUSE_MS
    acts = tuple(str(row[3]).split()) if len(row) > 3 else ()
    channel = Channel.AGENT if str(row[0]).startswith("a") else Channel.CUSTOMER
    return Turn(
        str(row[0]), channel, start_ms, words[-1].end_ms, str(row[2]), acts,
        bool(options.get("raised", False)), tuple(words), tuple(sentences),
    )  # fmt: skip


def load_scripts(folder: Path = FOLDER) -> list[Script]:
    """Read every script; those of files called `held_out_*` are marked so."""
    scripts = []
    for file in sorted(folder.glob("*.toml")):
        table = tomllib.loads(file.read_text("utf-8"))
        for script in msgspec.convert(table["script"], list[Script]):
            script.held_out = file.name.startswith("held_out")
            scripts.append(script)
    return scripts


def cue_rules() -> dict[str, CueRule]:
    """Return the rules that take the cue slot and are on by default, by name."""
    return {
        rule.id: rule
        for rule in packaged_rule_set().active()
        if rule.audience == "agent" and rule.surface == "cue"
    }


def window(expected: Expected, placed: Sequence[Turn | Hold], rule: CueRule) -> tuple[int, int]:
    """Return the earliest and the latest time of an expected cue, given the placed turns."""
    turn = next(t for t in placed if isinstance(t, Turn) and t.id == expected.turn)
    allowed_ms = rule.hold_ms + CLASS_ALLOWANCE_MS[rule.latency_class]
    if rule.latency_class != "A" and rule.priority >= 2:
        allowed_ms += ArbiterSettings().floor_wait_ms
    to_ms = expected.to_ms if expected.to_ms is not None else allowed_ms
    begin_ms = turn.start_ms if expected.from_ms is None else turn.end_ms + expected.from_ms
    return begin_ms, turn.end_ms + to_ms


def lint(script: Script) -> list[str]:
    """Return what is wrong with a script: unknown names, and what budget or cooldown forbid."""
    rules, limits = cue_rules(), ArbiterSettings()
    problems = []
    turns = {str(row[0]) for row in script.turns}
    for name in [*script.forbid, *(e.rule for e in script.expect)]:
        if name not in rules:
            problems.append(f"{script.id}: there is no cue {name!r}")
    for expected in script.expect:
        if expected.turn not in turns:
            problems.append(f"{script.id}: there is no turn {expected.turn!r}")
        if expected.rule in script.forbid:
            problems.append(f"{script.id}: {expected.rule!r} is both expected and forbidden")
    if problems:
        return problems
    turns_at = script.placed()
    placed = sorted(
        ((window(e, turns_at, rules[e.rule])[1], rules[e.rule]) for e in script.expect),
        key=lambda pair: pair[0],
    )
    for at_ms, rule in placed:
        opening = limits.opening_a_ms if rule.latency_class == "A" else limits.opening_ms
        if rule.priority > 0 and at_ms < opening:
            problems.append(f"{script.id}: {rule.id!r} is expected while the call opens")
    paid = [(at, rule) for at, rule in placed if rule.priority > 0]
    if len(paid) > limits.budget_total or sum(r.priority > 1 for _, r in paid) > (
        limits.budget_lower
    ):
        problems.append(f"{script.id}: more cues are expected than the budget allows")
    for (first, rule), (second, other) in pairwise(paid):
        apart = limits.spacing_ms if other.priority == 1 else limits.spacing_lower_ms
        if second - first + CLASS_ALLOWANCE_MS["L"] < apart:
            problems.append(f"{script.id}: {other.id!r} comes too soon after {rule.id!r}")
        if rule.id == other.id and second - first < rule.cooldown_ms:
            problems.append(f"{script.id}: the cooldown of {rule.id!r} forbids the second")
    if script.calm and any(rules[e.rule].priority <= 3 for e in script.expect):
        problems.append(f"{script.id}: a calm dialogue may not expect a cue of priority 0 to 3")
    return problems


def observations(script: Script) -> list[Observation]:
    """Return what would be observed of a script, in order."""
    settings = ConversationSettings()
    out: list[Observation] = [
        CallStarted(
            at_ms=0, call_id=script.id, started_at="2026-03-02T09:00:00+00:00",
            channels=(Channel.AGENT, Channel.CUSTOMER), source="script",
            settings=msgspec.to_builtins(settings),
        )
    ]  # fmt: skip
    end_ms = 0
    for item in script.placed():
        end_ms = max(end_ms, item.end_ms)
        if isinstance(item, Hold):
            out += [HoldStarted(at_ms=item.start_ms), HoldEnded(at_ms=item.end_ms)]
        else:
            out += _spoken(item)
    redactor = Redactor()
    ordered = sorted(out[1:], key=lambda e: e.at_ms)
    heard: list[Observation] = [
        redactor.redact(e) if isinstance(e, PartialTranscript | FinalTranscript) else e
        for e in ordered
    ]
    last_ms = max(e.at_ms for e in heard)
    return [out[0], *heard, CallEnded(at_ms=max(last_ms, end_ms + 3_000))]


def _spoken(turn: Turn) -> list[Observation]:
    out: list[Observation] = []
    for begin, end in turn.sentences:
        start_ms, end_ms = turn.words[begin].start_ms, turn.words[end - 1].end_ms
        out += [
            SpeechStarted(at_ms=start_ms + CONFIRM_MS, channel=turn.channel, start_ms=start_ms),
            SpeechEnded(
                at_ms=end_ms + CONFIRM_MS, channel=turn.channel, start_ms=start_ms, end_ms=end_ms
            ),
        ]
    if turn.raised:
        out += [
            RaisedVoiceStarted(
                at_ms=turn.start_ms + 2_000, id=f"raised-{turn.id}", channel=turn.channel,
                begin_ms=turn.start_ms, grade="raised", score=4.0, confidence=0.9,
                level_delta_db=7.0, f0_delta_st=3.0, alpha_delta_db=5.0,
            ),
            RaisedVoiceEnded(
                at_ms=turn.end_ms + 500, id=f"raised-{turn.id}", channel=turn.channel,
                begin_ms=turn.start_ms, end_ms=turn.end_ms, peak_score=4.5, reason="silence",
            ),
        ]  # fmt: skip
    for number, (begin, end) in enumerate(utterances(turn)):
        out += _transcripts(turn, number, turn.words[begin:end])
    return out


def utterances(turn: Turn) -> list[tuple[int, int]]:
    """Group the sentences of a turn into what a recogniser decodes at a time."""
    groups: list[tuple[int, int]] = []
    for begin, end in turn.sentences:
        if groups and end - groups[-1][0] <= UTTERANCE_WORDS:
            groups[-1] = (groups[-1][0], end)
        else:
            groups.append((begin, end))
    return groups


def _transcripts(turn: Turn, number: int, words: Sequence[Word]) -> list[Observation]:
    utterance_id = f"{turn.id}-{number}"
    out: list[Observation] = []
    start_ms, end_ms = words[0].start_ms, words[-1].end_ms
    for rev, at_ms in enumerate(range(start_ms + PARTIAL_EVERY_MS, end_ms, PARTIAL_EVERY_MS)):
        stable = [w.text for w in words if w.end_ms <= at_ms - PARTIAL_LAG_MS]
        heard = [w.text for w in words if w.end_ms <= at_ms - 300]
        out.append(
            PartialTranscript(
                at_ms=at_ms, channel=turn.channel, utterance_id=utterance_id, rev=rev,
                start_ms=start_ms, audio_end_ms=at_ms - 200, stable=" ".join(stable),
                tail=" ".join(heard[len(stable):]), stable_words=len(stable),
            )
        )  # fmt: skip
    out.append(
        FinalTranscript(
            at_ms=end_ms + FINAL_AFTER_MS, channel=turn.channel, utterance_id=utterance_id,
            rev=1000, start_ms=start_ms, end_ms=end_ms,
            text=" ".join(w.text for w in words), words=tuple(words),
        )
    )  # fmt: skip
    return out


class GivenActs:
    """Answers with the acts that a script says; for judging the rules alone."""

    def __init__(self, script: Script) -> None:
        self._last: dict[str, Turn] = {}
        for item in script.placed():
            if isinstance(item, Turn):
                self._last[f"{item.id}-{len(utterances(item)) - 1}"] = item
        self._count = 0

    def observe(
        self, event: PartialTranscript | FinalTranscript
    ) -> list[ActDetected | PromiseMade]:
        """Return the acts of a turn when its last words are final."""
        turn = self._last.get(event.utterance_id)
        if turn is None or not isinstance(event, FinalTranscript):
            return []
        out: list[ActDetected | PromiseMade] = []
        for kind in turn.acts:
            self._count += 1
            out.append(
                ActDetected(
                    at_ms=event.at_ms, id=f"act-{self._count}", channel=event.channel, kind=kind,
                    start_ms=event.start_ms, end_ms=event.end_ms, text=event.text or "",
                    confidence=0.95, utterance_id=event.utterance_id,
                )
            )  # fmt: skip
        return out


class Outcome(msgspec.Struct, kw_only=True):
    """Which cues a script raised, and which of them it wanted."""

    script: Script
    raised: list[tuple[str, int]]
    matched: list[tuple[str, int]]
    missed: list[Expected]
    wrong: list[tuple[str, int]]
    """Raised without being expected."""
    expired: int = 0


def judge(
    script: Script, events: Sequence[Any], placed: Sequence[Turn | Hold] | None = None
) -> Outcome:
    """Match raised cues one to one with the expected ones; `placed` are turns as spoken."""
    rules = cue_rules()
    placed = script.placed() if placed is None else placed
    raised = [(e.rule, e.at_ms) for e in events if isinstance(e, CueRaised)]
    free = list(raised)
    matched, missed = [], []
    for expected in script.expect:
        begin_ms, end_ms = window(expected, placed, rules[expected.rule])
        found = next(
            (r for r in free if r[0] == expected.rule and begin_ms <= r[1] <= end_ms), None
        )
        if found is None:
            missed.append(expected)
        else:
            free.remove(found)
            matched.append(found)
    expired = sum(isinstance(e, CueCleared) and e.outcome == "expired" for e in events)
    return Outcome(
        script=script, raised=raised, matched=matched, missed=missed, wrong=free, expired=expired
    )


class Scorer(Protocol):
    """Scores the finals of one call with an act model."""

    def score(self, final: FinalTranscript) -> UtteranceScored | None:
        """Return what the core needs to know before it takes this final."""


def run(script: Script, *, given_acts: bool = False, scorer: Scorer | None = None) -> list[Any]:
    """Run a script through the core and return everything that follows from it.

    Args:
        script: the dialogue.
        given_acts: take the acts that the script names instead of those that are understood.
        scorer: the act model's view of one call; None leaves the patterns alone.
    """
    settings = ConversationSettings()
    core = Conversation.create(settings)
    if given_acts:
        core = Conversation(settings, CueEngine.from_packaged(), GivenActs(script))
    out: list[Any] = []
    for seen in observations(script):
        if scorer is not None and isinstance(seen, FinalTranscript):
            scored = scorer.score(seen)
            out += [] if scored is None else core.receive(scored)
        out += core.receive(seen)
    return out
