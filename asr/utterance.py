"""What is known of an utterance while it is being cut."""

from __future__ import annotations

import msgspec


class Lead(msgspec.Struct, frozen=True):
    """The audio before an utterance that its final may hear."""

    from_ms: int
    speech_ms: int = 0
    words_from_ms: int = 0
    """Where the final of the utterance before stopped to listen: words after it are new, also
    where voice activity missed them."""


class Utterance:
    """One stretch of speech that is still being cut."""

    def __init__(self, utterance_id: str, begin_ms: int, lead: Lead) -> None:
        self.id = utterance_id
        self.begin_ms = begin_ms
        self.lead = lead
        self.speech: list[list[int | None]] = []
        self.last_partial_ms = begin_ms
        """End of the audio of the last partial."""
        self.hints_ms: list[int] = []
        """When overlaps want to know the words so far, in order."""
        self.overlapped = False
        self.extra_frames = 0
        self.speculative: str | None = None
        """Job that decodes the utterance as if the present pause ended it."""

    def speech_ms(self, until_ms: int) -> int:
        """Return how much voice there is in it up to a time."""
        return sum(
            max(0, min(until_ms if end is None else end, until_ms) - max(begin or 0, self.begin_ms))
            for begin, end in self.speech
        )

    def is_hinted(self, now_ms: int) -> bool:
        """Whether an overlap wants to know the words by now."""
        return bool(self.hints_ms) and self.hints_ms[0] <= now_ms

    @property
    def speaking(self) -> bool:
        """Whether its voice goes on."""
        return bool(self.speech) and self.speech[-1][1] is None

    @property
    def last_end_ms(self) -> int:
        """End of its last voice; 0 while that goes on."""
        end = self.speech[-1][1]
        return 0 if end is None else end

    @property
    def last_begin_ms(self) -> int:
        """Begin of its last voice."""
        return self.speech[-1][0] or 0
