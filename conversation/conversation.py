"""The core: observations in, derived events out; pure, so live, replay and test are one.

Timers run on a grid of 100 ms of stream time, each at its nominal time and before any later
observation. `ClockAdvanced` only runs the grid, so extra ones change promptness, never results.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from conversation.acts import ActDetector
from conversation.cue_engine import CueEngine
from conversation.events import (
    AudioGap,
    CallEnded,
    CallStarted,
    CapturePaused,
    CaptureResumed,
    Channel,
    ChannelQuality,
    ClockAdvanced,
    Derived,
    Event,
    FinalTranscript,
    HoldEnded,
    HoldStarted,
    MetricsUpdated,
    Observation,
    OverlapEnded,
    PartialTranscript,
    RaisedVoiceEnded,
    RaisedVoiceStarted,
    SilenceEnded,
    SilenceStarted,
    SpeechEnded,
    SpeechStarted,
    UtteranceScored,
)
from conversation.facts import build_facts
from conversation.floor import PARTIES, Floor
from conversation.language import load_heads, load_pack
from conversation.metrics import Pace, talk_share_agent
from conversation.overlaps import OverlapTracker
from conversation.ports import Acts, Cues, FactValue
from conversation.settings import ConversationSettings
from conversation.speech import PartySpeech, overlap_spans

GRID_MS = 100
METRICS_MS = 1_000
_SUSPENDING = (HoldStarted, CapturePaused)
_RESUMING = (HoldEnded, CaptureResumed)


class OrderError(ValueError):
    """An observation came before one that was already received."""


class Conversation:
    """One call's state; feed observations in the order of `at_ms`."""

    def __init__(self, settings: ConversationSettings, cues: Cues, acts: Acts) -> None:
        self._settings = settings
        self._cues = cues
        self._acts = acts
        self._parties = {
            party: PartySpeech(party, settings.interruptions.join_ms) for party in Channel
        }
        self._floor = Floor(self._parties, settings.floor)
        self._overlaps = OverlapTracker(self._parties, settings.interruptions)
        self._paces = {party: Pace() for party in Channel}
        self._now_ms = 0
        self._grid_ms = 0
        self._directed = True
        self._hold = False
        self._bleed = "B"
        self._words_seen_ms: int | None = None
        self._silence: SilenceStarted | None = None
        self._longest_silence_ms = 0
        self._ended = False

    @classmethod
    def create(cls, settings: ConversationSettings) -> Conversation:
        """Build the core with the shipped rules and the language pack of its locale.

        Raises:
            RuleError, PackError: a rule or pack is not valid.
        """
        return cls(
            settings,
            CueEngine.from_packaged(settings.locale, settings.disabled_rules),
            ActDetector(load_pack(settings.locale), load_heads(settings.locale)),
        )

    @property
    def next_wakeup_ms(self) -> int:
        """Stream time of the next grid step."""
        return self._grid_ms + GRID_MS

    def receive(self, observation: Observation) -> list[Derived]:
        """Take one observation and return what follows from it, in order.

        Raises:
            OrderError: the observation is older than the last one.
        """
        if self._ended:
            return []
        if observation.at_ms < self._now_ms:
            raise OrderError(
                f"{type(observation).__name__} at {observation.at_ms} ms comes after "
                f"{self._now_ms} ms; merge observations before the core."
            )
        derived = self._run_grid(observation.at_ms)
        self._now_ms = observation.at_ms
        if isinstance(observation, ClockAdvanced):
            return derived
        self._cues.observe(observation)
        derived += self._share(self._apply(observation))
        if isinstance(observation, CallEnded):
            return derived + self._end(observation.at_ms)
        return derived + self._evaluate(observation.at_ms)

    def final_pass(self, observations: Iterable[Observation]) -> list[OverlapEnded]:
        """Judge all overlaps again with every word known; revision 1, after `CallEnded`."""
        seen = list(observations)
        if not self._directed or not seen:
            return []
        settings = self._settings.interruptions
        parties = {party: PartySpeech(party, settings.join_ms) for party in Channel}
        for observation in seen:
            if isinstance(observation, FinalTranscript):
                parties[observation.channel].hear(observation)
        floor = Floor(parties, self._settings.floor)
        overlaps = OverlapTracker(parties, settings, revision=1)
        settled: list[Event] = []
        grid_ms = 0
        held = False
        for observation in seen:
            while grid_ms + GRID_MS <= observation.at_ms:
                grid_ms += GRID_MS
                if not held:
                    floor.advance(grid_ms - settings.confirm_ms)
                    settled += overlaps.advance(grid_ms)
            if isinstance(observation, _SUSPENDING):
                held = True
                settled += overlaps.finish(observation.at_ms)
                floor.suspend(observation.at_ms)
            elif isinstance(observation, _RESUMING):
                held = False
                floor.resume(observation.at_ms)
            settled += _hear_speech(observation, parties, floor, overlaps, held=held)
        end_ms = seen[-1].at_ms
        settled += overlaps.finish(end_ms)
        return [
            msgspec.structs.replace(event, at_ms=end_ms)
            for event in settled
            if isinstance(event, OverlapEnded)
        ]

    # ------------------------------------------------------------------ the grid

    def _run_grid(self, until_ms: int) -> list[Derived]:
        derived: list[Derived] = []
        while self._grid_ms + GRID_MS <= until_ms:
            self._grid_ms += GRID_MS
            if self._directed:
                derived += self._share(self._step(self._grid_ms))
            derived += self._evaluate(self._grid_ms)
        return derived

    def _step(self, now_ms: int) -> list[Derived]:
        known_ms = now_ms - self._settings.interruptions.confirm_ms
        derived: list[Derived] = []
        if not self._hold:
            derived += self._floor.advance(known_ms)
            derived += self._overlaps.advance(now_ms)
            derived += self._silences(now_ms)
        if now_ms % METRICS_MS == 0:
            derived.append(self._metrics(now_ms))
        return derived

    def _silences(self, now_ms: int) -> list[Derived]:
        agent, customer = (self._parties[p] for p in PARTIES)
        if not agent.spans and not customer.spans:
            return []
        mutual_ms = min(agent.silent_ms(now_ms), customer.silent_ms(now_ms))
        if mutual_ms > 0:
            self._longest_silence_ms = max(self._longest_silence_ms, mutual_ms)
        if self._silence is None and mutual_ms >= self._settings.floor.silence_event_ms:
            last = max(PARTIES, key=lambda p: self._parties[p].last_end_ms)
            self._silence = SilenceStarted(
                at_ms=now_ms, begin_ms=now_ms - mutual_ms, owed_by=last.other
            )
            return [self._silence]
        if self._silence is not None and mutual_ms < self._settings.floor.silence_event_ms:
            started, self._silence = self._silence, None
            return [
                SilenceEnded(
                    at_ms=now_ms,
                    begin_ms=started.begin_ms,
                    end_ms=now_ms - mutual_ms,
                    owed_by=started.owed_by,
                )
            ]
        return []

    def _metrics(self, now_ms: int) -> MetricsUpdated:
        known_ms = now_ms - self._settings.interruptions.confirm_ms
        agent, customer = (self._parties[p].spans_between(0, known_ms) for p in PARTIES)
        both = overlap_spans(agent, customer)
        return MetricsUpdated(
            at_ms=now_ms,
            talk_share_agent=talk_share_agent(self._parties, 0, known_ms),
            agent_ms=sum(e - b for b, e in agent),
            customer_ms=sum(e - b for b, e in customer),
            overlap_ms=sum(e - b for b, e in both),
            longest_silence_ms=self._longest_silence_ms,
            interruptions_agent=self._overlaps.interruptions(Channel.AGENT, now_ms, now_ms),
            interruptions_customer=self._overlaps.interruptions(Channel.CUSTOMER, now_ms, now_ms),
            words_per_minute_agent=self._paces[Channel.AGENT].words_per_minute(),
            words_per_minute_customer=self._paces[Channel.CUSTOMER].words_per_minute(),
            floor=self._floor.state,
            floor_holder=self._floor.holder,
        )

    # ------------------------------------------------------------------ observations

    def _apply(self, observation: Observation) -> Sequence[Derived]:
        if isinstance(observation, CallStarted):
            self._directed = set(PARTIES) <= set(observation.channels)
        elif isinstance(observation, PartialTranscript | FinalTranscript):
            return self._hear_words(observation)
        elif isinstance(observation, UtteranceScored):
            return self._acts.observe(observation)
        elif isinstance(observation, RaisedVoiceStarted | RaisedVoiceEnded):
            speech = self._parties[observation.channel]
            speech.voice_raised = isinstance(observation, RaisedVoiceStarted)
        elif isinstance(observation, ChannelQuality):
            self._bleed = observation.bleed_grade or self._bleed
        elif isinstance(observation, _SUSPENDING):
            self._hold = True
            return [*self._overlaps.finish(self._now_ms), *self._floor.suspend(self._now_ms)]
        elif isinstance(observation, _RESUMING):
            self._hold = False
            self._floor.resume(self._now_ms)
        elif self._directed or isinstance(observation, AudioGap):
            return _hear_speech(
                observation, self._parties, self._floor, self._overlaps, held=self._hold
            )
        return []

    def _hear_words(self, heard: PartialTranscript | FinalTranscript) -> Sequence[Derived]:
        speech = self._parties[heard.channel]
        speech.hear(heard)
        self._words_seen_ms = heard.at_ms
        if isinstance(heard, FinalTranscript):
            self._paces[heard.channel].hear(heard, speech, self._parties[heard.channel.other])
        if heard.channel is Channel.MIXED:
            return []
        return self._acts.observe(heard)

    def _share(self, derived: Sequence[Derived]) -> list[Derived]:
        for event in derived:
            self._cues.observe(event)
        return list(derived)

    def _evaluate(self, now_ms: int) -> list[Derived]:
        if not self._directed:
            return []
        shown = self._cues.evaluate(now_ms, self._facts(now_ms))
        return self._share(list(shown))

    def _facts(self, now_ms: int) -> dict[str, FactValue]:
        return build_facts(
            now_ms,
            self._parties,
            self._floor,
            self._overlaps,
            self._paces,
            bleed=self._bleed,
            hold=self._hold,
            words_seen_ms=self._words_seen_ms,
            confirm_ms=self._settings.interruptions.confirm_ms,
        )

    def _end(self, now_ms: int) -> list[Derived]:
        self._ended = True
        derived: list[Derived] = []
        if self._directed:
            derived += self._share(self._overlaps.finish(now_ms))
            derived += self._share(self._floor.finish(now_ms))
            derived.append(self._metrics(now_ms))
        return derived + list(self._cues.finish(now_ms))


def _hear_speech(
    observation: Observation,
    parties: dict[Channel, PartySpeech],
    floor: Floor,
    overlaps: OverlapTracker,
    *,
    held: bool,
) -> Sequence[Derived]:
    """Take a start, an end or a gap; the same live and in the post-call pass.

    While the call is on hold nobody comes in on anybody.
    """
    if isinstance(observation, SpeechStarted):
        onset: Sequence[Derived] = ()
        if not held:
            onset = overlaps.onset(
                observation.channel,
                observation.start_ms,
                observation.at_ms,
                margin=observation.margin,
                holder=floor.holder,
            )
        parties[observation.channel].start(observation.start_ms)
        return onset
    if isinstance(observation, SpeechEnded):
        parties[observation.channel].end(observation.end_ms)
    elif isinstance(observation, AudioGap):
        return overlaps.finish(observation.at_ms)
    return []
