"""Hands events to dashboards: bounded queues, numbered messages, snapshots without a race."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from enum import StrEnum

import msgspec

from conversation.events import (
    Channel,
    ChannelQuality,
    ClockAdvanced,
    CueCleared,
    CueFeedback,
    CueRaised,
    CueWithheld,
    Event,
    FinalTranscript,
    MetricsUpdated,
    NoticeCleared,
    NoticeShown,
    OverlapEnded,
    OverlapStarted,
    OverlapUpdated,
    PartialTranscript,
    PromiseMade,
    PromiseReviewed,
    ProsodyFrame,
    RaisedVoiceEnded,
    RaisedVoiceStarted,
    SilenceEnded,
    SilenceStarted,
    SpeechEnded,
    SpeechStarted,
    TurnEnded,
    TurnStarted,
    UtteranceScored,
)
from server.call_view import NEED_CUES, CallView, fold
from server.wall import card_of

QUEUE_MESSAGES = 256
"""Messages a dashboard may be behind; beyond it is disconnected and comes back (4408)."""
UNSHOWN = (ClockAdvanced, ProsodyFrame, UtteranceScored)
"""Kinds of event that no dashboard is told of."""
_AGENTS_OWN = (
    CueFeedback,
    CueWithheld,
    NoticeCleared,
    NoticeShown,
    PromiseMade,
    PromiseReviewed,
)


_LASTING = (
    FinalTranscript,
    OverlapEnded,
    RaisedVoiceEnded,
    SilenceEnded,
    SpeechEnded,
    TurnEnded,
)
"""Each says all there is to know of what it ends, and stays."""


class Audience(StrEnum):
    """Whose screen the events are for."""

    AGENT = "agent"
    """The agent's own panel."""
    WATCH = "watch"
    """A supervisor who opened the call: cues about the agent's habits stay with the agent."""


