"""The core: observations in, derived events out; pure, so live, replay and test are one.

Timers run on a grid of 100 ms of stream time, each at its nominal time and before any later
observation. `ClockAdvanced` only runs the grid, so extra ones change promptness, never results.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from conversation.acts import ActDetector
from conversation.alignment import misalignment_ms
from conversation.cue_engine import CueEngine
from conversation.events import (
    AudioGap,
    CallEnded,
    CallStarted,
    Channel,
    ChannelQuality,
    ClockAdvanced,
    Derived,
    FinalTranscript,
    FloorState,
    HoldEnded,
    HoldStarted,
    LineDoubted,
    MetricsUpdated,
    Observation,
    OverlapEnded,
    PartialTranscript,
    RaisedVoiceEnded,
    RaisedVoiceStarted,
    SilenceEnded,
    SilenceStarted,
    UtteranceScored,
)
from conversation.facts import Facts
from conversation.floor import PARTIES
from conversation.interaction import GRID_MS, Interaction
from conversation.language import load_heads, load_pack
from conversation.metrics import Pace, talk_share_agent
from conversation.phrases import load_phrases
from conversation.ports import Acts, Cues
from conversation.promises import PromiseTracker
from conversation.rules import RuleSet, packaged_rule_set
from conversation.settings import ConversationSettings
from conversation.speech import SharedSpeech
from conversation.word_sentiment import WordSentiment

METRICS_MS = 1_000
ALIGNMENT_MS = 60_000
"""How often it is looked whether both channels are on one clock."""
ALIGNED_MS = 3_600_000
"""Speech that is looked at for that; more says nothing new and costs more (our choice)."""
SAME_SIGNAL = "same_signal"
"""Flag of a channel that carries what the other one carries: nobody can be told apart."""

MISALIGNED = "misaligned"
"""Code of the doubt whether both channels are on one clock."""


class OrderError(ValueError):
    """An observation came before one that was already received."""


class Conversation:
    """One call's state; feed observations in the order of `at_ms`."""

    def __init__(
        self,
        settings: ConversationSettings,
        cues: Cues,
        acts: Acts,
        promises: PromiseTracker | None = None,
    ) -> None:
        self._settings = settings
        self._cues = cues
        self._acts = acts
        self._promises = promises
        self._sentiment = WordSentiment()
        self._interaction = Interaction(settings)
        self._parties = self._interaction.parties
        self._floor = self._interaction.floor
        self._overlaps = self._interaction.overlaps
        self._shared = SharedSpeech(*(self._parties[party] for party in PARTIES))
        self._paces = {party: Pace() for party in Channel}
        self._facts = Facts(
            self._parties,
            self._floor,
            self._overlaps,
            self._paces,
            confirm_ms=settings.interruptions.confirm_ms,
        )
        self._now_ms = 0
        self._grid_ms = 0
        self._directed = True
        self._aligned = True
        self._hold_since_ms: int | None = None
        self._words_seen_ms: int | None = None
        self._silence: SilenceStarted | None = None
        self._longest_silence_ms = 0
        self._ended = False

    @classmethod
    def create(cls, settings: ConversationSettings, rules: RuleSet | None = None) -> Conversation:
        """Build the core with rules (None: the shipped ones) and the pack of its locale.

        Raises:
            RuleError, PackError: a rule or pack is not valid.
        """
        chosen = packaged_rule_set(settings.locale) if rules is None else rules
        phrases = load_phrases(settings.locale, chosen.overlay)
        return cls(
            settings,
            CueEngine(
                chosen.active(settings.disabled_rules),
                phrases=phrases,
                better_wording=phrases.better_wording,
                consent_required=settings.consent_notice_required,
            ),
            ActDetector(load_pack(settings.locale, chosen.overlay), load_heads(settings.locale)),
            PromiseTracker(phrases, settings.locale, settings.time_zone),
        )

    @classmethod
    def for_call(cls, started: CallStarted) -> Conversation:
        """Build the core that a journalled call ran with, from its first event alone.

        Raises:
            RuleError, PackError: what was recorded is not valid here.
        """
        settings = msgspec.convert(started.settings, ConversationSettings)
        return cls.create(settings, RuleSet.recorded(started.rules, started.language_overlay))

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

    def floor_spans(self, end_ms: int) -> list[tuple[int, int, FloorState, Channel | None]]:
        """Return who held the floor as spans that cover [0, `end_ms`)."""
        return self._floor.spans(end_ms)

    def final_pass(self, observations: Iterable[Observation]) -> list[OverlapEnded]:
        """Judge all overlaps again with everything known; revision 1, after `CallEnded`.

        The same code on the same observations, words first and every decision put off to the end.
        """
        seen = list(observations)
        if not self._directed or not seen:
            return []
        interaction = Interaction(self._settings.final(), revision=1)
        grid_ms = 0
        for observation in words_first(seen):
            while grid_ms + GRID_MS <= observation.at_ms:
                grid_ms += GRID_MS
                interaction.step(grid_ms)
            interaction.observe(observation)
        end_ms = seen[-1].at_ms
        interaction.finish(end_ms)
        return [
            msgspec.structs.replace(event, at_ms=end_ms) for event in interaction.overlaps.settled
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
        derived = self._interaction.step(now_ms)
        if not self._interaction.held:
            derived += self._silences(now_ms)
        if now_ms % ALIGNMENT_MS == 0:
            spans = (self._parties[party].spans.since(now_ms - ALIGNED_MS) for party in PARTIES)
            derived += self._align(misalignment_ms(*spans) == 0, now_ms)
        if now_ms % METRICS_MS == 0:
            derived.append(self._metrics(now_ms))
        return derived

    def _align(self, aligned: bool, now_ms: int) -> list[Derived]:
        if aligned is self._aligned:
            return []
        self._aligned = self._overlaps.line.aligned = aligned
        return [
            LineDoubted(at_ms=now_ms, code=MISALIGNED, channel=None, begin_ms=now_ms, over=aligned)
        ]

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
        return MetricsUpdated(
            at_ms=now_ms,
            talk_share_agent=talk_share_agent(self._parties, 0, known_ms),
            agent_ms=self._parties[Channel.AGENT].speech_ms(0, known_ms),
            customer_ms=self._parties[Channel.CUSTOMER].speech_ms(0, known_ms),
            overlap_ms=self._shared.until(known_ms),
            longest_silence_ms=self._longest_silence_ms,
            interruptions_agent=self._overlaps.evidence.interruptions(
                Channel.AGENT, now_ms, now_ms
            ),
            interruptions_customer=self._overlaps.evidence.interruptions(
                Channel.CUSTOMER, now_ms, now_ms
            ),
            words_per_minute_agent=self._paces[Channel.AGENT].words_per_minute(),
            words_per_minute_customer=self._paces[Channel.CUSTOMER].words_per_minute(),
            floor=self._floor.state,
            floor_holder=self._floor.holder,
            customer_word_sentiment=self._sentiment.mean(),
        )

    # ------------------------------------------------------------------ observations

    def _apply(self, observation: Observation) -> Sequence[Derived]:
        if isinstance(observation, CallStarted):
            self._directed = set(PARTIES) <= set(observation.channels)
            if self._promises is not None:
                self._promises.start(observation)
        elif isinstance(observation, PartialTranscript | FinalTranscript):
            return self._hear_words(observation)
        elif isinstance(observation, UtteranceScored):
            return self._acts.observe(observation)
        elif isinstance(observation, RaisedVoiceStarted | RaisedVoiceEnded):
            speech = self._parties[observation.channel]
            speech.voice_raised = isinstance(observation, RaisedVoiceStarted)
        elif isinstance(observation, ChannelQuality):
            if self._directed and SAME_SIGNAL in observation.flags:
                self._directed = False
                now_ms = observation.at_ms
                return [LineDoubted(at_ms=now_ms, code=SAME_SIGNAL, channel=None, begin_ms=now_ms)]
        elif isinstance(observation, HoldStarted):
            self._hold_since_ms = observation.at_ms
        elif isinstance(observation, HoldEnded):
            self._hold_since_ms = None
        if not self._directed and not isinstance(observation, AudioGap):
            return []
        return self._interaction.observe(observation)

    def _hear_words(self, heard: PartialTranscript | FinalTranscript) -> Sequence[Derived]:
        looked = self._interaction.observe(heard)
        if not self._directed:
            looked = []
        speech = self._parties[heard.channel]
        self._words_seen_ms = heard.at_ms
        if isinstance(heard, FinalTranscript):
            self._paces[heard.channel].hear(heard, speech, self._parties[heard.channel.other])
        if heard.channel is Channel.MIXED:
            return []
        acts = self._acts.observe(heard)
        if isinstance(heard, FinalTranscript) and heard.channel is Channel.CUSTOMER and heard.text:
            self._sentiment.hear(heard.utterance_id)
        for act in acts:
            self._sentiment.observe(act)
        if self._promises is None or not isinstance(heard, FinalTranscript):
            return [*looked, *acts]
        return [*looked, *acts, *self._promises.observe(heard, acts)]

    def _share(self, derived: Sequence[Derived]) -> list[Derived]:
        for event in derived:
            self._cues.observe(event)
        return list(derived)

    def _evaluate(self, now_ms: int) -> list[Derived]:
        if not self._directed:
            return []
        facts = self._facts.at(
            now_ms,
            hold_since_ms=self._hold_since_ms,
            words_seen_ms=self._words_seen_ms,
            direction_known=self._aligned,
        )
        shown = self._cues.evaluate(now_ms, facts)
        return self._share(list(shown))

    def _end(self, now_ms: int) -> list[Derived]:
        self._ended = True
        derived: list[Derived] = []
        if self._directed:
            derived += self._share(self._interaction.finish(now_ms))
            derived.append(self._metrics(now_ms))
        return derived + list(self._cues.finish(now_ms))


def words_first(observations: Sequence[Observation]) -> list[Observation]:
    """Return the observations with all final words known from the start, and no partials."""
    words: list[Observation] = [
        msgspec.structs.replace(o, at_ms=0) for o in observations if isinstance(o, FinalTranscript)
    ]
    rest = [o for o in observations if not isinstance(o, FinalTranscript | PartialTranscript)]
    return [*rest[:1], *words, *rest[1:]]
