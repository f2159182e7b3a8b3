"""Hands events to dashboards: bounded queues, numbered messages, snapshots without a race."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import islice
from math import inf
from typing import NamedTuple, get_args

import msgspec

from conversation.events import (
    Channel,
    ChannelQuality,
    ClockAdvanced,
    CueCleared,
    CueFeedback,
    CueRaised,
    CueWithheld,
    Derived,
    Event,
    FinalTranscript,
    MetricsUpdated,
    NoticeCleared,
    NoticeShown,
    Observation,
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
CARD_KEPT_S = 0.4
"""How old a card may be; a wall is told once a second what changed, and 2 s are allowed."""
UNSHOWN = (ClockAdvanced, ProsodyFrame, UtteranceScored)
"""Kinds of event that no dashboard is told of."""
SHOWN_TYPES = tuple(
    str(kind.__struct_config__.tag)
    for kind in get_args(Observation) + get_args(Derived)
    if kind not in UNSHOWN
)
"""Wire names of all others."""
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


class _Sight:
    """Which events an audience may see, asked in their order."""

    def __init__(self, audience: Audience) -> None:
        self._all = audience is Audience.AGENT
        self._cue_id: str | None = None
        """Of the cue about the customer's needs that is shown."""

    def sees(self, event: Event) -> bool:
        if self._all:
            return True
        if isinstance(event, CueRaised) and event.rule in NEED_CUES:
            self._cue_id = event.id
            return True
        if isinstance(event, CueCleared):
            return event.id == self._cue_id
        return not isinstance(event, (CueRaised, *_AGENTS_OWN))


class Feed:
    """The numbered events that one audience may see, and what they add up to."""

    def __init__(self, audience: Audience) -> None:
        self.audience = audience
        self.seq = 0
        self.view = CallView()
        self.subscribers: set[Subscriber] = set()
        self._sight = _Sight(audience)

    def publish(self, event: Event) -> None:
        """Send an event on, when this audience may see it."""
        if not self._sight.sees(event):
            return
        self.seq += 1
        self.view = fold(self.view, event)
        if self.subscribers:
            message = msgspec.json.encode({"type": "event", "seq": self.seq, "event": event})
            for subscriber in self.subscribers:
                subscriber.put(message)


def opening_of(events: Iterable[Event], audience: Audience, seq: int) -> list[Event]:
    """Return what led to an audience's event number `seq`, but for what was replaced since.

    Args:
        events: the call's, in the order of its journal; later ones do no harm.
        audience: whose screen it is.
        seq: how many of them, of those that it may see.
    """
    sight = _Sight(audience)
    told: dict[int, Event] = {}
    newest: dict[str, int] = {}
    seen = (event for event in events if not isinstance(event, UNSHOWN) and sight.sees(event))
    for number, event in enumerate(islice(seen, seq)):
        name = _replaces(event)
        if name is not None:
            told.pop(newest.pop(name, -1), None)
            if not isinstance(event, _LASTING):
                newest[name] = number
        told[number] = event
    return list(told.values())


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


class Snapshot(NamedTuple):
    """Where a call stood when a dashboard came; any thread may write it as a message."""

    audience: Audience
    seq: int
    head: dict[str, object]
    view: CallView

    def as_view(self) -> bytes:
        """Return it as the state of the call."""
        return msgspec.json.encode({**self.head, "view": self.view})

    def as_events(self, events: Iterable[Event]) -> bytes:
        """Return it as the events that led to that state, taken from all of the journal's."""
        told = opening_of(events, self.audience, self.seq)
        return msgspec.json.encode({**self.head, "events": told})


class LiveCall:
    """What dashboards see of one call; used on the event loop only."""

    def __init__(self, call_id: str) -> None:
        self.call_id = call_id
        self.position_ms = 0
        self.over = False
        self._feeds = {audience: Feed(audience) for audience in Audience}
        self._level_db: dict[Channel, float] = {}
        self._watchers = 0
        self._card = b""
        self._card_until_s = -inf

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

    def card(self, team: str | None, now_s: float) -> bytes:
        """Return the call's card on the wall, as JSON, the same for all walls for a while."""
        if now_s >= self._card_until_s:
            self._card = msgspec.json.encode(card_of(self.view, team))
            self._card_until_s = now_s + CARD_KEPT_S
        return self._card

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

    def subscribe(self, audience: Audience = Audience.AGENT) -> tuple[Subscriber, Snapshot]:
        """Return a subscriber for an audience and the snapshot that its first event follows."""
        subscriber, feed = Subscriber(), self._feeds[audience]
        feed.subscribers.add(subscriber)
        self._tell_watchers()
        head = {
            "type": "snapshot",
            "seq": feed.seq,
            "call_id": self.call_id,
            "position_ms": self.position_ms,
            "watchers": self._watchers,
        }
        return subscriber, Snapshot(audience, feed.seq, head, feed.view)

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
