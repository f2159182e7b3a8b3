"""Who speaks with whom: speech, floor and overlaps of both parties, fed in stream order.

The live core and the post-call pass are two instances of this; they differ in nothing but their
settings and in when words are known.
"""

from __future__ import annotations

from collections.abc import Sequence

from conversation.events import (
    AudioGap,
    CapturePaused,
    CaptureResumed,
    Channel,
    ChannelQuality,
    Derived,
    FinalTranscript,
    HoldEnded,
    HoldStarted,
    Observation,
    PartialTranscript,
    ProsodyFrame,
    SpeechEnded,
    SpeechStarted,
)
from conversation.floor import Floor
from conversation.floor_words import contains, load_floor_words, plain_words
from conversation.overlaps import OverlapTracker
from conversation.settings import ConversationSettings
from conversation.several_voices import SeveralVoices
from conversation.speech import PartySpeech

GRID_MS = 100
SUSPENDING = (HoldStarted, CapturePaused)
_WORDS_MS = 600_000
"""Words before an overlap that are kept: many times what is looked at (our choice)."""
RESUMING = (HoldEnded, CaptureResumed)
HEARD = (
    SpeechStarted,
    SpeechEnded,
    PartialTranscript,
    FinalTranscript,
    ProsodyFrame,
    ChannelQuality,
    AudioGap,
    *SUSPENDING,
    *RESUMING,
)
"""Kinds that say something of the floor; `observe` ignores all others."""


class Interaction:
    """Pure state; `observe` in order of `at_ms`, `step` on every grid time before it."""

    def __init__(self, settings: ConversationSettings, *, revision: int = 0) -> None:
        self._settings = settings
        self.parties = {
            party: PartySpeech(party, settings.interruptions.join_ms, whole=revision > 0)
            for party in Channel
        }
        self._words = load_floor_words(settings.locale)
        self.floor = Floor(self.parties, settings.floor)
        self.overlaps = OverlapTracker(
            self.parties,
            settings.interruptions,
            self._words,
            revision=revision,
        )
        self.voices = SeveralVoices(self.parties, self.overlaps.line, settings.voices)
        self._suspended: set[type[Observation]] = set()

    @property
    def held(self) -> bool:
        """Whether the call is on hold or capture is paused: nobody comes in on anybody."""
        return bool(self._suspended)

    def step(self, now_ms: int) -> list[Derived]:
        """Bring floor and overlaps up to the grid time `now_ms`."""
        if self.held:
            return []
        known_ms = now_ms - self._settings.interruptions.confirm_ms
        return [*self.floor.advance(known_ms, now_ms), *self.overlaps.advance(now_ms)]

    def observe(self, observation: Observation) -> Sequence[Derived]:
        """Take one observation; kinds that say nothing of the floor are ignored."""
        if isinstance(observation, SpeechStarted):
            return self._start(observation)
        if isinstance(observation, SpeechEnded):
            self.parties[observation.channel].end(observation.end_ms, observation.tail_db)
            return self._look(observation.at_ms)
        elif isinstance(observation, PartialTranscript | FinalTranscript):
            speech = self.parties[observation.channel]
            speech.hear(observation)
            self._forget(speech, observation.at_ms)
            said = observation.text if isinstance(observation, FinalTranscript) else None
            if said and contains(plain_words(said), self._words.waits):
                speech.asked_to_wait_ms = observation.at_ms
            return self._look(observation.at_ms)
        elif isinstance(observation, ProsodyFrame):
            self.parties[observation.channel].measure(observation)
            self.voices.measure(observation)
        elif isinstance(observation, ChannelQuality):
            self.overlaps.take_quality(observation)
        elif isinstance(observation, AudioGap):
            return self._lose(observation)
        elif isinstance(observation, SUSPENDING):
            return self._suspend(observation)
        elif isinstance(observation, RESUMING):
            self._resume(observation)
        return []

    def _look(self, now_ms: int) -> Sequence[Derived]:
        return [] if self.held else self.overlaps.look(now_ms)

    def _forget(self, speech: PartySpeech, now_ms: int) -> None:
        """Let go of words that no open or coming overlap can ask for."""
        if self._settings.interruptions.decide_at_end:
            return
        oldest_ms = min((c.onset_ms for c in self.overlaps.open), default=now_ms)
        speech.forget_words(oldest_ms - _WORDS_MS)

    def finish(self, now_ms: int) -> list[Derived]:
        """Settle everything: the call is over."""
        return [*self.overlaps.finish(now_ms), *self.floor.finish(now_ms)]

    def _start(self, started: SpeechStarted) -> Sequence[Derived]:
        onset: Sequence[Derived] = ()
        if not self.held:
            onset = self.overlaps.onset(
                started.channel,
                started.start_ms,
                started.at_ms,
                margin=started.margin,
                holder=self.floor.holder,
            )
        mine, theirs = self.parties[started.channel], self.parties[started.channel.other]
        if started.start_ms - mine.last_end_ms > self._settings.interruptions.join_ms:
            doubts = self.voices.next_utterance(started.channel, started.at_ms)
            onset = [*onset, *doubts]
        mine.start(started.start_ms)
        if mine.utterance_ms == started.start_ms and theirs.spans:
            speaking = theirs.speaking
            mine.reply_offset_ms = -1 if speaking else started.start_ms - theirs.last_end_ms
        return [*onset, *self._look(started.at_ms)]

    def _lose(self, gap: AudioGap) -> Sequence[Derived]:
        """Lost audio is unknown: no overlap, turn or silence spans it.

        A gap no longer than the holes inside an utterance changes nothing.
        """
        if gap.end_ms - gap.begin_ms <= self._settings.interruptions.join_ms:
            return []
        for party in self.parties.values():
            party.unknown_until_ms = max(party.unknown_until_ms, gap.end_ms)
        if self.held:
            return []
        derived = [*self.overlaps.finish(gap.at_ms), *self.floor.suspend(gap.at_ms)]
        self.floor.resume(gap.at_ms)
        return derived

    def _suspend(self, observation: Observation) -> Sequence[Derived]:
        was_held = self.held
        self._suspended.add(type(observation))
        if was_held:
            return []
        return [
            *self.overlaps.finish(observation.at_ms),
            *self.floor.suspend(observation.at_ms),
        ]

    def _resume(self, observation: Observation) -> None:
        ended = HoldStarted if isinstance(observation, HoldEnded) else CapturePaused
        if ended not in self._suspended:
            return
        self._suspended.discard(ended)
        if not self.held:
            for party in self.parties.values():
                party.unknown_until_ms = observation.at_ms
            self.floor.resume(observation.at_ms)
