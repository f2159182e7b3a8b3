"""A call's event log, sorted into what the parts of a report need."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from conversation.alignment import misalignment_ms
from conversation.conversation import SAME_SIGNAL
from conversation.events import (
    ActDetected,
    AudioGap,
    CallEnded,
    CallStarted,
    CapturePaused,
    CaptureResumed,
    Channel,
    ChannelQuality,
    Event,
    FinalTranscript,
    HoldEnded,
    HoldStarted,
    LineDoubted,
    OverlapEnded,
    SpeechEnded,
    SpeechStarted,
)
from conversation.several_voices import CODE as SEVERAL_VOICES
from reports.spans import Span, subtract, union

PARTIES = (Channel.AGENT, Channel.CUSTOMER)
COUNTED_CONFIDENCE = 0.6
"""Below this an event is `possible` and in no count (`interruptions.md` section 9)."""

POSSIBLE = 0.5
"""What is left of the confidence in a call whose channels are on different clocks."""


class CallLog:
    """A call's events, sorted into what the parts of a report need.

    Raises:
        ValueError: the log does not begin with `CallStarted`.
    """

    def __init__(self, events: Iterable[Event]) -> None:
        self.events = list(events)
        if not self.events or not isinstance(self.events[0], CallStarted):
            raise ValueError("An event log begins with call_started; this one does not.")
        self.started = self.events[0]
        ends = [event.at_ms for event in self.events if isinstance(event, CallEnded)]
        self.end_ms = ends[-1] if ends else max(event.at_ms for event in self.events)
        self.same_signal = any(
            isinstance(e, ChannelQuality) and SAME_SIGNAL in e.flags for e in self.events
        )
        self.direction_known = set(self.started.channels) >= set(PARTIES) and not self.same_signal
        self.gaps = _joined(event for event in self.events if isinstance(event, AudioGap))
        self.unknown = union([*self._held_spans(), *((g.begin_ms, g.end_ms) for g in self.gaps)])
        self.speech = {channel: self._speech(channel) for channel in Channel}
        self.offset_ms = misalignment_ms(*(self.speech[party] for party in PARTIES))
        self.finals = self._newest_finals()
        self.overlaps = [self._doubted(overlap) for overlap in self._newest_overlaps()]
        self.several_voices = {
            event.channel: event.begin_ms
            for event in self.events
            if isinstance(event, LineDoubted) and event.code == SEVERAL_VOICES
        }
        """From when on more than one person was heard, by channel."""
        self.acts = [event for event in self.events if isinstance(event, ActDetected)]

    def _held_spans(self) -> list[Span]:
        spans: list[Span] = []
        begin: dict[type[Event], int] = {}
        closes: dict[type[Event], type[Event]] = {
            HoldEnded: HoldStarted,
            CaptureResumed: CapturePaused,
        }
        for event in self.events:
            kind = type(event)
            if kind in (HoldStarted, CapturePaused):
                begin.setdefault(kind, event.at_ms)
            elif kind in closes and closes[kind] in begin:
                spans.append((begin.pop(closes[kind]), event.at_ms))
        return [*spans, *((start, self.end_ms) for start in begin.values())]

    def _speech(self, channel: Channel) -> list[Span]:
        spans: list[Span] = []
        open_ms: int | None = None
        for event in self.events:
            if isinstance(event, SpeechStarted) and event.channel is channel:
                open_ms = event.start_ms
            elif isinstance(event, SpeechEnded) and event.channel is channel:
                spans.append((event.start_ms, event.end_ms))
                open_ms = None
        if open_ms is not None:
            spans.append((open_ms, self.end_ms))
        return subtract(union(spans), self.unknown)

    def _newest_finals(self) -> list[FinalTranscript]:
        newest: dict[str, FinalTranscript] = {}
        for event in self.events:
            if isinstance(event, FinalTranscript):
                held = newest.get(event.utterance_id)
                if held is None or event.rev >= held.rev:
                    newest[event.utterance_id] = event
        return sorted(newest.values(), key=lambda final: (final.start_ms, final.channel))

    def _newest_overlaps(self) -> list[OverlapEnded]:
        ended = [event for event in self.events if isinstance(event, OverlapEnded)]
        newest = max((event.revision for event in ended), default=0)
        chosen = [event for event in ended if event.revision == newest]
        return sorted(chosen, key=lambda event: (event.begin_ms, event.id))

    def _doubted(self, overlap: OverlapEnded) -> OverlapEnded:
        """Return an overlap as possible only where the clocks of the channels differ."""
        if not self.offset_ms or overlap.confidence <= POSSIBLE:
            return overlap
        return msgspec.structs.replace(overlap, confidence=POSSIBLE)


def _joined(gaps: Iterable[AudioGap]) -> list[AudioGap]:
    """Join parts of one gap, as a pause has one for each message that was thrown away."""
    joined: list[AudioGap] = []
    newest: dict[tuple[Channel, str, str | None], int] = {}
    for gap in gaps:
        kind = (gap.channel, gap.reason, gap.clock)
        at = newest.get(kind)
        if at is not None and joined[at].end_ms == gap.begin_ms:
            joined[at] = msgspec.structs.replace(joined[at], at_ms=gap.at_ms, end_ms=gap.end_ms)
        else:
            newest[kind] = len(joined)
            joined.append(gap)
    return joined
