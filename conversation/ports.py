"""What the core asks of its cue engine and act detector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from conversation.events import (
    ActDetected,
    AlertCleared,
    AlertRaised,
    CueCleared,
    CueRaised,
    CueWithheld,
    Event,
    FinalTranscript,
    NoticeCleared,
    NoticeShown,
    PartialTranscript,
    UtteranceScored,
)

Shown = (
    CueRaised | CueCleared | CueWithheld | AlertRaised | AlertCleared | NoticeShown | NoticeCleared
)
"""What the rules put on a screen, take off it or withhold."""

FactValue = float | int | str | bool | None


class Cues(Protocol):
    """Decides what is shown to the agent."""

    def observe(self, event: Event) -> None:
        """Take every observation and derived event, in order."""

    def evaluate(self, now_ms: int, facts: Mapping[str, FactValue]) -> Sequence[Shown]:
        """Look at the rules at a grid time or after an observation."""

    def finish(self, now_ms: int) -> Sequence[Shown]:
        """Clear what is shown; the call is over."""


class Acts(Protocol):
    """Hears what was said for a purpose."""

    def observe(
        self, event: PartialTranscript | FinalTranscript | UtteranceScored
    ) -> Sequence[ActDetected]:
        """Take a redacted transcript, or what a language model makes of the next final."""
