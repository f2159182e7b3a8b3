"""Goes on with a call whose process died: what is heard again is fitted to what the journal has.

A source sends again what was not acknowledged, which begins before the newest event in the
journal. That audio refills open utterances and speech; events of it that are in the journal
already are not said twice, open ones go on under their own names, and what can no longer be heard
is closed.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from conversation.events import (
    AudioGap,
    CapturePaused,
    CaptureResumed,
    Channel,
    ChannelQuality,
    Event,
    FinalTranscript,
    HoldEnded,
    HoldStarted,
    PartialTranscript,
    ProsodyFrame,
    RaisedVoiceEnded,
    RaisedVoiceStarted,
    SpeechEnded,
    SpeechStarted,
)
from server.merge import Merger

LONGEST_AGAIN_MS = 17_000
"""Audio before the newest event that is heard again: what an open utterance can need,
and `WARM_UP_MS`."""
WARM_UP_MS = 2_000
"""Audio before that, which only lets voice activity find its way in (our choice)."""
_STEP_MS = 160
"""Windows of voice activity and whole samples of every rate begin together this often, so that
speech is cut where it would have been cut."""
_KEPT_MS = 2 * LONGEST_AGAIN_MS
"""Utterances that ended longer before cannot be heard again."""
_BEYOND_MS = 300
"""An utterance that is heard again goes on beyond its final from here on (our choice)."""

_Heard = SpeechStarted | SpeechEnded | ChannelQuality | AudioGap | ProsodyFrame


class _Utterance(msgspec.Struct):
    """One that the journal knows."""

    id: str
    channel: Channel
    start_ms: int
    end_ms: int
    rev: int
    final: bool


class Rejoiner(Merger):
    """Merges like any other, and lets through what the journal does not have yet."""

    def __init__(self, events: Sequence[Event], position_ms: int) -> None:
        super().__init__()
        self.released_ms = self.begun_ms = self.heard_from_ms = position_ms
        self._settled = False
        self._speaking: dict[Channel, SpeechStarted] = {}
        """Who speaks, as the journal has it; later, whose end is awaited."""
        self._silent_ms: dict[Channel, int] = {}
        self._again: dict[Channel, SpeechStarted] = {}
        """Who speaks, as is heard again."""
        self._raised: dict[str, RaisedVoiceStarted] = {}
        self._raised_count: dict[Channel, int] = {}
        self._told_raised: set[str] = set()
        self._utterances: dict[str, _Utterance] = {}
        self._utterance_count: dict[Channel, int] = {}
        self._names: dict[str, _Utterance] = {}
        """Utterances as they are heard now, by the names that they have now."""
        for event in events:
            self._note(event)
        oldest_ms = position_ms - _KEPT_MS
        self._utterances = {
            name: known
            for name, known in self._utterances.items()
            if not known.final or known.end_ms >= oldest_ms
        }

    def _note(self, event: Event) -> None:
        match event:
            case SpeechStarted():
                self._speaking[event.channel] = event
            case SpeechEnded():
                self._speaking.pop(event.channel, None)
                self._silent_ms[event.channel] = event.end_ms
            case RaisedVoiceStarted():
                self._raised[event.id] = event
                count = self._raised_count.get(event.channel, 0)
                self._raised_count[event.channel] = max(count, _number(event.id))
            case RaisedVoiceEnded():
                self._raised.pop(event.id, None)
            case PartialTranscript() | FinalTranscript():
                count = self._utterance_count.get(event.channel, 0)
                self._utterance_count[event.channel] = max(count, _number(event.utterance_id))
                self._utterances[event.utterance_id] = _known(event)
            case HoldStarted() | CapturePaused():
                if not isinstance(event, CapturePaused) or event.mode == "manual":
                    self.suspensions.append(event)
            case HoldEnded():
                self.suspensions = [e for e in self.suspensions if not isinstance(e, HoldStarted)]
            case CaptureResumed():
                self.suspensions = [e for e in self.suspensions if isinstance(e, HoldStarted)]

    def release(self, watermark_ms: int) -> list[Event]:
        """Return what is due up to and including `watermark_ms` and not known yet, in order."""
        released: list[Event] = []
        for event in super().release(watermark_ms):
            if event.at_ms > self.begun_ms:
                released += self._settle()
            released += self._join(event)
        if watermark_ms > self.begun_ms:
            released += self._settle()
        return released

    def rest(self) -> list[Event]:
        """Return everything that waits, and close what was never heard again."""
        released = [*super().rest(), *self._settle()]
        for known in self._utterances.values():
            if not known.final:
                released.append(self._skipped(known, self.released_ms))
        self._utterances.clear()
        return released

    def _settle(self) -> list[Event]:
        """Bring what is open to what is heard, once the journal's end has been passed."""
        if self._settled:
            return []
        self._settled = True
        at_ms = self.begun_ms
        closed: list[Event] = []
        for channel in Channel:
            known, again = self._speaking.get(channel), self._again.get(channel)
            if known is not None and again is None:
                del self._speaking[channel]
                closed.append(
                    SpeechEnded(
                        at_ms=at_ms,
                        channel=channel,
                        start_ms=known.start_ms,
                        end_ms=max(at_ms, known.start_ms),
                        truncated=True,
                    )
                )
            elif known is None and again is not None:
                start_ms = max(again.start_ms, self._silent_ms.get(channel, 0))
                started = msgspec.structs.replace(again, at_ms=at_ms, start_ms=start_ms)
                self._speaking[channel] = started
                closed.append(started)
        for raised in self._raised.values():
            closed.append(
                RaisedVoiceEnded(
                    at_ms=at_ms,
                    id=raised.id,
                    channel=raised.channel,
                    begin_ms=raised.begin_ms,
                    end_ms=at_ms,
                    peak_score=raised.score,
                    reason="reset",
                )
            )
        for utterance in list(self._utterances.values()):
            if not utterance.final and utterance.start_ms < self.heard_from_ms:
                closed.append(self._skipped(utterance, at_ms))
                del self._utterances[utterance.id]
        return closed

    def _join(self, event: Event) -> list[Event]:
        if isinstance(event, PartialTranscript | FinalTranscript):
            return self._join_words(event)
        if isinstance(event, RaisedVoiceStarted | RaisedVoiceEnded):
            return self._join_raised(event)
        if not isinstance(event, _Heard):
            return [msgspec.structs.replace(event, at_ms=max(event.at_ms, self.begun_ms))]
        if event.at_ms <= self.begun_ms:
            if isinstance(event, SpeechStarted):
                self._again[event.channel] = event
            elif isinstance(event, SpeechEnded):
                self._again.pop(event.channel, None)
            return []
        if isinstance(event, SpeechEnded) and event.channel in self._speaking:
            known = self._speaking.pop(event.channel)
            end_ms = max(event.end_ms, known.start_ms)
            return [msgspec.structs.replace(event, start_ms=known.start_ms, end_ms=end_ms)]
        if isinstance(event, SpeechStarted):
            start_ms = max(event.start_ms, self._silent_ms.pop(event.channel, 0))
            return [msgspec.structs.replace(event, start_ms=start_ms)]
        if isinstance(event, AudioGap) and event.begin_ms < self.begun_ms:
            return [msgspec.structs.replace(event, begin_ms=self.begun_ms)]
        return [event]

    def _join_raised(self, event: RaisedVoiceStarted | RaisedVoiceEnded) -> list[Event]:
        if isinstance(event, RaisedVoiceStarted) and event.at_ms > self.begun_ms:
            self._told_raised.add(event.id)
        if event.id not in self._told_raised:
            return []
        number = _number(event.id) + self._raised_count.get(event.channel, 0)
        return [msgspec.structs.replace(event, id=f"rv-{event.channel[0]}-{number}")]

    def _join_words(self, event: PartialTranscript | FinalTranscript) -> list[Event]:
        name = event.utterance_id
        if name not in self._names:
            self._names[name] = self._identify(event)
        known = self._names[name]
        if known.final:
            return self._beyond(event, known)
        if isinstance(event, FinalTranscript):
            self._utterances.pop(known.id, None)
        at_ms = max(event.at_ms, self.begun_ms)
        rev = known.rev + event.rev
        return [msgspec.structs.replace(event, at_ms=at_ms, utterance_id=known.id, rev=rev)]

    def _identify(self, event: PartialTranscript | FinalTranscript) -> _Utterance:
        """Return the utterance that this is, a new one if the journal has none there."""
        heard = _known(event)
        for known in self._utterances.values():
            common_ms = min(known.end_ms, heard.end_ms) - max(known.start_ms, heard.start_ms)
            shorter_ms = min(known.end_ms - known.start_ms, heard.end_ms - heard.start_ms)
            if known.channel is heard.channel and common_ms * 2 > shorter_ms:
                return known
        return self._new(heard)

    def _new(self, heard: _Utterance) -> _Utterance:
        number = self._utterance_count.get(heard.channel, 0) + 1
        self._utterance_count[heard.channel] = number
        name = f"{heard.channel[0]}-{number}"
        return msgspec.structs.replace(heard, id=name, rev=0, final=False)

    def _beyond(self, event: PartialTranscript | FinalTranscript, known: _Utterance) -> list[Event]:
        """Return the words after an utterance whose final is known, if it was longer than that."""
        if isinstance(event, PartialTranscript) or event.end_ms <= known.end_ms + _BEYOND_MS:
            return []
        words = tuple(word for word in event.words if word.start_ms >= known.end_ms)
        if not words:
            return []
        new = self._new(_known(event))
        return [
            msgspec.structs.replace(
                event,
                at_ms=max(event.at_ms, self.begun_ms),
                utterance_id=new.id,
                rev=1,
                start_ms=known.end_ms,
                text=" ".join(word.text for word in words),
                words=words,
            )
        ]

    def _skipped(self, known: _Utterance, at_ms: int) -> FinalTranscript:
        """Say of an utterance that was shown in part that its end is lost."""
        return FinalTranscript(
            at_ms=at_ms,
            channel=known.channel,
            utterance_id=known.id,
            rev=known.rev + 1,
            start_ms=known.start_ms,
            end_ms=known.end_ms,
            text=None,
            status="skipped",
        )


def heard_again_from_ms(known_ms: int, resume_from_ms: int | None) -> int:
    """Return where to begin to hear a call that is known up to `known_ms`."""
    from_ms = max(resume_from_ms or 0, known_ms - LONGEST_AGAIN_MS)
    return min(-(-from_ms // _STEP_MS) * _STEP_MS, known_ms // 10 * 10)


def _known(event: PartialTranscript | FinalTranscript) -> _Utterance:
    final = isinstance(event, FinalTranscript)
    return _Utterance(
        id=event.utterance_id,
        channel=event.channel,
        start_ms=event.start_ms,
        end_ms=event.end_ms if isinstance(event, FinalTranscript) else event.audio_end_ms,
        rev=event.rev,
        final=final,
    )


def _number(name: str) -> int:
    """Return the number that ends an id such as `a-12`."""
    digits = name.rpartition("-")[2]
    return int(digits) if digits.isdigit() else 0