class Subscriber:
    """One dashboard socket."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUE_MESSAGES)
        self.overrun = False

    def hang_up(self) -> None:
        """Let the reader of the queue know that the socket is gone."""
        try:
            self.queue.put_nowait(None)
        except asyncio.QueueFull:
            self.overrun = True

    def put(self, message: bytes, *, droppable: bool = False) -> None:
        """Queue a message; a full queue drops positions and marks the socket for closing."""
        try:
            self.queue.put_nowait(message)
        except asyncio.QueueFull:
            self.overrun = self.overrun or not droppable


class Feed:
    """The numbered events that one audience may see, and what they add up to."""

    def __init__(self, audience: Audience) -> None:
        self.audience = audience
        self.seq = 0
        self.view = CallView()
        self._shown: dict[int, Event] = {}
        """By number; what a later event has replaced is left out."""
        self._newest: dict[str, int] = {}
        """Numbers of those that a later one will replace."""
        self.subscribers: set[Subscriber] = set()
        self._need_cue_ids: set[str] = set()

    def publish(self, event: Event) -> None:
        """Send an event on, when this audience may see it."""
        if self.audience is Audience.WATCH and not self._is_for_watchers(event):
            return
        self.seq += 1
        self.view = fold(self.view, event)
        self._keep(event)
        if self.subscribers:
            message = msgspec.json.encode({"type": "event", "seq": self.seq, "event": event})
            for subscriber in self.subscribers:
                subscriber.put(message)

    def _is_for_watchers(self, event: Event) -> bool:
        if isinstance(event, CueRaised) and event.rule in NEED_CUES:
            self._need_cue_ids.add(event.id)
            return True
        if isinstance(event, CueCleared):
            return event.id in self._need_cue_ids
        return not isinstance(event, (CueRaised, *_AGENTS_OWN))

    @property
    def shown(self) -> list[Event]:
        """What a new dashboard is told first, in order."""
        return list(self._shown.values())

    def _keep(self, event: Event) -> None:
        name = _replaces(event)
        if name is not None:
            self._shown.pop(self._newest.pop(name, 0), None)
            if not isinstance(event, _LASTING):
                self._newest[name] = self.seq
        self._shown[self.seq] = event


def _replaces(event: Event) -> str | None:
    """Return what an event says all there is to know of, so that earlier ones need not be told."""
    match event:
        case PartialTranscript() | FinalTranscript():
            return event.utterance_id
        case SpeechStarted() | SpeechEnded():
            return f"speech {event.channel}"
        case OverlapStarted() | OverlapUpdated() | OverlapEnded() | TurnStarted() | TurnEnded():
            return event.id
        case RaisedVoiceStarted() | RaisedVoiceEnded():
            return event.id
        case SilenceStarted() | SilenceEnded():
            return "silence"
        case ChannelQuality() if event.bleed_grade is not None:
            return f"quality {event.channel}"
        case MetricsUpdated():
            return "metrics"
    return None


class LiveCall:
    """What dashboards see of one call; used on the event loop only."""

    def __init__(self, call_id: str) -> None:
        self.call_id = call_id
        self.position_ms = 0
        self.over = False
        self._feeds = {audience: Feed(audience) for audience in Audience}
        self._level_db: dict[Channel, float] = {}
        self._watchers = 0

    @property
    def seq(self) -> int:
        """Number of the newest event on the agent's own screen."""
        return self._feeds[Audience.AGENT].seq

    @property
    def agent_view(self) -> CallView:
        """What the agent's own screen shows."""
        return self._feeds[Audience.AGENT].view

    @property
    def view(self) -> CallView:
        """What a supervisor may know of the call, as of its position."""
        view = self._feeds[Audience.WATCH].view
        at_ms = max(view.position_ms, self.position_ms)
        return msgspec.structs.replace(view, position_ms=at_ms)

    @property
    def dashboards(self) -> int:
        """How many screens show the call."""
        return sum(len(feed.subscribers) for feed in self._feeds.values())

    def agent_events(self) -> list[Event]:
        """Return what a new dashboard of the agent is told first."""
        return self._feeds[Audience.AGENT].shown

    def card(self, team: str | None) -> bytes:
        """Return the call's card on the wall, as JSON."""
        return msgspec.json.encode(card_of(self.view, team))

    def publish(self, events: Sequence[Event], position_ms: int) -> None:
        """Send committed events, and the position, to every dashboard."""
        for event in events:
            if isinstance(event, ProsodyFrame):
                self._level_db[event.channel] = event.level_db
            if not isinstance(event, UNSHOWN):
                for feed in self._feeds.values():
                    feed.publish(event)
        if position_ms // 250 != self.position_ms // 250:
            levels = {channel: round(level) for channel, level in self._level_db.items()}
            self._tell({"type": "position", "at_ms": position_ms, "level_db": levels}, True)
            self._level_db = {}
        self.position_ms = position_ms

    def finish(self) -> None:
        """Tell every dashboard that the report is there."""
        self.over = True
        self._tell(self._report(), False)

    def report_message(self) -> bytes:
        """Return the message that carries the report's address."""
        return msgspec.json.encode(self._report())

    def subscribe(
        self, audience: Audience = Audience.AGENT, *, as_view: bool = False
    ) -> tuple[Subscriber, bytes]:
        """Return a subscriber and the snapshot that its first event follows.

        Args:
            audience: Whose screen it is.
            as_view: The snapshot is the state (`view`) instead of the events that led to it.
        """
        subscriber, feed = Subscriber(), self._feeds[audience]
        feed.subscribers.add(subscriber)
        self._tell_watchers()
        snapshot = {
            "type": "snapshot",
            "seq": feed.seq,
            "call_id": self.call_id,
            "position_ms": self.position_ms,
            "watchers": self._watchers,
            **({"view": feed.view} if as_view else {"events": feed.shown}),
        }
        return subscriber, msgspec.json.encode(snapshot)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Forget a dashboard."""
        for feed in self._feeds.values():
            feed.subscribers.discard(subscriber)
        self._tell_watchers()

    def _tell_watchers(self) -> None:
        """Let the agent know how many supervisors have the call open."""
        watching = len(self._feeds[Audience.WATCH].subscribers)
        if watching == self._watchers:
            return
        self._watchers = watching
        message = msgspec.json.encode({"type": "watchers", "count": watching})
        for subscriber in self._feeds[Audience.AGENT].subscribers:
            subscriber.put(message, droppable=True)

    def _report(self) -> dict[str, str]:
        return {"type": "report", "url": f"/v1/calls/{self.call_id}/report.html"}

    def _tell(self, message: object, droppable: bool) -> None:
        encoded = msgspec.json.encode(message)
        for feed in self._feeds.values():
            for subscriber in feed.subscribers:
                subscriber.put(encoded, droppable=droppable)
