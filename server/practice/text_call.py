"""A call in which both sides are typed: the core alone, at a speaker's pace."""

from __future__ import annotations

import msgspec

from conversation.conversation import Conversation
from conversation.events import (
    ActDetected,
    CallEnded,
    CallStarted,
    Channel,
    Event,
    FinalTranscript,
    Observation,
)
from conversation.redaction import Redactor
from conversation.settings import ConversationSettings
from server.analyze import Turn, spoken_turn

_WORD_MS = 350
"""Time of a typed word: 170 words a minute, an unhurried speaker."""
_GAP_MS = 900
"""Silence between two turns; longer than a final takes to arrive."""


class TextCall:
    """Turns in, events out; the same words give the same events."""

    def __init__(
        self, settings: ConversationSettings, *, call_id: str, started_at: str, agent: str | None
    ) -> None:
        self._core, self._redactor = Conversation.create(settings), Redactor()
        self._seen: list[Observation] = []
        self._turns = 0
        self._now_ms = 1_000
        self.events: list[Event] = []
        self._receive(
            CallStarted(
                at_ms=0,
                call_id=call_id,
                started_at=started_at,
                channels=(Channel.AGENT, Channel.CUSTOMER),
                source="practice",
                agent=agent,
                settings=msgspec.to_builtins(settings),
            )
        )

    def say(self, channel: Channel, text: str) -> list[str]:
        """Let one side say something; return the kinds of the acts in it."""
        end_ms = self._now_ms + max(1, len(text.split())) * _WORD_MS
        turn = Turn(channel=channel, start_ms=self._now_ms, end_ms=end_ms, text=text)
        began = len(self.events)
        for observation in spoken_turn(self._turns, turn, "practice"):
            if isinstance(observation, FinalTranscript):
                observation = self._redactor.redact(observation)
            self._receive(observation)
        self._turns += 1
        self._now_ms = end_ms + _GAP_MS
        acts = (event for event in self.events[began:] if isinstance(event, ActDetected))
        return [act.kind for act in acts if act.channel is channel]

    def finish(self) -> list[Event]:
        """End the call and return all of its events."""
        self._receive(CallEnded(at_ms=self._now_ms))
        self.events += self._core.final_pass(self._seen)
        return self.events

    def _receive(self, observation: Observation) -> None:
        self._seen.append(observation)
        self.events += [observation, *self._core.receive(observation)]
