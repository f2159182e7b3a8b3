"""One call: audio in, journalled events out. The same code live, offline and in tests.

    chunks ─► ChannelFrontEnd ─┬─► speech events ─────────┐
                               ├─► UtteranceTracker ─► Transcriber ─► transcripts ─► Redactor
                               └─► ProsodyStage ──────────┤
                                                          ▼
                                             Merger ─► Conversation.receive

Two clocks. On the *live* clock a transcript enters the core when it arrives. On the *virtual*
clock it enters at the end of its audio plus a fixed simulated latency, however long the decode
took, so that an offline result depends on the audio and nothing else (`server.decodes`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from itertools import chain

import msgspec

from asr.jobs import Advice, Transcriber
from asr.settings import AsrSettings
from audio.bleed import BleedGate
from audio.chunks import ANALYSIS_RATE_HZ, AudioChunk
from audio.vad import SpeechProbability
from conversation.conversation import Conversation
from conversation.events import (
    AnalysisChanged,
    AudioGap,
    CallEnded,
    CallStarted,
    CapturePaused,
    CaptureResumed,
    Channel,
    ClockAdvanced,
    Event,
    FinalTranscript,
    Observation,
    PartialTranscript,
    ProsodyFrame,
    RecognitionChanged,
    RolesSwapped,
    SpeechStarted,
)
from conversation.interaction import HEARD
from conversation.redaction import Redactor
from prosody.rate import SpeakingRate
from prosody.stage import ProsodyStage
from server.auto_capture import AutoCapture
from server.controls import Control
from server.decodes import LiveDecodes, VirtualDecodes
from server.ears import PROSODY_NATIVE_RATES_HZ, Ears
from server.hearing import Hearing
from server.merge import Merger, in_step
from server.resume import Rejoiner
from server.roles import RoleSwitch

_DRAIN_STEP_S = 0.25
_LONGEST_ACCEPTED_MS = 1_000
"""Audio that is accepted before it is judged, so that neither channel runs far ahead."""
_VOICE_TICKS = 2_000
"""Ticks of 240 ms, of both sides, from which usual voices are learnt again: at least 4 minutes."""

LOOKED_BACK_AT = tuple(
    str(kind.__struct_config__.tag)
    for kind in (CallStarted, *HEARD, CallEnded)
    if kind is not PartialTranscript
)
"""Types of event that the post-call pass needs; a long call has as many of others again."""


class Clock(Enum):
    """When transcripts enter the core."""

    LIVE = "live"
    VIRTUAL = "virtual"


class CallSession:
    """Feeds one call through hearing and core, and returns events in journal order.

    Not thread-safe: one thread at a time uses a session. Every method returns the events that
    became final with it, observations and derived events mixed, ready for the journal.
    """

    def __init__(
        self,
        started: CallStarted,
        sample_rate_hz: int,
        hearing: Hearing,
        transcriber: Transcriber | None,
        *,
        clock: Clock = Clock.LIVE,
        look_ahead_ms: int = 0,
        hotwords: tuple[str, ...] = (),
        journal: Callable[[], Iterable[Event]] | None = None,
    ) -> None:
        self.started = started
        self.sample_rate_hz = sample_rate_hz
        self._hearing = hearing
        self._asr: AsrSettings = hearing.settings.asr
        self._rate = SpeakingRate(hearing.settings.prosody.rate)
        self._hotwords = hotwords
        self._transcriber = transcriber
        self._look_ahead_ms = look_ahead_ms
        self._listen(clock)
        self._advice = Advice(hop_ms=self._asr.hop_ms)
        self._shed_level = 0
        if clock is Clock.LIVE:
            hearing.live_calls.add(self)
        self._merger: Merger = Merger()
        self._redactor = Redactor()
        self._roles = RoleSwitch(started.channels, sample_rate_hz)
        self._capture = AutoCapture(hearing.settings.capture)
        self._scorer = hearing.act_scorer(timely=clock is Clock.LIVE)
        self._core = Conversation.for_call(started)
        self._journal = journal
        """Reads what earlier calls have returned, of `LOOKED_BACK_AT` at least; without it
        observations are kept in memory."""
        self._observations: list[Observation] = []
        self._voices: deque[ProsodyFrame] = deque(maxlen=_VOICE_TICKS)
        """What voices were like before this process took the call up."""
        self._paused = False
        self._audio_ended = False
        self._ended = False

    def _listen(self, clock: Clock) -> None:
        """Give every channel fresh ears."""
        rate_hz, channels = self.sample_rate_hz, self.started.channels
        settings = self._hearing.settings
        native = rate_hz in PROSODY_NATIVE_RATES_HZ
        self._prosody = ProsodyStage(
            channels, rate_hz if native else ANALYSIS_RATE_HZ, settings.prosody
        )
        patient = clock is Clock.VIRTUAL
        gate = None
        if {Channel.AGENT, Channel.CUSTOMER} <= set(channels):
            gate = BleedGate(settings.audio.bleed) if settings.audio.bleed.enabled else None
        hears = (self._hearing, self._prosody, self._hotwords, patient, gate)
        words = self._transcriber is not None
        self._ears = {channel: Ears(channel, rate_hz, *hears, words=words) for channel in channels}
        trackers = {channel: ears.utterances for channel, ears in self._ears.items()}
        self._decodes: LiveDecodes | VirtualDecodes = (
            VirtualDecodes(trackers, self._transcriber, self._asr)
            if patient
            else LiveDecodes(trackers, self._transcriber)
        )

    def take_up(self, events: Sequence[Event], position_ms: int) -> None:
        """Go on with a call whose process died, from its journal up to `position_ms`.

        It stands in for `opening_events`; audio goes on at `position_ms` or where `hear_from` says.
        """
        for event in events:
            if isinstance(event, Observation):
                self._recall(event)
        self._core.receive(ClockAdvanced(at_ms=position_ms))
        self._merger = Rejoiner(events, position_ms)
        self.hear_from(position_ms)

    def _recall(self, known: Observation) -> None:
        if isinstance(known, PartialTranscript | FinalTranscript):
            self._redactor.redact(known)
        self._capture.filter(known, known)
        if isinstance(known, FinalTranscript) and self._scorer is not None:
            self._scorer.recall(known)
        elif isinstance(known, RecognitionChanged):
            self._advice = msgspec.structs.replace(
                self._advice, level=known.level, available=known.available
            )
        elif isinstance(known, AnalysisChanged):
            self._shed_level = known.level
        elif isinstance(known, CapturePaused | CaptureResumed):
            self._paused = isinstance(known, CapturePaused) and known.mode == "manual"
        elif isinstance(known, ProsodyFrame):
            self._voices.append(known)
        elif isinstance(known, RolesSwapped):
            self._roles.swapped = not self._roles.swapped
        self._rate.hear(known)
        self._core.receive(known)
        self._keep(known)

    def _keep(self, observation: Observation) -> None:
        if self._journal is None:
            self._observations.append(observation)

    def hear_from(self, at_ms: int) -> None:
        """Begin to hear at a stream time; what the journal has already is not said again."""
        self._listen(Clock.LIVE)
        self._prosody.begin_at(at_ms, self._voices)
        self._merger.heard_from_ms = at_ms
        for ears in self._ears.values():
            ears.begin_at(at_ms, self.sample_rate_hz)
            for event in self._merger.suspensions:
                ears.observe(msgspec.structs.replace(event, at_ms=at_ms))

    @property
    def paused(self) -> bool:
        """Whether capture is paused by hand."""
        return self._paused

    @property
    def settled_ms(self) -> int:
        """Stream time up to which everything that was heard has entered the core."""
        return self._merger.released_ms

    @property
    def position_ms(self) -> int:
        """Stream time up to which audio of every channel has arrived."""
        heard_ms = min(ears.position_ms for ears in self._ears.values())
        return max(heard_ms, self._merger.begun_ms)

    @property
    def acked_ms(self) -> int:
        """Everything before is analysed and no longer needed by an open utterance."""
        return min(ears.needed_from_ms for ears in self._ears.values())

    def opening_events(self) -> list[Event]:
        """Return the events that open the journal; call once, before any audio."""
        return self._receive([self.started])

    def push(self, items: Sequence[AudioChunk | AudioGap]) -> list[Event]:
        """Take consecutive audio of any channels, split in any way, and notes of what is missing.

        Raises:
            KeyError: audio of a channel that this call does not have.
        """
        begun_ms: int | None = None
        for item in self._roles.feed(in_step(items)):
            at_ms = item.start_ms if isinstance(item, AudioChunk) else item.at_ms
            if begun_ms is None or at_ms - begun_ms >= _LONGEST_ACCEPTED_MS:
                self._settle()
                begun_ms = at_ms
            self._accept(item)
        return self.settle()

    def accept(self, items: Sequence[AudioChunk | AudioGap]) -> list[SpeechProbability]:
        """Take at most a second of audio like `push`, and wait for `settle`.

        Returns:
            Where its voice activity waits: who hears many calls scores it together.

        Raises:
            KeyError: audio of a channel that this call does not have.
        """
        for item in self._roles.feed(in_step(items)):
            self._accept(item)
        return [ears.voice_activity for ears in self._ears.values()]

    def settle(self) -> list[Event]:
        """Return what became final with the audio that was accepted."""
        self._settle()
        return self._advance()

    def _accept(self, item: AudioChunk | AudioGap | RolesSwapped) -> None:
        if isinstance(item, RolesSwapped):
            for each in self._ears.values():
                self._merger.add(each.cut(item.at_ms))
            self._merger.add([item])
            return
        ears = self._ears[item.channel]
        if isinstance(item, AudioGap):
            self._merger.add(ears.gap(item, self.sample_rate_hz))
        elif self._paused:
            self._merger.add(ears.pass_over(item))
        else:
            ears.accept(item)

    def _settle(self) -> None:
        self._hearing.score(ears.voice_activity for ears in self._ears.values())
        for ears in self._ears.values():
            self._merger.add(ears.release())

    def control(self, event: Control) -> list[Event]:
        """Take a hold, a pause, or the agent's word on a cue.

        It counts at once, also while no audio comes: for the core at the time that it has
        reached, for what is heard at the end of the audio that has arrived.
        """
        heard = msgspec.structs.replace(event, at_ms=self.position_ms)
        if isinstance(event, CapturePaused):
            self._paused = True
        elif isinstance(event, CaptureResumed):
            self._paused = False
        for ears in self._ears.values():
            ears.observe(heard)
        known = msgspec.structs.replace(event, at_ms=self._merger.released_ms)
        return [*self._receive([known]), *self._advance()]

    def swap_roles(self) -> None:
        """Take the agent's side for the customer's and the other way round, from the next sample.

        Raises:
            ValueError: the call does not have both sides.
        """
        self._roles.swap()

    def poll(self) -> list[Event]:
        """Collect transcripts that arrived since the last call, without waiting."""
        return self._advance()

    def end_audio(self) -> list[Event]:
        """Say that no more audio comes: decode what is open. A second call returns nothing."""
        if self._audio_ended:
            return []
        self._audio_ended = True
        for ears in self._ears.values():
            self._merger.add(ears.flush())
        for ears in self._ears.values():
            self._merger.add(ears.finish())
        end_ms = max(ears.position_ms for ears in self._ears.values())
        if isinstance(self._decodes, VirtualDecodes):
            self._merger.add(self._decodes.finish(end_ms))
        else:
            self._merger.add(self._decodes.finish(end_ms, self._merger.released_ms))
        self._merger.add(self._prosody.finish(end_ms))
        self._decodes.redecode()
        return self._release(self._merger.released_ms)

    @property
    def awaits_words(self) -> bool:
        """Whether anything was asked of the recogniser that it has not answered."""
        return self._decodes.waits

    @property
    def waits_for_words(self) -> bool:
        """Whether finals are still being decoded."""
        return self._decodes.waits_for_finals

    def finish(self, reason: str = "ended", *, wait_s: float = 10.0) -> list[Event]:
        """End the call: settle everything, run the post-call pass.

        Waits up to `wait_s` for the recogniser on the live clock, as long as it takes on the
        virtual one; who may not wait calls `end_audio` and polls until `waits_for_words` is
        false. A second call returns nothing.
        """
        if self._ended:
            return []
        events = self.end(reason, wait_s=wait_s)
        return events + self.look_back(events)

    def end(self, reason: str, *, wait_s: float) -> list[Event]:
        """Do what `finish` does but for the post-call pass, which `look_back` makes then."""
        self._ended = True
        self._hearing.live_calls.discard(self)
        events = self.end_audio()
        self._drain(wait_s)
        self._merger.add(self._decodes.abandon(self._merger.released_ms))
        events += self._receive(self._merger.rest())
        end_ms = max(ears.position_ms for ears in self._ears.values())
        end_ms = max(end_ms, self._merger.released_ms)
        return events + self._receive([CallEnded(at_ms=end_ms, reason=reason)])

    def look_back(self, newest: Sequence[Event]) -> list[Event]:
        """Make the post-call pass; `newest` are events of `end` that no journal has yet.

        It takes seconds after a call of hours, and may have a thread of its own.
        """
        return list(self._core.final_pass(self._heard(newest)))

    def _heard(self, newest: Sequence[Event]) -> list[Observation]:
        """Return all observations of the call, `newest` among them."""
        if self._journal is None:
            return self._observations
        known = chain(self._journal(), newest)
        return [event for event in known if isinstance(event, Observation)]

    def _advance(self) -> list[Event]:
        watermark_ms = min(ears.front_end.watermark_ms for ears in self._ears.values())
        if isinstance(self._decodes, VirtualDecodes):
            self._merger.add(self._prosody.advance(watermark_ms))
            look_ahead_ms = self._look_ahead_ms
            self._merger.add(self._decodes.advance(watermark_ms, look_ahead_ms=look_ahead_ms))
            return self._release(min(watermark_ms, self._decodes.watermark_ms))
        self._take_advice()
        self._take_shed_level()
        self._prosody.load = self._hearing.prosody_load
        self._merger.add(self._prosody.advance(watermark_ms))
        self._merger.add(self._decodes.advance(watermark_ms, self._merger.released_ms))
        if self._audio_ended:
            self._decodes.redecode()
        return self._release(watermark_ms)

    def _release(self, watermark_ms: int) -> list[Event]:
        if watermark_ms <= self._merger.released_ms:
            return self._receive(self._merger.release(self._merger.released_ms))
        events = self._receive(self._merger.release(watermark_ms))
        events += self._core.receive(ClockAdvanced(at_ms=watermark_ms))
        if isinstance(self._decodes, LiveDecodes):
            self._hint(events)
        return events

    def _hint(self, events: Sequence[Event]) -> None:
        """Ask for the words of both sides where both begin to speak at once.

        An overlap waits for them when it begins, and when who was overlapped goes on after a pause.
        """
        for event in events:
            if isinstance(event, SpeechStarted) and self._speaks(event.channel.other):
                for ears in self._ears.values():
                    ears.utterances.hint(event.start_ms + self._asr.hint_after_ms)

    def _speaks(self, channel: Channel) -> bool:
        return channel in self._ears and self._ears[channel].utterances.speaking

    def _take_advice(self) -> None:
        """Let the recogniser say what it can do, and say so when that has changed."""
        if self._transcriber is None:
            return
        for channel, ears in self._ears.items():
            advice = self._hearing.advice(self.started.call_id, channel)
            ears.utterances.advise(advice)
        if (advice.level, advice.available) != (self._advice.level, self._advice.available):
            changed = RecognitionChanged(
                at_ms=self._merger.released_ms, level=advice.level, available=advice.available
            )
            self._merger.add([changed])
        self._advice = advice

    def _take_shed_level(self) -> None:
        """Say so when the analysis leaves out more, or less, from here on."""
        level = self._hearing.shed_level
        if level != self._shed_level:
            self._shed_level = level
            self._merger.add([AnalysisChanged(at_ms=self._merger.released_ms, level=level)])

    def _drain(self, wait_s: float) -> None:
        if isinstance(self._decodes, VirtualDecodes):
            self._merger.add(self._decodes.drain())
            return
        self._decodes.redecode()
        for _ in range(round(wait_s / _DRAIN_STEP_S)):
            if not self._decodes.waits_for_finals:
                break
            now_ms = self._merger.released_ms
            self._merger.add(self._decodes.collect(_DRAIN_STEP_S, now_ms))
            self._decodes.redecode()

    def _receive(self, observations: Sequence[Event]) -> list[Event]:
        events: list[Event] = []
        for heard in observations:
            redacted = heard
            if isinstance(heard, PartialTranscript | FinalTranscript):
                redacted = self._redactor.redact(heard)
            events += self._enter(self._capture.filter(heard, redacted))
        return events

    def _enter(self, observations: Sequence[Event]) -> list[Event]:
        events: list[Event] = []
        for observation in observations:
            if isinstance(observation, FinalTranscript) and self._scorer is not None:
                scored = self._scorer.score(observation)
                events.extend([] if scored is None else self._enter([scored]))
            assert isinstance(observation, Observation)  # noqa: S101 - the merger holds nothing else
            events.extend(self._core.receive(ClockAdvanced(at_ms=observation.at_ms)))
            for heard in (observation, *self._rate.hear(observation)):
                self._keep(heard)
                events.append(heard)
                events.extend(self._core.receive(heard))
        return events
