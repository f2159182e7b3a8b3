"""Runs scripted dialogues through the core: what would be observed, and what follows from it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from bench.coaching.scripts import Hold, Script, Turn
from conversation.conversation import Conversation
from conversation.cue_engine import CueEngine
from conversation.events import (
    ActDetected,
    CallEnded,
    CallStarted,
    Channel,
    FinalTranscript,
    HoldEnded,
    HoldStarted,
    Observation,
    PartialTranscript,
    RaisedVoiceEnded,
    RaisedVoiceStarted,
    SpeechEnded,
    SpeechStarted,
    UtteranceScored,
    Word,
)
from conversation.redaction import Redactor
from conversation.settings import ConversationSettings

FINAL_AFTER_MS = 800
"""End of an utterance to its final: 700 ms of silence and the decode."""
CONFIRM_MS = 96
UTTERANCE_WORDS = 32
"""A recogniser's utterance holds about 12 s of speech at most."""
PARTIAL_EVERY_MS, PARTIAL_LAG_MS = 1_000, 1_100
"""Committed words come about this often and this late."""


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
        self, event: PartialTranscript | FinalTranscript | UtteranceScored
    ) -> list[ActDetected]:
        """Return the acts of a turn when its last words are final."""
        turn = self._last.get(event.utterance_id)
        if turn is None or not isinstance(event, FinalTranscript):
            return []
        out: list[ActDetected] = []
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


def misheard(script: Script, rate: float, rng: random.Random) -> Script:
    """Return a script in which words are dropped, or replaced by others of the dialogue."""
    pool = " ".join(str(row[2]) for row in script.turns if row[0] != "hold").split()
    turns = []
    for row in script.turns:
        if row[0] == "hold":
            turns.append(row)
            continue
        words: list[str] = []
        for word in str(row[2]).split():
            draw = rng.random()
            if draw >= rate / 2:
                words.append(rng.choice(pool) if draw < rate else word)
        turns.append([*row[:2], " ".join(words) or str(row[2]), *row[3:]])
    return msgspec.structs.replace(script, turns=turns)


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
